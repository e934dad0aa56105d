//! Which edges the enabled features certainly turn on, from what the manifests declare.
//!
//! `cargo metadata` counts in edges that weak features or other targets turn on. `cargo tree` does not, but asking it
//! costs as much again as `cargo metadata` did. What is found here needs no asking: each edge follows from declared
//! features the way cargo's resolver follows them. What is not found here may still be built, and `cargo tree` decides.

use std::collections::{HashMap, HashSet};

use cargo_metadata::{Dependency, DependencyKind, Metadata, Package, TargetKind};
use cargo_platform::Cfg;

use crate::{finding::Meeting, lock::PackageId, profile::Profile};

/// The certain edges for one target, host programs (build scripts, procedural macros) left out.
#[derive(Debug, Default)]
pub(crate) struct Activation {
    edges: HashSet<(PackageId, PackageId)>,
}

impl Activation {
    /// Follows the profile's features from the members through everything they turn on.
    pub(crate) fn new(metadata: &Metadata, profile: &Profile, target: &str, cfg: &[Cfg]) -> Self {
        let index_of: HashMap<_, usize> = metadata
            .packages
            .iter()
            .enumerate()
            .map(|(index, package)| (&package.id, index))
            .collect();
        let mut targets: Vec<Vec<(&str, usize)>> = vec![Vec::new(); metadata.packages.len()];
        for node in metadata.resolve.iter().flat_map(|resolve| &resolve.nodes) {
            let known = node
                .deps
                .iter()
                .filter_map(|dep| Some((dep.name.as_str(), *index_of.get(&dep.pkg)?)));
            targets[index_of[&node.id]] = known.collect();
        }
        let mut walk = Walk {
            packages: &metadata.packages,
            targets,
            target,
            cfg,
            dev: profile.dev,
            members: metadata.workspace_members.iter().map(|id| index_of[id]).collect(),
            active: HashSet::new(),
            features: HashSet::new(),
            on: HashSet::new(),
            waiting: HashMap::new(),
            edges: HashSet::new(),
            todo: Vec::new(),
        };
        walk.run(profile);
        let id = |index: usize| {
            let package = &metadata.packages[index];
            PackageId {
                name: package.name.to_string(),
                version: package.version.clone(),
                source: package.source.as_ref().map(|source| source.repr.clone()),
            }
        };
        Self {
            edges: walk.edges.iter().map(|(from, to)| (id(*from), id(*to))).collect(),
        }
    }

    /// Name and version of both ends of every certain edge.
    #[cfg(test)]
    pub(crate) fn edges(&self) -> HashSet<[(String, String); 2]> {
        let label = |id: &PackageId| (id.name.clone(), id.version.to_string());
        self.edges.iter().map(|(from, to)| [label(from), label(to)]).collect()
    }

    /// Whether all edges of a meeting are certain.
    pub(crate) fn proves(&self, meeting: &Meeting) -> bool {
        let mut edges = meeting.edges().into_iter();
        edges.all(|(from, to)| self.edges.contains(&(from.clone(), to.clone())))
    }
}

/// The state of the walk; packages are indices, dependencies go by the names the manifest gives them.
struct Walk<'m> {
    packages: &'m [Package],
    /// Per package, its resolved dependencies by the name they have in its code.
    targets: Vec<Vec<(&'m str, usize)>>,
    target: &'m str,
    cfg: &'m [Cfg],
    dev: bool,
    members: HashSet<usize>,
    active: HashSet<usize>,
    features: HashSet<(usize, String)>,
    /// Optional dependencies that are turned on.
    on: HashSet<(usize, String)>,
    /// Weak features, until their dependency is turned on.
    waiting: HashMap<(usize, String), Vec<String>>,
    edges: HashSet<(usize, usize)>,
    todo: Vec<(usize, String)>,
}

