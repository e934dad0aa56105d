//! `cargo bench-gate report`: a comparison as a page for people.

use std::{fs, path::PathBuf, time::SystemTime};

use super::{Error, flags::Place};
use crate::{
    exit::Exit,
    html::{folder::read_all, report, sections::Naming},
};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cargo bench-gate report --open             the latest comparison, in a browser
  cargo bench-gate report FOLDER --svg       each figure as a file of its own as well, light and dark

The page is one file that needs no network. PNG is made by resvg, rsvg-convert or chromium, whichever is installed.")]
pub(super) struct Flags {
    /// Folders of comparisons, the first of which is told of in full [default: the latest in target/bench-gate]
    #[arg(value_name = "RUN_DIR")]
    folders: Vec<PathBuf>,
    #[command(flatten)]
    output: report::Output,
    #[command(flatten)]
    place: Place,
}

pub(super) fn run(flags: &Flags) -> Result<Exit, Error> {
    let folders = match flags.folders.is_empty() {
        true => vec![latest(&flags.place)?],
        false => flags.folders.clone(),
    };
    let page = report::page(&read_all(&folders)?, &Naming::CRITERION, Vec::new());
    flags.output.deliver(&page, &folders[0])?;
    Ok(Exit::Pass)
}

/// The comparison that ended last.
fn latest(place: &Place) -> Result<PathBuf, Error> {
    let folder = place.project()?.target()?.join("bench-gate");
    let ended = |path: &PathBuf| -> Option<SystemTime> {
        let meta = fs::metadata(path.join("verdicts.json")).ok()?;
        meta.modified().ok()
    };
    let entries = fs::read_dir(&folder).into_iter().flatten();
    let comparisons = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let latest = comparisons.filter_map(|path| Some((ended(&path)?, path))).max();
    latest.map(|(_, path)| path).ok_or_else(|| {
        Error::Usage(format!(
            "no comparison has ended in {}; `cargo bench-gate ab` makes one, or name its folder",
            folder.display()
        ))
    })
}
