//! Evidence that a crate's public items name another crate, read from its source.
//!
//! Without evidence nothing is proven: macros are not expanded and `cfg` is not evaluated.

mod names;
mod scope;

use std::{
    collections::{HashSet, VecDeque},
    path::{Path, PathBuf},
};

use syn::{Attribute, Ident, Item, visit::Visit as _};

use self::{
    names::Names,
    scope::{Scope, is_public, leaves, public_names, re_exported},
};

/// Enough to convince; a crate that exposes another does so everywhere.
const MAX_ITEMS: usize = 3;

/// Generated bindings run to many megabytes; their first files say what there is to say.
const MAX_BYTES: usize = 4 << 20;

/// What the source says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Exposure {
    /// The source was not at hand or not asked for.
    NotLooked,
    /// No public item names the crate.
    None,
    /// These do, and there may be more.
    Items(Vec<Evidence>),
}

/// One public item that names the other crate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Evidence {
    /// Relative to the package's folder.
    pub(crate) file: String,
    pub(crate) item: String,
    /// The path that leads into the other crate.
    pub(crate) names: String,
}

/// Searches the library rooted at `root` for public items that name `extern_name`.
///
/// `read` gives the text of a file, or nothing where there is none.
pub(crate) fn look(package: &Path, root: &Path, extern_name: &str, read: &dyn Fn(&Path) -> Option<String>) -> Exposure {
    let mut files = VecDeque::new();
    files.push_back((root.to_owned(), root.parent().unwrap_or(root).to_owned()));
    let (mut evidence, mut n_bytes, mut n_files) = (Vec::new(), 0, 0);
    while let Some((file, folder)) = files.pop_front() {
        let Some(text) = read(&file) else { continue };
        n_files += 1;
        n_bytes += text.len();
        if evidence.len() >= MAX_ITEMS || n_bytes > MAX_BYTES {
            break;
        }
        // Parsing is the cost here, and most files of most crates name neither the crate nor a module.
        if !text.contains(extern_name) && !text.contains("mod ") {
            continue;
        }
        let Ok(parsed) = syn::parse_file(&text) else {
            continue;
        };
        let shown = file.strip_prefix(package).unwrap_or(&file);
        let mut module = Module {
            file: shown.to_string_lossy().replace('\\', "/"),
            extern_name,
            scope: Scope::default(),
            evidence: &mut evidence,
            files: &mut files,
        };
        module.walk(&parsed.items, &folder, true);
    }
    evidence.truncate(MAX_ITEMS);
    if !evidence.is_empty() {
        Exposure::Items(evidence)
    } else if n_files == 0 {
        Exposure::NotLooked
    } else {
        Exposure::None
    }
}

struct Module<'a> {
    file: String,
    extern_name: &'a str,
    scope: Scope,
    evidence: &'a mut Vec<Evidence>,
    files: &'a mut VecDeque<(PathBuf, PathBuf)>,
}

