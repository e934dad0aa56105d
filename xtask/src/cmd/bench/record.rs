//! Records what was measured for others to be held against.

use std::path::Path;

use super::Flags;
use crate::{
    baseline::{self, Baseline},
    case::in_words,
    error::Error,
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

/// Records what was asked for: times, counters without a driver, or both.
pub(super) fn save(flags: &Flags, folder: &Path, run: &Run, old: Option<Baseline>) -> Result<(), Error> {
    if !run.plan.backends.is_empty() {
        save_times(flags, folder, run, old)?;
    }
    if let Some(noop) = run.noop.as_ref().filter(|_| flags.wants_noop()) {
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
            return Ok(());
        }
        files::write(&path, noop.render().as_bytes())?;
        console::status("Recorded", &path.display().to_string());
    }
    Ok(())
}

/// Writes the run into this machine's baseline. Cases that were not to be measured this time stay as they are.
///
/// A baseline only nominates: a case whose processes differ much is compared in turns each time, so a noisy case is
/// recorded with a warning.
fn save_times(flags: &Flags, folder: &Path, run: &Run, old: Option<Baseline>) -> Result<(), Error> {
    for noisy in baseline::noise(&run.rows) {
        console::warning(&noisy);
    }
    let forced = (flags.runs() < baseline::RUNS)
        .then(|| format!("{} of {} processes", flags.runs(), baseline::RUNS))
        .into_iter()
        .collect();
    let baseline = Baseline::updated(old, &run.fingerprint, &run.plan, &run.rows, forced)?;
    let path = baseline::path(folder, &run.fingerprint);
    files::write(&path, baseline::render(&baseline).as_bytes())?;
    console::status("Recorded", &path.display().to_string());
    Ok(())
}
