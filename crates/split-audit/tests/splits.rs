//! Splits between popular crates that rustc rejects, as `splits.toml` lists them, each with the lock that cargo once wrote
//! for it: whether an audit finds them, and whether what it advises compiles.
//!
//! `cargo test -p split-audit --test splits -- --ignored --nocapture` compiles each before and after the cure, and writes
//! `docs/data/splits.csv` and the table of `docs/split-audit-measured.md`, a row after each. `SPLITS_CASE` narrows it to names with
//! commas between them, and leaves the other rows as they are. Cases share a target folder, `SPLITS_TARGET` or one of cargo's.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop there")]
#![allow(clippy::print_stdout, reason = "the run that takes long says what it is at")]

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::Mutex,
};

use serde::{Deserialize, Serialize};
use serde_json::Value;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cases {
    case: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    /// How the versions meet.
    kind: String,
    /// The crate of which there are two.
    split: String,
    dependencies: String,
    main: String,
    /// Why an audit cannot find it, where it does not.
    missed: Option<String>,
}

/// A row of `docs/data/splits.csv`.
#[derive(Debug, Deserialize, PartialEq, Eq, Serialize)]
struct Row {
    case: String,
    kind: String,
    #[serde(rename = "crate")]
    split: String,
    rustc_before: String,
    found: String,
    cure: String,
    rustc_after: String,
}

fn manifest_dir() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn all_cases() -> Vec<Case> {
    let text = std::fs::read_to_string(manifest_dir().join("tests/splits.toml")).unwrap();
    let cases: Cases = toml::from_str(&text).unwrap();
    cases.case
}

fn cases() -> Vec<Case> {
    let only = std::env::var("SPLITS_CASE").unwrap_or_default();
    let only: Vec<&str> = only.split(',').filter(|name| !name.is_empty()).collect();
    let mut cases = all_cases();
    cases.retain(|case| only.is_empty() || only.contains(&case.name.as_str()));
    cases
}

/// The case as a workspace.
struct Workspace {
    folder: tempfile::TempDir,
}

impl Workspace {
    fn new(case: &Case) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let manifest = format!(
            "[package]\nname = \"app\"\nversion = \"0.1.0\"\nedition = \"2021\"\n\n[dependencies]\n{}",
            case.dependencies
        );
        std::fs::create_dir(folder.path().join("src")).unwrap();
        std::fs::write(folder.path().join("Cargo.toml"), manifest).unwrap();
        std::fs::write(folder.path().join("src/main.rs"), &case.main).unwrap();
        let lock = manifest_dir().join(format!("tests/splits/{}.lock", case.name));
        std::fs::copy(&lock, folder.path().join("Cargo.lock")).unwrap_or_else(|e| panic!("{}: {e}", lock.display()));
        Self { folder }
    }

    fn run(&self, mut command: Command) -> Output {
        command.current_dir(self.folder.path()).output().unwrap()
    }

    fn audit(&self, flags: &[&str]) -> Value {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cargo-split-audit"));
        command.args([
            "split-audit",
            "--target",
            "x86_64-unknown-linux-gnu",
            "--format",
            "json",
        ]);
        command.args(flags).env("CARGO", env!("CARGO"));
        let output = self.run(command);
        serde_json::from_slice(&output.stdout).unwrap_or_else(|e| {
            panic!(
                "{e}: {}{}",
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            )
        })
    }

    /// `compiles`, or the codes of rustc's errors.
    fn check(&self) -> String {
        let target = std::env::var_os("SPLITS_TARGET").map(PathBuf::from);
        let target = target.unwrap_or_else(|| Path::new(env!("CARGO_TARGET_TMPDIR")).join("splits"));
        let mut command = Command::new(env!("CARGO"));
        command
            .args(["check", "--message-format", "json"])
            .env("CARGO_TARGET_DIR", target);
        command.envs([("CARGO_PROFILE_DEV_DEBUG", "0"), ("CARGO_INCREMENTAL", "0")]);
        let output = self.run(command);
        if output.status.success() {
            return "compiles".to_owned();
        }
        let mut codes: Vec<String> = String::from_utf8_lossy(&output.stdout)
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .filter(|line| line["message"]["level"] == "error")
            .filter_map(|line| Some(line["message"]["code"]["code"].as_str()?.to_owned()))
            .collect();
        codes.sort();
        codes.dedup();
        assert!(!codes.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
        codes.join(" ")
    }

    /// Does what the first audit advised, and says what that was.
    fn cure(&self, split: &str, audit: &Value) -> Option<String> {
        let of = |list: &Value| -> Vec<Value> {
            let mut list = list.as_array().cloned().unwrap_or_default();
            // What concerns the crate itself first.
            list.sort_by_key(|entry| entry["crate"] != split);
            list
        };
        if let Some(cured) = of(&audit["cure"]["cured"]).first() {
            self.audit(&["--apply"]);
            let steps: Vec<&str> = cured["steps"].as_array()?.iter().filter_map(Value::as_str).collect();
            let command = cured["equivalent_command"].as_str();
            return Some(command.map_or_else(|| steps.join(", "), str::to_owned));
        }
        let blocked = of(&audit["cure"]["blocked"]);
        let mut manifests = blocked.iter().filter_map(|b| b["manifest"].as_array());
        let manifest = manifests.find(|lines| !lines.is_empty())?;
        let lines: Vec<&Value> = manifest.iter().filter(|line| line["choice"] == 0).collect();
        let mut written = Vec::new();
        for line in lines {
            let path = self.folder.path().join("Cargo.toml");
            let text = std::fs::read_to_string(&path).unwrap();
            let number: usize = line["place"].as_str()?.rsplit(':').next()?.parse().ok()?;
            let new = line["line"].as_str()?;
            let lines = text.lines().enumerate();
            let lines = lines.map(|(index, old)| if index + 1 == number { new } else { old });
            let text = lines.fold(String::new(), |text, line| text + line + "\n");
            std::fs::write(&path, text).unwrap();
            let shown = format!("`{new}`");
            if !written.contains(&shown) {
                written.push(shown);
            }
        }
        (!written.is_empty()).then(|| written.join(", "))
    }
}

