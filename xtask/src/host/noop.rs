//! Has the bench program count its calls into wgpu without a driver.

use std::{
    io::Read,
    path::Path,
    process::{Command, Stdio},
    sync::mpsc,
    time::Duration,
};

use serde::Deserialize;

use crate::{
    case::{CaseId, Counters},
    error::Error,
    noop::{BACKEND, Noop},
};

/// Set for a bench program that is to count, and do nothing else.
pub(crate) const BENCH_ENV: &str = "GPU_EXECUTOR_BENCH_NOOP";

/// It takes half a second.
const LIMIT: Duration = Duration::from_secs(120);

/// Asks for the counters of every case.
pub(crate) fn count(program: &Path) -> Result<Noop, Error> {
    counted(program, LIMIT)
}

fn counted(program: &Path, limit: Duration) -> Result<Noop, Error> {
    #[derive(Deserialize)]
    struct Counted {
        op: String,
        size: u64,
        tasks: u64,
        counters: Counters,
    }
    let mut command = Command::new(program);
    command.env(BENCH_ENV, "1").stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(Error::io("run", program))?;
    let stdout = read(child.stdout.take());
    let stderr = read(child.stderr.take());
    let failed = |why: String| Error::Failed(format!("calls into wgpu cannot be counted without a driver: {why}"));
    let Ok(stdout) = stdout.recv_timeout(limit) else {
        child.kill().map_err(Error::io("stop", program))?;
        child.wait().map_err(Error::io("wait for", program))?;
        return Err(failed(format!("it took longer than {limit:?} and was stopped")));
    };
    let status = child.wait().map_err(Error::io("wait for", program))?;
    if !status.success() {
        let stderr = stderr.recv_timeout(limit).unwrap_or_default();
        let stderr = String::from_utf8_lossy(&stderr);
        return Err(failed(format!("{status}: {}", stderr.trim())));
    }
    let counted: Vec<Counted> = serde_json::from_slice(&stdout).map_err(|error| failed(error.to_string()))?;
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

/// All that comes from a pipe, once it is closed.
fn read(pipe: Option<impl Read + Send + 'static>) -> mpsc::Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        // What can no longer be read is not there.
        let _ = pipe.map(|mut pipe| pipe.read_to_end(&mut bytes));
        // Whoever gave up waiting does not want it.
        let _ = sender.send(bytes);
    });
    receiver
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_program_that_fails_or_hangs_or_talks_nonsense_is_named_and_counts_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let check = |script: &str, expected: &str| {
            let program = folder.path().join("bench");
            std::fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
            std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
            let error = counted(&program, Duration::from_secs(3)).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        };
        check("exec sleep 1000", "took longer than 3s and was stopped");
        check(
            "echo the device is on fire >&2; exit 3",
            "exit status: 3: the device is on fire",
        );
        check("echo '[]'", "has no case");
        check("echo nonsense", "cannot be counted");
    }
}
