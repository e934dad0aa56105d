//! Holds a run against a baseline: a verdict for every case of either. What the stored times leave open is compared in turns.

use std::collections::{BTreeMap, BTreeSet};

use bench_gate::{
    assess::{
        Times,
        screen::{self, Screened, Stored},
    },
    stat::quantile::median,
};

use crate::{
    case::{CaseId, CounterChange},
    rows::{Row, Stage},
    run::Plan,
    verdict::{CaseVerdict, Verdict},
};

/// Times of a process, as the statistics know them.
fn times(row: &Row) -> Option<Times> {
    Times::of_windows(&[[row.p10_ns, row.p50_ns, row.mean_ns, row.p95_ns]])
}

/// The cases that both have, with the run's processes of one stage.
fn stored(baseline: &[Row], rows: &[Row], stage: Stage) -> Vec<Stored> {
    let cases: BTreeSet<&CaseId> = rows
        .iter()
        .filter(|row| row.stage == stage)
        .map(|row| &row.case)
        .collect();
    let of = |rows: &[Row], case: &CaseId, stage: Stage| -> Vec<Times> {
        rows.iter()
            .filter(|row| row.case == *case && row.stage == stage)
            .filter_map(times)
            .collect()
    };
    let stored = |case: &CaseId| Stored {
        name: case.to_string(),
        baseline: of(baseline, case, Stage::Screen),
        run: of(rows, case, stage),
    };
    cases
        .into_iter()
        .filter(|case| baseline.iter().any(|row| row.case == **case))
        .map(stored)
        .collect()
}

/// A verdict for every case that is in the run or in the baseline, in the order of the cases. Cases that were measured once more in
/// fresh processes, since they could not be compared in turns, are judged by these.
pub(crate) fn judge(baseline: Option<&[Row]>, rows: &[Row], plan: &Plan) -> Vec<CaseVerdict> {
    let old_rows = baseline.unwrap_or_default();
    let screened = stored(old_rows, rows, Stage::Screen);
    let confirming = stored(old_rows, rows, Stage::Confirm);
    let confirmed = screen::confirm(&confirming, screen::drift(&screened));
    let mut screened: BTreeMap<String, Screened> = screen::screen(&screened)
        .into_iter()
        .map(|of| (of.case.clone(), of))
        .collect();
    let fresh: BTreeSet<String> = confirmed.iter().map(|of| of.case.clone()).collect();
    screened.extend(confirmed.into_iter().map(|of| (of.case.clone(), of)));
    let cases: BTreeSet<&CaseId> = old_rows.iter().chain(rows).map(|row| &row.case).collect();
    let has = |rows: &[Row], case: &CaseId| rows.iter().any(|row| row.case == *case);
    let verdict = |case: &CaseId| {
        let bare = |verdict, note: Option<String>| CaseVerdict {
            baseline_p50_ns: middle(&times_ns(old_rows, case, |row| row.p50_ns)),
            note,
            ..measured(rows, case, verdict)
        };
        if !has(rows, case) {
            return match plan.covers(case) {
                Ok(()) => bare(Verdict::Missing, Some("no longer among the benches".to_owned())),
                Err(reason) => bare(Verdict::NotMeasured, Some(reason)),
            };
        }
        if !has(old_rows, case) {
            return bare(Verdict::New, None);
        }
        let counters = counters_changed(old_rows, rows, case);
        if !counters.is_empty() {
            return CaseVerdict {
                counters,
                ..bare(Verdict::CountersChanged, None)
            };
        }
        let Some(of) = screened.get(&case.to_string()).filter(|of| of.verdict != Verdict::New) else {
            let n = old_rows.iter().filter(|row| row.case == *case).count();
            let note = format!("the baseline has {n} process(es) of it, too few to judge by");
            return bare(Verdict::Inconclusive, Some(note));
        };
        let note = match (of.verdict, fresh.contains(&of.case)) {
            (_, true) => Some("in fresh processes".to_owned()),
            (Verdict::Inconclusive, false) => Some(format!("may be slower by {:.1} %", of.most_percent)),
            _ => None,
        };
        CaseVerdict {
            is_suspect: of.is_suspect,
            quantile: Some(of.statistic.name().to_owned()),
            change_percent: Some(of.change_percent),
            detectable_percent: Some(of.noticed_percent),
            ..bare(of.verdict, note)
        }
    };
    cases.into_iter().map(verdict).collect()
}

/// How the counters of a case differ from the baseline's, in the first of its runs in which they do.
fn counters_changed(baseline: &[Row], rows: &[Row], case: &CaseId) -> Vec<CounterChange> {
    let Some(old) = baseline.iter().find(|row| row.case == *case) else {
        return Vec::new();
    };
    let of_case = rows.iter().filter(|row| row.case == *case);
    let mut changes = of_case.map(|row| old.counters.changes(&row.counters));
    changes.find(|changes| !changes.is_empty()).unwrap_or_default()
}

