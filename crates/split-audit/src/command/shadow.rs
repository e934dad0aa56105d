//! A copy of a workspace that cargo can resolve but not build: its manifests, sources and a lock, without the rest.

use std::{
    collections::BTreeSet,
    path::{Component, Path, PathBuf},
};

use super::{cargo::Cargo, locate::Place, read_lock, resolve::Audited};
use crate::{error::Error, lock::Lock};

/// The copy. Dropping it removes it.
#[derive(Debug)]
pub(super) struct Shadow {
    folder: tempfile::TempDir,
    /// What the copy's folder stands for.
    base: PathBuf,
    pub(super) manifest: PathBuf,
    lock: PathBuf,
    lock_label: String,
}

impl Shadow {
    /// Copies what resolution reads: the manifests of members and of every package they name by path, wherever it lies,
    /// in the same places relative to each other.
    pub(super) fn new(cargo: &Cargo, place: &Place, audited: &Audited) -> Result<Self, Error> {
        let mut manifests: BTreeSet<PathBuf> = BTreeSet::new();
        let mut open = vec![place.manifest.clone()];
        let members = cargo.members(&place.manifest)?;
        open.extend(members.packages.into_iter().map(|p| p.manifest_path.into()));
        for context in &audited.contexts {
            let local = context.graph.packages.iter().filter(|p| p.id.source.is_none());
            open.extend(local.filter_map(|package| package.manifest.clone()));
        }
        while let Some(manifest) = open.pop() {
            let manifest = normal(&manifest);
            if manifests.insert(manifest.clone()) {
                let text = std::fs::read_to_string(&manifest).map_err(Error::io("read", &manifest))?;
                // What does not parse here, cargo has already read or will never read.
                let parsed: toml::Table = toml::from_str(&text).unwrap_or_default();
                let folder = manifest.parent().unwrap_or(&manifest);
                named_by_path(&toml::Value::Table(parsed), folder, &mut open);
            }
        }
        let base = common_folder(&manifests);
        let folder = tempfile::tempdir().map_err(Error::io("create", &std::env::temp_dir()))?;
        let to_shadow = |path: &Path| folder.path().join(path.strip_prefix(&base).unwrap_or(path));
        for manifest in &manifests {
            let to = to_shadow(manifest);
            let (from_folder, to_folder) = (manifest.parent(), to.parent());
            if let (Some(from_folder), Some(to_folder)) = (from_folder, to_folder) {
                std::fs::create_dir_all(to_folder).map_err(Error::io("create", to_folder))?;
                copy_sources(from_folder, to_folder)?;
            }
            std::fs::copy(manifest, &to).map_err(Error::io("copy", manifest))?;
        }
        let manifest = to_shadow(&normal(&place.manifest));
        Ok(Self {
            lock: manifest.with_file_name("Cargo.lock"),
            lock_label: place.lock.label.clone(),
            manifest,
            folder,
            base,
        })
    }

    pub(super) fn write_lock(&self, text: &str) -> Result<(), Error> {
        std::fs::write(&self.lock, text).map_err(Error::io("write", &self.lock))
    }

    /// The copy's file for one of the workspace's.
    fn place_of(&self, path: &Path) -> PathBuf {
        let path = normal(path);
        self.folder.path().join(path.strip_prefix(&self.base).unwrap_or(&path))
    }

    /// Writes a manifest of the copy.
    pub(super) fn write_manifest(&self, path: &Path, text: &str) -> Result<(), Error> {
        let to = self.place_of(path);
        std::fs::write(&to, text).map_err(Error::io("write", &to))
    }

    /// Makes a manifest of the copy what it is in the workspace.
    pub(super) fn restore_manifest(&self, path: &Path) -> Result<(), Error> {
        let text = std::fs::read_to_string(path).map_err(Error::io("read", path))?;
        self.write_manifest(path, &text)
    }

    pub(super) fn read_lock(&self) -> Result<Lock, Error> {
        read_lock(&self.lock, &self.lock_label)
    }
}

/// Every `path = "…"` below a value that leads to a package.
fn named_by_path(value: &toml::Value, folder: &Path, found: &mut Vec<PathBuf>) {
    match value {
        toml::Value::Table(table) => {
            for (key, value) in table {
                match value {
                    toml::Value::String(path) if key == "path" && !Path::new(path).is_absolute() => {
                        let manifest = folder.join(path).join("Cargo.toml");
                        if manifest.is_file() {
                            found.push(manifest);
                        }
                    }
                    _ => named_by_path(value, folder, found),
                }
            }
        }
        toml::Value::Array(values) => {
            for value in values {
                named_by_path(value, folder, found);
            }
        }
        _ => {}
    }
}

/// Cargo finds targets by their files, and the audit looks at what they use.
fn copy_sources(from: &Path, to: &Path) -> Result<(), Error> {
    for entry in std::fs::read_dir(from).map_err(Error::io("read", from))? {
        let entry = entry.map_err(Error::io("read", from))?;
        let (path, name) = (entry.path(), entry.file_name());
        let is_hidden = name.to_string_lossy().starts_with('.');
        let kind = entry.file_type().map_err(Error::io("read", &path))?;
        if kind.is_dir() {
            let is_apart = is_hidden || name == "target" || path.join("Cargo.toml").exists();
            if !is_apart {
                copy_sources(&path, &to.join(&name))?;
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            std::fs::create_dir_all(to).map_err(Error::io("create", to))?;
            let copy = to.join(&name);
            std::fs::copy(&path, &copy).map_err(Error::io("copy", &path))?;
        }
    }
    Ok(())
}

/// Resolves `.` and `..` by name: links stay links, so that the copy has the same relative places.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                normal.pop();
            }
            other => normal.push(other),
        }
    }
    normal
}

fn common_folder(manifests: &BTreeSet<PathBuf>) -> PathBuf {
    let mut folders = manifests.iter().filter_map(|manifest| manifest.parent());
    let mut common = folders.next().unwrap_or(Path::new("/")).to_owned();
    for folder in folders {
        while !folder.starts_with(&common) && common.pop() {}
    }
    common
}
