//! `cargo xtask ab` from end to end, in a repository of its own whose bench programs are shell scripts: what a test needs here are
//! faults, and times that do not change their mind.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

#[path = "support/repository.rs"]
mod repository;
mod support;

use std::{
    fs,
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

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
        &["found end of file", "broken cannot be measured", "does not build"],
    );
    check(&repository.ab(&["plain", "broken"]), 1, &["broken cannot be measured"]);
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
fn a_program_that_crashes_hangs_or_talks_nonsense_gets_no_verdict() {
    let repository = Repository::new();
    let check_fault = |tag: &str, fault: &str, expected: &[&str]| {
        repository.commit(tag, Program { fault, ..PLAIN });
        let output = repository.ab(&["plain", tag, "--patience", "1"]);
        check(&output, 1, expected);
        assert!(
            !String::from_utf8_lossy(&output.stdout).contains("pass"),
            "a verdict was invented"
        );
    };
    check_fault(
        "crash",
        "[ $verb = measure ] && { echo 'device lost' >&2; exit 9; }",
        &["head cannot run it", "exit status: 9", "device lost", "o/cpu/"],
    );
    check_fault(
        "signal",
        "[ $verb = measure ] && kill -SEGV $$",
        &["head cannot run it", "signal: 11"],
    );
    check_fault(
        "hang",
        "[ $verb = measure ] && sleep 30",
        &["gave no answer within 1s at o/cpu/", "was stopped"],
    );
    check_fault(
        "endless",
        "[ $verb = measure ] && while :; do echo x; done",
        &["gave no answer within 1s at o/cpu/"],
    );
    check_fault(
        "silent",
        "[ $verb = measure ] && { exec 1>&-; exec sleep 9999; }",
        &["closed its standard output without an answer at o/cpu/"],
    );
    check_fault("babble", "say 'what?'; continue", &["makes no sense", "what?"]);
    check_fault("zero", "ns=0", &["makes no sense"]);
    check_fault("negative", "[ $verb = measure ] && ns=-5", &["makes no sense"]);
}

#[test]
fn a_case_that_crashes_leaves_the_others_their_verdicts() {
    let repository = Repository::new();
    let fault = "[ $case = o/cpu/2 ] && [ $verb = measure ] && { echo 'device lost' >&2; exit 9; }";
    repository.commit("crash", Program { fault, ..PLAIN });
    let said = [
        "o/cpu/2: not measured: head cannot run it",
        "device lost",
        "1 pass, 1 not measured",
    ];
    check(&repository.ab(&["plain", "crash"]), 1, &said);
    check(
        &repository.ab(&["crash", "plain"]),
        0,
        &["o/cpu/2: not measured: base cannot run it"],
    );
    check(
        &repository.ab(&["crash", "crash"]),
        0,
        &["o/cpu/2: not measured: base cannot run it"],
    );
}