/// What was measured of a case, whatever is said of it.
fn measured(rows: &[Row], case: &CaseId, verdict: Verdict) -> CaseVerdict {
    let p10_ns = times_ns(rows, case, |row| row.p10_ns);
    let spread = || {
        let (fastest, slowest) = (
            p10_ns.iter().copied().reduce(f64::min)?,
            p10_ns.iter().copied().reduce(f64::max)?,
        );
        (p10_ns.len() > 1).then_some((slowest - fastest) / 2.0)
    };
    CaseVerdict {
        processes: p10_ns.len() as u64,
        calls: rows.iter().filter(|row| row.case == *case).map(|row| row.calls).sum(),
        p10_ns: middle(&p10_ns),
        p10_spread_ns: spread(),
        p50_ns: middle(&times_ns(rows, case, |row| row.p50_ns)),
        ..CaseVerdict::new(case.clone(), verdict)
    }
}

/// One time of each process that measured a case.
fn times_ns(rows: &[Row], case: &CaseId, time_ns: impl Fn(&Row) -> f64) -> Vec<f64> {
    rows.iter().filter(|row| row.case == *case).map(time_ns).collect()
}

fn middle(times_ns: &[f64]) -> Option<f64> {
    (!times_ns.is_empty()).then(|| median(times_ns))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{case::in_words, rows::tests::example, run::tests::plan};

    /// Eight cases in five runs, half a per cent apart, so that the drift of a run is seen.
    fn baseline() -> Vec<Row> {
        (1..=5)
            .flat_map(|run| run_of(run, |_| 1.0 + 0.001 * run as f64))
            .collect()
    }

    fn run_of(run: u64, factor: impl Fn(u64) -> f64) -> Vec<Row> {
        let cases = (1..=8).map(|n| 1000 * n);
        cases
            .map(|size| example("cpu", size, run, 20_000.0 * factor(size)))
            .collect()
    }

    fn check(new: &[Row], size: u64, expected: Verdict) -> CaseVerdict {
        let mut all = plan();
        all.cases = baseline().iter().map(|row| row.case.to_string()).collect();
        let verdicts = judge(Some(&baseline()), new, &all);
        let of_case = verdicts.iter().find(|verdict| verdict.case.size == size).unwrap();
        assert_eq!(of_case.verdict, expected, "{of_case:?}");
        of_case.clone()
    }

    #[test]
    fn a_baseline_lets_cases_pass_and_nominates_others_but_calls_none_slower() {
        let only = |factor: f64| run_of(1, move |size| if size == 1000 { factor } else { 1.003 });
        check(&only(1.003), 1000, Verdict::Pass);
        let slower = check(&only(1.3), 1000, Verdict::Inconclusive);
        assert!(
            slower.is_suspect && (slower.change_percent.unwrap() - 29.6).abs() < 1.0,
            "{slower:?}"
        );
        check(&only(1.3), 2000, Verdict::Pass);
        // What is surely not slower passes; that it is faster is said by turns alone.
        let faster = check(&only(0.8), 1000, Verdict::Pass);
        assert!(faster.is_suspect, "{faster:?}");
        // Another state of the machine: a change of less than that passes nobody.
        let all_slower = run_of(1, |_| 1.2);
        check(&all_slower, 5000, Verdict::Inconclusive);
    }

    /// Today's confirmation divided each time by the fastest calibration of its process, which has all cases in the baseline and
    /// suspects alone when they are confirmed: a true +8 % read +5 % and was gone. Times as they are have no such bias.
    #[test]
    fn a_suspect_confirmed_alone_is_as_slow_as_among_the_others() {
        let slower = |size| if size == 1000 { 1.10 } else { 1.003 };
        let mut rows = run_of(1, slower);
        for run in 2..=6 {
            let alone = run_of(run, slower).into_iter().filter(|row| row.case.size == 1000);
            rows.extend(alone.map(|row| Row {
                stage: Stage::Confirm,
                ..row
            }));
        }
        let verdict = check(&rows, 1000, Verdict::Slower);
        assert!((verdict.change_percent.unwrap() - 9.7).abs() < 0.5, "{verdict:?}");
    }

    #[test]
    fn what_was_measured_is_told_whatever_the_verdict() {
        let mut new = run_of(1, |_| 1.003);
        new.extend(run_of(2, |_| 1.013));
        let verdict = check(&new, 1000, Verdict::Pass);
        assert_eq!((verdict.processes, verdict.calls), (2, 2000));
        // The example's fastest tenth is nine tenths of its median.
        assert_eq!(verdict.p10_spread_ns, Some(90.0));
        let alone = check(&run_of(1, |_| 1.003), 1000, Verdict::Pass);
        assert_eq!(alone.p10_spread_ns, None, "one process has no spread");
    }

    #[test]
    fn changed_counters_need_no_times() {
        let mut new = run_of(1, |_| 1.003);
        new[0].counters.dispatches = 2;
        let verdict = check(&new, 1000, Verdict::CountersChanged);
        assert_eq!(in_words(&verdict.counters), "dispatches 1 → 2");
    }

    #[test]
    fn a_case_that_is_gone_or_new_or_was_not_asked_for_is_called_so() {
        let gone = run_of(1, |_| 1.003)
            .into_iter()
            .filter(|row| row.case.size != 1000)
            .collect::<Vec<_>>();
        check(&gone, 1000, Verdict::Missing);
        let mut other = plan();
        other.sizes = vec!["2000".to_owned()];
        let verdicts = judge(Some(&baseline()), &gone, &other);
        assert_eq!(verdicts[0].verdict, Verdict::NotMeasured);
        let verdicts = judge(None, &gone, &plan());
        assert!(verdicts.iter().all(|verdict| verdict.verdict == Verdict::New));
    }
}
