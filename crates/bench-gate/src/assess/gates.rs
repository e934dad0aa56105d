//! Which statistics are judged, and by how much each may change.

use super::input::Statistic;

/// How one statistic is judged.
#[derive(Clone, Copy, Debug)]
pub struct Gate {
    /// The statistic.
    pub statistic: Statistic,
    /// A change that surely is smaller is none: 0.01 is 1 %.
    pub floor: f64,
    /// A case passes if it surely is slower by less than this.
    pub bound: f64,
    /// The same for calls shorter than 10 µs.
    pub short_bound: f64,
}

/// What a statistic that bounds no pass may be slower by: ten times, which every other would show.
pub(super) const UNBOUNDED: f64 = 9.0;

/// The statistics judged. A case is slower if it is in one of them, and passes if it does in all.
///
/// The fastest tenth and the median are steady. What they leave out is calls that are slow now and
/// then: mean and 95th percentile find those (of one call in twelve that takes twice as long, the mean
/// shows 8 %, the percentile up to 70 %), as well as their noise allows. They confirm a slowdown and
/// bound none: on a shared machine one preempted call moves a window's mean by more than any bound.
pub const GATES: [Gate; 4] = [
    Gate {
        statistic: Statistic::Fast,
        floor: 0.01,
        bound: 0.05,
        short_bound: 0.08,
    },
    Gate {
        statistic: Statistic::Median,
        floor: 0.01,
        bound: 0.05,
        short_bound: 0.08,
    },
    Gate {
        statistic: Statistic::Mean,
        floor: 0.03,
        bound: UNBOUNDED,
        short_bound: UNBOUNDED,
    },
    Gate {
        statistic: Statistic::Upper,
        floor: 0.05,
        bound: UNBOUNDED,
        short_bound: UNBOUNDED,
    },
];
