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
        report::{self, Plan, Report, Side},
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
    /// Replaces the verdicts of cases in doubt by those of a comparison, if the baseline's revision can be built; else they stay.
    pub(super) fn hear(&self, verdicts: &mut [CaseVerdict]) -> Result<(), Error> {
        let in_doubt = |verdict: &&CaseVerdict| {
            let verdict = verdict.verdict;
            matches!(
                verdict,
                Verdict::Slower | Verdict::Faster | Verdict::Inconclusive | Verdict::Noisy
            )
        };
        let cases: Vec<String> = verdicts.iter().filter(in_doubt).map(|v| v.case.to_string()).collect();
        if cases.is_empty() {
            return Ok(());
        }
        interrupt::note();
        match self.compare(&cases) {
            Ok((revision, judged)) => apply(verdicts, &judged, &revision),
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
            deadline: Some(Instant::now() + MOST_FOR_FIVE + MOST_PER_CASE * more),
        }
        .run()?;
        let exit = report::exit(&finished.verdicts, false, false);
        let report = Report::new(&plan, &finished.verdicts, exit);
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

/// Puts the comparison's verdicts in the place of the baseline's.
fn apply(verdicts: &mut [CaseVerdict], judged: &[Judged], revision: &str) {
    for verdict in verdicts {
        let Some(judged) = judged.iter().find(|judged| judged.case == verdict.case.to_string()) else {
            continue;
        };
        // A comparison that does not tell leaves the matter as it was.
        if judged.change_percent.is_none() || judged.verdict == Verdict::Inconclusive {
            continue;
        }
        let at_first = verdict
            .change_percent
            .map_or_else(String::new, |percent| format!("{percent:+.1} % against the baseline; "));
        let phases: Vec<String> = judged
            .phases
            .iter()
            .map(|p| format!("{} {:+.1} %", p.name, p.change_percent))
            .collect();
        let moved = if phases.is_empty() {
            String::new()
        } else {
            format!(": {}", phases.join(", "))
        };
        let revision = revision.get(..12).unwrap_or(revision);
        verdict.note = Some(format!(
            "{at_first}A/B with {revision} in {} blocks{moved}",
            judged.blocks
        ));
        verdict.verdict = judged.verdict;
        verdict.quantile = Some(judged.quantile.to_owned());
        verdict.change_percent = judged.change_percent;
        verdict.detectable_percent = judged.detectable_percent;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::CaseId;

    #[test]
    fn a_comparison_overrules_the_baseline_only_where_it_has_something_to_say() {
        let case = |size| CaseId {
            op: "o".to_owned(),
            backend: "cpu".to_owned(),
            tasks: 1,
            size,
        };
        let mut verdicts: Vec<CaseVerdict> = [1, 2, 3, 4]
            .map(|size| CaseVerdict::new(case(size), Verdict::Slower))
            .into();
        verdicts[0].change_percent = Some(9.0);
        let judged = |size: u64, verdict, change_percent| Judged {
            case: case(size).to_string(),
            verdict,
            blocks: 16,
            base_ns: None,
            head_ns: None,
            quantile: "fastest tenth",
            change_percent,
            low_percent: None,
            high_percent: None,
            p_adjusted: None,
            detectable_percent: None,
            sentinel_percent: None,
            counters: None,
            phases: Vec::new(),
            note: None,
        };
        let all = [
            judged(1, Verdict::Pass, Some(0.1)),
            judged(2, Verdict::NotMeasured, None),
            judged(3, Verdict::Inconclusive, Some(4.0)),
        ];
        apply(&mut verdicts, &all, "0123456789abcdef");
        let words: Vec<Verdict> = verdicts.iter().map(|verdict| verdict.verdict).collect();
        assert_eq!(
            words,
            [Verdict::Pass, Verdict::Slower, Verdict::Slower, Verdict::Slower]
        );
        assert_eq!(
            verdicts[0].note.as_deref(),
            Some("+9.0 % against the baseline; A/B with 0123456789ab in 16 blocks")
        );
    }
}
