//! `cargo xtask bench` from end to end, with shell scripts in the place of cargo and of the programs it builds: what a
//! test needs here are faults, and a machine that does not change its mind.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

#[path = "support/machine.rs"]
mod machine;
mod support;

use std::{
    fs,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use machine::{BENCH, Machine, listing};
use support::check;

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
        &["pass: 2 pass"],
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
    assert_eq!(calls.lines().count(), 1 + 2 * 20, "{calls}");

    machine.set("time_ns", "120");
    check(
        &machine.bench(&[]),
        3,
        &[
            "regression",
            "vector_add/cpu/100: fastest tenth slower by 20",
            "vector_add/cpu/200: fastest tenth slower by 20",
        ],
    );
    check(&machine.bench(&["--no-gate"]), 0, &["measured, not judged"]);
    machine.set("time_ns", "80");
    check(&machine.bench(&["--quick"]), 0, &["2 faster"]);
    machine.set("time_ns", "100");
    machine.set("dispatches", "2");
    check(&machine.bench(&[]), 3, &["counters changed", "dispatches 1 → 2"]);
    check(&machine.bench(&["--save-baseline"]), 0, &[]);
    check(&machine.bench(&[]), 0, &["pass: 2 pass"]);
}

/// What a baseline convicts is compared with the revision it was recorded from, and the comparison's word is the last; but if the head
/// alone has company whenever it is measured, that company may be its own, and the baseline's verdict stays.
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
    let bench = |flags: &[&str]| {
        let mut command = machine.command(flags);
        command.env("CARGO_MANIFEST_DIR", root.join("xtask")).output().unwrap()
    };
    check(&bench(&["--save-baseline"]), 0, &["Recorded"]);
    machine.set("time_ns", "130");
    let hold = |served_ns: &str, exit: i32, expected: &[&str]| {
        machine.set("served_ns", served_ns);
        check(&bench(&[]), exit, expected);
    };
    hold(
        "120",
        3,
        &["slower by 20", "A/B with ", "in 16 blocks", "regression: 2 slower"],
    );
    hold("100", 0, &["against the baseline; A/B with ", "pass: 2 pass"]);
    hold("", 3, &["slower by 30", "regression: 2 slower"]);
    assert!(
        !machine.path("target/ab/trees").exists(),
        "a folder of worktrees is left"
    );
}

#[test]
fn a_case_is_measured_the_way_its_baseline_was() {
    let machine = Machine::new();
    machine.script(
        "executor",
        &BENCH.replacen(
            "#!/bin/sh\n",
            "#!/bin/sh\necho \"$GPU_EXECUTOR_TUNING\" >> \"$(dirname \"$0\")/tunings\"\n",
            1,
        ),
    );
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
    check(&machine.bench(&[]), 0, &["pass: 2 pass"]);
    check_tunings(&["upload=direct"]);
    let mut by_hand = machine.command(&[]);
    by_hand.env("GPU_EXECUTOR_TUNING", "spin=7");
    check(&by_hand.output().unwrap(), 0, &["GPU_EXECUTOR_TUNING is set", "spin=7"]);
    check_tunings(&["spin=7"]);
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
            "200,300",
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
        "1 new, 1 pass, 1 not measured",
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
    assert_eq!(changed.len(), 2, "one line for each of two cases: {changed:?}");
    assert_eq!(
        changed[0],
        (
            "vector_add,cpu,100,1,1,1,1,0,0,0,0,8,4,2,1",
            "vector_add,cpu,100,1,1,1,2,0,0,0,0,8,4,2,1"
        )
    );
}

#[test]
fn a_noisy_machine_records_nothing_unless_it_is_forced_to() {
    let machine = Machine::new();
    machine.set("noisy", "");
    check(
        &machine.bench(&["--save-baseline"]),
        4,
        &[
            "vector_add/cpu/100: its processes differ by",
            "nothing was recorded",
            "--force",
        ],
    );
    assert!(!machine.path("baselines").exists());
    check(
        &machine.bench(&["--save-baseline", "--force"]),
        0,
        &["its processes differ", "Recorded"],
    );
    let text = fs::read_to_string(machine.baseline()).unwrap();
    assert!(
        text.contains(r#""forced":["vector_add/cpu/100: its processes differ by"#),
        "{text}"
    );
}

#[test]
fn a_disturbed_process_is_repeated_before_a_baseline_is_recorded() {
    let machine = Machine::new();
    machine.set("company", "");
    let cases = "vector_add/cpu/100, vector_add/cpu/200 in 1 fresh process";
    check(
        &machine.bench(&["--save-baseline"]),
        0,
        &["Repeating", cases, "Recorded"],
    );
    let text = fs::read_to_string(machine.baseline()).unwrap();
    assert!(
        text.contains(r#""runs":[1,6]"#) && text.ends_with("# end of 2 cases, 12 rows\n"),
        "{text}"
    );
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
        &[&format!("{name}:11: second row"), "--save-baseline"],
    );
    assert!(!machine.path("bench.pid").exists(), "nothing was to be measured");
    assert_eq!(fs::read_to_string(&path).unwrap(), damaged);
    check(&machine.bench(&["--save-baseline"]), 0, &["replaced", "Recorded"]);
    check(&machine.bench(&[]), 0, &["pass: 2 pass"]);
}

#[test]
fn a_failing_bench_fails_the_tool_and_leaves_no_run() {
    let machine = Machine::new();
    machine.set("broken", "");
    check(&machine.bench(&[]), 1, &["the device is on fire", "cpu"]);
    assert!(!machine.path("target/bench/latest").exists());
}

#[test]
fn a_second_bench_at_the_same_time_is_refused() {
    let machine = Machine::new();
    machine.set("wait", "");
    let mut first = machine.start();
    check(&machine.bench(&[]), 1, &["another `cargo xtask bench` is measuring"]);
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
