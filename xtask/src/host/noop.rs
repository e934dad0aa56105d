//! Has the bench program count its calls into wgpu without a driver.

use std::{path::Path, process::Command};

use serde::Deserialize;

use crate::{
    case::{CaseId, Counters},
    error::Error,
    noop::{BACKEND, Noop},
};

/// Asks for the counters of every case.
pub(crate) fn count(program: &Path) -> Result<Noop, Error> {
    #[derive(Deserialize)]
    struct Counted {
        op: String,
        size: u64,
        tasks: u64,
        counters: Counters,
    }
    let mut command = Command::new(program);
    command.env("GPU_EXECUTOR_BENCH_NOOP", "1");
    let output = command.output().map_err(Error::io("run", program))?;
    let failed = |why: String| Error::Failed(format!("calls into wgpu cannot be counted without a driver: {why}"));
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        return Err(failed(format!("{}: {}", output.status, stderr.trim())));
    }
    let counted: Vec<Counted> = serde_json::from_slice(&output.stdout).map_err(|error| failed(error.to_string()))?;
    if counted.is_empty() {
        return Err(failed("the bench program has no case".to_owned()));
    }
    Ok(Noop::new(counted.into_iter().map(|counted| {
        let case = CaseId {
            op: counted.op,
            backend: BACKEND.to_owned(),
            tasks: counted.tasks,
            size: counted.size,
        };
        (case, counted.counters)
    })))
}
