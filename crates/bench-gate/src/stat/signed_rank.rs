//! Wilcoxon's signed-rank test of paired differences, exact. It assumes only that without an effect a
//! difference is as likely positive as negative.
//!
//! Source: F. Wilcoxon, Biometrics Bulletin 1 (1945).

use super::Effect;

/// The probability of a sum of positive ranks as large as that of `differences`, if each sign were
/// drawn by tossing a coin.
///
/// One-sided: small if the differences tend to be positive. Zeros are left out, as Wilcoxon did.
/// Differences of equal size share the mean of their ranks, and the distribution is the one that
/// these ranks have. 1 if nothing is left.
pub fn p_greater(differences: &[f64]) -> f64 {
    let mut differences: Vec<f64> = differences.iter().copied().filter(|d| *d != 0.0).collect();
    differences.sort_by(|a, b| a.abs().total_cmp(&b.abs()));
    let ranks = doubled_ranks(&differences);
    let positive = differences.iter().zip(&ranks).filter(|(d, _)| **d > 0.0);
    let sum: usize = positive.map(|(_, rank)| rank).sum();
    distribution(&ranks)[sum..].iter().sum::<f64>().min(1.0)
}

/// Twice the rank of each difference, in ascending order of their sizes: whole numbers though ties share ranks.
fn doubled_ranks(sorted: &[f64]) -> Vec<usize> {
    let mut ranks = Vec::with_capacity(sorted.len());
    for ties in sorted.chunk_by(|a, b| a.abs() == b.abs()) {
        let first = ranks.len() + 1;
        ranks.extend(ties.iter().map(|_| 2 * first + ties.len() - 1));
    }
    ranks
}

/// The probability of every sum of a random half of the ranks.
fn distribution(ranks: &[usize]) -> Vec<f64> {
    let mut probabilities = vec![0.0; ranks.iter().sum::<usize>() + 1];
    probabilities[0] = 1.0;
    let mut most = 0;
    for &rank in ranks {
        most += rank;
        for sum in (0..=most).rev() {
            let with = if sum >= rank { probabilities[sum - rank] } else { 0.0 };
            probabilities[sum] = f64::midpoint(probabilities[sum], with);
        }
    }
    probabilities
}

/// The smallest sum w of positive ranks of `n` untied differences whose P(W ≤ w) is at least `p`:
/// R's `qsignrank`.
fn quantile(p: f64, n: usize) -> usize {
    let ranks: Vec<usize> = (1..=n).collect();
    let mut up_to = 0.0;
    let reaches = |probability: &f64| {
        up_to += probability;
        // Sums of powers of two, exact to 52 differences; beyond that the last bits are rounded.
        up_to >= p * (1.0 - 1e-12)
    };
    distribution(&ranks).iter().position(reaches).unwrap_or(n * (n + 1) / 2)
}

/// The Hodges–Lehmann effect in `differences` (at least one), with the exact interval whose two-sided
/// error is at most `error`, or as small as so few differences allow.
///
/// Source: J. L. Hodges and E. L. Lehmann, Annals of Mathematical Statistics 34 (1963).
///
/// # Panics
/// If there is no difference.
pub fn effect(differences: &[f64], error: f64) -> Effect {
    let means = walsh_averages(differences);
    let (n, count) = (differences.len(), means.len());
    // As R's wilcox.test: the means of these ranks, counted from either end.
    let rank = quantile(error / 2.0, n).max(1);
    Effect {
        estimate: f64::midpoint(means[(count - 1) / 2], means[count / 2]),
        low: means[rank - 1],
        high: means[count - rank],
    }
}

