//! Has cases that a baseline would convict, or cannot tell, compared with the revision the baseline was recorded from: what moved for
//! reasons of the machine between two days moves both.

use std::{
    collections::BTreeMap,
    path::Path,
    time::{Duration, Instant},
};

use crate::{
    ab::{
        judge::Judged,
        overrule,
        report::{Plan, Report, Rules, Side},
    },
    baseline::Baseline,
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
    /// File for what came of it.
    pub(super) place: &'a Path,
}

impl Court<'_> {
    /// Replaces the verdicts of cases in doubt by those of a comparison, if the baseline's revision can be built; else they stay. A quick
    /// run, which is to stay quick, has only cases compared that would fail it.
    pub(super) fn hear(&self, verdicts: &mut [CaseVerdict]) -> Result<(), Error> {
        let is_quick = self.plan.pace == "quick";
        let in_doubt = |verdict: &&CaseVerdict| {
            overrule::is_in_doubt(verdict.verdict) && (!is_quick || verdict.verdict == Verdict::Slower)
        };
        let cases: Vec<String> = verdicts.iter().filter(in_doubt).map(|v| v.case.to_string()).collect();
        if cases.is_empty() {
            return Ok(());
        }
        interrupt::note();
        match self.compare(&cases) {
            Ok((revision, judged)) => overrule::apply(verdicts, &judged, &revision),
            Err(error) if !interrupt::is_noted() => {
                console::warning(&format!("no comparison with the baseline's revision: {error}"));
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn compare(&self, cases: &[String]) -> Result<(String, Vec<Judged>), Error> {
        let project = ab::own_project();
        project.tidy()?;
        let revision = self.revision(&project)?;
        let base = project.side(&revision)?;
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
        let serving = ab::serves([&base, &head], cases, &environment, self.folder)?;
        let plan = Plan {
            schema: SCHEMA,
            started: self.plan.started.clone(),
            command: self.plan.command.clone(),
            base,
            head,
            cases: cases.to_vec(),
            seed: ab::seed(),
            bound: self.bound,
            tuning: self.plan.tuning.clone(),
            serving,
        };
        console::status(
            "Comparing",
            &format!("{} with {revision}, seed {}", cases.join(", "), plan.seed),
        );
        files::write(&self.folder.join("plan.json"), files::json(&plan).as_bytes())?;
        let more = u32::try_from(cases.len().saturating_sub(5)).unwrap_or(u32::MAX);
        let finished = Turns {
            plan: &plan,
            environment: [&environment, &environment],
            is_software: &|backend| ab::is_software(Some(self.listing), backend),
            folder: self.folder,
            patience: PATIENCE,
            how_to_go_on: "",
            deadline: Some(Instant::now() + MOST_FOR_FIVE + MOST_PER_CASE * more),
        }
        .run()?;
        let rules = Rules::default();
        let report = Report::new(&plan, &finished.verdicts, rules, rules.exit(&finished.verdicts));
        files::write(self.place, report.json().as_bytes())?;
        Ok((revision, finished.verdicts))
    }

    /// The commit of the latest recording, or where the branch left main if that is unknown here.
    fn revision(&self, project: &Project) -> Result<String, Error> {
        let recorded = self
            .baseline
            .recordings
            .last()
            .map(|recording| recording.commit.as_str());
        match recorded.filter(|commit| !commit.ends_with("-dirty")) {
            Some(commit) if project.resolve(commit).is_ok() => Ok(commit.to_owned()),
            _ => project.merge_base(),
        }
    }
}
