//! The host's part: copies by several threads, and results in memory that is not zeroed first.

use std::{
    mem::MaybeUninit,
    sync::{
        LazyLock, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
};

use crate::{
    error::{Error, HOST},
    tuning::Tuning,
};

/// Threads this process may run at the same time: what its affinity and its share of the machine
/// allow.
pub(crate) fn threads() -> usize {
    static THREADS: LazyLock<usize> =
        LazyLock::new(|| std::thread::available_parallelism().map_or(1, std::num::NonZero::get));
    *THREADS
}

/// The processor's model, as far as the system tells.
pub(crate) fn processor() -> String {
    if let Ok(text) = std::fs::read_to_string("/proc/cpuinfo") {
        return from_cpuinfo(&text);
    }
    std::env::var("PROCESSOR_IDENTIFIER").unwrap_or_else(|_| std::env::consts::ARCH.to_owned())
}

/// Clouds hide the model behind a family's name; numbers still tell generations apart.
fn from_cpuinfo(text: &str) -> String {
    let keys = [
        "model name",
        "cpu family",
        "model",
        "stepping",
        "CPU implementer",
        "CPU part",
        "CPU variant",
    ];
    let value = |key: &str| {
        let mut pairs = text.lines().filter_map(|line| line.split_once(':'));
        pairs.find_map(|(k, v)| (k.trim() == key).then(|| v.trim().to_owned()))
    };
    keys.into_iter().filter_map(value).collect::<Vec<_>>().join(" ")
}

/// Threads that help with copies, beside the caller's; absent where there is no core for them.
fn helpers() -> Option<&'static rayon::ThreadPool> {
    static HELPERS: OnceLock<Option<rayon::ThreadPool>> = OnceLock::new();
    HELPERS
        .get_or_init(|| {
            let helpers = threads() - 1;
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(helpers)
                .thread_name(|index| format!("gpu-executor-copy-{index}"));
            // A process that may not have more threads copies with the one it has.
            (helpers > 0).then(|| pool.build().ok()).flatten()
        })
        .as_ref()
}

/// The helpers, unless this thread is a worker of a pool of rayon's: that would do other jobs of
/// its pool while it waits for them, and a job that calls an executor would wait for the context
/// lock that this thread holds.
fn free_helpers() -> Option<&'static rayon::ThreadPool> {
    rayon::current_thread_index().is_none().then(helpers).flatten()
}

/// What `map` makes of each item, by several threads where there are some that are free.
///
/// Not by rayon's common pool: all of its workers may be waiting for the context lock that this
/// thread holds.
pub(crate) fn map_each<I: Sync, O: Send + Sync>(items: &[I], map: impl Fn(&I) -> O + Sync) -> Vec<O> {
    let Some(helpers) = free_helpers().filter(|_| items.len() > 1) else {
        return items.iter().map(map).collect();
    };
    let outputs: Vec<OnceLock<O>> = items.iter().map(|_| OnceLock::new()).collect();
    let next = AtomicUsize::new(0);
    let work = || {
        while let number = next.fetch_add(1, Ordering::Relaxed)
            && let (Some(item), Some(output)) = (items.get(number), outputs.get(number))
        {
            let is_new = output.set(map(item)).is_ok();
            debug_assert!(is_new, "each number is taken once");
        }
    };
    helpers.in_place_scope(|scope| {
        for _ in 1..items.len().min(threads()) {
            scope.spawn(|_| work());
        }
        work();
    });
    let outputs = outputs.into_iter().map(OnceLock::into_inner);
    outputs.map(|output| output.expect("all are done")).collect()
}

/// Memory that a copy goes to, and that can be shared out to threads.
pub(crate) trait Target: Sized + Send {
    type Item: Copy + Send + Sync;

    /// Cuts it in two.
    fn split(self, at: usize) -> (Self, Self);

    /// Writes all of it.
    fn write(self, from: &[Self::Item]);
}

/// Memory that is not initialised.
struct Unwritten<'a, I>(&'a mut [MaybeUninit<I>]);

