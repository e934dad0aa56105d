//! `cargo xtask report`: a run as a page for people.

pub(crate) mod browser;

use std::path::{Path, PathBuf};

use bench_gate::html::{Page, folder::read_all, report};

use crate::{
    curves,
    error::Error,
    exit::Exit,
    host::{console, workspace},
};

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
    /// The file to write [default: report.html in the first folder]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Open it in a browser
    #[arg(long)]
    open: bool,
    /// Write every figure as SVG, into `figures` beside the page
    #[arg(long)]
    svg: bool,
    /// Write every figure as PNG, into `figures` beside the page
    #[arg(long)]
    png: bool,
}

pub(crate) fn run(flags: &Flags) -> Result<Exit, Error> {
    let runs = match flags.runs.is_empty() {
        true => vec![workspace::latest_run()?],
        false => flags.runs.clone(),
    };
    let page = page(&runs)?;
    let out = flags.out.clone().unwrap_or_else(|| runs[0].join("report.html"));
    if flags.png {
        console::status("Drawing", &format!("{} figures", page.figures().count()));
    }
    let pictures = report::Pictures {
        svg: flags.svg,
        png: flags.png,
    };
    let written = report::write(&page, &out, pictures)?;
    console::result(&format!("{}\n", out.display()));
    if written > 0 {
        let folder = out.with_file_name("figures");
        console::status("Wrote", &format!("{written} pictures into {}", folder.display()));
    }
    if flags.open {
        report::open(&out)?;
    }
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