#[test]
fn a_list_that_a_crash_cut_short_is_none() {
    let repository = Repository::new();
    fs::write(
        repository.path("repo/bench.sh"),
        "#!/bin/sh\necho 'o/1: benchmark'\nexit 9\n",
    )
    .unwrap();
    repository.save("cut");
    check(
        &repository.ab(&["cut", "cut"]),
        1,
        &["exit status: 9", "its list of benchmarks"],
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

#[test]
fn an_arm_that_had_company_in_all_its_windows_gets_more() {
    let repository = Repository::new();
    let company = r#"{ say '{"measured":{"samples_ns":[],"calibrations_ns":[40000]}}'; continue; }"#;
    let busy = |windows: u32| {
        format!(
            "[ $verb = prepare ] && n=0; [ $verb = measure ] && {{ n=$((n + 1)); [ $n -le {windows} ] && {company}; }}"
        )
    };
    for (tag, windows) in [("seldom", 3), ("always", 99)] {
        let fault = &busy(windows);
        repository.commit(tag, Program { fault, ..PLAIN });
    }
    check(
        &repository.ab(&["plain", "seldom"]),
        0,
        &["pass (16 blocks)", "pass: 2 pass"],
    );
    check(
        &repository.ab(&["plain", "always"]),
        0,
        &["2 noisy", "the machine was left alone in 0 of 32 blocks"],
    );
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
    // Whether the machine was left alone is not known here, so that any verdict but a change will do.
    let args = ["old", "old", "--time-budget", "1", "--out", out.to_str().unwrap()];
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
fn an_interrupted_comparison_goes_on() {
    let repository = Repository::new();
    let out = repository.path("out");
    let out = out.to_str().unwrap();
    let fault = "[ $verb = measure ] && [ -e ../crash ] && exit 9";
    repository.commit(
        "weak",
        Program {
            ns: 110_000,
            fault,
            ..PLAIN
        },
    );
    check(
        &repository.ab(&["plain", "weak", "--out", out, "--time-budget", "0"]),
        0,
        &["the time was up"],
    );
    check(
        &repository.ab(&["plain", "weak", "--out", out]),
        2,
        &["exists", "--resume"],
    );
    // As the hint has it: the comparison knows whose benches it is about.
    let mut resume = Command::new(env!("CARGO_BIN_EXE_xtask"));
    resume
        .args(["ab", "--resume", out])
        .env("CARGO", repository.path("cargo"))
        .env("CARGO_TARGET_DIR", repository.path("own-target"))
        .env_remove("GITHUB_ACTIONS");
    check(&resume.output().unwrap(), 3, &["regression: 2 slower"]);
    let lines = || fs::read_to_string(Path::new(out).join("windows.jsonl")).unwrap();
    let whole = lines();
    fs::write(Path::new(out).join("windows.jsonl"), &whole[..whole.len() / 2]).unwrap();
    check(&repository.ab(&["--resume", out]), 3, &["regression: 2 slower"]);
    fs::write(Path::new(out).join("windows.jsonl"), format!("?\n{whole}")).unwrap();
    check(&repository.ab(&["--resume", out]), 1, &["windows.jsonl:1: "]);
    check(
        &repository.ab(&["--resume", repository.path("nowhere").to_str().unwrap()]),
        1,
        &["plan.json"],
    );
}

#[test]
fn a_full_disk_is_an_error_and_no_verdict() {
    let repository = Repository::new();
    let out = repository.path("out");
    // Built already, so that the limit meets the windows alone: 16 KiB are a few blocks.
    check(
        &repository.ab(&["plain", "plain", "--out", out.to_str().unwrap(), "--time-budget", "0"]),
        0,
        &[],
    );
    let xtask = repository.command(&["--resume", out.to_str().unwrap()]);
    let mut shell = Command::new("sh");
    shell
        .args(["-c", r#"trap '' XFSZ; ulimit -f 32; exec "$0" "$@""#])
        .arg(xtask.get_program())
        .args(xtask.get_args());
    for (key, value) in xtask.get_envs() {
        match value {
            Some(value) => shell.env(key, value),
            None => shell.env_remove(key),
        };
    }
    let output = shell.output().unwrap();
    check(&output, 1, &["cannot write", "windows.jsonl"]);
    repository.is_tidy();
}

#[test]
fn an_interruption_while_building_leaves_no_worktree() {
    let repository = Repository::new();
    repository.commit("new", PLAIN);
    fs::write(repository.path("cargo.slow"), "").unwrap();
    let mut command = repository.command(&["plain", "new"]);
    // As a terminal does, the signal goes to all processes of the group.
    let mut child = command
        .process_group(0)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let start = Instant::now();
    while !repository.path("cargo.building").exists() {
        assert!(start.elapsed() < Duration::from_secs(60), "the build does not begin");
        std::thread::sleep(Duration::from_millis(20));
    }
    let status = Command::new("kill")
        .args(["-INT", "--", &format!("-{}", child.id())])
        .status()
        .unwrap();
    assert!(status.success());
    assert_eq!(child.wait().unwrap().code(), Some(1));
    repository.is_tidy();
}

#[test]
fn bisect_finds_the_commit_and_passes_over_those_that_do_not_build() {
    let repository = Repository::new();
    for n in 1..=5 {
        repository.commit(&format!("good{n}"), PLAIN);
    }
    fs::remove_file(repository.path("repo/bench.sh")).unwrap();
    repository.save("broken");
    repository.commit("good6", PLAIN);
    let slow = Program { ns: 104_000, ..PLAIN };
    repository.commit("culprit", slow);
    let chatty = Program { dispatches: 3, ..slow };
    repository.commit("chatty", chatty);
    repository.commit("later", chatty);
    let bisect = |args: &[&str]| {
        let output = repository.subcommand("bisect", args).output().unwrap();
        repository.is_tidy();
        output
    };
    check(
        &bisect(&["plain", "later", "o/cpu/1"]),
        0,
        &[
            "o/cpu/1: +4.0 % against plain; the first commit with it is",
            " culprit\n",
        ],
    );
    check(
        &bisect(&["culprit", "later", "o/cpu/1"]),
        0,
        &["dispatches 1 → 3 against culprit", " chatty\n"],
    );
    check(
        &bisect(&["plain", "good5", "o/cpu/1"]),
        0,
        &["neither slower than plain", "pass"],
    );
    check(
        &bisect(&["plain", "later", "o/cpu/9"]),
        1,
        &["plain has no case o/cpu/9"],
    );
    check(&bisect(&["plain", "plain", "o/cpu/1"]), 2, &["no commit lies between"]);
    check(&bisect(&["later", "plain", "o/cpu/1"]), 2, &["is no ancestor of"]);
    let fault = r#"[ $case = o/cpu/1 ] && { say '{"failed":"wrong result"}'; continue; }"#;
    repository.commit("wrong", Program { fault, ..slow });
    check(&bisect(&["later", "wrong", "o/cpu/1"]), 4, &["not measured"]);
}
