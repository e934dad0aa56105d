//! The workflows of GitHub Actions, as far as Linux can run them: each step's commands, in a clean clone, with stand-ins for
//! what a test must not do. `cargo xtask` is ours, asked for help after all its flags, so that it reads them and does nothing.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

/// What GitHub's expressions stand for.
const EXPRESSIONS: [(&str, &str); 10] = [
    ("matrix.adapters", "vulkan,gles"),
    ("matrix.name", "linux"),
    ("matrix.shard", "1/2"),
    ("strategy.job-index", "0"),
    ("steps.base.outputs.commit", "HEAD"),
    ("github.token", "secret"),
    ("github.run_id", "7"),
    ("github.ref", "refs/heads/main"),
    ("inputs.runner", "ubuntu-24.04"),
    (
        "runner.os == 'Windows' && 'dx12,vulkan,gles' || runner.os == 'macOS' && 'metal' || 'vulkan,gles'",
        "vulkan,gles",
    ),
];

/// One `run:` of a workflow.
#[derive(Debug)]
struct Step {
    /// File and line.
    place: String,
    script: String,
    env: BTreeMap<String, String>,
    shell: String,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn workflows() -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join(".github/workflows")).unwrap();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// The steps of a workflow. Of YAML it knows what these files use: keys of a step one to a line, `run: |` with a block.
fn steps(path: &Path) -> Vec<Step> {
    let text = fs::read_to_string(path).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let indent = |line: &str| line.len() - line.trim_start().len();
    let key = |line: &str| line.trim_start().trim_start_matches("- ").to_owned();
    let mut steps = Vec::new();
    let starts: Vec<usize> = (0..lines.len())
        .filter(|&at| lines[at].starts_with("      - "))
        .chain([lines.len()])
        .collect();
    for window in starts.windows(2) {
        let step = &lines[window[0]..window[1]];
        let value = |name: &str| {
            let prefix = format!("{name}: ");
            let at = step.iter().position(|line| key(line).starts_with(&prefix))?;
            Some((at, key(step[at])[prefix.len()..].to_owned()))
        };
        let Some((at, run)) = value("run") else { continue };
        let body = |at: usize| {
            let depth = indent(step[at]) + usize::from(step[at].trim_start().starts_with("- ")) * 2;
            step[at + 1..]
                .iter()
                .take_while(move |line| line.trim().is_empty() || indent(line) > depth)
        };
        let script = if run == "|" {
            body(at)
                .map(|line| format!("{}\n", line.get(10..).unwrap_or_default()))
                .collect()
        } else {
            run
        };
        let env = step.iter().position(|line| key(line) == "env:").map(|at| {
            let pairs = body(at).filter_map(|line| line.trim().split_once(": "));
            pairs.map(|(name, value)| (name.to_owned(), evaluated(value))).collect()
        });
        steps.push(Step {
            place: format!("{}:{}", path.file_name().unwrap().display(), window[0] + at + 1),
            script,
            env: env.unwrap_or_default(),
            shell: value("shell").map_or_else(|| "bash".to_owned(), |(_, shell)| shell),
        });
    }
    steps
}

/// Puts values in the place of `${{ … }}`.
fn evaluated(text: &str) -> String {
    let mut text = text.to_owned();
    for (expression, value) in EXPRESSIONS {
        text = text.replace(&format!("${{{{ {expression} }}}}"), value);
    }
    assert!(!text.contains("${{"), "no value is known for {text}");
    text
}