impl<I: Copy + Send + Sync> Target for Unwritten<'_, I> {
    type Item = I;

    fn split(self, at: usize) -> (Self, Self) {
        let (left, right) = self.0.split_at_mut(at);
        (Self(left), Self(right))
    }

    fn write(self, from: &[I]) {
        self.0.write_copy_of_slice(from);
    }
}

impl<I: Copy + Send + Sync> Target for &mut [I] {
    type Item = I;

    fn split(self, at: usize) -> (Self, Self) {
        self.split_at_mut(at)
    }

    fn write(self, from: &[I]) {
        self.copy_from_slice(from);
    }
}

/// Copies between slices and mapped memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Copier {
    threads_from_bytes: u64,
}

impl Copier {
    /// One that never uses a second thread.
    pub(crate) const ALONE: Self = Self {
        threads_from_bytes: u64::MAX,
    };

    pub(crate) fn new(tuning: &Tuning) -> Self {
        Self {
            threads_from_bytes: tuning.threads_from_bytes,
        }
    }

    /// The threads that help with a copy of `bytes`.
    fn helpers(self, bytes: usize) -> Option<&'static rayon::ThreadPool> {
        if (bytes as u64) < self.threads_from_bytes {
            None
        } else {
            free_helpers()
        }
    }

    /// The helpers, and how many of `items` each thread takes; `None` if this thread is to copy
    /// alone.
    pub(crate) fn shares(self, items: usize, item_bytes: usize) -> Option<(&'static rayon::ThreadPool, usize)> {
        let helpers = self.helpers(items * item_bytes)?;
        // Whole pages, so that no two threads fault the same one in.
        let page = 4096 / item_bytes.clamp(1, 4096);
        Some((helpers, items.div_ceil(threads()).next_multiple_of(page)))
    }

    /// Fills `to` with all of `from`, which is as long.
    #[inline]
    pub(crate) fn copy<T: Target>(self, mut to: T, mut from: &[T::Item]) {
        let Some((helpers, share)) = self.shares(from.len(), size_of::<T::Item>()) else {
            return to.write(from);
        };
        helpers.in_place_scope(|scope| {
            while from.len() > share {
                let (mine, rest) = to.split(share);
                let (bytes, left) = from.split_at(share);
                scope.spawn(move |_| mine.write(bytes));
                (to, from) = (rest, left);
            }
            // This thread takes the last share while the helpers wake up.
            to.write(from);
        });
    }

    /// Touches every page of fresh memory, with several threads if a copy to it would have them.
    /// Chunk by chunk the faults of one huge page after the other would be waited for.
    pub(crate) fn fault_in<I: bytemuck::Pod + Send>(self, memory: &mut [MaybeUninit<I>]) {
        let Some((helpers, share)) = self.shares(memory.len(), size_of::<I>()) else {
            return;
        };
        let page = (4096 / size_of::<I>().max(1)).max(1);
        helpers.in_place_scope(|scope| {
            for share in memory.chunks_mut(share) {
                scope.spawn(move |_| {
                    for item in share.iter_mut().step_by(page) {
                        item.write(I::zeroed());
                    }
                });
            }
        });
    }

    /// Appends `from` to `vec`, which has the room.
    pub(crate) fn append<I: Copy + Send + Sync>(self, vec: &mut Vec<I>, from: &[I]) {
        if self.helpers(size_of_val(from)).is_none() {
            return vec.extend_from_slice(from);
        }
        let start = vec.len();
        self.copy(Unwritten(&mut vec.spare_capacity_mut()[..from.len()]), from);
        #[expect(unsafe_code, reason = "threads write into memory that is not initialised")]
        // SAFETY: the slice just copied to is the spare capacity from `start` on, of the length of
        // `from`. `copy` cuts it into shares without a gap, writes each from end to end, and
        // returns when all are written; a panic in one of them does not come here.
        unsafe {
            vec.set_len(start + from.len());
        }
    }
}

