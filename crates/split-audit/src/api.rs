//! Which public items of a crate name another crate's items: the evidence that two crates exchange them.
//!
//! Every path is followed through re-exports to the package that defines the item, so a version that re-exports another
//! version's items counts as that other version, and a crate that re-exports its dependency exposes what that exposes.

pub(crate) mod paths;

use std::{
    cell::RefCell,
    collections::{HashMap, HashSet},
    rc::Rc,
};

use syn::{Ident, Item, visit::Visit as _};

use self::paths::Paths;
use crate::source::{Def, Sources, is_public, leaves};

/// More is not looked for in one crate.
const MAX_ITEMS: usize = 2000;

/// One public item that names the other crate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Evidence {
    /// Relative to the package's folder.
    pub(crate) file: String,
    pub(crate) item: String,
    /// The path that leads into the other crate, as it is written.
    pub(crate) names: String,
    /// The package that defines what is named.
    pub(crate) defined_in: usize,
    /// The type, trait or function it belongs to.
    pub(crate) owner: String,
    /// Identifiers that source text which uses the item has.
    pub(crate) keys: Vec<String>,
    /// The crate hands out such items, or takes them.
    pub(crate) gives: bool,
    pub(crate) takes: bool,
    /// Where the owner implements a trait of the other crate.
    is_impl: bool,
}

/// Where in a signature a path stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Gives,
    Takes,
    Both,
}

/// A package, and the crate it is asked about.
type Asked = (usize, String);

/// The public interfaces of packages, as far as they concern one crate's name, each read once.
pub(crate) struct Apis<'s, 'a> {
    pub(crate) sources: &'s Sources<'a>,
    known: RefCell<HashMap<Asked, Rc<Vec<Evidence>>>>,
    reaching: RefCell<HashMap<String, Rc<Vec<bool>>>>,
}

impl<'s, 'a> Apis<'s, 'a> {
    pub(crate) fn new(sources: &'s Sources<'a>) -> Self {
        Self {
            sources,
            known: RefCell::default(),
            reaching: RefCell::default(),
        }
    }

    /// Which packages have some version of the crate below them, or are one.
    fn reaching(&self, name: &str) -> Rc<Vec<bool>> {
        if let Some(known) = self.reaching.borrow().get(name) {
            return Rc::clone(known);
        }
        let graph = self.sources.graph;
        let mut reaches: Vec<bool> = graph.packages.iter().map(|p| p.id.name == name).collect();
        let mut above: Vec<Vec<usize>> = vec![Vec::new(); graph.packages.len()];
        for (from, edges) in graph.edges.iter().enumerate() {
            for edge in edges.iter().filter(|edge| edge.kinds.normal) {
                above[edge.to].push(from);
            }
        }
        let mut open: Vec<usize> = (0..reaches.len()).filter(|index| reaches[*index]).collect();
        while let Some(index) = open.pop() {
            for from in &above[index] {
                if !reaches[*from] {
                    reaches[*from] = true;
                    open.push(*from);
                }
            }
        }
        let reaches = Rc::new(reaches);
        self.reaching.borrow_mut().insert(name.to_owned(), Rc::clone(&reaches));
        reaches
    }

    /// Every public item of a package that names items of the crate `name`; empty where its source is not at hand.
    pub(crate) fn of(&self, package: usize, name: &str) -> Rc<Vec<Evidence>> {
        let key = (package, name.to_owned());
        if let Some(known) = self.known.borrow().get(&key) {
            return Rc::clone(known);
        }
        // What is asked for meanwhile by a cycle of re-exports adds nothing.
        self.known.borrow_mut().insert(key.clone(), Rc::default());
        let reaches = self.reaching(name);
        let graph = self.sources.graph;
        let is_concerned = graph.edges[package].iter().any(|e| e.kinds.normal && reaches[e.to]);
        let mut reading = Reading {
            apis: self,
            package,
            name,
            reaches,
            found: Vec::new(),
            told: HashSet::new(),
            local: Vec::new(),
            seen: HashSet::new(),
        };
        if let Some(root) = self.sources.root(package).filter(|_| is_concerned) {
            reading.visit(root);
            reading.derive();
        }
        let found = Rc::new(reading.found);
        self.known.borrow_mut().insert(key, Rc::clone(&found));
        found
    }
}

struct Reading<'r, 's, 'a> {
    apis: &'r Apis<'s, 'a>,
    package: usize,
    name: &'r str,
    reaches: Rc<Vec<bool>>,
    found: Vec<Evidence>,
    told: HashSet<(String, usize, Vec<String>, bool, bool)>,
    /// Functions, with the crate's own types and traits in their signatures.
    local: Vec<(Evidence, Vec<(String, Role)>)>,
    seen: HashSet<usize>,
}

/// What is known of an item before its paths are looked at.
struct Subject {
    item: String,
    owner: String,
    keys: Vec<String>,
    is_impl: bool,
}

impl Subject {
    fn new(item: String, owner: &(impl ToString + ?Sized), keys: &[&dyn ToString]) -> Self {
        Self {
            item,
            owner: owner.to_string(),
            keys: keys.iter().map(|key| key.to_string()).collect(),
            is_impl: false,
        }
    }
}

