//! Cargo.lock as packages and edges that know their line, with its text kept byte for byte.

use std::{collections::HashMap, ops::Range};

use semver::Version;
use serde::Deserialize;
use toml::Spanned;

use crate::error::Error;

/// The newest lock format this tool has been checked against. Cargo 1.95 reads no newer one either.
const NEWEST_FORMAT: u32 = 4;

/// A parsed Cargo.lock.
#[derive(Clone, Debug)]
pub struct Lock {
    /// What to call the file in messages.
    pub label: String,
    /// The file, byte for byte.
    pub text: String,
    /// In the order of the file.
    pub packages: Vec<LockPackage>,
    /// Edges that lead to no package, as careless merges leave them. Cargo forgets them and resolves anew.
    pub dangling: Vec<Dangling>,
}

/// An edge to a package that the lock does not have.
#[derive(Clone, Debug)]
pub struct Dangling {
    /// Counted from 1.
    pub line: usize,
    /// Whose edge it is.
    pub package: PackageId,
    /// `name version`.
    pub entry: String,
}

/// One `[[package]]`.
#[derive(Clone, Debug)]
pub struct LockPackage {
    /// Name, version and source.
    pub id: PackageId,
    /// Line of its `name`, counted from 1.
    pub line: usize,
    /// In the order of the file.
    pub dependencies: Vec<LockEdge>,
}

/// One entry of a package's `dependencies`.
#[derive(Clone, Debug)]
pub struct LockEdge {
    /// Index into [`Lock::packages`].
    pub to: usize,
    /// Counted from 1.
    pub line: usize,
    /// Bytes of the quoted string, quotes included.
    span: Range<usize>,
}

/// What makes two packages the same one for the compiler: equal versions from two sources are still two sets of types.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PackageId {
    /// As published.
    pub name: String,
    /// Exact.
    pub version: Version,
    /// `None` for workspace members and path dependencies.
    pub source: Option<String>,
}

impl PackageId {
    /// What comes from git or a path is never exchanged for a registry's package of its name.
    pub fn is_from_registry(&self) -> bool {
        let source = self.source.as_deref().unwrap_or_default();
        source.starts_with("registry+") || source.starts_with("sparse+")
    }
}

impl std::fmt::Display for PackageId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.name, self.version)
    }
}

#[derive(Deserialize)]
struct RawLock {
    version: Option<Spanned<u32>>,
    #[serde(default)]
    package: Vec<RawPackage>,
    /// Where locks of before 2017 keep the root package.
    root: Option<RawPackage>,
}

#[derive(Deserialize)]
struct RawPackage {
    name: Spanned<String>,
    version: Spanned<String>,
    source: Option<String>,
    #[serde(default)]
    dependencies: Vec<Spanned<String>>,
}

impl Lock {
    /// Parses the text of a lock; `label` names the file in errors.
    ///
    /// # Errors
    /// Merge markers, invalid TOML, versions that are none, and a format newer than 4, each with its line.
    pub fn parse(label: &str, text: &str) -> Result<Self, Error> {
        let lines = Lines::new(text);
        if let Some((index, marker)) = merge_marker(text) {
            return Err(Error::LockMergeMarker {
                lock: label.to_owned(),
                line: index + 1,
                marker: marker.to_owned(),
            });
        }
        let raw: RawLock = toml::from_str(text).map_err(|error| Error::toml(label, text, &error))?;
        if let Some(version) = &raw.version
            && *version.get_ref() > NEWEST_FORMAT
        {
            return Err(Error::LockTooNew {
                lock: label.to_owned(),
                line: lines.at(version.span().start),
                found: *version.get_ref(),
                known: NEWEST_FORMAT,
            });
        }
        let raw_packages: Vec<RawPackage> = raw.root.into_iter().chain(raw.package).collect();
        if raw_packages.is_empty() {
            return Err(Error::LockEmpty { lock: label.to_owned() });
        }
        let mut packages = Vec::with_capacity(raw_packages.len());
        for raw in &raw_packages {
            let version = Version::parse(raw.version.get_ref()).map_err(|error| Error::Lock {
                lock: label.to_owned(),
                line: lines.at(raw.version.span().start),
                what: format!("`{}` is not a version: {error}", raw.version.get_ref()),
            })?;
            packages.push(LockPackage {
                id: PackageId {
                    name: raw.name.get_ref().clone(),
                    version,
                    source: raw.source.clone(),
                },
                line: lines.at(raw.name.span().start),
                dependencies: Vec::new(),
            });
        }
        let mut by_name: HashMap<&str, Vec<usize>> = HashMap::new();
        for (index, raw) in raw_packages.iter().enumerate() {
            by_name.entry(raw.name.get_ref()).or_default().push(index);
        }
        let mut dangling = Vec::new();
        for (index, raw) in raw_packages.iter().enumerate() {
            let mut edges = Vec::with_capacity(raw.dependencies.len());
            for edge in &raw.dependencies {
                let line = lines.at(edge.span().start);
                let Some(to) = target(edge.get_ref(), &packages, &by_name) else {
                    dangling.push(Dangling {
                        line,
                        package: packages[index].id.clone(),
                        entry: edge.get_ref().clone(),
                    });
                    continue;
                };
                edges.push(LockEdge {
                    to,
                    line,
                    span: edge.span(),
                });
            }
            packages[index].dependencies = edges;
        }
        Ok(Self {
            label: label.to_owned(),
            text: text.to_owned(),
            packages,
            dangling,
        })
    }

