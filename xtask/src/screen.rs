//! The screen: which cases of a run differ from the baseline by more than the baseline's own runs differ.
//!
//! All times are compared as y = ln(quantile / calibration), for two quantiles. The fastest tenth of the calls is what
//! the code costs while nobody disturbs it: on shared machines the median moves by 20 % between runs of the same
//! program, this by 3 %. The median has a floor as high as such machines ask for, so that a change which leaves one call in
//! ten as fast as before is found as well, once it doubles the rest.

use std::collections::BTreeMap;

use statrs::distribution::{ContinuousCDF as _, StudentsT};

pub(crate) use crate::host::calibration::MOST_DISTURBANCE;
use crate::{
    case::CaseId,
    rows::{Row, Stage},
};

/// A quantile by which cases are compared.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gate {
    pub(crate) name: &'static str,
    pub(crate) time_ns: fn(&Row) -> f64,
    /// Effects up to this are never called a change: code layout and the machine's mood alone move a case that much.
    pub(crate) floor: f64,
}

/// The gates, the one that notices less than the other last.
pub(crate) const GATES: [Gate; 2] = [
    Gate {
        name: "fastest tenth",
        time_ns: |row| row.p10_ns,
        floor: 0.05,
    },
    Gate {
        name: "median",
        time_ns: |row| row.p50_ns,
        floor: 1.0,
    },
];

/// Differences of this many nanoseconds are never called a change: clocks of virtual machines tick every 10 ns, which is
/// 8 % of the shortest case.
const CLOCK_NS: f64 = 20.0;

impl Gate {
    /// The floor of a case that typically takes `typical_ns`, as a natural logarithm.
    pub(crate) fn floor_at(&self, typical_ns: f64) -> f64 {
        self.floor.max(CLOCK_NS / typical_ns).ln_1p()
    }
}

/// One-sided level at which a case becomes a suspect.
const SCREEN_LEVEL: f64 = 0.05;
/// Level of Holm's procedure over the suspects of a run. Half of the 1 % that unchanged code may be convicted in, since
/// a baseline that happens to be fast both makes suspects and helps to convict them.
const CONVICTION_LEVEL: f64 = 0.005;
/// Fewest runs a baseline can be judged against.
pub(crate) const FEWEST_RUNS: u64 = 3;

/// Calibrated times of one case: y = ln(quantile / calibration), one of each run.
pub(crate) type Times = Vec<f64>;

/// The usual time of the calibration kernel: its fastest tenth over a baseline.
pub(crate) fn usual_calibration_ns(baseline: &[Row]) -> Option<f64> {
    let mut times_ns: Vec<f64> = baseline.iter().map(|row| row.calibration_ns).collect();
    times_ns.sort_by(f64::total_cmp);
    times_ns.get(times_ns.len() / 10).copied()
}

/// The rows whose process was left alone while it measured them. What is left out is decided by the calibration kernel, never
/// by the times that are judged.
pub(crate) fn undisturbed(rows: &[Row], usual_calibration_ns: f64) -> Vec<Row> {
    let is_undisturbed = |row: &&Row| row.calibration_ns <= usual_calibration_ns * MOST_DISTURBANCE;
    rows.iter().filter(is_undisturbed).cloned().collect()
}

/// The calibrated times of every case in one stage.
pub(crate) fn times(rows: &[Row], stage: Stage, gate: &Gate) -> BTreeMap<CaseId, Times> {
    let mut times: BTreeMap<CaseId, Times> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.stage == stage) {
        let calibration_ns = calibration_ns(rows, stage, row.run, &row.case.backend);
        times
            .entry(row.case.clone())
            .or_default()
            .push(((gate.time_ns)(row) / calibration_ns).ln());
    }
    times
}

/// The calibration of one process: the fastest of its cases, which neither neighbours nor the cache have touched.
fn calibration_ns(rows: &[Row], stage: Stage, run: u64, backend: &str) -> f64 {
    let of_process = |row: &&Row| row.stage == stage && row.run == run && row.case.backend == backend;
    rows.iter()
        .filter(of_process)
        .map(|row| row.calibration_ns)
        .fold(f64::INFINITY, f64::min)
}

/// What the baseline's runs say of a case.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Summary {
    n: f64,
    mean: f64,
    /// Sum of squared distances from the mean.
    squares: f64,
}

impl Summary {
    fn of(times: &[f64]) -> Self {
        let n = times.len() as f64;
        let mean = times.iter().sum::<f64>() / n;
        Self {
            n,
            mean,
            squares: times.iter().map(|y| (y - mean).powi(2)).sum(),
        }
    }
}

/// How a case differs from its baseline, as natural logarithms: 0.05 is about 5 % slower.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Difference {
    pub(crate) effect: f64,
    /// The smallest effect that would have been noticed.
    pub(crate) threshold: f64,
}

impl Difference {
    pub(crate) fn is_slower(&self) -> bool {
        self.effect > self.threshold
    }

    pub(crate) fn is_faster(&self) -> bool {
        -self.effect > self.threshold
    }
}

