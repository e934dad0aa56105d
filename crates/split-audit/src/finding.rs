//! What an audit says: findings merged over every target and feature set they were seen in.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::{
    api::Evidence,
    graph::Graph,
    interop::is_raw_bindings,
    lock::PackageId,
    split::{self, Judge},
};

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Level {
    Info,
    Warn,
    Error,
}

/// Why a meeting has its level.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ground {
    /// A pinned pair: the two are known to pass X's types.
    Pinned { source: String },
    /// B re-exports X.
    Facade { source: String },
    /// A implements a trait of B with its own X in the signature.
    Implements { place: String },
    /// The compiler has said so.
    Compiler { place: String },
    /// A published A uses items of B that name X, and some lock unifies the two.
    Uses,
    /// X only declares foreign functions.
    RawBindings,
    /// A is part of the workspace: its own code says whether it mixes the two.
    Member,
    /// A depends on both versions.
    ParentHasBoth,
    /// A's and B's published requirements split in every lock of the day A was published, so it was published with the
    /// split.
    SplitByDesign,
    /// Nothing is known of the pair.
    Unknown,
}

/// Two versions that meet, or a duplicate that does not.
#[derive(Clone, Debug)]
pub(crate) struct Finding {
    pub(crate) level: Level,
    pub(crate) what: What,
    /// Labels of the contexts it was seen in.
    pub(crate) contexts: Vec<String>,
    /// The reason of the exception that lowers it, or the baseline that knows it.
    pub(crate) excepted: Option<String>,
    /// The commit of the lock that brought it, where that was asked.
    pub(crate) since: Option<String>,
}

#[derive(Clone, Debug)]
pub(crate) enum What {
    Meeting(Box<Meeting>),
    Duplicate { name: String, versions: Vec<PackageId> },
}

/// Whether a dependency's source was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Looked {
    /// It is not at hand.
    No,
    /// A member's source does not name both sides, so that it does not matter what they expose.
    NoNeed,
    Yes,
}

/// A dependency that brings a version of X with it.
#[derive(Clone, Debug)]
pub(crate) struct Side {
    pub(crate) package: PackageId,
    /// Who has the edge to X: the dependency itself, or one whose items it re-exports.
    pub(crate) holder: PackageId,
    /// Of A on it.
    pub(crate) requirement: String,
    pub(crate) looked: Looked,
    pub(crate) evidence: Vec<Evidence>,
}

/// A meeting with everything a reader asks about it: A depends on B, which uses one version of X, and on another version of
/// X itself, or on a sibling of B that brings the other.
#[derive(Clone, Debug)]
pub(crate) struct Meeting {
    pub(crate) parent: PackageId,
    pub(crate) child: PackageId,
    /// The package with the edge to `child_uses`: B, or one that B re-exports.
    pub(crate) holder: PackageId,
    /// A's own X, or the sibling's.
    pub(crate) parent_uses: PackageId,
    pub(crate) child_uses: PackageId,
    /// Of A on B, of A (or the sibling's holder) on X and of B's holder on X, as written; a dash where only the lock is known.
    pub(crate) link_requirement: String,
    pub(crate) parent_requirement: String,
    pub(crate) child_requirement: String,
    pub(crate) kinds: String,
    /// The holder's requirement admits the other version; `None` where requirements are unknown.
    pub(crate) is_avoidable: Option<bool>,
    /// The sibling of B, where A does not depend on X itself.
    pub(crate) other: Option<Side>,
    pub(crate) theirs: Side,
    pub(crate) ground: Ground,
    pub(crate) is_parent_member: bool,
    /// The features really turn all edges on; `None` where only the lock is known.
    pub(crate) is_confirmed: Option<bool>,
    /// A file of A that uses both.
    pub(crate) meets_in: Option<String>,
    /// Public items of B (and of its sibling) name X.
    pub(crate) is_exposed: bool,
}

/// What tells two meetings apart.
pub(crate) type Key<'a> = (
    &'a PackageId,
    &'a PackageId,
    &'a PackageId,
    &'a PackageId,
    Option<&'a PackageId>,
);

