//! Comparisons of two revisions, from end to end functions of data: the engine is `bench_gate`'s.

pub(crate) mod overrule;
pub(crate) mod report;
