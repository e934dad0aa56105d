//! The scripts of `.github/actions/bench-gate`, in clones as GitHub's checkout makes them.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use support::{Said, World, git};

fn action() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.github/actions/bench-gate")
}

/// Runs a script of the action in a folder, and returns what it said and the outputs it set.
fn run(world: &World, script: &str, folder: &Path, variables: &[(&str, &str)]) -> (Said, String) {
    let output = world.path("output");
    let _ = fs::remove_file(&output);
    let temporary = world.path("runner temp");
    fs::create_dir_all(&temporary).unwrap();
    let mut command = Command::new("bash");
    command
        .arg(action().join(script))
        .current_dir(folder)
        .env("GITHUB_OUTPUT", &output)
        .env("RUNNER_TEMP", &temporary)
        .envs(variables.iter().copied());
    let said = Said::of(command.output().unwrap());
    (said, fs::read_to_string(&output).unwrap_or_default())
}

fn program(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn the_base_is_fetched_whatever_depth_the_checkout_has() {
    let world = World::empty();
    for name in ["one", "two", "three"] {
        world.write("file", name);
        world.commit(name);
    }
    world.git(&["branch", "release", "one"]);
    let url = format!("file://{}", world.repository().display());
    let commit = |name: &str| world.git(&["rev-parse", name]).trim().to_owned();
    let check = |depth: &str, base: &str, expected: &str| {
        let clone = world.path("clone");
        let _ = fs::remove_dir_all(&clone);
        let mut args = vec!["clone", "--quiet", "--no-tags", "--single-branch"];
        args.extend(["--depth", depth].iter().filter(|_| !depth.is_empty()));
        git(
            &world.path(""),
            &[&args[..], &[url.as_str(), clone.to_str().unwrap()]].concat(),
        );
        let (said, output) = run(&world, "fetch.sh", &clone, &[("BASE", base)]);
        said.has(0, &[]);
        assert_eq!(output.trim(), format!("commit={}", commit(expected)), "{depth} {base}");
    };
    check("1", "HEAD^1", "two");
    check("1", "HEAD~2", "one");
    check("2", "HEAD^1", "two");
    check("", "HEAD^1", "two");
    check("1", "release", "one");
    check("", "release", "one");
    check("1", &commit("one"), "one");
    check("1", "two", "two");
    let clone = world.path("clone");
    let (said, _) = run(&world, "fetch.sh", &clone, &[("BASE", "nowhere")]);
    said.has(
        2,
        &[
            "::error title=bench-gate::nowhere names no commit here",
            "fetch-depth: 0",
        ],
    );
}

#[test]
fn arguments_reach_the_command_and_its_exit_code_and_report_come_back() {
    let world = World::empty();
    let gate = world.path("a gate");
    program(
        &gate,
        "#!/bin/sh\nprintf '<%s>' \"$@\"\nwhile [ $# -gt 1 ]; do [ \"$1\" = --out ] && out=$2; shift; done\n\
         mkdir -p \"$out\"; echo '# report' > \"$out/summary.md\"; exit ${EXIT:-0}\n",
    );
    let command = format!("{}\nxtask", gate.display());
    let check = |exit: &str, arguments: &str, expected: &str| {
        let variables = [
            ("BASE", "b"),
            ("HEAD", "h"),
            ("TIME_BUDGET", "60"),
            ("ARGUMENTS", arguments),
            ("COMMAND", command.as_str()),
            ("EXIT", exit),
        ];
        let (said, output) = run(&world, "compare.sh", &world.repository(), &variables);
        let report = world.path("runner temp/bench-gate-report");
        let start = format!("<xtask><ab><b><h><--time-budget><60><--out><{}>", report.display());
        said.has(exit.parse().unwrap(), &[&format!("{start}{expected}")]);
        let lines: Vec<&str> = output.lines().collect();
        let [report, comment] = [
            report.display().to_string(),
            report.join("comment.md").display().to_string(),
        ];
        assert_eq!(
            lines,
            [
                format!("exit-code={exit}"),
                format!("folder={report}"),
                format!("comment={comment}")
            ]
        );
        assert_eq!(fs::read_to_string(comment).unwrap(), "# report\n");
    };
    check("0", "", "");
    check(
        "3",
        "--features\nextra\n--case\na b\n",
        "<--features><extra><--case><a b>",
    );
}

#[test]
fn the_tool_is_installed_from_the_actions_repository() {
    let world = World::empty();
    let bin = world.path("bin");
    program(&bin.join("cargo"), "#!/bin/sh\necho \"$PWD: $*\"\n");
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let (said, _) = run(&world, "install.sh", &world.repository(), &[("PATH", &path)]);
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).canonicalize().unwrap();
    let expected = format!(
        "{}: install --quiet --locked --path . --root {}",
        here.display(),
        world.path("runner temp/bench-gate").display()
    );
    said.has(0, &[&expected]);
}

#[test]
fn every_input_and_output_says_what_it_is() {
    let text = fs::read_to_string(action().join("action.yml")).unwrap();
    let mut undescribed = Vec::new();
    let lines: Vec<&str> = text.lines().take_while(|line| *line != "runs:").collect();
    for (at, line) in lines.iter().enumerate() {
        let is_key = line.starts_with("  ") && !line.starts_with("   ") && line.ends_with(':');
        if is_key && !lines[at + 1].trim_start().starts_with("description:") {
            undescribed.push(line.trim());
        }
    }
    assert!(undescribed.is_empty(), "{undescribed:?}");
    // Values of inputs reach scripts as variables alone, so that none is taken for a command.
    for line in text.lines().filter(|line| line.trim_start().starts_with("run:")) {
        assert!(!line.contains("${{"), "{line}");
    }
}
