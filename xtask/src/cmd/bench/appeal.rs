//! Has cases that a baseline would convict, or cannot tell, compared with the revision the baseline was recorded from: what moved for
//! reasons of the machine between two days moves both.

use std::{
    collections::BTreeMap,
    path::Path,
    time::{Duration, Instant},
};

use bench_gate::{assess::Assessment, binding::Binding};

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
        adapters::Listing,
        console, interrupt,
        revision::{Project, WORKTREE},
        turns::{PATIENCE, Turns},
    },
    run,
    verdict::{CaseVerdict, Verdict},
};

/// Time for a comparison of up to five cases, and for each more.
const MOST_FOR_FIVE: Duration = Duration::from_secs(60);
const MOST_PER_CASE: Duration = Duration::from_secs(12);

/// What was measured, and with what.
pub(super) struct Court<'a> {
    pub(super) plan: &'a run::Plan,
    pub(super) listing: &'a Listing,
    pub(super) baseline: &'a Baseline,
    /// The bench program of the work tree.
    pub(super) program: &'a Path,
    pub(super) bound: bool,
    /// Folder for what is recorded meanwhile.
    pub(super) folder: &'a Path,
    /// File for what came of it; where cases were recorded from several commits, the others' are `ab-2.json` and so on beside it.
    pub(super) place: &'a Path,
}

impl Court<'_> {
    /// Replaces the verdicts of cases in doubt by those of a comparison, if the baseline's revision can be built; else they stay. A quick
    /// run, which is to stay quick, has only cases compared that would fail it or look faster, and builds nothing for those alone that
    /// look faster.
    pub(super) fn hear(&self, verdicts: &mut [CaseVerdict]) -> Result<(), Error> {
        let is_quick = self.plan.pace == "quick";
        let fails = |verdict: &CaseVerdict| verdict.verdict == Verdict::Slower;
        let in_doubt = |verdict: &&CaseVerdict| {
            overrule::is_in_doubt(verdict.verdict) && (!is_quick || fails(verdict) || verdict.looks_faster())
        };
        let cases: Vec<CaseId> = verdicts.iter().filter(in_doubt).map(|v| v.case.clone()).collect();
        if cases.is_empty() {
            return Ok(());
        }
        interrupt::note();
        let failing: Vec<String> = verdicts
            .iter()
            .filter(|v| fails(v))
            .map(|v| v.case.to_string())
            .collect();
        let more = u32::try_from(cases.len().saturating_sub(5)).unwrap_or(u32::MAX);
        let time = MOST_FOR_FIVE + MOST_PER_CASE * more;
        let mut number = 1;
        for (attempt, (commit, of_commit)) in by_commit(self.baseline, &cases).into_iter().enumerate() {
            let is_worth_a_build = !is_quick || of_commit.iter().any(|case| failing.contains(case));
            let project = ab::own_project();
            if !is_worth_a_build && is_known(&project, &commit).is_ok() && !project.has(&commit) {
                console::warning(&format!(
                    "{}: no comparison, as {commit} is not built: `cargo xtask ab {commit} --case {}`",
                    of_commit.join(", "),
                    of_commit.join(",")
                ));
                continue;
            }
            let place = files::numbered(self.place, number);
            let share = time.mul_f64(of_commit.len() as f64 / cases.len() as f64);
            match self.compare(
                &commit,
                &of_commit,
                &self.folder.join(attempt.to_string()),
                &place,
                share,
            ) {
                Ok(assessment) => {
                    overrule::apply(verdicts, &assessment, &commit);
                    number += 1;
                }
                Err(error) if !interrupt::is_noted() => console::warning(&format!(
                    "no comparison of {} with the baseline's revision: {error}",
                    of_commit.join(", ")
                )),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn compare(
        &self,
        revision: &str,
        cases: &[String],
        folder: &Path,
        place: &Path,
        time: Duration,
    ) -> Result<Vec<Assessment>, Error> {
        let project = ab::own_project();
        is_known(&project, revision)?;
        project.tidy()?;
        let base = project.side(revision)?;
        let head = Side {
            revision: WORKTREE.to_owned(),
            commit: WORKTREE.to_owned(),
            program: self.program.to_owned(),
        };
        let mut ops: Vec<&str> = cases.iter().filter_map(|case| case.split('/').next()).collect();
        ops.sort_unstable();
        ops.dedup();
        let environment = BTreeMap::from([
            ("GPU_EXECUTOR_BENCH_SERVE".to_owned(), "1".to_owned()),
            ("GPU_EXECUTOR_BACKENDS".to_owned(), self.plan.backends.join(",")),
            ("GPU_EXECUTOR_BENCH_SIZES".to_owned(), self.plan.sizes.join(",")),
            ("GPU_EXECUTOR_BENCH_OPS".to_owned(), ops.join(",")),
        ]);
        // The baseline's program may lack some of them, or be unable to name them; the others are compared.
        let (cases, serving) = ab::common([&base, &head], cases, &environment, folder)?;
        let plan = Plan {
            schema: SCHEMA,
            started: self.plan.started.clone(),
            command: self.plan.command.clone(),
            base,
            head,
            cases,
            seed: ab::seed(),
            binding: (!self.bound).then_some(Binding::Free),
            tuning: self.plan.tuning.clone(),
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
            is_software: &|backend| ab::is_software(Some(self.listing), backend),
            accepted: &ab::accepted(true)?,
            folder,
            patience: PATIENCE,
            how_to_go_on: "",
            deadline: Some(Instant::now() + time),
        }
        .run()?;
        let rules = Rules::default();
        let report =
            Report::new(&plan, &finished.assessments, rules, rules.exit(&finished.assessments)).with(&finished.failed, &finished.windows, finished.block_seconds);
        files::write(place, report.json().as_bytes())?;
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

/// Whether the commit that cases were recorded from can be built here. No other will do: the work tree may be all that another one has.
fn is_known(project: &Project, commit: &str) -> Result<(), Error> {
    let why = if commit == UNKNOWN {
        "their baseline was recorded from an unknown commit".to_owned()
    } else if commit.ends_with("-dirty") {
        format!("their baseline was recorded from {commit}, whose changes were not committed")
    } else if project.resolve(commit).is_err() {
        format!("the commit their baseline was recorded from, {commit}, is not here (`git fetch --unshallow`)")
    } else {
        return Ok(());
    };
    Err(Error::Failed(why))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{fingerprint::tests::example as fingerprint, rows::tests::example as row, run::tests::plan};

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
        let project = ab::own_project();
        is_known(&project, "HEAD").unwrap();
        let check = |commit: &str, expected: &str| {
            let message = is_known(&project, commit).unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
        };
        check("unknown", "unknown commit");
        check("HEAD-dirty", "were not committed");
        check(&"0".repeat(40), "is not here");
    }
}
