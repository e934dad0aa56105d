//! Statistics: pure functions of numbers, without clocks and files.

pub mod aligned;
pub mod change_points;
pub mod holm;
pub mod layout;
pub mod mann_whitney;
pub mod plan;
pub mod power;
pub mod proportion;
pub mod quantile;
pub mod reference;
pub mod signed_rank;

/// Calls shorter than this are moved by what surrounds them more than others are: their layout is
/// assumed to differ more, and a larger change passes.
pub const SHORT_NS: f64 = 10_000.0;

/// An effect and an interval around it. Of logarithms of times: 0.05 is about 5 % slower.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Effect {
    /// The estimate (Hodges–Lehmann).
    pub estimate: f64,
    /// The lower end of the interval.
    pub low: f64,
    /// The upper end of the interval.
    pub high: f64,
}

impl Effect {
    /// The largest distance from zero that the interval allows.
    pub fn reach(&self) -> f64 {
        self.low.abs().max(self.high.abs())
    }

    /// Whether the interval lies within ±`bound`.
    pub fn is_within(&self, bound: f64) -> bool {
        self.high < bound && self.low > -bound
    }
}
