//! Modules of crates as their sources have them, and the resolution of paths to the crate that defines an item.
//!
//! Macros are not expanded, but items written inside an item-position macro call (`cfg_if!`, `cfg_rt! { … }`) are read.

pub(crate) mod skim;

use std::{
    cell::RefCell,
    collections::HashMap,
    path::{Path, PathBuf},
};

use cargo_platform::CfgExpr;
use elsa::{FrozenMap, FrozenVec};
use syn::{Attribute, Item, UseTree, Visibility};

use crate::{cfg, graph::Graph};

/// A generated module larger than this says nothing that its parents do not.
const MAX_BYTES: usize = 4 << 20;

/// Names that mean std's unless a module says otherwise.
const PRELUDE: [&str; 33] = [
    "u8",
    "usize",
    "u32",
    "u64",
    "bool",
    "str",
    "i32",
    "f32",
    "f64",
    "i64",
    "u16",
    "char",
    "isize",
    "u128",
    "i8",
    "i16",
    "i128",
    "Option",
    "String",
    "Vec",
    "Box",
    "Sized",
    "Send",
    "Sync",
    "Fn",
    "FnMut",
    "FnOnce",
    "Iterator",
    "IntoIterator",
    "AsRef",
    "Into",
    "Default",
    "Clone",
];

/// In place of a package, where a path leads into the standard library: that a crate re-exports it makes it no item of the
/// crate's.
const STD: usize = usize::MAX;

/// Re-exports of re-exports: no real chain is longer.
const MAX_DEPTH: usize = 24;

/// Files read and parsed, shared by every context of an audit.
#[derive(Default)]
pub(crate) struct Files {
    texts: FrozenMap<PathBuf, Box<Option<String>>>,
    parsed: FrozenMap<PathBuf, Box<Option<syn::File>>>,
    /// Items inside macro calls and conditions of attributes, by the address of the call or attribute: what is parsed stays
    /// where it is as long as this.
    inline: FrozenMap<usize, Box<Option<Vec<Item>>>>,
    conditions: FrozenMap<usize, Vec<CfgExpr>>,
}

impl Files {
    pub(crate) fn text(&self, path: &Path) -> Option<&str> {
        let known = self.texts.get(path);
        let text = known.or_else(|| {
            let text = std::fs::read_to_string(path).ok().filter(|t| t.len() <= MAX_BYTES);
            Some(self.texts.insert(path.to_owned(), Box::new(text)))
        });
        text?.as_deref()
    }

    /// `is_whole` keeps the bodies of functions. A file is asked for in one way only.
    pub(crate) fn items(&self, path: &Path, is_whole: bool) -> Option<&[Item]> {
        let known = self.parsed.get(path);
        let file = known.or_else(|| {
            let file = self.text(path).and_then(|text| {
                let skimmed = (!is_whole).then(|| syn::parse_file(&skim::skim(text)).ok()).flatten();
                skimmed.or_else(|| syn::parse_file(text).ok())
            });
            Some(self.parsed.insert(path.to_owned(), Box::new(file)))
        });
        file?.as_ref().map(|file| file.items.as_slice())
    }

    /// The items that a macro call in item position holds.
    fn inside(&self, call: &syn::ItemMacro) -> Option<&[Item]> {
        let key = std::ptr::from_ref(call).addr();
        let items = self.inline.get(&key).unwrap_or_else(|| {
            let tokens = call.mac.tokens.clone();
            let is_cfg_if = call.mac.path.segments.last().is_some_and(|last| last.ident == "cfg_if");
            let items = if is_cfg_if {
                Some(cfg::branches(tokens))
            } else {
                syn::parse2::<syn::File>(tokens).ok().map(|file| file.items)
            };
            self.inline.insert(key, Box::new(items))
        });
        items.as_deref()
    }

    /// What the `cfg`s among an item's attributes ask for.
    pub(crate) fn conditions(&self, attributes: &[Attribute]) -> &[CfgExpr] {
        if !attributes.iter().any(|a| a.path().is_ident("cfg")) {
            return &[];
        }
        let key = attributes.as_ptr().addr();
        let known = self.conditions.get(&key);
        known.unwrap_or_else(|| self.conditions.insert(key, cfg::conditions(attributes)))
    }
}

