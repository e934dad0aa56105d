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

/// Cores that one part of this process keeps to.
#[derive(Debug)]
pub(crate) struct Share(
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "nothing can be bound there"))] Vec<usize>,
);

/// Divides the cores this thread is allowed into `n` shares of two or more neighbours: processors that are two threads of one core have
/// neighbouring numbers where machines are virtual.
///
/// # Errors
/// [`Error::Usage`] if there are too few.
#[cfg(target_os = "linux")]
pub(crate) fn shares(n: usize) -> Result<Vec<Share>, Error> {
    use rustix::thread::{CpuSet, sched_getaffinity};

    let allowed = sched_getaffinity(None).map_err(|_| impossible())?;
    let cores: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|&core| allowed.is_set(core)).collect();
    let each = cores.len() / n;
    if each < 2 {
        let most = cores.len() / 2;
        return Err(Error::Usage(format!(
            "--lanes {n}: {} cores are enough for {most} at the most, at two each",
            cores.len()
        )));
    }
    Ok(cores
        .chunks_exact(each)
        .take(n)
        .map(|cores| Share(cores.to_vec()))
        .collect())
}

/// Runs `work` while this thread, and every thread and process it starts, keeps to a share.
#[cfg(target_os = "linux")]
pub(crate) fn within<R>(Share(cores): &Share, work: impl FnOnce() -> Result<R, Error>) -> Result<R, Error> {
    use rustix::thread::{CpuSet, sched_setaffinity};

    let mut set = CpuSet::new();
    cores.iter().for_each(|&core| set.set(core));
    sched_setaffinity(None, &set).map_err(|_| impossible())?;
    work()
}

/// There is no way to do so here.
#[cfg(not(target_os = "linux"))]
pub(crate) fn shares(n: usize) -> Result<Vec<Share>, Error> {
    let _ = n;
    Err(impossible())
}

/// There is no way to do so here, so nothing is run.
#[cfg(not(target_os = "linux"))]
pub(crate) fn within<R>(_: &Share, work: impl FnOnce() -> Result<R, Error>) -> Result<R, Error> {
    let _ = work;
    Err(impossible())
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

    #[test]
    fn shares_have_two_cores_or_more_and_none_in_common() {
        let cores = std::thread::available_parallelism().unwrap().get();
        let most = cores / 2;
        for n in 1..=most {
            let shares = super::shares(n).unwrap();
            let mut all: Vec<usize> = shares.iter().flat_map(|share| share.0.clone()).collect();
            assert!(
                shares.len() == n && shares.iter().all(|share| share.0.len() >= 2),
                "{shares:?}"
            );
            let before = all.len();
            all.dedup();
            assert_eq!(all.len(), before, "{shares:?}");
        }
        let message = super::shares(most + 1).unwrap_err().to_string();
        assert!(message.contains("at two each"), "{message}");
    }
}
