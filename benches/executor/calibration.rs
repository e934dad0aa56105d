//! A fixed piece of work that no change to the library can change: it tells how fast the machine is at the moment.

use std::{hint::black_box, time::Instant};

/// Steps of the kernel, each waiting for the one before: about 60 µs.
const STEPS: u64 = 20_000;
const REPETITIONS: usize = 51;

/// The median time of the kernel, in nanoseconds.
pub(crate) fn median_ns() -> u64 {
    let mut times: Vec<u64> = (0..REPETITIONS)
        .map(|_| {
            let start = Instant::now();
            black_box(kernel(black_box(STEPS)));
            u64::try_from(start.elapsed().as_nanos()).expect("microseconds fit u64")
        })
        .collect();
    times.sort_unstable();
    times[REPETITIONS / 2]
}

/// A chain of multiplications and shifts in registers: nothing but the core's speed decides its time.
fn kernel(steps: u64) -> u64 {
    (0..steps).fold(1, |x: u64, step| {
        (x ^ (x >> 31)).wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(step)
    })
}
