//! One file per command. The only layer that runs programs and reads clocks.

pub(crate) mod setup;

use crate::{cli::Command, error::Error, exit::Exit};

/// Runs one command.
pub(crate) fn run(command: Command) -> Result<Exit, Error> {
    match command {
        Command::Setup(flags) => setup::run(&flags),
    }
}
