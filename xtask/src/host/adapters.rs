//! Asks the library's listing which adapters there are.

use std::{
    path::Path,
    process::{Command, Output},
};

use serde::Deserialize;

use crate::{
    error::Error,
    fingerprint::AdapterPrint,
    host::{affinity, quiet_display},
};

/// What the listing prints.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Listing {
    /// Every adapter found, the unusable ones included.
    pub(crate) adapters: Vec<Adapter>,
    /// For each backend the adapter it would be measured on.
    pub(crate) picked: Vec<Adapter>,
    /// Backends without one.
    pub(crate) absent: Vec<Absent>,
    /// Of the programs that do the work; said by the peers alone.
    #[serde(default)]
    pub(crate) versions: Vec<String>,
}

impl Listing {
    /// Whether a backend computes on the CPU.
    pub(crate) fn is_software(&self, backend: &str) -> bool {
        let mut prints = self.picked.iter().map(|adapter| &adapter.print);
        prints.any(|print| print.backend == backend && print.kind == "software")
    }
}

/// An adapter, as the library describes it.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Adapter {
    #[serde(flatten)]
    pub(crate) print: AdapterPrint,
    pub(crate) timestamps: bool,
    pub(crate) limits: Option<Limits>,
    pub(crate) unusable: Option<String>,
    /// How tasks reach it; absent unless asked for, and on the CPU.
    #[serde(default)]
    pub(crate) tuning: Option<String>,
}

/// The limits that decide how a task is laid out.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) struct Limits {
    pub(crate) buffer_bytes: u64,
    pub(crate) storage_binding_bytes: u64,
    pub(crate) workgroups_per_dimension: u32,
}

/// A backend that cannot be measured, and why.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Absent {
    pub(crate) backend: String,
    pub(crate) reason: String,
}

/// Runs the listing for all backends of this build: which of them are measured does not change what machine this is.
pub(crate) fn list(program: &Path) -> Result<Listing, Error> {
    let mut command = Command::new(program);
    command.arg("--json").env_remove("GPU_EXECUTOR_BACKENDS");
    quiet_display(&mut command);
    read(&command.output().map_err(Error::io("run", program))?)
}

/// How tasks reach the adapter of one backend, as the library's calibration finds on as many cores as are going to be used.
pub(crate) fn tuning(program: &Path, backend: &str, bound: bool) -> Result<Option<String>, Error> {
    let mut command = Command::new(program);
    command
        .args(["--json", "--tuning"])
        .env("GPU_EXECUTOR_BACKENDS", backend);
    quiet_display(&mut command);
    let output = if bound {
        affinity::on_one_core(|| command.output()).ok_or_else(affinity::impossible)?
    } else {
        command.output()
    };
    let listing = read(&output.map_err(Error::io("run", program))?)?;
    let adapter = listing
        .picked
        .into_iter()
        .find(|adapter| adapter.print.backend == backend);
    Ok(adapter.and_then(|adapter| adapter.tuning))
}

fn read(output: &Output) -> Result<Listing, Error> {
    let stderr = String::from_utf8_lossy(&output.stderr);
    match output.status.code() {
        Some(0) => {}
        Some(2) => return Err(Error::Usage(stderr.trim().to_owned())),
        _ => {
            return Err(Error::Failed(format!(
                "the listing of adapters ended with {}: {}",
                output.status,
                stderr.trim()
            )));
        }
    }
    serde_json::from_slice(&output.stdout)
        .map_err(|error| Error::Failed(format!("cannot read the listing of adapters: {error}")))
}