impl<'m> Walk<'m> {
    fn run(&mut self, profile: &Profile) {
        let packages = self.packages;
        let members: Vec<usize> = self.members.iter().copied().collect();
        for member in members {
            self.activate(member);
            let package = &packages[member];
            let asked = profile
                .features
                .named
                .iter()
                .map(|feature| match feature.split_once('/') {
                    Some((of, feature)) if *package.name == of => feature,
                    _ => feature,
                });
            let all = package.features.keys().map(String::as_str);
            let wanted = all.filter(|name| {
                profile.features.all
                    || asked.clone().any(|asked| asked == *name)
                    || (*name == "default" && !profile.features.no_default)
            });
            self.todo.extend(wanted.map(|name| (member, name.to_owned())));
        }
        while let Some((package, feature)) = self.todo.pop() {
            if self.features.insert((package, feature.clone())) {
                let values = packages[package].features.get(&feature);
                for value in values.into_iter().flatten() {
                    self.follow(package, value);
                }
            }
        }
    }

    /// One entry of a feature's list.
    fn follow(&mut self, package: usize, value: &str) {
        if let Some(name) = value.strip_prefix("dep:") {
            self.turn_on(package, name);
        } else if let Some((name, feature)) = value.split_once("?/") {
            let key = (package, name.to_owned());
            if self.on.contains(&key) || self.is_required(package, name) {
                self.enable(package, name, feature);
            } else {
                self.waiting.entry(key).or_default().push(feature.to_owned());
            }
        } else if let Some((name, feature)) = value.split_once('/') {
            self.turn_on(package, name);
            self.enable(package, name, feature);
        } else {
            self.todo.push((package, value.to_owned()));
        }
    }

    fn activate(&mut self, package: usize) {
        if self.active.insert(package) {
            let declared = self.declared(package);
            for dependency in declared.into_iter().filter(|d| !d.optional) {
                self.link(package, dependency);
            }
        }
    }

    fn turn_on(&mut self, package: usize, name: &str) {
        let key = (package, name.to_owned());
        if self.on.insert(key.clone()) {
            for dependency in self.named(package, name) {
                self.link(package, dependency);
            }
            for feature in self.waiting.remove(&key).unwrap_or_default() {
                self.enable(package, name, &feature);
            }
        }
    }

    fn enable(&mut self, package: usize, name: &str, feature: &str) {
        for dependency in self.named(package, name) {
            for to in self.resolved(package, dependency) {
                self.todo.push((to, feature.to_owned()));
            }
        }
    }

    fn link(&mut self, package: usize, dependency: &'m Dependency) {
        for to in self.resolved(package, dependency) {
            self.edges.insert((package, to));
            self.activate(to);
            let default = dependency.uses_default_features.then_some("default");
            let features = dependency.features.iter().map(String::as_str);
            let features = features.chain(default).map(|feature| (to, feature.to_owned()));
            self.todo.extend(features);
        }
    }

    fn is_required(&self, package: usize, name: &str) -> bool {
        self.named(package, name).iter().any(|dependency| !dependency.optional)
    }

    fn named(&self, package: usize, name: &str) -> Vec<&'m Dependency> {
        let mut declared = self.declared(package);
        declared.retain(|d| d.rename.as_deref().unwrap_or(&d.name) == name);
        declared
    }

    /// What the package's library, and a member's tests, depend on for this target.
    fn declared(&self, package: usize) -> Vec<&'m Dependency> {
        let is_member = self.members.contains(&package);
        let counts = |dependency: &&Dependency| {
            let kind_counts = match dependency.kind {
                DependencyKind::Normal => true,
                DependencyKind::Development => is_member && self.dev,
                _ => false,
            };
            let platform = dependency.target.as_ref();
            kind_counts && platform.is_none_or(|p| p.matches(self.target, self.cfg))
        };
        self.packages[package].dependencies.iter().filter(counts).collect()
    }

    /// The packages a dependency was resolved to. A procedural macro is built for the host, with features of its own.
    fn resolved(&self, package: usize, dependency: &Dependency) -> Vec<usize> {
        let is_meant = |(name, to): &&(&str, usize)| {
            let target = &self.packages[*to];
            let renamed = dependency.rename.as_ref();
            *target.name == dependency.name
                && dependency.req.matches(&target.version)
                && renamed.is_none_or(|renamed| renamed.replace('-', "_") == *name)
                && !target.targets.iter().any(|t| t.kind.contains(&TargetKind::ProcMacro))
        };
        let meant = self.targets[package].iter().filter(is_meant);
        meant.map(|(_, to)| *to).collect()
    }
}
