//! Compares the speed of two programs in turns, holds runs against stored baselines, and says which
//! cases became slower.
//!
//! The crate knows nothing of the project it measures: operators and adapters stay outside.

pub mod assess;
pub mod crossover;
pub mod error;
pub mod figures;
pub mod html;
pub mod stat;
pub mod table;
pub mod tags;
pub mod verdict;

pub use error::Error;
