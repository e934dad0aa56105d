//! Finds the version split behind "there are multiple different versions of crate `x`" in a cargo workspace, and a cure
//! that was tried.
//!
//! ```text
//! lock, graph ← Cargo.lock, cargo metadata      config, profile ← the root manifest, the flags
//! source (paths to the crate that defines an item) → api (what a crate exposes), usage and proof (what a crate uses)
//! split (with interop, requirement) → finding → activation or tree confirms, rustc raises, baseline lowers → report
//! cure → candidates and the check of what changed; blocker → what to do where the lock cannot cure it
//! ```
//!
//! Only `command` runs programs and reads files; every other module is a function of its arguments.

mod activation;
mod api;
mod baseline;
mod blocker;
mod cfg;
mod command;
mod config;
mod cure;
mod error;
mod family;
mod features;
mod finding;
mod graph;
mod index;
mod interop;
pub mod lock;
mod manifest;
mod profile;
mod proof;
mod report;
mod requirement;
mod rustc;
mod source;
mod split;
mod tree;
mod usage;
mod why;

pub use crate::{
    command::{Exit, Flags, help, run, styles},
    error::Error,
};
