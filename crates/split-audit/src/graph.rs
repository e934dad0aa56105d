//! The dependency graph an audit looks at, from cargo's resolution or from the lock alone.

use std::{
    collections::{HashMap, HashSet},
    path::PathBuf,
};

use cargo_metadata::{DependencyKind, Metadata, NodeDep, Package as CargoPackage, TargetKind};
use cargo_platform::Cfg;
use semver::VersionReq;

use crate::lock::{Lock, PackageId};

/// Packages and the edges between them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Graph {
    pub(crate) packages: Vec<Package>,
    /// Per package, its edges.
    pub(crate) edges: Vec<Vec<Edge>>,
}

/// A package of one resolution.
#[derive(Clone, Debug)]
pub(crate) struct Package {
    pub(crate) id: PackageId,
    /// Part of the workspace; in a graph from the lock alone, any package without a source.
    pub(crate) is_member: bool,
    pub(crate) is_proc_macro: bool,
    pub(crate) manifest: Option<PathBuf>,
    /// The root file of the library.
    pub(crate) library: Option<PathBuf>,
    /// Of a member, the root files of programs, tests, benches and examples.
    pub(crate) programs: Vec<PathBuf>,
    /// The enabled features, where cargo has said which.
    pub(crate) features: Option<Vec<String>>,
    /// Those it has at all.
    pub(crate) declared: Vec<String>,
}

/// A direct dependency.
#[derive(Clone, Debug)]
pub(crate) struct Edge {
    pub(crate) to: usize,
    pub(crate) kinds: Kinds,
    /// All of them hold at once; empty in a graph from the lock alone, which does not carry them.
    pub(crate) requirements: Vec<VersionReq>,
    /// The `cfg(…)` or target names it is declared under, empty for everywhere.
    pub(crate) platforms: Vec<String>,
    /// The name it has in the dependent's code.
    pub(crate) extern_name: String,
}

/// Which of a package's builds an edge is part of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Kinds {
    pub(crate) normal: bool,
    pub(crate) build: bool,
    pub(crate) dev: bool,
}

impl Kinds {
    /// In the library, or in tests and examples, which see the library's dependencies too.
    pub(crate) fn in_library(self) -> bool {
        self.normal || self.dev
    }
}

impl std::fmt::Display for Kinds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kinds = [(self.normal, "normal"), (self.build, "build"), (self.dev, "dev")];
        let names: Vec<&str> = kinds.iter().filter(|k| k.0).map(|k| k.1).collect();
        f.write_str(&names.join("+"))
    }
}

impl Edge {
    /// The requirement as it is written in the manifest, or a dash where the lock alone is known.
    pub(crate) fn requirement(&self) -> String {
        if self.requirements.is_empty() {
            return "—".to_owned();
        }
        let texts: Vec<String> = self.requirements.iter().map(ToString::to_string).collect();
        texts.join(" and ")
    }

    /// Whether every requirement admits the version. False where none is known.
    pub(crate) fn admits(&self, version: &semver::Version) -> bool {
        !self.requirements.is_empty() && self.requirements.iter().all(|req| req.matches(version))
    }
}

impl Graph {
    /// Some packages, and everybody who depends on them at any depth, build scripts and tests left out.
    pub(crate) fn with_dependents(&self, mut some: Vec<bool>) -> Vec<bool> {
        let mut above: Vec<Vec<usize>> = vec![Vec::new(); self.packages.len()];
        for (from, edges) in self.edges.iter().enumerate() {
            for edge in edges.iter().filter(|edge| edge.kinds.normal) {
                above[edge.to].push(from);
            }
        }
        let mut open: Vec<usize> = (0..some.len()).filter(|index| some[*index]).collect();
        while let Some(index) = open.pop() {
            for from in &above[index] {
                if !some[*from] {
                    some[*from] = true;
                    open.push(*from);
                }
            }
        }
        some
    }

    /// What the lock alone says: every target, every feature, every kind of dependency at once.
    pub(crate) fn from_lock(lock: &Lock) -> Self {
        let packages = lock.packages.iter().map(|package| Package {
            id: package.id.clone(),
            is_member: package.id.source.is_none(),
            is_proc_macro: false,
            manifest: None,
            library: None,
            programs: Vec::new(),
            features: None,
            declared: Vec::new(),
        });
        let edges = lock.packages.iter().map(|package| {
            let edges = package.dependencies.iter().map(|edge| Edge {
                to: edge.to,
                kinds: Kinds {
                    normal: true,
                    ..Kinds::default()
                },
                requirements: Vec::new(),
                platforms: Vec::new(),
                extern_name: lock.packages[edge.to].id.name.replace('-', "_"),
            });
            edges.collect()
        });
        Self {
            packages: packages.collect(),
            edges: edges.collect(),
        }
    }

