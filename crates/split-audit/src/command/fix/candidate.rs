//! Tries the candidates for a cure on the shadow copy.

use std::collections::HashMap;

use super::{
    super::{except, resolve, shadow::Shadow},
    Fix, State,
};
use crate::{
    cure::{self, Situation, Step},
    error::Error,
    finding::{Finding, Level, Looked, Meeting, count, names},
    lock::Lock,
};

/// A lock, and what an audit of it found.
pub(super) type Before<'b> = (&'b Lock, &'b [Finding]);

impl Fix<'_> {
    /// The first candidate that is a cure, with the lock and the audit it leads to; the others go to `tried`.
    pub(super) fn first_that_holds(
        &self,
        shadow: &Shadow,
        before: Before<'_>,
        situation: &Situation,
        candidates: Vec<cure::Candidate>,
        tried: &mut Vec<(String, String)>,
    ) -> Result<Option<(cure::Candidate, State)>, Error> {
        let n = candidates.len();
        for (index, steps) in candidates.into_iter().enumerate() {
            let shown = steps.first().map_or_else(String::new, Step::to_string);
            let progress = format!(
                "a cure for `{}`, {} of {n}: {shown}",
                situation.meeting.child_uses.name,
                index + 1
            );
            self.plan.progress.task(progress);
            match self.try_candidate(shadow, before, &situation.meeting, &steps)? {
                Ok(state) => return Ok(Some((steps, state))),
                Err(why) => {
                    let shown: Vec<String> = steps.iter().map(Step::to_string).collect();
                    tried.push((shown.join(", then "), why));
                }
            }
        }
        Ok(None)
    }

    /// The outer error is a failure of this tool, the inner one the reason why the candidate is none.
    fn try_candidate(
        &self,
        shadow: &Shadow,
        (lock, findings): Before<'_>,
        meeting: &Meeting,
        steps: &[Step],
    ) -> Result<Result<State, String>, Error> {
        let now = match self.stepped(shadow, lock, steps)? {
            Ok(now) => now,
            Err(why) => return Ok(Err(why)),
        };
        if let Err(why) = cure::check_intended(lock, &now, steps) {
            return Ok(Err(why));
        }
        let mut audited = match resolve::audit(self.cargo, &shadow.manifest, self.plan) {
            Ok(audited) => audited,
            Err(error) => {
                return Ok(Err(format!("not accepted with --locked: {}", reason(&error))));
            }
        };
        except(&mut audited.findings, &self.place.config, false);
        if let Err(why) = is_better(findings, &audited.findings, meeting, self.deny_warn) {
            return Ok(Err(why));
        }
        if let Some(what) = audited.refused.difference(self.refused).next() {
            return Ok(Err(what.clone()));
        }
        Ok(Ok(State {
            lock: now,
            findings: audited.findings,
            contexts: audited.contexts,
        }))
    }

    /// Does the steps, one after the other, on the copy.
    pub(super) fn stepped(&self, shadow: &Shadow, lock: &Lock, steps: &[Step]) -> Result<Result<Lock, String>, Error> {
        let mut now = lock.clone();
        for step in steps {
            shadow.write_lock(&now.text)?;
            let done = match step {
                Step::Precise { package, to } => {
                    let spec = format!("{}@{}", package.name, package.version);
                    self.cargo.update_precise(&shadow.manifest, &spec, &to.to_string())
                }
                Step::Redirect { from, old, new } => match now.redirected(from, old, new) {
                    Some(text) => self.settle(shadow, &text),
                    None => return Ok(Err(format!("the lock has no edge {from} → {old}"))),
                },
                Step::Align { from, new } => match now.find(from) {
                    None => return Ok(Err(format!("the lock has no {from}"))),
                    Some(package) => {
                        let mut targets = package.dependencies.iter().map(|e| &now.packages[e.to].id);
                        match targets.find(|id| id.name == new.name && *id != new).cloned() {
                            None => Ok(()),
                            Some(old) => match now.redirected(from, &old, new) {
                                Some(text) => self.settle(shadow, &text),
                                None => return Ok(Err(format!("the lock has no {new} any more"))),
                            },
                        }
                    }
                },
            };
            if let Err(error) = done {
                return Ok(Err(format!("cargo refuses: {}", reason(&error))));
            }
            now = shadow.read_lock()?;
        }
        Ok(Ok(now))
    }

    /// Lets cargo read an edited lock without `--locked`: it drops what nobody needs any more, and it silently puts back
    /// an edge that no requirement admits, which [`cure::check_intended`] then finds.
    pub(super) fn settle(&self, shadow: &Shadow, text: &str) -> Result<(), Error> {
        shadow.write_lock(text)?;
        let profile = &self.plan.profiles[0];
        self.cargo
            .metadata(&shadow.manifest, &profile.features, &profile.targets, false)
            .map(|_| ())
    }
}