/// One module. Names are those that stand in it, private ones included.
pub(crate) struct Module<'a> {
    pub(crate) package: usize,
    /// Relative to the package's folder.
    pub(crate) file: String,
    pub(crate) items: Vec<&'a Item>,
    parent: Option<usize>,
    /// Where the files of its child modules lie, and where `#[path]` counts from.
    folder: PathBuf,
    path_base: PathBuf,
    /// With whether it is public.
    names: HashMap<String, Vec<(bool, Binding<'a>)>>,
    /// Paths of `use path::*`, with whether it is public.
    globs: Vec<(bool, Vec<String>)>,
    /// Folders of included files, where their child modules lie.
    included: Vec<PathBuf>,
}

#[derive(Clone)]
enum Binding<'a> {
    Item,
    Module(&'a syn::ItemMod),
    Use(Vec<String>),
    Extern(String),
}

/// What a path leads to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Def {
    /// The package that defines the item.
    pub(crate) package: usize,
    /// The item's own name; empty for a crate's root.
    pub(crate) item: String,
    /// The module, where the path leads to one.
    pub(crate) module: Option<usize>,
    /// The dependency that the path, as it is written, goes into first.
    pub(crate) via: Option<usize>,
}

/// What the paths of a module that were asked about lead to.
type Resolved = HashMap<Vec<String>, Option<Def>>;

/// The sources behind one graph.
pub(crate) struct Sources<'a> {
    pub(crate) graph: &'a Graph,
    pub(crate) files: &'a Files,
    cfg: &'a [cargo_platform::Cfg],
    /// Packages that are there twice, or have such below them. Of others it does not matter who defines an item.
    concerned: Vec<bool>,
    modules: FrozenVec<Box<Module<'a>>>,
    roots: RefCell<HashMap<usize, Option<usize>>>,
    children: RefCell<HashMap<(usize, String), Option<usize>>>,
    /// Per module.
    resolved: RefCell<HashMap<usize, Resolved>>,
}

impl<'a> Sources<'a> {
    pub(crate) fn new(graph: &'a Graph, files: &'a Files, cfg: &'a [cargo_platform::Cfg]) -> Self {
        Self {
            graph,
            files,
            cfg,
            concerned: concerned(graph),
            modules: FrozenVec::new(),
            roots: RefCell::default(),
            children: RefCell::default(),
            resolved: RefCell::default(),
        }
    }

