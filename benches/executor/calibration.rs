//! A fixed piece of work that no change to the library can change: it tells how fast the machine is at the moment, and
//! whether somebody else is using the same core.

use std::{hint::black_box, time::Instant};

/// Pages copied: 128 KiB, and as much again to copy to, lie within the second-level cache.
const PAGES: usize = 32;
/// Copies per repetition: about 20 µs, or 40 while another thread computes on the same core.
const COPIES: usize = 8;
const REPETITIONS: usize = 3;

/// Memory that begins where a page does. Where the heap happens to put source and target decides how fast a copy is: with the
/// target 16 bytes further into a page than the source, as two blocks of the heap in a row are, it takes 31 µs in place of 18 to 23.
#[repr(C, align(4096))]
#[derive(Clone, Copy, Debug)]
struct Page([u8; 4096]);

/// Copies within the second-level cache: bound by throughput, which is what threads of one core share, and so as sensitive to a
/// neighbour as the drivers are. A chain of dependent instructions does not notice one.
#[derive(Debug)]
pub(crate) struct Calibration {
    from: Vec<Page>,
    to: Vec<Page>,
}

impl Calibration {
    pub(crate) fn new() -> Self {
        Self {
            from: vec![Page([1; 4096]); PAGES],
            to: vec![Page([0; 4096]); PAGES],
        }
    }

    /// The fastest of a few repetitions, in nanoseconds; the first of them warms the cache.
    pub(crate) fn time_ns(&mut self) -> u64 {
        (0..REPETITIONS)
            .map(|_| {
                let start = Instant::now();
                for _ in 0..COPIES {
                    self.to.copy_from_slice(black_box(&self.from));
                    black_box(&mut self.to);
                }
                u64::try_from(start.elapsed().as_nanos()).expect("microseconds fit u64")
            })
            .min()
            .expect("at least one repetition")
    }
}
