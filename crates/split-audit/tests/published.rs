//! Applications as they were published, with the lock that their authors build: every error there is a false one.
//!
//! `cargo test --release -p split-audit --test published -- --ignored --nocapture` downloads them, audits each beside
//! `cargo metadata`, and writes `docs/data/published-locks.csv`, a row after each; `MEASURED_ON` is its line about the machine.
//! `cargo xtask docs` then makes the table of `docs/split-audit-measured.md` anew.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop there")]
#![allow(clippy::print_stdout, reason = "the run that takes long says what it is at")]

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;

/// Programs of the registry that come with a lock, small and large.
const APPLICATIONS: [(&str, &str); 21] = [
    ("alacritty", "0.17.0"),
    ("atuin", "18.24.4"),
    ("bottom", "0.15.0"),
    ("cargo", "0.98.0"),
    ("cargo-deny", "0.20.2"),
    ("cargo-nextest", "0.9.151"),
    ("deno", "2.9.8"),
    ("gitoxide", "0.61.0"),
    ("gitui", "0.28.1"),
    ("jj-cli", "0.45.1"),
    ("neovide", "0.16.2"),
    ("nu", "0.115.1"),
    ("oculante", "0.9.6"),
    ("rerun-cli", "0.36.3"),
    ("sniffnet", "1.5.1"),
    ("sqlx-cli", "0.9.0"),
    ("starship", "1.27.0"),
    ("typst-cli", "0.15.1"),
    ("wasmtime-cli", "48.0.8"),
    ("yazi-fm", "26.5.6"),
    ("zellij", "0.45.1"),
];

/// Each is timed so often; the median counts.
const TURNS: usize = 3;

fn cargo(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO"));
    let output = command.current_dir(folder).args(args).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "cargo {args:?} in {}: {said}",
        folder.display()
    );
    output
}

/// A copy of a package of the registry, with all that its lock names downloaded.
fn download(name: &str, version: &str, into: &Path) -> PathBuf {
    let asks = into.join("asks");
    std::fs::create_dir_all(asks.join("src")).unwrap();
    std::fs::write(asks.join("src/lib.rs"), "").unwrap();
    let manifest = format!(
        "[package]\nname = \"asks\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[dependencies]\n{name} = {{ version = \"={version}\", default-features = false }}\n"
    );
    std::fs::write(asks.join("Cargo.toml"), manifest).unwrap();
    cargo(&asks, &["fetch"]);
    // `cargo metadata` does not name packages without a library.
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.unwrap_or_else(|| std::env::home_dir().unwrap().join(".cargo"));
    let registries = std::fs::read_dir(home.join("registry/src")).unwrap().flatten();
    let mut sources = registries.map(|registry| registry.path().join(format!("{name}-{version}")));
    let source = sources.find(|source| source.exists()).unwrap();
    let copy = into.join(name);
    copy_folder(&source, &copy);
    cargo(&copy, &["fetch", "--locked"]);
    copy
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().flatten() {
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// What a command takes, output and all.
fn time(command: &mut Command) -> Duration {
    let start = Instant::now();
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
    start.elapsed()
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort();
    times[times.len() / 2].as_secs_f64()
}

/// A row of the table, and how many errors it has.
fn row(name: &str, version: &str) -> (String, u64) {
    let folder = tempfile::tempdir().unwrap();
    let app = download(name, version, folder.path());
    let audit = |format: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cargo-split-audit"));
        command.current_dir(&app).env("CARGO", env!("CARGO"));
        command.args(["split-audit", "--no-cure", "--offline", "--format", format]);
        command
    };
    let (mut of_metadata, mut of_audit) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        let mut metadata = Command::new(env!("CARGO"));
        metadata.current_dir(&app);
        of_metadata.push(time(metadata.args([
            "metadata",
            "--format-version",
            "1",
            "--locked",
            "--offline",
        ])));
        of_audit.push(time(&mut audit("text")));
    }
    let found = audit("json").output().unwrap();
    let found: Value = serde_json::from_slice(&found.stdout)
        .unwrap_or_else(|e| panic!("{name}: {e}: {}", String::from_utf8_lossy(&found.stderr)));
    let findings = found["findings"].as_array().unwrap();
    let n = |is: &dyn Fn(&Value) -> bool| findings.iter().filter(|finding| is(finding)).count();
    let is_sibling = |finding: &Value| finding["level"] == "warning" && !finding["diamond"]["sibling"].is_null();
    let lock = std::fs::read_to_string(app.join("Cargo.lock")).unwrap();
    let (metadata, audit) = (median(of_metadata), median(of_audit));
    let errors = found["errors"].as_u64().unwrap();
    let row = format!(
        "{name} {version},{},{errors},{},{},{},{metadata:.2},{audit:.2},{:.1}",
        lock.matches("[[package]]").count(),
        found["warnings"],
        n(&is_sibling),
        found["infos"],
        audit / metadata
    );
    (row, errors)
}

#[test]
#[ignore = "downloads some thousand packages"]
fn no_published_application_has_an_error() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let commit = Command::new("git")
        .current_dir(&root)
        .args(["rev-parse", "--short", "HEAD"])
        .output()
        .unwrap();
    let machine = std::env::var("MEASURED_ON").expect("MEASURED_ON: the machine, for the line above the figures");
    let mut table = String::new();
    writeln!(
        table,
        "# command: cargo test --release -p split-audit --test published -- --ignored --nocapture"
    )
    .unwrap();
    writeln!(table, "# machine: {machine}").unwrap();
    writeln!(table, "# commit: {}", String::from_utf8_lossy(&commit.stdout).trim()).unwrap();
    table.push_str(
        "application,packages,errors,warnings,of_siblings,infos,metadata_seconds,audit_seconds,audit_over_metadata\n",
    );
    let mut false_errors = Vec::new();
    for (name, version) in APPLICATIONS {
        let (row, errors) = row(name, version);
        println!("{row}");
        writeln!(table, "{row}").unwrap();
        std::fs::write(root.join("docs/data/published-locks.csv"), &table).unwrap();
        if errors > 0 {
            false_errors.push(name);
        }
    }
    assert!(false_errors.is_empty(), "{false_errors:?}");
}
