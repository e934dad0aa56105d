//! Has the cases that a baseline leaves open compared in turns with the revision the baseline was recorded from: what moved for reasons of
//! the machine between two days moves both.

use std::{
    collections::BTreeMap,
    path::Path,
    time::{Duration, Instant},
};

use bench_gate::{assess::Assessment, binding::Binding, project::Project};

use crate::{
    ab::{
        overrule,
        report::{Plan, Report, Rules, Side},
    },
    baseline::{self, Baseline},
    case::CaseId,
    cmd::ab,
    error::Error,
    files,
    fingerprint::SCHEMA,
    host::{
        console, interrupt,
        revision::{self, Revisions, WORKTREE},
        session::{self, Session},
        turns::{PATIENCE, Turns},
    },
    verdict::CaseVerdict,
};

/// Fewest blocks that tell, and about what a case takes in one: so many cases are compared as the time has room for.
const BLOCKS: f64 = 16.0;
const CASE_SECONDS: f64 = 0.2;
const PROCESSES_SECONDS: f64 = 1.0;

/// What is compared, and with what.
pub(super) struct Recheck<'a> {
    pub(super) session: &'a Session<'a>,
    pub(super) baseline: &'a Baseline,
    /// The program of the baseline's revision, if it was built elsewhere.
    pub(super) base_program: Option<&'a Path>,
    /// File for what came of it; where cases were recorded from several commits, the others' are `ab-2.json` and so on beside it.
    pub(super) place: &'a Path,
    /// How long it may take.
    pub(super) time: Duration,
    /// Whether there are to be turns at all.
    pub(super) has_turns: bool,
}

impl Recheck<'_> {
    /// Replaces the verdicts of open cases by those of a comparison. Returns the suspects that could not be compared.
    pub(super) fn run(&self, verdicts: &mut [CaseVerdict]) -> Result<Vec<CaseId>, Error> {
        let mut open: Vec<&CaseVerdict> = verdicts.iter().filter(|v| overrule::is_in_doubt(v.verdict)).collect();
        // Suspects first, the slowest before the others; the others by how much they may have become slower.
        open.sort_by(|a, b| {
            let key = |of: &CaseVerdict| (of.is_suspect, of.change_percent.unwrap_or_default());
            key(b).partial_cmp(&key(a)).unwrap_or(std::cmp::Ordering::Equal)
        });
        let room = (self.time.as_secs_f64() / BLOCKS - PROCESSES_SECONDS) / CASE_SECONDS;
        let n_suspects = open.iter().filter(|of| of.is_suspect).count();
        let fitting = (room as usize).max(n_suspects.min(8)).max(1);
        let compared: Vec<CaseId> = open.iter().take(fitting).map(|of| of.case.clone()).collect();
        let suspects: Vec<CaseId> = open
            .iter()
            .filter(|of| of.is_suspect)
            .map(|of| of.case.clone())
            .collect();
        let skipped: Vec<CaseId> = open.iter().skip(fitting).map(|of| of.case.clone()).collect();
        for verdict in verdicts.iter_mut().filter(|verdict| skipped.contains(&verdict.case)) {
            let note = verdict.note.take().unwrap_or_default();
            verdict.note = Some(format!(
                "{note}; no time was left: `cargo xtask ab REVISION --case {}` tells",
                verdict.case
            ));
        }
        if compared.is_empty() {
            return Ok(Vec::new());
        }
        interrupt::note();
        let mut left = Vec::new();
        let mut number = 1;
        for (attempt, (commit, of_commit)) in by_commit(self.baseline, &compared).into_iter().enumerate() {
            let place = files::numbered(self.place, number);
            let share = self.time.mul_f64(of_commit.len() as f64 / compared.len() as f64);
            let folder = self.session.raw.join("ab").join(attempt.to_string());
            match self.compare(&commit, &of_commit, &folder, &place, share) {
                Ok(assessments) => {
                    overrule::apply(verdicts, &assessments, &commit);
                    number += 1;
                }
                Err(error) if !interrupt::is_noted() => {
                    console::warning(&format!(
                        "no comparison of {} with the baseline's revision: {error}",
                        of_commit.join(", ")
                    ));
                    left.extend(
                        suspects
                            .iter()
                            .filter(|case| of_commit.contains(&case.to_string()))
                            .cloned(),
                    );
                }
                Err(error) => return Err(error),
            }
        }
        Ok(left)
    }

    fn compare(
        &self,
        revision: &str,
        cases: &[String],
        folder: &Path,
        place: &Path,
        time: Duration,
    ) -> Result<Vec<Assessment>, Error> {
        let run = self.session.plan;
        if !self.has_turns {
            return Err(Error::Failed("--no-ab".to_owned()));
        }
        // The program's files stay as long as these do.
        let (mut own, mut built) = (None, None);
        let base = match self.base_program {
            Some(program) => Side {
                revision: revision.to_owned(),
                commit: revision.to_owned(),
                program: program.to_owned(),
                start: None,
            },
            None => {
                let revisions = own.insert(Revisions::own()?);
                let commit = known(revisions.project(), revision)?;
                let (side, of_side) = revision::side(&mut revisions.builder(), revision, &commit)?;
                built = Some(of_side);
                // Started as the head is: an environment of another size moves the stack.
                Side { start: None, ..side }
            }
        };
        let head = Side {
            revision: WORKTREE.to_owned(),
            commit: WORKTREE.to_owned(),
            program: self.session.program.to_owned(),
            start: None,
        };
        let mut ops: Vec<String> = cases
            .iter()
            .filter_map(|case| case.split('/').next())
            .map(str::to_owned)
            .collect();
        ops.sort_unstable();
        ops.dedup();
        let environment = session::environment(&run.backends, Some(&ops), &run.sizes);
        // The baseline's program may lack some of them, or be unable to name them; the others are compared.
        let (cases, serving) = ab::common([&base, &head], cases, &environment, folder)?;
        let plan = Plan {
            schema: SCHEMA,
            started: run.started.clone(),
            command: run.command.clone(),
            base,
            head,
            cases,
            seed: ab::seed(),
            binding: (!self.session.bound).then_some(Binding::Free),
            tuning: run.tuning.clone(),
            serving,
        };
        console::status(
            "Comparing",
            &format!("{} with {revision}, seed {}", plan.cases.join(", "), plan.seed),
        );
        files::write(&folder.join("plan.json"), files::json(&plan).as_bytes())?;
        let finished = Turns {
            plan: &plan,
            environment: [&environment, &environment],
            is_software: &|backend| self.session.listing.is_software(backend),
            accepted: &ab::accepted(true)?,
            folder,
            patience: PATIENCE,
            how_to_go_on: "",
            deadline: Some(Instant::now() + time),
        }
        .run()?;
        let rules = Rules::default();
        let exit = rules.exit(&finished.assessments);
        let report = Report::new(&plan, &finished.assessments, rules, exit).with(
            &finished.failed,
            &finished.windows,
            finished.block_seconds,
        );
        files::write(place, report.json().as_bytes())?;
        drop(built);
        Ok(finished.assessments)
    }
}

