//! The command line of `cargo bench-gate`.

mod flags;
mod programs;

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
    #[error("{0}")]
    Failed(String),
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
        Command::Programs(flags) => programs::run(&flags),
        Command::Clean(place) => clean(&place),
    };
    ended.map_or_else(|error| failed(&error), Into::into)
}

fn failed(error: &Error) -> ExitCode {
    console::error(&with_sources(error));
    let is_usage = matches!(error, Error::Project(error) if error.is_usage());
    if is_usage { Exit::Usage } else { Exit::ToolFailed }.into()
}

/// An error with what it came from.
fn with_sources(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let said = error.to_string();
        if !text.ends_with(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        source = error.source();
    }
    text
}

fn clean(place: &flags::Place) -> Result<Exit, Error> {
    let project = place.project()?;
    let store = project::Store::open(project.repository().top())?;
    store.clear()?;
    console::status("Removed", &store.folder().display().to_string());
    Ok(Exit::Pass)
}
