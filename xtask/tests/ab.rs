//! `cargo xtask ab` from end to end, in a repository of its own whose bench programs are shell scripts with times that do not change their
//! mind.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

#[path = "support/repository.rs"]
#[allow(dead_code, reason = "what other tests need")]
mod repository;
mod support;

use std::fs;

use repository::{PLAIN, Program, Repository};
use support::check;

#[test]
fn unchanged_code_passes_and_a_change_is_called_what_it_is() {
    let repository = Repository::new();
    repository.commit("slow", Program { ns: 105_000, ..PLAIN });
    repository.commit("chatty", Program { dispatches: 2, ..PLAIN });
    check(&repository.ab(&["plain", "plain"]), 0, &["pass: 2 pass", "16 blocks"]);
    check(
        &repository.ab(&["plain", "slow"]),
        3,
        &["+5.0 %", "slower (16 blocks)", "regression: 2 slower"],
    );
    check(&repository.ab(&["slow", "plain"]), 0, &["-4.8 %", "2 faster"]);
    let changed = ["o/cpu/1: calls into wgpu changed: dispatches 1 → 2", "regression"];
    check(&repository.ab(&["plain", "chatty"]), 3, &changed);
    check(
        &repository.ab(&["plain", "chatty", "--allow-counters"]),
        0,
        &changed[..1],
    );
    check(
        &repository.ab(&["plain", "slow", "--case", "o/cpu/2"]),
        3,
        &["regression: 1 slower"],
    );
    // The work tree is `chatty`; changed and not committed it is another program.
    check(
        &repository.ab(&["chatty"]),
        0,
        &["worktree (worktree) against chatty", "2 pass"],
    );
    check(&repository.ab(&["plain", "worktree", "--seed", "7"]), 3, &["seed 7"]);
}