/// The mean of every pair of differences, each paired with itself as well, sorted.
fn walsh_averages(differences: &[f64]) -> Vec<f64> {
    assert!(!differences.is_empty(), "an effect needs a difference");
    let mut means: Vec<f64> = Vec::with_capacity(differences.len() * (differences.len() + 1) / 2);
    for (index, a) in differences.iter().enumerate() {
        means.extend(differences[index..].iter().map(|b| f64::midpoint(*a, *b)));
    }
    means.sort_by(f64::total_cmp);
    means
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Largest rank sums whose one-sided probability is at most 5, 2.5 and 0.5 %.
    ///
    /// Source: R. L. McCornack, "Extended tables of the Wilcoxon matched pair signed rank statistic", Journal of the American
    /// Statistical Association 60 (1965).
    #[test]
    fn critical_values_are_those_of_the_published_table() {
        let check = |level: f64, table: &[(usize, usize)]| {
            for &(n, critical) in table {
                let ranks: Vec<usize> = (1..=n).collect();
                let up_to = |w: usize| distribution(&ranks)[..=w].iter().sum::<f64>();
                assert!(up_to(critical) <= level, "n = {n}, level {level}: {}", up_to(critical));
                assert!(
                    up_to(critical + 1) > level,
                    "n = {n}, level {level}: {}",
                    up_to(critical + 1)
                );
                assert_eq!(quantile(level, n), critical + 1, "n = {n}, level {level}");
            }
        };
        check(
            0.05,
            &[
                (5, 0),
                (6, 2),
                (7, 3),
                (8, 5),
                (9, 8),
                (10, 10),
                (12, 17),
                (15, 30),
                (20, 60),
                (25, 100),
                (30, 151),
                (40, 286),
                (50, 466),
            ],
        );
        check(
            0.025,
            &[
                (6, 0),
                (7, 2),
                (8, 3),
                (9, 5),
                (10, 8),
                (12, 13),
                (15, 25),
                (20, 52),
                (25, 89),
                (30, 137),
                (40, 264),
                (50, 434),
            ],
        );
        check(
            0.005,
            &[
                (8, 0),
                (9, 1),
                (10, 3),
                (12, 7),
                (15, 15),
                (20, 37),
                (25, 68),
                (30, 109),
                (40, 220),
                (50, 373),
            ],
        );
    }

    /// Heights of Darwin's cross- and self-fertilised maize: the differences stand in R. A. Fisher, The Design of Experiments (1935),
    /// p. 37; expected values are those of SciPy 1.17.1's `wilcoxon(…, alternative="greater")`, exact or by all permutations.
    #[test]
    fn p_values_are_scipys() {
        let check = |differences: &[f64], expected: f64| {
            let found = p_greater(differences);
            assert!((found - expected).abs() < 1e-12, "{differences:?}: {found}");
        };
        let maize = [
            6., 8., 14., 16., 23., 24., 28., 29., 41., -48., 49., 56., 60., -67., 75.,
        ];
        check(&maize, 0.020_629_882_812_5);
        let mixed = [0.5, -1.2, 2.3, 3.1, -0.4, 1.9, 2.8, 4.4, -2.2, 3.3, 1.1, 0.9];
        check(&mixed, 0.021_240_234_375);
        check(&mixed.map(|d| -d), 0.982_910_156_25);
        let forty: Vec<f64> = (1..=40).map(|i| (1.7 * f64::from(i)).sin() + 0.35).collect();
        check(&forty, 0.004_690_674_552_875_862);
        check(&[1., 1., 2., -2., 3., 0., 0., 4., 5., -1.], 0.066_406_25);
    }

    #[test]
    fn the_extremes_are_powers_of_two() {
        let up: Vec<f64> = (1..=16).map(f64::from).collect();
        let down: Vec<f64> = up.iter().map(|d| -d).collect();
        assert_eq!(p_greater(&up), 0.5_f64.powi(16));
        assert_eq!(p_greater(&down), 1.0);
        assert_eq!(p_greater(&[0.0; 16]), 1.0, "zeros say nothing");
        assert_eq!(p_greater(&[]), 1.0);
        assert_eq!(p_greater(&[3.0, 0.0]), 0.5);
    }

    #[test]
    fn ties_are_counted_as_every_toss_of_the_signs_would() {
        let mut random = fastrand::Rng::with_seed(3);
        for n in 1..=10_usize {
            for _ in 0..20 {
                let differences: Vec<f64> = (0..n)
                    .map(|_| random.usize(..7) as f64 - 3.0)
                    .filter(|d| *d != 0.0)
                    .collect();
                let n = differences.len();
                let rank = |d: f64| -> f64 {
                    let below = differences.iter().filter(|o| o.abs() < d.abs()).count() as f64;
                    let equal = differences.iter().filter(|o| o.abs() == d.abs()).count() as f64;
                    below + (equal + 1.0) / 2.0
                };
                let sum = |is_up: &dyn Fn(usize) -> bool| -> f64 {
                    (0..n).filter(|&i| is_up(i)).map(|i| rank(differences[i])).sum()
                };
                let observed = sum(&|i| differences[i] > 0.0);
                let as_large = (0..1_usize << n)
                    .filter(|signs| sum(&|i| signs >> i & 1 == 1) >= observed)
                    .count();
                let expected = as_large as f64 / (1_usize << n) as f64;
                let found = p_greater(&differences);
                assert!(
                    (found - expected).abs() < 1e-12,
                    "{differences:?}: {found}, by counting {expected}"
                );
            }
        }
    }

    /// Depression scores before and after: pseudomedian 0.46, and a one-sided p of 0.01953.
    ///
    /// Source: M. Hollander and D. A. Wolfe, Nonparametric Statistical Methods (1973), pp. 29, 35; also the example of R's
    /// `wilcox.test`.
    #[test]
    #[expect(clippy::approx_constant, reason = "a score that happens to look like pi")]
    fn a_textbook_example_comes_out_as_printed() {
        let first = [1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30];
        let second = [0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29];
        let differences: Vec<f64> = first.iter().zip(second).map(|(x, y)| x - y).collect();
        assert!((p_greater(&differences) - 0.019_531_25).abs() < 1e-12);
        let found = effect(&differences, 0.05);
        assert!((found.estimate - 0.46).abs() < 5e-4, "{found:?}");
        // Ranks 6 and 40 of the 45 means, as the table of the signed-rank statistic wants for n = 9.
        assert!(
            (found.low - 0.010).abs() < 1e-3 && (found.high - 0.786).abs() < 1e-3,
            "{found:?}"
        );
    }

    #[test]
    fn one_wild_pair_hardly_moves_it() {
        let mut differences: Vec<f64> = (0..16).map(|i| 0.01 + 0.0001 * f64::from(i)).collect();
        let before = effect(&differences, 0.01);
        differences[3] = 5.0;
        let after = effect(&differences, 0.01);
        assert!(
            (before.estimate - after.estimate).abs() < 0.0003,
            "{before:?} {after:?}"
        );
    }

    #[test]
    fn a_single_difference_is_its_own_effect() {
        let found = effect(&[0.3], 0.05);
        assert_eq!((found.low, found.estimate, found.high), (0.3, 0.3, 0.3));
    }
}
