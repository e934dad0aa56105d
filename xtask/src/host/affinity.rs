//! Binding processes to one core, which takes most of the noise out of drivers that compute on the CPU: they hand
//! work to other threads, and waking a thread on another core of a shared machine is slow and never twice the same.

use crate::error::Error;

/// Runs `spawn` while this thread, and so every process it starts, may use one core only: the last it is allowed.
///
/// Returns `None`, and runs nothing, where the system offers no way to do so.
#[cfg(target_os = "linux")]
pub(crate) fn on_one_core<R>(spawn: impl FnOnce() -> R) -> Option<R> {
    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

    let before = sched_getaffinity(None).ok()?;
    let last = (0..CpuSet::MAX_CPU).rev().find(|&core| before.is_set(core))?;
    let mut one = CpuSet::new();
    one.set(last);
    sched_setaffinity(None, &one).ok()?;
    let result = spawn();
    // Cannot fail: these are the cores the thread had a moment ago.
    let _ = sched_setaffinity(None, &before);
    Some(result)
}

/// Runs `spawn` bound to one core; there is no way to do so here, so it is not run.
#[cfg(not(target_os = "linux"))]
pub(crate) fn on_one_core<R>(spawn: impl FnOnce() -> R) -> Option<R> {
    let _ = spawn;
    None
}

/// What to say where [`on_one_core`] does not work.
pub(crate) fn impossible() -> Error {
    Error::Failed("this system cannot bind a process to one core; pass --free".to_owned())
}

/// Whether [`on_one_core`] works here.
pub(crate) fn is_possible() -> bool {
    on_one_core(|| ()).is_some()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #[test]
    fn a_process_started_so_has_one_core_and_this_one_keeps_its_own() {
        let before = std::thread::available_parallelism().unwrap();
        let output = super::on_one_core(|| std::process::Command::new("nproc").output().unwrap()).unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "1");
        assert_eq!(std::thread::available_parallelism().unwrap(), before);
    }
}
