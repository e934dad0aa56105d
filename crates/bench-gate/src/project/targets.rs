//! The bench targets of a revision, as its manifests have them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use cargo_metadata::{Metadata, Package, TargetKind};

use super::{cargo, error::Error, selection::Selection};

/// The benches of a revision that are wanted.
#[derive(Debug, Default)]
pub(super) struct Targets {
    /// Package and target of criterion benches, or of what may be one.
    pub(super) wanted: BTreeSet<(String, String)>,
    /// Names of packages by their id in cargo's messages.
    pub(super) packages: BTreeMap<String, String>,
    /// What is not measured, each a sentence with the way out.
    pub(super) left_out: Vec<String>,
    /// What was asked for by name and cannot be measured, with the reason.
    pub(super) missing: BTreeMap<String, String>,
}

/// Finds the manifest of the project in a tree: where it is in the user's, or where the package has moved.
pub(super) fn manifest(
    revision: &str,
    tree: &Path,
    within: &Path,
    names: &[String],
    manifests: &[PathBuf],
) -> Result<PathBuf, Error> {
    let here = tree.join(within).join("Cargo.toml");
    if here.is_file() {
        return Ok(here);
    }
    let is_named = |manifest: &&PathBuf| {
        let text = fs::read_to_string(manifest).unwrap_or_default();
        let table = text.parse::<toml::Table>().unwrap_or_default();
        let name = table.get("package").and_then(|package| package.get("name")?.as_str());
        name.is_some_and(|name| names.iter().any(|wanted| wanted == name))
    };
    if let Some(moved) = manifests.iter().find(is_named) {
        return Ok(moved.clone());
    }
    let mut there: Vec<String> = manifests
        .iter()
        .take(5)
        .map(|path| path.strip_prefix(tree).unwrap_or(path).display().to_string())
        .collect();
    if there.is_empty() {
        there.push("no Cargo.toml at all".to_owned());
    }
    let place = if within.as_os_str().is_empty() {
        "its top folder".to_owned()
    } else {
        format!("`{}`", within.display())
    };
    Err(Error::Lacks {
        revision: revision.to_owned(),
        message: format!(
            "it has no Cargo.toml in {place}, nor a package named {}; it has {}",
            if names.is_empty() {
                "there".to_owned()
            } else {
                names.join(" or ")
            },
            there.join(", ")
        ),
    })
}

/// Asks cargo for the workspace of a manifest.
pub(super) fn metadata(revision: &str, manifest: &Path, toolchain: Option<&str>) -> Result<Metadata, Error> {
    let folder = manifest.parent().expect("a manifest lies in a folder");
    let output = cargo::command(folder, toolchain)
        .args(["metadata", "--format-version", "1", "--no-deps"])
        .output()
        .map_err(|source| Error::Start {
            program: "cargo".to_owned(),
            source,
        })?;
    let lacks = |message: String| Error::Lacks {
        revision: revision.to_owned(),
        message,
    };
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(lacks(format!(
            "cargo does not take its {}: {}",
            manifest.display(),
            said.trim()
        )));
    }
    cargo_metadata::MetadataCommand::parse(String::from_utf8_lossy(&output.stdout))
        .map_err(|error| lacks(format!("cargo's metadata cannot be read: {error}")))
}

impl Targets {
    /// Those that are wanted of a workspace.
    pub(super) fn of(revision: &str, metadata: &Metadata, folder: &Path, selection: &Selection) -> Result<Self, Error> {
        let mut targets = Self::default();
        for package in &metadata.packages {
            targets
                .packages
                .insert(package.id.repr.clone(), package.name.to_string());
        }
        let packages = chosen(metadata, folder, selection);
        for name in &selection.packages {
            if !packages.iter().any(|package| package.name == *name) {
                let members = metadata.workspace_packages();
                let all: Vec<&str> = members.iter().map(|package| package.name.as_str()).collect();
                let there = format!("there are {}", all.join(", "));
                targets
                    .left_out
                    .push(format!("{revision} has no package `{name}`; {there}"));
                targets.missing.insert(format!("package `{name}`"), there);
            }
        }
        for package in &packages {
            targets.add(package, selection)?;
        }
        targets.name_missing(&packages, selection);
        Ok(targets)
    }

