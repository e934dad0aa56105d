//! How often the gate is wrong on recorded noise: suites resampled from recordings of one program.
//!
//! ```text
//! cargo run --release -p bench-gate --example resample -- RECORDING.csv [SUITES]
//! ```
//!
//! A recording has a row for each window: block, regime, case, process, turn, p10_ns, p50_ns, and
//! mean_ns if it was kept; what is missing of mean and 95th percentile is taken from the column before. `base` and `base2` are processes of one program. The noise of a process is
//! ±1/√2 times the difference of such a pair, of a block drawn at random: symmetric, and independent
//! between the three processes of a block. What order and neighbours do to a block is not in it, and
//! only suites that were measured show that.

#![expect(clippy::print_stdout, reason = "a program that prints a table")]

use std::{collections::BTreeMap, error::Error};

use bench_gate::{
    assess::{BASE, Block, CONTROL, Case, HEAD, Statistic, Times, assess},
    stat::{layout::Layout, plan::Plan, power, proportion::Count, quantile::median},
    verdict::Verdict,
};
use fastrand::Rng;

/// The logarithms of p10, median and mean of the windows of one process.
type Windows = Vec<[f64; 3]>;

/// A case of a regime.
#[derive(Default)]
struct Recorded {
    blocks: BTreeMap<u64, BTreeMap<String, Windows>>,
}

impl Recorded {
    /// Differences of the two processes of the base, a block each.
    fn pairs(&self) -> Vec<[f64; 3]> {
        let mean = |windows: &Windows, place: usize| {
            windows.iter().map(|window| window[place]).sum::<f64>() / windows.len() as f64
        };
        let pair = |processes: &BTreeMap<String, Windows>| {
            let (base, again) = (processes.get("base")?, processes.get("base2")?);
            Some([0, 1, 2].map(|place| mean(again, place) - mean(base, place)))
        };
        self.blocks.values().filter_map(pair).collect()
    }

    fn typical(&self) -> f64 {
        let windows = self.blocks.values().flat_map(BTreeMap::values).flatten();
        median(&windows.map(|window| window[0]).collect::<Vec<_>>())
    }
}

fn read(path: &str) -> Result<BTreeMap<String, BTreeMap<String, Recorded>>, Box<dyn Error>> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
    let mut regimes: BTreeMap<String, BTreeMap<String, Recorded>> = BTreeMap::new();
    for (number, line) in (1..).zip(text.lines()).skip(1) {
        let wrong = |error: &dyn std::fmt::Display| format!("{path}:{number}: {error}");
        let fields: Vec<&str> = line.split(',').collect();
        let [block, regime, case, process, _turn, p10, p50, rest @ ..] = &fields[..] else {
            return Err(wrong(&"fewer than seven columns").into());
        };
        // A window in which nothing was measured.
        if p10.is_empty() {
            continue;
        }
        let ln = |ns: &str| ns.parse::<f64>().map(f64::ln).map_err(|error| wrong(&error));
        let window = [ln(p10)?, ln(p50)?, ln(rest.first().unwrap_or(p50))?];
        let case = regimes
            .entry((*regime).to_owned())
            .or_default()
            .entry((*case).to_owned())
            .or_default();
        let block = case
            .blocks
            .entry(block.parse().map_err(|error| wrong(&error))?)
            .or_default();
        block.entry((*process).to_owned()).or_default().push(window);
    }
    Ok(regimes)
}

/// A case of `n` blocks whose head takes exp(`effect`) times as long.
fn resampled(name: &str, typical: f64, pairs: &[[f64; 3]], n: usize, effect: f64, random: &mut Rng) -> Case {
    let mut process = |place: usize| {
        let pair = pairs[random.usize(..pairs.len())];
        let sign = if random.bool() { 1.0 } else { -1.0 };
        let ln = pair
            .map(|difference| typical + sign * difference / 2.0_f64.sqrt() + if place == HEAD { effect } else { 0.0 });
        let mut times = Times::default();
        for (statistic, ln) in [Statistic::Fast, Statistic::Median, Statistic::Mean]
            .into_iter()
            .zip(ln)
        {
            times[statistic] = ln;
        }
        times
    };
    let block = |number: usize| Block {
        number: number as u64,
        times: [HEAD, BASE, CONTROL].map(&mut process),
    };
    Case {
        name: name.to_owned(),
        blocks: (1..=n).map(block).collect(),
        layout: Some(Layout::same_program()),
        ..Case::default()
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().ok_or("name a recording")?;
    let suites: usize = arguments.next().map_or(Ok(300), |n| n.parse())?;
    let plan = Plan::default();
    println!("| regime | change | suites false `slower` | false `faster` | found | judged | blocks a case |");
    println!("|---|--:|--:|--:|--:|--:|--:|");
    let regimes = read(&path)?;
    for (regime, cases) in &regimes {
        let pool: Vec<(&String, f64, Vec<[f64; 3]>)> = cases
            .iter()
            .map(|(name, recorded)| (name, recorded.typical(), recorded.pairs()))
            .collect();
        for percent in [0, 1, 3, 5] {
            let mut random = Rng::with_seed(1);
            let (mut slower, mut faster, mut judged) = (Count::default(), Count::default(), Count::default());
            let mut found: BTreeMap<&str, Count> = BTreeMap::new();
            let mut blocks = 0;
            for _ in 0..suites {
                let effect = (f64::from(percent) / 100.0).ln_1p();
                let cases: Vec<Case> = pool
                    .iter()
                    .map(|(name, typical, pairs)| {
                        resampled(name, *typical, pairs, plan.last().blocks, effect, &mut random)
                    })
                    .collect();
                let assessed = assess(&cases, &plan).cases;
                let any = |verdict| assessed.iter().any(|assessment| assessment.verdict == verdict);
                slower.add(any(Verdict::Slower));
                faster.add(any(Verdict::Faster));
                for (assessment, (name, ..)) in assessed.iter().zip(&pool) {
                    judged.add(assessment.is_judged());
                    blocks += assessment.blocks;
                    found
                        .entry(name)
                        .or_default()
                        .add(assessment.verdict == Verdict::Slower);
                }
            }
            let all = found.values().fold(Count::default(), |all, one| Count {
                found: all.found + one.found,
                n: all.n + one.n,
            });
            let a_case = blocks as f64 / judged.n as f64;
            if percent == 0 {
                println!("| {regime} | none | {slower} | {faster} | | {judged} | {a_case:.1} |");
                continue;
            }
            println!("| {regime} | +{percent} % | | {faster} | {all} | {judged} | {a_case:.1} |");
            for (name, _, pairs) in &pool {
                let fast: Vec<f64> = pairs.iter().map(|pair| pair[0]).collect();
                // Of the head against the mean of two: √1.5 times a process, which is 1/√2 of a pair.
                let deviation = 100.0 * power::deviation(&fast) * 0.75_f64.sqrt();
                println!(
                    "| | {name}, sd of a block {deviation:.2} % | | | {} | | |",
                    found[name.as_str()]
                );
            }
        }
    }
    Ok(())
}
