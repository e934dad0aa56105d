//! Holds a run against a baseline: a verdict for every case of either.

mod view;

use std::collections::{BTreeMap, BTreeSet};

use view::{Opinion, View, suspects_of};

use crate::{
    case::{CaseId, CounterChange},
    quantile::median,
    rows::Row,
    run::Plan,
    screen::{self, GATES},
    verdict::{CaseVerdict, Verdict},
};

/// Clocks differ by this factor at the most; when the calibration kernel was never faster, somebody else used the core all the time.
const MOST_CLOCK_SHIFT: f64 = 1.25;

/// A baseline and a run, without the rows whose process was disturbed while it measured them.
struct Comparable {
    old: Vec<Row>,
    new: Vec<Row>,
}

impl Comparable {
    fn new(baseline: &[Row], rows: &[Row]) -> Self {
        let usual_ns = |rows| screen::usual_calibration_ns(rows).unwrap_or(f64::INFINITY);
        let (old_ns, new_ns) = (usual_ns(baseline), usual_ns(rows));
        Self {
            old: screen::undisturbed(baseline, old_ns),
            new: screen::undisturbed(rows, new_ns.min(MOST_CLOCK_SHIFT * old_ns)),
        }
    }
}

/// The cases which were measured in disturbed processes only, so that nothing is known of them.
pub(crate) fn disturbed(baseline: &[Row], rows: &[Row]) -> Vec<CaseId> {
    let comparable = Comparable::new(baseline, rows);
    let is_comparable = |case: &CaseId| comparable.new.iter().any(|row| row.case == *case);
    let is_known = |case: &CaseId| baseline.iter().any(|row| row.case == *case);
    let cases: BTreeSet<&CaseId> = rows.iter().map(|row| &row.case).collect();
    cases
        .into_iter()
        .filter(|case| is_known(case) && !is_comparable(case))
        .cloned()
        .collect()
}

/// The cases that look slower or faster, those first that look slowest. Those whose counters changed are not among them:
/// that is known already.
pub(crate) fn suspects(baseline: &[Row], rows: &[Row]) -> Vec<CaseId> {
    let comparable = Comparable::new(baseline, rows);
    let mut effects: BTreeMap<CaseId, f64> = BTreeMap::new();
    for gate in &GATES {
        for (case, difference) in suspects_of(gate, &comparable.old, &comparable.new) {
            let effect = effects.entry(case).or_insert(f64::NEG_INFINITY);
            *effect = effect.max(difference.effect);
        }
    }
    let mut suspects: Vec<(CaseId, f64)> = effects
        .into_iter()
        .filter(|(case, _)| counters_changed(baseline, rows, case).is_empty())
        .collect();
    suspects.sort_by(|(_, a), (_, b)| b.total_cmp(a));
    suspects.into_iter().map(|(case, _)| case).collect()
}

