//! What is said of each case, and of the run as a whole.

pub(crate) use bench_gate::verdict::Verdict;
use serde::Serialize;

use crate::{
    case::{CaseId, CounterChange},
    exit::Exit,
};

/// The verdict on one case, with what it rests on.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct CaseVerdict {
    #[serde(flatten)]
    pub(crate) case: CaseId,
    pub(crate) verdict: Verdict,
    /// Counters that are not the baseline's; none if they are, or if there is nothing to compare.
    pub(crate) counters: Vec<CounterChange>,
    /// Processes that measured it, and the calls they made; 0 if none did.
    pub(crate) processes: u64,
    pub(crate) calls: u64,
    /// Median over the processes of the fastest tenth of the calls.
    pub(crate) p10_ns: Option<f64>,
    /// Half the distance between the fastest and the slowest process in that; none with a single one.
    pub(crate) p10_spread_ns: Option<f64>,
    /// Median of the baseline's runs' medians.
    pub(crate) baseline_p50_ns: Option<f64>,
    /// Median of this run's processes' medians.
    pub(crate) p50_ns: Option<f64>,
    /// The quantile whose change decided: `fastest tenth`, or `median` where only that moved.
    pub(crate) quantile: Option<String>,
    /// Calibrated change of that quantile, in per cent; positive is slower.
    pub(crate) change_percent: Option<f64>,
    /// The smallest change that would have been noticed, in per cent.
    pub(crate) detectable_percent: Option<f64>,
    /// Whether it looks slower or faster by the baseline, and not only unsure.
    #[serde(skip)]
    pub(crate) is_suspect: bool,
    /// Why, where the numbers do not say it.
    pub(crate) note: Option<String>,
}

impl CaseVerdict {
    /// A verdict that rests on nothing yet.
    pub(crate) fn new(case: CaseId, verdict: Verdict) -> Self {
        Self {
            case,
            verdict,
            counters: Vec::new(),
            processes: 0,
            calls: 0,
            p10_ns: None,
            p10_spread_ns: None,
            baseline_p50_ns: None,
            p50_ns: None,
            quantile: None,
            change_percent: None,
            detectable_percent: None,
            is_suspect: false,
            note: None,
        }
    }
}

/// What the timing part of the gate may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Timing {
    /// A case that is slower fails the run.
    Enforced,
    /// Times are shown; only counters fail the run.
    Advisory,
}

/// How strict the run as a whole is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Strictness {
    pub(crate) timing: Timing,
    /// Inconclusive, noisy and missing cases fail.
    pub(crate) strict: bool,
}

impl Strictness {
    /// How the run ends if a case has this verdict; `None` if that does not fail it.
    pub(crate) fn failure(self, verdict: Verdict) -> Option<Exit> {
        match verdict {
            Verdict::CountersChanged => Some(Exit::Regression),
            Verdict::Slower => (self.timing == Timing::Enforced).then_some(Exit::Regression),
            Verdict::Inconclusive | Verdict::Noisy | Verdict::Missing => self.strict.then_some(Exit::Inconclusive),
            Verdict::Faster | Verdict::New | Verdict::Pass | Verdict::NotMeasured => None,
        }
    }
}

/// The exit code that verdicts amount to: the worst, and a regression is worse than what cannot be told.
pub(crate) fn exit(verdicts: &[CaseVerdict], strictness: Strictness) -> Exit {
    let failures: Vec<Exit> = verdicts.iter().filter_map(|v| strictness.failure(v.verdict)).collect();
    let is_timed = |v: &&CaseVerdict| matches!(v.verdict, Verdict::Inconclusive | Verdict::Noisy);
    let is_judged =
        |v: &CaseVerdict| matches!(v.verdict, Verdict::Slower | Verdict::Faster | Verdict::Pass) && v.p50_ns.is_some();
    // Cases on both sides and none of them judged: that says nothing, and is no pass.
    let none_judged = verdicts.iter().any(|v| is_timed(&v)) && !verdicts.iter().any(is_judged);
    if failures.contains(&Exit::Regression) {
        Exit::Regression
    } else if none_judged && strictness.timing == Timing::Enforced {
        Exit::Inconclusive
    } else {
        failures.first().copied().unwrap_or(Exit::Pass)
    }
}

/// The exit code where a baseline is asked for and there is none; counters that changed all the same come first.
pub(crate) fn required(exit: Exit) -> Exit {
    match exit {
        Exit::Regression => exit,
        _ => Exit::NoBaseline,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdicts(words: &[Verdict]) -> Vec<CaseVerdict> {
        words
            .iter()
            .map(|&verdict| {
                let case = CaseId {
                    op: "o".to_owned(),
                    backend: "cpu".to_owned(),
                    size: 1,
                    tasks: 1,
                };
                CaseVerdict {
                    p50_ns: Some(1000.0),
                    ..CaseVerdict::new(case, verdict)
                }
            })
            .collect()
    }

    #[test]
    fn the_exit_code_is_the_worst_that_the_strictness_counts() {
        use Verdict::*;
        let check = |words: &[Verdict], timing, strict, expected| {
            let exit = exit(&verdicts(words), Strictness { timing, strict });
            assert_eq!(exit, expected, "{words:?}, {timing:?}, strict: {strict}");
        };
        for strict in [false, true] {
            check(&[], Timing::Enforced, strict, Exit::Pass);
            check(&[Pass, Faster, New, NotMeasured], Timing::Enforced, strict, Exit::Pass);
            check(&[Pass, Slower, Noisy], Timing::Enforced, strict, Exit::Regression);
            check(&[Pass, CountersChanged], Timing::Advisory, strict, Exit::Regression);
            check(&[Slower], Timing::Advisory, strict, Exit::Pass);
        }
        for word in [Inconclusive, Noisy, Missing] {
            check(&[Pass, word], Timing::Enforced, false, Exit::Pass);
            check(&[Pass, word], Timing::Enforced, true, Exit::Inconclusive);
        }
    }
}
