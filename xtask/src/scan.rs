//! The threshold scan as functions of data: which size to measure next, and from where on a GPU pays.

mod told;

use std::collections::BTreeMap;

use bench_gate::{
    crossover::{Crossover, Curve, crossover, rounded},
    stat::quantile::median,
};
use serde::{Deserialize, Serialize};
pub(crate) use told::{crossovers_csv, csv, curves_csv, page, table};

/// The version of the file of a scan.
pub(crate) const SCHEMA: u32 = 1;
/// Sizes are eight times apart at first.
const STEP: u64 = 8;
/// The search ends when the sizes around a crossing are no further apart than this.
const CLOSE: f64 = 1.1;
/// Sizes between the first ones at the most.
const MAX_REFINED: usize = 8;

/// Whether the GPU was idle before its calls: a clock that follows the load is low then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Clock {
    /// Each window follows one of the CPU.
    AsItComes,
    /// Each window follows calls that keep the GPU busy.
    KeptBusy,
}

impl Clock {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::AsItComes => "as it comes",
            Self::KeptBusy => "kept busy",
        }
    }
}

/// Medians of the windows of one size, round by round, in nanoseconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Measured {
    pub(crate) cpu_ns: Vec<f64>,
    pub(crate) gpu_ns: Vec<f64>,
}

/// One operator on one backend.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Scanned {
    pub(crate) op: String,
    pub(crate) backend: String,
    pub(crate) clock: Clock,
    /// By number of elements.
    pub(crate) sizes: BTreeMap<u64, Measured>,
    /// Medians of the phases of a call at the largest size, in nanoseconds.
    pub(crate) phases_ns: BTreeMap<String, f64>,
    /// What the cold start took, part by part, and a warm call of the same size.
    pub(crate) cold_ns: BTreeMap<String, u64>,
    pub(crate) cold_size: u64,
}

/// What a scan leaves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Scan {
    pub(crate) schema: u32,
    /// What to call the machine where several are shown.
    pub(crate) label: String,
    /// UTC.
    pub(crate) started: String,
    pub(crate) command: String,
    /// Name and driver of the adapter by backend, where they are known.
    pub(crate) adapters: BTreeMap<String, String>,
    pub(crate) curves: Vec<Scanned>,
}

/// The first sizes: from the smallest in steps to the largest.
pub(crate) fn grid(smallest: u64, largest: u64) -> Vec<u64> {
    let mut sizes: Vec<u64> = std::iter::successors(Some(smallest), |size| size.checked_mul(STEP))
        .take_while(|size| *size < largest)
        .collect();
    sizes.push(largest.max(smallest));
    sizes
}

impl Scanned {
    /// The size to measure next; `None` if it is known well enough where the GPU begins to pay, or that it does not.
    pub(crate) fn next(&self, grid: &[u64]) -> Option<u64> {
        if let Some(size) = grid.iter().find(|size| !self.sizes.contains_key(size)) {
            return Some(*size);
        }
        if self.sizes.len() >= grid.len() + MAX_REFINED {
            return None;
        }
        let at = self.crossover()?.size()?;
        let (below, _) = self.sizes.range(..=at as u64).next_back()?;
        let (above, _) = self.sizes.range(at as u64 + 1..).next()?;
        let (low, high) = (*below as f64, *above as f64);
        if high / low <= CLOSE {
            return None;
        }
        // Next to a size that is known a measurement tells little: the middle tells more.
        let size = match (at / low).min(high / at) < CLOSE.sqrt() {
            true => (low * high).sqrt(),
            false => at,
        };
        Some(rounded(size)).filter(|size| !self.sizes.contains_key(size))
    }

    /// Where the GPU begins to pay, round by round.
    pub(crate) fn crossover(&self) -> Option<Crossover> {
        let rounds = self
            .sizes
            .values()
            .map(|measured| measured.cpu_ns.len().min(measured.gpu_ns.len()))
            .min()?;
        let curve = |round: usize, of: fn(&Measured) -> &Vec<f64>| -> Curve {
            self.sizes
                .iter()
                .map(|(size, measured)| (*size, of(measured)[round]))
                .collect()
        };
        let pairs: Vec<(Curve, Curve)> = (0..rounds)
            .map(|round| {
                (
                    curve(round, |measured| &measured.cpu_ns),
                    curve(round, |measured| &measured.gpu_ns),
                )
            })
            .collect();
        crossover(pairs.iter().map(|(cpu, gpu)| (cpu, gpu)))
    }

