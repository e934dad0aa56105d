//! `cargo xtask`: measures gpu-executor, gates it against committed baselines, and runs the project's checks.
//!
//! Only `cmd` and `host` run other programs and read clocks; every other module is a function of its arguments.

mod ab;
mod baseline;
mod case;
mod cli;
mod cmd;
mod compare;
mod curves;
mod docs;
mod error;
mod fingerprint;
mod history;
mod host;
mod judge;
mod merge;
mod noop;
mod peers;
mod quantile;
mod report;
mod rows;
mod run;
mod scan;
mod scan_file;
mod shard;
mod table;
mod verdict;

use std::process::ExitCode;

use bench_gate::{exit, files};
use clap::Parser as _;

use crate::{error::Error, exit::Exit};

fn main() -> ExitCode {
    // Cargo starts this program in the place of a bench whose start is to be noted.
    if let Some(ended) = bench_gate::project::note_if_runner() {
        return ended;
    }
    host::console::init();
    let cli = cli::Cli::parse();
    cmd::run(cli.command).unwrap_or_else(|error| {
        host::console::error(&error);
        let exit = match error {
            Error::Usage(_) => Exit::Usage,
            _ => Exit::ToolFailed,
        };
        exit.into()
    })
}
