//! `cargo split-audit`, in any workspace.

use std::process::ExitCode;

use clap::Parser;
use split_audit::Flags;

/// Find the version split that breaks a build, in this workspace, and a cure that was tried
#[derive(Debug, Parser)]
#[command(name = "cargo split-audit", bin_name = "cargo split-audit", version, styles = split_audit::styles())]
#[command(after_help = split_audit::help("cargo split-audit"))]
struct Cli {
    #[command(flatten)]
    flags: Flags,
}

fn main() -> ExitCode {
    // Cargo calls `cargo-split-audit split-audit …`.
    let mut words: Vec<_> = std::env::args_os().collect();
    if words.get(1).is_some_and(|word| word == "split-audit") {
        words.remove(1);
    }
    let flags = Cli::parse_from(words).flags;
    match split_audit::run(&flags, "cargo split-audit") {
        Ok(exit) => exit.into(),
        Err(error) => {
            anstream::eprintln!("error: {error}");
            ExitCode::from(if error.is_usage() { 2 } else { 1 })
        }
    }
}
