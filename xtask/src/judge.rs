//! Holds a run against a baseline: a verdict for every case of either.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    case::CaseId,
    quantile::median,
    rows::{Row, Stage},
    run::Plan,
    screen::{self, Difference, Times},
    verdict::{CaseVerdict, Verdict},
};

/// The calibration kernel may move by this much, up or down, before times say more about the machine than the code.
const MOST_CALIBRATION_SHIFT: f64 = 0.15;

/// The cases that look slower or faster, and are to be measured once more. Those whose counters changed are not among
/// them: that is known already.
pub(crate) fn suspects(baseline: &[Row], rows: &[Row]) -> Vec<CaseId> {
    let old = screen::times(baseline, Stage::Screen);
    let new = screen::times(rows, Stage::Screen);
    let is_suspect = |case: &CaseId, times: &Times| {
        let difference = old.get(case).and_then(|old| screen::screen(old, times));
        difference.is_some_and(|d| d.is_slower() || d.is_faster()) && counters_changed(baseline, rows, case).is_none()
    };
    new.iter()
        .filter(|(case, times)| is_suspect(case, times))
        .map(|(case, _)| case.clone())
        .collect()
}

/// A verdict for every case that is in the run or in the baseline, in the order of the cases.
pub(crate) fn judge(baseline: Option<&[Row]>, rows: &[Row], plan: &Plan) -> Vec<CaseVerdict> {
    let old_rows = baseline.unwrap_or_default();
    let old = screen::times(old_rows, Stage::Screen);
    let screened = screen::times(rows, Stage::Screen);
    let confirmed = screen::times(rows, Stage::Confirm);
    let suspects = suspects(old_rows, rows);
    let convictions = convictions(&suspects, &old, &confirmed);
    let shift = screen::calibration_shift(old_rows, rows).filter(|s| s.abs() > MOST_CALIBRATION_SHIFT.ln_1p());

    let cases: BTreeSet<&CaseId> = old.keys().chain(screened.keys()).collect();
    let verdict = |case: &CaseId| {
        let (baseline_p50_ns, p50_ns) = (p50_ns(old_rows, case), p50_ns(rows, case));
        let bare = |verdict, note: Option<String>| CaseVerdict {
            case: case.clone(),
            verdict,
            baseline_p50_ns,
            p50_ns,
            change_percent: None,
            detectable_percent: None,
            note,
        };
        let Some(times) = screened.get(case) else {
            return match plan.covers(case) {
                Ok(()) => bare(Verdict::Missing, Some("no longer among the benches".to_owned())),
                Err(reason) => bare(Verdict::NotMeasured, Some(reason)),
            };
        };
        let Some(old) = old.get(case) else {
            return bare(Verdict::New, None);
        };
        if let Some(difference) = counters_changed(old_rows, rows, case) {
            return bare(Verdict::CountersChanged, Some(difference));
        }
        let Some(screened) = screen::screen(old, times) else {
            let note = format!("the baseline has {} runs of it, too few to judge by", old.len());
            return bare(Verdict::Inconclusive, Some(note));
        };
        let (verdict, difference, note) = match (suspects.contains(case), convictions.get(case), shift) {
            (false, _, _) => (Verdict::Pass, screened, None),
            (true, _, Some(shift)) => {
                let note = format!(
                    "the calibration kernel moved by {:+.0} %: another machine state",
                    percent(shift)
                );
                (Verdict::Noisy, screened, Some(note))
            }
            (true, None, None) => (
                Verdict::Inconclusive,
                screened,
                Some("not confirmed in fresh processes".to_owned()),
            ),
            (true, Some(confirmed), None) => confirmed_verdict(&screened, confirmed),
        };
        CaseVerdict {
            change_percent: Some(percent(difference.effect)),
            detectable_percent: Some(percent(difference.threshold)),
            ..bare(verdict, note)
        }
    };
    cases.into_iter().map(verdict).collect()
}

/// What confirming runs say of a suspect.
fn confirmed_verdict(screened: &Difference, confirmed: &Difference) -> (Verdict, Difference, Option<String>) {
    let floor = screen::FLOOR.ln_1p();
    if confirmed.is_slower() {
        (Verdict::Slower, *confirmed, None)
    } else if confirmed.is_faster() {
        (Verdict::Faster, *confirmed, None)
    } else if confirmed.effect.abs() <= floor || confirmed.effect.signum() != screened.effect.signum() {
        let note = format!("{:+.1} % at first, gone in fresh processes", percent(screened.effect));
        (Verdict::Pass, *confirmed, Some(note))
    } else {
        let note = format!(
            "{:+.1} % at first, within the noise of fresh processes",
            percent(screened.effect)
        );
        (Verdict::Inconclusive, *confirmed, Some(note))
    }
}

