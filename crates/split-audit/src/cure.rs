//! Candidates for a cure in the lock, cheapest first, and the check that one changed nothing else.

use std::collections::{BTreeMap, BTreeSet};

use semver::{Version, VersionReq};

use crate::{
    finding::Meeting,
    graph::Graph,
    index::Release,
    lock::{Lock, PackageId},
    requirement,
};

/// One change of a lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Lead the edge `from → old` to `new`, a version that the lock already has.
    Redirect {
        from: PackageId,
        old: PackageId,
        new: PackageId,
    },
    /// `cargo update -p package --precise to`.
    Precise { package: PackageId, to: Version },
    /// Lead whatever edge a package has to a crate of this name to `new`: for a package an earlier step brought in.
    Align { from: PackageId, new: PackageId },
}

impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Redirect { from, old, new } => {
                write!(f, "in the entry of {from}, `\"{old}\"` becomes `\"{new}\"`")
            }
            Self::Precise { package, to } => write!(
                f,
                "`cargo update -p {}@{} --precise {to}`",
                package.name, package.version
            ),
            Self::Align { from, new } => {
                write!(f, "in the entry of {from}, the edge to {} leads to {new}", new.name)
            }
        }
    }
}

/// A change that may cure a diamond, as steps to be done in this order.
pub(crate) type Candidate = Vec<Step>;

/// A diamond with all requirements that bear on its cure.
#[derive(Clone, Debug)]
pub(crate) struct Situation {
    pub(crate) meeting: Meeting,
    /// A's and B's requirements on X.
    pub(crate) parent_requires: Vec<VersionReq>,
    pub(crate) child_requires: Vec<VersionReq>,
    /// What everybody in the workspace, in every context, requires of A and of B.
    parent_bounds: Vec<VersionReq>,
    child_bounds: Vec<VersionReq>,
}

impl Situation {
    /// Gathers the requirements out of the graphs of all contexts.
    pub(crate) fn new(meeting: &Meeting, graphs: &[&Graph]) -> Self {
        let between = |from: Option<&PackageId>, to: &PackageId| {
            let mut requirements: Vec<VersionReq> = Vec::new();
            for graph in graphs {
                for (package, edges) in graph.packages.iter().zip(&graph.edges) {
                    if from.is_some_and(|from| *from != package.id) {
                        continue;
                    }
                    for edge in edges.iter().filter(|e| graph.packages[e.to].id == *to) {
                        for requirement in &edge.requirements {
                            if !requirements.contains(requirement) {
                                requirements.push(requirement.clone());
                            }
                        }
                    }
                }
            }
            requirements
        };
        Self {
            parent_requires: between(Some(&meeting.parent), &meeting.parent_uses),
            child_requires: between(Some(&meeting.child), &meeting.child_uses),
            parent_bounds: between(None, &meeting.parent),
            child_bounds: between(None, &meeting.child),
            meeting: meeting.clone(),
        }
    }

    /// Whether one version of X could serve both, published or not.
    pub(crate) fn can_agree(&self) -> bool {
        self.parent_requires
            .iter()
            .all(|a| self.child_requires.iter().all(|b| requirement::overlap(a, b)))
    }

    /// Candidates that the lock and the manifests alone suggest: one edge, led to the version next to it.
    pub(crate) fn redirects(&self) -> Vec<Candidate> {
        let m = &self.meeting;
        let mut candidates = Vec::new();
        // An edge cannot be led from one source to another: the requirement names the source, too.
        if m.parent_uses.source != m.child_uses.source {
            return candidates;
        }
        if admits(&self.child_requires, &m.parent_uses.version) {
            candidates.push(vec![Step::Redirect {
                from: m.child.clone(),
                old: m.child_uses.clone(),
                new: m.parent_uses.clone(),
            }]);
        }
        if admits(&self.parent_requires, &m.child_uses.version) {
            candidates.push(vec![Step::Redirect {
                from: m.parent.clone(),
                old: m.parent_uses.clone(),
                new: m.child_uses.clone(),
            }]);
        }
        candidates
    }

