//! One file per command.

pub(crate) mod adapters;
pub(crate) mod bench;
pub(crate) mod ci;
pub(crate) mod gate;
pub(crate) mod setup;

use crate::{cli::Command, error::Error, exit::Exit};

/// Runs one command.
pub(crate) fn run(command: Command) -> Result<Exit, Error> {
    match command {
        Command::Bench(flags) => bench::run(&flags),
        Command::Gate(flags) => gate::run(&flags),
        Command::Adapters(flags) => adapters::run(&flags),
        Command::Setup(flags) => setup::run(&flags),
        Command::Ci(flags) => ci::run(&flags),
    }
}