    pub(crate) fn module(&self, index: usize) -> &Module<'a> {
        &self.modules[index]
    }

    /// The root module of a package's library, where its source is at hand.
    pub(crate) fn root(&self, package: usize) -> Option<usize> {
        if let Some(known) = self.roots.borrow().get(&package) {
            return *known;
        }
        let library = self.graph.packages[package].library.as_deref();
        let root = library.and_then(|file| {
            let folder = file.parent()?.to_owned();
            self.load(package, None, file, folder.clone(), folder)
        });
        self.roots.borrow_mut().insert(package, root);
        root
    }

    /// The root module of one of a package's programs.
    pub(crate) fn root_of(&self, package: usize, file: &Path) -> Option<usize> {
        let folder = file.parent()?.to_owned();
        self.load(package, None, file, folder.clone(), folder)
    }

    fn load(
        &self,
        package: usize,
        parent: Option<usize>,
        file: &Path,
        folder: PathBuf,
        path_base: PathBuf,
    ) -> Option<usize> {
        let items = self.files.items(file, self.graph.packages[package].is_member)?;
        let label = self.label(package, file);
        Some(self.add(package, parent, label, items, folder, path_base))
    }

    fn label(&self, package: usize, file: &Path) -> String {
        let base = self.graph.packages[package].manifest.as_deref().and_then(Path::parent);
        let shown = base.and_then(|base| file.strip_prefix(base).ok()).unwrap_or(file);
        shown.to_string_lossy().replace('\\', "/")
    }

    fn add(
        &self,
        package: usize,
        parent: Option<usize>,
        file: String,
        items: &'a [Item],
        folder: PathBuf,
        path_base: PathBuf,
    ) -> usize {
        let mut module = Module {
            package,
            file,
            items: Vec::new(),
            parent,
            folder,
            path_base,
            names: HashMap::new(),
            globs: Vec::new(),
            included: Vec::new(),
        };
        self.fill(&mut module, items, 0);
        self.modules.push(Box::new(module));
        self.modules.len() - 1
    }

    /// Whether the package's features and the target leave an item out.
    pub(crate) fn is_off(&self, package: usize, attributes: &[Attribute]) -> bool {
        let features = &self.graph.packages[package].features;
        let conditions = self.files.conditions(attributes);
        conditions
            .iter()
            .any(|c| cfg::holds(c, features.as_deref(), self.cfg) == Some(false))
    }

    fn fill(&self, module: &mut Module<'a>, items: &'a [Item], depth: usize) {
        for item in items {
            if self.is_off(module.package, attributes(item)) {
                continue;
            }
            let is_public = is_visible(item);
            let mut bind = |name: String, binding| {
                module.names.entry(name).or_default().push((is_public, binding));
            };
            match item {
                Item::Mod(m) => bind(m.ident.to_string(), Binding::Module(m)),
                Item::Use(u) => {
                    for (mut path, name) in leaves(&u.tree) {
                        if u.leading_colon.is_some() {
                            path.insert(0, String::new());
                        }
                        if name == "*" {
                            module.globs.push((is_public, path));
                        } else {
                            bind(name, Binding::Use(path));
                        }
                    }
                }
                Item::ExternCrate(e) => {
                    let name = e.rename.as_ref().map_or(&e.ident, |(_, name)| name);
                    bind(name.to_string(), Binding::Extern(e.ident.to_string()));
                }
                Item::Macro(call) if depth < 4 => {
                    if let Some(name) = &call.ident {
                        bind(name.to_string(), Binding::Item);
                    } else if let Some(inner) = self.inside(module, call) {
                        self.fill(module, inner, depth + 1);
                    }
                }
                _ => {
                    if let Some(name) = declared(item) {
                        bind(name, Binding::Item);
                    }
                }
            }
            module.items.push(item);
        }
    }

    /// The items that a macro call in item position holds, or the file it includes.
    fn inside(&self, module: &mut Module<'a>, call: &'a syn::ItemMacro) -> Option<&'a [Item]> {
        if call.mac.path.is_ident("include") {
            let name: syn::LitStr = syn::parse2(call.mac.tokens.clone()).ok()?;
            let base = self.graph.packages[module.package].manifest.as_deref()?.parent()?;
            let file = base.join(&module.file).parent()?.join(name.value());
            module.included.extend(file.parent().map(Path::to_owned));
            let is_whole = self.graph.packages[module.package].is_member;
            return self.files.items(&file, is_whole);
        }
        self.files.inside(call)
    }

    /// A module declared in another.
    pub(crate) fn child(&self, of: usize, declaration: &'a syn::ItemMod) -> Option<usize> {
        let key = (of, declaration.ident.to_string());
        if let Some(known) = self.children.borrow().get(&key) {
            return *known;
        }
        let parent = self.module(of);
        let name = key.1.trim_start_matches("r#");
        let explicit = explicit_paths(&declaration.attrs);
        let inner = parent.folder.join(name);
        let child = match (&declaration.content, explicit) {
            (Some((_, items)), _) => {
                let file = parent.file.clone();
                Some(self.add(parent.package, Some(of), file, items, inner.clone(), inner))
            }
            (None, paths) if !paths.is_empty() => paths.into_iter().find_map(|path| {
                let file = parent.path_base.join(path);
                let folder = file.parent()?.to_owned();
                self.load(parent.package, Some(of), &file, folder.clone(), folder)
            }),
            (None, _) => {
                let mut folders = parent.included.iter().chain([&parent.folder]);
                folders.find_map(|folder| {
                    let (file, inner) = (folder.join(format!("{name}.rs")), folder.join(name));
                    self.load(parent.package, Some(of), &file, inner.clone(), folder.clone())
                        .or_else(|| {
                            let file = inner.join("mod.rs");
                            self.load(parent.package, Some(of), &file, inner.clone(), inner.clone())
                        })
                })
            }
        };
        self.children.borrow_mut().insert(key, child);
        child
    }

    /// What a path in a module leads to; nothing where that cannot be told.
    pub(crate) fn resolve(&self, module: usize, path: &[String]) -> Option<Def> {
        // Most paths are these.
        if let [name] = path
            && PRELUDE.contains(&name.as_str())
            && self.module(module).globs.is_empty()
            && !self.module(module).names.contains_key(name)
        {
            return None;
        }
        if let Some(known) = self.resolved.borrow().get(&module).and_then(|known| known.get(path)) {
            return known.clone();
        }
        let def = self.resolve_at(module, path, 0).filter(|def| def.package != STD);
        let mut resolved = self.resolved.borrow_mut();
        resolved.entry(module).or_default().insert(path.to_owned(), def.clone());
        def
    }

    /// Whether a module declares a name and keeps it to itself.
    pub(crate) fn is_private(&self, module: usize, name: &str) -> bool {
        let bindings = self.module(module).names.get(name).into_iter().flatten();
        let mut declared = bindings
            .filter(|(_, binding)| matches!(binding, Binding::Item))
            .peekable();
        declared.peek().is_some() && declared.all(|(is_public, _)| !is_public)
    }

    /// Whether a crate has traits or types at all, and not macros alone, as bitflags 1. What cannot be read may.
    pub(crate) fn declares_items(&self, package: usize) -> bool {
        let Some(root) = self.root(package) else { return true };
        let mut open = vec![root];
        while let Some(module) = open.pop() {
            for item in self.module(module).items.clone() {
                match item {
                    Item::Mod(m) => open.extend(self.child(module, m)),
                    Item::Trait(_)
                    | Item::Struct(_)
                    | Item::Enum(_)
                    | Item::Union(_)
                    | Item::Type(_)
                    | Item::Use(_)
                        if is_visible(item) =>
                    {
                        return true;
                    }
                    _ => {}
                }
            }
        }
        false
    }

    /// Whether a path that begins with a dependency's name leads to something its source shows.
    pub(crate) fn has(&self, package: usize, path: &[String]) -> bool {
        let Some((first, rest)) = path.split_first() else {
            return false;
        };
        let edge = self.graph.edges[package].iter().find(|e| e.extern_name == *first);
        let root = edge.and_then(|edge| self.root(edge.to));
        // Of an associated item only the type can be looked up.
        root.is_some_and(|root| self.walk(root, rest, From::Outside, 0).is_some())
    }

    fn resolve_at(&self, module: usize, path: &[String], depth: usize) -> Option<Def> {
        if depth > MAX_DEPTH {
            return None;
        }
        let here = self.module(module);
        let (first, rest) = path.split_first()?;
        match first.as_str() {
            "" => return self.in_crate(here.package, rest, depth),
            "crate" | "$crate" => return self.walk(self.root(here.package)?, rest, From::Inside, depth),
            "self" => return self.walk(module, rest, From::Inside, depth),
            "super" => return self.resolve_super(here.parent?, rest, depth),
            "std" | "core" | "alloc" => {
                return Some(Def {
                    package: STD,
                    item: rest.last().cloned().unwrap_or_default(),
                    module: None,
                    via: None,
                });
            }
            "Self" => return None,
            _ => {}
        }
        self.walk(module, path, From::Inside, depth)
            .or_else(|| self.in_crate(here.package, path, depth))
            .or_else(|| {
                // Paths of the 2015 edition begin at the root.
                let root = self.root(here.package)?;
                (root != module)
                    .then(|| self.walk(root, path, From::Inside, depth))
                    .flatten()
            })
    }

    fn resolve_super(&self, parent: usize, rest: &[String], depth: usize) -> Option<Def> {
        match rest.split_first() {
            Some((first, rest)) if first == "super" => self.resolve_super(self.module(parent).parent?, rest, depth + 1),
            _ => self.walk(parent, rest, From::Inside, depth),
        }
    }

    /// A path that begins with the name of a dependency.
    fn in_crate(&self, package: usize, path: &[String], depth: usize) -> Option<Def> {
        let (first, rest) = path.split_first()?;
        let edges = &self.graph.edges[package];
        let edge = edges.iter().find(|e| e.extern_name == *first && e.kinds.in_library())?;
        // A crate's root is asked for by globs, which go on in it.
        let is_read = rest.is_empty() || self.concerned[edge.to];
        let def = match is_read.then(|| self.root(edge.to)).flatten() {
            Some(root) => self.walk(root, rest, From::OutsideSure, depth + 1)?,
            None => Def {
                package: edge.to,
                item: rest.last().cloned().unwrap_or_default(),
                module: None,
                via: None,
            },
        };
        Some(Def {
            via: Some(edge.to),
            ..def
        })
    }

    /// Follows names downwards from a module.
    fn walk(&self, module: usize, path: &[String], from: From, depth: usize) -> Option<Def> {
        if depth > MAX_DEPTH {
            return None;
        }
        let here = self.module(module);
        let Some((name, rest)) = path.split_first() else {
            return Some(Def {
                package: here.package,
                item: String::new(),
                module: Some(module),
                via: None,
            });
        };
        let is_seen = |is_public: bool| is_public || from == From::Inside;
        // A chain of re-exports may end in a macro's work; another binding of the name may not.
        let inner = if from == From::Inside {
            From::Inside
        } else {
            From::Outside
        };
        for (_, binding) in here
            .names
            .get(name)
            .into_iter()
            .flatten()
            .filter(|(public, _)| is_seen(*public))
        {
            let found = match binding {
                Binding::Item => Some(Def {
                    package: here.package,
                    item: name.clone(),
                    module: None,
                    via: None,
                }),
                Binding::Module(declaration) => {
                    let child = self.child(module, declaration);
                    child.and_then(|child| self.walk(child, rest, inner, depth + 1))
                }
                Binding::Use(target) if target.len() == 1 && target[0] == *name => {
                    // `use name;` is the crate of that name.
                    self.in_crate(here.package, path, depth + 1)
                }
                Binding::Use(target) => {
                    let whole: Vec<String> = target.iter().chain(rest).cloned().collect();
                    self.resolve_at(module, &whole, depth + 1)
                }
                Binding::Extern(name) if name == "self" => self
                    .root(here.package)
                    .and_then(|root| self.walk(root, rest, inner, depth + 1)),
                Binding::Extern(name) => {
                    let whole: Vec<String> = std::iter::once(name).chain(rest).cloned().collect();
                    self.in_crate(here.package, &whole, depth + 1)
                }
            };
            if found.is_some() {
                return found;
            }
        }
        for (_, glob) in here.globs.iter().filter(|(public, _)| is_seen(*public)) {
            // A glob of a child that globs its parent would go round for ever.
            let target = self.resolve_at(module, glob, depth + 8);
            if let Some(target) = target.and_then(|def| def.module).filter(|target| *target != module) {
                let is_own = self.module(target).package == here.package;
                let found = self.walk(target, path, if is_own { inner } else { From::Outside }, depth + 8);
                if found.is_some() {
                    return found;
                }
            }
        }
        (from == From::OutsideSure).then(|| Def {
            package: here.package,
            item: path.last().cloned().unwrap_or_default(),
            module: None,
            via: None,
        })
    }
}