/// A verdict for every case that is in the run or in the baseline, in the order of the cases.
pub(crate) fn judge(baseline: Option<&[Row]>, rows: &[Row], plan: &Plan) -> Vec<CaseVerdict> {
    let old_rows = baseline.unwrap_or_default();
    let comparable = Comparable::new(old_rows, rows);
    let views = GATES
        .each_ref()
        .map(|gate| View::new(gate, &comparable.old, &comparable.new, rows));
    let shift = screen::calibration_shift(&comparable.old, &comparable.new).unwrap_or_default();
    let cases: BTreeSet<&CaseId> = old_rows.iter().chain(rows).map(|row| &row.case).collect();
    let has = |rows: &[Row], case: &CaseId| rows.iter().any(|row| row.case == *case);
    let verdict = |case: &CaseId| {
        let bare = |verdict, note: Option<String>| CaseVerdict {
            baseline_p50_ns: middle(&times_ns(either(&comparable.old, old_rows, case), case, |row| {
                row.p50_ns
            })),
            note,
            ..measured(either(&comparable.new, rows, case), case, verdict)
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
        if !has(&comparable.new, case) {
            let note = "somebody else used the core in every process that measured it".to_owned();
            return bare(Verdict::Noisy, Some(note));
        }
        // Verdicts are ordered by severity; of equal ones the first gate's counts, which notices more.
        let opinions = views.iter().filter_map(|view| view.opinion(case, shift));
        match opinions.min_by_key(|opinion| opinion.verdict) {
            Some(Opinion {
                verdict,
                difference,
                gate,
                note,
            }) => CaseVerdict {
                quantile: Some(gate.to_owned()),
                change_percent: Some(percent(difference.effect)),
                detectable_percent: Some(percent(difference.threshold)),
                ..bare(verdict, note)
            },
            None => {
                let n = comparable.old.iter().filter(|row| row.case == *case).count();
                let note = format!("the baseline has {n} undisturbed run(s) of it, too few to judge by");
                bare(Verdict::Inconclusive, Some(note))
            }
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

/// The undisturbed rows of a case if there are any, else all.
fn either<'a>(undisturbed: &'a [Row], all: &'a [Row], case: &CaseId) -> &'a [Row] {
    if undisturbed.iter().any(|row| row.case == *case) {
        undisturbed
    } else {
        all
    }
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

/// A natural logarithm as a change in per cent.
fn percent(logarithm: f64) -> f64 {
    100.0 * logarithm.exp_m1()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        case::in_words,
        rows::{Stage, tests::example},
        run::tests::plan,
    };

    /// Five runs of one case around 10 µs, half a per cent apart.
    fn baseline() -> Vec<Row> {
        (1..=5)
            .map(|run| example("cpu", 1000, run, 10_000.0 + 50.0 * run as f64))
            .collect()
    }

    /// Times are in hundreds of nanoseconds.
    fn rows(screened: &[f64], confirming: &[f64]) -> Vec<Row> {
        let screened = (1..)
            .zip(screened)
            .map(|(run, &p50)| example("cpu", 1000, run, 100.0 * p50));
        let confirming = (10..).zip(confirming).map(|(run, &p50)| {
            let mut row = example("cpu", 1000, run, 100.0 * p50);
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
        // Nobody looks into a welcome change, so that it takes more than a baseline to claim one.
        let faster = check(&rows(&[80.0], &[80.0, 81.0, 79.0]), Verdict::Inconclusive);
        assert!(faster.looks_faster(), "{faster:?}");
        assert!(!slower.looks_faster());
    }

    #[test]
    fn what_was_measured_is_told_whatever_the_verdict() {
        let verdict = check(&rows(&[101.0, 103.0], &[107.0]), Verdict::Pass);
        assert_eq!((verdict.processes, verdict.calls), (3, 3000));
        assert_eq!(verdict.p50_ns, Some(10_300.0));
        // The example's fastest tenth is nine tenths of its median.
        assert_eq!((verdict.p10_ns, verdict.p10_spread_ns), (Some(9_270.0), Some(270.0)));
        let alone = check(&rows(&[101.0], &[]), Verdict::Pass);
        assert_eq!(alone.p10_spread_ns, None, "one process has no spread");
    }

    #[test]
    fn changed_counters_need_no_confirmation() {
        let mut new = rows(&[130.0], &[]);
        new[0].counters.dispatches = 2;
        let verdict = check(&new, Verdict::CountersChanged);
        assert_eq!(in_words(&verdict.counters), "dispatches 1 → 2");
        assert!(suspects(&baseline(), &new).is_empty());
    }

    #[test]
    fn on_a_machine_in_another_state_only_larger_effects_convict() {
        let shifted = |p50: f64, factor: f64| {
            let mut new = rows(&[p50], &[p50, p50, p50]);
            for row in &mut new {
                row.calibration_ns *= factor;
            }
            new
        };
        // The calibration alone became faster, which makes everything look slower.
        check(&shifted(101.5, 0.88), Verdict::Noisy);
        check(&shifted(101.5, 1.08), Verdict::Noisy);
        // Or the code and the calibration became slower alike.
        check(&shifted(120.0, 1.2), Verdict::Noisy);
        check(&shifted(104.0, 1.03), Verdict::Pass);
        check(&shifted(300.0, 1.08), Verdict::Slower);
        check(&shifted(130.0, 1.03), Verdict::Slower);
    }

    #[test]
    fn a_disturbed_process_is_not_held_against_the_code() {
        let disturb = |rows: &mut [Row]| rows.iter_mut().for_each(|row| row.calibration_ns *= 1.9);
        // All of the screen was disturbed: nothing is known, until the case is repeated.
        let mut new = rows(&[160.0], &[]);
        disturb(&mut new);
        assert_eq!(super::disturbed(&baseline(), &new).len(), 1);
        assert!(suspects(&baseline(), &new).is_empty());
        check(&new, Verdict::Noisy);
        // Repeated undisturbed it is as fast as before, or it is not.
        let mut new = rows(&[160.0, 101.5], &[]);
        disturb(&mut new[..1]);
        assert!(super::disturbed(&baseline(), &new).is_empty());
        check(&new, Verdict::Pass);
        let mut new = rows(&[160.0, 130.0], &[130.0, 131.0, 132.0, 190.0]);
        disturb(&mut new[..1]);
        disturb(&mut new[5..]);
        assert_eq!(suspects(&baseline(), &new).len(), 1);
        check(&new, Verdict::Slower);
        let mut new = rows(&[130.0], &[160.0, 160.0, 160.0]);
        disturb(&mut new[1..]);
        check(&new, Verdict::Inconclusive);
    }

    #[test]
    fn the_slowest_suspects_come_first() {
        let sized = |size: u64, run: u64, p50: f64| example("cpu", size, run, p50);
        let old: Vec<Row> = (1..=5)
            .flat_map(|run| [1, 2, 3, 4].map(|size| sized(size, run, 10_000.0 + run as f64)))
            .collect();
        let new = [
            sized(1, 1, 12_000.0),
            sized(2, 1, 7_000.0),
            sized(3, 1, 30_000.0),
            sized(4, 1, 10_002.0),
        ];
        let sizes: Vec<u64> = suspects(&old, &new).iter().map(|case| case.size).collect();
        assert_eq!(sizes, [3, 1, 2]);
    }

    #[test]
    fn a_median_that_doubles_is_noticed_though_the_fastest_tenth_is_as_before() {
        let slow_median = |p50: f64| {
            let mut new = rows(&[101.5], &[101.5, 101.0, 102.0]);
            for row in &mut new {
                row.p50_ns = p50 * 100.0;
                row.p90_ns = p50 * 110.0;
                row.p95_ns = p50 * 120.0;
                row.p99_ns = p50 * 130.0;
            }
            new
        };
        let slower = check(&slow_median(300.0), Verdict::Slower);
        assert!(slower.change_percent.unwrap() > 150.0, "{slower:?}");
        assert_eq!(slower.quantile.as_deref(), Some("median"));
        check(&slow_median(160.0), Verdict::Pass);
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
