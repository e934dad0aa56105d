//! Compares the speed of two programs in turns, holds runs against stored baselines, and says which
//! cases became slower.
//!
//! The crate knows nothing of the project it measures: operators and adapters stay outside.

pub mod assess;
pub mod cli;
pub mod criterion;
pub mod project;
pub mod stat;
pub mod verdict;
