//! How often a change that changes nothing is called slower for its layout, by simulation.
//!
//! ```text
//! cargo run --release -p bench-gate --example layout -- [TRIALS]
//! ```
//!
//! Times are normal: a deviation of 0.7 % between processes, and between links as the columns say. A
//! trial is one case of 40 blocks, tested once, one-sided, at 0.5 %. Base, head and control have their
//! own links, which take turns over the blocks; with `shared`, base and control are one program, as in
//! every comparison of two commits as they are built.

#![expect(clippy::print_stdout, reason = "a program that prints a table")]

use bench_gate::stat::{aligned, layout::Layout, proportion::Count};
use fastrand::Rng;

const BLOCKS: usize = 40;
const PROCESS: f64 = 0.007;
const LEVEL: f64 = 0.005;
/// Links that the deviation was measured with.
const MEASURED: usize = 12;

/// A sum of twelve: nearly normal, with standard deviation 1.
fn normal(random: &mut Rng) -> f64 {
    (0..12).map(|_| random.f64()).sum::<f64>() - 6.0
}

/// Whether ranks alone, and ranks with the account of layout, call an unchanged head slower.
fn is_slower(links: usize, is_shared: bool, deviation: f64, random: &mut Rng) -> (bool, bool) {
    let mut places = || (0..links).map(|_| deviation * normal(random)).collect::<Vec<f64>>();
    let mut of_variants = [places(), places(), places()];
    if is_shared {
        of_variants[2] = of_variants[1].clone();
    }
    // What those who do not know the deviation measure of it.
    let sample: Vec<f64> = (0..MEASURED).map(|_| deviation * normal(random)).collect();
    let mean = sample.iter().sum::<f64>() / MEASURED as f64;
    let squares: f64 = sample.iter().map(|place| (place - mean).powi(2)).sum();
    let layout = Layout {
        deviation: (squares / (MEASURED - 1) as f64).sqrt(),
        freedom: (MEASURED - 1) as f64,
        base_links: if is_shared { links } else { 2 * links },
        head_links: links,
    };
    let blocks: Vec<[f64; 3]> = (0..BLOCKS)
        .map(|block| {
            of_variants
                .each_ref()
                .map(|places| places[block % links] + PROCESS * normal(random))
        })
        .collect();
    let (p, _) = aligned::p_greater_and_less(&blocks);
    let (effect, error) = aligned::effect(&blocks, 0.01);
    let (p_layout, _) = layout.p_greater_and_less(effect.estimate, error, BLOCKS);
    (p <= LEVEL, p.max(p_layout) <= LEVEL)
}

fn main() -> Result<(), std::num::ParseIntError> {
    let trials: usize = std::env::args().nth(1).map_or(Ok(2000), |n| n.parse())?;
    println!("| links a variant | layout sd | ranks alone | with layout |");
    println!("|---|--:|--:|--:|");
    for (links, is_shared) in [
        (1, true),
        (1, false),
        (4, true),
        (4, false),
        (16, false),
        (BLOCKS, false),
    ] {
        for deviation in [0.001, 0.003, 0.007] {
            let mut random = Rng::with_seed(1);
            let (mut ranks, mut accounted) = (Count::default(), Count::default());
            for _ in 0..trials {
                let (alone, with) = is_slower(links, is_shared, deviation, &mut random);
                ranks.add(alone);
                accounted.add(with);
            }
            let name = if is_shared {
                "shared by base and control"
            } else {
                "distinct"
            };
            println!(
                "| {links}, {name} | {:.1} % | {ranks} | {accounted} |",
                100.0 * deviation
            );
        }
    }
    Ok(())
}
