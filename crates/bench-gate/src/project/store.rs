//! The folder outside of all projects where revisions have their trees and what cargo builds in them.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use sha2::{Digest as _, Sha256};

use super::{error::Error, tree};
use crate::lock::Lock;

/// Names another folder than the user's cache.
pub const CACHE_ENV: &str = "BENCH_GATE_CACHE";

/// Revisions of a project kept for the next comparison: base and head, and those of a short bisection.
const MAX_SLOTS: usize = 6;
/// How long a revision is kept that nobody asks for.
const MAX_AGE: Duration = Duration::from_secs(14 * 24 * 3600);
/// When a revision was asked for last: the time of this file. Its text says where the tree lies.
const USED: &str = "used";

/// The folder of a revision.
#[derive(Clone, Debug)]
pub(super) struct Slot {
    pub(super) folder: PathBuf,
    /// What stands for the folders around the repository.
    pub(super) surroundings: PathBuf,
    /// The repository's top folder.
    pub(super) tree: PathBuf,
    /// Cargo's target folder.
    pub(super) target: PathBuf,
}

/// The folder of one project. Held by one process at a time, over all projects: two measurements would disturb
/// each other. The system lets go of it when the process ends, however it ends.
#[derive(Debug)]
pub struct Store {
    folder: PathBuf,
    _lock: Lock,
}

impl Store {
    /// Takes the lock, and removes what killed processes and old comparisons left.
    ///
    /// # Errors
    /// [`Error::Lock`] if another process holds it.
    pub fn open(top: &Path) -> Result<Self, Error> {
        let root = root()?;
        fs::create_dir_all(&root).map_err(Error::io("create", &root))?;
        let lock = Lock::take(&root)?;
        let root = super::git::plain(root.canonicalize().map_err(Error::io("find", &root))?);
        let folder = root.join(key(&[&top.to_string_lossy()], 8));
        fs::create_dir_all(&folder).map_err(Error::io("create", &folder))?;
        let store = Self { folder, _lock: lock };
        store.tidy()?;
        Ok(store)
    }

    /// The project's folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The folder for a revision, the same each time it is built in the same way. Its name has the same length
    /// for all, so that programs that hold their own path have the same size.
    pub(super) fn slot(&self, parts: &[&str], tree: &Path) -> Result<Slot, Error> {
        let folder = self.folder.join(key(parts, 12));
        fs::create_dir_all(&folder).map_err(Error::io("create", &folder))?;
        let used = folder.join(USED);
        fs::write(&used, tree.to_string_lossy().as_bytes()).map_err(Error::io("write", &used))?;
        Ok(Slot {
            surroundings: folder.join("tree"),
            tree: folder.join("tree").join(tree),
            target: folder.join("target"),
            folder,
        })
    }

    /// Folders of revisions, those used last first.
    fn slots(&self) -> Result<Vec<(SystemTime, PathBuf)>, Error> {
        let entries = fs::read_dir(&self.folder).map_err(Error::io("read", &self.folder))?;
        let folders = entries.filter_map(|entry| Some(entry.ok()?.path()));
        // Links are not followed: what they point to is the user's.
        let folders = folders.filter(|path| path.symlink_metadata().is_ok_and(|meta| meta.is_dir()));
        let named = folders.filter(|path| {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            name.len() == 12 && name.chars().all(|c| c.is_ascii_hexdigit())
        });
        let mut slots: Vec<(SystemTime, PathBuf)> = named
            .map(|path| {
                let used = fs::metadata(path.join(USED)).and_then(|meta| meta.modified());
                (used.unwrap_or(SystemTime::UNIX_EPOCH), path)
            })
            .collect();
        slots.sort_by(|a, b| b.cmp(a));
        Ok(slots)
    }

    fn tidy(&self) -> Result<(), Error> {
        let now = SystemTime::now();
        for (index, (used, slot)) in self.slots()?.into_iter().enumerate() {
            forget(&slot);
            let is_old = now.duration_since(used).is_ok_and(|age| age > MAX_AGE);
            if is_old || index >= MAX_SLOTS {
                remove(&slot)?;
            }
        }
        Ok(())
    }

    /// Removes everything that is kept of this project.
    ///
    /// # Errors
    /// A folder cannot be removed.
    pub fn clear(&self) -> Result<(), Error> {
        for (_, slot) in self.slots()? {
            forget(&slot);
            remove(&slot)?;
        }
        Ok(())
    }
}

/// Has git forget a tree that a killed process left.
fn forget(slot: &Path) {
    if let Ok(tree) = fs::read_to_string(slot.join(USED)) {
        tree::detach(&slot.join("tree").join(tree));
    }
}

/// Removes a folder, links in it and not what they point to.
fn remove(folder: &Path) -> Result<(), Error> {
    fs::remove_dir_all(folder).map_err(Error::io("remove", folder))
}

fn root() -> Result<PathBuf, Error> {
    let given = std::env::var_os(CACHE_ENV)
        .filter(|path| !path.is_empty())
        .map(PathBuf::from);
    let root = given.unwrap_or_else(|| dirs::cache_dir().unwrap_or_else(std::env::temp_dir).join("bench-gate"));
    std::path::absolute(&root).map_err(Error::io("find", &root))
}

/// So many hexadecimal digits of the SHA-256 of texts.
fn key(parts: &[&str], digits: usize) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    let digest = hash.finalize();
    let mut text: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    text.truncate(digits);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_depends_on_every_part_and_on_where_it_ends() {
        assert_eq!(key(&["a", "b"], 12), key(&["a", "b"], 12));
        assert_ne!(key(&["a", "b"], 12), key(&["ab", ""], 12));
        assert_ne!(key(&["a", "b"], 12), key(&["b", "a"], 12));
        assert_eq!(key(&[], 12).len(), 12);
    }

    #[test]
    fn old_revisions_go_and_the_newest_stay() {
        let folder = tempfile::tempdir().unwrap();
        let lock = Lock::take(folder.path()).unwrap();
        let store = Store {
            folder: folder.path().join("p"),
            _lock: lock,
        };
        let slots: Vec<PathBuf> = (0..8)
            .map(|n| {
                let slot = store.slot(&[&n.to_string()], Path::new("p")).unwrap();
                slot.target.parent().unwrap().to_owned()
            })
            .collect();
        let aged = |slot: &Path, days: u64| {
            let time = SystemTime::now() - Duration::from_secs(days * 24 * 3600);
            let file = fs::File::options().write(true).open(slot.join(USED)).unwrap();
            file.set_modified(time).unwrap();
        };
        for (days, slot) in (0..).zip(&slots) {
            aged(slot, days);
        }
        aged(&slots[1], 15);
        fs::create_dir(store.folder.join("notes")).unwrap();
        store.tidy().unwrap();
        let left: Vec<bool> = slots.iter().map(|slot| slot.exists()).collect();
        assert_eq!(left, [true, false, true, true, true, true, true, false]);
        assert!(store.folder.join("notes").exists(), "what is no revision's stays");
        store.clear().unwrap();
        assert!(slots.iter().all(|slot| !slot.exists()));
    }
}
