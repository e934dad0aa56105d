//! `cargo xtask gate` as CI sees it: exit codes and messages over the files of a run.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use support::check;

const FINGERPRINT: &str = r#"{"schema":1,"os":"linux","arch":"x86_64","cpu":"test","logical_cores":2,"affinity":"bound","compiler":"rustc 1.95.0","adapters":[]}"#;
const PLAN: &str = r#"{"schema":1,"started":"2026-01-02T03:04:05Z","commit":"0123456","command":"cargo xtask bench","pace":"default","runs":1,"backends":["cpu"],"skipped":[],"ops":null,"sizes":["1000"]}"#;
const COLUMNS: &str = "op,backend,size,tasks,stage,run,calls,p10_ns,p50_ns,p90_ns,p95_ns,p99_ns,calibration_ns,submits,passes,dispatches,copies,buffers_created,bind_groups_created,pipelines_created,bytes_up,bytes_down,maps,pool_hits";

fn row(stage: &str, run: usize, p10_ns: f64, dispatches: u64) -> String {
    format!(
        "vector_add,cpu,1000,1,{stage},{run},1000,{p10_ns},{},{},{},{},60000,1,1,{dispatches},0,0,0,0,8000,4000,2,1\n",
        p10_ns * 1.5,
        p10_ns * 2.0,
        p10_ns * 2.5,
        p10_ns * 3.0
    )
}

/// A machine with a baseline of five runs around 100 ns.
struct Machine(tempfile::TempDir);

impl Machine {
    fn new() -> Self {
        let machine = Self(tempfile::tempdir().unwrap());
        fs::create_dir(machine.run_dir()).unwrap();
        fs::create_dir(machine.baselines()).unwrap();
        machine.write_run(&[row("screen", 1, 100.0, 1)]);
        fs::write(machine.run_dir().join("fingerprint.json"), FINGERPRINT).unwrap();
        fs::write(machine.run_dir().join("run.json"), PLAN).unwrap();
        machine
    }

    fn with_baseline() -> Self {
        let machine = Self::new();
        let rows: String = (1..=5_u8)
            .map(|run| row("screen", run.into(), 99.0 + f64::from(run) * 0.3, 1))
            .collect();
        let text = format!(
            "# gpu-executor baseline, schema 1\n# fingerprint {FINGERPRINT}\n# recorded today\n{COLUMNS}\n{rows}# end of 5 rows\n"
        );
        fs::write(machine.baseline(), text).unwrap();
        machine
    }

    fn run_dir(&self) -> PathBuf {
        self.0.path().join("run")
    }

    fn baselines(&self) -> PathBuf {
        self.0.path().join("baselines")
    }

    /// The name the gate looks for, as it says itself when there is none.
    fn baseline(&self) -> PathBuf {
        let output = Self::new().gate(&[]);
        let text = String::from_utf8(output.stdout).unwrap();
        let id = text.split_once("this machine (").unwrap().1.split_once(')').unwrap().0;
        self.baselines().join(format!("{id}.csv"))
    }

    fn write_run(&self, rows: &[String]) {
        fs::write(self.run_dir().join("runs.csv"), format!("{COLUMNS}\n{}", rows.concat())).unwrap();
    }

    fn gate(&self, flags: &[&str]) -> Output {
        gate(&self.run_dir(), &self.baselines(), flags)
    }
}

fn gate(run: &Path, baselines: &Path, flags: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_xtask"))
        .arg("gate")
        .arg(run)
        .arg("--baselines")
        .arg(baselines)
        .args(flags)
        .output()
        .unwrap()
}

