//! The calibration kernel of the benches, for programs that have none of their own: a copy within the second-level cache, which a
//! neighbour on the same core slows down.

use std::{hint::black_box, time::Instant};

use crate::host::affinity;

/// 128 KiB.
const PAGES: usize = 32;
const COPIES: usize = 8;
const REPETITIONS: usize = 20;

/// Memory that begins where a page does, as the benches' does: where the heap puts source and target decides how fast a copy is.
#[repr(C, align(4096))]
#[derive(Clone, Copy)]
struct Page([u8; 4096]);

/// The fastest of a few repetitions, in nanoseconds, on the core that bound processes run on.
pub(crate) fn time_ns(bound: bool) -> f64 {
    if bound {
        affinity::on_one_core(kernel_ns).unwrap_or_else(kernel_ns)
    } else {
        kernel_ns()
    }
}

fn kernel_ns() -> f64 {
    let from = vec![Page([1; 4096]); PAGES];
    let mut to = vec![Page([0; 4096]); PAGES];
    let repetition = |_| {
        let start = Instant::now();
        for _ in 0..COPIES {
            to.copy_from_slice(black_box(&from));
            black_box(&mut to);
        }
        start.elapsed().as_nanos() as f64
    };
    (0..REPETITIONS).map(repetition).fold(f64::INFINITY, f64::min)
}
