//! What lies around the repository and decides what cargo makes of it: configuration and toolchain files in the
//! folders above, and packages that manifests name outside of it. A tree is laid into folders that stand for those
//! around the repository, so that relative paths lead to the same files.

use std::{
    collections::BTreeSet,
    fs,
    path::{Component, Path, PathBuf},
};

use super::{error::Error, files};

/// Folders above the repository that have one of their own around a tree. Above these, one stands for all.
const MAX_LEVELS: usize = 2;

/// Files that cargo and rustup look for in every folder above.
const CONFIGURATION: [&str; 4] = [
    ".cargo/config.toml",
    ".cargo/config",
    "rust-toolchain.toml",
    "rust-toolchain",
];

/// Where the repository's top folder lies among the folders that stand for those around it.
pub(super) fn place(top: &Path) -> PathBuf {
    let names: Vec<&std::ffi::OsStr> = top
        .components()
        .filter_map(|component| match component {
            Component::Normal(name) => Some(name),
            _ => None,
        })
        .collect();
    let first = names.len().saturating_sub(MAX_LEVELS + 1);
    let place: PathBuf = names[first..].iter().collect();
    if place.as_os_str().is_empty() {
        PathBuf::from("top")
    } else {
        place
    }
}

/// Copies the configuration of the folders above the repository to those that stand for them. Relative paths in
/// such a file lead from the copy.
pub(super) fn copy_configuration(top: &Path, surroundings: &Path, tree: &Path) -> Result<(), Error> {
    let cargo_home = cargo_home();
    let mut users = top.parent();
    let mut ours = tree.parent();
    while let Some(to) = ours.filter(|folder| folder.starts_with(surroundings)) {
        // The last folder stands for all above it, of which the nearest file counts.
        let is_last = to == surroundings;
        for name in CONFIGURATION {
            let to = to.join(name);
            let candidates: Vec<&Path> = users.map(|users| users.ancestors().collect()).unwrap_or_default();
            let depth = if is_last { candidates.len() } else { 1 };
            let found = candidates
                .into_iter()
                .take(depth)
                .map(|folder| folder.join(name))
                .find(|path| path.is_file() && path.parent().map(Path::to_owned) != cargo_home);
            match found {
                Some(from) => files::renew(&from, &to)?,
                None => files::discard(&to)?,
            }
        }
        users = users.and_then(Path::parent);
        ours = to.parent();
    }
    Ok(())
}

/// Cargo's home, whose configuration counts wherever the tree lies.
fn cargo_home() -> Option<PathBuf> {
    let given = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    given.or_else(|| dirs::home_dir().map(|home| home.join(".cargo")))
}

/// Links the packages outside of the repository that manifests of a tree name, and those that these name. Returns
/// where they lie in the user's folders.
pub(super) fn link_outside(
    revision: &str,
    users_top: &Path,
    surroundings: &Path,
    tree: &Path,
    manifests: &[PathBuf],
) -> Result<BTreeSet<PathBuf>, Error> {
    let mut linked = BTreeSet::new();
    // Manifests by where they lie in the tree; those outside are read where they are.
    let mut open: Vec<PathBuf> = manifests.to_vec();
    let mut seen = BTreeSet::new();
    while let Some(manifest) = open.pop() {
        if !seen.insert(manifest.clone()) {
            continue;
        }
        // What cannot be read or parsed is for cargo to say.
        let Ok(text) = fs::read_to_string(&manifest) else {
            continue;
        };
        let Ok(table) = text.parse::<toml::Table>() else {
            continue;
        };
        let folder = manifest.parent().expect("a manifest lies in a folder");
        for path in paths(&table) {
            if Path::new(&path).is_absolute() {
                linked.insert(PathBuf::from(path));
                continue;
            }
            let at = normal(&folder.join(&path));
            if at.starts_with(tree) {
                continue;
            }
            let lies = |message: &str| Error::Lacks {
                revision: revision.to_owned(),
                message: format!(
                    "`path = \"{path}\"` in {} leads out of the repository{message}; move it into the repository, or \
                     make it a git dependency",
                    manifest.strip_prefix(tree).unwrap_or(&manifest).display()
                ),
            };
            let Ok(relative) = at.strip_prefix(surroundings) else {
                return Err(lies(" by more folders than can be followed"));
            };
            if tree.starts_with(&at) {
                return Err(lies(" to a folder around it"));
            }
            // The whole folder beside the project, so that a workspace the package belongs to is found.
            let beside = at
                .ancestors()
                .take_while(|folder| !tree.starts_with(folder))
                .last()
                .unwrap_or(&at);
            let relative_beside = beside.strip_prefix(surroundings).unwrap_or(relative);
            let users = users_place(users_top, surroundings, tree, relative_beside);
            let package = users_place(users_top, surroundings, tree, relative);
            if !package.exists() {
                return Err(lies(&format!(" to {}, where nothing is", package.display())));
            }
            if fs::read_link(beside).ok().as_deref() != Some(&users) {
                files::discard(beside)?;
                if let Some(parent) = beside.parent() {
                    fs::create_dir_all(parent).map_err(Error::io("create", parent))?;
                }
                files::link(&users, beside, users.is_dir()).map_err(Error::io("link", beside))?;
            }
            linked.insert(package);
            open.push(at.join("Cargo.toml"));
        }
    }
    Ok(linked)
}

