//! The diamond rule: A depends on B, both depend directly on X, at different versions.
//!
//! Two versions of X elsewhere in a graph never meet in one place, so they are duplicates and no more.

use std::collections::BTreeSet;

use crate::{
    graph::{Edge, Graph},
    interop::{Interop, Row, is_raw_bindings},
    requirement,
};

/// One diamond, as indices into the graph's packages.
#[derive(Clone, Debug)]
pub(crate) struct Diamond<'g> {
    pub(crate) parent: usize,
    pub(crate) child: usize,
    /// `A → B`.
    pub(crate) link: &'g Edge,
    /// `A → X`.
    pub(crate) parent_edge: &'g Edge,
    /// `B → X`.
    pub(crate) child_edge: &'g Edge,
    /// A also depends on the very X that B uses, under another name, and may well keep the two apart.
    pub(crate) parent_has_both: bool,
}

/// How much a diamond matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Level {
    Info,
    Warn,
    Error,
}

/// Why a diamond has its level.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ground {
    /// A pinned pair: the two are known to pass X's types.
    Pinned { source: String },
    /// B re-exports X.
    Facade { source: String },
    /// X only declares foreign functions.
    RawBindings,
    /// A is part of the workspace: its own code says whether it mixes the two.
    Member,
    /// A depends on both versions.
    ParentHasBoth,
    /// A's and B's published requirements split in every lock, so A was published with the split.
    SplitByDesign,
    /// Nothing is known of the pair.
    Unknown,
}

/// All diamonds over the crates of this name.
pub(crate) fn find<'g>(graph: &'g Graph, name: &str) -> Vec<Diamond<'g>> {
    let is_shared = |index: usize| graph.packages[index].id.name == name;
    let n_versions = (0..graph.packages.len()).filter(|i| is_shared(*i)).count();
    if n_versions < 2 {
        return Vec::new();
    }
    let mut diamonds = Vec::new();
    for parent in 0..graph.packages.len() {
        for in_library in [true, false] {
            let is_built = |edge: &&Edge| {
                if in_library {
                    edge.kinds.in_library()
                } else {
                    // A build script is its own program: only what else it links can meet it.
                    edge.kinds.build
                }
            };
            let edges = &graph.edges[parent];
            let own: Vec<&Edge> = edges
                .iter()
                .filter(is_built)
                .filter(|edge| is_shared(edge.to))
                .collect();
            let Some(newest) = own
                .iter()
                .max_by(|a, b| graph.packages[a.to].id.cmp(&graph.packages[b.to].id))
            else {
                continue;
            };
            for link in edges.iter().filter(is_built) {
                let child = &graph.packages[link.to];
                // A newer version that re-exports an older one of itself is the cure for splits, not a split.
                // What a procedural macro links stays in the compiler.
                if child.id.name == name || child.is_proc_macro {
                    continue;
                }
                let theirs = graph.edges[link.to]
                    .iter()
                    .filter(|edge| edge.kinds.normal && is_shared(edge.to));
                let (both, apart): (Vec<&Edge>, Vec<&Edge>) =
                    theirs.partition(|edge| own.iter().any(|own| own.to == edge.to));
                for child_edge in apart {
                    let is_known = diamonds.iter().any(|d: &Diamond<'_>| {
                        (d.parent, d.child, d.child_edge.to) == (parent, link.to, child_edge.to)
                    });
                    if !is_known {
                        diamonds.push(Diamond {
                            parent,
                            child: link.to,
                            link,
                            parent_edge: newest,
                            child_edge,
                            parent_has_both: !both.is_empty(),
                        });
                    }
                }
            }
        }
    }
    diamonds
}

/// The level of a diamond, and why.
pub(crate) fn judge(graph: &Graph, diamond: &Diamond<'_>, interop: &Interop) -> (Level, Ground) {
    let parent = &graph.packages[diamond.parent];
    let child = &graph.packages[diamond.child];
    let shared = &graph.packages[diamond.child_edge.to].id.name;
    let row = interop.row(&parent.id.name, &child.id.name, shared);
    if is_raw_bindings(shared) {
        return (Level::Warn, Ground::RawBindings);
    }
    if diamond.parent_has_both {
        return (Level::Warn, Ground::ParentHasBoth);
    }
    match row {
        Some(row) if row.is_facade() && is_split_by_design(graph, diamond) => (Level::Warn, Ground::SplitByDesign),
        Some(row) if row.is_facade() => (Level::Error, facade(row)),
        _ if parent.is_member => (Level::Warn, Ground::Member),
        Some(row) => {
            let source = row.source.clone();
            (Level::Error, Ground::Pinned { source })
        }
        None => (Level::Warn, Ground::Unknown),
    }
}

fn facade(row: &Row) -> Ground {
    Ground::Facade {
        source: row.source.clone(),
    }
}

/// Whether a published A could never have been built without this split: its requirement holds the facade B to one
/// series, and no version of X meets both A's requirement and B's. Then A's authors have compiled it so, and it is no
/// break. That another release of the series would do is ruled out for a facade alone: what it re-exports is its own
/// interface, which a compatible release keeps.
fn is_split_by_design(graph: &Graph, diamond: &Diamond<'_>) -> bool {
    let is_published = graph.packages[diamond.parent]
        .id
        .source
        .as_deref()
        .is_some_and(|source| source.starts_with("registry+") || source.starts_with("sparse+"));
    let (own, theirs) = (&diamond.parent_edge.requirements, &diamond.child_edge.requirements);
    is_published
        && diamond.link.requirements.iter().any(requirement::is_one_series)
        && !own.is_empty()
        && !theirs.is_empty()
        && own.iter().any(|a| theirs.iter().any(|b| !requirement::overlap(a, b)))
}

/// Every version of the crate in the graph, where there is more than one.
pub(crate) fn duplicates(graph: &Graph, name: &str) -> BTreeSet<usize> {
    let found: BTreeSet<usize> = (0..graph.packages.len())
        .filter(|index| graph.packages[*index].id.name == name)
        .collect();
    if found.len() < 2 { BTreeSet::new() } else { found }
}
