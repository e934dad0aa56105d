//! A case in doubt, from the bench to the verdict, with git's worktrees and cargo as they are: a repository of a crate that stands for this
//! one, and is built in seconds.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::{
    fs,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use support::check;

/// The repository, with cargo's target folder beside it.
struct Repository(tempfile::TempDir);

impl Repository {
    fn new() -> Self {
        let repository = Self(tempfile::tempdir().unwrap());
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/appeal");
        for file in [
            "Cargo.toml",
            "Cargo.lock",
            "build.rs",
            "src/lib.rs",
            "benches/executor.rs",
            "examples/adapters.rs",
        ] {
            let place = repository.root().join(file);
            fs::create_dir_all(place.parent().unwrap()).unwrap();
            fs::copy(from.join(file), place).unwrap();
        }
        repository.git(&["init", "--quiet", "--initial-branch=main"]);
        repository.commit();
        repository
    }

    fn root(&self) -> PathBuf {
        self.0.path().join("repo")
    }

    fn target(&self, name: &str) -> PathBuf {
        self.0.path().join("target").join(name)
    }

    /// Where revisions have their trees.
    fn cache(&self) -> PathBuf {
        self.0.path().join("cache")
    }

    fn git(&self, args: &[&str]) -> String {
        let mut git = Command::new("git");
        git.args(["-c", "user.name=n", "-c", "user.email=e@example.org", "-C"]);
        let output = git.arg(self.root()).args(args).output().unwrap();
        assert!(output.status.success(), "{args:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Commits what there is, and returns the commit as reports name it.
    fn commit(&self) -> String {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--message", "change"]);
        self.git(&["rev-parse", "--short=12", "HEAD"])
    }

    fn set_upload_ns(&self, ns: u64) {
        let path = self.root().join("src/lib.rs");
        let text = fs::read_to_string(&path).unwrap();
        let line = text.lines().find(|line| line.contains("UPLOAD_NS")).unwrap();
        fs::write(&path, text.replace(line, &format!("pub const UPLOAD_NS: u64 = {ns};"))).unwrap();
    }

    fn bench(&self, flags: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
        command
            .args(["bench", "--size", "1000,2000", "--backend", "cpu"])
            .args(flags)
            // As cargo sets it for a program of a package in the workspace.
            .env("CARGO_MANIFEST_DIR", self.root().join("xtask"))
            .env("CARGO_TARGET_DIR", self.target(""))
            .env("BENCH_GATE_CACHE", self.cache())
            .env_remove("GITHUB_ACTIONS");
        command
    }

    #[track_caller]
    fn is_tidy(&self) {
        assert_eq!(self.git(&["worktree", "list"]).lines().count(), 1, "a worktree is left");
        assert!(!self.root().join(".git/worktrees").exists(), "git knows a tree");
    }
}

#[test]
fn a_suspect_is_built_from_its_baselines_commit_and_compared_and_the_worktree_is_gone() {
    let repository = Repository::new();
    let recorded = repository.git(&["rev-parse", "--short=12", "HEAD"]);
    check(
        &repository.bench(&["--save-baseline"]).output().unwrap(),
        0,
        &["Recorded"],
    );
    repository.commit();

    // An element takes 120 ns in place of 100, for its upload takes 60 in place of 40.
    repository.set_upload_ns(60);
    let changed = repository.commit();
    let slower = [
        &format!("Building {recorded}"),
        "slower by 20.0 %",
        &format!("+20.0 % against the baseline; A/B with {recorded} in 16 blocks: upload +50.0 %"),
        "regression: 2 slower",
    ];
    check(&repository.bench(&[]).output().unwrap(), 3, &slower);
    repository.is_tidy();
    let latest = fs::read_to_string(repository.target("bench/latest")).unwrap();
    let run = PathBuf::from(latest.trim());
    let read = |name: &str| fs::read_to_string(run.join(name)).unwrap();
    let compared: serde_json::Value = serde_json::from_str(&read("ab.json")).unwrap();
    assert_eq!(compared["base"]["revision"], recorded);
    assert_eq!(compared["verdicts"][0]["phases"][0]["name"], "upload");
    let run_json: serde_json::Value = serde_json::from_str(&read("run.json")).unwrap();
    assert_eq!(run_json["commit"], changed);
    for name in ["junit.xml", "summary.md"] {
        assert!(read(name).contains("upload +50.0 %"), "{name}");
    }

    // The machine is slower than it was, and the code is as it was: both are slower.
    repository.set_upload_ns(40);
    let output = repository.bench(&[]).env("APPEAL_MOOD", "130").output().unwrap();
    check(&output, 0, &["+30.0 % against the baseline; A/B with ", "pass: 2 pass"]);
    repository.is_tidy();

    // A commit that does not build leaves fresh processes, and two cases are too few to see the machine's change in.
    fs::write(repository.root().join("src/lib.rs"), "pub const UPLOAD_NS: u64 =").unwrap();
    let broken = repository.commit();
    repository.git(&["checkout", "--quiet", &changed, "--", "src/lib.rs"]);
    repository.set_upload_ns(40);
    let folder = repository.root().join("baselines");
    let file = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .next()
        .unwrap();
    let baseline = fs::read_to_string(&file).unwrap();
    fs::write(&file, baseline.replace(&recorded, &broken)).unwrap();
    let output = repository.bench(&[]).env("APPEAL_MOOD", "130").output().unwrap();
    let said = [
        "no comparison of vector_add/cpu/1000, vector_add/cpu/2000",
        "does not build",
        "slower by 30.0 %",
    ];
    check(&output, 3, &said);
    repository.is_tidy();
    fs::write(&file, baseline).unwrap();

    // An interruption while the worktree is built, as a terminal sends it to all processes.
    fs::remove_dir_all(repository.cache()).unwrap();
    let hangs = repository.0.path().join("hangs");
    let mut command = repository.bench(&[]);
    command.env("APPEAL_MOOD", "130").env("APPEAL_HANG", &hangs);
    let mut child = command
        .process_group(0)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let start = Instant::now();
    while fs::read_to_string(&hangs).map_or(true, |text| text.is_empty()) {
        assert!(start.elapsed() < Duration::from_secs(120), "the worktree is not built");
        assert!(child.try_wait().unwrap().is_none(), "it ended before");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(repository.git(&["worktree", "list"]).lines().count(), 2);
    let group = format!("-{}", child.id());
    assert!(
        Command::new("kill")
            .args(["-INT", "--", &group])
            .status()
            .unwrap()
            .success()
    );
    assert_eq!(child.wait().unwrap().code(), Some(1));
    repository.is_tidy();
    let after = fs::read_to_string(repository.target("bench/latest")).unwrap();
    assert_ne!(PathBuf::from(after.trim()), run, "that of the mood came after it");
    assert_eq!(
        fs::read_dir(repository.target("bench"))
            .unwrap()
            .filter(|entry| entry.as_ref().unwrap().path().join("run.json").exists())
            .count(),
        4
    );
}