fn concerned(graph: &Graph) -> Vec<bool> {
    let mut n_versions: HashMap<&str, usize> = HashMap::new();
    for package in &graph.packages {
        *n_versions.entry(&package.id.name).or_default() += 1;
    }
    let names = graph.packages.iter().map(|package| package.id.name.as_str());
    graph.with_dependents(names.map(|name| n_versions[name] > 1).collect())
}

/// Where a path comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum From {
    /// The module's own crate, or one that is not asked about: private names count.
    Inside,
    /// Another crate: public names only.
    Outside,
    /// Another crate that compiles: a name that no source shows was made by a macro.
    OutsideSure,
}

/// Every name a `use` brings in, with the path it stands for; `*` for a glob.
pub(crate) fn leaves(tree: &UseTree) -> Vec<(Vec<String>, String)> {
    let mut found = Vec::new();
    let mut stack = vec![(Vec::new(), tree)];
    while let Some((mut path, tree)) = stack.pop() {
        match tree {
            UseTree::Path(p) => {
                path.push(p.ident.to_string());
                stack.push((path, &p.tree));
            }
            UseTree::Name(n) if n.ident == "self" => {
                let name = path.last().cloned().unwrap_or_default();
                found.push((path, name));
            }
            UseTree::Name(n) => {
                path.push(n.ident.to_string());
                found.push((path, n.ident.to_string()));
            }
            UseTree::Rename(r) => {
                if r.ident != "self" {
                    path.push(r.ident.to_string());
                }
                found.push((path, r.rename.to_string()));
            }
            UseTree::Glob(_) => found.push((path, "*".to_owned())),
            UseTree::Group(g) => stack.extend(g.items.iter().map(|tree| (path.clone(), tree))),
        }
    }
    found
}