/// The user's folder for one that stands for it.
fn users_place(users_top: &Path, surroundings: &Path, tree: &Path, relative: &Path) -> PathBuf {
    let levels = tree
        .strip_prefix(surroundings)
        .map_or(0, |place| place.components().count());
    let mut folder = users_top;
    for _ in 0..levels {
        folder = folder.parent().unwrap_or(folder);
    }
    folder.join(relative)
}

/// Every `path` of a dependency, a patch or a replacement in a manifest.
fn paths(table: &toml::Table) -> Vec<String> {
    let mut found = Vec::new();
    let mut of = |dependencies: Option<&toml::Value>| {
        let entries = dependencies.and_then(toml::Value::as_table).into_iter().flatten();
        found.extend(entries.filter_map(|(_, entry)| Some(entry.get("path")?.as_str()?.to_owned())));
    };
    let mut tables = vec![table];
    tables.extend(table.get("workspace").and_then(toml::Value::as_table));
    let targets = table.get("target").and_then(toml::Value::as_table);
    tables.extend(
        targets
            .into_iter()
            .flatten()
            .filter_map(|(_, target)| target.as_table()),
    );
    for table in tables {
        for kind in [
            "dependencies",
            "dev-dependencies",
            "build-dependencies",
            "dev_dependencies",
            "build_dependencies",
        ] {
            of(table.get(kind));
        }
    }
    for (_, patch) in table.get("patch").and_then(toml::Value::as_table).into_iter().flatten() {
        of(Some(patch));
    }
    of(table.get("replace"));
    found
}

/// A path without `.` and `..`, as cargo takes it: without a look at links.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                normal.pop();
            }
            component => normal.push(component),
        }
    }
    normal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_has_the_names_of_the_folders_around_the_repository() {
        let check = |top: &str, expected: &str| assert_eq!(place(Path::new(top)), Path::new(expected));
        check("/home/me/code/project", "me/code/project");
        check("/project", "project");
        check("/a/project", "a/project");
        check("/", "top");
    }

    #[test]
    fn every_kind_of_path_is_found() {
        let manifest = r#"
            [dependencies]
            a = { path = "a" }
            plain = "1"
            [dependencies.b]
            path = "b"
            [dev-dependencies]
            c = { path = "c", version = "1" }
            [build-dependencies]
            d = { path = "d" }
            [target.'cfg(unix)'.dependencies]
            e = { path = "e" }
            [workspace.dependencies]
            f = { path = "f" }
            [patch.crates-io]
            g = { path = "g" }
            [replace]
            "h:1.0.0" = { path = "h" }
            [lib]
            path = "src/lib.rs"
            [[bench]]
            name = "x"
            path = "x.rs"
        "#;
        let mut found = paths(&manifest.parse().unwrap());
        found.sort();
        assert_eq!(found, ["a", "b", "c", "d", "e", "f", "g", "h"]);
    }
}
