//! What `cargo xtask gate` writes for machines and for people.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

#[path = "support/run.rs"]
#[allow(dead_code, reason = "what other tests need")]
mod run;
mod support;

use std::fs;

use run::{Machine, command, row};
use support::check;

#[test]
fn an_unchanged_case_passes_and_the_files_say_so() {
    let machine = Machine::with_baseline();
    check(&machine.gate(&["--strict", "--require-baseline"]), 0, &["pass: 6 pass"]);
    let summary = fs::read_to_string(machine.run_dir().join("summary.md")).unwrap();
    assert!(summary.starts_with("# Bench: pass"), "{summary}");
    let verdicts = fs::read_to_string(machine.run_dir().join("verdicts.json")).unwrap();
    assert!(verdicts.contains(r#""exit": 0"#), "{verdicts}");
    let junit = fs::read_to_string(machine.run_dir().join("junit.xml")).unwrap();
    let junit = roxmltree::Document::parse(&junit).unwrap();
    let suite = junit.descendants().find(|node| node.has_tag_name("testsuite")).unwrap();
    let counts = ["name", "tests", "failures", "skipped"].map(|name| suite.attribute(name).unwrap());
    assert_eq!(counts, ["vector_add/cpu", "6", "0", "0"]);
    let history = fs::read_to_string(machine.run_dir().join("benchmark.json")).unwrap();
    let history: serde_json::Value = serde_json::from_str(&history).unwrap();
    assert_eq!(history[0]["name"], "vector_add/cpu/1000 (fastest tenth)");
    assert_eq!(history[0]["value"], 10_000.0);
}

#[test]
fn counters_are_told_before_times() {
    let machine = Machine::with_baseline();
    check(&machine.gate(&[]), 0, &["counters: unchanged (6 cases)\ncase "]);
    machine.write_run(&[row("screen", 1, 10_000.0, 2)]);
    check(
        &machine.gate(&[]),
        3,
        &[
            "counters: changed in 1 of 6 cases; if that is meant, `cargo xtask bench --save-baseline`",
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
    machine.write_run(&[row("screen", 1, 10_000.0, 2)]);
    hold(&machine, &[], 3);
    machine.write_run(&[row("screen", 1, 13_000.0, 1)]);
    hold(&machine, &["--strict"], 4);
    let confirming = (2..=4).map(|run| row("confirm", run, 13_000.0, 1));
    machine.write_run(&confirming.chain([row("screen", 1, 13_000.0, 1)]).collect::<Vec<_>>());
    hold(&machine, &[], 3);
    machine.write_run(&[row("screen", 1, 10_000.0, 1).replace(",1000,1,screen", ",7000,1,screen")]);
    hold(&machine, &[], 0);
    hold(&machine, &["--strict"], 4);
    let machine = Machine::new();
    hold(&machine, &[], 0);
    hold(&machine, &["--require-baseline"], 5);
}

#[test]
fn github_is_told_in_annotations_and_in_the_jobs_summary_and_nobody_else_is() {
    let machine = Machine::with_baseline();
    machine.write_run(&[row("screen", 1, 10_000.0, 2)]);
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
