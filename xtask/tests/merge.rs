//! `cargo xtask merge` from end to end, over shards that a fake machine measured.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

#[path = "support/machine.rs"]
#[allow(dead_code, reason = "what other tests need")]
mod machine;
mod support;

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use machine::Machine;
use support::check;

/// Measures two sizes as two shards, against a baseline.
fn shards() -> Machine {
    let machine = Machine::new();
    check(&machine.bench(&["--save-baseline"]), 0, &["Recorded"]);
    check(
        &machine.bench(&["--backend", "noop", "--save-baseline"]),
        0,
        &["Recorded"],
    );
    shard(&machine);
    machine
}

fn shard(machine: &Machine) {
    for shard in ["1", "2"] {
        let out = machine.path(&format!("shard-{shard}"));
        let part = format!("{shard}/2");
        let flags = ["--no-gate", "--shard", &part, "--out", out.to_str().unwrap()];
        check(&machine.bench(&flags), 0, &["measured, not judged: 1 cases"]);
    }
}

fn merge(machine: &Machine, flags: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_xtask"))
        .arg("merge")
        .args([machine.path("shard-1"), machine.path("shard-2")])
        .arg("--baselines")
        .arg(machine.path("baselines"))
        .arg("--out")
        .arg(machine.path("merged"))
        .args(flags)
        .env("CARGO_TARGET_DIR", machine.path("target"))
        .env_remove("GITHUB_ACTIONS")
        .output()
        .unwrap()
}

#[test]
fn shards_are_judged_as_one_run_with_what_they_had_compared() {
    let machine = shards();
    let whole = "counters: as they were in all of 4 cases, 2 of them without a driver (noop)";
    check(&merge(&machine, &["--strict"]), 0, &[whole, "pass: 2 pass"]);

    machine.set("time_ns", "130");
    shard(&machine);
    check(&merge(&machine, &["--strict"]), 4, &["2 inconclusive"]);
    // Both shards had their case compared with the baseline's revision.
    for (shard, verdict, percent) in [("1", "pass", 0.2), ("2", "slower", 7.0)] {
        let runs = fs::read_to_string(machine.path(&format!("shard-{shard}/runs.csv"))).unwrap();
        let size = runs.lines().nth(1).unwrap().split(',').nth(2).unwrap();
        let judged = format!(
            r#"{{"case":"vector_add/cpu/{size}","verdict":"{verdict}","blocks":16,"base_ns":100.0,"head_ns":100.0,"quantile":"fastest tenth",
            "change_percent":{percent},"low_percent":-1.0,"high_percent":1.0,"p_adjusted":1.0,"detectable_percent":2.0,
            "sentinel_percent":0.0,"counters":null,"phases":[],"note":null,"fails":false}}"#
        );
        let side = r#"{"revision":"0123456","commit":"0123456","program":"x"}"#;
        let compared = format!(r#"{{"base":{side},"head":{side},"verdicts":[{judged}]}}"#);
        fs::write(machine.path(&format!("shard-{shard}/ab.json")), compared).unwrap();
    }
    let said = [
        "slower by 7.0 %",
        "A/B with 0123456 in 16 blocks",
        "regression: 1 slower, 1 pass",
    ];
    check(&merge(&machine, &[]), 3, &said);
    assert!(machine.path("merged/ab.json").exists() && machine.path("merged/ab-2.json").exists());
    let mut gate = Command::new(env!("CARGO_BIN_EXE_xtask"));
    gate.arg("gate").arg(machine.path("merged"));
    gate.arg("--baselines").arg(machine.path("baselines"));
    check(&gate.env_remove("GITHUB_ACTIONS").output().unwrap(), 3, &said);
}

/// Times of different machines do not belong together; counters are exact wherever they were counted.
#[test]
fn shards_of_different_machines_are_held_to_their_counters() {
    let machine = shards();
    let change = |file: &str, from: &str, to: &str| {
        let path = machine.path(file);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{text}");
        fs::write(&path, text.replacen(from, to, 1)).unwrap();
        text
    };
    change("shard-2/fingerprint.json", r#""cpu": ""#, r#""cpu": "another "#);
    check(&merge(&machine, &[]), 1, &["of different machines", "processor"]);
    let warn = || merge(&machine, &["--mixed", "warn"]);
    check(&warn(), 0, &["nothing but counters is judged"]);
    assert!(!machine.path("merged").exists());

    // Those of the machine that has a baseline, and those of all.
    let runs = change("shard-1/runs.csv", ",1,1,1,0,0,0,0,8,4,2,1", ",1,1,3,0,0,0,0,8,4,2,1");
    check(&warn(), 3, &["shard-1: vector_add/cpu/", ": dispatches 1 → 3"]);
    fs::write(machine.path("shard-1/runs.csv"), runs).unwrap();
    change("shard-2/noop.csv", "noop,1000,1,1,1,1,", "noop,1000,1,1,1,4,");
    check(&warn(), 3, &["shard-2: vector_add/noop/1000: dispatches 1 → 4"]);
}

#[test]
fn shards_merged_are_the_run_that_one_machine_makes() {
    let machine = Machine::new();
    check(&machine.bench(&["--save-baseline"]), 0, &["Recorded"]);
    machine.set("time_ns", "120");
    let folder = |name: &str| machine.path(name).display().to_string();
    let (whole, first, second, merged) = (folder("whole"), folder("first"), folder("second"), folder("merged"));
    check(
        &machine.bench(&["--out", &whole]),
        3,
        &["vector_add/cpu/100: fast", "vector_add/cpu/200: fast"],
    );
    for (shard, out) in [("1/2", &first), ("2/2", &second)] {
        check(&machine.bench(&["--shard", shard, "--out", out]), 3, &["1 slower"]);
    }
    let xtask = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
        command
            .args(arguments)
            .args(["--baselines", &folder("baselines")])
            .env("CARGO_TARGET_DIR", machine.path("target"));
        command.env_remove("GITHUB_ACTIONS").output().unwrap()
    };
    let merge = |shards: &[&str]| xtask(&[&["merge", "--out", &merged], shards].concat());
    check(&merge(&[&second, &first]), 3, &["regression: 2 slower"]);

    let read = |run: &str, name: &str| fs::read_to_string(Path::new(run).join(name)).unwrap();
    assert_eq!(read(&merged, "quantiles.csv"), read(&whole, "quantiles.csv"));
    // By case; and no process of a shard has the number of another shard's.
    let rows = |run: &str| -> Vec<String> {
        let rows = read(run, "runs.csv");
        let without_number = |line: &str| {
            let (before, rest) = line.split_at(line.match_indices(',').nth(4).unwrap().0 + 1);
            format!("{before}{}", &rest[rest.find(',').unwrap()..])
        };
        let mut rows: Vec<String> = rows.lines().map(without_number).collect();
        rows.sort();
        rows
    };
    assert_eq!(rows(&merged), rows(&whole));
    let verdicts = |run: &str| {
        let verdicts: serde_json::Value = serde_json::from_str(&read(run, "verdicts.json")).unwrap();
        verdicts["cases"].clone()
    };
    // From its files as well, whose numbers are rounded.
    check(&xtask(&["gate", &whole]), 3, &["regression: 2 slower"]);
    assert_eq!(verdicts(&merged), verdicts(&whole));
    check(&merge(&[&first]), 1, &["shard 2/2 is missing"]);
    check(&merge(&[&first, &whole]), 1, &["number of shards 2 and none"]);
}
