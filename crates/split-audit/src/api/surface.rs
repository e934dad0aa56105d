//! What a package's public items name, each path led to the package that defines it.

use std::{
    collections::{BTreeMap, HashSet},
    rc::Rc,
};

use syn::{Ident, Item, visit::Visit as _};

use super::{Role, paths::Paths};
use crate::source::{Def, Sources, is_public, leaves};

/// A public item.
pub(super) struct Subject {
    /// Relative to the package's folder.
    pub(super) file: String,
    /// As it is shown.
    pub(super) item: String,
    /// The type, trait or function it belongs to.
    pub(super) owner: String,
    /// Identifiers that source text which uses the item has.
    pub(super) keys: Vec<String>,
    /// Where the owner implements a trait.
    pub(super) is_impl: bool,
}

impl Subject {
    fn new(item: String, owner: &(impl ToString + ?Sized), keys: &[&dyn ToString]) -> Self {
        Self {
            file: String::new(),
            item,
            owner: owner.to_string(),
            keys: keys.iter().map(|key| key.to_string()).collect(),
            is_impl: false,
        }
    }
}

/// A path in an item's signature.
pub(super) struct Mention {
    pub(super) subject: Rc<Subject>,
    /// As it is written.
    pub(super) path: String,
    pub(super) def: Def,
    pub(super) role: Role,
}

/// All mentions, in the order of the source.
#[derive(Default)]
pub(super) struct Surface {
    pub(super) mentions: Vec<Mention>,
    /// Per other package, the mentions of its items.
    pub(super) of: BTreeMap<usize, Vec<usize>>,
}

impl Surface {
    /// Reads the modules of a package that can be reached from outside.
    pub(super) fn read(sources: &Sources<'_>, package: usize) -> Self {
        let mut reading = Reading {
            sources,
            package,
            at_root: HashSet::new(),
            seen: HashSet::new(),
            found: Self::default(),
        };
        if let Some(root) = sources.root(package) {
            reading.at_root = re_exported(&sources.module(root).items);
            reading.visit(root);
        }
        reading.found
    }
}

struct Reading<'s, 'a> {
    sources: &'s Sources<'a>,
    package: usize,
    /// Names in the root's `pub use crate::deep::private::Item`.
    at_root: HashSet<String>,
    seen: HashSet<usize>,
    found: Surface,
}

