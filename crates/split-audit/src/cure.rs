//! Candidates for a cure in the lock, cheapest first, and the check that one changed nothing else.

use std::collections::{BTreeMap, BTreeSet, HashMap};

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

/// A meeting with all requirements that bear on its cure.
#[derive(Clone, Debug)]
pub(crate) struct Situation {
    pub(crate) meeting: Meeting,
    /// Of A, or of the sibling's holder, on its X; and of B's holder on its X.
    pub(crate) parent_requires: Vec<VersionReq>,
    pub(crate) child_requires: Vec<VersionReq>,
    /// What everybody in the workspace, in every context, requires of a package.
    bounds: HashMap<PackageId, Vec<VersionReq>>,
}

/// Releases to try, and how many were looked at to find them.
pub(crate) type Releases<'r> = &'r dyn Fn(&str) -> Option<Vec<Release>>;

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
        let other = meeting.other.as_ref();
        let own_holder = other.map_or(&meeting.parent, |other| &other.holder);
        let mut concerned = vec![
            &meeting.parent,
            &meeting.child,
            &meeting.child_uses,
            &meeting.parent_uses,
        ];
        concerned.extend(other.map(|other| &other.package));
        Self {
            parent_requires: between(Some(own_holder), &meeting.parent_uses),
            child_requires: between(Some(&meeting.holder), &meeting.child_uses),
            bounds: concerned
                .into_iter()
                .map(|id| (id.clone(), between(None, id)))
                .collect(),
            meeting: meeting.clone(),
        }
    }

    fn own_holder(&self) -> &PackageId {
        let other = self.meeting.other.as_ref();
        other.map_or(&self.meeting.parent, |other| &other.holder)
    }

    fn bounds(&self, id: &PackageId) -> &[VersionReq] {
        self.bounds.get(id).map_or(&[], Vec::as_slice)
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
                from: m.holder.clone(),
                old: m.child_uses.clone(),
                new: m.parent_uses.clone(),
            }]);
        }
        if admits(&self.parent_requires, &m.child_uses.version) {
            candidates.push(vec![Step::Redirect {
                from: self.own_holder().clone(),
                old: m.parent_uses.clone(),
                new: m.child_uses.clone(),
            }]);
        }
        candidates
    }

    /// Candidates that need a release which the lock does not have, nearest first within each kind; and how many
    /// admissible releases there were.
    pub(crate) fn moves(&self, releases: Releases<'_>) -> (Vec<Candidate>, usize) {
        let m = &self.meeting;
        let mut candidates = Vec::new();
        let mut n_admissible = 0;
        let own = [&m.child_uses, &m.parent_uses];
        let are_registered = own.iter().all(|x| x.is_from_registry());
        for release in nearest(releases, &m.child_uses).into_iter().filter(|_| are_registered) {
            let version = &release.version;
            let is_common = admits(&self.parent_requires, version) && admits(&self.child_requires, version);
            if is_common && *version != m.parent_uses.version && *version != m.child_uses.version {
                n_admissible += 1;
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
                    vec![precise(&m.child_uses), redirect(self.own_holder(), &m.parent_uses)],
                    vec![precise(&m.parent_uses), redirect(&m.holder, &m.child_uses)],
                    vec![precise(&m.child_uses), precise(&m.parent_uses)],
                ]);
            }
        }
        // A release of X that re-exports the other version's items.
        for x in own.into_iter().filter(|x| x.is_from_registry()) {
            let bounds = self.bounds(x);
            let admitted = nearest(releases, x)
                .into_iter()
                .filter(|r| r.version > x.version && admits(bounds, &r.version));
            for release in admitted {
                n_admissible += 1;
                if release.requirement(&x.name).is_some() {
                    candidates.push(vec![Step::Precise {
                        package: x.clone(),
                        to: release.version.clone(),
                    }]);
                }
            }
        }
        let mut bumps = vec![(&m.child, &m.holder, &m.parent_uses, &self.parent_requires)];
        match &m.other {
            Some(other) => bumps.push((&other.package, &other.holder, &m.child_uses, &self.child_requires)),
            None => bumps.push((&m.parent, &m.parent, &m.child_uses, &self.child_requires)),
        }
        for (package, holder, other, other_requires) in bumps {
            if !package.is_from_registry() {
                continue;
            }
            let bounds = self.bounds(package);
            let admissible = nearest(releases, package)
                .into_iter()
                .filter(|r| admits(bounds, &r.version));
            for release in admissible.filter(|release| release.version != package.version) {
                n_admissible += 1;
                let through = requirement_through(&release, holder, &other.name, releases);
                let fits = through
                    .as_ref()
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
        (candidates, n_admissible)
    }

    /// Changes of a member's manifest that may end the meeting, cheapest first. Each is a list of dependencies with the
    /// version to write for them.
    pub(crate) fn edits(&self, releases: Releases<'_>) -> Vec<Vec<(String, String)>> {
        let m = &self.meeting;
        let shared = &m.child_uses.name;
        let mut edits = Vec::new();
        if m.other.is_none() && m.child_uses.is_from_registry() && m.parent_uses.is_from_registry() {
            edits.push(vec![(shared.clone(), series(&m.child_uses.version))]);
        }
        let mut sides = vec![(&m.child, &m.holder, &self.parent_requires)];
        sides.extend(
            m.other
                .as_ref()
                .map(|other| (&other.package, &other.holder, &self.child_requires)),
        );
        let mut newest: Vec<(String, Version, VersionReq)> = Vec::new();
        for (package, holder, other_requires) in sides {
            if !package.is_from_registry() {
                continue;
            }
            let mut seen: BTreeSet<String> = BTreeSet::new();
            let all = nearest(releases, package);
            for release in &all {
                let Some(req) = requirement_through(release, holder, shared, releases) else {
                    continue;
                };
                let is_other = release.version != package.version;
                let helps = other_requires.iter().all(|other| requirement::overlap(other, &req));
                if is_other && helps && seen.len() < 4 && seen.insert(series(&release.version)) {
                    edits.push(vec![(package.name.clone(), release.version.to_string())]);
                }
            }
            let last = all.iter().max_by(|a, b| a.version.cmp(&b.version));
            let last = last.and_then(|r| {
                Some((
                    package.name.clone(),
                    r.version.clone(),
                    requirement_through(r, holder, shared, releases)?,
                ))
            });
            newest.extend(last);
        }
        match (newest.as_slice(), &m.other) {
            ([(b, b_version, b_req), (c, c_version, c_req)], Some(_)) if requirement::overlap(b_req, c_req) => {
                edits.push(vec![
                    (b.clone(), b_version.to_string()),
                    (c.clone(), c_version.to_string()),
                ]);
            }
            ([(b, b_version, b_req)], None) => {
                let x = nearest(releases, &m.parent_uses)
                    .into_iter()
                    .filter(|r| b_req.matches(&r.version));
                if let Some(x) = x.max_by(|a, b| a.version.cmp(&b.version)) {
                    edits.push(vec![
                        (b.clone(), b_version.to_string()),
                        (shared.clone(), series(&x.version)),
                    ]);
                }
            }
            _ => {}
        }
        edits
    }
}