/// The cases by the commits their rows were recorded from.
fn by_commit(baseline: &Baseline, cases: &[CaseId]) -> BTreeMap<String, Vec<String>> {
    let mut by_commit: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for case in cases {
        let commit = baseline::commit(baseline, case).unwrap_or(UNKNOWN);
        by_commit.entry(commit.to_owned()).or_default().push(case.to_string());
    }
    by_commit
}

/// What a baseline says that was recorded outside of a repository.
const UNKNOWN: &str = "unknown";

/// The commit that cases were recorded from, if it can be built here. No other will do: the work tree may be all that another one has.
fn known(project: &Project, commit: &str) -> Result<String, Error> {
    let why = if commit == UNKNOWN {
        "their baseline was recorded from an unknown commit".to_owned()
    } else if commit.ends_with("-dirty") {
        format!("their baseline was recorded from {commit}, whose changes were not committed")
    } else {
        match project.resolve(commit) {
            Ok(commit) => return Ok(commit),
            Err(_) => {
                format!("the commit their baseline was recorded from, {commit}, is not here (`git fetch --unshallow`)")
            }
        }
    };
    Err(Error::Failed(why))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        fingerprint::tests::example as fingerprint, host::workspace, rows::tests::example as row, run::tests::plan,
    };

    #[test]
    fn cases_are_compared_with_the_commits_they_were_recorded_from() {
        let rows = [row("cpu", 1000, 1, 100.0), row("vulkan", 1000, 1, 2000.0)];
        let first = Baseline::updated(None, &fingerprint(), &plan(), &rows, Vec::new()).unwrap();
        let mut later = plan();
        later.backends = vec!["vulkan".to_owned()];
        later.commit = "89abcde".to_owned();
        let both = Baseline::updated(Some(first), &fingerprint(), &later, &rows[1..], Vec::new()).unwrap();
        let cases = rows.each_ref().map(|row| row.case.clone());
        let found: Vec<(String, Vec<String>)> = by_commit(&both, &cases).into_iter().collect();
        let expected = [("0123456", &cases[0]), ("89abcde", &cases[1])];
        assert_eq!(
            found,
            expected.map(|(commit, case)| (commit.to_owned(), vec![case.to_string()]))
        );
    }

    #[test]
    fn no_other_commit_takes_the_place_of_one_that_is_not_known() {
        let project = Project::find(Some(&workspace::root().join("Cargo.toml"))).unwrap();
        known(&project, "HEAD").unwrap();
        let check = |commit: &str, expected: &str| {
            let message = known(&project, commit).unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
        };
        check("unknown", "unknown commit");
        check("HEAD-dirty", "were not committed");
        check(&"0".repeat(40), "is not here");
    }
}
