//! `cargo xtask gate`: judges a finished run again.

use std::path::{Path, PathBuf};

use crate::{
    ab::{self, report::Kept},
    baseline::{self, Baseline},
    error::Error,
    exit::Exit,
    files,
    host::{console, github, workspace},
    judge::judge,
    noop::Noop,
    report::{Against, Report, crossover::crossovers},
    run::Run,
    verdict::{self, CaseVerdict, Strictness, Timing},
};

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  cargo xtask gate \"$(cat target/bench/latest)\" --strict")]
pub(crate) struct Flags {
    /// Folder of the run, as `cargo xtask bench` printed it
    #[arg(value_name = "RUN_DIR")]
    run: PathBuf,
    #[command(flatten)]
    how: How,
}

/// What a run is held against, and how strictly.
#[derive(Debug, clap::Args)]
pub(crate) struct How {
    /// Folder of the baselines [default: baselines]
    #[arg(long, value_name = "DIR")]
    baselines: Option<PathBuf>,
    /// End with 4 if a case is inconclusive, noisy or missing
    #[arg(long)]
    strict: bool,
    /// End with 5 if this machine has no baseline
    #[arg(long)]
    pub(super) require_baseline: bool,
}

pub(crate) fn run(flags: &Flags) -> Result<Exit, Error> {
    judged(&flags.run, &flags.how)
}

/// The baselines that a run is held against.
struct Recorded {
    folder: PathBuf,
    baseline: Option<Baseline>,
    noop: Option<Noop>,
}

impl Recorded {
    fn load(run: &Run, flags: &How) -> Result<Self, Error> {
        let folder = flags.baselines.clone().unwrap_or_else(workspace::baselines);
        let baseline = match run.plan.backends.is_empty() {
            true => None,
            false => baseline::load(&folder, &run.fingerprint)?,
        };
        Ok(Self {
            baseline,
            noop: Noop::load(&folder)?,
            folder,
        })
    }

    fn judge(&self, run: &Run) -> Vec<CaseVerdict> {
        // A run that lost its counters misses every case that is recorded.
        let counted = run.noop.clone().unwrap_or_default().judge(self.noop.as_ref());
        let rows = self.baseline.as_ref().map(|baseline| baseline.rows.as_slice());
        counted.into_iter().chain(judge(rows, &run.rows, &run.plan)).collect()
    }
}

/// What the baselines alone say of a run.
pub(crate) fn verdicts(run: &Run, flags: &How) -> Result<Vec<CaseVerdict>, Error> {
    Ok(Recorded::load(run, flags)?.judge(run))
}

/// Judges the run in a folder, says so, and puts the verdicts beside it.
pub(crate) fn judged(place: &Path, flags: &How) -> Result<Exit, Error> {
    let run = Run::load(place)?;
    let recorded = Recorded::load(&run, flags)?;
    let mut verdicts = recorded.judge(&run);
    let Recorded { folder, baseline, noop } = &recorded;
    let against = run.against(baseline.is_some(), noop.is_some());
    if let Some(baseline) = baseline {
        overrule(place, &run, baseline, &mut verdicts)?;
    }
    let strictness = Strictness {
        timing: Timing::Enforced,
        strict: flags.strict,
    };
    let exit = match (verdict::exit(&verdicts, strictness), &against) {
        (exit, Against::NoBaseline) if flags.require_baseline => verdict::required(exit),
        (exit, _) => exit,
    };
    let report = Report {
        plan: &run.plan,
        fingerprint: &run.fingerprint,
        against,
        places: baseline::places(folder, &workspace::root(), baseline.as_ref(), noop.as_ref()),
        strictness,
        verdicts,
        crossovers: crossovers(&run.rows),
        exit,
    };
    // Whoever asked gets an answer, also where the folder cannot be written.
    console::result(&report.text(console::style));
    github::tell(&report);
    for (name, content) in report.files() {
        files::write(&place.join(name), content.as_bytes())?;
    }
    Ok(exit)
}

/// Cases in doubt that the run had compared with the baseline's revision keep what that found.
fn overrule(place: &Path, run: &Run, baseline: &Baseline, verdicts: &mut [CaseVerdict]) -> Result<(), Error> {
    let first = place.join("ab.json");
    let compared: Vec<PathBuf> = (1..)
        .map(|number| files::numbered(&first, number))
        .take_while(|path| path.exists())
        .collect();
    if compared.is_empty() {
        return Ok(());
    }
    if let Some(recording) = baseline.recordings.iter().find(|r| r.date > run.plan.started) {
        console::warning(&format!(
            "{}: compared with the revision of a baseline that was recorded anew since ({}): left out",
            first.display(),
            recording.date
        ));
        return Ok(());
    }
    for path in compared {
        let Kept { base, verdicts: judged } =
            serde_json::from_str(&files::read(&path)?).map_err(|error| Error::Data {
                path,
                line: error.line() as u64,
                message: error.to_string(),
            })?;
        ab::overrule::apply(verdicts, &judged, &base.revision);
    }
    Ok(())
}