impl Meeting {
    pub(crate) fn key(&self) -> Key<'_> {
        let other = self.other.as_ref().map(|side| &side.package);
        (&self.parent, &self.child, &self.parent_uses, &self.child_uses, other)
    }

    /// Edges that must all be built for the two to meet.
    pub(crate) fn edges(&self) -> Vec<(&PackageId, &PackageId)> {
        let mut edges = vec![(&self.parent, &self.child), (&self.holder, &self.child_uses)];
        match &self.other {
            None => edges.push((&self.parent, &self.parent_uses)),
            Some(other) => edges.extend([(&self.parent, &other.package), (&other.holder, &self.parent_uses)]),
        }
        edges
    }
}

impl Finding {
    pub(crate) fn meeting(&self) -> Option<&Meeting> {
        match &self.what {
            What::Meeting(meeting) => Some(meeting),
            What::Duplicate { .. } => None,
        }
    }

    /// The crate the finding is about.
    pub(crate) fn shared(&self) -> &str {
        match &self.what {
            What::Meeting(meeting) => &meeting.child_uses.name,
            What::Duplicate { name, .. } => name,
        }
    }
}

/// Everything found in one graph, for one context. `crates` narrows it to these names; empty means every duplicated crate
/// but raw bindings.
pub(crate) fn audit(judge: &Judge<'_, '_, '_>, crates: &[String], context: &str) -> Vec<Finding> {
    let graph: &Graph = judge.graph;
    let mut above: Vec<Vec<usize>> = vec![Vec::new(); graph.packages.len()];
    for (from, edges) in graph.edges.iter().enumerate() {
        for edge in edges {
            if above[edge.to].last() != Some(&from) {
                above[edge.to].push(from);
            }
        }
    }
    let mut findings = Vec::new();
    for (name, xs) in split::duplicated(graph) {
        let is_wanted = if crates.is_empty() {
            !is_raw_bindings(name)
        } else {
            crates.iter().any(|wanted| wanted == name)
        };
        if !is_wanted {
            continue;
        }
        let mut finding = |level, what| {
            findings.push(Finding {
                level,
                what,
                contexts: vec![context.to_owned()],
                excepted: None,
                since: None,
            });
        };
        for (level, meeting) in judge.meetings(&xs, &above) {
            finding(level, What::Meeting(Box::new(meeting)));
        }
        let mut versions: Vec<PackageId> = xs.iter().map(|index| graph.packages[*index].id.clone()).collect();
        versions.sort();
        let name = name.to_owned();
        finding(Level::Info, What::Duplicate { name, versions });
    }
    drop_consequences(graph, &mut findings);
    findings
}

/// Where A's own X meets B's, what X brings further apart follows from it: one cure ends both. So it is between X and B,
/// and over a crate that both have by way of their X.
fn drop_consequences(graph: &Graph, findings: &mut Vec<Finding>) {
    let mut direct: HashMap<(PackageId, PackageId, PackageId), Level> = HashMap::new();
    for finding in findings.iter() {
        if let Some(m) = finding.meeting().filter(|m| m.other.is_none()) {
            let key = (m.parent.clone(), m.child.clone(), m.parent_uses.clone());
            let known = direct.entry(key).or_insert(finding.level);
            *known = finding.level.max(*known);
        }
    }
    // A's own X by A, B and B's X, with the level of their meeting.
    let over: HashMap<(PackageId, PackageId, PackageId), (PackageId, Level)> = findings
        .iter()
        .filter_map(|finding| Some((finding.meeting()?, finding.level)))
        .filter(|(m, _)| m.other.is_none())
        .map(|(m, level)| {
            let key = (m.parent.clone(), m.child.clone(), m.child_uses.clone());
            (key, (m.parent_uses.clone(), level))
        })
        .collect();
    let depends = |from: &PackageId, to: &PackageId| {
        let from = graph.packages.iter().position(|p| p.id == *from);
        from.is_some_and(|from| graph.edges[from].iter().any(|e| graph.packages[e.to].id == *to))
    };
    let follows = |m: &Meeting, level: Level| match &m.other {
        Some(other) => {
            // What is told of more quietly would hide it.
            let meet = |b: &PackageId, c: &PackageId| {
                let known = direct.get(&(m.parent.clone(), b.clone(), c.clone()));
                known.is_some_and(|known| *known >= level)
            };
            meet(&m.child, &other.package) || meet(&other.package, &m.child)
        }
        None => {
            let over = over.get(&(m.parent.clone(), m.child.clone(), m.holder.clone()));
            over.is_some_and(|(own, of_over)| *of_over >= level && depends(own, &m.parent_uses))
        }
    };
    let mut dropped: HashSet<String> = HashSet::new();
    findings.retain(|finding| {
        let is_told = finding.meeting().is_some_and(|m| follows(m, finding.level));
        if is_told {
            dropped.insert(finding.shared().to_owned());
        }
        !is_told
    });
    // Two versions that meet by way of others are not apart from each other.
    findings.retain(|finding| match &finding.what {
        What::Meeting(_) => true,
        What::Duplicate { name, versions } => versions.len() > 2 || !dropped.contains(name),
    });
}

