//! From which size on a GPU is faster than the CPU, and how sure that is.

use gpu_executor::{Backend, Error, Hybrid};

use super::{
    alternation::{Comparison, Mode, median},
    flags::Flags,
    uses::Use,
};

/// Sizes between the two where the sign changes.
const STEPS: i32 = 4;
/// Draws of the bootstrap.
const DRAWS: usize = 1000;

/// What was found of one operator and device.
pub(crate) struct Crossover {
    pub(crate) operator: &'static str,
    backend: Backend,
    found: Found,
}

/// Where the lines through the times of some sizes cross, without an interval: the sizes,
/// ascending, each with the GPU's time over the CPU's.
pub(crate) fn between(operator: &'static str, backend: Backend, ratios: &[(usize, f64)]) -> Crossover {
    let rounds = |&(size, ratio): &(usize, f64)| Rounds {
        size,
        logs: vec![ratio.ln()],
    };
    let fine: Vec<Rounds> = ratios.iter().map(rounds).collect();
    let medians: Vec<f64> = fine.iter().map(|rounds| median(&rounds.logs)).collect();
    let changes = medians.windows(2).any(|pair| pair[0] > 0.0 && pair[1] <= 0.0);
    let found = if changes {
        let size = crossing(&fine, &medians);
        Found::At {
            size,
            low: size,
            high: size,
            until: until(&fine, size),
        }
    } else {
        never(&fine, backend)
    };
    Crossover {
        operator,
        backend,
        found,
    }
}

/// The first size behind a crossing at which the CPU is faster again.
fn until(rounds: &[Rounds], crossing: f64) -> Option<usize> {
    let behind = rounds.iter().filter(|rounds| rounds.size as f64 > crossing);
    behind
        .filter(|rounds| median(&rounds.logs) > 0.0)
        .map(|rounds| rounds.size)
        .next()
}

/// Sizes at all of which the same one is faster.
fn never(rounds: &[Rounds], backend: Backend) -> Found {
    let ratio = |rounds: &Rounds| ((-median(&rounds.logs)).exp(), rounds.size);
    let mut ratios: Vec<_> = rounds.iter().map(ratio).collect();
    ratios.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (least, most) = match (ratios.first(), ratios.last()) {
        (Some(&least), Some(&most)) => (least, most),
        _ => ((f64::NAN, 0), (f64::NAN, 0)),
    };
    Found::Never {
        faster: if most.0 > 1.0 { backend } else { Backend::Cpu },
        least,
        most,
    }
}

enum Found {
    /// The size, and the interval that 95 of 100 draws of the rounds lie in.
    At {
        size: f64,
        low: f64,
        high: f64,
        /// A larger size at which the CPU is faster again.
        until: Option<usize>,
    },
    /// The faster one at all sizes, and the least and greatest ratio of the CPU's time to the
    /// GPU's, with its size.
    Never {
        faster: Backend,
        least: (f64, usize),
        most: (f64, usize),
    },
}

/// The rounds of one size: the logarithms of the GPU's time over the CPU's.
struct Rounds {
    size: usize,
    logs: Vec<f64>,
}

impl Crossover {
    /// Whether a size lies in the interval, or `factor` around it.
    pub(crate) fn is_near(&self, size: usize, factor: f64) -> bool {
        match self.found {
            Found::At { low, high, .. } => (low / factor..=high * factor).contains(&(size as f64)),
            Found::Never { .. } => false,
        }
    }
}

