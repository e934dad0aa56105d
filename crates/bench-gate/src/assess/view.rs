//! What some blocks show of one case in one statistic.

use statrs::distribution::{ContinuousCDF as _, Normal};

use super::{
    gates::Gate,
    input::{BASE, CONTROL, Case, HEAD, Three},
};
use crate::stat::{Effect, SHORT_NS, aligned, layout::Layout, power, quantile::median, signed_rank};

/// Two-sided error of the intervals.
pub(super) const INTERVAL_ERROR: f64 = 0.01;

/// Standard errors from the estimate to either end of an interval.
pub(super) fn z() -> f64 {
    Normal::standard().inverse_cdf(1.0 - INTERVAL_ERROR / 2.0)
}

/// One-sided level at which the control is said to differ from the base.
const CONTROL_LEVEL: f64 = 0.005;

/// Effect, interval and probabilities, as logarithms.
#[derive(Clone, Debug)]
pub(super) struct View {
    pub(super) effect: Effect,
    /// The control against the base.
    pub(super) control: Effect,
    /// Slower by more than is accepted, and faster, each one-sided and of a single test.
    pub(super) p_slower: f64,
    pub(super) p_faster: f64,
    p_control: f64,
    /// Of the head against the mean of base and control, over blocks.
    pub(super) deviation: f64,
    /// Typical times in nanoseconds.
    pub(super) base_ns: f64,
    pub(super) head_ns: f64,
    /// A change that surely is smaller is none.
    pub(super) floor: f64,
    /// A case passes if it surely is slower by less than this, beyond what is accepted.
    pub(super) bound: f64,
    pub(super) accepted: f64,
    pub(super) layout: Layout,
}

impl View {
    /// The first `n` blocks of a case.
    pub(super) fn new(case: &Case, gate: &Gate, n: usize) -> Self {
        let blocks: Vec<Three> = case.blocks[..n]
            .iter()
            .map(|block| block.three(gate.statistic))
            .collect();
        let of = |value: fn(&Three) -> f64| blocks.iter().map(value).collect::<Vec<f64>>();
        let control = of(|block| block[CONTROL] - block[BASE]);
        let accepted = case
            .accepted
            .as_ref()
            .map_or(0.0, |accepted| (accepted.percent / 100.0).ln_1p());
        let beyond: Vec<Three> = blocks
            .iter()
            .map(|[head, base, control]| [head - accepted, *base, *control])
            .collect();
        let (effect, error) = aligned::effect(&blocks, INTERVAL_ERROR);
        let base_ns = median(&of(|block| f64::midpoint(block[BASE], block[CONTROL]))).exp();
        let layout = case.layout.unwrap_or_else(|| Layout::assumed(base_ns));
        Self {
            p_slower: aligned::p_greater_and_less(&beyond)
                .0
                .max(layout.p_greater_and_less(effect.estimate - accepted, error, n).0),
            p_faster: aligned::p_greater_and_less(&blocks)
                .1
                .max(layout.p_greater_and_less(effect.estimate, error, n).1),
            p_control: signed_rank::p_greater(&control)
                .min(signed_rank::p_greater(&control.iter().map(|d| -d).collect::<Vec<_>>())),
            control: signed_rank::effect(&control, INTERVAL_ERROR),
            deviation: power::deviation(&of(|block| block[HEAD] - f64::midpoint(block[BASE], block[CONTROL]))),
            base_ns,
            head_ns: median(&of(|block| block[HEAD])).exp(),
            floor: gate.floor.ln_1p(),
            bound: if base_ns < SHORT_NS {
                gate.short_bound
            } else {
                gate.bound
            }
            .ln_1p(),
            effect,
            accepted,
            layout,
        }
    }

    /// Whether the control differs from the base by so much that the effect may be the same thing.
    pub(super) fn is_in_question(&self) -> bool {
        self.p_control <= CONTROL_LEVEL
            && self.control.estimate.abs() > self.floor / 2.0
            && self.effect.estimate.abs() <= self.control.reach()
    }

    /// Whether a slowdown of the floor, beyond what is accepted, is not excluded.
    pub(super) fn may_be_slower(&self) -> bool {
        self.effect.high >= self.accepted + self.floor
    }

    /// Whether a speed-up of the floor is not excluded.
    pub(super) fn may_be_faster(&self) -> bool {
        self.effect.low <= -self.floor
    }

    /// Whether a slowdown larger than the bound is excluded.
    pub(super) fn is_bounded(&self) -> bool {
        self.effect.high < self.accepted + self.bound
    }

    /// Whether there is a slowdown by the interval alone, which knows of no other case.
    pub(super) fn is_suspicious(&self) -> bool {
        self.effect.low > self.accepted && self.effect.estimate > self.accepted + self.floor
    }

    /// Whether more blocks may find a change of the floor or more.
    pub(super) fn is_promising(&self) -> bool {
        const HINT: f64 = 0.05;
        (self.may_be_slower() && self.p_slower <= HINT) || (self.may_be_faster() && self.p_faster <= HINT)
    }
}
