//! `cargo xtask peers` from end to end, with a shell script in the place of every peer: what a test needs here are known
//! times, and faults.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use support::check;

/// A peer whose calls take what the file `times` has for its name and way. It writes what it is asked for into `log`, and
/// does not take part, has no way in place, dies or computes wrongly as files of such names say.
const PEER: &str = r#"#!/bin/sh
here=$(dirname "$0")
[ "$1" = --json ] && { cat "$here/listing"; exit; }
[ "$(cat "$here/absent")" = "$1" ] && { echo 'absent no device'; exit; }
echo "peer adapter of $1"
while read -r command method warm n; do
    echo "$1 $command $method $warm $n" >> "$here/log"
    case $command in
        work) echo ready ;;
        open) if [ "$1 $method" = 'cubecl one-by-one' ]; then echo 'absent it has no such way'; else echo ready; fi ;;
        calls)
            [ "$(cat "$here/dies")" = "$1" ] && { echo 'the device is on fire' >&2; exit 3; }
            time=$(sed -n "s/^$1 $method //p" "$here/times")
            echo nanos $(yes "${time:-5000}" | head -n "$n") ;;
        check)
            [ "$(cat "$here/wrong")" = "$1" ] && { echo "$1: element 7 is 3, the CPU has 4" >&2; exit 1; }
            echo right ;;
    esac
done
"#;

const LISTING: &str = r#"{"adapters":[],"picked":[
{"backend":"cpu","name":"host","kind":"software","driver":"none","driver_version":"","timestamps":false,"limits":null,"unusable":null},
{"backend":"vulkan","name":"llvmpipe","kind":"hardware","driver":"llvmpipe","driver_version":"Mesa 1","timestamps":true,"limits":null,"unusable":null}],
"absent":[{"backend":"gles","reason":"no driver"},{"backend":"dx12","reason":"it exists on Windows only"}],"versions":["wgpu 30.0.1"]}"#;

const TIMES: &str = "executor run 40000
naive run 100000
cubecl run 30000
executor flat 1000000
executor one-by-one 40000000
";

/// A folder with programs that do as they are told.
struct Machine(tempfile::TempDir);

impl Machine {
    fn new() -> Self {
        let machine = Self(tempfile::tempdir().unwrap());
        machine.set("peers", PEER);
        fs::set_permissions(machine.path("peers"), fs::Permissions::from_mode(0o755)).unwrap();
        machine.set("listing", LISTING);
        machine.set("times", TIMES);
        for fault in ["absent", "dies", "wrong"] {
            machine.set(fault, "nobody");
        }
        machine
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn set(&self, name: &str, value: &str) {
        fs::write(self.path(name), value).unwrap();
    }

    fn peers(&self, flags: &[&str]) -> Output {
        fs::write(self.path("log"), "").unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
        command
            .args([
                "peers",
                "--processes",
                "2",
                "--rounds",
                "3",
                "--seed",
                "1",
                "--commit",
                "abc",
            ])
            .args(flags)
            .arg("--program")
            .arg(self.path("peers"))
            .arg("--cuda")
            .arg(self.path("peers"))
            // Where there is no workspace, as on a machine the programs were carried to.
            .current_dir(self.0.path());
        command.output().unwrap()
    }

    /// Who was timed, in order, in the rounds of the first work.
    fn order(&self) -> Vec<String> {
        let log = fs::read_to_string(self.path("log")).unwrap();
        let lines = log.lines().skip_while(|line| !line.starts_with("executor work 256"));
        let first = lines.take_while(|line| !line.contains("work 1000 "));
        // One call, and then five of short ones, to see how many fill a turn.
        let turns = first.filter(|line| line.contains(" calls ") && !line.ends_with(" 0 1") && !line.ends_with(" 5 5"));
        turns.map(|line| line.split(' ').next().unwrap().to_owned()).collect()
    }
}

fn table(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

#[test]
fn everybody_takes_a_turn_a_round_and_the_table_has_the_ratios() {
    let machine = Machine::new();
    let out = machine.path("table.md");
    let output = machine.peers(&["--out", out.to_str().unwrap()]);
    check(&output, 0, &["Wrote", "process 2 of 2"]);
    let text = table(&out);
    assert!(
        String::from_utf8_lossy(&output.stdout).contains(&text),
        "printed and written"
    );
    for part in [
        "2 processes of each peer, 3 rounds with each, order drawn from seed 1",
        "Commit: abc",
        "Versions: wgpu 30.0.1",
        "## vulkan: llvmpipe\n\nDriver llvmpipe Mesa 1; all cores free.\n\nExecutor, in its first process: adapter of executor.",
        "| n = 256, slices in, Vec out | executor | 40.0 µs | 1.00 |  | 6, 3000 |  |  |",
        "|  | naive wgpu | 100 µs | 0.400 | 0.400 … 0.400 | 6, 1200 | ≤ 0.45 | yes |",
        "|  | cubecl | 30.0 µs | 1.33 | 1.33 … 1.33 | 6, 3996 | < 1 | no |",
        "|  | CUDA, pageable | 5.00 µs |",
        "|  | executor, one by one | 40.0 ms | 1/40.0 | 1/40.0 … 1/40.0 | 6, 6 | ≤ 1/35 | yes |",
        "- 1,000 tasks of 256, whole batch, cubecl, one by one: it has no such way",
        "## Not measured\n\n- gles: no driver\n",
    ] {
        assert!(text.contains(part), "`{part}` is not in:\n{text}");
    }
    assert!(
        !text.contains("dx12"),
        "nobody misses another system's backend:\n{text}"
    );

    let order = machine.order();
    let everybody = ["cpu", "cpu", "cubecl", "executor", "naive", "pageable", "pinned"];
    assert_eq!(order.len(), 3 * everybody.len(), "{order:?}");
    for round in order.chunks(everybody.len()) {
        let mut round = round.to_vec();
        round.sort();
        assert_eq!(round, everybody);
    }
    check(&machine.peers(&[]), 0, &[]);
    assert_eq!(machine.order(), order, "the same seed, the same order");
    check(&machine.peers(&["--seed", "2"]), 2, &["--seed"]);
}

#[test]
fn who_is_not_there_is_listed_and_the_others_are_measured() {
    let machine = Machine::new();
    machine.set("absent", "naive");
    check(
        &machine.peers(&[]),
        0,
        &["- naive: no device", "|  | cubecl | 30.0 µs | 1.33 |"],
    );
    machine.set("absent", "executor");
    check(&machine.peers(&[]), 0, &["- executor: no device"]);
}

#[test]
fn a_fault_ends_the_run_and_names_the_peer() {
    let machine = Machine::new();
    machine.set("wrong", "naive");
    check(
        &machine.peers(&[]),
        1,
        &["`naive vulkan`", "check run", "element 7 is 3"],
    );
    machine.set("wrong", "nobody");
    machine.set("dies", "pageable");
    check(
        &machine.peers(&[]),
        1,
        &["`pageable`", "exit status: 3", "the device is on fire"],
    );
    machine.set("listing", "{");
    check(&machine.peers(&[]), 1, &["cannot read the listing"]);
}

#[test]
fn no_adapter_is_a_wrong_usage() {
    let machine = Machine::new();
    check(
        &machine.peers(&["--backend", "gles"]),
        2,
        &["--backend gles", "cargo xtask adapters"],
    );
    machine.set("listing", r#"{"adapters":[],"picked":[],"absent":[]}"#);
    check(&machine.peers(&[]), 2, &["no adapter to measure on"]);
}