pub(crate) fn find(hybrid: &Hybrid, of: &Use, backend: Backend, flags: &Flags) -> Result<Crossover, Error> {
    let operator = &of.operator;
    let rounds = |size: usize| -> Result<Option<Rounds>, Error> {
        let workload = (operator.workload)(size, 1, 7);
        let mut comparison = Comparison::between(hybrid, workload.as_ref(), [Backend::Cpu, backend])?;
        let times = comparison.hold(Mode::Alternation, flags)?;
        Ok(times.map(|times| Rounds {
            size,
            logs: times[1]
                .seconds
                .iter()
                .zip(&times[0].seconds)
                .map(|(gpu, cpu)| (gpu / cpu).ln())
                .collect(),
        }))
    };
    let mut coarse = Vec::new();
    for size in flags.sizes().filter(|&size| size <= of.most) {
        match rounds(size)? {
            Some(of_size) => coarse.push(of_size),
            None => break,
        }
    }
    let middle = |rounds: &Rounds| median(&rounds.logs);
    let change = coarse
        .windows(2)
        .rposition(|pair| middle(&pair[0]) > 0.0 && middle(&pair[1]) <= 0.0);
    let found = match change {
        None => never(&coarse, backend),
        Some(at) => {
            let (from, to) = (coarse[at].size as f64, coarse[at + 1].size as f64);
            let mut fine = Vec::new();
            for step in 0..=STEPS {
                let size = from * (to / from).powf(f64::from(step) / f64::from(STEPS));
                // Both ends were short enough.
                fine.extend(rounds(size.round() as usize)?);
            }
            let Found::At { size, low, high, .. } = interval(&fine) else {
                unreachable!("an interval is one of a crossing");
            };
            Found::At {
                size,
                low,
                high,
                until: until(&coarse, size),
            }
        }
    };
    Ok(Crossover {
        operator: operator.name,
        backend,
        found,
    })
}

/// The crossing of the medians, and the interval of the crossings when each size's rounds are drawn
/// again.
fn interval(fine: &[Rounds]) -> Found {
    let medians: Vec<f64> = fine.iter().map(|rounds| median(&rounds.logs)).collect();
    let mut random = 0x9E37_79B9_7F4A_7C15_u64;
    let mut draw = |below: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        (random % below as u64) as usize
    };
    let mut crossings: Vec<f64> = (0..DRAWS)
        .map(|_| {
            let drawn = fine.iter().map(|rounds| {
                let logs: Vec<f64> = rounds
                    .logs
                    .iter()
                    .map(|_| rounds.logs[draw(rounds.logs.len())])
                    .collect();
                median(&logs)
            });
            crossing(fine, &drawn.collect::<Vec<_>>())
        })
        .collect();
    crossings.sort_by(f64::total_cmp);
    Found::At {
        size: crossing(fine, &medians),
        low: crossings[DRAWS / 40],
        high: crossings[DRAWS - 1 - DRAWS / 40],
        until: None,
    }
}

/// The last size at which a line through the medians crosses zero; the end nearer to it if none
/// does.
fn crossing(fine: &[Rounds], medians: &[f64]) -> f64 {
    let size = |index: usize| fine[index].size as f64;
    let change = medians.windows(2).rposition(|pair| pair[0] > 0.0 && pair[1] <= 0.0);
    match change {
        Some(at) => {
            let part = medians[at] / (medians[at] - medians[at + 1]);
            size(at) * (size(at + 1) / size(at)).powf(part)
        }
        None if medians[0].abs() < medians[medians.len() - 1].abs() => size(0),
        None => size(fine.len() - 1),
    }
}

pub(crate) fn print(crossovers: &[Crossover]) {
    println!("\n| operator | device | faster than the CPU from | 95 % interval |\n|---|---|--:|--:|");
    for Crossover {
        operator,
        backend,
        found,
    } in crossovers
    {
        match found {
            Found::At { size, low, high, until } => {
                let until = until.map_or_else(String::new, |size| format!(", below {size}"));
                println!("| {operator} | {backend} | {size:.0}{until} | {low:.0} to {high:.0} |");
            }
            Found::Never { least: (_, 0), .. } => println!("| {operator} | {backend} | no call was short enough | |"),
            Found::Never { faster, least, most } => {
                let which = if faster == backend { "every size" } else { "no size" };
                println!(
                    "| {operator} | {backend} | {which} | {:.3} × at {} to {:.3} × at {} |",
                    least.0, least.1, most.0, most.1
                );
            }
        }
    }
}
