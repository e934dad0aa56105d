//! The command line of `cargo bench-gate`.

mod ab;
mod bisect;
mod check;
mod compare;
mod flags;
mod github;
mod outcome;
mod programs;
mod record;
mod report;
mod threads;

use std::process::ExitCode;

use clap::Parser as _;

use crate::{console, exit::Exit, project};

/// Finds performance regressions of a criterion project.
#[derive(Debug, clap::Parser)]
#[command(name = "cargo bench-gate", bin_name = "cargo bench-gate", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Compare two revisions: which cases became slower?
    Ab(Box<ab::Flags>),
    /// Store what every case takes on this machine
    Record(record::Flags),
    /// Compare the work tree with what is stored
    Check(check::Flags),
    /// Find the commit that made a case slower
    Bisect(bisect::Flags),
    /// Show a comparison as a page, with figures
    Report(report::Flags),
    /// Build revisions and show their bench programs, and whether two revisions run the same ones
    Programs(programs::Flags),
    /// Remove what is kept of this project's revisions
    Clean(flags::Place),
}

/// Why a command could not do its work.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error(transparent)]
    Project(#[from] project::Error),
    #[error(transparent)]
    Gate(#[from] crate::Error),
    #[error("{0}")]
    Failed(String),
    #[error("{0}")]
    Usage(String),
}

/// The command line, with every command and flag: for completions, and for tests of documents.
#[must_use]
pub fn command() -> clap::Command {
    <Cli as clap::CommandFactory>::command()
}

/// Reads the command line and does what it says.
#[must_use]
pub fn main() -> ExitCode {
    console::init();
    // Cargo calls `cargo-bench-gate bench-gate ab`.
    let args = std::env::args_os().enumerate();
    let args = args
        .filter(|(index, arg)| *index != 1 || arg != "bench-gate")
        .map(|(_, arg)| arg);
    let ended = match Cli::parse_from(args).command {
        Command::Ab(flags) => ab::run(&flags),
        Command::Record(flags) => record::run(&flags),
        Command::Check(flags) => check::run(&flags),
        Command::Bisect(flags) => bisect::run(&flags),
        Command::Report(flags) => report::run(&flags),
        Command::Programs(flags) => programs::run(&flags),
        Command::Clean(place) => clean(&place),
    };
    ended.map_or_else(|error| failed(&error), Into::into)
}

fn failed(error: &Error) -> ExitCode {
    console::error(&crate::error::with_sources(error));
    let is_usage = match error {
        Error::Project(error) => error.is_usage(),
        Error::Usage(_) | Error::Gate(crate::Error::Usage(_)) => true,
        _ => false,
    };
    if is_usage { Exit::Usage } else { Exit::ToolFailed }.into()
}

fn clean(place: &flags::Place) -> Result<Exit, Error> {
    let project = place.project()?;
    let store = project::Store::open(project.repository().top())?;
    store.clear()?;
    console::status("Removed", &store.folder().display().to_string());
    Ok(Exit::Pass)
}

/// The command as it was typed.
fn command_line() -> String {
    let args = std::env::args().skip(1).filter(|arg| arg != "bench-gate");
    std::iter::once("cargo bench-gate".to_owned())
        .chain(args)
        .collect::<Vec<_>>()
        .join(" ")
}