/// One finding where several contexts saw the same, sorted by level, then by name.
pub(crate) fn merge(per_context: Vec<Finding>) -> Vec<Finding> {
    let mut merged: BTreeMap<Vec<PackageId>, Finding> = BTreeMap::new();
    for finding in per_context {
        let key = match &finding.what {
            What::Meeting(m) => {
                let (parent, child, own, theirs, other) = m.key();
                let mut key = vec![child.clone(), parent.clone(), own.clone(), theirs.clone()];
                key.extend(other.cloned());
                key
            }
            What::Duplicate { versions, .. } => versions.clone(),
        };
        match merged.get_mut(&key) {
            None => {
                merged.insert(key, finding);
            }
            Some(known) => {
                // Where only some contexts confirm it, only those are where it holds.
                if finding.level > known.level {
                    let contexts = finding.contexts.clone();
                    let confirmed = known.meeting().and_then(|m| m.is_confirmed);
                    *known = finding;
                    known.contexts = contexts;
                    if let What::Meeting(m) = &mut known.what {
                        m.is_confirmed = m.is_confirmed.max(confirmed);
                    }
                } else {
                    if finding.level == known.level {
                        known.contexts.extend(finding.contexts.iter().cloned());
                    }
                    if let (What::Meeting(a), What::Meeting(b)) = (&mut known.what, &finding.what) {
                        a.is_confirmed = a.is_confirmed.max(b.is_confirmed);
                    }
                }
            }
        }
    }
    let mut findings: Vec<Finding> = merged.into_values().collect();
    // A duplicate that a meeting already tells of would only say it again.
    let told: HashSet<String> = findings
        .iter()
        .filter(|f| f.meeting().is_some())
        .map(|f| f.shared().to_owned())
        .collect();
    findings.retain(|finding| match &finding.what {
        What::Meeting(_) => true,
        What::Duplicate { name, versions } => versions.len() > 2 || !told.contains(name),
    });
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.level));
    findings
}

/// How many findings of at least a level there are per pair and crate, versions left out.
pub(crate) fn count(findings: &[Finding], counts: &dyn Fn(&Finding) -> bool) -> HashMap<String, usize> {
    let mut found: HashMap<String, usize> = HashMap::new();
    for finding in findings.iter().filter(|f| counts(f)) {
        if let Some(m) = finding.meeting() {
            *found.entry(names(m)).or_default() += 1;
        }
    }
    found
}

/// A meeting without versions.
pub(crate) fn names(m: &Meeting) -> String {
    let sibling = m
        .other
        .as_ref()
        .map_or(String::new(), |other| format!(" and {}", other.package.name));
    format!("{} → {}{sibling} → {}", m.parent.name, m.child.name, m.child_uses.name)
}