/// The level of the finding over the crate.
fn found(audit: &Value, split: &str) -> String {
    let findings = audit["findings"].as_array().unwrap().iter();
    let levels: Vec<&str> = findings
        .filter(|finding| finding["crate"] == split && finding["level"] != "info")
        .filter_map(|finding| finding["level"].as_str())
        .collect();
    let found = ["error", "warning"].into_iter().find(|level| levels.contains(level));
    found.unwrap_or("no").to_owned()
}

fn table(rows: &[Row]) -> String {
    let mut table =
        "| case | kind | crate | rustc before | found | cure | rustc after |\n|---|---|---|---|---|---|---|\n"
            .to_owned();
    for row in rows {
        table += &format!(
            "| {} | {} | {} | {} | {} | {} | {} |\n",
            row.case, row.kind, row.split, row.rustc_before, row.found, row.cure, row.rustc_after
        );
    }
    let n = rows.len();
    let n_found = rows.iter().filter(|row| row.found != "no").count();
    let n_cured = rows.iter().filter(|row| row.rustc_after == "compiles").count();
    table + &format!("\n{n} splits, {n_found} found by the default run, {n_cured} compile after the printed cure.\n")
}

fn rows() -> Vec<Row> {
    let path = manifest_dir().join("../../docs/data/splits.csv");
    let Ok(mut reader) = csv::Reader::from_path(path) else {
        return Vec::new();
    };
    reader.deserialize().map(Result::unwrap).collect()
}

const BEGIN: &str = "<!-- splits: begin -->\n";
const END: &str = "<!-- splits: end -->\n";

#[test]
#[ignore = "compiles a few hundred crates"]
fn what_is_advised_compiles() {
    for case in cases() {
        let workspace = Workspace::new(&case);
        let before = workspace.check();
        assert_ne!(before, "compiles", "{}", case.name);
        let audit = workspace.audit(&[]);
        let found = found(&audit, &case.split);
        let cure = workspace.cure(&case.split, &audit);
        let after = if cure.is_some() {
            workspace.check()
        } else {
            "—".to_owned()
        };
        println!("{}: {before}; {found}; {cure:?}; {after}", case.name);
        write(Row {
            case: case.name.clone(),
            kind: case.kind.clone(),
            split: case.split.clone(),
            rustc_before: before,
            found,
            cure: cure.unwrap_or_else(|| "none".to_owned()),
            rustc_after: after,
        });
    }
}

/// Puts a row in the place of the one of its name, in the order of the cases.
fn write(new: Row) {
    let mut rows = rows();
    rows.retain(|row| row.case != new.case);
    rows.push(new);
    let order: Vec<String> = all_cases().into_iter().map(|case| case.name).collect();
    rows.retain(|row| order.contains(&row.case));
    rows.sort_by_key(|row| order.iter().position(|name| *name == row.case));
    let docs = manifest_dir().join("../../docs");
    let mut writer = csv::Writer::from_path(docs.join("data/splits.csv")).unwrap();
    rows.iter().for_each(|row| writer.serialize(row).unwrap());
    writer.flush().unwrap();
    let page = std::fs::read_to_string(docs.join("split-audit-measured.md")).unwrap();
    let (head, rest) = page.split_once(BEGIN).unwrap();
    let (_, tail) = rest.split_once(END).unwrap();
    std::fs::write(
        docs.join("split-audit-measured.md"),
        format!("{head}{BEGIN}{}{END}{tail}", table(&rows)),
    )
    .unwrap();
}

#[test]
fn every_split_that_rustc_rejects_is_found() {
    let rows: BTreeMap<String, Row> = rows().into_iter().map(|row| (row.case.clone(), row)).collect();
    let (cases, wrong) = (cases(), Mutex::new(Vec::new()));
    let next = Mutex::new(cases.iter());
    let work = || {
        loop {
            let Some(case) = next.lock().unwrap().next() else {
                return;
            };
            let audit = Workspace::new(case).audit(&["--no-cure"]);
            let found = found(&audit, &case.split);
            if (found == "no") != case.missed.is_some() {
                wrong
                    .lock()
                    .unwrap()
                    .push(format!("{}: {found}, though {:?}", case.name, case.missed));
            }
            // A case without a row has not been compiled.
            if rows.get(&case.name).is_some_and(|row| row.found != found) {
                wrong
                    .lock()
                    .unwrap()
                    .push(format!("{}: {found}, and otherwise in splits.csv", case.name));
            }
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(work);
        scope.spawn(work);
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_page_has_the_table_of_the_data() {
    let page = std::fs::read_to_string(manifest_dir().join("../../docs/split-audit-measured.md")).unwrap();
    let (_, rest) = page.split_once(BEGIN).unwrap();
    let (shown, _) = rest.split_once(END).unwrap();
    assert_eq!(shown, table(&rows()));
}
