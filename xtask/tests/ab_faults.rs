//! `cargo xtask ab` and what can go wrong: programs that crash, hang or babble, a full disk, interruptions.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

#[path = "support/repository.rs"]
#[allow(dead_code, reason = "what other tests need")]
mod repository;
mod support;

use std::{
    fs,
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use repository::{PLAIN, Program, Repository};
use support::{check, on_a_full_disk};

fn wait_for(path: &Path) {
    let start = Instant::now();
    while !path.exists() {
        assert!(
            start.elapsed() < Duration::from_secs(60),
            "{} does not appear",
            path.display()
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// As a terminal does, sends the signal to all processes of a group.
fn interrupt(leader: &Child) {
    let group = format!("-{}", leader.id());
    assert!(
        Command::new("kill")
            .args(["-INT", "--", &group])
            .status()
            .unwrap()
            .success()
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
    check_fault(
        "unending",
        "[ $verb = measure ] && while :; do printf xxxxxxxxxxxxxxxx; done",
        &["gave no answer within 1s at o/cpu/"],
    );
    check_fault(
        "empty",
        r#"[ $verb = measure ] && { say '{"measured":{"samples_ns":[]}}'; continue; }"#,
        &["makes no sense", "samples_ns: []"],
    );
    check_fault(
        "stopped",
        r#"[ $verb = measure ] && { say '{"measured":{"samples_ns":[100,0]}}'; continue; }"#,
        &["makes no sense"],
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
        "o/cpu/2: not measured; head cannot run it",
        "device lost",
        "1 pass, 1 not measured",
    ];
    check(&repository.ab(&["plain", "crash"]), 1, &said);
    check(
        &repository.ab(&["crash", "plain"]),
        0,
        &["o/cpu/2: not measured; base cannot run it"],
    );
    // Whichever of both is asked first.
    for seed in ["1", "2", "3"] {
        check(
            &repository.ab(&["crash", "crash", "--seed", seed]),
            0,
            &["o/cpu/2: not measured; base cannot run it"],
        );
    }
}

#[test]
fn a_list_that_a_crash_cut_short_is_none() {
    let repository = Repository::new();
    fs::write(repository.path("repo/bench.sh"), "echo 'o/1: benchmark'\nexit 9\n").unwrap();
    repository.save("cut");
    check(
        &repository.ab(&["cut", "cut"]),
        1,
        &["exit status: 9", "its list of benchmarks"],
    );
}

#[test]
fn an_interrupted_comparison_goes_on() {
    let repository = Repository::new();
    let out = repository.path("out");
    let out = out.to_str().unwrap();
    let fault = "[ $verb = measure ] && [ -e crash ] && exit 9";
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
        4,
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
        .env("BENCH_GATE_CACHE", repository.path("cache"))
        .env("CARGO_TARGET_DIR", repository.path("target"))
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
fn an_interruption_while_measuring_keeps_the_blocks_and_says_how_to_go_on() {
    let repository = Repository::new();
    let [out, hung, free] = ["out", "hung", "free"].map(|name| repository.path(name));
    // Hangs once some blocks are there.
    let fault = format!(
        "[ $verb = measure ] && [ ! -e {free} ] && [ $(cat {out}/windows.jsonl 2>/dev/null | wc -l) -gt 20 ] && {{ echo > {hung}; sleep 60; }}",
        free = free.display(),
        out = out.display(),
        hung = hung.display()
    );
    repository.commit(
        "weak",
        Program {
            ns: 110_000,
            fault: &fault,
            ..PLAIN
        },
    );
    let mut command = repository.command(&["plain", "weak", "--seed", "3", "--out", out.to_str().unwrap()]);
    let child = command
        .process_group(0)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    wait_for(&hung);
    interrupt(&child);
    let output = child.wait_with_output().unwrap();
    check(
        &output,
        1,
        &[
            "interrupted",
            &format!("`cargo xtask ab --resume {}` goes on", out.display()),
        ],
    );
    repository.is_tidy();
    let measured = fs::read_to_string(out.join("windows.jsonl")).unwrap();
    assert!(measured.lines().count() > 20, "{measured}");
    fs::write(&free, "").unwrap();
    check(
        &repository.ab(&["--resume", out.to_str().unwrap()]),
        3,
        &["seed 3", "regression: 2 slower"],
    );
    let all = fs::read_to_string(out.join("windows.jsonl")).unwrap();
    assert!(all.starts_with(&measured), "what was measured is not measured again");
}

#[test]
fn a_full_disk_is_an_error_and_no_verdict() {
    let repository = Repository::new();
    let out = repository.path("out");
    // Built already, so that the limit meets the windows alone: 16 KiB are a few blocks.
    check(
        &repository.ab(&["plain", "plain", "--out", out.to_str().unwrap(), "--time-budget", "0"]),
        4,
        &[],
    );
    let resume = repository.command(&["--resume", out.to_str().unwrap()]);
    let output = on_a_full_disk(&resume, 32).output().unwrap();
    check(&output, 1, &["cannot write", "windows.jsonl"]);
    repository.is_tidy();
}
