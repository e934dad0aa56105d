//! Records what was measured for others to be held against.

use std::path::Path;

use super::Flags;
use crate::{
    baseline::{self, Baseline},
    case::in_words,
    error::Error,
    exit::Exit,
    files,
    fingerprint::Fingerprint,
    host::console,
    noop,
    run::Run,
};

/// The baseline that is going to be updated; none if it is damaged, which is what replaces it.
pub(super) fn replaced(folder: &Path, fingerprint: &Fingerprint) -> Option<Baseline> {
    baseline::load(folder, fingerprint).unwrap_or_else(|error| {
        console::warning(&format!("{error}; all of it is going to be replaced"));
        None
    })
}

/// Records what was asked for: nothing at all if the machine was too noisy to record its times.
pub(super) fn save(flags: &Flags, folder: &Path, run: &Run, old: Option<Baseline>) -> Result<Exit, Error> {
    let exit = if run.plan.backends.is_empty() {
        Exit::Pass
    } else {
        save_times(flags, folder, run, old)?
    };
    if let Some(noop) = run.noop.as_ref().filter(|_| exit == Exit::Pass && flags.wants_noop()) {
        let path = noop::path(folder);
        // Whoever records a machine's times has not asked for the counters of all machines. A file that is damaged is replaced.
        let recorded = if flags.names_noop() {
            None
        } else {
            noop::Noop::load(folder).unwrap_or_default()
        };
        if let Some(recorded) = recorded.filter(|recorded| recorded != noop) {
            for verdict in noop.judge(Some(&recorded)).iter().filter(|v| !v.counters.is_empty()) {
                console::warning(&format!("{}: {}", verdict.case, in_words(&verdict.counters)));
            }
            console::warning(&format!(
                "{} stays as it is; {} accepts what changed",
                path.display(),
                noop::RECORD
            ));
            return Ok(exit);
        }
        files::write(&path, noop.render().as_bytes())?;
        console::status("Recorded", &path.display().to_string());
    }
    Ok(exit)
}

/// Writes the run into this machine's baseline, unless the machine was too noisy. Cases that were not to be measured
/// this time stay as they are.
fn save_times(flags: &Flags, folder: &Path, run: &Run, old: Option<Baseline>) -> Result<Exit, Error> {
    let mut objections = baseline::noise(&run.rows);
    for objection in &objections {
        console::warning(objection);
    }
    if !objections.is_empty() && !flags.force {
        console::warning(
            "nothing was recorded: the machine is too noisy to hold others against it; try again when it is quiet, or record \
             with --force, which the baseline will say",
        );
        return Ok(Exit::Inconclusive);
    }
    if flags.runs() < baseline::RUNS {
        objections.push(format!("{} of {} processes", flags.runs(), baseline::RUNS));
    }
    let baseline = Baseline::updated(old, &run.fingerprint, &run.plan, &run.rows, objections)?;
    let path = baseline::path(folder, &run.fingerprint);
    files::write(&path, baseline::render(&baseline).as_bytes())?;
    console::status("Recorded", &path.display().to_string());
    Ok(Exit::Pass)
}