fn convictions(
    suspects: &[CaseId],
    old: &BTreeMap<CaseId, Times>,
    confirmed: &BTreeMap<CaseId, Times>,
) -> BTreeMap<CaseId, Difference> {
    let confirmable: Vec<(&CaseId, &Times, &Times)> = suspects
        .iter()
        .filter_map(|case| Some((case, old.get(case)?, confirmed.get(case)?)))
        .collect();
    let pairs: Vec<(&[f64], &[f64])> = confirmable
        .iter()
        .map(|(_, o, n)| (o.as_slice(), n.as_slice()))
        .collect();
    let differences = screen::confirm(&pairs);
    confirmable
        .iter()
        .zip(differences)
        .filter_map(|((case, _, _), d)| Some(((*case).clone(), d?)))
        .collect()
}

/// How the counters of a case differ from the baseline's, in any of its runs.
fn counters_changed(baseline: &[Row], rows: &[Row], case: &CaseId) -> Option<String> {
    let old = baseline.iter().find(|row| row.case == *case)?;
    rows.iter()
        .filter(|row| row.case == *case)
        .find_map(|row| old.counters.difference(&row.counters))
}

/// The median of the processes' medians.
fn p50_ns(rows: &[Row], case: &CaseId) -> Option<f64> {
    let all: Vec<f64> = rows
        .iter()
        .filter(|row| row.case == *case)
        .map(|row| row.p50_ns)
        .collect();
    (!all.is_empty()).then(|| median(&all))
}

/// A natural logarithm as a change in per cent.
fn percent(logarithm: f64) -> f64 {
    100.0 * logarithm.exp_m1()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{rows::tests::example, run::tests::plan};

    /// Five runs of one case, 1 % apart.
    fn baseline() -> Vec<Row> {
        (1..=5)
            .map(|run| example("cpu", 1000, run, 100.0 + run as f64 / 2.0))
            .collect()
    }

    fn rows(screened: &[f64], confirming: &[f64]) -> Vec<Row> {
        let screened = (1..).zip(screened).map(|(run, &p50)| example("cpu", 1000, run, p50));
        let confirming = (10..).zip(confirming).map(|(run, &p50)| {
            let mut row = example("cpu", 1000, run, p50);
            row.stage = Stage::Confirm;
            row
        });
        screened.chain(confirming).collect()
    }

    fn check(new: &[Row], expected: Verdict) -> CaseVerdict {
        let verdicts = judge(Some(&baseline()), new, &plan());
        assert_eq!(verdicts.len(), 1, "{verdicts:?}");
        assert_eq!(verdicts[0].verdict, expected, "{verdicts:?}");
        verdicts[0].clone()
    }

    #[test]
    fn a_case_is_slower_only_if_fresh_processes_confirm_it() {
        check(&rows(&[101.0], &[]), Verdict::Pass);
        check(&rows(&[130.0], &[]), Verdict::Inconclusive);
        let slower = check(&rows(&[130.0], &[129.0, 130.0, 131.0]), Verdict::Slower);
        assert!((slower.change_percent.unwrap() - 28.0).abs() < 1.0, "{slower:?}");
        assert!(slower.detectable_percent.unwrap() >= 5.0, "{slower:?}");
        check(&rows(&[130.0], &[101.0, 102.0, 101.0]), Verdict::Pass);
        check(&rows(&[130.0], &[101.0, 140.0, 125.0]), Verdict::Inconclusive);
        check(&rows(&[80.0], &[80.0, 81.0, 79.0]), Verdict::Faster);
    }

    #[test]
    fn changed_counters_need_no_confirmation() {
        let mut new = rows(&[130.0], &[]);
        new[0].counters.dispatches = 2;
        let verdict = check(&new, Verdict::CountersChanged);
        assert_eq!(verdict.note.unwrap(), "dispatches 1 → 2");
        assert!(suspects(&baseline(), &new).is_empty());
    }

    #[test]
    fn on_a_machine_in_another_state_nobody_is_convicted() {
        let mut new = rows(&[200.0], &[200.0, 200.0, 200.0]);
        for row in &mut new {
            row.calibration_ns *= 1.3;
        }
        check(&new, Verdict::Noisy);
    }

    #[test]
    fn cases_of_one_side_only_are_named() {
        let check = |baseline: Option<&[Row]>, rows: &[Row], expected: &[(&str, Verdict)]| {
            let verdicts = judge(baseline, rows, &plan());
            let found: Vec<_> = verdicts.iter().map(|v| (v.case.backend.as_str(), v.verdict)).collect();
            assert_eq!(found, expected);
        };
        let new = rows(&[100.0], &[]);
        check(None, &new, &[("cpu", Verdict::New)]);
        let mut old = baseline();
        for row in &mut old {
            row.case.backend = "gles".to_owned();
        }
        check(
            Some(&old),
            &new,
            &[("cpu", Verdict::New), ("gles", Verdict::NotMeasured)],
        );
        for row in &mut old {
            row.case.backend = "vulkan".to_owned();
        }
        check(Some(&old), &new, &[("cpu", Verdict::New), ("vulkan", Verdict::Missing)]);
        check(Some(&baseline()[..2]), &new, &[("cpu", Verdict::Inconclusive)]);
    }
}
