//! The audit of a dependency graph: functions of locks, resolutions and source texts, without I/O.
//!
//! ```text
//! lock, graph ← Cargo.lock, cargo metadata      config, profile ← the root manifest, the flags
//! diamond (with interop, requirement) → finding → activation or tree confirms, exposure adds evidence → report
//! cure → candidates and the check of what changed; blocker → what to do where the lock cannot cure it
//! ```

pub(crate) mod activation;
pub(crate) mod blocker;
pub(crate) mod config;
pub(crate) mod cure;
pub(crate) mod diamond;
pub(crate) mod error;
pub(crate) mod exposure;
pub(crate) mod finding;
pub(crate) mod graph;
pub(crate) mod index;
pub(crate) mod interop;
pub(crate) mod lock;
pub(crate) mod manifest;
pub(crate) mod profile;
pub(crate) mod report;
pub(crate) mod requirement;
pub(crate) mod tree;
pub(crate) mod why;