impl<'a> Reading<'_, 'a> {
    fn visit(&mut self, module: usize) {
        if !self.seen.insert(module) {
            return;
        }
        let sources = self.sources;
        let items: Vec<&'a Item> = sources.module(module).items.clone();
        let published = re_exported(&items);
        for item in items {
            match item {
                Item::Mod(m) => {
                    if (is_public(&m.vis)
                        || published.contains(&m.ident.to_string())
                        || self.at_root.contains(&m.ident.to_string()))
                        && let Some(child) = sources.child(module, m)
                    {
                        self.visit(child);
                    }
                }
                _ => self.examine(module, item),
            }
        }
    }

    fn examine(&mut self, module: usize, item: &'a Item) {
        match item {
            Item::Fn(f) if is_public(&f.vis) => {
                let name = &f.sig.ident;
                self.signature(module, &Subject::new(format!("fn {name}"), name, &[name]), &f.sig, &[]);
            }
            Item::Struct(s) if is_public(&s.vis) => {
                let subject = Subject::new(format!("struct {}", s.ident), &s.ident, &[&s.ident]);
                self.note(module, &subject, &s.generics, Role::Takes, |p| {
                    p.visit_generics(&s.generics);
                });
                for (index, field) in s.fields.iter().enumerate().filter(|(_, field)| is_public(&field.vis)) {
                    let name = field.ident.as_ref().map_or(index.to_string(), Ident::to_string);
                    let subject = Subject::new(format!("struct {}, field {name}", s.ident), &s.ident, &[&s.ident]);
                    self.note(module, &subject, &s.generics, Role::Both, |p| p.visit_type(&field.ty));
                }
            }
            Item::Enum(e) if is_public(&e.vis) => {
                let subject = Subject::new(format!("enum {}", e.ident), &e.ident, &[&e.ident]);
                self.note(module, &subject, &e.generics, Role::Both, |p| p.visit_item_enum(e));
            }
            Item::Union(u) if is_public(&u.vis) => {
                let subject = Subject::new(format!("union {}", u.ident), &u.ident, &[&u.ident]);
                self.note(module, &subject, &u.generics, Role::Both, |p| p.visit_item_union(u));
            }
            Item::Type(t) if is_public(&t.vis) => {
                let subject = Subject::new(format!("type {}", t.ident), &t.ident, &[&t.ident]);
                self.note(module, &subject, &t.generics, Role::Both, |p| p.visit_type(&t.ty));
            }
            Item::Const(c) if is_public(&c.vis) => {
                let subject = Subject::new(format!("const {}", c.ident), &c.ident, &[&c.ident]);
                self.note(module, &subject, &c.generics, Role::Gives, |p| p.visit_type(&c.ty));
            }
            Item::Static(s) if is_public(&s.vis) => {
                let subject = Subject::new(format!("static {}", s.ident), &s.ident, &[&s.ident]);
                self.note(module, &subject, &syn::Generics::default(), Role::Gives, |p| {
                    p.visit_type(&s.ty);
                });
            }
            Item::Trait(t) if is_public(&t.vis) => self.examine_trait(module, t),
            Item::Use(u) if is_public(&u.vis) => self.examine_use(module, u),
            Item::ExternCrate(e) if is_public(&e.vis) => {
                let name = e.rename.as_ref().map_or(&e.ident, |(_, name)| name);
                let subject = Subject::new(format!("pub extern crate {}", e.ident), name, &[name]);
                self.take(module, &subject, vec![(vec![e.ident.to_string()], Role::Both)]);
            }
            Item::Impl(block) => self.examine_impl(module, block),
            Item::Macro(call) => self.examine_macro(module, call),
            _ => {}
        }
    }

    fn examine_trait(&mut self, module: usize, t: &syn::ItemTrait) {
        let subject = Subject::new(format!("trait {}", t.ident), &t.ident, &[&t.ident]);
        self.note(module, &subject, &t.generics, Role::Both, |p| {
            for bound in &t.supertraits {
                p.visit_type_param_bound(bound);
            }
        });
        for item in &t.items {
            let name: &dyn ToString = match item {
                syn::TraitItem::Fn(f) => &f.sig.ident,
                syn::TraitItem::Type(t) => &t.ident,
                syn::TraitItem::Const(c) => &c.ident,
                _ => continue,
            };
            let subject = Subject::new(format!("trait {}, {}", t.ident, name.to_string()), &t.ident, &[name]);
            self.note(module, &subject, &t.generics, Role::Both, |p| match item {
                syn::TraitItem::Fn(f) => p.visit_signature(&f.sig),
                syn::TraitItem::Type(t) => p.visit_trait_item_type(t),
                syn::TraitItem::Const(c) => p.visit_type(&c.ty),
                _ => {}
            });
        }
    }

    fn examine_use(&mut self, module: usize, u: &syn::ItemUse) {
        for (path, name) in leaves(&u.tree) {
            let shown = path.join("::");
            let last = path.last().is_some_and(|last| *last == name);
            let item = match name.as_str() {
                "*" => format!("pub use {shown}::*"),
                _ if last => format!("pub use {shown}"),
                _ => format!("pub use {shown} as {name}"),
            };
            let keys: &[&dyn ToString] = if name == "*" { &[] } else { &[&name] };
            self.take(module, &Subject::new(item, &name, keys), vec![(path, Role::Both)]);
        }
    }

    fn examine_impl(&mut self, module: usize, block: &syn::ItemImpl) {
        let owner = last_name(&block.self_ty).unwrap_or_default();
        if self.sources.is_private(module, &owner) {
            return;
        }
        if let Some((path, _)) = &block.trait_ {
            let of = path.segments.last().map(|s| s.ident.to_string()).unwrap_or_default();
            let item = format!("impl {of} for {}", if owner.is_empty() { "…" } else { &owner });
            let is_generic = block.generics.type_params().any(|param| param.ident == owner);
            // What an implementation for every type offers is used by the trait's name.
            let key: &dyn ToString = if is_generic { &of } else { &owner };
            let mut subject = Subject::new(item, &owner, &[key]);
            subject.is_impl = true;
            self.note(module, &subject, &block.generics, Role::Gives, |p| p.visit_path(path));
            // What its parameters have to be.
            let subject_of_bounds = Subject::new(subject.item.clone(), &owner, &[key]);
            self.note(module, &subject_of_bounds, &block.generics, Role::Takes, |p| {
                p.visit_generics(&block.generics);
            });
            // A trait of this crate for another's type: code that has such a type calls it here. Only methods tell of use.
            if self.is_own(module, path) && !self.is_own_type(module, &block.self_ty) {
                let methods = block.items.iter().filter_map(|item| match item {
                    syn::ImplItem::Fn(f) if f.sig.receiver().is_some() => Some(f.sig.ident.to_string()),
                    _ => None,
                });
                let methods: Vec<String> = methods.collect();
                let mut subject = Subject::new(subject.item, &of, &[&of]);
                self.note(module, &subject, &block.generics, Role::Takes, |p| {
                    p.visit_type(&block.self_ty);
                });
                for method in methods.into_iter().take(8) {
                    subject.keys = vec![method];
                    self.note(module, &subject, &block.generics, Role::Takes, |p| {
                        p.visit_type(&block.self_ty);
                    });
                }
            }
            return;
        }
        for item in &block.items {
            match item {
                syn::ImplItem::Fn(f) if is_public(&f.vis) => {
                    let name = &f.sig.ident;
                    let shown = format!("fn {owner}::{name}");
                    let subject = match f.sig.receiver() {
                        Some(_) => Subject::new(shown, &owner, &[name]),
                        None => Subject::new(shown, &owner, &[&owner, name]),
                    };
                    self.signature(module, &subject, &f.sig, &[&block.generics]);
                }
                syn::ImplItem::Const(c) if is_public(&c.vis) => {
                    let subject = Subject::new(format!("const {owner}::{}", c.ident), &owner, &[&owner, &c.ident]);
                    self.note(module, &subject, &block.generics, Role::Gives, |p| p.visit_type(&c.ty));
                }
                _ => {}
            }
        }
    }

    /// A call of one of the crate's own macros: the types it is given get what its body implements.
    fn examine_macro(&mut self, module: usize, call: &syn::ItemMacro) {
        let Some(name) = call.mac.path.segments.last().map(|s| s.ident.to_string()) else {
            return;
        };
        if call.ident.is_some() {
            return;
        }
        let path: Vec<String> = call.mac.path.segments.iter().map(|s| s.ident.to_string()).collect();
        if path.len() > 1 {
            // Another crate's macro makes types that implement its traits: `digest::buffer_fixed!(pub struct Sha256 …)`.
            let of = self.sources.resolve(module, &path);
            if of.is_none_or(|def| !self.sources.declares_items(def.package)) {
                return;
            }
            let mut words = Vec::new();
            identifiers(call.mac.tokens.clone(), &mut words);
            let declared = words.windows(2).filter(|w| ["struct", "enum"].contains(&w[0].as_str()));
            for owner in declared.map(|w| &w[1]) {
                let mut subject = Subject::new(format!("{name}! makes {owner}"), owner, &[owner]);
                subject.is_impl = true;
                self.take(module, &subject, vec![(path.clone(), Role::Gives)]);
            }
            return;
        }
        let sources = self.sources;
        let items = &sources.module(module).items;
        let definition = items.iter().find_map(|item| match item {
            Item::Macro(m) if m.ident.as_ref().is_some_and(|ident| *ident == name) => Some(&m.mac.tokens),
            _ => None,
        });
        let Some(definition) = definition else { return };
        let mut words = Vec::new();
        identifiers(definition.clone(), &mut words);
        // `impl Trait for`, where the trait is the other crate's.
        let traits: Vec<&String> = words
            .windows(3)
            .filter(|w| w[0] == "impl" && w[2] == "for")
            .map(|w| &w[1])
            .collect();
        let mut given = Vec::new();
        identifiers(call.mac.tokens.clone(), &mut given);
        for of in traits {
            for owner in given.iter().filter(|word| word.starts_with(char::is_uppercase)) {
                let mut subject = Subject::new(format!("impl {of} for {owner}"), owner, &[owner]);
                subject.is_impl = true;
                self.take(module, &subject, vec![(vec![of.clone()], Role::Gives)]);
            }
        }
    }

    fn is_own_type(&self, module: usize, of: &syn::Type) -> bool {
        match of {
            syn::Type::Path(path) => self.is_own(module, &path.path),
            syn::Type::Reference(reference) => self.is_own_type(module, &reference.elem),
            _ => false,
        }
    }

    fn is_own(&self, module: usize, path: &syn::Path) -> bool {
        let path: Vec<String> = path.segments.iter().map(|s| s.ident.to_string()).collect();
        let def = self.sources.resolve(module, &path);
        def.is_some_and(|def| def.package == self.package)
    }

    fn signature(&mut self, module: usize, subject: &Subject, sig: &syn::Signature, outer: &[&syn::Generics]) {
        let mut paths = Paths::default();
        for generics in outer.iter().copied().chain([&sig.generics]) {
            paths.shadow(generics);
        }
        paths.role = Some(Role::Takes);
        for generics in outer {
            paths.visit_generics(generics);
        }
        paths.visit_generics(&sig.generics);
        for input in &sig.inputs {
            paths.visit_fn_arg(input);
        }
        paths.role = Some(Role::Gives);
        paths.visit_return_type(&sig.output);
        self.take(module, subject, paths.found);
    }

    fn note(
        &mut self,
        module: usize,
        subject: &Subject,
        generics: &syn::Generics,
        role: Role,
        visit: impl FnOnce(&mut Paths),
    ) {
        let mut paths = Paths {
            role: Some(role),
            ..Paths::default()
        };
        paths.shadow(generics);
        visit(&mut paths);
        self.take(module, subject, paths.found);
    }

    /// Resolves the paths of one item.
    fn take(&mut self, module: usize, subject: &Subject, paths: Vec<(Vec<String>, Role)>) {
        let mut shared: Option<Rc<Subject>> = None;
        for (path, role) in paths {
            let Some(def) = self.sources.resolve(module, &path) else {
                continue;
            };
            let subject = shared.get_or_insert_with(|| {
                Rc::new(Subject {
                    file: self.sources.module(module).file.clone(),
                    item: subject.item.clone(),
                    owner: subject.owner.clone(),
                    keys: subject.keys.clone(),
                    is_impl: subject.is_impl,
                })
            });
            let subject = Rc::clone(subject);
            if def.package != self.package {
                self.found
                    .of
                    .entry(def.package)
                    .or_default()
                    .push(self.found.mentions.len());
            } else if def.item.is_empty() || subject.is_impl {
                continue;
            }
            let path = path.join("::");
            self.found.mentions.push(Mention {
                subject,
                path,
                def,
                role,
            });
        }
    }
}

/// Names that occur in paths of public `use`s: private modules among them have public items.
fn re_exported(items: &[&Item]) -> HashSet<String> {
    let uses = items.iter().filter_map(|item| match item {
        Item::Use(u) if is_public(&u.vis) => Some(leaves(&u.tree)),
        _ => None,
    });
    uses.flatten().flat_map(|(path, _)| path).collect()
}

fn identifiers(tokens: proc_macro2::TokenStream, found: &mut Vec<String>) {
    for token in tokens {
        match token {
            proc_macro2::TokenTree::Ident(ident) => found.push(ident.to_string()),
            proc_macro2::TokenTree::Group(group) => identifiers(group.stream(), found),
            _ => {}
        }
    }
}

fn last_name(of: &syn::Type) -> Option<String> {
    match of {
        syn::Type::Path(path) => path.path.segments.last().map(|s| s.ident.to_string()),
        syn::Type::Reference(reference) => last_name(&reference.elem),
        _ => None,
    }
}
