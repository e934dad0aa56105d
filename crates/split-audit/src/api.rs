//! Which public items of a crate name another crate's items: the evidence that two crates exchange them.
//!
//! Every path is followed through re-exports to the package that defines the item, so a version that re-exports another
//! version's items counts as that other version, and a crate that re-exports its dependency exposes what that exposes.

pub(crate) mod paths;
mod surface;

use std::{
    cell::RefCell,
    collections::{HashMap, HashSet},
    rc::Rc,
};

use self::surface::{Mention, Subject, Surface};
use crate::source::Sources;

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

impl Evidence {
    /// X is named as a parameter of another crate's trait alone, as in `impl From<x::Error> for E`: who uses `E` need not use
    /// that.
    pub(crate) fn is_conversion(&self) -> bool {
        let of = |text: &str, path: &str| {
            let implemented = text.strip_prefix("impl ").and_then(|rest| rest.split(' ').next());
            implemented.is_some_and(|name| path.rsplit("::").next() != Some(name))
        };
        let derived = self.names.split_once(", ").is_some_and(|(item, path)| of(item, path));
        of(&self.item, &self.names) || derived
    }
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
    surfaces: RefCell<HashMap<usize, Rc<Surface>>>,
}

impl<'s, 'a> Apis<'s, 'a> {
    pub(crate) fn new(sources: &'s Sources<'a>) -> Self {
        Self {
            sources,
            known: RefCell::default(),
            reaching: RefCell::default(),
            surfaces: RefCell::default(),
        }
    }

    /// Which packages have some version of the crate below them, or are one.
    fn reaching(&self, name: &str) -> Rc<Vec<bool>> {
        if let Some(known) = self.reaching.borrow().get(name) {
            return Rc::clone(known);
        }
        let graph = self.sources.graph;
        let is_version = graph.packages.iter().map(|p| p.id.name == name);
        let reaches = graph.with_dependents(is_version.collect());
        let reaches = Rc::new(reaches);
        self.reaching.borrow_mut().insert(name.to_owned(), Rc::clone(&reaches));
        reaches
    }

    /// Whether a package has some version of the crate below it.
    pub(crate) fn reaches(&self, package: usize, name: &str) -> bool {
        self.reaching(name)[package]
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
            name,
            found: Vec::new(),
            told: HashSet::new(),
        };
        if is_concerned {
            reading.run(package, &reaches);
        }
        let found = Rc::new(reading.found);
        self.known.borrow_mut().insert(key, Rc::clone(&found));
        found
    }

    /// Whether there is one version of a package.
    fn is_single(&self, package: usize) -> bool {
        let packages = &self.sources.graph.packages;
        let name = &packages[package].id.name;
        packages.iter().filter(|p| p.id.name == *name).count() == 1
    }

    /// Whether of all versions of X, only one depends on a package.
    fn is_only_below(&self, package: usize, x: usize) -> bool {
        let graph = self.sources.graph;
        let name = &graph.packages[x].id.name;
        let mut others =
            (0..graph.packages.len()).filter(|other| *other != x && graph.packages[*other].id.name == *name);
        others.all(|other| graph.edges[other].iter().all(|edge| edge.to != package))
    }

    fn surface(&self, package: usize) -> Rc<Surface> {
        if let Some(known) = self.surfaces.borrow().get(&package) {
            return Rc::clone(known);
        }
        let surface = Rc::new(Surface::read(self.sources, package));
        self.surfaces.borrow_mut().insert(package, Rc::clone(&surface));
        surface
    }
}

/// The mentions of a package that lead to one crate.
struct Reading<'r, 's, 'a> {
    apis: &'r Apis<'s, 'a>,
    name: &'r str,
    found: Vec<Evidence>,
    told: HashSet<(String, usize, Vec<String>, bool, bool)>,
}

