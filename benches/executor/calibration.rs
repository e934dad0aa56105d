//! A fixed piece of work that no change to the library can change: it tells how fast the machine is at the moment, and
//! whether somebody else is using the same core.
//!
//! `xtask` compiles this file as well, for programs that have no kernel of their own.

use std::hint::black_box;

/// Steps of a repetition: 5.4 µs, or up to 10 while another thread computes on the same core.
const STEPS: u64 = 4000;
/// Few enough to ask for every two milliseconds, and enough that a neighbour who comes and goes is met.
const REPETITIONS: u64 = 5;

/// What was measured next to a kernel slower than this against its usual time had company on its core, and may not be what the code
/// costs. Within a second left alone the kernel is steady to some thousandths; company makes it 1.2 to 1.9 times slower.
pub(crate) const MOST_DISTURBANCE: f64 = 1.08;

/// The mean of a few repetitions, in nanoseconds.
///
/// Threads of one core share the slots in which instructions begin, whatever else they need; a kernel that fills all of them notices
/// every neighbour who computes. Beside one that made additions on a software adapter 1.9 times slower this took 1.7 times as
/// long, copies within the second-level cache 1.3 times.
pub(crate) fn time_ns() -> u64 {
    black_box(kernel(black_box(STEPS))); // a core that slept wakes up
    elapsed_ns(|| {
        for _ in 0..REPETITIONS {
            black_box(kernel(black_box(STEPS)));
        }
    }) / REPETITIONS
}

/// Time that this thread computes for: threads of its own process that want the same core do not count as company, so that code
/// which leaves one running is slow and not "disturbed".
#[cfg(target_os = "linux")]
fn elapsed_ns(work: impl FnOnce()) -> u64 {
    use rustix::time::{ClockId, clock_gettime};

    let now = || clock_gettime(ClockId::ThreadCPUTime);
    let start = now();
    work();
    let time = now() - start;
    u64::try_from(1_000_000_000 * time.tv_sec + time.tv_nsec).unwrap_or_default()
}

#[cfg(not(target_os = "linux"))]
fn elapsed_ns(work: impl FnOnce()) -> u64 {
    let start = std::time::Instant::now();
    work();
    u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

/// Eight chains of additions and exclusive ors that do not wait for each other, with two of them written to memory.
#[inline(never)]
fn kernel(steps: u64) -> u64 {
    let (mut a, mut b, mut c, mut d) = (1_u64, 2_u64, 3_u64, 4_u64);
    let (mut e, mut f, mut g, mut h) = (5_u64, 6_u64, 7_u64, 8_u64);
    for i in 0..steps {
        a = a.wrapping_add(i) ^ 0x55;
        b = b.wrapping_sub(i) ^ 0x33;
        c = c.wrapping_add(i) ^ 0x77;
        d = d.wrapping_sub(i) ^ 0x11;
        e = e.wrapping_add(i) ^ 0x99;
        f = f.wrapping_sub(i) ^ 0xaa;
        g = g.wrapping_add(i) ^ 0xbb;
        h = h.wrapping_sub(i) ^ 0xcc;
        black_box((&a, &b));
    }
    a ^ b ^ c ^ d ^ e ^ f ^ g ^ h
}
