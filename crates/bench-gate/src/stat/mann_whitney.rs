//! The Mann–Whitney test of two unpaired samples: what benchstat compares benchmarks with.
//!
//! Source: H. B. Mann and D. R. Whitney, Annals of Mathematical Statistics 18 (1947).

use statrs::distribution::{ContinuousCDF as _, Normal};

/// Two-sided p-value of `a` and `b` coming from one distribution: exact without ties, else the normal
/// approximation with correction for ties and continuity. 1 if either is empty or all are equal.
pub fn p_two_sided(a: &[f64], b: &[f64]) -> f64 {
    if a.is_empty() || b.is_empty() {
        return 1.0;
    }
    let mut all: Vec<f64> = a.iter().chain(b).copied().collect();
    all.sort_by(f64::total_cmp);
    let wins = |x: &f64| -> f64 {
        b.iter()
            .map(|y| match x.total_cmp(y) {
                std::cmp::Ordering::Greater => 1.0,
                std::cmp::Ordering::Equal => 0.5,
                std::cmp::Ordering::Less => 0.0,
            })
            .sum()
    };
    let u: f64 = a.iter().map(wins).sum();
    let product = (a.len() * b.len()) as f64;
    let largest = u.max(product - u);
    let ties: Vec<f64> = all.chunk_by(|x, y| x == y).map(|run| run.len() as f64).collect();
    if ties.iter().all(|&run| run == 1.0) {
        let counts = arrangements(a.len(), b.len());
        let tail: f64 = counts[largest as usize..].iter().sum();
        return (2.0 * tail / counts.iter().sum::<f64>()).min(1.0);
    }
    let n = all.len() as f64;
    let tied: f64 = ties.iter().map(|run| run.powi(3) - run).sum();
    let variance = product / 12.0 * (n + 1.0 - tied / (n * (n - 1.0)));
    if variance <= 0.0 {
        return 1.0;
    }
    let z = (largest - product / 2.0 - 0.5) / variance.sqrt();
    (2.0 * Normal::standard().sf(z)).min(1.0)
}

/// In how many orders of `m` and `n` items each number of wins occurs.
fn arrangements(m: usize, n: usize) -> Vec<f64> {
    // The Gaussian binomial coefficient, factor by factor.
    let mut counts = vec![0.0; m * n + 1];
    counts[0] = 1.0;
    for i in 1..=m {
        for u in (n + i..counts.len()).rev() {
            counts[u] -= counts[u - n - i];
        }
        for u in i..counts.len() {
            counts[u] += counts[u - i];
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Permeability of chorioamnion at term and at 12 to 26 weeks: one-sided p 0.1272.
    ///
    /// Source: M. Hollander and D. A. Wolfe, Nonparametric Statistical Methods (1973), p. 69; also the
    /// example of R's `wilcox.test`. The other values are those of SciPy 1.17.1's `mannwhitneyu`.
    #[test]
    fn p_values_are_those_published() {
        let check = |a: &[f64], b: &[f64], expected: f64| {
            for p in [p_two_sided(a, b), p_two_sided(b, a)] {
                assert!((p - expected).abs() < 1e-9, "{a:?} {b:?}: {p}");
            }
        };
        let term = [0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46];
        check(&term, &[1.15, 0.88, 0.90, 0.74, 1.21], 2.0 * 0.127_206_127_206_127_2);
        check(
            &[1., 2., 3., 4., 5., 6.],
            &[7., 8., 9., 10., 11., 12.],
            0.002_164_502_164_502_164_5,
        );
        check(
            &[1., 2., 2., 3., 4., 5.],
            &[2., 3., 4., 5., 5., 6.],
            0.165_891_280_705_498_63,
        );
        check(&[1., 1.], &[1., 1.], 1.0);
        check(&[], &[1.0], 1.0);
    }
}
