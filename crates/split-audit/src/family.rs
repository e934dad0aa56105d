//! Crates that are released together, from `data/families.csv`: a manifest moves them together or not at all.

use semver::Version;
use serde::Deserialize;

use crate::{
    cure::{Releases, series},
    error::Error,
    lock::PackageId,
};

const TABLE: &str = include_str!("../data/families.csv");

/// The families.
#[derive(Debug)]
pub(crate) struct Families {
    rows: Vec<Row>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    family: String,
    /// A name, or the beginning of names and a `*`.
    #[serde(rename = "crate")]
    pattern: String,
    /// Where it can be read that they belong together.
    source: String,
}

impl Families {
    /// The table that is part of the program.
    ///
    /// # Errors
    /// A row that is no row, or lacks its source.
    pub(crate) fn built_in() -> Result<Self, Error> {
        Self::parse("data/families.csv", TABLE)
    }

    fn parse(file: &str, text: &str) -> Result<Self, Error> {
        let wrong = |what: String| Error::Config {
            file: file.to_owned(),
            what,
        };
        let mut reader = csv::ReaderBuilder::new()
            .comment(Some(b'#'))
            .from_reader(text.as_bytes());
        let rows: Result<Vec<Row>, _> = reader.deserialize().collect();
        let rows = rows.map_err(|error| wrong(error.to_string()))?;
        match rows.iter().find(|row| row.source.trim().is_empty()) {
            Some(row) => Err(wrong(format!("the row {},{} names no source", row.family, row.pattern))),
            None => Ok(Self { rows }),
        }
    }

    fn of(&self, name: &str) -> Option<&str> {
        let row = self.rows.iter().find(|row| match row.pattern.strip_suffix('*') {
            Some(start) => name.starts_with(start),
            None => name == row.pattern,
        });
        row.map(|row| row.family.as_str())
    }

    /// Edits of a manifest, and with them those of the same family among its dependencies `declared` that the edited releases
    /// would leave behind.
    pub(crate) fn together(
        &self,
        mut edits: Vec<(String, String)>,
        declared: &[PackageId],
        releases: Releases<'_>,
    ) -> Vec<(String, String)> {
        for (name, written) in edits.clone() {
            let Some(family) = self.of(&name) else { continue };
            let Some(moved) = newest_of(releases, &name, &written) else {
                continue;
            };
            for other in declared.iter().filter(|id| id.is_from_registry() && id.name != name) {
                let is_edited = edits.iter().any(|(edited, _)| *edited == other.name);
                if is_edited || self.of(&other.name) != Some(family) {
                    continue;
                }
                if let Some(version) = beside(releases, (&name, &moved), other) {
                    edits.push((other.name.clone(), series(&version)));
                }
            }
        }
        edits
    }
}

/// The newest release that a version, as it is written, admits.
fn newest_of(releases: Releases<'_>, name: &str, written: &str) -> Option<Version> {
    let requirement = semver::VersionReq::parse(written).ok()?;
    let releases = releases(name)?.into_iter();
    let admitted = releases.filter(|r| r.is_usable() && requirement.matches(&r.version));
    admitted.map(|r| r.version).max()
}

/// The version of `other` that goes with a release of another crate; nothing where the one there is goes with it, or where
/// the two do not depend on each other.
fn beside(releases: Releases<'_>, (name, version): (&str, &Version), other: &PackageId) -> Option<Version> {
    let usable = |name: &str| {
        let mut list = releases(name).unwrap_or_default();
        list.retain(crate::index::Release::is_usable);
        list
    };
    let others = usable(&other.name);
    let release = usable(name).into_iter().find(|r| r.version == *version)?;
    if let Some(required) = release.requirement(&other.name) {
        let fits = others
            .iter()
            .filter(|r| required.matches(&r.version))
            .map(|r| &r.version);
        return fits.max().filter(|_| !required.matches(&other.version)).cloned();
    }
    let requires = |r: &&crate::index::Release| r.requirement(name).is_some_and(|req| req.matches(version));
    let here = others.iter().find(|r| r.version == other.version)?;
    here.requirement(name)?;
    if requires(&here) {
        return None;
    }
    others.iter().filter(requires).map(|r| r.version.clone()).max()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::Release;

    fn release(version: &str, requires: &[(&str, &str)]) -> Release {
        Release {
            version: version.parse().unwrap(),
            is_yanked: false,
            published: None,
            dependencies: requires
                .iter()
                .map(|(n, r)| ((*n).to_owned(), r.parse().unwrap()))
                .collect(),
        }
    }

    #[test]
    fn a_family_moves_together() {
        let families = Families::built_in().unwrap();
        let releases = |name: &str| match name {
            "windows" => Some(vec![
                release("0.61.3", &[("windows-future", "^0.2.1")]),
                release("0.62.2", &[("windows-future", "^0.3.2")]),
            ]),
            "windows-future" => Some(vec![release("0.2.1", &[]), release("0.3.2", &[])]),
            "opentelemetry" => Some(vec![release("0.24.0", &[]), release("0.25.0", &[])]),
            "tracing-opentelemetry" => Some(vec![
                release("0.25.0", &[("opentelemetry", "^0.24")]),
                release("0.26.0", &[("opentelemetry", "^0.25")]),
            ]),
            _ => None,
        };
        let id = |name: &str, version: &str, source: &str| PackageId {
            name: name.to_owned(),
            version: version.parse().unwrap(),
            source: Some(source.to_owned()),
        };
        let registry = "registry+https://r";
        let cases: [(&str, &str, PackageId, &[&str]); 6] = [
            (
                "windows",
                "0.62",
                id("windows-future", "0.2.1", registry),
                &["windows-future 0.3"],
            ),
            ("windows", "0.61", id("windows-future", "0.2.1", registry), &[]),
            ("windows", "0.62", id("windows-future", "0.2.1", "git+https://r#1"), &[]),
            (
                "opentelemetry",
                "0.25",
                id("tracing-opentelemetry", "0.25.0", registry),
                &["tracing-opentelemetry 0.26"],
            ),
            (
                "opentelemetry",
                "0.24",
                id("tracing-opentelemetry", "0.25.0", registry),
                &[],
            ),
            ("windows", "0.62", id("tracing-opentelemetry", "0.25.0", registry), &[]),
        ];
        for (name, version, other, expected) in cases {
            let edits = vec![(name.to_owned(), version.to_owned())];
            let moved = families.together(edits, std::slice::from_ref(&other), &releases);
            let shown: Vec<String> = moved[1..]
                .iter()
                .map(|(name, version)| format!("{name} {version}"))
                .collect();
            assert_eq!(shown, expected, "{name} {version} beside {other}");
        }
    }

    #[test]
    fn a_row_without_source_is_refused() {
        let error = Families::parse("t.csv", "family,crate,source\na,b,\n").unwrap_err();
        assert_eq!(error.to_string(), "t.csv: the row a,b names no source");
    }
}
