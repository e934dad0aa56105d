//! `cargo xtask bench` from end to end, with shell scripts in the place of cargo and of the programs it builds: what a
//! test needs here are faults, and a machine that does not change its mind.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

#[path = "support/machine.rs"]
#[allow(dead_code, reason = "what other tests need")]
mod machine;
mod support;

use std::{
    fs,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use machine::{Machine, listing};
use support::{check, on_a_full_disk};

#[test]
fn a_machine_is_measured_recorded_and_judged() {
    let machine = Machine::new();
    check(
        &machine.bench(&[]),
        0,
        &["no baseline", "--save-baseline", "vector_add/cpu/200"],
    );
    check(&machine.bench(&["--require-baseline"]), 5, &["no baseline"]);
    check(&machine.bench(&["--save-baseline"]), 0, &["Recorded"]);
    check(
        &machine.bench(&["--strict", "--require-baseline"]),
        0,
        &["pass: 6 pass"],
    );
    let files: Vec<_> = fs::read_dir(machine.latest())
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    let contract = [
        "calls.csv",
        "quantiles.csv",
        "fingerprint.json",
        "verdicts.json",
        "summary.md",
        "junit.xml",
        "benchmark.json",
    ];
    assert!(contract.iter().all(|name| files.iter().any(|f| f == name)), "{files:?}");
    let calls = fs::read_to_string(machine.latest().join("calls.csv")).unwrap();
    // Ten of each of four windows.
    assert_eq!(calls.lines().count(), 1 + 6 * 40, "{calls}");

    machine.set("time_ns_100", "120");
    check(
        &machine.bench(&[]),
        3,
        &["regression", "vector_add/cpu/100: fastest tenth slower by 20", "5 pass"],
    );
    check(&machine.bench(&["--no-gate"]), 0, &["measured, not judged"]);
    // What is surely not slower passes.
    machine.set("time_ns_100", "80");
    check(&machine.bench(&["--quick"]), 0, &["-20.0 %", "6 pass"]);
    // All cases off by as much are a machine in another state: nothing passes, and a run in which nothing is judged is no pass.
    fs::remove_file(machine.path("time_ns_100")).unwrap();
    machine.set("time_ns", "120");
    check(&machine.bench(&[]), 4, &["6 inconclusive"]);
    machine.set("time_ns", "100");
    machine.set("dispatches", "2");
    check(&machine.bench(&[]), 3, &["counters changed", "dispatches 1 → 2"]);
    check(&machine.bench(&["--save-baseline"]), 0, &[]);
    check(&machine.bench(&[]), 0, &["pass: 6 pass"]);
}

/// What a baseline leaves open is compared with the revision it was recorded from, and the comparison's word is the last.
#[test]
fn a_suspect_is_compared_with_the_baselines_revision_in_one_command() {
    let machine = Machine::new();
    let root = machine.path("repo");
    fs::create_dir_all(root.join("xtask")).unwrap();
    for args in [
        &["init", "--quiet", "--initial-branch=main"][..],
        &["commit", "--quiet", "--allow-empty", "--message", "recorded"],
    ] {
        let mut git = Command::new("git");
        git.args(["-c", "user.name=n", "-c", "user.email=e@example.org", "-C"]);
        assert!(git.arg(&root).args(args).status().unwrap().success());
    }
    // The recorded revision's program, built before; `tests/appeal.rs` has it built.
    let folder = machine.path("of/revision/programs");
    fs::create_dir_all(&folder).unwrap();
    machine.script("of/revision/programs/executor", machine::BENCH);
    let recorded = folder.join("executor").display().to_string();
    let bench = |flags: &[&str]| {
        let mut command = machine.command(flags);
        command.env("CARGO_MANIFEST_DIR", root.join("xtask")).output().unwrap()
    };
    check(&bench(&["--save-baseline"]), 0, &["Recorded"]);
    machine.set("time_ns", "130");
    let hold = |served_ns: &str, exit: i32, expected: &[&str]| {
        machine.set("served_ns", served_ns);
        check(&bench(&["--base-program", &recorded]), exit, expected);
    };
    let slower = ["slower by 20", "A/B with ", "in 16 blocks", "regression: 6 slower"];
    hold("120", 3, &slower);
    // The machine is in another state than it was, and the code is as it was.
    hold("100", 0, &["+30.0 % against the baseline; A/B with ", "pass: 6 pass"]);
    machine.set("time_ns", "80");
    hold("80", 0, &["against the baseline; A/B with ", "6 faster"]);
    machine.set("time_ns", "100");
    machine.set("time_ns_200", "130");
    // A change that the baseline would not have noticed is none of a comparison: only suspects are compared.
    hold(
        "130",
        3,
        &["+30.0 % against the baseline", "regression: 1 slower, 5 pass"],
    );
    // What only one of the programs has stays open, and is no pass.
    machine.set("time_ns_300", "130");
    machine.set("lost", "");
    hold(
        "120",
        3,
        &[
            "has no case vector_add/cpu/200: not compared",
            "vector_add/cpu/300: fastest tenth slower by 20",
        ],
    );
}

#[test]
fn a_case_is_measured_the_way_its_baseline_was() {
    let machine = Machine::new();
    let calibrated = |way: &str| {
        machine.script(
            "adapters",
            &format!("#!/bin/sh\ncase \"$*\" in *--tuning*) tuning=', \"tuning\": \"{way}\"';; esac\nsed \"s/,\\\"unusable\\\":null/,\\\"unusable\\\":null$tuning/g\" \"$(dirname \"$0\")/listing\"\n"),
        );
    };
    let check_tunings = |expected: &[&str]| {
        let text = fs::read_to_string(machine.path("tunings")).unwrap();
        fs::remove_file(machine.path("tunings")).unwrap();
        assert_eq!(text.lines().collect::<Vec<_>>(), expected);
    };
    machine.set("listing", &listing());
    calibrated("upload=direct");
    check(&machine.bench(&["--save-baseline"]), 0, &["Recorded"]);
    check_tunings(&["upload=direct"; 5]);
    // Whatever a calibration would find today.
    calibrated("upload=staged");
    check(&machine.bench(&[]), 0, &["pass: 6 pass"]);
    check_tunings(&["upload=direct"]);
    let mut by_hand = machine.command(&[]);
    by_hand.env("GPU_EXECUTOR_TUNING", "spin=7");
    check(&by_hand.output().unwrap(), 0, &["GPU_EXECUTOR_TUNING is set", "spin=7"]);
    check_tunings(&["spin=7"]);
    let mut recorded = machine.command(&["--save-baseline"]);
    recorded.env("GPU_EXECUTOR_TUNING", "spin=7");
    check(
        &recorded.output().unwrap(),
        2,
        &["GPU_EXECUTOR_TUNING is set", "unset it"],
    );
    fs::remove_file(machine.baseline()).unwrap();
    check(&machine.bench(&[]), 0, &["no baseline"]);
    check_tunings(&["upload=staged"]);
}

#[test]
fn cases_of_the_baseline_that_are_not_measured_are_named() {
    let machine = Machine::new();
    check(&machine.bench(&["--save-baseline"]), 0, &[]);
    let output = Command::new(env!("CARGO_BIN_EXE_xtask"))
        .args([
            "bench",
            "--no-ab",
            "--size",
            "200,300,400,500,600,700",
            "--backend",
            "cpu,gles,dx12",
            "--baselines",
        ])
        .arg(machine.path("baselines"))
        .env("CARGO", machine.path("cargo"))
        .env("CARGO_TARGET_DIR", machine.path("target"))
        .env_remove("GITHUB_ACTIONS")
        .output()
        .unwrap();
    let expected = [
        "1 new, 5 pass, 1 not measured",
        "size not asked for",
        "gles: not measured: no driver",
        "dx12: not measured",
    ];
    check(&output, 0, &expected);
}

#[test]
fn shards_merged_are_the_run_that_one_machine_makes() {
    let machine = Machine::new();
    check(&machine.bench(&["--save-baseline"]), 0, &["Recorded"]);
    machine.set("time_ns_100", "120");
    let folder = |name: &str| machine.path(name).display().to_string();
    let (whole, first, second, merged) = (folder("whole"), folder("first"), folder("second"), folder("merged"));
    check(&machine.bench(&["--out", &whole]), 3, &["vector_add/cpu/100: fast"]);
    for (shard, out) in [("1/2", &first), ("2/2", &second)] {
        check(
            &machine.bench(&["--shard", shard, "--out", out, "--no-gate"]),
            0,
            &["measured, not judged"],
        );
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
    // Suspects of shards were not measured again.
    check(&merge(&[&second, &first]), 0, &["1 inconclusive, 5 pass"]);

    let read = |run: &str, name: &str| fs::read_to_string(Path::new(run).join(name)).unwrap();
    assert_eq!(read(&merged, "cold.csv").lines().count(), 1 + 6);
    // By case; and no process of a shard has the number of another shard's.
    let rows = |run: &str| -> Vec<String> {
        let rows = read(run, "runs.csv");
        let without_number = |line: &str| {
            let (before, rest) = line.split_at(line.match_indices(',').nth(4).unwrap().0 + 1);
            format!("{before}{}", &rest[rest.find(',').unwrap()..])
        };
        let screened = rows.lines().filter(|line| !line.contains(",confirm,"));
        let mut rows: Vec<String> = screened.map(without_number).collect();
        rows.sort();
        rows
    };
    assert_eq!(rows(&merged), rows(&whole));
    // From its files as well, whose numbers are rounded.
    check(&xtask(&["gate", &whole]), 3, &["regression: 1 slower"]);
    check(&merge(&[&first]), 1, &["shard 2/2 is missing"]);
    check(&merge(&[&first, &whole]), 1, &["number of shards 2 and none"]);
}

#[test]
fn a_failing_bench_fails_the_tool_and_leaves_no_run() {
    let machine = Machine::new();
    machine.set("broken", "");
    check(
        &machine.bench(&[]),
        1,
        &["the device is on fire", "at its list of benchmarks"],
    );
    assert!(!machine.path("target/bench/latest").exists());
}

#[test]
fn a_full_disk_is_an_error_and_leaves_no_run() {
    let machine = Machine::new();
    // What a process says has less than 2 KiB, the calls of three processes have more.
    let command = machine.command(&["--no-ab", "--runs", "3"]);
    check(
        &on_a_full_disk(&command, 4).output().unwrap(),
        1,
        &["cannot write", "calls.csv"],
    );
    assert!(!machine.path("target/bench/latest").exists());
    check(&machine.bench(&[]), 0, &["vector_add/cpu/200"]);
}

#[test]
fn a_second_bench_at_the_same_time_is_refused() {
    let machine = Machine::new();
    machine.set("wait", "");
    let mut first = machine.start();
    check(&machine.bench(&[]), 1, &["another measurement is running"]);
    machine.set("go", "");
    assert!(first.wait().unwrap().success());
    assert!(machine.latest().join("verdicts.json").exists());
}

#[test]
fn a_killed_bench_leaves_no_run_and_no_process() {
    let machine = Machine::new();
    machine.set("wait", "");
    let mut killed = machine.start();
    let bench = fs::read_to_string(machine.path("bench.pid")).unwrap();
    killed.kill().unwrap();
    killed.wait().unwrap();
    let start = Instant::now();
    while Path::new("/proc").join(bench.trim()).exists() {
        assert!(start.elapsed() < Duration::from_secs(30), "the bench process lives on");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(!machine.path("target/bench/latest").exists());
    machine.set("go", "");
    check(&machine.bench(&[]), 0, &["vector_add/cpu/200"]);
    let left: Vec<_> = fs::read_dir(machine.path("target/bench"))
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .collect();
    assert!(
        left.iter().all(|name| !name.to_string_lossy().starts_with(".partial")),
        "{left:?}"
    );
}