fn is_visible(item: &Item) -> bool {
    match item {
        Item::Mod(i) => is_public(&i.vis),
        Item::Use(i) => is_public(&i.vis),
        Item::ExternCrate(i) => is_public(&i.vis),
        Item::Struct(i) => is_public(&i.vis),
        Item::Enum(i) => is_public(&i.vis),
        Item::Union(i) => is_public(&i.vis),
        Item::Trait(i) => is_public(&i.vis),
        Item::TraitAlias(i) => is_public(&i.vis),
        Item::Type(i) => is_public(&i.vis),
        Item::Fn(i) => is_public(&i.vis),
        Item::Const(i) => is_public(&i.vis),
        Item::Static(i) => is_public(&i.vis),
        _ => true,
    }
}

fn declared(item: &Item) -> Option<String> {
    let ident = match item {
        Item::Struct(i) => &i.ident,
        Item::Enum(i) => &i.ident,
        Item::Union(i) => &i.ident,
        Item::Trait(i) => &i.ident,
        Item::TraitAlias(i) => &i.ident,
        Item::Type(i) => &i.ident,
        Item::Fn(i) => &i.sig.ident,
        Item::Const(i) => &i.ident,
        Item::Static(i) => &i.ident,
        _ => return None,
    };
    Some(ident.to_string())
}

