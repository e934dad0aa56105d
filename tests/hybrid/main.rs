//! A router gives what the CPU gives, wherever tasks run, says where that was, and loses nothing
//! when a device fails.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "tests say what they saw, and have helpers"
)]

#[path = "../common/mod.rs"]
mod common;
mod faults;
#[cfg(target_os = "linux")]
mod limits;
mod routes;
mod tables;

use std::time::Duration;

use gpu_executor::{Adapter, Backend, Hybrid, HybridOptions, hybrid::Threshold};

/// The adapters that are not the CPU.
pub(crate) fn gpus() -> Vec<Adapter> {
    let mut backends = vec![Backend::Cpu];
    let mut adapters = common::adapters();
    // A router uses one adapter of a backend: the first.
    adapters.retain(|adapter| {
        let backend = adapter.info().backend;
        let is_first = !backends.contains(&backend);
        backends.push(backend);
        is_first
    });
    adapters
}

/// Nothing is calibrated, so that what a test finds does not depend on times.
pub(crate) fn hybrid(adapters: &[Adapter], folder: &str) -> Hybrid {
    within(adapters, folder, Duration::ZERO)
}

pub(crate) fn within(adapters: &[Adapter], folder: &str, budget: Duration) -> Hybrid {
    let options = HybridOptions::default()
        .executor(common::options().cache_dir(folder))
        .budget(budget);
    Hybrid::on(adapters, options).unwrap()
}

/// The number of items from which tasks run on a device.
pub(crate) fn from(items: u64, backend: Backend) -> Threshold {
    Threshold {
        depth: 1,
        items,
        backend,
    }
}

/// Runs one test of this program in a process of its own, with some environment, and returns what
/// it prints.
pub(crate) fn child(test: &str, environment: &[(&str, &str)]) -> String {
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture"])
        .envs(environment.iter().copied())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{test}: {}\n{text}{errors}", output.status);
    text
}
