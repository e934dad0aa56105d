//! What decides beside the source which program cargo makes.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Beginnings of the names of environment variables that change what cargo or the compiler makes.
const VARIABLES: [&str; 8] = [
    "CARGO_BUILD_",
    "CARGO_ENCODED_RUSTFLAGS",
    "CARGO_PROFILE_",
    "CARGO_TARGET_",
    "CARGO_UNSTABLE_",
    "RUSTC",
    "RUSTFLAGS",
    "CFLAGS",
];
/// Folders of cargo's, which say where things are put and not what they are.
const PLACES: [&str; 2] = ["CARGO_TARGET_DIR", "CARGO_BUILD_TARGET_DIR"];

/// The variables among these that count, and cargo's configuration files for a build in `folder`, with their text.
pub(super) fn of(variables: impl Iterator<Item = (String, String)>, folder: &Path) -> Vec<(String, String)> {
    let mut variables: Vec<(String, String)> = variables.collect();
    variables.sort();
    let value = |name: &str| {
        let found = variables.iter().find(|(n, value)| n == name && !value.is_empty());
        found.map(|(_, value)| PathBuf::from(value))
    };
    let home = value("CARGO_HOME").or_else(|| {
        value("HOME")
            .or_else(|| value("USERPROFILE"))
            .map(|home| home.join(".cargo"))
    });
    let folders = folder.ancestors().map(|folder| folder.join(".cargo")).chain(home);
    let files = folders.flat_map(|folder| ["config.toml", "config"].map(|name| folder.join(name)));
    let mut configuration: Vec<(String, String)> = files
        .filter_map(|path| Some((path.display().to_string(), fs::read_to_string(&path).ok()?)))
        .collect();
    let counts = |name: &str| VARIABLES.iter().any(|start| name.starts_with(start)) && !PLACES.contains(&name);
    configuration.extend(variables.into_iter().filter(|(name, _)| counts(name)));
    configuration
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_makes_another_program_counts_and_nothing_else() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("a/b");
        fs::create_dir_all(&folder).unwrap();
        let of = |variables: &[(&str, &str)]| {
            let own = [("CARGO_HOME", home.path().to_str().unwrap())];
            let all = own
                .iter()
                .chain(variables)
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            super::of(all, &folder)
        };
        let plain = of(&[]);
        for name in [
            "CARGO_PKG_NAME",
            "CARGO_TARGET_DIR",
            "PATH",
            "RUST_BACKTRACE",
            "CARGO_TERM_COLOR",
        ] {
            assert_eq!(of(&[(name, "x")]), plain, "{name}");
        }
        for name in [
            "CARGO_PROFILE_BENCH_LTO",
            "CARGO_ENCODED_RUSTFLAGS",
            "CARGO_BUILD_RUSTFLAGS",
            "CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_LINKER",
            "RUSTFLAGS",
            "RUSTC_WRAPPER",
        ] {
            assert_ne!(of(&[(name, "x")]), plain, "{name}");
            assert_ne!(of(&[(name, "x")]), of(&[(name, "y")]), "{name}");
        }
        fs::create_dir(folder.parent().unwrap().join(".cargo")).unwrap();
        for place in ["a/.cargo/config.toml", "config.toml"] {
            let before = of(&[]);
            fs::write(home.path().join(place), "[build]\n").unwrap();
            let with = of(&[]);
            assert_ne!(with, before, "{place}");
            fs::write(home.path().join(place), "[build]\nrustflags = []\n").unwrap();
            assert_ne!(of(&[]), with, "{place}");
        }
    }
}
