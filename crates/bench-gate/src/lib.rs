//! Compares the speed of two programs in turns, holds runs against stored baselines, and says which
//! cases became slower.
//!
//! The crate knows nothing of the project it measures: operators and adapters stay outside.

pub mod assess;
pub mod binding;
pub mod bisection;
pub mod cli;
pub mod console;
pub mod criterion;
pub mod crossover;
pub mod error;
pub mod exit;
pub mod figures;
pub mod files;
pub mod gpu;
pub mod html;
pub mod interrupt;
pub mod lines;
pub mod lock;
pub mod measure;
pub mod process;
pub mod progress;
pub mod project;
pub mod record;
pub mod stat;
pub mod stored;
pub mod table;
pub mod tags;
pub mod verdict;

pub use error::Error;
