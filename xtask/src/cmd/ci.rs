//! `cargo xtask ci`: what must pass before a change lands.

use std::{ffi::OsStr, time::Instant};

use clap::Parser as _;
use xshell::{Cmd, Shell, cmd};

use crate::{
    cli::{Cli, Command},
    cmd::{audit_deps, bench, setup, windows, workflows},
    error::Error,
    exit::Exit,
    host::{console, workspace},
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
    let start = Instant::now();
    console::status("Set up", "the software adapters");
    setup::ensure(&sh)?;
    step("format", cmd!(sh, "cargo fmt --all --check"))?;
    // The peers are not built here: cubecl alone costs more than all the rest.
    let peers = "benches/peers/Cargo.toml";
    step(
        "format of the peers",
        cmd!(sh, "cargo fmt --manifest-path {peers} --check"),
    )?;
    step(
        "lock of the peers",
        cmd!(sh, "cargo update --workspace --locked --quiet --manifest-path {peers}"),
    )?;
    step(
        "lints",
        cmd!(sh, "cargo clippy --workspace --all-targets --locked -- -D warnings"),
    )?;
    step(
        "lints without GPU",
        cmd!(
            sh,
            "cargo clippy --package gpu-executor --lib --no-default-features --locked -- -D warnings"
        ),
    )?;
    let tests = cmd!(sh, "cargo test --workspace --locked");
    // Where the drivers were installed a moment ago, a test that finds none is a failure.
    step(
        "tests",
        if setup::is_possible() {
            tests.env("CI", "true")
        } else {
            tests
        },
    )?;
    step(
        "documentation",
        cmd!(sh, "cargo doc --workspace --no-deps --locked --document-private-items")
            .env("RUSTDOCFLAGS", "-D warnings"),
    )?;
    console::status("Check", "dependencies");
    let root = workspace::root();
    let audit = Cli::parse_from([OsStr::new("cargo xtask"), OsStr::new("audit-deps"), root.as_os_str()]);
    if let Command::AuditDeps(flags) = &audit.command
        && audit_deps::run(flags)? != audit_deps::Exit::Clean
    {
        return Err(Error::Failed("the audit of dependencies found errors".to_owned()));
    }
    workflows::check(&sh, is_ci() && cfg!(target_os = "linux"))?;
    if flags.with_windows() {
        windows::ci(&sh)?;
    }
    console::status("Bench", "quick; results, counters and errors count, times are shown");
    let exit = bench::run(&bench::Flags::quick_for_ci())?;
    if exit == Exit::Pass {
        console::status("Passed", &format!("all of it in {} s", start.elapsed().as_secs()));
    }
    Ok(exit)
}

fn step(name: &str, command: Cmd<'_>) -> Result<(), Error> {
    console::status("Check", name);
    command.quiet().run()?;
    Ok(())
}
