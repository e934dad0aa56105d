//! The size of an effect that a few wild pairs do not move, with its exact interval.
//!
//! Source: J. L. Hodges and E. L. Lehmann, Annals of Mathematical Statistics 34 (1963).

use crate::stat::signed_rank;

/// An effect and the interval that holds it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Effect {
    /// Of differences: the median of the means of all pairs, each paired with itself as well.
    pub(crate) estimate: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

impl Effect {
    /// The effect in `differences`, n ≥ 1, with the interval whose two-sided error is at most `error` (or as small as so few
    /// differences allow).
    pub(crate) fn of(differences: &[f64], error: f64) -> Self {
        let means = walsh_averages(differences);
        let (n, count) = (differences.len(), means.len());
        // As R's wilcox.test: the means of these ranks, counted from either end.
        let rank = signed_rank::quantile(error / 2.0, n).max(1);
        Self {
            estimate: f64::midpoint(means[(count - 1) / 2], means[count / 2]),
            low: means[rank - 1],
            high: means[count - rank],
        }
    }
}

/// The mean of every pair of differences, sorted.
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
        assert!((signed_rank::p_greater(&differences) - 0.019_531_25).abs() < 1e-12);
        let effect = Effect::of(&differences, 0.05);
        assert!((effect.estimate - 0.46).abs() < 5e-4, "{effect:?}");
        // Ranks 6 and 40 of the 45 means, as the table of the signed-rank statistic wants for n = 9.
        assert!(
            (effect.low - 0.010).abs() < 1e-3 && (effect.high - 0.786).abs() < 1e-3,
            "{effect:?}"
        );
    }

    #[test]
    fn one_wild_pair_hardly_moves_it() {
        let mut differences: Vec<f64> = (0..16).map(|i| 0.01 + 0.0001 * f64::from(i)).collect();
        let before = Effect::of(&differences, 0.01);
        differences[3] = 5.0;
        let after = Effect::of(&differences, 0.01);
        assert!(
            (before.estimate - after.estimate).abs() < 0.0003,
            "{before:?} {after:?}"
        );
    }

    #[test]
    fn a_single_difference_is_its_own_effect() {
        let effect = Effect::of(&[0.3], 0.05);
        assert_eq!((effect.low, effect.estimate, effect.high), (0.3, 0.3, 0.3));
    }
}