/// Compares new times of a case with its baseline's: a suspect lies further off than
/// max(floor, t(95 %, K − 1) · s · √(1/k + 1/K)), K being the baseline's runs, s their standard deviation and
/// k the new runs. `None` if the baseline has too few runs, or either has none.
pub(crate) fn screen(baseline: &[f64], new: &[f64], floor: f64) -> Option<Difference> {
    if (baseline.len() as u64) < FEWEST_RUNS || new.is_empty() {
        return None;
    }
    let (old, new) = (Summary::of(baseline), Summary::of(new));
    let deviation = (old.squares / (old.n - 1.0)).sqrt();
    let t = student(old.n - 1.0).inverse_cdf(1.0 - SCREEN_LEVEL);
    Some(Difference {
        effect: new.mean - old.mean,
        threshold: (t * deviation * (1.0 / new.n + 1.0 / old.n).sqrt()).max(floor),
    })
}

/// Judges suspects by the runs that were made to confirm them, and by these alone: those that made them suspects are
/// biased. A change is one whose two-sample t has a p-value that Holm's procedure rejects over all suspects,
/// and whose effect is above the floor.
///
/// `suspects` holds baseline times, confirming times and floor of each. Returns for each its difference, the threshold being the
/// effect that would have convicted it, or `None` where there are too few runs to judge.
///
/// Source: S. Holm, Scandinavian Journal of Statistics 6 (1979).
pub(crate) fn confirm(suspects: &[(&[f64], &[f64], f64)]) -> Vec<Option<Difference>> {
    let tests: Vec<Option<Test>> = suspects.iter().map(|(old, new, _)| Test::new(old, new)).collect();
    let mut order: Vec<(usize, &Test)> = tests
        .iter()
        .enumerate()
        .filter_map(|(i, t)| Some((i, t.as_ref()?)))
        .collect();
    order.sort_by(|(_, a), (_, b)| a.p_value().total_cmp(&b.p_value()));
    let level = |rank: usize| CONVICTION_LEVEL / (order.len() - rank) as f64;
    let accepted = |(rank, (_, test)): (usize, &(usize, &Test))| test.p_value() > level(rank);
    // Holm stops at the first test that is not rejected; the rest is held to the same level.
    let stop = order.iter().enumerate().position(accepted).unwrap_or(order.len());
    let mut differences = vec![None; tests.len()];
    for (rank, (index, test)) in order.iter().enumerate() {
        differences[*index] = Some(test.difference(level(rank.min(stop)), suspects[*index].2));
    }
    differences
}

/// A two-sample t with pooled variance.
struct Test {
    effect: f64,
    standard_error: f64,
    freedom: f64,
}

impl Test {
    fn new(old: &[f64], new: &[f64]) -> Option<Self> {
        if (old.len() as u64) < FEWEST_RUNS || new.len() < 2 {
            return None;
        }
        let (old, new) = (Summary::of(old), Summary::of(new));
        let freedom = old.n + new.n - 2.0;
        let variance = (old.squares + new.squares) / freedom;
        Some(Self {
            effect: new.mean - old.mean,
            standard_error: (variance * (1.0 / old.n + 1.0 / new.n)).sqrt(),
            freedom,
        })
    }

    /// Two-sided, so that an improvement is found as easily as a regression.
    fn p_value(&self) -> f64 {
        if self.standard_error == 0.0 {
            return if self.effect == 0.0 { 1.0 } else { 0.0 };
        }
        2.0 * student(self.freedom).sf((self.effect / self.standard_error).abs())
    }

    fn difference(&self, level: f64, floor: f64) -> Difference {
        let t = student(self.freedom).inverse_cdf(1.0 - level / 2.0);
        Difference {
            effect: self.effect,
            threshold: (t * self.standard_error).max(floor),
        }
    }
}

fn student(freedom: f64) -> StudentsT {
    StudentsT::new(0.0, 1.0, freedom).expect("at least one degree of freedom")
}

