//! `cargo xtask ci`: what must pass before a change lands.

use std::{
    ffi::OsStr,
    fmt,
    time::{Duration, Instant},
};

use clap::Parser as _;
use xshell::{Cmd, Shell, cmd};

use crate::{
    cli::{Cli, Command},
    cmd::{audit_deps, bench, docs, report, setup, windows, workflows},
    error::Error,
    exit::Exit,
    host::{console, windows::toolchain, workspace},
};

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  cargo xtask ci\n  cargo xtask ci --windows")]
pub(crate) struct Flags {
    /// Run the Windows half as well, under Wine [default: where CI=true]
    #[arg(long, overrides_with = "no_windows")]
    windows: bool,
    /// Leave the Windows half to another machine
    #[arg(long, overrides_with = "windows")]
    no_windows: bool,
}

impl Flags {
    /// On Windows, all of it is the Windows half.
    fn with_windows(&self) -> bool {
        !cfg!(windows) && !self.no_windows && (self.windows || is_ci())
    }
}

/// Whether this is no person's machine.
fn is_ci() -> bool {
    std::env::var("CI").is_ok_and(|ci| ci == "true")
}

pub(crate) fn run(flags: &Flags) -> Result<Exit, Error> {
    let sh = Shell::new()?;
    sh.change_dir(workspace::root());
    if std::env::var_os("XDG_RUNTIME_DIR").is_none() {
        // As in `quiet_display`, for the tests.
        sh.set_var("XDG_RUNTIME_DIR", std::env::temp_dir());
    }
    let mut steps = Steps::default();
    steps.time("set-up", || {
        console::status("Set up", "the software adapters");
        setup::ensure(&sh)
    })?;
    steps.check("format", cmd!(sh, "cargo fmt --all --check"))?;
    let peers = "benches/peers/Cargo.toml";
    steps.check(
        "format of the peers",
        cmd!(sh, "cargo fmt --manifest-path {peers} --check"),
    )?;
    steps.check(
        "lock of the peers",
        cmd!(sh, "cargo update --workspace --locked --quiet --manifest-path {peers}"),
    )?;
    steps.check(
        "lints",
        cmd!(sh, "cargo clippy --workspace --all-targets --locked -- -D warnings"),
    )?;
    steps.check(
        "lints without GPU",
        cmd!(
            sh,
            "cargo clippy --package gpu-executor --lib --no-default-features --locked -- -D warnings"
        ),
    )?;
    steps.time("features", || {
        // Each operator's alone, and all without a GPU.
        for features in ["field", "hash", "testkit", "field,hash,testkit"] {
            console::status("Check", &format!("lints with {features} alone"));
            let clippy = cmd!(sh, "cargo clippy --package gpu-executor --lib --no-default-features");
            clippy
                .args(["--features", features, "--locked", "--", "-D", "warnings"])
                .quiet()
                .run()?;
        }
        Ok(())
    })?;
    let tests = tests(&sh, cfg!(windows));
    // Where the drivers were installed a moment ago, a test that finds none is a failure.
    steps.check(
        "tests",
        if setup::is_possible() {
            tests.env("CI", "true")
        } else {
            tests
        },
    )?;
    steps.check(
        "documentation",
        cmd!(sh, "cargo doc --workspace --no-deps --locked --document-private-items")
            .env("RUSTDOCFLAGS", "-D warnings"),
    )?;
    steps.time("tables of documents", || docs::run(&docs::Flags::check()).map(drop))?;
    own_operator(&sh, &mut steps)?;
    // Without cubecl, which alone costs more than all the rest.
    steps.check(
        "lints of the peers",
        cmd!(
            sh,
            "cargo clippy --manifest-path {peers} --no-default-features --locked -- -D warnings"
        )
        .env("CARGO_TARGET_DIR", workspace::target()),
    )?;
    steps.time("dependencies", dependencies)?;
    steps.time("workflows", || {
        workflows::check(&sh, is_ci() && cfg!(target_os = "linux"))
    })?;
    if flags.with_windows() {
        windows::ci(&sh, &mut steps)?;
    }
    let exit = steps.time("bench", || {
        console::status("Bench", "quick; results, counters and errors count, times are shown");
        bench::run(&bench::Flags::quick_for_ci())
    })?;
    steps.time("report", || {
        console::status("Check", "the report in a browser");
        report::browser::check(&sh, is_ci())
    })?;
    if exit == Exit::Pass {
        console::status("Passed", &steps.to_string());
    }
    Ok(exit)
}

