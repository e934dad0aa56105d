//! `cargo xtask merge`: joins the shards of a run and judges the whole.

use std::path::PathBuf;

use crate::{
    case::in_words,
    cmd::gate,
    error::Error,
    exit::Exit,
    files,
    host::{console, out::Out, workspace},
    merge::{Part, Refusal, merge},
    noop, rows,
    run::Run,
    verdict::Verdict,
};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  cargo xtask bench --shard 1/2 --no-gate --out target/bench/shard-1
  cargo xtask bench --shard 2/2 --no-gate --out target/bench/shard-2
  cargo xtask merge target/bench/shard-1 target/bench/shard-2 --out target/bench/merged")]
pub(crate) struct Flags {
    /// Folders of the shards, all of them
    #[arg(value_name = "RUN", required = true)]
    runs: Vec<PathBuf>,
    /// Folder for the result [default: target/bench/TIME]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// What shards of different machines are: an error, or a warning, with a verdict on counters alone
    #[arg(long, value_name = "HOW", default_value = "fail")]
    mixed: Mixed,
    #[command(flatten)]
    how: gate::How,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Mixed {
    Fail,
    Warn,
}

pub(crate) fn run(flags: &Flags) -> Result<Exit, Error> {
    let mut parts = Vec::new();
    for folder in &flags.runs {
        parts.push(Part {
            name: folder.display().to_string(),
            run: Run::load(folder)?,
            calls: files::read(&folder.join("calls.csv"))?,
            cold: files::read(&folder.join("cold.csv"))?,
            quantiles: files::read(&folder.join("quantiles.csv"))?,
        });
    }
    let merged = match merge(&parts) {
        Ok(merged) => merged,
        Err(Refusal::Mixed(why)) if flags.mixed == Mixed::Warn => {
            console::warning(&format!("{why}; nothing is merged, and nothing but counters is judged"));
            return counters(&parts, &flags.how);
        }
        Err(refusal) => return Err(refusal.into()),
    };
    let out = Out::prepare(&workspace::runs(), flags.out.as_deref(), &merged.run.plan.started)?;
    let Part {
        run,
        calls,
        cold,
        quantiles,
        ..
    } = &merged;
    for (name, content) in [
        ("calls.csv", calls.clone()),
        ("cold.csv", cold.clone()),
        ("quantiles.csv", quantiles.clone()),
        ("runs.csv", rows::to_csv(&run.rows)),
        ("run.json", files::json(&run.plan)),
        ("fingerprint.json", files::json(&run.fingerprint)),
    ] {
        files::write(&out.partial.join(name), content.as_bytes())?;
    }
    if let Some(noop) = &run.noop {
        files::write(&noop::path(&out.partial), noop.render().as_bytes())?;
    }
    // What shards had compared counts for the whole.
    let mut number = 0;
    for folder in &flags.runs {
        let first = folder.join("ab.json");
        let compared = (1..).map(|number| files::numbered(&first, number));
        for path in compared.take_while(|path| path.exists()) {
            number += 1;
            let place = files::numbered(&out.partial.join("ab.json"), number);
            files::write(&place, files::read(&path)?.as_bytes())?;
        }
    }
    let exit = gate::judged(&out.partial, &flags.how)?;
    let place = out.publish()?;
    console::status("Wrote", &place.display().to_string());
    Ok(exit)
}

/// Holds each shard's counters against the baseline of its own machine, and those without a driver against the one of all: they are exact
/// wherever they were counted.
fn counters(parts: &[Part], how: &gate::How) -> Result<Exit, Error> {
    let (mut exit, mut compared) = (Exit::Pass, 0);
    for Part { name, run, .. } in parts {
        for verdict in gate::verdicts(run, how)? {
            if matches!(verdict.verdict, Verdict::New | Verdict::Missing | Verdict::NotMeasured) {
                continue;
            }
            compared += 1;
            if !verdict.counters.is_empty() {
                console::result(&format!("{name}: {}: {}\n", verdict.case, in_words(&verdict.counters)));
                exit = Exit::Regression;
            }
        }
    }
    if compared == 0 {
        console::warning("no counters either: nothing is recorded of these machines, nor without a driver");
        return Ok(if how.require_baseline { Exit::NoBaseline } else { exit });
    }
    console::status("Compared", &format!("the counters of {compared} cases"));
    Ok(exit)
}
