//! `saxpy` against `vector_add`, and with wgpu's checks against without, alternating, on every
//! adapter.
//!
//! `cargo run --release --example cost_of_checks` prints a line for each adapter, size and pair:
//! the median of the ratios of calls that followed each other, with an interval of 95 %, for the
//! whole call and for the kernel where the device has a clock.

#![allow(clippy::print_stdout, reason = "that is what it is for")]

use std::time::{Duration, Instant};

use gpu_executor::{
    Adapter, Backend, Executor, Options, VectorAdd,
    task::{Kernel, Task},
};
use own_operator::Saxpy;

/// `Saxpy` without wgpu's checks.
#[derive(Clone, Copy, Debug)]
struct Unchecked<'a>(Saxpy<'a>);

impl Task for Unchecked<'_> {
    // SAFETY: each thread compares its number with that of the groups of four elements before it
    // touches a binding at that number and nowhere else; there is no loop and no workgroup memory.
    const KERNEL: Kernel = unsafe { Saxpy::KERNEL.trusted::<Self>() };
    type Inputs = (f32, f32);
    type Parameters = f32;
    type Item = f32;

    fn inputs(&self) -> (&[f32], &[f32]) {
        self.0.inputs()
    }

    fn parameters(&self) -> f32 {
        self.0.parameters()
    }

    fn compute(inputs: (&[f32], &[f32]), a: f32, output: &mut [f32]) {
        Saxpy::compute(inputs, a, output);
    }
}

const SIZES: [usize; 4] = [1_000, 30_000, 1_000_000, 16_000_000];

/// Pairs of calls of each size, at most, and the time for them.
const PAIRS: usize = 2000;
const BUDGET: Duration = Duration::from_secs(4);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    for adapter in Adapter::list(Backend::ALL) {
        let info = adapter.info();
        if info.unusable.is_some() {
            continue;
        }
        // The kernels of one shape: without the one for 64-bit integers that `vector_add` has.
        let executor = Executor::on(&adapter, Options::default().int64(false))?;
        executor.tune()?;
        println!("{} ({}, {})", info.name, info.backend, info.driver_version);
        for size in SIZES {
            let (x, y) = (vec![1.0; size], vec![2.0; size]);
            let add = VectorAdd { a: &x, b: &y };
            let saxpy = Saxpy { a: 1.0, x: &x, y: &y };
            let unchecked = Unchecked(saxpy);
            compare(&executor, size, "saxpy / vector_add", &saxpy, &add)?;
            compare(&executor, size, "checked / unchecked", &saxpy, &unchecked)?;
            compare(&executor, size, "vector_add / itself", &add, &add)?;
        }
    }
    Ok(())
}

/// The whole call and the kernel, of a call each.
fn call<T: Task<Item = f32>>(executor: &Executor, task: &T) -> Result<[Duration; 2], gpu_executor::Error> {
    let mut output = vec![0.0; task.elements()?];
    let begin = Instant::now();
    executor.run_into(task, &mut output)?;
    let wall = begin.elapsed();
    assert_eq!(output[0], 3.0);
    let (_, phases) = executor.run_timed(task)?;
    Ok([wall, phases.and_then(|phases| phases.device).unwrap_or_default()])
}

fn compare<A: Task<Item = f32>, B: Task<Item = f32>>(
    executor: &Executor,
    size: usize,
    name: &str,
    a: &A,
    b: &B,
) -> Result<(), gpu_executor::Error> {
    for _ in 0..3 {
        call(executor, a)?;
        call(executor, b)?;
    }
    let begin = Instant::now();
    let mut ratios = [Vec::new(), Vec::new()];
    while ratios[0].len() < PAIRS && begin.elapsed() < BUDGET {
        // Either goes first as often as the other.
        let (of_a, of_b) = if ratios[0].len().is_multiple_of(2) {
            let of_a = call(executor, a)?;
            (of_a, call(executor, b)?)
        } else {
            let of_b = call(executor, b)?;
            (call(executor, a)?, of_b)
        };
        for (ratios, (a, b)) in ratios.iter_mut().zip(of_a.into_iter().zip(of_b)) {
            ratios.push(a.as_secs_f64() / b.as_secs_f64());
        }
    }
    let [wall, kernel] = ratios.map(|ratios| median(ratios).map_or_else(|| "no clock".to_owned(), |m| m.to_string()));
    println!("  {size:>9} {name:<20} call {wall}, kernel {kernel}");
    Ok(())
}

struct Median {
    median: f64,
    interval: [f64; 2],
    pairs: usize,
}

impl std::fmt::Display for Median {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            median,
            interval: [low, high],
            pairs,
        } = self;
        write!(f, "{median:.3} ({low:.3} to {high:.3}, {pairs} pairs)")
    }
}

/// The median, and between which two of the ratios it lies with 95 %: the binomial distribution's
/// ranks.
fn median(mut ratios: Vec<f64>) -> Option<Median> {
    ratios.retain(|ratio| ratio.is_finite());
    ratios.sort_unstable_by(f64::total_cmp);
    let n = ratios.len();
    if n < 6 {
        return None;
    }
    let half = 0.98 * (n as f64).sqrt();
    let at = |rank: f64| ratios[(rank.max(0.0) as usize).min(n - 1)];
    Some(Median {
        median: ratios[n / 2],
        interval: [at(n as f64 / 2.0 - half), at(n as f64 / 2.0 + half)],
        pairs: n,
    })
}
