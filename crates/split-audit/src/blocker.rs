//! What stands in the way where no change of the lock cures a diamond, and what to write into the manifest.

use semver::Version;

use crate::{cure::Situation, graph::Graph, index::Release, lock::PackageId, requirement, why};

/// Why the lock cannot cure a diamond.
#[derive(Clone, Debug, Default)]
pub(crate) struct Blocker {
    /// The requirements that do not meet, as a sentence.
    pub(crate) sentence: String,
    /// The package to be raised, who requires it, by which requirement.
    pub(crate) required_by: Option<(PackageId, String)>,
    /// The first release that would help.
    pub(crate) first_release: Option<(String, Version)>,
    /// Where releases could not be looked up.
    pub(crate) index_note: Option<String>,
    /// The member, its dependency and the version that may help: to be tried.
    pub(crate) raise: Option<(PackageId, String, String)>,
    /// What helps, any one of which, each tried.
    pub(crate) advice: Vec<Advice>,
}

/// Lines to write into manifests, together; tried on a shadow copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Advice {
    pub(crate) lines: Vec<AdviceLine>,
    /// A command to be run after they are written.
    pub(crate) then: Option<String>,
}

/// One line of a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AdviceLine {
    /// The member whose manifest it is.
    pub(crate) member: PackageId,
    /// The dependency whose line is to be replaced.
    pub(crate) dependency: String,
    /// `wgpu-hal = "28.0.0"`, as it fits into the manifest.
    pub(crate) line: String,
    /// File and line of what it replaces.
    pub(crate) place: String,
}

impl Blocker {
    /// Finds the way out of a diamond that the lock cannot cure.
    pub(crate) fn find(situation: &Situation, graph: &Graph, releases: &dyn Fn(&str) -> Option<Vec<Release>>) -> Self {
        let m = &situation.meeting;
        let shared = &m.child_uses.name;
        let own = m.other.as_ref().map_or(&m.parent, |other| &other.holder);
        let sentence = if situation.can_agree() {
            format!(
                "no change of the lock that was tried is accepted: {} requires {shared} {}, {} requires {shared} {}",
                m.holder, m.child_requirement, own, m.parent_requirement
            )
        } else {
            format!(
                "{} requires {shared} {}, {} requires {shared} {}: no version is both",
                m.holder, m.child_requirement, own, m.parent_requirement
            )
        };
        let mut blocker = Self {
            sentence,
            ..Self::default()
        };
        // Raising B helps whoever A is; raising A is possible only where it is published.
        let sides = [
            (&m.child, &situation.parent_requires),
            (
                m.other.as_ref().map_or(&m.parent, |other| &other.package),
                &situation.child_requires,
            ),
        ];
        for (package, other_requires) in sides {
            if blocker.first_release.is_some() || !package.is_from_registry() {
                continue;
            }
            let top = top_requirer(graph, package);
            blocker.required_by = blocker.required_by.or_else(|| {
                top.as_ref()
                    .map(|(member, _, requirement)| (member.clone(), requirement.clone()))
            });
            let Some(known) = releases(&package.name) else {
                blocker.index_note = Some(format!(
                    "the registry's index has no readable entry for {} here, so which release helps is not known",
                    package.name
                ));
                continue;
            };
            let helps = |release: &&Release| {
                release.is_usable()
                    && release.version > package.version
                    && release
                        .requirement(shared)
                        .is_some_and(|req| other_requires.iter().all(|other| requirement::overlap(other, req)))
            };
            let Some(release) = known.iter().find(helps) else {
                continue;
            };
            blocker.first_release = Some((package.name.clone(), release.version.clone()));
            if let Some((member, direct, _)) = top
                && direct.name == package.name
            {
                blocker.raise = Some((member, package.name.clone(), release.version.to_string()));
            }
        }
        blocker
    }
}

/// The member that pulls a package in by the shortest way, the direct dependency this goes through, and the
/// requirement on it.
fn top_requirer(graph: &Graph, package: &PackageId) -> Option<(PackageId, PackageId, String)> {
    let index = graph.packages.iter().position(|p| p.id == *package)?;
    let paths = why::paths(graph, index);
    let (from, edge) = paths.first()?.first()?;
    Some((
        graph.packages[*from].id.clone(),
        graph.packages[edge.to].id.clone(),
        edge.requirement(),
    ))
}
