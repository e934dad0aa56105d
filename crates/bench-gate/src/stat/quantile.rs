//! Quantiles of call times.

use statrs::function::beta::beta_reg;

/// The Harrell–Davis estimate of quantile `p`: a mean of all order statistics, weighted by how likely
/// each is the quantile. Smoother than a single order statistic, and so less noisy from run to run.
///
/// `sorted` has shape `[n]`, ascending, n ≥ 1; 0 < p < 1. Returns a value in the units of `sorted`.
///
/// # Panics
/// If `sorted` is empty or `p` not between 0 and 1.
///
/// Source: F. E. Harrell and C. E. Davis, Biometrika 69 (1982).
pub fn harrell_davis(sorted: &[u64], p: f64) -> f64 {
    assert!(!sorted.is_empty() && p > 0.0 && p < 1.0, "n ≥ 1 and 0 < p < 1");
    let n = sorted.len();
    if n == 1 {
        return sorted[0] as f64;
    }
    let (a, b) = ((n as f64 + 1.0) * p, (n as f64 + 1.0) * (1.0 - p));
    // The weights are the increments of a beta distribution. What lies over twelve standard deviations from its mean
    // is below 1e-12 of it.
    let deviation = (p * (1.0 - p) / (n as f64 + 2.0)).sqrt() * n as f64;
    let first = (p * n as f64 - 12.0 * deviation - 40.0).max(0.0) as usize;
    let last = ((p * n as f64 + 12.0 * deviation + 40.0) as usize).min(n);
    let (mut sum, mut weights) = (0.0, 0.0);
    let mut add = |weight: f64, value: u64| {
        sum += weight * value as f64;
        weights += weight;
    };
    if n > MAX_EXACT_WEIGHTS {
        // The density in the middle of each increment, relative to its mode.
        let (mode, middle) = ((a - 1.0) / (a + b - 2.0), |i: usize| (i as f64 + 0.5) / n as f64);
        let log_density = |x: f64| (a - 1.0) * (x / mode).ln() + (b - 1.0) * ((1.0 - x) / (1.0 - mode)).ln();
        for (i, &value) in sorted.iter().enumerate().take(last).skip(first) {
            add(log_density(middle(i)).exp(), value);
        }
    } else {
        let mut below = if first == 0 {
            0.0
        } else {
            beta_reg(a, b, first as f64 / n as f64)
        };
        for (i, &value) in sorted.iter().enumerate().take(last).skip(first) {
            let up_to = if i + 1 == n {
                1.0
            } else {
                beta_reg(a, b, (i + 1) as f64 / n as f64)
            };
            add(up_to - below, value);
            below = up_to;
        }
    }
    sum / weights
}

/// Above this many values the continued fraction behind `beta_reg` loses digits, and the density is as good.
const MAX_EXACT_WEIGHTS: usize = 10_000;

/// The median of values in any order.
///
/// # Panics
/// If there is none.
pub fn median(values: &[f64]) -> f64 {
    assert!(!values.is_empty(), "a median needs a value");
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    f64::midpoint(sorted[(sorted.len() - 1) / 2], sorted[sorted.len() / 2])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn harrell_davis_is_what_its_definition_gives_by_hand() {
        // n = 2, p = 1/2 weighs both alike; n = 3, p = 1/2 is Beta(2, 2), whose distribution function 3x² − 2x³ gives the weights
        // 7/27, 13/27, 7/27.
        let check = |values: &[u64], p, expected: f64| {
            let estimate = harrell_davis(values, p);
            assert!(
                (estimate - expected).abs() < 1e-9 * expected,
                "{values:?} at {p}: {estimate}, not {expected}"
            );
        };
        check(&[5], 0.9, 5.0);
        check(&[10, 20], 0.5, 15.0);
        check(&[27, 54, 108], 0.5, 7.0 + 26.0 + 28.0);
    }

    /// Source: `hdquantiles` of scipy.stats.mstats 1.17.1; the data are A. A. Michelson's first 20 speeds of light of 1879, as R's
    /// `morley` has them, in km/s above 299,000, the first 7 of them, and a sequence of 100 numbers.
    #[test]
    fn harrell_davis_is_scipys() {
        let check = |mut values: Vec<u64>, expected: [f64; 4]| {
            values.sort_unstable();
            for (p, expected) in [0.1, 0.5, 0.9, 0.99].into_iter().zip(expected) {
                let estimate = harrell_davis(&values, p);
                assert!(
                    (estimate - expected).abs() < 1e-9 * expected,
                    "{values:?} at {p}: {estimate}, not {expected}"
                );
            }
        };
        let speeds = [
            850, 740, 900, 1070, 930, 850, 950, 980, 980, 880, 1000, 980, 930, 650, 760, 810, 1000, 1000, 960, 960,
        ];
        check(
            speeds.to_vec(),
            [
                740.415_732_392_355,
                936.937_305_354_924,
                1_014.930_507_553_915,
                1_066.370_608_116_672,
            ],
        );
        check(
            speeds[..7].to_vec(),
            [
                768.465_903_803_958,
                895.328_974_929_057,
                1_037.968_815_600_1,
                1_068.156_355_399_911,
            ],
        );
        check(
            (0..100).map(|i| i * i / 7 + i * 13 + 100).collect(),
            [
                237.385_290_781_375,
                1_096.763_307_362_789,
                2_408.817_044_696_691,
                2_763.240_482_541_126,
            ],
        );
    }

    #[test]
    fn fast_weights_are_the_exact_ones() {
        // On either side of where the weights are computed otherwise; I(x) of a symmetric beta is 1/2 at 1/2 exactly.
        for n in [MAX_EXACT_WEIGHTS - 1, MAX_EXACT_WEIGHTS, MAX_EXACT_WEIGHTS + 1, 20_000] {
            let sorted: Vec<u64> = (0..n as u64).map(|i| 1000 + i * i / 1000).collect();
            for p in [0.1, 0.5, 0.9, 0.99] {
                let (a, b) = ((n as f64 + 1.0) * p, (n as f64 + 1.0) * (1.0 - p));
                let cdf = |i: usize| match i {
                    0 => 0.0,
                    i if i == n => 1.0,
                    i => beta_reg(a, b, i as f64 / n as f64),
                };
                let full: f64 = (0..n).map(|i| (cdf(i + 1) - cdf(i)) * sorted[i] as f64).sum();
                let fast = harrell_davis(&sorted, p);
                assert!((full - fast).abs() < 1e-6 * full, "n = {n}, p = {p}: {full} and {fast}");
            }
        }
    }

    #[test]
    fn millions_of_calls_keep_their_quantiles() {
        let sorted: Vec<u64> = (0..2_000_001).collect();
        for p in [0.1, 0.5, 0.99] {
            let estimate = harrell_davis(&sorted, p);
            assert!((estimate - 2e6 * p).abs() < 2.0, "p = {p}: {estimate}");
        }
    }

    proptest! {
        #[test]
        fn quantiles_lie_within_the_data_and_do_not_cross(mut values in prop::collection::vec(1_u64..1 << 40, 1..200)) {
            values.sort_unstable();
            let (first, last) = (values[0] as f64, values[values.len() - 1] as f64);
            let [p50, p90, p99] = [0.5, 0.9, 0.99].map(|p| harrell_davis(&values, p));
            let slack = 1e-9 * last;
            prop_assert!(first - slack <= p50 && p50 <= p90 + slack && p90 <= p99 + slack && p99 <= last + slack);
        }
    }
}