    /// Candidates that need a release which the lock does not have, newest first within each kind.
    pub(crate) fn moves(&self, releases: &dyn Fn(&str) -> Option<Vec<Release>>) -> Vec<Candidate> {
        let m = &self.meeting;
        let mut candidates = Vec::new();
        for release in usable(releases, &m.child_uses.name) {
            let version = &release.version;
            let is_common = admits(&self.parent_requires, version) && admits(&self.child_requires, version);
            if is_common && *version != m.parent_uses.version && *version != m.child_uses.version {
                let precise = |package: &PackageId| Step::Precise {
                    package: package.clone(),
                    to: version.clone(),
                };
                let redirect = |from: &PackageId, old: &PackageId| Step::Redirect {
                    from: from.clone(),
                    old: old.clone(),
                    new: PackageId {
                        version: version.clone(),
                        ..old.clone()
                    },
                };
                // Once a release is in the lock, an edge led to it moves nothing else. Cargo lands a `--precise` on the
                // newest release the requirement admits, so that one order may fail where the other holds.
                candidates.extend([
                    vec![precise(&m.child_uses), redirect(&m.parent, &m.parent_uses)],
                    vec![precise(&m.parent_uses), redirect(&m.child, &m.child_uses)],
                    vec![precise(&m.child_uses), precise(&m.parent_uses)],
                ]);
            }
        }
        let bumps = [
            (&m.child, &self.child_bounds, &m.parent_uses, &self.parent_requires),
            (&m.parent, &self.parent_bounds, &m.child_uses, &self.child_requires),
        ];
        for (package, bounds, other, other_requires) in bumps {
            if package.source.is_none() {
                continue;
            }
            for release in usable(releases, &package.name) {
                let fits = admits(bounds, &release.version)
                    && release.version > package.version
                    && release
                        .requirement(&other.name)
                        .is_none_or(|req| other_requires.iter().all(|o| requirement::overlap(o, req)));
                if !fits {
                    continue;
                }
                let mut candidate = vec![Step::Precise {
                    package: package.clone(),
                    to: release.version.clone(),
                }];
                if release
                    .requirement(&other.name)
                    .is_some_and(|req| req.matches(&other.version))
                {
                    candidate.push(Step::Align {
                        from: PackageId {
                            version: release.version.clone(),
                            ..package.clone()
                        },
                        new: other.clone(),
                    });
                }
                candidates.push(candidate);
            }
        }
        candidates
    }
}

fn usable(releases: &dyn Fn(&str) -> Option<Vec<Release>>, name: &str) -> Vec<Release> {
    let mut releases = releases(name).unwrap_or_default();
    releases.retain(Release::is_usable);
    releases.reverse();
    releases
}

fn admits(requirements: &[VersionReq], version: &Version) -> bool {
    !requirements.is_empty() && requirements.iter().all(|req| req.matches(version))
}

/// Whether two locks differ in nothing but what the steps mean to change.
///
/// # Errors
/// The first difference that no step accounts for, or the step that did not land: cargo's exit code says neither.
pub(crate) fn check_intended(before: &Lock, after: &Lock, steps: &[Step]) -> Result<(), String> {
    for step in steps {
        check_landed(after, step)?;
    }
    let (old, new) = (edges(before), edges(after));
    for (id, dependencies) in &old {
        let Some(now) = new.get(id) else { continue };
        let lost = dependencies.difference(now);
        let won = now.difference(dependencies);
        for other in lost.chain(won) {
            let is_meant = steps.iter().any(|step| match step {
                Step::Redirect { from, old, new } => id == &from && (*other == old || *other == new),
                Step::Precise { package, to } => {
                    other.name == package.name && (other.version == package.version || other.version == *to)
                }
                Step::Align { from, new } => id == &from && other.name == new.name,
            });
            if !is_meant {
                return Err(format!("it also changed the edge {id} → {other}"));
            }
        }
    }
    // What a moved package newly needs is part of the move, anything else that is new is not.
    let mut expected: BTreeSet<&PackageId> = BTreeSet::new();
    let mut stack: Vec<&PackageId> = new
        .keys()
        .filter(|id| {
            steps.iter().any(
                |step| matches!(step, Step::Precise { package, to } if id.name == package.name && id.version == *to),
            )
        })
        .copied()
        .collect();
    while let Some(id) = stack.pop() {
        if expected.insert(id) {
            stack.extend(new[id].iter().copied());
        }
    }
    match new.keys().find(|id| !old.contains_key(*id) && !expected.contains(*id)) {
        Some(id) => Err(format!("it also added {id}")),
        None => Ok(()),
    }
}

