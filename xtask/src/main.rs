//! `cargo xtask`: measures gpu-executor, gates it against committed baselines, and runs the project's checks.
//!
//! Only `cmd` runs other programs and reads clocks; every other module is a function of its arguments.

mod audit;
mod cli;
mod cmd;
mod error;
mod exit;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    match cmd::run(cli.command) {
        Ok(exit) => exit,
        Err(error) => {
            error.print();
            exit::Exit::ToolFailed.into()
        }
    }
}
