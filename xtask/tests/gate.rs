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
const RECORDING: &str = r#"{"runs":[1,5],"date":"2026-01-01T00:00:00Z","commit":"0123456","versions":{"wgpu":"30.0.1"},"tuning":{},"command":"cargo xtask bench --save-baseline","pace":"default","forced":[]}"#;
const TIMES: &str = "p10_ns,p50_ns,p90_ns,p95_ns,p99_ns,calibration_ns";
const COUNTERS: &str = "submits,passes,dispatches,copies,buffers_created,bind_groups_created,pipelines_created,bytes_up,bytes_down,maps,pool_hits";

fn times(p10_ns: f64) -> String {
    let times = [1.0, 1.5, 2.0, 2.5, 3.0].map(|factor| format!("{:.1}", p10_ns * factor));
    format!("{},60000", times.join(","))
}

fn counters(dispatches: u64) -> String {
    format!("1,1,{dispatches},0,0,0,0,8000,4000,2,1")
}

/// A row of a run.
fn row(stage: &str, run: usize, p10_ns: f64, dispatches: u64) -> String {
    format!(
        "vector_add,cpu,1000,1,{stage},{run},1000,{},{}\n",
        times(p10_ns),
        counters(dispatches)
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
            .map(|run| {
                format!(
                    "vector_add,cpu,1000,1,{run},1000,{}\n",
                    times(99.0 + f64::from(run) * 0.3)
                )
            })
            .collect();
        let text = format!(
            "# gpu-executor baseline, schema 2\n# fingerprint {FINGERPRINT}\n# recording {RECORDING}\n\
             # counters: calls into wgpu of each call, exact\nop,backend,size,tasks,{COUNTERS}\n\
             vector_add,cpu,1000,1,{}\n\
             # times: a line for each case and process\nop,backend,size,tasks,run,calls,{TIMES}\n\
             {rows}# end of 1 cases, 5 rows\n",
            counters(1)
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
        let header = format!("op,backend,size,tasks,stage,run,calls,{TIMES},{COUNTERS}\n");
        fs::write(self.run_dir().join("runs.csv"), format!("{header}{}", rows.concat())).unwrap();
    }

    fn gate(&self, flags: &[&str]) -> Output {
        gate(&self.run_dir(), &self.baselines(), flags)
    }
}

fn gate(run: &Path, baselines: &Path, flags: &[&str]) -> Output {
    command(run, baselines, flags).output().unwrap()
}

fn command(run: &Path, baselines: &Path, flags: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command
        .arg("gate")
        .arg(run)
        .arg("--baselines")
        .arg(baselines)
        .args(flags);
    // These tests may themselves be run by GitHub Actions, whose summary is not theirs.
    command.env_remove("GITHUB_ACTIONS").env_remove("GITHUB_STEP_SUMMARY");
    command
}

#[test]
fn an_unchanged_case_passes_and_the_files_say_so() {
    let machine = Machine::with_baseline();
    check(&machine.gate(&["--strict", "--require-baseline"]), 0, &["pass: 1 pass"]);
    let summary = fs::read_to_string(machine.run_dir().join("summary.md")).unwrap();
    assert!(summary.starts_with("# Bench: pass"), "{summary}");
    let verdicts = fs::read_to_string(machine.run_dir().join("verdicts.json")).unwrap();
    assert!(verdicts.contains(r#""exit": 0"#), "{verdicts}");
    let junit = fs::read_to_string(machine.run_dir().join("junit.xml")).unwrap();
    let junit = roxmltree::Document::parse(&junit).unwrap();
    let suite = junit.descendants().find(|node| node.has_tag_name("testsuite")).unwrap();
    let counts = ["name", "tests", "failures", "skipped"].map(|name| suite.attribute(name).unwrap());
    assert_eq!(counts, ["vector_add/cpu", "1", "0", "0"]);
    let history = fs::read_to_string(machine.run_dir().join("benchmark.json")).unwrap();
    let history: serde_json::Value = serde_json::from_str(&history).unwrap();
    assert_eq!(history[0]["name"], "vector_add/cpu/1000 (fastest tenth)");
    assert_eq!(history[0]["value"], 100.0);
}

#[test]
fn counters_are_told_before_times() {
    let machine = Machine::with_baseline();
    check(
        &machine.gate(&[]),
        0,
        &["counters: as they were in all of 1 cases\ncase "],
    );
    machine.write_run(&[row("screen", 1, 100.0, 2)]);
    check(
        &machine.gate(&[]),
        3,
        &[
            "counters: changed in 1 of 1 cases; if that is meant, `cargo xtask bench --save-baseline`",
            "shows it\n  vector_add/cpu/1000: dispatches 1 → 2\ncase ",
        ],
    );
}

/// Whatever a run can be, its `verdicts.json` is as documented, and the documentation admits nothing else.
#[test]
fn verdicts_follow_their_documented_schema() {
    let text = include_str!("../../docs/verdicts.schema.json");
    let (mut schemas, mut compiler) = (boon::Schemas::new(), boon::Compiler::new());
    compiler
        .add_resource("schema.json", serde_json::from_str(text).unwrap())
        .unwrap();
    let index = compiler.compile("schema.json", &mut schemas).unwrap();
    let hold = |machine: &Machine, flags: &[&str], exit: i32| {
        let output = machine.gate(flags);
        assert_eq!(output.status.code(), Some(exit), "{output:?}");
        let text = fs::read_to_string(machine.run_dir().join("verdicts.json")).unwrap();
        let verdicts: serde_json::Value = serde_json::from_str(&text).unwrap();
        if let Err(error) = schemas.validate(&verdicts, index) {
            panic!("{error:#}\n{text}");
        }
        let refuse = |change: &dyn Fn(&mut serde_json::Value)| {
            let mut wrong = verdicts.clone();
            change(&mut wrong);
            assert!(schemas.validate(&wrong, index).is_err(), "{wrong:#}");
        };
        // A field too many or too few, at every level.
        for place in ["", "/cases/0", "/machine"] {
            refuse(&|value| {
                let fields = value.pointer_mut(place).unwrap().as_object_mut().unwrap();
                fields.insert("surplus".to_owned(), 1.into());
            });
            for name in verdicts.pointer(place).unwrap().as_object().unwrap().keys() {
                refuse(&|value| {
                    value.pointer_mut(place).unwrap().as_object_mut().unwrap().remove(name);
                });
            }
        }
        refuse(&|value| value["cases"][0]["verdict"] = "splendid".into());
        refuse(&|value| value["cases"][0]["p50_ns"] = "12 ns".into());
        refuse(&|value| value["against"] = "a-feeling".into());
        refuse(&|value| value["schema"] = 1.into());
    };
    let machine = Machine::with_baseline();
    hold(&machine, &[], 0);
    machine.write_run(&[row("screen", 1, 100.0, 2)]);
    hold(&machine, &[], 3);
    machine.write_run(&[row("screen", 1, 130.0, 1)]);
    hold(&machine, &["--strict"], 4);
    let confirming = (2..=4).map(|run| row("confirm", run, 130.0, 1));
    machine.write_run(&confirming.chain([row("screen", 1, 130.0, 1)]).collect::<Vec<_>>());
    hold(&machine, &[], 3);
    machine.write_run(&[row("screen", 1, 100.0, 1).replace(",1000,1,screen", ",2000,1,screen")]);
    hold(&machine, &[], 0);
    hold(&machine, &["--strict"], 4);
    let machine = Machine::new();
    hold(&machine, &[], 0);
    hold(&machine, &["--require-baseline"], 5);
}

#[test]
fn github_is_told_in_annotations_and_in_the_jobs_summary_and_nobody_else_is() {
    let machine = Machine::with_baseline();
    machine.write_run(&[row("screen", 1, 100.0, 2)]);
    let summary = machine.0.path().join("step-summary");
    let told = |actions: Option<&str>| {
        let mut command = command(&machine.run_dir(), &machine.baselines(), &[]);
        command.env("GITHUB_STEP_SUMMARY", &summary);
        if let Some(value) = actions {
            command.env("GITHUB_ACTIONS", value);
        }
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(3), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    for actions in [None, Some("false"), Some("")] {
        assert!(!told(actions).contains("::"));
        assert!(!summary.exists());
    }
    let annotation =
        "\n::error title=counters changed%3A vector_add/cpu/1000::calls into wgpu changed: dispatches 1 → 2; ";
    assert!(told(Some("true")).contains(annotation));
    told(Some("true"));
    let summaries = fs::read_to_string(&summary).unwrap();
    assert_eq!(summaries.matches("# Bench: regression").count(), 2, "{summaries}");
    // A summary that cannot be written changes no verdict.
    fs::remove_file(&summary).unwrap();
    fs::create_dir(&summary).unwrap();
    assert!(told(Some("true")).contains(annotation));
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

/// What `cargo xtask bench` leaves of a comparison with the baseline's revision.
fn compared(machine: &Machine, verdict: &str, percent: f64) {
    let judged = format!(
        r#"{{"case":"vector_add/cpu/1000","verdict":"{verdict}","blocks":16,"base_ns":100.0,"head_ns":100.0,"quantile":"fastest tenth",
        "change_percent":{percent},"low_percent":-1.0,"high_percent":1.0,"p_adjusted":1.0,"detectable_percent":2.0,
        "sentinel_percent":0.0,"counters":null,"phases":[],"note":null,"fails":false}}"#
    );
    let side = r#"{"revision":"0123456","commit":"0123456","program":"x"}"#;
    fs::write(
        machine.run_dir().join("ab.json"),
        format!(r#"{{"base":{side},"head":{side},"verdicts":[{judged}]}}"#),
    )
    .unwrap();
}

#[test]
fn what_a_comparison_found_stays_when_the_run_is_judged_again() {
    let machine = Machine::with_baseline();
    let slow = |machine: &Machine, dispatches| {
        let mut rows = vec![row("screen", 1, 130.0, dispatches)];
        rows.extend((2..=4).map(|run| row("confirm", run, 130.0, dispatches)));
        machine.write_run(&rows);
    };
    slow(&machine, 1);
    compared(&machine, "pass", 0.3);
    check(
        &machine.gate(&["--strict"]),
        0,
        &["pass: 1 pass", "A/B with 0123456 in 16 blocks"],
    );
    compared(&machine, "slower", 4.0);
    check(&machine.gate(&[]), 3, &["fastest tenth slower by 4.0 %"]);
    // Cases that were recorded from other commits have files of their own.
    let first = machine.run_dir().join("ab.json");
    fs::rename(&first, machine.run_dir().join("ab-2.json")).unwrap();
    let other = fs::read_to_string(machine.run_dir().join("ab-2.json")).unwrap();
    fs::write(&first, other.replace("vector_add/cpu/1000", "vector_add/cpu/2000")).unwrap();
    check(&machine.gate(&[]), 3, &["fastest tenth slower by 4.0 %"]);
    fs::remove_file(machine.run_dir().join("ab-2.json")).unwrap();
    // One that was disturbed acquits nobody; one that only cannot tell how small a change is does not leave it at 30 %.
    compared(&machine, "noisy", 4.0);
    check(&machine.gate(&[]), 3, &["fastest tenth slower by 30"]);
    compared(&machine, "inconclusive", 0.3);
    check(
        &machine.gate(&["--strict"]),
        4,
        &["inconclusive (+30", "between -1.0 and +1.0 %"],
    );
    compared(&machine, "pass", 0.3);
    slow(&machine, 2);
    check(&machine.gate(&[]), 3, &["dispatches 1 → 2"]);
    slow(&machine, 1);
    let again = fs::read_to_string(machine.baseline()).unwrap();
    let again = again.replace("2026-01-01T00:00:00Z", "2026-01-03T00:00:00Z");
    fs::write(machine.baseline(), again).unwrap();
    check(&machine.gate(&[]), 3, &["recorded anew since", "slower by 30"]);
    fs::write(machine.run_dir().join("ab.json"), "{").unwrap();
    fs::write(
        machine.baseline(),
        fs::read_to_string(machine.baseline())
            .unwrap()
            .replace("2026-01-03", "2026-01-01"),
    )
    .unwrap();
    check(&machine.gate(&[]), 1, &["ab.json:1: "]);
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
    let half = &good[..good.len() / 2];
    check(half, half.lines().count(), "cut off");
    check(&good.replace("# end of 1 cases, 5 rows\n", ""), 13, "cut off");
    check(
        &good.replace("schema 2\n", "schema 1\n"),
        1,
        "schema 1, this program reads schema 2 (`cargo xtask bench --save-baseline`",
    );
    check(
        &good.replace("vector_add,cpu,1000,1,3,", "<<<<<<< HEAD\nvector_add,cpu,1000,1,3,"),
        11,
        "merge",
    );
    check(&good.replace("cpu,1000,1,3,", "cpu,1000,1,2,"), 11, "second row");
    check(&good.replacen("60000", "60us", 1), 9, "`calibration_ns`");
    check(&good.replace(",pool_hits", ""), 5, "`pool_hits` is missing");
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
    check(&run(&["bench", "--force"]), 2, &["--save-baseline"]);
    check(&run(&["frobnicate"]), 2, &["unrecognized subcommand"]);
}