    /// Notes bench targets that were asked for, and that no package has or that are left out.
    fn name_missing(&mut self, packages: &[&Package], selection: &Selection) {
        let benches = packages.iter().flat_map(|package| &package.targets);
        let benches = benches.filter(|target| target.kind.contains(&TargetKind::Bench));
        let there: BTreeSet<&str> = benches.map(|target| target.name.as_str()).collect();
        for name in &selection.benches {
            if self.wanted.iter().any(|(_, target)| target == name) {
                continue;
            }
            let left_out = self
                .left_out
                .iter()
                .find(|note| note.starts_with(&format!("bench `{name}` ")));
            let why = left_out.cloned().unwrap_or_else(|| match there.is_empty() {
                true => "there is none".to_owned(),
                false => format!("there are {}", there.iter().copied().collect::<Vec<_>>().join(", ")),
            });
            self.missing.insert(format!("bench `{name}`"), why);
        }
    }

    fn add(&mut self, package: &Package, selection: &Selection) -> Result<(), Error> {
        let benches = package
            .targets
            .iter()
            .filter(|target| target.kind.contains(&TargetKind::Bench));
        let is_libtest = libtest(package.manifest_path.as_std_path())?;
        let features = features(package, selection);
        for bench in benches.filter(|bench| selection.benches.is_empty() || selection.benches.contains(&bench.name)) {
            let missing: Vec<&str> = bench
                .required_features
                .iter()
                .filter(|name| !features.contains(*name))
                .map(String::as_str)
                .collect();
            let name = format!("bench `{}` of {}", bench.name, package.name);
            if !missing.is_empty() {
                self.left_out.push(format!(
                    "{name} is left out: it requires features; add `--features {}`",
                    missing.join(",")
                ));
            } else if is_libtest(&bench.name) {
                self.left_out.push(format!(
                    "{name} is left out: it is a libtest bench; a criterion bench has `harness = false` in its `[[bench]]`"
                ));
            } else {
                self.wanted.insert((package.name.to_string(), bench.name.clone()));
            }
        }
        Ok(())
    }
}

/// The packages that `cargo bench` would take.
fn chosen<'a>(metadata: &'a Metadata, folder: &Path, selection: &Selection) -> Vec<&'a Package> {
    let members = metadata.workspace_packages();
    let of_folder = |package: &&Package| package.manifest_path.as_std_path().parent() == Some(folder);
    if !selection.packages.is_empty() {
        return members
            .into_iter()
            .filter(|package| selection.packages.contains(&package.name))
            .collect();
    }
    if selection.workspace {
        return members
            .into_iter()
            .filter(|package| !selection.exclude.contains(&package.name))
            .collect();
    }
    if folder != metadata.workspace_root.as_std_path() {
        return members.into_iter().filter(of_folder).collect();
    }
    if metadata.workspace_default_members.is_available() {
        return metadata.workspace_default_packages();
    }
    match members.iter().copied().find(of_folder) {
        Some(root) => vec![root],
        None => members,
    }
}

/// The features of a package that are on: those asked for, and what they turn on.
fn features(package: &Package, selection: &Selection) -> BTreeSet<String> {
    if selection.all_features {
        return package.features.keys().cloned().collect();
    }
    let mut open: Vec<String> = if selection.no_default_features {
        Vec::new()
    } else {
        vec!["default".to_owned()]
    };
    open.extend(
        selection
            .features
            .iter()
            .flat_map(|list| list.split([',', ' ']))
            .map(str::to_owned),
    );
    // A package that depends on itself in its tests and benches turns on features so.
    let itself = package
        .dependencies
        .iter()
        .filter(|dependency| dependency.name == package.name.as_str());
    open.extend(itself.flat_map(|dependency| dependency.features.iter().cloned()));
    let mut on = BTreeSet::new();
    while let Some(name) = open.pop() {
        let of_package = name.split_once('/').filter(|(of, _)| *of == package.name.as_str());
        let name = of_package.map_or(name.as_str(), |(_, name)| name).to_owned();
        if let Some(turns_on) = package.features.get(&name)
            && on.insert(name)
        {
            open.extend(turns_on.iter().cloned());
        }
    }
    on
}

/// Tells of a bench target's name whether libtest is its harness; cargo's metadata does not say so.
fn libtest(manifest: &Path) -> Result<impl Fn(&str) -> bool + use<>, Error> {
    let text = fs::read_to_string(manifest).map_err(Error::io("read", manifest))?;
    let table = text.parse::<toml::Table>().unwrap_or_default();
    let listed = table
        .get("bench")
        .and_then(toml::Value::as_array)
        .cloned()
        .unwrap_or_default();
    let without: BTreeSet<String> = listed
        .iter()
        .filter(|bench| bench.get("harness").and_then(toml::Value::as_bool) == Some(false))
        .filter_map(|bench| Some(bench.get("name")?.as_str()?.to_owned()))
        .collect();
    Ok(move |name: &str| !without.contains(name))
}
