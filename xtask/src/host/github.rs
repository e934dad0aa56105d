//! What GitHub Actions is told beside the files: annotations on standard output, and the job's summary.

use std::{
    fs::{self, OpenOptions},
    io::Write as _,
    path::{Path, PathBuf},
};

use crate::{error::Error, host::console, report::Report};

/// What a step's summary may hold: more, and all of it is dropped.
const MOST_BYTES: u64 = 1024 * 1024;

/// Tells of a run.
pub(crate) fn tell(report: &Report<'_>) {
    say(&report.annotations(), &report.markdown());
}

/// Does nothing elsewhere. A summary that cannot be written is no reason to fail a run.
pub(crate) fn say(annotations: &str, summary: &str) {
    if std::env::var_os("GITHUB_ACTIONS").is_none_or(|value| value != "true") {
        return;
    }
    console::result(annotations);
    let place = std::env::var_os("GITHUB_STEP_SUMMARY").filter(|path| !path.is_empty());
    if let Some(path) = place.map(PathBuf::from)
        && let Err(error) = append(&path, summary)
    {
        console::warning(&format!("{error}; the job has no summary of this run"));
    }
}

fn append(path: &Path, markdown: &str) -> Result<(), Error> {
    let written = fs::metadata(path).map_or(0, |metadata| metadata.len());
    // A line end in between, since what stands there need not end with one.
    let room = MOST_BYTES.saturating_sub(written + 1) as usize;
    let mut file = OpenOptions::new()
        .append(true)
        .create(true)
        .open(path)
        .map_err(Error::io("write", path))?;
    let text = format!("\n{}", fitting(markdown, room));
    file.write_all(text.as_bytes()).map_err(Error::io("write", path))
}

/// As many whole lines as there is room for; if that is not all of them, the last one says so.
fn fitting(markdown: &str, room: usize) -> String {
    const CUT: &str = "\n… and more, for which a summary has no room; summary.md in the run's folder is whole\n";
    if markdown.len() <= room {
        return markdown.to_owned();
    }
    let Some(room) = room.checked_sub(CUT.len()) else {
        return String::new();
    };
    let mut end = 0;
    for line in markdown.split_inclusive('\n') {
        if end + line.len() > room {
            break;
        }
        end += line.len();
    }
    format!("{}{CUT}", &markdown[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_is_cut_between_lines_to_what_there_is_room_for() {
        let text = "| é |\n".repeat(100);
        assert_eq!(fitting(&text, text.len()), text);
        for room in 0..text.len() {
            let cut = fitting(&text, room);
            assert!(cut.len() <= room, "{} in {room}", cut.len());
            let whole = cut
                .lines()
                .all(|line| line.is_empty() || line == "| é |" || line.starts_with('…'));
            assert!(whole, "{cut}");
        }
        assert!(fitting(&text, text.len() - 1).ends_with("is whole\n"));
    }

    #[test]
    fn summaries_of_one_step_share_its_room() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("summary.md");
        append(&path, "first\n").unwrap();
        append(&path, "second\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "\nfirst\n\nsecond\n");
        append(&path, &"line\n".repeat(MOST_BYTES as usize)).unwrap();
        append(&path, "no room\n").unwrap();
        assert!(fs::metadata(&path).unwrap().len() <= MOST_BYTES);
    }
}
