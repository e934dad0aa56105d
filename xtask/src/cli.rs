//! The command line: one variant per command, whose flags live in the command's own file.

use clap::{Parser, Subcommand};

use crate::cmd;

/// Measures gpu-executor, gates it against committed baselines, and runs the project's checks.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Install what the software adapters need (Debian and Ubuntu), or say what to install
    Setup(cmd::setup::Flags),
    /// Find the version split that would break a build, and prove the cure
    AuditDeps(cmd::audit_deps::Flags),
}