/// How far the calibration kernel has moved since the baseline, as a natural logarithm.
pub(crate) fn calibration_shift(baseline: &[Row], new: &[Row]) -> Option<f64> {
    Some((usual_calibration_ns(new)? / usual_calibration_ns(baseline)?).ln())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::tests::example;

    fn floor() -> f64 {
        GATES[0].floor_at(1e6)
    }

    #[test]
    fn the_threshold_is_students() {
        // t(95 %, 4) = 2.1318468; s² = 4 · 0.01 / 4; √(1 + 1/5) = 1.0954451.
        let baseline = [0.1, -0.1, 0.1, -0.1, 0.0];
        let difference = screen(&baseline, &[0.2], floor()).unwrap();
        assert!(
            (difference.threshold - 2.131_846_8 * 0.1 * 1.095_445_1).abs() < 1e-6,
            "{difference:?}"
        );
        assert!((difference.effect - 0.2).abs() < 1e-12);
        assert!(!difference.is_slower());
        assert!(screen(&baseline, &[0.24], floor()).unwrap().is_slower());
        assert!(screen(&baseline, &[-0.24], floor()).unwrap().is_faster());
    }

    #[test]
    fn what_a_clock_cannot_tell_is_below_the_floor() {
        assert_eq!(GATES[0].floor_at(1e6), 0.05_f64.ln_1p());
        assert_eq!(GATES[0].floor_at(100.0), 0.2_f64.ln_1p());
        assert_eq!(GATES[1].floor_at(100.0), 1.0_f64.ln_1p());
    }

    #[test]
    fn an_effect_below_the_floor_is_no_suspect_however_steady_the_baseline() {
        let steady = [0.0; 5];
        assert!(!screen(&steady, &[0.048], floor()).unwrap().is_slower());
        assert!(screen(&steady, &[0.050], floor()).unwrap().is_slower());
        assert_eq!(screen(&steady[..2], &[1.0], floor()), None, "too few runs");
        assert_eq!(screen(&steady, &[], floor()), None);
    }

    #[test]
    fn a_case_is_compared_after_calibration() {
        let mut slow_machine = [example("cpu", 1000, 1, 200.0), example("cpu", 2000, 1, 400.0)];
        for row in &mut slow_machine {
            row.calibration_ns = 120_000.0;
        }
        let usual = [example("cpu", 1000, 1, 100.0), example("cpu", 2000, 1, 200.0)];
        assert_eq!(
            times(&slow_machine, Stage::Screen, &GATES[0]),
            times(&usual, Stage::Screen, &GATES[0])
        );
        assert!(times(&usual, Stage::Confirm, &GATES[0]).is_empty());
        let shift = calibration_shift(&usual, &slow_machine).unwrap();
        assert!((shift - 2_f64.ln()).abs() < 1e-12);
    }

    #[test]
    fn a_suspect_is_convicted_by_confirming_runs_alone() {
        let baseline = [0.00, 0.01, -0.01, 0.005, -0.005];
        let check = |new: &[f64], convicted: bool| {
            let difference = confirm(&[(&baseline, new, floor())])[0].unwrap();
            assert_eq!(difference.is_slower(), convicted, "{new:?}: {difference:?}");
        };
        check(&[0.30, 0.31, 0.29], true);
        check(&[0.08, 0.09, 0.085], true);
        check(&[0.00, 0.01, -0.01], false);
        check(&[0.30, 0.00, 0.01], false);
        check(&[0.04, 0.041, 0.039], false);
        assert!(
            confirm(&[(&baseline, &[-0.3, -0.31, -0.29], floor())])[0]
                .unwrap()
                .is_faster()
        );
        assert_eq!(
            confirm(&[(&baseline, &[0.3], floor())]),
            [None],
            "one run confirms nothing"
        );
    }

    #[test]
    fn more_suspects_need_more_evidence() {
        let baseline = [0.00, 0.02, -0.02, 0.01, -0.01];
        let new = [0.09, 0.06, 0.08];
        let alone = confirm(&[(&baseline, &new, floor())])[0].unwrap();
        assert!(alone.is_slower(), "{alone:?}");
        let unremarkable = [0.001, -0.004, 0.006];
        let mut many: Vec<(&[f64], &[f64], f64)> = vec![(&baseline, &unremarkable, floor()); 200];
        many.push((&baseline, &new, floor()));
        let among_many = confirm(&many)[200].unwrap();
        assert!(!among_many.is_slower(), "{among_many:?}");
        assert!(among_many.threshold > alone.threshold);
    }

    /// Unchanged code with the noise of a bad machine, 2 000 times: the screen alone cries wolf, conviction does not.
    #[test]
    fn unchanged_code_is_rarely_convicted() {
        let mut state = 1_u64;
        let mut uniform = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 11) as f64 / (1_u64 << 53) as f64
        };
        // Between processes 4 %, and one process in ten up to 30 % slower.
        let mut process = || {
            let normal: f64 = (0..12).map(|_| uniform()).sum::<f64>() - 6.0;
            0.04 * normal + if uniform() < 0.1 { 0.3 * uniform() } else { 0.0 }
        };
        let (mut suspected, mut convicted) = (0, 0);
        for _ in 0..2000 {
            let cases: Vec<(Vec<f64>, Vec<f64>)> = (0..24)
                .map(|_| ((0..5).map(|_| process()).collect(), vec![process()]))
                .collect();
            let suspects: Vec<(Vec<f64>, Vec<f64>)> = cases
                .into_iter()
                .filter(|(old, new)| screen(old, new, floor()).is_some_and(|d| d.is_slower() || d.is_faster()))
                .map(|(old, _)| (old, (0..3).map(|_| process()).collect()))
                .collect();
            suspected += usize::from(!suspects.is_empty());
            let borrowed: Vec<(&[f64], &[f64], f64)> = suspects
                .iter()
                .map(|(o, n)| (o.as_slice(), n.as_slice(), floor()))
                .collect();
            convicted += usize::from(confirm(&borrowed).iter().flatten().any(Difference::is_slower));
        }
        assert!(
            suspected > 1000,
            "{suspected} of 2000 runs had a suspect: this noise is no test"
        );
        assert!(
            convicted <= 20,
            "{convicted} of 2000 runs of unchanged code were convicted"
        );
    }
}