impl<'a> Reading<'_, '_, 'a> {
    fn visit(&mut self, module: usize) {
        if !self.seen.insert(module) || self.found.len() > MAX_ITEMS {
            return;
        }
        let sources = self.apis.sources;
        let items: Vec<&'a Item> = sources.module(module).items.clone();
        let published = re_exported(&items);
        for item in items {
            match item {
                Item::Mod(m) => {
                    if (is_public(&m.vis)
                        || published.contains(&m.ident.to_string())
                        || is_re_exported_at_root(self, &m.ident))
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
        if self.apis.sources.is_private(module, &owner) {
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
            // A trait of this crate for another's type: whoever has such a type calls it here. Only methods tell of use.
            if self.is_own(module, path) {
                let methods = block.items.iter().filter_map(|item| match item {
                    syn::ImplItem::Fn(f) => Some(f.sig.ident.to_string()),
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
        let sources = self.apis.sources;
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

    fn is_own(&self, module: usize, path: &syn::Path) -> bool {
        let path: Vec<String> = path.segments.iter().map(|s| s.ident.to_string()).collect();
        let def = self.apis.sources.resolve(module, &path);
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

    /// Resolves the paths of one item and keeps what leads to the crate.
    fn take(&mut self, module: usize, subject: &Subject, paths: Vec<(Vec<String>, Role)>) {
        let (apis, graph) = (self.apis, self.apis.sources.graph);
        let mut own: Vec<(String, Role)> = Vec::new();
        let stub = |names: String, defined_in: usize| Evidence {
            file: apis.sources.module(module).file.clone(),
            item: subject.item.clone(),
            names,
            defined_in,
            owner: subject.owner.clone(),
            keys: subject.keys.clone(),
            gives: false,
            takes: false,
            is_impl: subject.is_impl,
        };
        for (path, role) in paths {
            let Some(def) = apis.sources.resolve(module, &path) else {
                continue;
            };
            if def.package == self.package {
                if !def.item.is_empty() {
                    own.push((def.item, role));
                }
                continue;
            }
            if !self.reaches[def.package] {
                continue;
            }
            let shown = path.join("::");
            if graph.packages[def.package].id.name == self.name {
                let evidence = Evidence {
                    gives: role != Role::Takes,
                    takes: role != Role::Gives,
                    ..stub(shown, def.package)
                };
                self.keep(evidence);
            } else {
                self.inherit(&def, role, &stub(shown, def.package));
            }
        }
        if !own.is_empty() && !subject.is_impl {
            self.local.push((stub(String::new(), self.package), own));
        }
    }

    /// What another crate's item exposes, this crate exposes where it hands the item on.
    fn inherit(&mut self, def: &Def, role: Role, stub: &Evidence) {
        let graph = self.apis.sources.graph;
        let theirs = self.apis.of(def.package, self.name);
        let is_whole = def.item.is_empty();
        for e in theirs.iter().filter(|e| is_whole || e.owner == def.item) {
            // A parameter of another crate's type is that crate's affair, unless the type is a trait over ours.
            let is_bound = e.item.starts_with("trait ");
            if role == Role::Takes && !is_bound {
                continue;
            }
            let mut evidence = Evidence {
                names: format!("{} ({}: {})", e.names, graph.packages[def.package].id, e.item),
                defined_in: e.defined_in,
                gives: e.gives && role != Role::Takes,
                takes: e.takes || role == Role::Takes,
                is_impl: e.is_impl,
                ..stub.clone()
            };
            if is_whole || !e.keys.contains(&e.owner) {
                // What is reached through it is used by its own name.
                evidence.keys = e.keys.clone();
            }
            if is_whole {
                evidence.owner.clone_from(&e.owner);
            }
            self.keep(evidence);
        }
    }

    /// Functions that hand out one of the crate's own types which implement the other's trait, or take what the crate's own
    /// trait over the other's bounds.
    fn derive(&mut self) {
        // Twice: a function may return a type whose alias is declared over another.
        for _ in 0..2 {
            let mut by_owner: HashMap<&str, Vec<&Evidence>> = HashMap::new();
            for e in &self.found {
                by_owner.entry(&e.owner).or_default().push(e);
            }
            let mut more = Vec::new();
            for (stub, own) in &self.local {
                for (name, role) in own {
                    let is_kind = |e: &Evidence, kinds: &[&str]| kinds.iter().any(|kind| e.item.starts_with(kind));
                    let hands_on = |e: &&&Evidence| match role {
                        // Only what the item itself says, not each of its methods.
                        Role::Takes => {
                            is_kind(e, &["trait ", "type ", "struct ", "enum ", "pub use"]) && !e.item.contains(", fn")
                        }
                        _ => e.is_impl && e.gives || is_kind(e, &["type ", "struct ", "enum ", "pub use"]),
                    };
                    let source = by_owner.get(name.as_str()).and_then(|list| list.iter().find(hands_on));
                    if let Some(source) = source.filter(|source| source.item != stub.item) {
                        more.push(Evidence {
                            names: format!("{}, {}", source.item, source.names),
                            defined_in: source.defined_in,
                            gives: *role != Role::Takes,
                            takes: *role != Role::Gives,
                            ..stub.clone()
                        });
                    }
                }
            }
            for evidence in more {
                self.keep(evidence);
            }
        }
    }

    fn keep(&mut self, evidence: Evidence) {
        let key = (
            evidence.item.clone(),
            evidence.defined_in,
            evidence.keys.clone(),
            evidence.gives,
            evidence.takes,
        );
        if self.found.len() < MAX_ITEMS && self.told.insert(key) {
            self.found.push(evidence);
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

/// `pub use crate::deep::private::Item` in the crate's root.
fn is_re_exported_at_root(reading: &Reading<'_, '_, '_>, module: &Ident) -> bool {
    let sources = reading.apis.sources;
    let root = sources.root(reading.package);
    root.is_some_and(|root| re_exported(&sources.module(root).items).contains(&module.to_string()))
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
