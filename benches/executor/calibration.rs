//! A fixed piece of work that no change to the library can change: it tells how fast the machine is at the moment.

use std::{hint::black_box, time::Instant};

/// Steps of the kernel, each waiting for the one before: about 40 µs.
const STEPS: u64 = 20_000;
const REPETITIONS: usize = 51;

/// The fastest time of the kernel, in nanoseconds: as what it calibrates, it leaves the neighbours out.
pub(crate) fn fastest_ns() -> u64 {
    (0..REPETITIONS)
        .map(|_| {
            let start = Instant::now();
            black_box(kernel(black_box(STEPS)));
            u64::try_from(start.elapsed().as_nanos()).expect("microseconds fit u64")
        })
        .min()
        .expect("at least one repetition")
}

/// A chain of multiplications and shifts in registers: nothing but the core's speed decides its time.
fn kernel(steps: u64) -> u64 {
    (0..steps).fold(1, |x: u64, step| {
        (x ^ (x >> 31)).wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(step)
    })
}
