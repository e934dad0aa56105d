//! `cargo xtask gate` as CI sees it: exit codes and messages over the files of a run.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

#[path = "support/run.rs"]
#[allow(dead_code, reason = "what other tests need")]
mod run;
mod support;

use std::{fs, process::Command};

use run::{COUNTERS, FINGERPRINT, Machine, PLAN, counters, gate, row};
use support::check;

#[test]
fn a_confirmed_slowdown_ends_with_3_and_names_the_case() {
    let machine = Machine::with_baseline();
    let mut rows = vec![row("screen", 1, 13000.0, 1)];
    rows.extend((2..=4).map(|run| row("confirm", run, 13000.0, 1)));
    machine.write_run(&rows);
    check(
        &machine.gate(&[]),
        3,
        &["regression", "vector_add/cpu/1000: fastest tenth slower by 29.9"],
    );
}

/// What `cargo xtask bench` leaves of a comparison with the baseline's revision.
fn compared(machine: &Machine, verdict: &str, percent: f64) {
    let judged = format!(
        r#"{{"case":"vector_add/cpu/1000","verdict":"{verdict}","statistic":"fast","blocks":16,"figures":[{{"statistic":"fast",
        "base_ns":10000.0,"head_ns":10000.0,"change_percent":{percent},"low_percent":-1.0,"high_percent":1.0,"p_adjusted":1.0,
        "control_percent":0.0,"deviation_percent":1.0,"floor_percent":1.0,"bound_percent":5.0,"detectable_percent":2.0}}],
        "settle":null,"accepted":null,"counters":null,"phases":[],"note":null,"fails":false}}"#
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
        let mut rows = vec![row("screen", 1, 13000.0, dispatches)];
        rows.extend((2..=4).map(|run| row("confirm", run, 13000.0, dispatches)));
        machine.write_run(&rows);
    };
    slow(&machine, 1);
    compared(&machine, "pass", 0.3);
    check(
        &machine.gate(&["--strict"]),
        0,
        &["pass: 6 pass", "A/B with 0123456 in 16 blocks"],
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
    compared(&machine, "inconclusive", 0.3);
    check(
        &machine.gate(&["--strict"]),
        4,
        &["inconclusive (+29.9 % against the baseline; A/B with"],
    );
    compared(&machine, "pass", 0.3);
    slow(&machine, 2);
    check(&machine.gate(&[]), 3, &["dispatches 1 → 2"]);
    slow(&machine, 1);
    let again = fs::read_to_string(machine.baseline()).unwrap();
    let again = again.replace("2026-01-01T00:00:00Z", "2026-01-03T00:00:00Z");
    fs::write(machine.baseline(), again).unwrap();
    check(&machine.gate(&[]), 3, &["recorded anew since", "slower by 29.9"]);
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
    machine.write_run(&[row("screen", 1, 10000.0, 2)]);
    check(&machine.gate(&[]), 3, &["vector_add/cpu/1000", "dispatches 1 → 2"]);
}

#[test]
fn an_unconfirmed_suspect_fails_only_under_strict() {
    let machine = Machine::with_baseline();
    machine.write_run(&[row("screen", 1, 13000.0, 1)]);
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
    check(&good.replace("# end of 6 cases, 30 rows\n", ""), 43, "cut off");
    check(
        &good.replace("schema 3\n", "schema 2\n"),
        1,
        "schema 2, this program reads schema 3 (`cargo xtask bench --save-baseline`",
    );
    check(
        &good.replace("vector_add,cpu,1000,1,3,", "<<<<<<< HEAD\nvector_add,cpu,1000,1,3,"),
        16,
        "merge",
    );
    check(&good.replace("cpu,1000,1,3,", "cpu,1000,1,2,"), 16, "second row");
    check(&good.replacen("9995.0,", "10us,", 1), 14, "`p10_ns`");
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
    machine.write_run(&[row("screen", 1, 10000.0, 1)[..40].to_owned()]);
    check(&machine.gate(&[]), 1, &["runs.csv:2: ", "cut off"]);
    machine.write_run(&[row("screen", 1, 10000.0, 1)]);
    fs::write(machine.run_dir().join("fingerprint.json"), &FINGERPRINT[..30]).unwrap();
    check(&machine.gate(&[]), 1, &["fingerprint.json:1: "]);
    fs::remove_file(machine.run_dir().join("fingerprint.json")).unwrap();
    check(&machine.gate(&[]), 1, &["fingerprint.json"]);
}

#[test]
fn a_run_without_counters_does_not_pass_for_one_that_has_them() {
    let machine = Machine::with_baseline();
    let noop = format!(
        "# gpu-executor counters without a driver (wgpu's noop), schema 1: calls into wgpu of each call, exact, the same on every machine\n\
         op,backend,size,tasks,{COUNTERS}\nvector_add,noop,1000,1,{}\n# end of 1 cases\n",
        counters(1)
    );
    fs::write(machine.baselines().join("noop.csv"), &noop).unwrap();
    check(
        &machine.gate(&["--strict"]),
        4,
        &["missing", "the run counted nothing without a driver"],
    );
    fs::write(machine.run_dir().join("noop.csv"), &noop).unwrap();
    check(&machine.gate(&["--strict"]), 0, &["pass"]);
    // One that was made for nothing else.
    let plan = PLAN.replace(r#""backends":["cpu"]"#, r#""backends":[]"#);
    fs::write(machine.run_dir().join("run.json"), plan).unwrap();
    machine.write_run(&[]);
    check(&machine.gate(&["--strict"]), 0, &["pass"]);
    fs::remove_file(machine.run_dir().join("noop.csv")).unwrap();
    check(&machine.gate(&[]), 1, &["noop.csv:1: the run counted nothing"]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_disk_that_is_full_leaves_the_old_files_whole() {
    let machine = Machine::with_baseline();
    check(&machine.gate(&[]), 0, &[]);
    let verdicts = machine.run_dir().join("verdicts.json");
    let before = fs::read_to_string(&verdicts).unwrap();
    let command = run::command(&machine.run_dir(), &machine.baselines(), &[]);
    let limited = support::on_a_full_disk(&command, 0).output().unwrap();
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