pub(crate) fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(i) => &i.attrs,
        Item::Enum(i) => &i.attrs,
        Item::ExternCrate(i) => &i.attrs,
        Item::Fn(i) => &i.attrs,
        Item::Impl(i) => &i.attrs,
        Item::Macro(i) => &i.attrs,
        Item::Mod(i) => &i.attrs,
        Item::Static(i) => &i.attrs,
        Item::Struct(i) => &i.attrs,
        Item::Trait(i) => &i.attrs,
        Item::Type(i) => &i.attrs,
        Item::Union(i) => &i.attrs,
        Item::Use(i) => &i.attrs,
        _ => &[],
    }
}

/// `#[path = "…"]`, and those of `#[cfg_attr(…, path = "…")]`, whatever their condition.
fn explicit_paths(attributes: &[Attribute]) -> Vec<String> {
    let path_of = |meta: &syn::Meta| match meta {
        syn::Meta::NameValue(pair) if pair.path.is_ident("path") => match &pair.value {
            syn::Expr::Lit(syn::ExprLit {
                lit: syn::Lit::Str(path),
                ..
            }) => Some(path.value()),
            _ => None,
        },
        _ => None,
    };
    let mut paths = Vec::new();
    for attribute in attributes {
        paths.extend(path_of(&attribute.meta));
        if attribute.path().is_ident("cfg_attr") {
            let parser = syn::punctuated::Punctuated::<syn::Meta, syn::Token![,]>::parse_terminated;
            let metas = attribute.parse_args_with(parser);
            paths.extend(metas.iter().flatten().skip(1).filter_map(path_of));
        }
    }
    paths
}

pub(crate) fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}
