//! What `cargo xtask bench --save-baseline` records, and when it refuses to, with shell scripts in the place of cargo and of the programs
//! it builds.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

#[path = "support/machine.rs"]
#[allow(dead_code, reason = "what other tests need")]
mod machine;
mod support;

use std::{fs, process::Command};

use machine::Machine;
use support::check;

#[test]
fn a_second_recording_leaves_other_cases_alone() {
    let machine = Machine::new();
    check(&machine.bench(&["--save-baseline"]), 0, &[]);
    let before = fs::read_to_string(machine.baseline()).unwrap();
    let mut again = Command::new(env!("CARGO_BIN_EXE_xtask"));
    again
        .args(["bench", "--no-ab", "--size", "200", "--save-baseline", "--baselines"])
        .arg(machine.path("baselines"));
    again
        .env("CARGO", machine.path("cargo"))
        .env("CARGO_TARGET_DIR", machine.path("target"))
        .env_remove("GITHUB_ACTIONS");
    machine.set("time_ns", "130");
    check(&again.output().unwrap(), 0, &["Recorded"]);
    let after = fs::read_to_string(machine.baseline()).unwrap();
    let rows = |text: &str, case: &str| {
        text.lines()
            .filter(|l| l.starts_with(case))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        rows(&before, "vector_add,cpu,100,"),
        rows(&after, "vector_add,cpu,100,")
    );
    assert_ne!(
        rows(&before, "vector_add,cpu,200,"),
        rows(&after, "vector_add,cpu,200,")
    );
    check(&machine.bench(&["--size", "x"]), 2, &["1000x256"]);
    check(
        &machine.bench(&["--save-baseline", "--runs", "4"]),
        2,
        &["--runs 4", "5 processes", "--force"],
    );
    check(
        &machine.bench(&["--save-baseline", "--runs", "4", "--force"]),
        0,
        &["Recorded"],
    );
    let text = fs::read_to_string(machine.baseline()).unwrap();
    assert!(text.contains(r#""forced":["4 of 5 processes"]"#), "{text}");
}

/// Lines of two texts that differ.
fn differing<'a>(old: &'a str, new: &'a str) -> Vec<(&'a str, &'a str)> {
    assert_eq!(old.lines().count(), new.lines().count());
    old.lines().zip(new.lines()).filter(|(old, new)| old != new).collect()
}

#[test]
fn a_recording_tells_who_measured_with_what_and_a_changed_counter_is_one_line() {
    let machine = Machine::new();
    let record = || {
        check(&machine.bench(&["--save-baseline"]), 0, &["Recorded"]);
        fs::read_to_string(machine.baseline()).unwrap()
    };
    let first = record();
    let recording = first.lines().nth(2).unwrap();
    let expected = [
        r#"# recording {"runs":[1,5],"date":"20"#,
        r#""commit":""#,
        r#""versions":{"criterion":""#,
        r#""gpu-executor":""#,
        r#""wgpu":""#,
        r#""command":"cargo xtask bench "#,
        r#""pace":"default","forced":[]}"#,
    ];
    assert!(expected.iter().all(|part| recording.contains(part)), "{recording}");
    let is_case = |(old, _): &(&str, &str)| !old.starts_with("# recording ");
    let second = record();
    assert_eq!(
        differing(&first, &second).into_iter().filter(is_case).count(),
        0,
        "nothing changed"
    );
    machine.set("dispatches", "2");
    let third = record();
    let changed: Vec<_> = differing(&second, &third).into_iter().filter(is_case).collect();
    assert_eq!(changed.len(), 6, "one line for each of six cases: {changed:?}");
    assert_eq!(
        changed[0],
        (
            "vector_add,cpu,100,1,1,1,1,0,0,0,0,8,4,2,1",
            "vector_add,cpu,100,1,1,1,2,0,0,0,0,8,4,2,1"
        )
    );
}

/// They are the same on every machine, so that a machine without a baseline or a driver holds them as well.
#[test]
fn counters_without_a_driver_are_gated_on_every_machine_and_accepted_by_recording_them() {
    let machine = Machine::new();
    let noop = |flags: &[&str]| machine.bench(&[&["--backend", "noop"], flags].concat());
    check(&machine.bench(&[]), 0, &["2 cases without a driver: 2 new"]);
    check(
        &noop(&["--require-baseline"]),
        5,
        &["no baseline for counters without a driver"],
    );
    check(&noop(&["--save-baseline"]), 0, &["Recorded", "noop.csv"]);
    let file = machine.path("baselines/noop.csv");
    let recorded = fs::read_to_string(&file).unwrap();
    check(
        &noop(&["--strict", "--require-baseline"]),
        0,
        &["pass: 2 pass, against baseline noop"],
    );
    assert_eq!(fs::read_dir(machine.path("baselines")).unwrap().count(), 1);
    check(
        &machine.bench(&[]),
        0,
        &[
            "unchanged (2 cases without a driver)\ncase ",
            "no baseline for this machine",
        ],
    );

    machine.set("noop_dispatches", "2");
    let changed = [
        "warning: vector_add/noop/1000: dispatches 1 → 2",
        "counters: changed in 1 of 2 cases without a driver; if that is meant, `cargo xtask bench --save-baseline --backend noop`",
        "  vector_add/noop/1000: dispatches 1 → 2\ncase ",
        "regression",
    ];
    let output = machine.bench(&[]);
    check(&output, 3, &changed);
    assert!(output.stdout.starts_with(b"counters: "), "{output:?}");
    check(
        &machine.bench(&["--require-baseline"]),
        3,
        &[changed[0], "no baseline for this machine"],
    );
    check(
        &noop(&[]),
        3,
        &[
            "  vector_add/noop/1000: dispatches 1 → 2\n",
            "regression: 1 counters changed, 1 pass, against baseline noop",
        ],
    );
    // Whatever is recorded of the machine.
    check(&machine.bench(&["--save-baseline"]), 0, &["Recorded"]);
    check(
        &machine.bench(&[]),
        3,
        &["counters: changed in 1 of 8 cases", "1 counters changed, 6 pass"],
    );
    // Nor by whoever records all there is of a machine, and has not seen what changed.
    let mut all = Command::new(env!("CARGO_BIN_EXE_xtask"));
    all.args([
        "bench",
        "--no-ab",
        "--size",
        "100,200",
        "--save-baseline",
        "--baselines",
    ])
    .arg(machine.path("baselines"))
    .env("CARGO", machine.path("cargo"))
    .env("CARGO_TARGET_DIR", machine.path("target"))
    .env_remove("GITHUB_ACTIONS");
    check(
        &all.output().unwrap(),
        0,
        &[changed[0], "noop.csv stays as it is", "--backend noop"],
    );
    assert_eq!(fs::read_to_string(&file).unwrap(), recorded);
    check(&machine.bench(&[]), 3, &["counters: changed in 1 of 8 cases"]);
    let latest = machine.latest();
    let again = |actions: &str| {
        let mut gate = Command::new(env!("CARGO_BIN_EXE_xtask"));
        gate.arg("gate")
            .arg(&latest)
            .arg("--baselines")
            .arg(machine.path("baselines"));
        gate.env("GITHUB_ACTIONS", actions)
            .env_remove("GITHUB_STEP_SUMMARY")
            .output()
            .unwrap()
    };
    let annotation =
        "::error title=counters changed%3A vector_add/noop/1000::calls into wgpu changed: dispatches 1 → 2; ";
    check(&again("true"), 3, &[annotation]);

    check(&noop(&["--save-baseline"]), 0, &["Recorded"]);
    let accepted = fs::read_to_string(&file).unwrap();
    let lines = [
        "vector_add,noop,1000,1,1,1,1,0,0,0,0,8,4,2,1",
        "vector_add,noop,1000,1,1,1,2,0,0,0,0,8,4,2,1",
    ];
    assert_eq!(differing(&recorded, &accepted), [(lines[0], lines[1])]);
    check(&machine.bench(&[]), 0, &["pass: 6 pass"]);
    check(&again("false"), 0, &["pass: 6 pass"]);

    fs::write(&file, accepted.replacen("noop,1000,1,1,", "noop,1000,1,x,", 1)).unwrap();
    check(&machine.bench(&[]), 1, &["noop.csv:4: `submits`", "--backend noop"]);
    machine.set("no_noop", "");
    check(
        &machine.bench(&[]),
        1,
        &["cannot be counted without a driver", "wgpu is built without it"],
    );
}

#[test]
fn a_case_that_differs_between_processes_is_recorded_with_a_warning_and_never_passes_by_its_baseline() {
    let machine = Machine::new();
    machine.set("noisy", "");
    check(
        &machine.bench(&["--save-baseline"]),
        0,
        &[
            "vector_add/cpu/100: its processes differ by",
            "in turns each time",
            "Recorded",
        ],
    );
    let output = machine.bench(&[]);
    let text = String::from_utf8_lossy(&output.stdout);
    let case = text
        .lines()
        .find(|line| line.starts_with("vector_add/cpu/100 "))
        .unwrap_or_else(|| panic!("{text}"));
    assert!(!case.contains("pass"), "{text}");
}

#[test]
fn a_damaged_baseline_is_refused_before_anything_is_measured_and_only_recording_replaces_it() {
    let machine = Machine::new();
    check(&machine.bench(&["--save-baseline"]), 0, &[]);
    let path = machine.baseline();
    let damaged = fs::read_to_string(&path)
        .unwrap()
        .replacen("cpu,100,1,2,", "cpu,100,1,1,", 1);
    fs::write(&path, &damaged).unwrap();
    fs::remove_file(machine.path("bench.pid")).unwrap();
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    check(
        &machine.bench(&[]),
        1,
        &[&format!("{name}:15: second row"), "--save-baseline"],
    );
    assert!(!machine.path("bench.pid").exists(), "nothing was to be measured");
    assert_eq!(fs::read_to_string(&path).unwrap(), damaged);
    check(&machine.bench(&["--save-baseline"]), 0, &["replaced", "Recorded"]);
    check(&machine.bench(&[]), 0, &["pass: 6 pass"]);
}
