//! A random generator of a known sequence.

pub(crate) mod random;
