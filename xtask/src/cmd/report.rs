//! `cargo xtask report`: a run as a page for people.

pub(crate) mod browser;

use std::path::{Path, PathBuf};

use bench_gate::html::{Page, folder::read_all, report};

use crate::{curves, error::Error, exit::Exit, host::workspace};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cargo xtask report --open              the latest run, in a browser
  cargo xtask report RUN_DIR OTHER_DIR   curves of two runs in one figure
  cargo xtask report --svg --png         each figure as a file of its own as well, light and dark

The page is one file that needs no network. PNG is made by resvg, rsvg-convert or chromium, whichever is installed.")]
pub(crate) struct Flags {
    /// Folders of runs or comparisons, the first of which is told of in full [default: the latest run]
    #[arg(value_name = "RUN_DIR")]
    runs: Vec<PathBuf>,
    #[command(flatten)]
    output: report::Output,
}

pub(crate) fn run(flags: &Flags) -> Result<Exit, Error> {
    let runs = match flags.runs.is_empty() {
        true => vec![workspace::latest_run()?],
        false => flags.runs.clone(),
    };
    flags.output.deliver(&page(&runs)?, &runs[0])?;
    Ok(Exit::Pass)
}

fn page(runs: &[PathBuf]) -> Result<Page, Error> {
    let folders = read_all(runs)?;
    Ok(report::page(&folders, &curves::NAMING, curves::sections(&folders)))
}

/// Writes the page of some runs, without pictures beside it.
fn write(runs: &[PathBuf], out: &Path) -> Result<(), Error> {
    report::write(&page(runs)?, out, report::Pictures::default())?;
    Ok(())
}
