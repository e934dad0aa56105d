//! Builds a world to audit: a folder that cargo takes for crates.io, a workspace, a lock.

#![allow(dead_code, reason = "each test program uses its part")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop there")]

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Command,
};

use serde::Deserialize;

/// The words of a world in the data file.
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WorldSpec {
    /// `name version` to the manifest after its `[package]` table's three lines.
    #[serde(default)]
    pub(crate) registry: BTreeMap<String, String>,
    /// `name version` to the text of the library, empty where not given.
    #[serde(default)]
    pub(crate) sources: BTreeMap<String, String>,
    /// The workspace's files.
    pub(crate) files: BTreeMap<String, String>,
    /// `package`, old edge, new edge: what makes the lock sticky, done after cargo has written it.
    #[serde(default)]
    pub(crate) sticky: Vec<[String; 3]>,
    /// Releases that the registry's index knows, as rows of the index by crate.
    #[serde(default)]
    pub(crate) index: BTreeMap<String, Vec<String>>,
}

/// A world on disk. Dropping it removes it.
pub(crate) struct World {
    folder: tempfile::TempDir,
    /// Real crates.io instead of a folder.
    is_online: bool,
}

/// What a run printed.
pub(crate) struct Run {
    pub(crate) exit: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl World {
    pub(crate) fn build(spec: &WorldSpec) -> Self {
        let world = Self {
            folder: tempfile::tempdir().unwrap(),
            is_online: false,
        };
        for (package, manifest) in &spec.registry {
            let (name, version) = package.split_once(' ').unwrap();
            let folder = format!("../vendor/{name}-{version}");
            let head = format!("[package]\nname = \"{name}\"\nversion = \"{version}\"\nedition = \"2021\"\n");
            world.write(&format!("{folder}/Cargo.toml"), &format!("{head}{manifest}"));
            world.write(&format!("{folder}/.cargo-checksum.json"), "{\"files\":{}}");
            let source = spec.sources.get(package).map_or("", String::as_str);
            world.write(&format!("{folder}/src/lib.rs"), source);
        }
        std::fs::create_dir_all(world.path("../vendor")).unwrap();
        world.write(
            ".cargo/config.toml",
            "[source.crates-io]\nreplace-with = \"folder\"\n[source.folder]\ndirectory = \"../vendor\"\n",
        );
        for (name, rows) in &spec.index {
            let mut file = b"\x03\x02\0\0\0Unknown\0".to_vec();
            for row in rows {
                file.extend_from_slice(format!("0\0{row}\0").as_bytes());
            }
            let path = format!(
                "../home/registry/index/folder/.cache/{}/{}/{name}",
                &name[..2],
                &name[2..4]
            );
            world.write_bytes(&path, &file);
        }
        for (path, text) in &spec.files {
            world.write(path, text);
        }
        if !spec.files.contains_key("Cargo.lock") {
            let mut command = Command::new(env!("CARGO"));
            command
                .current_dir(world.path(""))
                .args(["generate-lockfile", "--offline"]);
            command.env("CARGO_HOME", world.path("../home"));
            let output = command.output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
        for [package, old, new] in &spec.sticky {
            world.stick(package, old, new);
        }
        world
    }

    /// A copy of one of the workspaces that use crates.io.
    pub(crate) fn copy(name: &str) -> Self {
        let world = Self {
            folder: tempfile::tempdir().unwrap(),
            is_online: true,
        };
        let from = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/workspaces")
            .join(name);
        for file in ["Cargo.toml", "Cargo.lock", "src/lib.rs"] {
            world.write_bytes(file, &std::fs::read(from.join(file)).unwrap());
        }
        world
    }

    fn stick(&self, package: &str, old: &str, new: &str) {
        let lock = self.lock().unwrap();
        let (name, version) = package.split_once(' ').unwrap();
        let at = lock
            .find(&format!("name = \"{name}\"\nversion = \"{version}\""))
            .unwrap();
        let edge = lock[at..]
            .find(&format!("\"{old}\""))
            .unwrap_or_else(|| panic!("{package} has no edge {old}:\n{lock}"));
        let edge = at + edge;
        let text = format!("{}\"{new}\"{}", &lock[..edge], &lock[edge + old.len() + 2..]);
        self.write("Cargo.lock", &text);
    }

    /// A path in the workspace.
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        let base = self.folder.path().join("workspace");
        match path.strip_prefix("../") {
            Some(outside) => self.folder.path().join(outside),
            None if path.is_empty() => base,
            None => base.join(path),
        }
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        self.write_bytes(path, text.as_bytes());
    }

    fn write_bytes(&self, path: &str, bytes: &[u8]) {
        let path = self.path(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    pub(crate) fn lock(&self) -> Option<String> {
        std::fs::read_to_string(self.path("Cargo.lock")).ok()
    }

    pub(crate) fn run(&self, folder: &str, args: &[String]) -> Run {
        self.run_with(folder, args, &[])
    }

    pub(crate) fn run_with(&self, folder: &str, args: &[String], env: &[(&str, &str)]) -> Run {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cargo-split-audit"));
        command.current_dir(self.path(folder)).arg("split-audit").args(args);
        if !self.is_online {
            command.env("CARGO_HOME", self.path("../home"));
            command.args((!args.contains(&"--lock-only".to_owned())).then_some("--offline"));
        }
        // As `cargo xtask` sets it; the toolchain's own cargo, whatever the world's folder says.
        command.env("CARGO", env!("CARGO"));
        command.envs(env.iter().copied());
        let output = command.output().unwrap();
        Run {
            exit: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// A world by its name in `cases.toml`.
pub(crate) fn world_of(name: &str) -> World {
    #[derive(Deserialize)]
    struct Worlds {
        worlds: BTreeMap<String, WorldSpec>,
    }
    let worlds: Worlds = toml::from_str(include_str!("../cases.toml")).unwrap();
    World::build(&worlds.worlds[name])
}
