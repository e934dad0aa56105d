//! Binds the calling thread to one core. Its other threads stay where they are: threads that it starts
//! later do not, as they inherit the binding, so that whoever starts some is to be bound afterwards.

use crate::Error;

/// The cores that the calling thread may use, ascending; empty where the system does not say.
#[must_use]
pub fn allowed_cores() -> Vec<u32> {
    system::allowed()
}

/// Binds the calling thread to some of its cores.
///
/// # Errors
/// [`Error::Unbound`] where the system refuses, or offers no way to do so.
pub fn bind_calling_thread(cores: &[u32]) -> Result<(), Error> {
    system::bind(cores).map_err(|source| Error::Unbound {
        cores: cores.to_vec(),
        source,
    })
}

#[cfg(target_os = "linux")]
mod system {
    use std::io;

    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

    pub(super) fn allowed() -> Vec<u32> {
        let Ok(set) = sched_getaffinity(None) else {
            return Vec::new();
        };
        (0..CpuSet::MAX_CPU as u32)
            .filter(|&core| set.is_set(core as usize))
            .collect()
    }

    pub(super) fn bind(cores: &[u32]) -> io::Result<()> {
        let mut set = CpuSet::new();
        for &core in cores {
            if core as usize >= CpuSet::MAX_CPU {
                return Err(io::ErrorKind::InvalidInput.into());
            }
            set.set(core as usize);
        }
        Ok(sched_setaffinity(None, &set)?)
    }
}

#[cfg(windows)]
mod system {
    use std::io;

    use windows_sys::Win32::System::Threading::{
        GetCurrentProcess, GetCurrentThread, GetProcessAffinityMask, SetThreadAffinityMask,
    };

    /// The cores of the process: those of its processor group, of which there are 64 at the most.
    #[expect(unsafe_code, reason = "the standard library knows nothing of cores")]
    pub(super) fn allowed() -> Vec<u32> {
        let (mut process, mut system) = (0, 0);
        // SAFETY: both places live while the function writes them; the handle is the process's own.
        let is_known = unsafe { GetProcessAffinityMask(GetCurrentProcess(), &mut process, &mut system) };
        let bits = if is_known == 0 { 0 } else { process };
        (0..usize::BITS).filter(|&core| bits >> core & 1 == 1).collect()
    }

    #[expect(unsafe_code, reason = "the standard library knows nothing of cores")]
    pub(super) fn bind(cores: &[u32]) -> io::Result<()> {
        let mut mask = 0;
        for &core in cores {
            mask |= 1_usize.checked_shl(core).ok_or(io::ErrorKind::InvalidInput)?;
        }
        // SAFETY: the handle is the thread's own, and the mask a number.
        let before = unsafe { SetThreadAffinityMask(GetCurrentThread(), mask) };
        if before == 0 {
            Err(io::Error::last_os_error())
        } else {
            Ok(())
        }
    }
}

#[cfg(not(any(target_os = "linux", windows)))]
mod system {
    use std::io;

    pub(super) fn allowed() -> Vec<u32> {
        Vec::new()
    }

    pub(super) fn bind(_: &[u32]) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// Threads of this process; `None` where the system does not say.
pub(crate) fn threads() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("Threads:"))?;
    line.trim().parse().ok()
}

#[cfg(all(test, any(target_os = "linux", windows)))]
mod tests {
    use super::*;

    #[test]
    fn a_thread_is_bound_and_freed_and_others_are_not() {
        let before = allowed_cores();
        let last = *before.last().unwrap();
        let (ours, theirs) = std::sync::mpsc::channel();
        let other = std::thread::spawn(move || {
            theirs.recv().unwrap();
            allowed_cores()
        });
        bind_calling_thread(&[last]).unwrap();
        #[cfg(target_os = "linux")]
        {
            assert_eq!(allowed_cores(), [last]);
            assert_eq!(rustix::thread::sched_getcpu(), last as usize);
        }
        ours.send(()).unwrap();
        assert_eq!(other.join().unwrap(), before);
        bind_calling_thread(&before).unwrap();
        assert_eq!(allowed_cores(), before);
    }

    #[test]
    fn a_core_that_is_not_there_is_named() {
        for core in [1_000_000, *allowed_cores().last().unwrap() + 40] {
            let message = bind_calling_thread(&[core]).unwrap_err().to_string();
            assert!(message.contains(&core.to_string()), "{message}");
        }
    }
}
