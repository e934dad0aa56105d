//! Whether a bench program computes on several threads. Bound to one core, as comparisons are, a program that lost
//! its parallelism would look as fast as before.

use std::{
    path::Path,
    process::{Child, Stdio},
    time::{Duration, Instant},
};

use crate::project::Program;

/// How long a program may take to run each of its cases once.
const LIMIT: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(1);

/// A program is run again until it was looked at so often: on a busy machine the first look may come too late.
const LOOKS: usize = 20;
const MAX_RUNS: usize = 5;

/// The most threads that a program had while it ran each of its cases once, as criterion's `--test` has it; `None`
/// where the system does not say. Threads that live for less than a millisecond may be missed.
pub(super) fn started(program: &Program, folder: &Path) -> Option<usize> {
    let deadline = Instant::now() + LIMIT;
    let (mut most, mut looks) = (None, 0);
    for _ in 0..MAX_RUNS {
        if looks >= LOOKS || Instant::now() >= deadline {
            break;
        }
        let mut command = program.command();
        command
            .args(["--bench", "--test"])
            .env("CRITERION_HOME", folder.join("raw/threads"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let mut child = command.spawn().ok()?;
        while matches!(child.try_wait(), Ok(None)) && Instant::now() < deadline {
            let threads = threads(&child);
            looks += usize::from(threads.is_some());
            most = most.max(threads);
            std::thread::sleep(PAUSE);
        }
        let _ = child.kill();
        let _ = child.wait();
    }
    most
}

/// The threads of a process at the moment.
fn threads(child: &Child) -> Option<usize> {
    if cfg!(target_os = "linux") {
        let entries = std::fs::read_dir(format!("/proc/{}/task", child.id())).ok()?;
        Some(entries.count())
    } else {
        None
    }
}
