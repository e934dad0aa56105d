//! Where the workspace and its lock are.

use std::path::{Path, PathBuf};

use super::{cargo::Cargo, read_lock};
use crate::{config::Config, error::Error, lock::Lock};

/// A workspace, or a lock alone.
#[derive(Debug)]
pub(super) struct Place {
    /// The folder of the root manifest.
    pub(super) root: PathBuf,
    /// The root manifest; beside the lock, and not necessarily there, where only the lock is read.
    pub(super) manifest: PathBuf,
    pub(super) manifest_label: String,
    pub(super) lock_path: PathBuf,
    pub(super) lock: Lock,
    pub(super) config: Config,
}

/// Finds what a path means: a folder, a Cargo.toml, or a Cargo.lock.
pub(super) fn locate(given: Option<&Path>, is_lock_only: bool, is_offline: bool) -> Result<Place, Error> {
    let path = given.unwrap_or(Path::new("."));
    let missing = || Error::NoManifest {
        path: path.display().to_string(),
    };
    let path = std::path::absolute(path).map_err(Error::io("find", path))?;
    if !path.exists() {
        return Err(missing());
    }
    if is_lock_only {
        let lock = if given.is_none() {
            nearest(&path, "Cargo.lock").unwrap_or_else(|| path.join("Cargo.lock"))
        } else if path.is_dir() {
            path.join("Cargo.lock")
        } else if path.extension().is_some_and(|extension| extension == "toml") {
            path.with_file_name("Cargo.lock")
        } else {
            path
        };
        let manifest = lock.with_file_name("Cargo.toml");
        return place(&manifest, &lock);
    }
    let manifest = if given.is_none() {
        nearest(&path, "Cargo.toml")
    } else if path.is_dir() {
        // A folder that is named is the one that is meant, not one above it.
        Some(path.join("Cargo.toml")).filter(|manifest| manifest.exists())
    } else if path.file_name().is_some_and(|name| name == "Cargo.lock") {
        Some(path.with_file_name("Cargo.toml")).filter(|manifest| manifest.exists())
    } else {
        Some(path.clone()).filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
    };
    let manifest = manifest.ok_or_else(missing)?;
    let text = std::fs::read_to_string(&manifest).map_err(Error::io("read", &manifest))?;
    let parsed: toml::Table = toml::from_str(&text).map_err(|error| Error::toml(&label(&manifest), &text, &error))?;
    let root = if parsed.contains_key("workspace") {
        manifest
    } else {
        let folder = manifest.parent().unwrap_or(&manifest);
        Cargo::new(folder, is_offline).workspace_root(&manifest)?
    };
    place(&root, &root.with_file_name("Cargo.lock"))
}

fn place(manifest: &Path, lock_path: &Path) -> Result<Place, Error> {
    let lock_label = label(lock_path);
    if !lock_path.exists() {
        return Err(Error::NoLock { lock: lock_label });
    }
    let manifest_label = label(manifest);
    let config = if manifest.exists() {
        let text = std::fs::read_to_string(manifest).map_err(Error::io("read", manifest))?;
        Config::parse(&manifest_label, &text)?
    } else {
        Config::default()
    };
    Ok(Place {
        root: manifest.parent().unwrap_or(manifest).to_owned(),
        manifest: manifest.to_owned(),
        manifest_label,
        lock_path: lock_path.to_owned(),
        lock: read_lock(lock_path, &lock_label)?,
        config,
    })
}

/// The file of this name in a folder or the nearest one above it.
fn nearest(folder: &Path, name: &str) -> Option<PathBuf> {
    let mut candidates = folder.ancestors().map(|folder| folder.join(name));
    candidates.find(|candidate| candidate.exists())
}

/// A path as seen from where the command runs, as annotations need it.
pub(super) fn label(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    let shown = path.strip_prefix(&here).unwrap_or(path);
    shown.display().to_string().replace('\\', "/")
}
