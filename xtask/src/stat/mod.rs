//! Statistics of paired comparisons: functions of numbers, each checked against published values.

pub(crate) mod aligned;
pub(crate) mod detectable;
pub(crate) mod hodges_lehmann;
pub(crate) mod holm;
pub(crate) mod looks;
pub(crate) mod mann_whitney;
pub(crate) mod random;
pub(crate) mod rivals;
pub(crate) mod schedule;
pub(crate) mod signed_rank;
