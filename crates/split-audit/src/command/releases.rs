//! Releases of crates, as the registry has them.

use std::{
    cell::RefCell,
    collections::{HashMap, HashSet},
    path::PathBuf,
    rc::Rc,
};

use super::cargo::Cargo;
use crate::index::{self, Release};

/// What the registry has, looked up once per crate.
#[derive(Debug, Default)]
pub(super) struct Index {
    on_disk: RefCell<HashMap<String, Option<Rc<Vec<Release>>>>>,
    refreshed: RefCell<HashSet<String>>,
}

impl Index {
    /// Every release of a crate that cargo's copy of the index knows, oldest first.
    pub(super) fn on_disk(&self, name: &str) -> Option<Rc<Vec<Release>>> {
        let mut known = self.on_disk.borrow_mut();
        let releases = known.entry(name.to_owned()).or_insert_with(|| {
            let file = newest_cache_file(name).and_then(|path| std::fs::read(path).ok());
            file.map(|file| index::parse(&file))
                .filter(|list| !list.is_empty())
                .map(Rc::new)
        });
        releases.clone()
    }

    /// The same, once cargo has fetched what the registry now says.
    pub(super) fn releases(&self, cargo: &Cargo, name: &str) -> Option<Vec<Release>> {
        if self.refreshed.borrow_mut().insert(name.to_owned()) {
            // Where the registry cannot be reached, what cargo has on disk is the best there is.
            cargo.refresh_index(name);
            self.on_disk.borrow_mut().remove(name);
        }
        self.on_disk(name).map(|list| list.to_vec())
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
