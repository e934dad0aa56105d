//! `cargo xtask history`: what the cases of a machine took, commit by commit.

use std::{fs, path::PathBuf};

use bench_gate::{
    files,
    html::report::{self, Pictures},
    stat::change_points::Settings,
};
use xshell::{Shell, cmd};

use crate::{
    error::Error,
    exit::Exit,
    history::{History, Recorded, from_baseline, from_benchmark, histories, page},
    host::{console, workspace},
};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cargo xtask history --case vector_add/vulkan
  cargo xtask history --html history.html --open

Baselines are read from every commit that changed them, and runs from target/bench. A step is found where the values before
and after it differ by more than permutations of them do (E-divisive); one within a recording is the machine's.")]
pub(crate) struct Flags {
    /// Only machines whose fingerprint holds this text
    #[arg(long, value_name = "TEXT", default_value = "")]
    fingerprint: String,
    /// Only cases whose id holds this text
    #[arg(long, value_name = "TEXT", default_value = "")]
    case: String,
    /// A step is told of if chance makes one as large with at most this probability
    #[arg(long, value_name = "P", default_value_t = 0.01, value_parser = probability)]
    max_p: f64,
    /// How to write it
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Write a page with figures into this file as well
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Open that page in a browser
    #[arg(long, requires = "html")]
    open: bool,
}

/// How a history is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Text,
    Markdown,
    Json,
}

fn probability(text: &str) -> Result<f64, String> {
    let p = text.parse().ok().filter(|p| *p > 0.0 && *p < 1.0);
    p.ok_or_else(|| "a probability is between 0 and 1".to_owned())
}

pub(crate) fn run(flags: &Flags) -> Result<Exit, Error> {
    let sh = Shell::new()?;
    sh.change_dir(workspace::root());
    let mut recorded = baselines(&sh)?;
    recorded.extend(runs()?);
    recorded.retain(|one| one.fingerprint.contains(&flags.fingerprint));
    recorded.sort_by(|a, b| a.date.cmp(&b.date));
    if recorded.is_empty() {
        return Err(Error::Usage(format!(
            "no baseline and no kept run of a machine whose fingerprint holds `{}`",
            flags.fingerprint
        )));
    }
    let settings = Settings {
        max_p: flags.max_p,
        ..Settings::default()
    };
    let histories = histories(&recorded, &flags.case, &settings);
    let text = |history: &History, table: String| {
        let recordings = history.recordings.len();
        format!("{}, {recordings} recordings\n{table}\n", history.fingerprint)
    };
    let written: String = match flags.format {
        Format::Text => histories
            .iter()
            .map(|history| text(history, history.table().text()))
            .collect(),
        Format::Markdown => histories
            .iter()
            .map(|history| format!("## {}", text(history, format!("\n{}", history.table().markdown()))))
            .collect(),
        Format::Json => files::json(&histories),
    };
    console::result(&written);
    if let Some(html) = &flags.html {
        report::write(&page(&histories, "cargo xtask history"), html, Pictures::default())?;
        console::status("Wrote", &html.display().to_string());
        if flags.open {
            report::open(html)?;
        }
    }
    Ok(Exit::Pass)
}

/// Every baseline that a commit changed; those that cannot be read are told of and left out.
fn baselines(sh: &Shell) -> Result<Vec<Recorded>, Error> {
    let log = cmd!(
        sh,
        "git log --reverse --no-merges --diff-filter=AM --format=%x00%h%x20%cI --name-only -- baselines/*.csv"
    );
    let log = log.quiet().read()?;
    let mut recorded = Vec::new();
    for entry in log.split('\0').filter(|entry| !entry.is_empty()) {
        let mut lines = entry.lines();
        let (commit, date) = lines.next().and_then(|line| line.split_once(' ')).unwrap_or_default();
        for path in lines.filter(|line| !line.is_empty()) {
            let fingerprint = path.trim_start_matches("baselines/").trim_end_matches(".csv");
            // Counters alone, without times.
            if fingerprint == "noop" {
                continue;
            }
            let at = format!("{commit}:{path}");
            match from_baseline(&cmd!(sh, "git show {at}").quiet().read()?) {
                Ok(p10_ns) => recorded.push(Recorded {
                    fingerprint: fingerprint.to_owned(),
                    commit: commit.to_owned(),
                    date: utc(date),
                    p10_ns,
                }),
                Err((line, message)) => console::warning(&format!("{at}:{line}: {message}; left out")),
            }
        }
    }
    Ok(recorded)
}

/// Kept runs: those of a commit, as a changed tree is no point of its history.
fn runs() -> Result<Vec<Recorded>, Error> {
    let Ok(entries) = fs::read_dir(workspace::runs()) else {
        return Ok(Vec::new());
    };
    let mut recorded = Vec::new();
    for entry in entries.filter_map(Result::ok) {
        let path = entry.path().join("benchmark.json");
        if !path.is_file() {
            continue;
        }
        // A run's folder is named after the second in which it began.
        let name = entry.file_name().to_string_lossy().into_owned();
        let date = match name.split_once('T') {
            Some((day, time)) => format!("{day}T{}", time.replacen('-', ":", 2)),
            None => name,
        };
        match from_benchmark(&files::read(&path)?, &date) {
            Ok(run) if run.commit.ends_with("-dirty") => {}
            Ok(run) => recorded.push(run),
            Err((line, message)) => console::warning(&format!("{}:{line}: {message}; left out", path.display())),
        }
    }
    Ok(recorded)
}

/// A date with its offset, as it is in UTC, so that dates can be compared as text.
fn utc(date: &str) -> String {
    date.parse::<jiff::Timestamp>()
        .map_or_else(|_| date.to_owned(), |timestamp| timestamp.to_string())
}