fn script(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

fn git(config: &Path, folder: &Path, arguments: &[&str]) {
    let status = Command::new("git")
        .args(arguments)
        .env("GIT_CONFIG_GLOBAL", config)
        .current_dir(folder)
        .status()
        .unwrap();
    assert!(status.success(), "{arguments:?}");
}

#[test]
fn every_command_of_a_workflow_runs() {
    let world = tempfile::tempdir().unwrap();
    let (programs, clone, origin) = (
        world.path().join("bin"),
        world.path().join("clone"),
        world.path().join("origin"),
    );
    fs::create_dir(&programs).unwrap();
    let log = world.path().join("log");
    let xtask = env!("CARGO_BIN_EXE_xtask");
    script(
        &programs.join("cargo"),
        &format!(
            "#!/bin/sh\necho \"cargo $*\" >> '{log}'\n[ \"$1\" = xtask ] || exit 0\nshift\nexec '{xtask}' \"$@\" --help\n",
            log = log.display()
        ),
    );
    for name in ["rustup", "gh"] {
        script(
            &programs.join(name),
            &format!("#!/bin/sh\necho \"{name} $*\" >> '{}'\n", log.display()),
        );
    }
    // Instead of the person's own. A repository may belong to somebody else than who tests it, and have no history.
    let config = world.path().join("gitconfig");
    fs::write(&config, "[safe]\ndirectory = *\n[receive]\nshallowUpdate = true\n").unwrap();
    git(
        &config,
        world.path(),
        &["init", "--quiet", "--bare", origin.to_str().unwrap()],
    );
    git(
        &config,
        world.path(),
        &["clone", "--quiet", root().to_str().unwrap(), clone.to_str().unwrap()],
    );
    git(
        &config,
        &clone,
        &["remote", "set-url", "origin", origin.to_str().unwrap()],
    );
    let (output, summary) = (world.path().join("output"), world.path().join("summary"));
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());

    let mut count = 0;
    for step in workflows().iter().flat_map(|path| steps(path)) {
        assert!(
            !step.script.contains("${{"),
            "{}: an expression within a script",
            step.place
        );
        assert_eq!(step.shell, "bash", "{}", step.place);
        // What earlier steps leave behind.
        fs::create_dir_all(clone.join("baselines")).unwrap();
        fs::write(clone.join("baselines/new.csv"), format!("{count}\n")).unwrap();
        fs::create_dir_all(clone.join("scans")).unwrap();
        fs::write(clone.join("scans/scan.md"), "").unwrap();
        let result = Command::new("bash")
            .args(["--noprofile", "--norc", "-e", "-o", "pipefail", "-c", &step.script])
            .current_dir(&clone)
            .envs(&step.env)
            .env("PATH", &path)
            .env("GIT_CONFIG_GLOBAL", &config)
            .env("GITHUB_OUTPUT", &output)
            .env("GITHUB_STEP_SUMMARY", &summary)
            .env("GITHUB_RUN_ID", "7")
            .output()
            .unwrap();
        assert!(
            result.status.success(),
            "{}: {}\n{}{}",
            step.place,
            step.script,
            String::from_utf8_lossy(&result.stdout),
            String::from_utf8_lossy(&result.stderr)
        );
        count += 1;
    }
    assert!(count >= 15, "only {count} commands were found");

    let log = fs::read_to_string(&log).unwrap();
    for expected in [
        "cargo xtask ci",
        "cargo xtask bench --save-baseline",
        "gh pr create --head baseline-ubuntu-24.04-7",
    ] {
        assert!(log.contains(expected), "`{expected}` was not run:\n{log}");
    }
    let output = fs::read_to_string(&output).unwrap();
    let commits: Vec<_> = output.lines().filter_map(|line| line.strip_prefix("commit=")).collect();
    assert!(
        !commits.is_empty() && commits.iter().all(|commit| commit.len() == 40),
        "{output}"
    );
}

#[test]
fn every_action_is_pinned_and_every_job_has_a_limit() {
    for path in workflows() {
        let text = fs::read_to_string(&path).unwrap();
        let name = path.file_name().unwrap().display().to_string();
        for line in text
            .lines()
            .filter_map(|line| line.split_once("uses: "))
            .map(|(_, uses)| uses)
        {
            if line.starts_with("./") {
                continue;
            }
            let (_, pin) = line.split_once('@').unwrap();
            let (sha, version) = pin.split_once(" # v").unwrap_or_default();
            assert!(
                sha.len() == 40 && sha.chars().all(|c| c.is_ascii_hexdigit()),
                "{name}: {line}"
            );
            assert!(!version.is_empty(), "{name}: {line}");
        }
        let count = |part: &str| text.matches(part).count();
        assert_eq!(count("runs-on:"), count("timeout-minutes:"), "{name}");
        assert_eq!(count("permissions: {}"), 1, "{name}");
        assert!(text.contains("concurrency:"), "{name}");
        assert!(!text.contains("pull_request_target"), "{name}");
    }
}
