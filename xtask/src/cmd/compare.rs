//! `cargo xtask compare`: two backends beside each other.

use std::path::{Path, PathBuf};

use bench_gate::{files, html::folder::Folder};

use crate::{
    cmd::bench,
    compare::{Comparison, Side},
    error::Error,
    exit::Exit,
    host::{console, workspace},
    scan_file::Scan,
};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cargo xtask compare vulkan gles                      two backends of the latest run
  cargo xtask compare RUN_DIR:gles OTHER_DIR:dx12      of two runs
  cargo xtask compare gles.csv dx12.csv --seed-format  two threshold scans

A side is BACKEND, RUN_DIR:BACKEND, or the CSV file of a threshold scan. A tie is where the interval of the ratio holds 1.")]
pub(crate) struct Flags {
    /// BACKEND, RUN_DIR:BACKEND or SCAN.csv
    left: String,
    /// The other side, likewise
    right: String,
    /// Only this operator [default: all; vector_add with --seed-format]
    #[arg(long)]
    op: Option<String>,
    /// How to write it
    #[arg(long, value_enum, default_value_t = Format::Text, conflicts_with = "seed_format")]
    format: Format,
    /// CSV with every field in quotes: size, whole milliseconds of CPU and GPU on both sides, faster_backend
    #[arg(long)]
    seed_format: bool,
    /// Write it into this file instead of to standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// How a comparison is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    Text,
    Markdown,
    Csv,
    Json,
}

/// What a scan without a name of its operator is of: the first demo measured nothing else.
const SCANNED: &str = "vector_add";

pub(crate) fn run(flags: &Flags) -> Result<Exit, Error> {
    let op = flags.op.as_deref();
    let mut sides = [side(&flags.left, op)?, side(&flags.right, op)?];
    if sides[0].name == sides[1].name {
        // One backend of two runs.
        sides[0].name.clone_from(&flags.left);
        sides[1].name.clone_from(&flags.right);
    }
    let [mut left, right] = sides;
    if let Some(op) = op {
        left.times.retain(|(of, ..)| of == op);
    }
    let comparison = Comparison::new(left, right);
    if comparison.pairs.is_empty() {
        return Err(Error::Usage(format!(
            "{} and {} have no operator and size in common",
            flags.left, flags.right
        )));
    }
    let csv = |written: Result<String, csv::Error>| written.map_err(|error| Error::Failed(error.to_string()));
    let text = match flags.format {
        _ if flags.seed_format => csv(comparison.seed(op.unwrap_or(SCANNED)))?,
        Format::Text => format!("{}{}\n", comparison.table().text(), comparison.summary()),
        Format::Markdown => format!("{}\n{}\n", comparison.table().markdown(), comparison.summary()),
        Format::Csv => csv(comparison.csv())?,
        Format::Json => comparison.json(),
    };
    match &flags.out {
        Some(out) => files::write(out, text.as_bytes())?,
        None => console::result(&text),
    }
    Ok(Exit::Pass)
}

/// Reads a side as it was written on the command line.
fn side(name: &str, op: Option<&str>) -> Result<Side, Error> {
    if Path::new(name)
        .extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("csv"))
    {
        let path = PathBuf::from(name);
        let scan = Scan::parse(&files::read(&path)?).map_err(|(line, message)| Error::Data { path, line, message })?;
        return Ok(Side::of_scan(&scan, op.unwrap_or(SCANNED)));
    }
    // Windows has a colon behind the drive: the backend is behind the last one.
    let (folder, backend) = match name.rsplit_once(':') {
        Some((folder, backend)) => (PathBuf::from(folder), backend),
        None => (workspace::latest_run()?, name),
    };
    let backends = bench::backends(backend).map_err(|message| Error::Usage(format!("{name}: {message}")))?;
    let [backend] = &backends.0[..] else {
        return Err(Error::Usage(format!("{name}: a side is one backend")));
    };
    let run = Folder::read(&folder)?;
    let side = Side::of_run(&run, backend);
    if side.times.is_empty() {
        return Err(Error::Usage(format!(
            "{}: {backend} was not measured in this run",
            folder.display()
        )));
    }
    Ok(side)
}
