//! Repositories of other people, small: their benches say what they take instead of taking it.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]
#![allow(dead_code, reason = "what other tests need")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// The stand-in for criterion.
pub(crate) fn stand_in() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stand-in")
}

/// A folder with a repository and all that belongs to a person's machine.
pub(crate) struct World(tempfile::TempDir);

impl World {
    /// An empty repository.
    pub(crate) fn empty() -> Self {
        let world = Self(tempfile::tempdir().unwrap());
        fs::create_dir_all(world.repository()).unwrap();
        world.git(&["init", "--quiet", "--initial-branch=main"]);
        world
    }

    /// A package with one bench of one case, which takes 100 ns.
    pub(crate) fn plain() -> Self {
        let world = Self::empty();
        world.package("", "p", "");
        world.bench("", "criterion::case(\"o/1\", 100.0)");
        world.commit("plain");
        world
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().canonicalize().unwrap().join(name)
    }

    pub(crate) fn repository(&self) -> PathBuf {
        self.path("work/repository")
    }

    /// Writes a file of the repository.
    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.repository().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.repository().join(name)).unwrap()
    }

    pub(crate) fn remove(&self, name: &str) {
        let path = self.repository().join(name);
        if path.is_dir() {
            fs::remove_dir_all(path)
        } else {
            fs::remove_file(path)
        }
        .unwrap();
    }

    /// A package with the bench target `speed` in a folder of the repository; `more` is added to its manifest.
    pub(crate) fn package(&self, folder: &str, name: &str, more: &str) {
        let at = |file: &str| {
            if folder.is_empty() {
                file.to_owned()
            } else {
                format!("{folder}/{file}")
            }
        };
        let manifest = format!(
            "[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2021\"\n\n[lib]\nbench = false\n\n\
             [dev-dependencies]\ncriterion = {{ path = {:?} }}\n\n[[bench]]\nname = \"speed\"\nharness = false\n{more}",
            stand_in()
        );
        self.write(&at("Cargo.toml"), &manifest);
        self.write(&at("src/lib.rs"), "");
        if !self.repository().join(".gitignore").exists() {
            self.write(".gitignore", "target/\n");
        }
    }

    /// The bench of a package: expressions that are cases.
    pub(crate) fn bench(&self, folder: &str, cases: &str) {
        self.bench_with(folder, "", cases);
    }

    /// The same, with items before it.
    pub(crate) fn bench_with(&self, folder: &str, items: &str, cases: &str) {
        let name = if folder.is_empty() {
            "benches/speed.rs".to_owned()
        } else {
            format!("{folder}/benches/speed.rs")
        };
        self.write(
            &name,
            &format!("{items}\nfn main() {{\n    criterion::main(vec![{cases}]);\n}}\n"),
        );
    }

    pub(crate) fn git(&self, args: &[&str]) -> String {
        git(&self.repository(), args)
    }

    /// Commits everything under a tag.
    pub(crate) fn commit(&self, tag: &str) {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "--message", tag]);
        self.git(&["tag", tag]);
    }

    /// The command, from the repository's top folder.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cargo-bench-gate"));
        command
            .arg("bench-gate")
            .args(args)
            .current_dir(self.repository())
            .env("BENCH_GATE_CACHE", self.path("cache"))
            .env_remove("CARGO_TARGET_DIR")
            .env("CARGO_TERM_COLOR", "never")
            // These tests may themselves be run by GitHub Actions, whose summary is not theirs.
            .env_remove("GITHUB_ACTIONS")
            .env_remove("GITHUB_STEP_SUMMARY");
        command
    }

    /// Runs it, and makes sure that the repository is as it was.
    pub(crate) fn run(&self, args: &[&str]) -> Said {
        let before = self.git(&["status", "--porcelain"]);
        let said = Said::of(self.command(args).output().unwrap());
        self.is_tidy();
        assert_eq!(self.git(&["status", "--porcelain"]), before, "{}", said.text);
        said
    }

    #[track_caller]
    pub(crate) fn is_tidy(&self) {
        assert_eq!(self.git(&["worktree", "list"]).lines().count(), 1, "a worktree is left");
        assert!(
            !self.repository().join(".git/worktrees").exists(),
            "git still knows a worktree"
        );
    }
}

pub(crate) fn git(folder: &Path, args: &[&str]) -> String {
    let output = Command::new("git")
        .args([
            "-c",
            "user.name=n",
            "-c",
            "user.email=e@example.org",
            "-c",
            "protocol.file.allow=always",
            "-C",
        ])
        .arg(folder)
        .args(args)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{args:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// What a command said, on both outputs.
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) text: String,
}

impl Said {
    #[allow(
        clippy::needless_pass_by_value,
        reason = "what a command ends with is of no more use"
    )]
    pub(crate) fn of(output: Output) -> Self {
        let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        Self {
            code: output.status.code(),
            text: format!("{stdout}{}", String::from_utf8_lossy(&output.stderr)),
            stdout,
        }
    }

    /// Holds the exit code and parts of what was said against what is expected.
    #[track_caller]
    pub(crate) fn has(&self, code: i32, expected: &[&str]) -> &Self {
        assert_eq!(self.code, Some(code), "{}", self.text);
        for part in expected {
            assert!(self.text.contains(part), "`{part}` is not in:\n{}", self.text);
        }
        self
    }

    #[track_caller]
    pub(crate) fn lacks(&self, parts: &[&str]) -> &Self {
        for part in parts {
            assert!(!self.text.contains(part), "`{part}` is in:\n{}", self.text);
        }
        self
    }

    /// What the cases of the programs took, in the order in which they ran.
    pub(crate) fn values(&self) -> Vec<f64> {
        let times = self
            .stdout
            .lines()
            .filter_map(|line| line.split_once("time:   [")?.1.split(' ').next());
        times.map(|value| value.parse().unwrap()).collect()
    }
}
