//! A repository whose bench programs run a shell script that was compiled into them.

use std::{
    fs,
    path::PathBuf,
    process::{Command, Output},
};

/// Serves windows of two cases. `@…@` is what revisions differ in.
const BENCH: &str = r#"#!/bin/sh
say() { echo "bench-recorder: $1"; }
say '{"serving":{"protocol":2,"cases":[@CASES@]}}'
while read -r line; do
    verb=${line#??}; verb=${verb%%\"*}; case=${line#*\"case\":\"}; case=${case%%\"*}
    ns=@NS@; dispatches=@DISPATCHES@
    @FAULT@
    case $verb in
    prepare) say "{\"prepared\":{\"call_ns\":$ns}}" ;;
    measure) say "{\"measured\":{\"samples_ns\":[$ns,$ns,$((ns + 100))],\"counters\":{\"dispatches\":$dispatches}}}" ;;
    esac
done
"#;

/// A revision without a script does not build. The shell takes the place of the program, so that signals reach it.
const PROGRAM: &str = r#"use std::os::unix::process::CommandExt as _;

fn main() {
    let script = include_str!("../bench.sh");
    let args = std::env::args_os().skip(1);
    panic!("{}", std::process::Command::new("sh").args(["-c", script, "bench"]).args(args).exec());
}
"#;
const MANIFEST: &str = r#"[package]
name = "scripted"
version = "0.1.0"
edition = "2021"

[lib]
bench = false

[[bench]]
name = "speed"
harness = false
"#;

/// A repository with revisions.
pub(crate) struct Repository(tempfile::TempDir);

/// What a revision's program does.
#[derive(Clone, Copy)]
pub(crate) struct Program<'a> {
    pub(crate) ns: u64,
    pub(crate) dispatches: u64,
    pub(crate) cases: &'a str,
    pub(crate) fault: &'a str,
}

pub(crate) const PLAIN: Program<'_> = Program {
    ns: 100_000,
    dispatches: 1,
    cases: r#""o/cpu/1","o/cpu/2""#,
    fault: "",
};

impl Repository {
    pub(crate) fn new() -> Self {
        let repository = Self(tempfile::tempdir().unwrap());
        fs::create_dir(repository.path("repo")).unwrap();
        repository.git(&["init", "--quiet", "--initial-branch=main"]);
        for (name, text) in [
            ("Cargo.toml", MANIFEST),
            ("src/lib.rs", ""),
            ("benches/speed.rs", PROGRAM),
            (".gitignore", "target/\n"),
        ] {
            let path = repository.path("repo").join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        repository.commit("plain", PLAIN);
        repository
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn git(&self, args: &[&str]) -> String {
        let output = Command::new("git")
            .args(["-c", "user.name=n", "-c", "user.email=e@example.org", "-C"])
            .arg(self.path("repo"))
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

    /// Commits a program under a tag.
    pub(crate) fn commit(&self, tag: &str, program: Program<'_>) {
        let script = BENCH
            .replace("@CASES@", program.cases)
            .replace("@NS@", &program.ns.to_string())
            .replace("@DISPATCHES@", &program.dispatches.to_string())
            .replace("@FAULT@", program.fault);
        fs::write(self.path("repo/bench.sh"), script).unwrap();
        self.save(tag);
    }

    pub(crate) fn save(&self, tag: &str) {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "--message", tag]);
        self.git(&["tag", tag]);
    }

    /// A commit as reports name it.
    pub(crate) fn short(&self, tag: &str) -> String {
        self.git(&["rev-parse", "--short=12", tag]).trim().to_owned()
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        self.subcommand("ab", args)
    }

    pub(crate) fn subcommand(&self, name: &str, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
        command
            .args([name, "--manifest-path"])
            .arg(self.path("repo/Cargo.toml"))
            .args(args)
            .env("BENCH_GATE_CACHE", self.path("cache"))
            .env("CARGO_TARGET_DIR", self.path("target"))
            // These tests may themselves be run by GitHub Actions, whose summary is not theirs.
            .env_remove("GITHUB_ACTIONS")
            .env_remove("GITHUB_STEP_SUMMARY");
        command
    }

    /// Compares, and makes sure that no worktree is left whatever came of it.
    pub(crate) fn ab(&self, args: &[&str]) -> Output {
        let output = self.command(args).output().unwrap();
        self.is_tidy();
        output
    }

    #[track_caller]
    pub(crate) fn is_tidy(&self) {
        assert_eq!(self.git(&["worktree", "list"]).lines().count(), 1, "a worktree is left");
        assert!(!self.path("repo/.git/worktrees").exists(), "git knows a tree");
    }
}
