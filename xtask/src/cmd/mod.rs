//! One file per command. The only layer that runs programs and reads clocks.

pub(crate) mod audit_deps;
pub(crate) mod setup;

use std::process::ExitCode;

use crate::{cli::Command, error::Error};

/// Runs one command.
pub(crate) fn run(command: Command) -> Result<ExitCode, Error> {
    match command {
        Command::Setup(flags) => setup::run(&flags).map(Into::into),
        Command::AuditDeps(flags) => audit_deps::run(&flags).map(Into::into),
    }
}
