//! Seeks a cure in the lock, proves it on a shadow copy, and writes it.

mod candidate;
mod lock_file;
mod manifests;
mod surface;
mod unify;

use std::collections::BTreeSet;

use self::lock_file::{replace, write_backup};
use super::{
    cargo::Cargo,
    except,
    locate::Place,
    resolve::{self, Audited, Plan},
    shadow::Shadow,
};
use crate::{
    blocker::Blocker,
    cure::{self, Blocked, Cured, Outcome, Situation},
    error::Error,
    features,
    finding::{Finding, Ground, Level, Meeting},
    graph::Graph,
    lock::Lock,
};

/// Everything a cure is sought with.
pub(super) struct Fix<'a> {
    pub(super) cargo: &'a Cargo,
    pub(super) place: &'a Place,
    pub(super) plan: &'a Plan,
    pub(super) deny_warn: bool,
    /// How many meetings to seek cures for; the rest are left to `--fix`.
    pub(super) limit: usize,
    /// Packages that did not build with their features before either.
    pub(super) refused: &'a BTreeSet<String>,
    /// How many candidates to try for each.
    pub(super) max_tries: usize,
}

/// What came of it.
#[derive(Debug)]
pub(super) struct Fixed {
    pub(super) outcome: Outcome,
    /// The findings that remain.
    pub(super) after: Vec<Finding>,
    /// The proven text.
    lock: Lock,
}

/// A lock with its audit.
struct State {
    lock: Lock,
    findings: Vec<Finding>,
    contexts: Vec<resolve::Context>,
}