impl Reading<'_, '_, '_> {
    fn run(&mut self, package: usize, reaches: &[bool]) {
        let surface = self.apis.surface(package);
        let packages = &self.apis.sources.graph.packages;
        let leading = surface
            .of
            .iter()
            .filter(|(to, _)| reaches[**to] || self.apis.is_single(**to));
        // In the order of the source.
        let mut leading: Vec<usize> = leading.flat_map(|(_, at)| at).copied().collect();
        leading.sort_unstable();
        for mention in leading.into_iter().map(|at| &surface.mentions[at]) {
            let (def, role) = (&mention.def, mention.role);
            // What one version of X re-exports from a crate that has no part in the split, the other may define itself.
            let through = def.via.filter(|via| {
                packages[*via].id.name == self.name
                    && !reaches[def.package]
                    && self.apis.is_only_below(def.package, *via)
            });
            let is_defined = packages[def.package].id.name == self.name;
            if let Some(x) = through.or(is_defined.then_some(def.package)) {
                let evidence = Evidence {
                    gives: role != Role::Takes,
                    takes: role != Role::Gives,
                    ..stub(&mention.subject, mention.path.clone(), x)
                };
                self.keep(evidence);
            } else if reaches[def.package] {
                self.inherit(mention);
            }
        }
        if !self.found.is_empty() {
            self.derive(package, &surface);
        }
    }

    /// What another crate's item exposes, this crate exposes where it hands the item on.
    fn inherit(&mut self, mention: &Mention) {
        let (def, role) = (&mention.def, mention.role);
        let graph = self.apis.sources.graph;
        let theirs = self.apis.of(def.package, self.name);
        let is_whole = def.item.is_empty();
        for e in theirs.iter().filter(|e| is_whole || e.owner == def.item) {
            // A parameter of another crate's type is that crate's affair, unless the type is a trait over ours.
            let is_bound = e.item.starts_with("trait ");
            if role == Role::Takes && !is_bound {
                continue;
            }
            let names = format!("{} ({}: {})", e.names, graph.packages[def.package].id, e.item);
            let mut evidence = Evidence {
                gives: e.gives && role != Role::Takes,
                takes: e.takes || role == Role::Takes,
                is_impl: e.is_impl,
                ..stub(&mention.subject, names, e.defined_in)
            };
            if is_whole || !e.keys.contains(&e.owner) {
                // What is reached through it is used by its own name.
                evidence.keys.clone_from(&e.keys);
            }
            if is_whole {
                evidence.owner.clone_from(&e.owner);
            }
            self.keep(evidence);
        }
    }

    /// Functions that hand out one of the crate's own types which implement the other's trait, or take what the crate's own
    /// trait over the other's bounds.
    fn derive(&mut self, package: usize, surface: &Surface) {
        // Twice: a function may return a type whose alias is declared over another.
        for _ in 0..2 {
            let mut by_owner: HashMap<&str, Vec<&Evidence>> = HashMap::new();
            for e in &self.found {
                by_owner.entry(&e.owner).or_default().push(e);
            }
            let mut more = Vec::new();
            for mention in surface.mentions.iter().filter(|m| m.def.package == package) {
                let (subject, role) = (&mention.subject, mention.role);
                let is_kind = |e: &Evidence, kinds: &[&str]| kinds.iter().any(|kind| e.item.starts_with(kind));
                let hands_on = |e: &&&Evidence| match role {
                    // Only what the item itself says, not each of its methods.
                    Role::Takes => {
                        is_kind(e, &["trait ", "type ", "struct ", "enum ", "pub use"]) && !e.item.contains(", fn")
                    }
                    _ => e.is_impl && e.gives || is_kind(e, &["type ", "struct ", "enum ", "pub use"]),
                };
                let of_owner = by_owner.get(mention.def.item.as_str());
                let source = of_owner.and_then(|list| list.iter().find(hands_on));
                if let Some(source) = source.filter(|source| source.item != subject.item) {
                    let names = format!("{}, {}", source.item, source.names);
                    more.push(Evidence {
                        gives: role != Role::Takes,
                        takes: role != Role::Gives,
                        ..stub(subject, names, source.defined_in)
                    });
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

fn stub(subject: &Subject, names: String, defined_in: usize) -> Evidence {
    Evidence {
        file: subject.file.clone(),
        item: subject.item.clone(),
        names,
        defined_in,
        owner: subject.owner.clone(),
        keys: subject.keys.clone(),
        gives: false,
        takes: false,
        is_impl: subject.is_impl,
    }
}
