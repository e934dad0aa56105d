//! The smallest change that a comparison would have found.

use statrs::distribution::{ContinuousCDF as _, Normal};

/// How efficient the signed-rank test is beside a t-test of normal differences: 3/π.
///
/// Source: E. J. G. Pitman, lecture notes of 1948; J. L. Hodges and E. L. Lehmann, Annals of Mathematical Statistics 27 (1956).
const EFFICIENCY: f64 = 3.0 / std::f64::consts::PI;

/// The effect that `n` pairs with standard deviation `deviation` would show with 95 % probability, each of `cases` being tested
/// one-sided at `level` in all: (z(1 − level / cases) + z(95 %)) · deviation / √(3/π · n).
pub(crate) fn effect(deviation: f64, n: usize, level: f64, cases: usize) -> f64 {
    let normal = Normal::standard();
    let z = normal.inverse_cdf(1.0 - level / cases.max(1) as f64) + normal.inverse_cdf(0.95);
    z * deviation / (EFFICIENCY * n as f64).sqrt()
}

/// The standard deviation of a normal distribution as wide as the middle half of `differences`: a burst on the machine is not
/// the usual noise.
pub(crate) fn deviation(differences: &[f64]) -> f64 {
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
        assert!((effect(0.02, 40, 0.01, 1) - 0.012_851).abs() < 1e-6);
        // z(1 − 0.005 / 5) = 3.090232.
        assert!((effect(0.02, 40, 0.005, 5) - 0.015_322).abs() < 1e-5);
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