impl Fix<'_> {
    /// Cures one diamond after the other, errors first; warnings only where there are no errors.
    pub(super) fn seek(&self, audited: &Audited) -> Result<Fixed, Error> {
        let shadow = Shadow::new(self.cargo, self.place, audited)?;
        let original = &self.place.lock;
        let mut outcome = Outcome::default();
        let mut state: Option<State> = None;
        loop {
            let (lock, findings, contexts) = match &state {
                None => (original, &audited.findings, &audited.contexts),
                Some(state) => (&state.lock, &state.findings, &state.contexts),
            };
            let before = (lock, findings.as_slice());
            let selected = self.select(&audited.findings, findings);
            let is_open = |m: &&Meeting| !outcome.blocked.iter().any(|b| b.meeting.key() == m.key());
            let Some(meeting) = selected.into_iter().find(is_open) else {
                break;
            };
            if outcome.cured.len() + outcome.blocked.len() >= self.limit {
                outcome.is_cut = true;
                break;
            }
            let graphs: Vec<&Graph> = contexts.iter().map(|context| &context.graph).collect();
            let situation = Situation::new(meeting, &graphs);
            let mut tried = Vec::new();
            let releases = |name: &str| self.plan.index.releases(self.cargo, name);
            let mut cured = self.first_that_holds(&shadow, before, &situation, situation.redirects(), &mut tried)?;
            let (mut n_admissible, mut n_untried) = (0, 0);
            if cured.is_none() {
                let (mut moves, n) = situation.moves(&releases);
                n_admissible = n;
                n_untried = moves.len().saturating_sub(self.max_tries);
                moves.truncate(self.max_tries);
                cured = self.first_that_holds(&shadow, before, &situation, moves, &mut tried)?;
            }
            match cured {
                Some((steps, next)) => {
                    let graphs = contexts
                        .iter()
                        .map(|c| &c.graph)
                        .zip(next.contexts.iter().map(|c| &c.graph));
                    let lost: BTreeSet<String> = graphs.flat_map(|(old, new)| features::lost(old, new)).collect();
                    outcome.cured.push(Cured {
                        meeting: meeting.clone(),
                        lost: lost.into_iter().collect(),
                        equivalent: cure::equivalent(&steps, &next.lock),
                        steps,
                    });
                    state = Some(next);
                }
                None => {
                    let graph = graphs
                        .iter()
                        .find(|graph| graph.packages.iter().any(|p| p.id == meeting.child))
                        .copied()
                        .unwrap_or(graphs[0]);
                    let mut blocker = Blocker::find(&situation, graph, &releases);
                    let before = (lock, findings.as_slice(), contexts.as_slice());
                    let places = audited.contexts.as_slice();
                    blocker.advice = self.advice(
                        &shadow,
                        before,
                        places,
                        &situation,
                        blocker.raise.as_ref(),
                        &releases,
                        &mut tried,
                    )?;
                    outcome.blocked.push(Blocked {
                        meeting: meeting.clone(),
                        tried,
                        n_admissible,
                        n_untried,
                        blocker,
                    });
                }
            }
        }
        let (lock, after) = match state {
            Some(state) => (state.lock, state.findings),
            None => (original.clone(), audited.findings.clone()),
        };
        if lock.text != original.text {
            outcome.diff = cure::diff(&original.label, &original.text, &lock.text);
        }
        Ok(Fixed { outcome, after, lock })
    }

    /// The diamonds to cure now. What counts is decided by the first audit, so that a cured error does not call
    /// warnings in.
    fn select<'f>(&self, first: &[Finding], now: &'f [Finding]) -> Vec<&'f Meeting> {
        let is_error =
            |finding: &Finding| finding.level == Level::Error || self.deny_warn && finding.level == Level::Warn;
        let has_errors = first.iter().any(|f| f.meeting().is_some() && is_error(f));
        let is_selected = |finding: &&Finding| {
            if has_errors {
                return is_error(finding);
            }
            // Raw bindings and splits by design are warned about for completeness; nobody needs them changed.
            finding.level == Level::Warn
                && finding
                    .meeting()
                    .is_some_and(|m| matches!(m.ground, Ground::Member | Ground::Unknown | Ground::Uses))
        };
        now.iter().filter(is_selected).filter_map(Finding::meeting).collect()
    }

    /// Writes the proven lock, and says under which name the one before it lies.
    pub(super) fn apply(&self, fixed: &mut Fixed) -> Result<(), Error> {
        if fixed.outcome.cured.is_empty() {
            return Ok(());
        }
        let is_cured = |findings: &[Finding]| {
            let cured = fixed.outcome.cured.iter().map(|cured| &cured.meeting);
            let still_there = cured.clone().find(|meeting| {
                let is_it =
                    |f: &Finding| f.level > Level::Info && f.meeting().is_some_and(|m| m.key() == meeting.key());
                findings.iter().any(is_it)
            });
            still_there.map_or(Ok(()), |meeting| Err(format!("{} is still there", meeting.child)))
        };
        let backup = self.write(&fixed.lock, &is_cured)?;
        fixed.outcome.backup = Some(backup);
        Ok(())
    }

    /// Writes a lock: backup beside it, atomic, checked once more in place, put back if that fails. Returns the backup's
    /// name.
    fn write(&self, lock: &Lock, check: &dyn Fn(&[Finding]) -> Result<(), String>) -> Result<String, Error> {
        let original = &self.place.lock;
        // A link stays a link: what is replaced is the file it leads to.
        let path = std::fs::canonicalize(&self.place.lock_path).map_err(Error::io("find", &self.place.lock_path))?;
        let backup = write_backup(&path, &original.text)?;
        let unchanged = || -> Result<(), Error> {
            let now = std::fs::read_to_string(&path).map_err(Error::io("read", &path))?;
            if now == original.text {
                return Ok(());
            }
            // It would be a backup of something that was not replaced.
            std::fs::remove_file(&backup).map_err(Error::io("remove", &backup))?;
            Err(Error::LockChanged {
                lock: original.label.clone(),
            })
        };
        replace(&path, &lock.text, &unchanged)?;
        let checked = resolve::audit(self.cargo, &self.place.manifest, self.plan)
            .map_err(|error| error.to_string())
            .and_then(|audited| {
                let mut findings = audited.findings;
                except(&mut findings, &self.place.config, false);
                check(&findings)
            });
        if let Err(why) = checked {
            replace(&path, &original.text, &|| Ok(()))?;
            std::fs::remove_file(&backup).map_err(Error::io("remove", &backup))?;
            return Err(Error::Restored {
                lock: original.label.clone(),
                why,
            });
        }
        let name = backup.file_name().unwrap_or_default();
        Ok(name.to_string_lossy().into_owned())
    }
}