    /// The part of cargo's resolution that one target builds.
    ///
    /// `target` and `cfg` are the target's name and what `rustc --print cfg` says of it.
    pub(crate) fn from_metadata(metadata: &Metadata, target: &str, cfg: &[Cfg], dev: bool) -> Self {
        let Some(resolve) = &metadata.resolve else {
            return Self::default();
        };
        let members: HashSet<_> = metadata.workspace_members.iter().collect();
        let index_of: HashMap<_, usize> = metadata
            .packages
            .iter()
            .enumerate()
            .map(|(index, package)| (&package.id, index))
            .collect();
        let mut features: HashMap<_, Vec<String>> = resolve
            .nodes
            .iter()
            .map(|node| (&node.id, node.features.iter().map(ToString::to_string).collect()))
            .collect();
        let mut all_edges: Vec<Vec<Edge>> = vec![Vec::new(); metadata.packages.len()];
        for node in &resolve.nodes {
            let from = index_of[&node.id];
            let edges = node.deps.iter().filter_map(|dep| {
                let to = *index_of.get(&dep.pkg)?;
                let ends = (&metadata.packages[from], &metadata.packages[to]);
                edge(dep, ends, to, &|platform| platform.matches(target, cfg), dev)
            });
            all_edges[from] = edges.collect();
        }
        let packages: Vec<Package> = metadata
            .packages
            .iter()
            .map(|package| {
                let mut made = to_package(package, members.contains(&package.id));
                made.features = features.remove(&package.id);
                made
            })
            .collect();
        reachable(packages, &all_edges)
    }
}

fn to_package(package: &CargoPackage, is_member: bool) -> Package {
    let library = package.targets.iter().find(|target| {
        target.kind.iter().any(|kind| {
            matches!(
                kind,
                TargetKind::Lib | TargetKind::RLib | TargetKind::DyLib | TargetKind::ProcMacro
            )
        })
    });
    Package {
        id: PackageId {
            name: package.name.to_string(),
            version: package.version.clone(),
            source: package.source.as_ref().map(|source| source.repr.clone()),
        },
        is_member,
        is_proc_macro: library.is_some_and(|l| l.kind.contains(&TargetKind::ProcMacro)),
        manifest: Some(package.manifest_path.clone().into()),
        library: library.map(|l| l.src_path.clone().into()),
        programs: if is_member {
            let others = package
                .targets
                .iter()
                .filter(|t| !t.kind.contains(&TargetKind::CustomBuild));
            let others = others.filter(|t| library.is_none_or(|l| l.src_path != t.src_path));
            others.map(|t| t.src_path.clone().into()).collect()
        } else {
            Vec::new()
        },
        features: None,
        declared: package.features.keys().cloned().collect(),
    }
}

fn edge(
    dep: &NodeDep,
    (from, target): (&CargoPackage, &CargoPackage),
    to: usize,
    matches: &dyn Fn(&cargo_platform::Platform) -> bool,
    dev: bool,
) -> Option<Edge> {
    let mut kinds = Kinds::default();
    let mut platforms = Vec::new();
    for info in &dep.dep_kinds {
        if !info.target.as_ref().is_none_or(matches) {
            continue;
        }
        match info.kind {
            DependencyKind::Build => kinds.build = true,
            DependencyKind::Development if !dev => continue,
            DependencyKind::Development => kinds.dev = true,
            _ => kinds.normal = true,
        }
        platforms.extend(info.target.as_ref().map(ToString::to_string));
    }
    if kinds == Kinds::default() {
        return None;
    }
    // Cargo's resolution has no requirements, so they are found again among what the manifest declares.
    let mut requirements: Vec<VersionReq> = Vec::new();
    for declared in &from.dependencies {
        let kind_counts = match declared.kind {
            DependencyKind::Build => kinds.build,
            DependencyKind::Development => kinds.dev,
            _ => kinds.normal,
        };
        let name_fits = declared
            .rename
            .as_ref()
            .is_none_or(|rename| rename.replace('-', "_") == dep.name);
        if kind_counts
            && name_fits
            && declared.name == *target.name
            && declared.target.as_ref().is_none_or(matches)
            && declared.req.matches(&target.version)
            && !requirements.contains(&declared.req)
        {
            requirements.push(declared.req.clone());
        }
    }
    platforms.dedup();
    Some(Edge {
        to,
        kinds,
        requirements,
        platforms,
        extern_name: dep.name.clone(),
    })
}

/// Drops what no member reaches for this target.
fn reachable(packages: Vec<Package>, edges: &[Vec<Edge>]) -> Graph {
    let mut stack: Vec<usize> = (0..packages.len()).filter(|index| packages[*index].is_member).collect();
    let mut is_reached = vec![false; packages.len()];
    for index in &stack {
        is_reached[*index] = true;
    }
    while let Some(index) = stack.pop() {
        for edge in &edges[index] {
            if !is_reached[edge.to] {
                is_reached[edge.to] = true;
                stack.push(edge.to);
            }
        }
    }
    let mut new_index = vec![usize::MAX; packages.len()];
    let mut graph = Graph::default();
    for (index, package) in packages.into_iter().enumerate() {
        if is_reached[index] {
            new_index[index] = graph.packages.len();
            graph.packages.push(package);
        }
    }
    for (index, edges) in edges.iter().enumerate() {
        if is_reached[index] {
            let moved = edges.iter().map(|edge| Edge {
                to: new_index[edge.to],
                ..edge.clone()
            });
            graph.edges.push(moved.collect());
        }
    }
    graph
}