/// What a release requires of X, itself or by way of the crate it re-exports.
fn requirement_through(release: &Release, holder: &PackageId, x: &str, releases: Releases<'_>) -> Option<VersionReq> {
    if let Some(requirement) = release.requirement(x) {
        return Some(requirement.clone());
    }
    let of_holder = release.requirement(&holder.name)?;
    let mut holders = releases(&holder.name)?;
    holders.retain(|r| r.is_usable() && of_holder.matches(&r.version));
    holders.last()?.requirement(x).cloned()
}

/// The shortest requirement that means the version's series: `0.27`, `2.1`.
pub(crate) fn series(version: &Version) -> String {
    if version.major == 0 && version.minor == 0 {
        version.to_string()
    } else {
        format!("{}.{}", version.major, version.minor)
    }
}

/// The usable releases of a package, the nearest to its own version first, the newer one of two equally near.
fn nearest(releases: Releases<'_>, package: &PackageId) -> Vec<Release> {
    let mut releases = releases(&package.name).unwrap_or_default();
    releases.retain(Release::is_usable);
    let here = releases.partition_point(|r| r.version < package.version);
    let mut numbered: Vec<(usize, Release)> = releases.into_iter().enumerate().collect();
    numbered.sort_by_key(|(index, _)| (index.abs_diff(here), index < &here));
    numbered.into_iter().map(|(_, release)| release).collect()
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
    let mut added: Vec<&PackageId> = Vec::new();
    for (id, dependencies) in &old {
        let Some(now) = new.get(id) else { continue };
        for other in dependencies.difference(now) {
            let is_meant = steps.iter().any(|step| match step {
                Step::Redirect { from, old, new } => id == &from && (*other == old || *other == new),
                Step::Precise { package, to } => {
                    other.name == package.name && (other.version == package.version || other.version == *to)
                }
                Step::Align { from, new } => id == &from && other.name == new.name,
            });
            // An edge that is only gone belonged to a feature that nobody turns on any more; one that leads elsewhere now is
            // a change, unless it follows to a release that was moved anyway.
            let is_led_elsewhere = now
                .iter()
                .any(|new| new.name == other.name && !dependencies.contains(new) && !is_moved(steps, new));
            if !is_meant && is_led_elsewhere {
                return Err(format!("it also changed the edge {id} → {other}"));
            }
        }
        // Edges that are only added follow from the move: features it turns on.
        added.extend(now.difference(dependencies).copied());
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
        .chain(added)
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

fn is_moved(steps: &[Step], id: &PackageId) -> bool {
    steps
        .iter()
        .any(|step| matches!(step, Step::Precise { package, to } if id.name == package.name && id.version == *to))
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
    /// There are more findings than cures were sought for.
    pub(crate) is_cut: bool,
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
    /// Features that may be missed after it.
    pub(crate) lost: Vec<String>,
}

/// A diamond that no change of the lock ends.
#[derive(Clone, Debug)]
pub(crate) struct Blocked {
    pub(crate) meeting: Meeting,
    /// Candidates with the reason each failed.
    pub(crate) tried: Vec<(String, String)>,
    /// Admissible releases that were looked at.
    pub(crate) n_admissible: usize,
    /// Candidates for the lock that were left out.
    pub(crate) n_untried: usize,
    pub(crate) blocker: super::blocker::Blocker,
}

/// What `--unify` came to.
#[derive(Debug, Default)]
pub(crate) struct Unified {
    /// Changes of the lock, in their order.
    pub(crate) steps: Vec<String>,
    /// Who stays on another version, and why.
    pub(crate) cannot: Vec<(String, String)>,
    pub(crate) help: Vec<String>,
    /// Splits that the change brings.
    pub(crate) appears: Vec<String>,
    pub(crate) diff: String,
    pub(crate) backup: Option<String>,
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
