//! Which core a measurement keeps to. Processes that follow each other on one core agree within some
//! per cent, whichever core it is; on different ones they may differ by ten. So each block draws a core
//! for all of its processes, in shuffled cycles over all there are, and no case hangs on a lucky one.

use std::{
    io,
    process::{Child, Command},
};

use bench_recorder::bind;
use serde::{Deserialize, Serialize};

/// What of a process is bound to the core of its block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Binding {
    /// The thread that calls, after the process has made its other threads, which stay free: what users
    /// of a GPU get. A program that does not serve windows is bound as a whole.
    Caller,
    /// Every thread.
    Process,
    /// Nothing.
    Free,
}

impl Binding {
    /// The word in reports.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Caller => "calling thread bound",
            Self::Process => "process bound",
            Self::Free => "free",
        }
    }
}

/// The core of a block, or of a run; `None` where the system does not name its cores.
#[must_use]
pub fn drawn(cores: &[u32], seed: u64, block: u64) -> Option<u32> {
    let cycle = block.checked_div(cores.len() as u64)?;
    let mut order = cores.to_vec();
    fastrand::Rng::with_seed(seed ^ cycle.wrapping_mul(0x9E37_79B9_7F4A_7C15)).shuffle(&mut order);
    order.get((block % cores.len() as u64) as usize).copied()
}

/// The cores that may be drawn.
#[must_use]
pub fn cores() -> Vec<u32> {
    bind::allowed_cores()
}

/// Starts a process, on one core if one is given.
///
/// # Errors
/// What the system says of the program, or of the core.
pub fn spawn(command: &mut Command, core: Option<u32>) -> io::Result<Child> {
    match core {
        None => command.spawn(),
        Some(core) => system::spawn_on(command, core),
    }
}

#[cfg(target_os = "linux")]
mod system {
    use std::{
        io,
        process::{Child, Command},
    };

    use bench_recorder::bind;

    /// A process has the cores of the thread that starts it.
    pub(super) fn spawn_on(command: &mut Command, core: u32) -> io::Result<Child> {
        let before = bind::allowed_cores();
        bind::bind_calling_thread(&[core]).map_err(io::Error::other)?;
        let child = command.spawn();
        bind::bind_calling_thread(&before).map_err(io::Error::other)?;
        child
    }
}

#[cfg(windows)]
mod system {
    use std::{
        io,
        os::windows::io::AsRawHandle as _,
        process::{Child, Command},
    };

    use windows_sys::Win32::System::Threading::SetProcessAffinityMask;

    #[expect(unsafe_code, reason = "the standard library knows nothing of cores")]
    pub(super) fn spawn_on(command: &mut Command, core: u32) -> io::Result<Child> {
        let mask = 1_usize.checked_shl(core).ok_or(io::ErrorKind::InvalidInput)?;
        let mut child = command.spawn()?;
        // SAFETY: the child is not waited for yet, so that its handle is open; the mask is a number.
        if unsafe { SetProcessAffinityMask(child.as_raw_handle().cast(), mask) } == 0 {
            let error = io::Error::last_os_error();
            let _ = child.kill();
            let _ = child.wait();
            return Err(error);
        }
        Ok(child)
    }
}

#[cfg(not(any(target_os = "linux", windows)))]
mod system {
    use std::{
        io,
        process::{Child, Command},
    };

    pub(super) fn spawn_on(_: &mut Command, _: u32) -> io::Result<Child> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cycle_has_each_core_once_and_a_seed_draws_the_same_again() {
        let cores = [1, 3, 5, 7];
        for cycle in 0..20 {
            let mut of_cycle: Vec<u32> = (0..4).map(|n| drawn(&cores, 9, 4 * cycle + n).unwrap()).collect();
            of_cycle.sort_unstable();
            assert_eq!(of_cycle, cores);
        }
        let order = |seed| (0..40).map(|block| drawn(&cores, seed, block)).collect::<Vec<_>>();
        assert_eq!(order(1), order(1));
        assert_ne!(order(1), order(2));
        assert_eq!((drawn(&[], 1, 1), drawn(&[2], 1, 7)), (None, Some(2)));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_process_has_its_core_and_this_one_keeps_its_own() {
        let before = cores();
        for &core in &before {
            let mut command = Command::new("sh");
            command
                .args(["-c", "grep Cpus_allowed_list /proc/self/status"])
                .stdout(std::process::Stdio::piped());
            let output = spawn(&mut command, Some(core)).unwrap().wait_with_output().unwrap();
            let text = String::from_utf8(output.stdout).unwrap();
            assert_eq!(text.split_whitespace().last(), Some(&*core.to_string()));
            assert_eq!(cores(), before);
        }
        assert!(spawn(&mut Command::new("true"), Some(1_000_000)).is_err());
        assert_eq!(cores(), before);
    }
}