/// Whatever a comparison can be, its `verdicts.json` is as documented, and JUnit's tests and GitHub's annotations say the same.
#[test]
fn what_machines_read_says_the_same_as_the_table() {
    let text = include_str!("../../docs/ab.schema.json");
    let (mut schemas, mut compiler) = (boon::Schemas::new(), boon::Compiler::new());
    compiler
        .add_resource("schema.json", serde_json::from_str(text).unwrap())
        .unwrap();
    let index = compiler.compile("schema.json", &mut schemas).unwrap();
    let repository = Repository::new();
    repository.commit("slow", Program { ns: 105_000, ..PLAIN });
    repository.commit("chatty", Program { dispatches: 2, ..PLAIN });
    let fault = r#"[ $case = o/cpu/2 ] && { say '{"failed":"wrong result"}'; continue; }"#;
    repository.commit("wrong", Program { fault, ..PLAIN });
    let summary = repository.path("step-summary");
    // Exit code, failures and skipped tests of JUnit, beginnings of annotations.
    let hold = |args: &[&str], exit: i32, counts: [&str; 2], annotations: &[&str]| {
        let out = repository.path(&args.join("-"));
        let output = repository
            .command(args)
            .args(["--out", out.to_str().unwrap()])
            .env("GITHUB_ACTIONS", "true")
            .env("GITHUB_STEP_SUMMARY", &summary)
            .output()
            .unwrap();
        check(&output, exit, &[]);
        let verdicts = fs::read_to_string(out.join("verdicts.json")).unwrap();
        let verdicts: serde_json::Value = serde_json::from_str(&verdicts).unwrap();
        if let Err(error) = schemas.validate(&verdicts, index) {
            panic!("{error:#}\n{verdicts:#}");
        }
        assert_eq!(verdicts["exit"], exit);
        for place in ["", "/base", "/verdicts/0"] {
            for name in verdicts.pointer(place).unwrap().as_object().unwrap().keys() {
                let mut wrong = verdicts.clone();
                wrong.pointer_mut(place).unwrap().as_object_mut().unwrap().remove(name);
                assert!(schemas.validate(&wrong, index).is_err(), "without {place}/{name}");
            }
        }
        let junit = fs::read_to_string(out.join("junit.xml")).unwrap();
        let junit = roxmltree::Document::parse(&junit).unwrap();
        let suite = junit.descendants().find(|node| node.has_tag_name("testsuite")).unwrap();
        let said = ["tests", "failures", "skipped"].map(|name| suite.attribute(name).unwrap());
        assert_eq!(said, ["2", counts[0], counts[1]], "{args:?}");
        let summary = fs::read_to_string(out.join("summary.md")).unwrap();
        if let Some(counters) = summary.find("calls into wgpu changed") {
            assert!(counters < summary.find("| case |").unwrap(), "{summary}");
        }
        let history = fs::read_to_string(out.join("benchmark.json")).unwrap();
        let history: Vec<serde_json::Value> = serde_json::from_str(&history).unwrap();
        for entry in &history {
            let name = entry["name"].as_str().unwrap();
            assert!(
                name.starts_with("o/cpu/") && name.ends_with(" (fastest tenth)"),
                "{entry}"
            );
            assert!(
                entry["value"].as_f64().unwrap() > 90_000.0 && entry["unit"] == "ns",
                "{entry}"
            );
        }
        let timed = verdicts["verdicts"].as_array().unwrap().iter();
        assert_eq!(
            history.len(),
            timed
                .filter(|case| !case["figures"].as_array().unwrap().is_empty())
                .count()
        );
        let stdout = String::from_utf8(output.stdout).unwrap();
        let lines: Vec<&str> = stdout.lines().filter(|line| line.starts_with("::")).collect();
        assert_eq!(lines.len(), annotations.len(), "{args:?}: {stdout}");
        for (line, start) in lines.iter().zip(annotations) {
            assert!(line.starts_with(start), "{line}");
        }
    };
    hold(&["plain", "plain"], 0, ["0", "0"], &[]);
    let slower = ["::error title=slower%3A o/cpu/", "::error title=slower%3A o/cpu/"];
    hold(&["plain", "slow"], 3, ["2", "0"], &slower);
    hold(
        &["slow", "plain"],
        0,
        ["0", "0"],
        &["::notice title=faster", "::notice title=faster"],
    );
    let changed = "title=counters changed%3A o/cpu/1::calls into wgpu changed: dispatches 1 → 2";
    let errors = [format!("::error {changed}"), "::error ".to_owned()];
    hold(
        &["plain", "chatty"],
        3,
        ["2", "0"],
        &errors.each_ref().map(String::as_str),
    );
    let warnings = [format!("::warning {changed}"), "::warning ".to_owned()];
    let allowed = ["plain", "chatty", "--allow-counters"];
    hold(&allowed, 0, ["0", "0"], &warnings.each_ref().map(String::as_str));
    hold(&["wrong", "plain"], 0, ["0", "1"], &[]);
    let failed = ["::error title=not measured%3A o/cpu/2::head cannot run it"];
    hold(&["plain", "wrong"], 1, ["1", "0"], &failed);
    hold(&["plain", "wrong", "--strict"], 1, ["1", "0"], &failed);
    // What neither can run is not the head's fault, in whatever order they are asked.
    for seed in ["1", "2", "3", "4"] {
        hold(&["wrong", "wrong", "--seed", seed], 0, ["0", "1"], &[]);
    }
    let fewer = r#""o/cpu/1""#;
    repository.commit("fewer", Program { cases: fewer, ..PLAIN });
    hold(
        &["plain", "fewer"],
        0,
        ["0", "1"],
        &["::warning title=missing%3A o/cpu/2::only the base has it"],
    );
    hold(
        &["plain", "fewer", "--strict"],
        4,
        ["1", "0"],
        &["::error title=missing"],
    );
    let strict = ["wrong", "plain", "--strict"];
    hold(
        &strict,
        4,
        ["1", "0"],
        &["::error title=not measured%3A o/cpu/2::base cannot run it"],
    );
    let summaries = fs::read_to_string(&summary).unwrap();
    assert_eq!(summaries.matches("# A/B: ").count(), 15, "{summaries}");
}

#[test]
fn what_cannot_be_compared_is_said_before_anything_is_measured() {
    let repository = Repository::new();
    fs::remove_file(repository.path("repo/bench.sh")).unwrap();
    repository.save("broken");
    repository.commit(
        "other",
        Program {
            cases: r#""p/cpu/1""#,
            ..PLAIN
        },
    );
    check(
        &repository.ab(&["broken", "plain"]),
        1,
        &["couldn't read", "bench.sh", "does not build"],
    );
    check(&repository.ab(&["plain", "broken"]), 1, &["does not build"]);
    let only = [
        "only base has o/cpu/1, o/cpu/2",
        "only head has p/cpu/1",
        "no case in common",
    ];
    check(&repository.ab(&["plain", "other"]), 2, &only);
    check(
        &repository.ab(&["nonsense", "plain"]),
        2,
        &["`nonsense` names no commit", "worktree"],
    );
    check(
        &repository.ab(&["plain", "plain", "--case", "q"]),
        2,
        &["no case in common"],
    );
}