    /// The package of this identity, if the lock has it.
    pub fn find(&self, id: &PackageId) -> Option<&LockPackage> {
        self.packages.iter().find(|package| package.id == *id)
    }

    /// The edge from one package to another, if the lock has it.
    pub fn edge(&self, from: &PackageId, to: &PackageId) -> Option<&LockEdge> {
        self.find(from)?
            .dependencies
            .iter()
            .find(|edge| self.packages[edge.to].id == *to)
    }

    /// The text with the edge `from → old` led to `new` instead; nothing where the lock lacks one of the three.
    pub fn redirected(&self, from: &PackageId, old: &PackageId, new: &PackageId) -> Option<String> {
        let edge = self.edge(from, old)?;
        self.find(new)?;
        let same_version = self
            .packages
            .iter()
            .filter(|p| p.id.name == new.name && p.id.version == new.version)
            .count();
        let entry = match &new.source {
            Some(source) if same_version > 1 => format!("\"{new} ({source})\""),
            _ => format!("\"{new}\""),
        };
        let mut text = self.text.clone();
        text.replace_range(edge.span.clone(), &entry);
        Some(text)
    }
}

/// Finds the package an edge's text means: `name`, `name version` or `name version (source)`.
fn target(entry: &str, packages: &[LockPackage], by_name: &HashMap<&str, Vec<usize>>) -> Option<usize> {
    let mut words = entry.splitn(3, ' ');
    let candidates = by_name.get(words.next()?)?;
    let Some(version) = words.next() else {
        return candidates.first().copied().filter(|_| candidates.len() == 1);
    };
    let source = words.next().map(|s| s.trim_start_matches('(').trim_end_matches(')'));
    let is_meant = |index: &&usize| {
        let id = &packages[**index].id;
        id.version.to_string() == version
            && source.is_none_or(|wanted| {
                // A git source in an edge may lack the commit that the package's own entry carries.
                id.source
                    .as_deref()
                    .is_some_and(|s| s == wanted || s.split('#').next() == Some(wanted))
            })
    };
    let mut meant = candidates.iter().filter(is_meant);
    let first = meant.next()?;
    meant.next().is_none().then_some(*first).or_else(|| {
        // Old formats leave the source out for a path package whose registry namesake is also there.
        candidates
            .iter()
            .filter(is_meant)
            .find(|index| packages[**index].id.source.is_none())
            .copied()
    })
}

fn merge_marker(text: &str) -> Option<(usize, &str)> {
    text.lines()
        .enumerate()
        .find(|(_, line)| line.starts_with("<<<<<<<") || line.starts_with(">>>>>>>") || line.starts_with("|||||||"))
}

/// Byte offsets to lines.
pub(crate) struct Lines {
    starts: Vec<usize>,
}

impl Lines {
    pub(crate) fn new(text: &str) -> Self {
        let newlines = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        Self {
            starts: newlines.map(|(index, _)| index + 1).collect(),
        }
    }

    /// The line of a byte offset, counted from 1.
    pub(crate) fn at(&self, offset: usize) -> usize {
        self.starts.partition_point(|start| *start <= offset) + 1
    }
}
