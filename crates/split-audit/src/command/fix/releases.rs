//! Releases of crates, as the registry has them.

use std::{cell::RefCell, collections::HashMap, path::PathBuf};

use super::super::cargo::Cargo;
use crate::index::{self, Release};

/// What the registry has, looked up once per crate.
pub(super) struct Index<'a> {
    pub(super) cargo: &'a Cargo,
    pub(super) known: RefCell<HashMap<String, Option<Vec<Release>>>>,
}

impl Index<'_> {
    /// Every release of a crate, oldest first; nothing where the registry's index cannot be had.
    pub(super) fn releases(&self, name: &str) -> Option<Vec<Release>> {
        if let Some(known) = self.known.borrow().get(name) {
            return known.clone();
        }
        // Where the registry cannot be reached, what cargo has on disk is the best there is.
        self.cargo.refresh_index(name);
        let releases = newest_cache_file(name).and_then(|path| std::fs::read(path).ok());
        let releases = releases.map(|file| index::parse(&file)).filter(|list| !list.is_empty());
        self.known.borrow_mut().insert(name.to_owned(), releases.clone());
        releases
    }
}

/// Cargo keeps one folder per registry; a crate in several of them is read from the one written last.
fn newest_cache_file(name: &str) -> Option<PathBuf> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(std::env::home_dir()?.join(".cargo")))?;
    let registries = std::fs::read_dir(home.join("registry/index")).ok()?;
    let files = registries
        .flatten()
        .map(|registry| registry.path().join(".cache").join(index::path(name)));
    files
        .filter_map(|file| Some((std::fs::metadata(&file).ok()?.modified().ok()?, file)))
        .max()
        .map(|(_, file)| file)
}
