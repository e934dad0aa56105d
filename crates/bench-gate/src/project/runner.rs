//! The runner that a project's configuration names for its programs, as an emulator or `sudo`. Cargo gives this
//! program in its place while it notes how benches are started.

use std::path::{Path, PathBuf};

/// The configured runner of a target, and a note if one cannot be followed.
pub(super) fn configured(folder: &Path, triple: &str) -> (Vec<String>, Option<String>) {
    let variable = format!("CARGO_TARGET_{}_RUNNER", triple.to_uppercase().replace(['-', '.'], "_"));
    if let Some(value) = std::env::var(variable).ok().filter(|value| !value.trim().is_empty()) {
        return (value.split_whitespace().map(str::to_owned).collect(), None);
    }
    for (path, table) in configuration(folder) {
        let Some(targets) = table.get("target").and_then(toml::Value::as_table) else {
            continue;
        };
        if let Some(runner) = targets.get(triple).and_then(|target| target.get("runner")) {
            return (words(runner), None);
        }
        let conditional = targets
            .iter()
            .find(|(key, target)| key.starts_with("cfg(") && target.get("runner").is_some());
        if let Some((key, _)) = conditional {
            let note = format!(
                "{}: the runner of '{key}' is not used; write it under [target.{triple}] to have it",
                path.display()
            );
            return (Vec::new(), Some(note));
        }
    }
    (Vec::new(), None)
}

/// The target that a project's configuration builds for, if that is one and no file.
pub(super) fn built_for(folder: &Path) -> Option<String> {
    let variable = std::env::var("CARGO_BUILD_TARGET")
        .ok()
        .filter(|value| !value.is_empty());
    let mut files = configuration(folder);
    let of_files = || files.find_map(|(_, table)| Some(table.get("build")?.get("target")?.as_str()?.to_owned()));
    variable
        .or_else(of_files)
        .filter(|triple| !triple.contains(['.', '/', '\\']))
}

/// Cargo's configuration files for a folder, the nearest first.
fn configuration(folder: &Path) -> impl Iterator<Item = (PathBuf, toml::Table)> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| dirs::home_dir().map(|home| home.join(".cargo")));
    let folders = folder.ancestors().map(|folder| folder.join(".cargo")).chain(home);
    // Where there are both, cargo takes the one without an ending.
    let files = folders.flat_map(|folder| ["config", "config.toml"].map(|name| folder.join(name)));
    let files: Vec<PathBuf> = files.collect();
    files.into_iter().filter_map(|path| {
        let table = std::fs::read_to_string(&path).ok()?.parse::<toml::Table>().ok()?;
        Some((path, table))
    })
}

fn words(runner: &toml::Value) -> Vec<String> {
    match runner {
        toml::Value::String(text) => text.split_whitespace().map(str::to_owned).collect(),
        toml::Value::Array(list) => list.iter().filter_map(|word| Some(word.as_str()?.to_owned())).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_runner_of_the_nearest_file_counts() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("a/b");
        for (at, text) in [
            (
                folder.path().to_owned(),
                "[target.t]\nrunner = 'far'\n[target.u]\nrunner = ['x', '-y']\n",
            ),
            (inner.clone(), "[target.t]\nrunner = 'near --flag'\n"),
        ] {
            std::fs::create_dir_all(at.join(".cargo")).unwrap();
            std::fs::write(at.join(".cargo/config.toml"), text).unwrap();
        }
        assert_eq!(configured(&inner, "t").0, ["near", "--flag"]);
        assert_eq!(configured(&inner, "u").0, ["x", "-y"]);
        let conditional = "[target.'cfg(unix)']\nrunner = 'emulator'\n";
        std::fs::write(inner.join(".cargo/config.toml"), conditional).unwrap();
        let (runner, note) = configured(&inner, "v");
        assert!(runner.is_empty() && note.unwrap().contains("cfg(unix)"));
    }
}
