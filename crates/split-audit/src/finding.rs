//! What an audit says: findings merged over every target and feature set they were seen in.

use std::collections::BTreeMap;

use crate::{
    diamond::{self, Diamond, Ground, Level},
    exposure::Exposure,
    graph::Graph,
    interop::Interop,
    lock::PackageId,
};

/// A diamond or a duplicate.
#[derive(Clone, Debug)]
pub(crate) struct Finding {
    pub(crate) level: Level,
    pub(crate) what: What,
    /// Labels of the contexts it was seen in.
    pub(crate) contexts: Vec<String>,
    /// The reason of the exception that lowers it, if one does.
    pub(crate) excepted: Option<String>,
}

#[derive(Clone, Debug)]
pub(crate) enum What {
    Diamond(Box<Meeting>),
    Duplicate { name: String, versions: Vec<PackageId> },
}

/// A diamond with everything a reader asks about it.
#[derive(Clone, Debug)]
pub(crate) struct Meeting {
    pub(crate) parent: PackageId,
    pub(crate) child: PackageId,
    pub(crate) parent_uses: PackageId,
    pub(crate) child_uses: PackageId,
    /// Of A on B, of A on X and of B on X, as written; a dash where only the lock is known.
    pub(crate) link_requirement: String,
    pub(crate) parent_requirement: String,
    pub(crate) child_requirement: String,
    pub(crate) kinds: String,
    /// B's requirement admits A's version; `None` where requirements are unknown.
    pub(crate) is_avoidable: Option<bool>,
    pub(crate) ground: Ground,
    pub(crate) is_parent_member: bool,
    /// The features really turn all three edges on; `None` where only the lock is known.
    pub(crate) is_confirmed: Option<bool>,
    pub(crate) exposure: Exposure,
}

/// What tells two diamonds apart.
pub(crate) type Key<'a> = (&'a PackageId, &'a PackageId, &'a PackageId, &'a PackageId);

impl Meeting {
    pub(crate) fn key(&self) -> Key<'_> {
        (&self.parent, &self.child, &self.parent_uses, &self.child_uses)
    }

    pub(crate) fn new(graph: &Graph, diamond: &Diamond<'_>, ground: Ground) -> Self {
        let id = |index: usize| graph.packages[index].id.clone();
        let child_edge = diamond.child_edge;
        let parent_uses = id(diamond.parent_edge.to);
        Self {
            parent: id(diamond.parent),
            child: id(diamond.child),
            child_uses: id(child_edge.to),
            link_requirement: diamond.link.requirement(),
            parent_requirement: diamond.parent_edge.requirement(),
            child_requirement: child_edge.requirement(),
            kinds: diamond.link.kinds.to_string(),
            is_avoidable: (!child_edge.requirements.is_empty()).then(|| {
                child_edge.admits(&parent_uses.version) && graph.packages[child_edge.to].id.source == parent_uses.source
            }),
            parent_uses,
            ground,
            is_parent_member: graph.packages[diamond.parent].is_member,
            is_confirmed: None,
            exposure: Exposure::NotLooked,
        }
    }
}

impl Finding {
    pub(crate) fn meeting(&self) -> Option<&Meeting> {
        match &self.what {
            What::Diamond(meeting) => Some(meeting),
            What::Duplicate { .. } => None,
        }
    }

    /// The crate the finding is about.
    pub(crate) fn shared(&self) -> &str {
        match &self.what {
            What::Diamond(meeting) => &meeting.child_uses.name,
            What::Duplicate { name, .. } => name,
        }
    }
}

/// Everything found in one graph, for one context.
pub(crate) fn audit(graph: &Graph, crates: &[String], interop: &Interop, context: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for name in crates {
        for diamond in diamond::find(graph, name) {
            let (level, ground) = diamond::judge(graph, &diamond, interop);
            let meeting = Meeting::new(graph, &diamond, ground);
            findings.push(Finding {
                level,
                what: What::Diamond(Box::new(meeting)),
                contexts: vec![context.to_owned()],
                excepted: None,
            });
        }
        let duplicates = diamond::duplicates(graph, name);
        if !duplicates.is_empty() {
            let mut versions: Vec<PackageId> = duplicates
                .into_iter()
                .map(|index| graph.packages[index].id.clone())
                .collect();
            versions.sort();
            findings.push(Finding {
                level: Level::Info,
                what: What::Duplicate {
                    name: name.clone(),
                    versions,
                },
                contexts: vec![context.to_owned()],
                excepted: None,
            });
        }
    }
    findings
}

/// One finding where several contexts saw the same, sorted by level, then by name.
pub(crate) fn merge(per_context: Vec<Finding>) -> Vec<Finding> {
    let mut merged: BTreeMap<Vec<PackageId>, Finding> = BTreeMap::new();
    for finding in per_context {
        let key = match &finding.what {
            What::Diamond(m) => {
                let (parent, child, own, theirs) = m.key();
                vec![child.clone(), parent.clone(), own.clone(), theirs.clone()]
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
                    known.contexts = finding.contexts;
                } else if finding.level == known.level {
                    known.contexts.extend(finding.contexts);
                }
                if let (What::Diamond(a), What::Diamond(b)) = (&mut known.what, &finding.what) {
                    a.is_confirmed = a.is_confirmed.max(b.is_confirmed);
                }
                known.level = known.level.max(finding.level);
            }
        }
    }
    let mut findings: Vec<Finding> = merged.into_values().collect();
    // A duplicate that a diamond already tells of would only say it again.
    let told: Vec<String> = findings
        .iter()
        .filter(|f| f.meeting().is_some())
        .map(|f| f.shared().to_owned())
        .collect();
    findings.retain(|finding| match &finding.what {
        What::Diamond(_) => true,
        What::Duplicate { name, versions } => versions.len() > 2 || !told.contains(name),
    });
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.level));
    findings
}
