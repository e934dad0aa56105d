//! Reference tests: how criterion, tango-bench and benchstat decide, to be fed the recordings that
//! this gate is validated on.

use fastrand::Rng;

use super::{mann_whitney, quantile::median};

/// What a tool says of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Significantly slower.
    Slower,
    /// Significantly faster.
    Faster,
    /// Neither.
    None,
}

fn change(is_significant: bool, difference: f64) -> Change {
    match (is_significant, difference > 0.0) {
        (false, _) => Change::None,
        (true, true) => Change::Slower,
        (true, false) => Change::Faster,
    }
}

/// benchstat: Mann–Whitney at 5 % on one figure of each run; `base` and `head` hold the medians of
/// processes.
pub fn benchstat(base: &[f64], head: &[f64]) -> Change {
    if base.is_empty() || head.is_empty() {
        return Change::None;
    }
    let is_significant = mann_whitney::p_two_sided(base, head) < 0.05;
    change(is_significant, median(head) - median(base))
}

/// tango-bench: differences of interleaved samples, those beyond five interquartile ranges left out;
/// significant if the mean is 2.6 standard errors from zero and over 0.5 % of the candidate's.
pub fn tango(base: &[f64], head: &[f64]) -> Change {
    let mut differences: Vec<f64> = head.iter().zip(base).map(|(head, base)| head - base).collect();
    differences.sort_by(f64::total_cmp);
    let n = differences.len();
    if n < 4 {
        return Change::None;
    }
    let (q1, q3) = (differences[n / 4], differences[n * 3 / 4]);
    let reach = 5.0 * (q3 - q1);
    let below = differences.iter().filter(|d| **d < q1 - reach).count();
    let above = differences.iter().filter(|d| **d > q3 + reach).count();
    let outliers = below.min(above);
    let (mean, variance) = moments(&differences[outliers..n - outliers]);
    let z = mean / (variance / (n - 2 * outliers) as f64).sqrt();
    let is_significant = z.abs() >= 2.6 && (mean / moments(head).0).abs() > 0.005;
    change(is_significant, mean)
}

/// criterion 0.8: a bootstrapped t-test of the samples' means at 5 %, and a 95 % interval of the
/// relative change outside of ±1 %.
pub fn criterion(base: &[f64], head: &[f64], random: &mut Rng) -> Change {
    const RESAMPLES: usize = 1000;
    if base.len() < 2 || head.len() < 2 {
        return Change::None;
    }
    let draw = |from: &[f64], n: usize, random: &mut Rng| -> Vec<f64> {
        (0..n).map(|_| from[random.usize(..from.len())]).collect()
    };
    let t = |head: &[f64], base: &[f64]| {
        let ((head_mean, head_variance), (base_mean, base_variance)) = (moments(head), moments(base));
        (head_mean - base_mean) / (head_variance / head.len() as f64 + base_variance / base.len() as f64).sqrt()
    };
    let observed = t(head, base);
    let all = [base, head].concat();
    let (mut below, mut changes) = (0, Vec::with_capacity(RESAMPLES));
    for _ in 0..RESAMPLES {
        let mixed = draw(&all, all.len(), random);
        below += usize::from(t(&mixed[base.len()..], &mixed[..base.len()]) < observed);
        let (old, new) = (draw(base, base.len(), random), draw(head, head.len(), random));
        changes.push(moments(&new).0 / moments(&old).0 - 1.0);
    }
    let p = 2.0 * below.min(RESAMPLES - below) as f64 / RESAMPLES as f64;
    changes.sort_by(f64::total_cmp);
    let (low, high) = (changes[RESAMPLES / 40], changes[RESAMPLES - RESAMPLES / 40 - 1]);
    change(p < 0.05 && (low > 0.01 || high < -0.01), low)
}

/// Mean and variance.
fn moments(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    (
        mean,
        values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0).max(1.0),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tool_sees_a_clear_change_and_none_where_there_is_none() {
        let base: Vec<f64> = (0..20).map(|i| 100.0 + f64::from(i % 5) * 0.1).collect();
        let scaled = |factor: f64| base.iter().map(|ns| ns * factor).rev().collect::<Vec<_>>();
        let mut random = Rng::with_seed(1);
        for (factor, expected) in [(1.1, Change::Slower), (0.9, Change::Faster), (1.0, Change::None)] {
            let head = scaled(factor);
            assert_eq!(benchstat(&base, &head), expected, "benchstat {factor}");
            assert_eq!(tango(&base, &head), expected, "tango {factor}");
            assert_eq!(criterion(&base, &head, &mut random), expected, "criterion {factor}");
        }
    }

    #[test]
    fn criterions_noise_threshold_and_tangos_are_theirs() {
        let base: Vec<f64> = (0..20).map(|i| 100.0 + f64::from(i % 5) * 0.01).collect();
        let head = |factor: f64| base.iter().map(|ns| ns * factor).collect::<Vec<_>>();
        assert_eq!(tango(&base, &head(1.004)), Change::None);
        assert_eq!(tango(&base, &head(1.006)), Change::Slower);
        let mut random = Rng::with_seed(1);
        assert_eq!(criterion(&base, &head(1.009), &mut random), Change::None);
        assert_eq!(criterion(&base, &head(1.012), &mut random), Change::Slower);
    }
}
