//! A report of runs: the page, and the files it becomes.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use super::{
    Page, Section, Tone,
    folder::Folder,
    sections::{Naming, cases, changes, overview, phases},
};
use crate::{
    console,
    error::Error,
    figures::{Theme, png},
    files,
};

/// Where a report goes, as flags of a command.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Output {
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

impl Output {
    /// Writes the page, says where it is, and opens it if that was asked for. `folder` is that of the run.
    ///
    /// # Errors
    /// As [`write()`] and [`open()`].
    pub fn deliver(&self, page: &Page, folder: &Path) -> Result<(), Error> {
        let out = self.out.clone().unwrap_or_else(|| folder.join("report.html"));
        if self.png {
            console::status("Drawing", &format!("{} figures", page.figures().count()));
        }
        let pictures = Pictures {
            svg: self.svg,
            png: self.png,
        };
        let written = write(page, &out, pictures)?;
        console::result(&format!("{}\n", out.display()));
        if written > 0 {
            let folder = out.with_file_name("figures");
            console::status("Wrote", &format!("{written} pictures into {}", folder.display()));
        }
        if self.open {
            open(&out)?;
        }
        Ok(())
    }
}

/// The page of one run, or of several beside each other: what changed, then the project's `own`
/// sections, then what holds for any project.
///
/// # Panics
/// If there is no folder.
#[must_use]
pub fn page(folders: &[Folder], naming: &Naming, own: Vec<Section>) -> Page {
    let first = &folders[0];
    let names: Vec<&str> = folders.iter().map(|folder| folder.name.as_str()).collect();
    let mut sections: Vec<Section> = changes(first, naming).into_iter().collect();
    sections.extend(own);
    sections.extend(phases(first, naming));
    sections.push(overview(folders, naming));
    let mut facts = vec![("started".to_owned(), first.started.clone())];
    facts.extend(first.facts.iter().cloned());
    facts.retain(|(_, value)| !value.is_empty());
    Page {
        title: format!("Report: {}", names.join(", ")),
        headline: (first.headline.clone(), tone(&first.headline)),
        summary: summary(first),
        sections,
        cases: cases(folders, naming),
        facts,
        command: first.command.clone(),
    }
}

fn tone(headline: &str) -> Tone {
    // A headline may go on behind its first words: `regression: 1 slower, 3 pass`.
    match headline.split(':').next().unwrap_or_default() {
        "regression" | "failed" => Tone::Worse,
        "inconclusive" | "undecided" | "no-baseline" => Tone::Doubtful,
        _ => Tone::Same,
    }
}

/// How many cases have which verdict.
fn summary(folder: &Folder) -> Vec<String> {
    let mut words: Vec<(&str, usize)> = Vec::new();
    for verdict in folder.cases.iter().filter_map(|case| case.verdict.as_ref()) {
        match words.iter_mut().find(|(word, _)| *word == verdict.word) {
            Some((_, count)) => *count += 1,
            None => words.push((&verdict.word, 1)),
        }
    }
    words.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let counts: Vec<String> = words.iter().map(|(word, count)| format!("{count} {word}")).collect();
    if folder.cases.is_empty() {
        return Vec::new();
    }
    let cases = format!("{} cases", folder.cases.len());
    match counts.is_empty() {
        true => vec![format!("{cases}; the run was held against nothing.")],
        false => vec![format!("{cases}: {}.", counts.join(", "))],
    }
}

/// Which pictures are wanted as files of their own.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pictures {
    /// SVG, for light and dark pages.
    pub svg: bool,
    /// PNG, likewise.
    pub png: bool,
}

/// Writes the page, and its pictures into a folder `figures` beside it: `NAME.svg` and
/// `NAME-dark.svg`. Returns how many pictures that were.
///
/// # Errors
/// [`Error::Io`] with the file that could not be written, [`Error::Failed`] if no PNG can be made.
pub fn write(page: &Page, out: &Path, pictures: Pictures) -> Result<usize, Error> {
    files::write(out, page.render().as_bytes())?;
    let folder = out.with_file_name("figures");
    let mut written = 0;
    for figure in page.figures() {
        for (theme, suffix) in [(Theme::Light, ""), (Theme::Dark, "-dark")] {
            let path = folder.join(format!("{}{suffix}", figure.id));
            if pictures.svg {
                files::write(&with(&path, "svg"), figure.svg(theme).as_bytes())?;
                written += 1;
            }
            if pictures.png {
                fs::create_dir_all(&folder).map_err(Error::io("create", &folder))?;
                png(figure, theme, &with(&path, "png")).map_err(|error| Error::Failed(error.to_string()))?;
                written += 1;
            }
        }
    }
    Ok(written)
}

/// A name may have dots in it.
fn with(path: &Path, extension: &str) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(".");
    path.push(extension);
    path.into()
}

/// Opens a file with the program the system has for it.
///
/// # Errors
/// [`Error::Failed`] if there is none, with what to do instead.
pub fn open(path: &Path) -> Result<(), Error> {
    let (program, arguments): (&str, &[&str]) = match () {
        () if cfg!(windows) => ("cmd", &["/C", "start", ""]),
        () if cfg!(target_os = "macos") => ("open", &[]),
        () => ("xdg-open", &[]),
    };
    let mut command = Command::new(program);
    command
        .args(arguments)
        .arg(path)
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    let failed = |why: String| Error::Failed(format!("--open: {program} {why}; open {} in a browser", path.display()));
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(failed(format!("ended with {status}"))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(failed("is not installed".to_owned())),
        Err(error) => Err(failed(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::html::folder::tests::{CALLS, QUANTILES, VERDICTS, folder};

    #[test]
    fn a_report_says_how_the_run_ended_and_its_pictures_are_files() {
        let folder = folder(&[
            ("quantiles.csv", QUANTILES),
            ("calls.csv", CALLS),
            ("verdicts.json", VERDICTS),
        ])
        .unwrap();
        let page = page(&[folder], &Naming::CRITERION, Vec::new());
        assert_eq!(page.headline, ("regression".to_owned(), Tone::Worse));
        assert_eq!(page.summary, ["3 cases: 1 pass, 1 counters changed, 1 slower."]);
        let place = tempfile::tempdir().unwrap();
        let out = place.path().join("report.html");
        let written = write(&page, &out, Pictures { svg: true, png: false }).unwrap();
        assert_eq!(written, 2 * page.figures().count());
        let svg = fs::read_to_string(place.path().join("figures/changes-dark.svg")).unwrap();
        roxmltree::Document::parse(&svg).unwrap();
        assert!(fs::read_to_string(out).unwrap().starts_with("<!DOCTYPE html>"));
    }
}
