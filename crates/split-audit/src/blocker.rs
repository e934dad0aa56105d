//! What stands in the way where no change of the lock cures a diamond, and what to write into the manifest.

use semver::Version;

use crate::{cure::Situation, graph::Graph, index::Release, lock::PackageId, manifest, requirement, why};

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
    /// Lines to write into a manifest, any one of which helps.
    pub(crate) advice: Vec<Advice>,
}

/// A line to write into a manifest by hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Advice {
    /// The member whose manifest it is.
    pub(crate) member: PackageId,
    /// The dependency whose line is to be replaced.
    pub(crate) dependency: String,
    /// The version to write there, or nothing where a newer release of the dependency must first be looked for.
    pub(crate) version: Option<String>,
    /// `wgpu-hal = "28.0.0"`, as it fits into the manifest.
    pub(crate) line: String,
    /// File and line of what it replaces.
    pub(crate) place: Option<String>,
}

impl Advice {
    fn new(member: PackageId, dependency: &str, version: String) -> Self {
        Self {
            member,
            dependency: dependency.to_owned(),
            line: format!("{dependency} = \"{version}\""),
            version: Some(version),
            place: None,
        }
    }

    /// Fits the advice into a manifest, if that is where the dependency is declared. Returns whether it is.
    pub(crate) fn fit(&mut self, label: &str, manifest: &str) -> bool {
        let Some(version) = &self.version else {
            return false;
        };
        let Some(line) = manifest::with_version(manifest, &self.dependency, version) else {
            return false;
        };
        self.place = Some(format!("{label}:{}", line.number));
        self.line = line.rewritten;
        true
    }
}

impl Blocker {
    /// Finds the way out of a diamond that the lock cannot cure.
    pub(crate) fn find(situation: &Situation, graph: &Graph, releases: &dyn Fn(&str) -> Option<Vec<Release>>) -> Self {
        let m = &situation.meeting;
        let shared = &m.child_uses.name;
        let sentence = if situation.can_agree() {
            format!(
                "no change of the lock that was tried is accepted: {} requires {shared} {}, {} requires {shared} {}",
                m.child, m.child_requirement, m.parent, m.parent_requirement
            )
        } else {
            format!(
                "{} requires {shared} {}, {} requires {shared} {}: no version is both",
                m.child, m.child_requirement, m.parent, m.parent_requirement
            )
        };
        let mut blocker = Self {
            sentence,
            ..Self::default()
        };
        // Raising B helps whoever A is; raising A is possible only where it is published.
        let sides = [
            (&m.child, &situation.parent_requires),
            (&m.parent, &situation.child_requires),
        ];
        for (package, other_requires) in sides {
            if blocker.first_release.is_some() || package.source.is_none() {
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
            if let Some((member, direct, _)) = top {
                let advice = if direct.name == package.name {
                    Advice::new(member, &package.name, release.version.to_string())
                } else {
                    Advice {
                        line: format!(
                            "a release of {} that requires {} {} or newer",
                            direct.name, package.name, release.version
                        ),
                        version: None,
                        place: None,
                        member,
                        dependency: direct.name,
                    }
                };
                blocker.advice.push(advice);
            }
        }
        if m.is_parent_member {
            blocker
                .advice
                .push(Advice::new(m.parent.clone(), shared, series(&m.child_uses.version)));
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

/// The shortest requirement that means the version's series: `0.27`, `2.1`.
fn series(version: &Version) -> String {
    if version.major == 0 && version.minor == 0 {
        version.to_string()
    } else {
        format!("{}.{}", version.major, version.minor)
    }
}
