//! What a number of blocks can find, and how many blocks something takes.

use statrs::distribution::{ContinuousCDF as _, Normal};

/// How efficient a rank test is beside a t-test of normal differences: 3/π.
///
/// Source: E. J. G. Pitman, lecture notes of 1948; J. L. Hodges and E. L. Lehmann, Annals of
/// Mathematical Statistics 27 (1956).
const EFFICIENCY: f64 = 3.0 / std::f64::consts::PI;

/// z(95 %): the power that is planned for.
pub const Z_POWER: f64 = 1.644_853_626_951_472_2;

/// The effect that `n` blocks whose differences have standard deviation `deviation` show with 95 %
/// probability at the one-sided `level`: (z(1 − level) + z(95 %)) · deviation / √(3/π · n).
pub fn detectable(deviation: f64, n: usize, level: f64) -> f64 {
    z_sum(level) * deviation / (EFFICIENCY * n as f64).sqrt()
}

/// Blocks that show `effect` with 95 % probability at the one-sided `level`; none for no effect.
pub fn blocks_to_find(effect: f64, deviation: f64, level: f64) -> Option<usize> {
    let blocks = (z_sum(level) * deviation / effect).powi(2) / EFFICIENCY;
    (effect > 0.0 && blocks.is_finite()).then_some(blocks.ceil() as usize)
}

fn z_sum(level: f64) -> f64 {
    Normal::standard().inverse_cdf(1.0 - level) + Z_POWER
}

/// The standard deviation of a normal distribution as wide as the middle half of `differences`, so
/// that a burst of noise does not count; 0 with fewer than two.
pub fn deviation(differences: &[f64]) -> f64 {
    let mut sorted = differences.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = |p: f64| {
        let place = p * (sorted.len().saturating_sub(1)) as f64;
        let (below, above) = (place.floor() as usize, place.ceil() as usize);
        match (sorted.get(below), sorted.get(above)) {
            (Some(low), Some(high)) => low + (high - low) * place.fract(),
            _ => 0.0,
        }
    };
    // The quartiles of the standard normal distribution lie 1.349 apart.
    (at(0.75) - at(0.25)) / 1.349
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_formula_gives_what_it_gives_by_hand() {
        // z(0.99) = 2.326348, z(0.95) = 1.644854; 3.971202 · 0.02 / √(0.954930 · 40).
        assert!((detectable(0.02, 40, 0.01) - 0.012_851).abs() < 1e-6);
        // z(1 − 0.001) = 3.090232.
        assert!((detectable(0.02, 40, 0.001) - 0.015_322).abs() < 1e-5);
    }

    #[test]
    fn blocks_and_effect_are_inverse() {
        for n in [8, 16, 40, 1000] {
            let effect = detectable(0.013, n, 1e-4);
            assert_eq!(blocks_to_find(effect * (1.0 + 1e-9), 0.013, 1e-4), Some(n));
        }
        assert_eq!(blocks_to_find(0.0, 0.013, 1e-4), None);
        assert_eq!(blocks_to_find(-0.1, 0.013, 1e-4), None);
        assert_eq!(blocks_to_find(0.1, 0.0, 1e-4), Some(0));
    }

    #[test]
    fn the_deviation_is_that_of_the_middle_half() {
        let mut values: Vec<f64> = (0..101).map(f64::from).collect();
        assert!((deviation(&values) - 50.0 / 1.349).abs() < 1e-9);
        values[100] = 1e9;
        assert!((deviation(&values) - 50.0 / 1.349).abs() < 1e-9);
        assert_eq!(deviation(&[1.0]), 0.0);
        assert_eq!(deviation(&[]), 0.0);
    }
}