#[test]
fn an_unchanged_case_passes_and_the_files_say_so() {
    let machine = Machine::with_baseline();
    check(&machine.gate(&["--strict", "--require-baseline"]), 0, &["pass: 1 pass"]);
    let summary = fs::read_to_string(machine.run_dir().join("summary.md")).unwrap();
    assert!(summary.starts_with("# Bench: pass"), "{summary}");
    let verdicts = fs::read_to_string(machine.run_dir().join("verdicts.json")).unwrap();
    assert!(verdicts.contains(r#""exit": 0"#), "{verdicts}");
}

#[test]
fn a_confirmed_slowdown_ends_with_3_and_names_the_case() {
    let machine = Machine::with_baseline();
    let mut rows = vec![row("screen", 1, 130.0, 1)];
    rows.extend((2..=4).map(|run| row("confirm", run, 130.0, 1)));
    machine.write_run(&rows);
    check(
        &machine.gate(&[]),
        3,
        &["regression", "vector_add/cpu/1000: fastest tenth slower by 30"],
    );
}

#[test]
fn another_dispatch_ends_with_3_without_any_doubt() {
    let machine = Machine::with_baseline();
    machine.write_run(&[row("screen", 1, 100.0, 2)]);
    check(&machine.gate(&[]), 3, &["vector_add/cpu/1000", "dispatches 1 → 2"]);
}

#[test]
fn an_unconfirmed_suspect_fails_only_under_strict() {
    let machine = Machine::with_baseline();
    machine.write_run(&[row("screen", 1, 130.0, 1)]);
    check(&machine.gate(&[]), 0, &["inconclusive"]);
    check(&machine.gate(&["--strict"]), 4, &["inconclusive"]);
}

#[test]
fn a_machine_without_a_baseline_is_told_how_to_record_one() {
    let machine = Machine::new();
    check(
        &machine.gate(&[]),
        0,
        &["no baseline for this machine", "--save-baseline"],
    );
    check(
        &machine.gate(&["--require-baseline"]),
        5,
        &["no baseline for this machine"],
    );
}

#[test]
fn a_damaged_baseline_ends_with_1_names_its_line_and_stays_as_it_is() {
    let machine = Machine::with_baseline();
    let good = fs::read_to_string(machine.baseline()).unwrap();
    let name = machine.baseline().file_name().unwrap().to_string_lossy().into_owned();
    let check = |damaged: &str, line: usize, expected: &str| {
        fs::write(machine.baseline(), damaged).unwrap();
        check(&machine.gate(&[]), 1, &[&format!("{name}:{line}: "), expected]);
        assert_eq!(fs::read_to_string(machine.baseline()).unwrap(), damaged);
    };
    check(&good[..good.len() / 2], 5, "cut off");
    check(&good.replace("# end of 5 rows\n", ""), 9, "cut off");
    check(&good.replace("schema 1\n", "schema 2\n"), 1, "schema 2");
    check(
        &good.replace(
            "vector_add,cpu,1000,1,screen,3",
            "<<<<<<< HEAD\nvector_add,cpu,1000,1,screen,3",
        ),
        7,
        "merge",
    );
    check(&good.replace("screen,3", "screen,2"), 7, "second row");
    check(&good.replacen("60000", "60us", 1), 5, "`calibration_ns`");
}

#[test]
fn an_unfinished_or_damaged_run_ends_with_1() {
    let machine = Machine::with_baseline();
    check(
        &gate(&machine.0.path().join("nowhere"), &machine.baselines(), &[]),
        1,
        &["nowhere", "cannot read"],
    );
    machine.write_run(&[]);
    check(&machine.gate(&[]), 1, &["runs.csv", "measured nothing"]);
    machine.write_run(&[row("screen", 1, 100.0, 1)[..40].to_owned()]);
    check(&machine.gate(&[]), 1, &["runs.csv:2: ", "cut off"]);
    machine.write_run(&[row("screen", 1, 100.0, 1)]);
    fs::write(machine.run_dir().join("fingerprint.json"), &FINGERPRINT[..30]).unwrap();
    check(&machine.gate(&[]), 1, &["fingerprint.json:1: "]);
    fs::remove_file(machine.run_dir().join("fingerprint.json")).unwrap();
    check(&machine.gate(&[]), 1, &["fingerprint.json"]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_disk_that_is_full_leaves_the_old_files_whole() {
    let machine = Machine::with_baseline();
    check(&machine.gate(&[]), 0, &[]);
    let verdicts = machine.run_dir().join("verdicts.json");
    let before = fs::read_to_string(&verdicts).unwrap();
    let limited = Command::new("sh")
        .args([
            "-c",
            "trap '' XFSZ; ulimit -f 0; exec \"$0\" gate \"$1\" --baselines \"$2\"",
            env!("CARGO_BIN_EXE_xtask"),
        ])
        .args([machine.run_dir(), machine.baselines()])
        .output()
        .unwrap();
    check(&limited, 1, &["cannot write", "verdicts.json"]);
    assert_eq!(fs::read_to_string(&verdicts).unwrap(), before);
    let left: Vec<_> = fs::read_dir(machine.run_dir())
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .collect();
    assert!(
        left.iter().all(|name| !name.to_string_lossy().starts_with('.')),
        "{left:?}"
    );
}

#[test]
fn wrong_flags_end_with_2() {
    let run = |arguments: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_xtask"))
            .args(arguments)
            .output()
            .unwrap()
    };
    check(&run(&["gate"]), 2, &["RUN_DIR"]);
    check(&run(&["bench", "--backend", "vulcan"]), 2, &["vulkan", "gles"]);
    check(&run(&["frobnicate"]), 2, &["unrecognized subcommand"]);
}