fn check_landed(after: &Lock, step: &Step) -> Result<(), String> {
    match step {
        Step::Redirect { from, old, new } => {
            if after.edge(from, old).is_some() || after.edge(from, new).is_none() {
                return Err(format!("cargo did not keep the edge {from} → {new}"));
            }
        }
        Step::Precise { package, to } => {
            let landed = after
                .packages
                .iter()
                .any(|p| p.id.name == package.name && p.id.version == *to);
            if !landed || after.find(package).is_some() {
                let versions: Vec<String> = after
                    .packages
                    .iter()
                    .filter(|p| p.id.name == package.name)
                    .map(|p| p.id.version.to_string())
                    .collect();
                return Err(format!(
                    "{} did not move to {to}; the lock now has {}",
                    package,
                    versions.join(", ")
                ));
            }
        }
        Step::Align { from, new } => {
            if after.find(from).is_some() && after.edge(from, new).is_none() {
                return Err(format!("cargo did not keep the edge {from} → {new}"));
            }
        }
    }
    Ok(())
}

fn edges(lock: &Lock) -> BTreeMap<&PackageId, BTreeSet<&PackageId>> {
    let of = |package: &super::lock::LockPackage| {
        let edges = package.dependencies.iter();
        // Collected per package, as a set: cargo sorts the entries anew.
        edges.map(|edge| edge.to).collect::<Vec<usize>>()
    };
    lock.packages
        .iter()
        .map(|package| {
            let targets = of(package).into_iter().map(|to| &lock.packages[to].id);
            (&package.id, targets.collect())
        })
        .collect()
}

/// The lock's change as a diff of lines.
pub(crate) fn diff(label: &str, before: &str, after: &str) -> String {
    similar::TextDiff::from_lines(before, after)
        .unified_diff()
        .context_radius(2)
        .header(label, label)
        .to_string()
}

/// What `--fix` and `--apply` came to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outcome {
    /// In the order they were done, each proven together with those before it.
    pub(crate) cured: Vec<Cured>,
    pub(crate) blocked: Vec<Blocked>,
    /// Empty where there is nothing to change.
    pub(crate) diff: String,
    /// The backup's name, where the lock was written.
    pub(crate) backup: Option<String>,
}

/// A diamond, the steps that end it, and the command that comes to the same.
#[derive(Clone, Debug)]
pub(crate) struct Cured {
    pub(crate) meeting: Meeting,
    pub(crate) steps: Candidate,
    pub(crate) equivalent: Option<String>,
}

/// A diamond that no change of the lock ends.
#[derive(Clone, Debug)]
pub(crate) struct Blocked {
    pub(crate) meeting: Meeting,
    /// Candidates with the reason each failed.
    pub(crate) tried: Vec<(String, String)>,
    pub(crate) blocker: super::blocker::Blocker,
}

/// The cargo command that does what a redirect does, where nobody else held the old version.
pub(crate) fn equivalent(steps: &[Step], after: &Lock) -> Option<String> {
    match steps {
        [Step::Redirect { old, new, .. }] if after.find(old).is_none() => Some(
            Step::Precise {
                package: old.clone(),
                to: new.version.clone(),
            }
            .to_string(),
        ),
        _ => None,
    }
}