/// An empty vector with room for `n` items.
pub(crate) fn reserve<I>(n: usize) -> Result<Vec<I>, Error> {
    let mut items = Vec::new();
    items.try_reserve_exact(n).map_err(|_| Error::OutOfMemory {
        adapter: HOST.to_owned(),
        bytes: (n as u64).saturating_mul(size_of::<I>() as u64),
    })?;
    ask_for_huge_pages(items.spare_capacity_mut());
    Ok(items)
}

/// Asks for pages of 2 MiB where a long vector will lie: of a fresh one of 64 MiB, faulting 16,384
/// small pages in takes longer than all copies of its task.
fn ask_for_huge_pages<I>(memory: &mut [MaybeUninit<I>]) {
    const HUGE: usize = 2 << 20;
    #[cfg(target_os = "linux")]
    if size_of_val(memory) >= 2 * HUGE {
        let start = memory.as_mut_ptr().cast::<u8>();
        let skipped = start.align_offset(HUGE);
        let length = (size_of_val(memory) - skipped) / HUGE * HUGE;
        #[expect(unsafe_code, reason = "advice on memory is given by its address")]
        // SAFETY: the range lies within `memory`, which is borrowed here and has no contents yet:
        // less than a huge page is skipped, there are two or more, and the length is rounded down.
        // The advice changes no contents, only the size of the pages that hold them.
        let advised = unsafe {
            rustix::mm::madvise(
                start.wrapping_add(skipped).cast(),
                length,
                rustix::mm::Advice::LinuxHugepage,
            )
        };
        // A kernel without huge pages has small ones.
        let _ = advised;
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (memory, HUGE);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapped::Mapped;

    #[test]
    fn a_processor_is_told_by_model_and_generation() {
        let x86 = "processor\t: 0\ncpu family\t: 25\nmodel\t\t: 17\nmodel name\t: AMD EPYC\nstepping\t: 1\ncpu MHz\t: 2596.1\n\
                   processor\t: 1\ncpu family\t: 26\n";
        assert_eq!(from_cpuinfo(x86), "AMD EPYC 25 17 1");
        assert_eq!(
            from_cpuinfo("CPU implementer\t: 0x41\nCPU part\t: 0xd0c\n"),
            "0x41 0xd0c"
        );
        assert!(!processor().is_empty());
    }

    #[test]
    fn each_item_is_mapped_in_its_place_by_threads_that_never_wait() {
        let items: Vec<usize> = (0..100).collect();
        let doubled: Vec<usize> = items.iter().map(|n| n * 2).collect();
        for n in [0, 1, 2, 100] {
            assert_eq!(map_each(&items[..n], |n| n * 2), doubled[..n]);
        }
        let copier = Copier { threads_from_bytes: 0 };
        assert_eq!(copier.shares(1 << 20, 4).is_some(), threads() > 1);
        let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
        pool.install(|| {
            assert!(copier.shares(1 << 20, 4).is_none(), "a pool's worker copies alone");
            assert_eq!(map_each(&items, |n| n * 2), doubled);
        });
    }

    #[test]
    fn every_item_is_copied_whatever_the_number_of_threads() {
        for threads_from_bytes in [0, u64::MAX] {
            let copier = Copier { threads_from_bytes };
            for n in [0_u32, 1, 1023, 1024, 1025, 100_003] {
                let from: Vec<u32> = (0..n).collect();
                let mut vec = vec![7];
                vec.reserve_exact(from.len());
                copier.append(&mut vec, &from);
                assert_eq!((vec[0], &vec[1..]), (7, from.as_slice()));
                let mut slice = vec![0; from.len()];
                copier.copy(slice.as_mut_slice(), &from);
                assert_eq!(slice, from);
                let mut bytes = vec![0_u8; from.len() * 4];
                copier.copy(
                    Mapped::new(wgpu::WriteOnly::from_mut(bytes.as_mut_slice())),
                    bytemuck::cast_slice(&from),
                );
                assert_eq!(bytes, bytemuck::cast_slice::<u32, u8>(&from));
            }
        }
    }
}