#[test]
fn a_case_that_one_revision_cannot_run_is_not_measured_and_the_others_are() {
    let repository = Repository::new();
    let fault = r#"[ $case = o/cpu/2 ] && { say '{"failed":"wrong result: 3, the CPU has 4"}'; continue; }"#;
    repository.commit("wrong", Program { fault, ..PLAIN });
    let said = [
        "o/cpu/2: base cannot run it: wrong result: 3, the CPU has 4",
        "1 pass, 1 not measured",
    ];
    check(&repository.ab(&["wrong", "plain"]), 0, &said);
    check(&repository.ab(&["wrong", "plain", "--strict"]), 4, &said[..1]);
    check(
        &repository.ab(&["plain", "wrong"]),
        1,
        &["o/cpu/2: head cannot run it: wrong result"],
    );
}

#[test]
fn without_a_base_the_work_tree_is_never_compared_with_itself() {
    let repository = Repository::new();
    check(&repository.ab(&[]), 2, &["name the base"]);
    repository.commit("slow", Program { ns: 105_000, ..PLAIN });
    check(&repository.ab(&[]), 3, &["regression: 2 slower"]);
    // With changes it is compared with where its branch left main, as ever.
    fs::write(repository.path("repo/new"), "").unwrap();
    check(&repository.ab(&[]), 0, &["pass: 2 pass"]);
}

/// A program that knows whole seconds only, as those of criterion 0.3, and always finds 100 ns.
const OLD_CRITERION: &str = r#"#!/bin/sh
case "$*" in *--list*) echo 'o/1: bench'; exit ;; esac
echo "$2 $4" >> "@ASKED@"
case $2 in *.*) echo 'invalid digit found in string' >&2; exit 1 ;; esac
mkdir -p "$CRITERION_HOME/o/new"
echo '{"full_id":"o/1"}' > "$CRITERION_HOME/o/new/benchmark.json"
echo '{"iters":[10,20],"times":[1000,2000]}' > "$CRITERION_HOME/o/new/sample.json"
"#;

#[test]
fn a_criterion_program_is_driven_as_it_is_however_old() {
    let repository = Repository::new();
    let asked = repository.path("asked");
    let script = OLD_CRITERION.replace("@ASKED@", asked.to_str().unwrap());
    fs::write(repository.path("repo/bench.sh"), script).unwrap();
    repository.save("old");
    let out = repository.path("out");
    let args = ["old", "old", "--out", out.to_str().unwrap()];
    check(
        &repository.ab(&args),
        0,
        &["o/1", "samples are criterion's, each a mean of many calls"],
    );
    let windows = fs::read_to_string(out.join("windows.jsonl")).unwrap();
    assert!(windows.lines().count() >= 3, "{windows}");
    assert!(
        windows.lines().all(|line| line.contains(r#""p10_ns":100.0"#)),
        "{windows}"
    );
    let asked = fs::read_to_string(asked).unwrap();
    // It is found out once, for both revisions.
    assert!(asked.starts_with("0.05 0.1\n1 1\n1 1\n"), "{asked}");
    assert_eq!(asked.matches("0.05").count(), 1, "{asked}");
}

#[test]
fn the_seed_decides_the_order_and_nothing_else_does() {
    let repository = Repository::new();
    let order = |out: &str, seed: &str| -> Vec<String> {
        let out = repository.path(out);
        let args = ["plain", "plain", "--seed", seed, "--out", out.to_str().unwrap()];
        check(&repository.ab(&args), 0, &["2 pass"]);
        let windows = fs::read_to_string(out.join("windows.jsonl")).unwrap();
        let order = |line: &str| {
            let window: serde_json::Value = serde_json::from_str(line).unwrap();
            ["block", "case", "round", "variant"]
                .map(|name| window[name].to_string())
                .join(" ")
        };
        windows.lines().map(order).collect()
    };
    let first = order("first", "5");
    assert_eq!(order("again", "5"), first);
    assert_ne!(order("other", "6"), first);
}
