//! What one gate sees of a case after some blocks: the effect, its interval, and how likely it is by chance.

use crate::{
    ab::{
        compare::{Blocks, Time},
        recording::Arm,
    },
    stat::{aligned, detectable, hodges_lehmann::Effect, signed_rank},
};

/// A time by which cases are compared.
pub(super) struct Gate {
    pub(super) name: &'static str,
    pub(super) time: Time,
    /// Effects up to this are never called a change, whatever the statistics say; it depends on whether the case is short.
    pub(super) floor: fn(is_short: bool) -> f64,
}

/// The gates: the fastest tenth, which is steadiest, and the median, which finds what leaves one call in ten as it was.
pub(super) const GATES: [Gate; 2] = [
    Gate {
        name: "fastest tenth",
        time: |window| Some(window.p10_ns),
        floor: |is_short| if is_short { 0.05 } else { 0.02 },
    },
    Gate {
        name: "median",
        time: |window| Some(window.p50_ns),
        floor: |_| 0.15,
    },
];

/// In tasks shorter than this, what a compiler makes of the code around them, and where a linker puts it, moves the time by some per cent.
const SHORT_NS: f64 = 10_000.0;

/// Whether a case is made of short tasks. The CPU runs those of a batch one after the other, so that each of them is as much slower or
/// faster as it would be alone; adapters are given all at once.
pub(crate) fn is_short(case: &str, typical_ns: f64) -> bool {
    let tasks = match case.split('/').collect::<Vec<_>>()[..] {
        [_, "cpu", amount] => amount.split_once('x').and_then(|(tasks, _)| tasks.parse().ok()),
        _ => None,
    };
    typical_ns < SHORT_NS * tasks.unwrap_or(1.0)
}

/// Error of the intervals, both sides together.
pub(super) const INTERVAL_ERROR: f64 = 0.01;
/// A second base that differs from the first with this p-value, one-sided, and by half of the floor, tells of noise that the test does
/// not know.
const SENTINEL_LEVEL: f64 = 0.005;
/// One gate's view of a case.
pub(super) struct View {
    pub(super) effect: Effect,
    pub(super) sentinel: Effect,
    pub(super) p_slower: f64,
    pub(super) p_faster: f64,
    p_sentinel: f64,
    pub(super) floor: f64,
    pub(super) deviation: f64,
}

pub(super) fn views(case: &str, recorded: &Blocks<'_>, blocks: usize) -> [View; GATES.len()] {
    GATES.each_ref().map(|gate| {
        let differences = recorded.differences(gate.time, blocks);
        let times: Vec<[f64; 3]> = differences.iter().map(|d| d.times).collect();
        let head: Vec<f64> = differences.iter().map(|d| d.head).collect();
        let again: Vec<f64> = differences.iter().map(|d| d.again).collect();
        let negative = |values: &[f64]| values.iter().map(|d| -d).collect::<Vec<_>>();
        let typical_ns = recorded.typical_ns(Arm::Base, gate.time, blocks).unwrap_or_default();
        let (p_slower, p_faster) = aligned::p_greater_and_less(&times);
        View {
            effect: aligned::effect(&times, INTERVAL_ERROR),
            sentinel: Effect::of(&again, INTERVAL_ERROR),
            p_slower,
            p_faster,
            p_sentinel: signed_rank::p_greater(&again).min(signed_rank::p_greater(&negative(&again))),
            floor: (gate.floor)(is_short(case, typical_ns)).ln_1p(),
            deviation: detectable::deviation(&head),
        }
    })
}

impl View {
    /// Whether the base differs from itself, and by so much that the effect may be nothing else.
    pub(super) fn is_in_question(&self) -> bool {
        let differs = self.p_sentinel <= SENTINEL_LEVEL && self.sentinel.estimate.abs() > self.floor / 2.0;
        let most = self.sentinel.low.abs().max(self.sentinel.high.abs());
        differs && self.effect.estimate.abs() - most <= self.floor
    }

    /// Whether there is a change, for all that is known, that is more than the floor.
    pub(super) fn is_suspicious(&self) -> bool {
        self.effect.estimate.abs() > self.floor && (self.effect.low > 0.0 || self.effect.high < 0.0)
    }

    pub(super) fn is_within(&self, bound: f64) -> bool {
        self.effect.high < bound && self.effect.low > -bound
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_on_the_cpu_is_as_short_as_its_tasks() {
        for (case, typical_ns, expected) in [
            ("vector_add/cpu/1000", 9_999.0, true),
            ("vector_add/cpu/1000", 10_000.0, false),
            ("vector_add/cpu/1000x256", 60_000.0, true),
            ("vector_add/cpu/4x250000", 60_000.0, false),
            ("vector_add/vulkan/1000x256", 60_000.0, false),
            ("u64[max]/itoa", 8.0, true),
            ("any/cpu/x", 60_000.0, false),
        ] {
            assert_eq!(is_short(case, typical_ns), expected, "{case} of {typical_ns} ns");
        }
    }
}
