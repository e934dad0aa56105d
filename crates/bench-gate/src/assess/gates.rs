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

/// The statistics judged. A case is slower if it is in one of them, and passes if it does in all.
pub const GATES: [Gate; 3] = [
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
        floor: 0.02,
        bound: 0.15,
        short_bound: 0.15,
    },
];
