//! One file per command.

pub(crate) mod ab;
pub(crate) mod adapters;
pub(crate) mod audit_deps;
pub(crate) mod bench;
pub(crate) mod bisect;
pub(crate) mod ci;
pub(crate) mod compare;
pub(crate) mod completions;
pub(crate) mod docs;
pub(crate) mod gate;
pub(crate) mod history;
pub(crate) mod merge;
pub(crate) mod peers;
pub(crate) mod report;
pub(crate) mod scan;
pub(crate) mod setup;
pub(crate) mod validate_gate;
pub(crate) mod windows;
pub(crate) mod workflows;

use std::process::ExitCode;

use crate::{cli::Command, error::Error};

/// Runs one command.
pub(crate) fn run(command: Command) -> Result<ExitCode, Error> {
    match command {
        Command::Bench(flags) => bench::run(&flags).map(Into::into),
        Command::Ab(flags) => ab::run(&flags).map(Into::into),
        Command::Gate(flags) => gate::run(&flags).map(Into::into),
        Command::Bisect(flags) => bisect::run(&flags).map(Into::into),
        Command::ValidateGate(flags) => validate_gate::run(&flags).map(Into::into),
        Command::Merge(flags) => merge::run(&flags).map(Into::into),
        Command::Report(flags) => report::run(&flags).map(Into::into),
        Command::Compare(flags) => compare::run(&flags).map(Into::into),
        Command::Scan(flags) => scan::run(&flags).map(Into::into),
        Command::Completions(flags) => completions::run(&flags).map(Into::into),
        Command::History(flags) => history::run(&flags).map(Into::into),
        Command::Peers(flags) => peers::run(&flags).map(Into::into),
        Command::AuditDeps(flags) => audit_deps::run(&flags).map(Into::into),
        Command::Adapters(flags) => adapters::run(&flags).map(Into::into),
        Command::Setup(flags) => setup::run(&flags).map(Into::into),
        Command::Windows(flags) => windows::run(&flags).map(Into::into),
        Command::Workflows(flags) => workflows::run(&flags).map(Into::into),
        Command::Docs(flags) => docs::run(&flags).map(Into::into),
        Command::Ci(flags) => ci::run(&flags).map(Into::into),
    }
}