/// Whether the diamond is gone and nothing as bad took its place. A new warning is a fair price for an error, unless
/// warnings are denied.
fn is_better(before: &[Finding], after: &[Finding], cured: &Meeting, deny_warn: bool) -> Result<(), String> {
    let of_cured = names(cured);
    let n = |counts: &HashMap<String, usize>, names: &str| counts.get(names).copied().unwrap_or(0);
    let level_of = before
        .iter()
        .filter(|f| f.meeting().is_some_and(|m| m.key() == cured.key()))
        .map(|f| f.level);
    let level = level_of.max().unwrap_or(Level::Warn);
    let (all_before, all_after) = (
        count(before, &|f| f.level >= level),
        count(after, &|f| f.level >= level),
    );
    if n(&all_after, &of_cured) >= n(&all_before, &of_cured) {
        return Err("the two versions still meet".to_owned());
    }
    let was_error = before
        .iter()
        .any(|f| f.level == Level::Error && f.meeting().is_some_and(|m| m.key() == cured.key()));
    let least = if was_error && !deny_warn {
        Level::Error
    } else {
        Level::Warn
    };
    let (before, after) = (
        count(before, &|f| f.level >= least),
        count(after, &|f| f.level >= least),
    );
    match after.iter().find(|(names, n_after)| n(&before, names) < **n_after) {
        Some((names, _)) => Err(format!("another split appears: {names}")),
        None => Ok(()),
    }
}

/// The same for changed manifests. There a new split counts only where it can break something: a rule found it, or public
/// items name its X, or its source cannot be read. A mere pair of versions is none, unless warnings are denied.
pub(super) fn is_better_exposed(
    before: &[Finding],
    after: &[Finding],
    cured: &Meeting,
    deny_warn: bool,
) -> Result<(), String> {
    let counts = |f: &Finding| {
        let is_loud = f.level == Level::Error || f.level == Level::Warn && deny_warn;
        is_loud || f.meeting().is_some_and(|m| can_break(f.level, m))
    };
    let (before, after) = (count(before, &counts), count(after, &counts));
    let n = |counts: &HashMap<String, usize>, names: &str| counts.get(names).copied().unwrap_or(0);
    let of_cured = names(cured);
    if n(&after, &of_cured) >= n(&before, &of_cured).max(1) {
        return Err("the two versions still meet".to_owned());
    }
    match after.iter().find(|(names, n_after)| n(&before, names) < **n_after) {
        Some((names, _)) => Err(format!("another split appears: {names}")),
        None => Ok(()),
    }
}

/// Whether two versions that meet could be exchanged at all, as far as is known.
fn can_break(level: Level, m: &Meeting) -> bool {
    let mut sides = m.other.iter().chain([&m.theirs]);
    let is_unread = sides.any(|side| side.looked == Looked::No);
    m.is_exposed && m.is_confirmed != Some(false) || level > Level::Info && is_unread
}

/// The first line of cargo's reason, for a list of what was tried.
pub(super) fn reason(error: &Error) -> String {
    match error {
        Error::Cargo { stderr, .. } => {
            let line = stderr.lines().find(|line| line.trim_start().starts_with("error"));
            line.unwrap_or(stderr).trim().trim_start_matches("error: ").to_owned()
        }
        other => other.to_string(),
    }
}
