//! Holm's procedure: p-values of several tests, adjusted.
//!
//! Source: S. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6 (1979).

/// Each p-value adjusted so that all tests whose value is at most α can be rejected together, with a
/// probability of at most α that any rejection is wrong. In the order given.
pub fn adjust(p_values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|&a, &b| p_values[a].total_cmp(&p_values[b]));
    let mut adjusted = vec![0.0; p_values.len()];
    let mut largest: f64 = 0.0;
    for (rank, index) in order.into_iter().enumerate() {
        let remaining = (p_values.len() - rank) as f64;
        largest = largest.max((remaining * p_values[index]).min(1.0));
        adjusted[index] = largest;
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Source: S. P. Wright, "Adjusted p-values for simultaneous inference", Biometrics 48 (1992), and R's `p.adjust`.
    #[test]
    fn adjusted_values_are_those_of_r() {
        let check = |p: &[f64], expected: &[f64]| {
            let adjusted = adjust(p);
            for (found, expected) in adjusted.iter().zip(expected) {
                assert!((found - expected).abs() < 1e-12, "{p:?}: {adjusted:?}");
            }
        };
        check(&[0.01, 0.02, 0.03, 0.04, 0.05], &[0.05, 0.08, 0.09, 0.09, 0.09]);
        check(&[0.04, 0.01, 0.03, 0.005], &[0.06, 0.03, 0.06, 0.02]);
        check(&[0.5, 0.6], &[1.0, 1.0]);
        check(&[0.2], &[0.2]);
        check(&[], &[]);
    }
}
