//! Spares the second revision the dependencies that the first one compiled: what cargo made from packages of
//! registries is copied, with the times that cargo compares. Cargo decides itself what of it is fresh: another
//! version, feature, flag or compiler has another name or fingerprint. Packages of the tree are never copied, as
//! cargo knows those by the times of their files alone.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use memchr::memmem;

use super::{error::Error, files};

/// Copies what was made from `of_registries` out of `from` into the empty target folder `to`.
pub(super) fn copy(of_registries: &[PathBuf], from: &Path, to: &Path) -> Result<(), Error> {
    let mut units = BTreeSet::new();
    for file in of_registries {
        units.extend(Unit::of(file, from));
    }
    let names_its_folder = |unit: &Unit| -> Result<bool, Error> {
        for file in unit.libraries()? {
            let content = fs::read(&file).map_err(Error::io("read", &file))?;
            // It would read files in the first revision's folder when it runs, which may be gone one day.
            if memmem::find(
                &content,
                from.join(&unit.profile).join("build").to_string_lossy().as_bytes(),
            )
            .is_some()
            {
                return Ok(true);
            }
        }
        Ok(false)
    };
    for unit in &units {
        if !names_its_folder(unit)? {
            unit.copy(from, to)?;
        }
    }
    let info = from.join(".rustc_info.json");
    if info.is_file() {
        fs::create_dir_all(to).map_err(Error::io("create", to))?;
        files::copy_with_times(&info, &to.join(".rustc_info.json"))?;
    }
    Ok(())
}

/// What cargo built in one go: files whose names end with the same hash.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Unit {
    /// The target folder's part for a profile, as `release`.
    profile: PathBuf,
    /// Where the files lie: the whole path.
    folder: PathBuf,
    hash: String,
    /// Whether a folder of `build` is meant.
    is_build: bool,
}

impl Unit {
    fn of(file: &Path, target: &Path) -> Option<Self> {
        let folder = file.parent()?;
        let is_build = !folder.ends_with("deps");
        // …/release/deps/libname-hash.rlib, …/release/build/name-hash/out, …/release/build/name-hash/build-script-build
        let (named, profile) = if is_build {
            (
                folder,
                folder.parent().filter(|build| build.ends_with("build"))?.parent()?,
            )
        } else {
            (file, folder.parent()?)
        };
        let stem = if is_build {
            named.file_name()?.to_str()?
        } else {
            named.file_stem()?.to_str()?
        };
        let (_, hash) = stem.rsplit_once('-')?;
        let is_hash = hash.len() == 16 && hash.chars().all(|c| c.is_ascii_hexdigit());
        is_hash.then(|| Self {
            profile: profile
                .strip_prefix(target)
                .ok()
                .map(Path::to_owned)
                .unwrap_or_default(),
            folder: folder.to_owned(),
            hash: hash.to_owned(),
            is_build,
        })
    }

    fn files(&self) -> Result<Vec<PathBuf>, Error> {
        if self.is_build {
            return Ok(vec![self.folder.clone()]);
        }
        let mark = format!("-{}.", self.hash);
        let entries = fs::read_dir(&self.folder).map_err(Error::io("read", &self.folder))?;
        let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
        // A program of this hash has no ending.
        let end = format!("-{}", self.hash);
        Ok(paths
            .filter(|path| {
                let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
                name.contains(&mark) || name.ends_with(&end)
            })
            .collect())
    }

    fn libraries(&self) -> Result<Vec<PathBuf>, Error> {
        if self.is_build {
            return Ok(Vec::new());
        }
        let is_library = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "rlib");
        Ok(self.files()?.into_iter().filter(is_library).collect())
    }

    fn copy(&self, from: &Path, to: &Path) -> Result<(), Error> {
        let fingerprints = from.join(&self.profile).join(".fingerprint");
        let end = format!("-{}", self.hash);
        let entries = fs::read_dir(&fingerprints).map_err(Error::io("read", &fingerprints))?;
        let own = entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| {
            path.file_name()
                .and_then(|name| name.to_str())
                .is_some_and(|name| name.ends_with(&end))
        });
        for path in own.chain(self.files()?) {
            let place = path.strip_prefix(from).expect("it lies in the target folder");
            let to = to.join(place);
            if let Some(folder) = to.parent() {
                fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
            }
            if !to.exists() {
                files::copy_with_times(&path, &to)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_without_dependencies_has_only_the_compilers_facts() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        fs::create_dir(&from).unwrap();
        copy(&[], &from, &to).unwrap();
        assert!(!to.exists(), "cargo wrote nothing");
        fs::write(from.join(".rustc_info.json"), "{}").unwrap();
        copy(&[], &from, &to).unwrap();
        assert_eq!(fs::read_to_string(to.join(".rustc_info.json")).unwrap(), "{}");
    }
}