/// They come with this very program, and built anew, as the dependencies of a whole workspace have more features. Windows replaces
/// no program that runs, so the tests are built in another folder there.
fn tests(sh: &Shell, on_windows: bool) -> Cmd<'_> {
    let tests = cmd!(sh, "cargo test --workspace --locked --no-fail-fast");
    if on_windows {
        tests.arg("--target-dir").arg(toolchain::target())
    } else {
        tests
    }
}

/// Operators of another workspace, with a path to the library and nothing else. What it builds lies beside what was built here,
/// so that crates of the same features are built once.
fn own_operator(sh: &Shell, steps: &mut Steps) -> Result<(), Error> {
    let own = "examples/own-operator/Cargo.toml";
    steps.check(
        "format of own operators",
        cmd!(sh, "cargo fmt --manifest-path {own} --check"),
    )?;
    let _there = sh.push_env("CARGO_TARGET_DIR", workspace::target());
    steps.check(
        "lints of own operators",
        cmd!(
            sh,
            "cargo clippy --manifest-path {own} --all-targets --locked -- -D warnings"
        ),
    )?;
    steps.check(
        "tests of own operators",
        cmd!(sh, "cargo test --manifest-path {own} --locked"),
    )?;
    // Each case once: that it runs, and is right. Optimised, all would be built again.
    steps.check(
        "bench of own operators",
        cmd!(sh, "cargo bench --manifest-path {own} --profile dev --locked -- --test"),
    )
}

fn dependencies() -> Result<(), Error> {
    console::status("Check", "dependencies");
    let root = workspace::root();
    let audit = Cli::parse_from([OsStr::new("cargo xtask"), OsStr::new("audit-deps"), root.as_os_str()]);
    if let Command::AuditDeps(flags) = &audit.command
        && audit_deps::run(flags)? != split_audit::Exit::Clean
    {
        return Err(Error::Failed("the audit of dependencies found errors".to_owned()));
    }
    Ok(())
}

/// What was done, and how long it took.
#[derive(Debug, Default)]
pub(crate) struct Steps(Vec<(&'static str, Duration)>);

impl Steps {
    pub(crate) fn time<T>(&mut self, name: &'static str, step: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
        let start = Instant::now();
        let done = step()?;
        self.0.push((name, start.elapsed()));
        Ok(done)
    }

    fn check(&mut self, name: &'static str, command: Cmd<'_>) -> Result<(), Error> {
        self.time(name, || {
            console::status("Check", name);
            Ok(command.quiet().run()?)
        })
    }
}

impl fmt::Display for Steps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all: Duration = self.0.iter().map(|(_, time)| *time).sum();
        write!(f, "all of it in {} s:", all.as_secs())?;
        for (at, (name, time)) in self.0.iter().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            write!(f, "{comma} {name} {}", time.as_secs())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_runs_is_not_replaced_on_windows() {
        let sh = Shell::new().unwrap();
        let place = toolchain::target().display().to_string();
        assert_ne!(toolchain::target(), workspace::target());
        assert!(tests(&sh, true).to_string().contains(&place));
        // Elsewhere what clippy and cargo have built is used again.
        assert!(!tests(&sh, false).to_string().contains("--target-dir"));
    }

    #[test]
    fn what_was_done_is_said_with_its_time() {
        let steps = Steps(vec![
            ("format", Duration::from_millis(1900)),
            ("lints", Duration::from_secs(60)),
        ]);
        assert_eq!(steps.to_string(), "all of it in 61 s: format 1, lints 60");
    }
}