impl Module<'_> {
    fn walk(&mut self, items: &[Item], folder: &Path, is_root: bool) {
        let outer = std::mem::replace(&mut self.scope, Scope::of(items, self.extern_name));
        let published = re_exported(items);
        let public = public_names(items);
        for item in items {
            if is_for_tests(attributes(item)) {
                continue;
            }
            if let Item::Mod(module) = item {
                if !is_public(&module.vis) && !published.contains(&module.ident.to_string()) {
                    continue;
                }
                let name = module.ident.to_string();
                match (&module.content, explicit_path(&module.attrs)) {
                    (Some((_, items)), _) => self.walk(items, &folder.join(&name), false),
                    (None, Some(path)) => {
                        let base = if is_root {
                            folder
                        } else {
                            folder.parent().unwrap_or(folder)
                        };
                        let file = base.join(path);
                        let folder = file.parent().unwrap_or(base).to_owned();
                        self.files.push_back((file, folder));
                    }
                    (None, None) => {
                        let inner = folder.join(&name);
                        self.files.push_back((folder.join(format!("{name}.rs")), inner.clone()));
                        self.files.push_back((inner.join("mod.rs"), inner));
                    }
                }
            } else {
                self.examine(item, &public);
            }
        }
        self.scope = outer;
    }

    fn examine(&mut self, item: &Item, public: &HashSet<String>) {
        match item {
            Item::Fn(f) if is_public(&f.vis) => {
                self.note(&format!("fn {}", f.sig.ident), |names| {
                    names.visit_signature(&f.sig);
                });
            }
            Item::Struct(s) if is_public(&s.vis) => {
                self.note(&format!("struct {}", s.ident), |names| {
                    names.visit_generics(&s.generics);
                });
                for (index, field) in s.fields.iter().enumerate() {
                    if is_public(&field.vis) {
                        let name = field.ident.as_ref().map_or(index.to_string(), Ident::to_string);
                        self.note(&format!("struct {}, field {name}", s.ident), |names| {
                            names.visit_type(&field.ty);
                        });
                    }
                }
            }
            Item::Enum(e) if is_public(&e.vis) => {
                self.note(&format!("enum {}", e.ident), |names| {
                    names.visit_item_enum(e);
                });
            }
            Item::Union(u) if is_public(&u.vis) => {
                self.note(&format!("union {}", u.ident), |names| {
                    names.visit_item_union(u);
                });
            }
            Item::Type(t) if is_public(&t.vis) => {
                self.note(&format!("type {}", t.ident), |names| {
                    names.visit_type(&t.ty);
                });
            }
            Item::Const(c) if is_public(&c.vis) => {
                self.note(&format!("const {}", c.ident), |names| {
                    names.visit_type(&c.ty);
                });
            }
            Item::Static(s) if is_public(&s.vis) => {
                self.note(&format!("static {}", s.ident), |names| {
                    names.visit_type(&s.ty);
                });
            }
            Item::Trait(t) if is_public(&t.vis) => {
                self.note(&format!("trait {}", t.ident), |names| {
                    for bound in &t.supertraits {
                        names.visit_type_param_bound(bound);
                    }
                    for item in &t.items {
                        if let syn::TraitItem::Fn(f) = item {
                            names.visit_signature(&f.sig);
                        }
                    }
                });
            }
            Item::Use(u) if is_public(&u.vis) => {
                for (path, name) in leaves(&u.tree) {
                    if path
                        .first()
                        .is_some_and(|first| first == self.extern_name || self.scope.foreign.contains_key(first))
                    {
                        let names = path.join("::");
                        let item = format!("pub use {names} as {name}");
                        self.evidence.push(Evidence {
                            file: self.file.clone(),
                            item: item.trim_end_matches(" as *").to_owned(),
                            names,
                        });
                    }
                }
            }
            Item::ExternCrate(e) if is_public(&e.vis) && e.ident == self.extern_name => {
                self.evidence.push(Evidence {
                    file: self.file.clone(),
                    item: format!("pub extern crate {}", e.ident),
                    names: e.ident.to_string(),
                });
            }
            Item::Impl(block) => self.examine_impl(block, public),
            _ => {}
        }
    }

    fn examine_impl(&mut self, block: &syn::ItemImpl, public: &HashSet<String>) {
        let of = last_name(&block.self_ty);
        let Some(of) = of.filter(|name| public.contains(name) || !self.scope.local.contains(name)) else {
            return;
        };
        if let Some((path, _)) = &block.trait_ {
            let name = path.segments.last().map(|s| s.ident.to_string());
            let what = format!("impl {} for {of}", name.unwrap_or_default());
            self.note(&what, |names| names.visit_path(path));
            return;
        }
        for item in &block.items {
            match item {
                syn::ImplItem::Fn(f) if is_public(&f.vis) => {
                    self.note(&format!("fn {of}::{}", f.sig.ident), |names| {
                        names.visit_signature(&f.sig);
                    });
                }
                syn::ImplItem::Const(c) if is_public(&c.vis) => {
                    self.note(&format!("const {of}::{}", c.ident), |names| {
                        names.visit_type(&c.ty);
                    });
                }
                _ => {}
            }
        }
    }

    fn note(&mut self, item: &str, visit: impl FnOnce(&mut Names<'_>)) {
        let mut names = Names {
            extern_name: self.extern_name,
            scope: &self.scope,
            generics: HashSet::new(),
            found: None,
        };
        visit(&mut names);
        if let Some(names) = names.found {
            self.evidence.push(Evidence {
                file: self.file.clone(),
                item: item.to_owned(),
                names,
            });
        }
    }
}

fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute
                .meta
                .require_list()
                .is_ok_and(|list| list.tokens.to_string() == "test")
    })
}

fn explicit_path(attributes: &[Attribute]) -> Option<String> {
    let attribute = attributes.iter().find(|a| a.path().is_ident("path"))?;
    match &attribute.meta.require_name_value().ok()?.value {
        syn::Expr::Lit(syn::ExprLit {
            lit: syn::Lit::Str(path),
            ..
        }) => Some(path.value()),
        _ => None,
    }
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Mod(i) => &i.attrs,
        Item::Fn(i) => &i.attrs,
        Item::Impl(i) => &i.attrs,
        Item::Use(i) => &i.attrs,
        Item::Struct(i) => &i.attrs,
        _ => &[],
    }
}

fn last_name(of: &syn::Type) -> Option<String> {
    match of {
        syn::Type::Path(path) => path.path.segments.last().map(|s| s.ident.to_string()),
        syn::Type::Reference(reference) => last_name(&reference.elem),
        _ => None,
    }
}