    /// What keeps the GPU from being faster at the largest size.
    pub(crate) fn bound(&self) -> Bound {
        let of = |name: &str| self.phases_ns.get(name).copied();
        let (Some(upload), Some(readback), Some(queue)) = (of("upload"), of("readback"), of("queue")) else {
            return Bound::Unknown;
        };
        // What the device does not compute within the queue is copies of the device's and waiting.
        let Some(device) = of("device") else {
            return Bound::Unknown;
        };
        match upload + readback + (queue - device).max(0.0) > device {
            true => Bound::Transfer,
            false => Bound::Compute,
        }
    }
}

/// What a call's time at the largest size mostly is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Bound {
    /// Moving data, submitting and waiting.
    Transfer,
    /// The kernel.
    Compute,
    /// The phases were not measured: the adapter has no timestamps.
    Unknown,
}

impl Bound {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Transfer => "transfer",
            Self::Compute => "compute",
            Self::Unknown => "not measured",
        }
    }
}

/// The median over the rounds.
pub(crate) fn middle(rounds_ns: &[f64]) -> f64 {
    median(rounds_ns)
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A scan of a CPU that takes a nanosecond an element and a GPU that takes `fixed` and `each`, with some noise.
    pub(crate) fn scanned(fixed: f64, each: f64, noise: f64) -> Scanned {
        let mut scanned = Scanned {
            op: "add".to_owned(),
            backend: "vulkan".to_owned(),
            clock: Clock::AsItComes,
            sizes: BTreeMap::new(),
            phases_ns: BTreeMap::new(),
            cold_ns: BTreeMap::new(),
            cold_size: 0,
        };
        let grid = grid(256, 1 << 24);
        let mut random = fastrand::Rng::with_seed(7);
        while let Some(size) = scanned.next(&grid) {
            let mut noisy = |ns: f64| (0..7).map(|_| ns * (1.0 + noise * (random.f64() - 0.5))).collect();
            let measured = Measured {
                cpu_ns: noisy(size as f64),
                gpu_ns: noisy(fixed + each * size as f64),
            };
            scanned.sizes.insert(size, measured);
        }
        scanned
    }

    #[test]
    fn the_grid_goes_to_the_largest_size() {
        assert_eq!(grid(256, 20_000), [256, 2048, 16_384, 20_000]);
        assert_eq!(grid(256, 256), [256]);
        assert_eq!(grid(256, 100), [256]);
    }

    #[test]
    fn the_search_ends_close_to_the_crossing() {
        let scanned = scanned(100_000.0, 0.5, 0.01);
        let found = scanned.crossover().unwrap();
        let (low, high) = found.extremes().unwrap();
        assert!(low < 200_000.0 && 200_000.0 < high && high / low < 1.1, "{found:?}");
        assert!(scanned.sizes.len() <= 7 + MAX_REFINED, "{:?}", scanned.sizes.keys());
    }

    #[test]
    fn what_never_pays_or_always_does_needs_the_grid_alone() {
        for each in [2.0, 0.0] {
            let scanned = scanned(0.1, each, 0.01);
            assert_eq!(scanned.sizes.len(), grid(256, 1 << 24).len());
            assert_eq!(scanned.crossover().unwrap().size(), None);
        }
    }

    #[test]
    fn the_phases_say_what_bounds_a_call() {
        let check = |phases: &[(&str, f64)], expected: Bound| {
            let phases_ns = phases.iter().map(|(name, ns)| ((*name).to_owned(), *ns)).collect();
            let scanned = Scanned {
                phases_ns,
                ..scanned(1.0, 2.0, 0.0)
            };
            assert_eq!(scanned.bound(), expected);
        };
        check(
            &[("upload", 5.0), ("queue", 9.0), ("device", 8.0), ("readback", 5.0)],
            Bound::Transfer,
        );
        check(
            &[("upload", 1.0), ("queue", 9.0), ("device", 8.0), ("readback", 1.0)],
            Bound::Compute,
        );
        check(&[("upload", 1.0), ("queue", 9.0), ("readback", 1.0)], Bound::Unknown);
        check(&[], Bound::Unknown);
    }

    proptest! {
        #[test]
        fn wherever_the_crossing_is_it_is_found(at in 300.0..1.5e7_f64, part in 0.1..0.9_f64) {
            let scanned = scanned(at * (1.0 - part), part, 0.002);
            let found = scanned.crossover().unwrap().size().unwrap();
            prop_assert!((found / at - 1.0).abs() < 0.05, "{found} where {at} is right");
        }
    }
}
