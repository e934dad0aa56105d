//! `cargo xtask merge` from end to end, over shards that a fake machine measured.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

#[path = "support/machine.rs"]
#[allow(dead_code, reason = "what other tests need")]
mod machine;
mod support;

use std::{
    fs,
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
        check(&machine.bench(&flags), 0, &["measured, not judged: 3 cases"]);
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
    let whole = "counters: unchanged (8 cases, 2 of them without a driver)";
    check(&merge(&machine, &["--strict"]), 0, &[whole, "pass: 6 pass"]);

    machine.set("time_ns", "130");
    shard(&machine);
    check(&merge(&machine, &["--strict"]), 4, &["6 inconclusive"]);
    // Both shards had their case compared with the baseline's revision.
    for (shard, verdict, percent) in [("1", "pass", 0.2), ("2", "slower", 7.0)] {
        let runs = fs::read_to_string(machine.path(&format!("shard-{shard}/runs.csv"))).unwrap();
        let size = runs.lines().nth(1).unwrap().split(',').nth(2).unwrap();
        let judged = format!(
            r#"{{"case":"vector_add/cpu/{size}","verdict":"{verdict}","statistic":"fast","blocks":16,"figures":[{{"statistic":"fast",
            "base_ns":10000.0,"head_ns":10000.0,"change_percent":{percent},"low_percent":-1.0,"high_percent":1.0,"p_adjusted":1.0,
            "control_percent":0.0,"deviation_percent":1.0,"floor_percent":1.0,"bound_percent":5.0,"detectable_percent":2.0}}],
            "settle":null,"accepted":null,"counters":null,"phases":[],"note":null,"fails":false}}"#
        );
        let side = r#"{"revision":"0123456","commit":"0123456","program":"x"}"#;
        let compared = format!(r#"{{"base":{side},"head":{side},"verdicts":[{judged}]}}"#);
        fs::write(machine.path(&format!("shard-{shard}/ab.json")), compared).unwrap();
    }
    let said = [
        "slower by 7.0 %",
        "A/B with 0123456 in 16 blocks",
        "regression: 1 slower, 4 inconclusive, 1 pass",
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
    check(
        &warn(),
        0,
        &["nothing but counters is judged", "Compared the counters of "],
    );
    let (baselines, aside) = (machine.path("baselines"), machine.path("aside"));
    fs::rename(&baselines, &aside).unwrap();
    check(&warn(), 0, &["no counters either"]);
    check(
        &merge(&machine, &["--mixed", "warn", "--require-baseline"]),
        5,
        &["no counters either"],
    );
    fs::rename(&aside, &baselines).unwrap();
    assert!(!machine.path("merged").exists());

    // Those of the machine that has a baseline, and those of all.
    let runs = change("shard-1/runs.csv", ",1,1,1,0,0,0,0,8,4,2,1", ",1,1,3,0,0,0,0,8,4,2,1");
    check(&warn(), 3, &["shard-1: vector_add/cpu/", ": dispatches 1 → 3"]);
    fs::write(machine.path("shard-1/runs.csv"), runs).unwrap();
    change("shard-2/noop.csv", "noop,1000,1,1,1,1,", "noop,1000,1,1,1,4,");
    check(&warn(), 3, &["shard-2: vector_add/noop/1000: dispatches 1 → 4"]);
}
