//! When a comparison is looked at, and how much error each look may spend: fixed beforehand, since whoever looks until
//! something shows will be shown something.

/// One look at the blocks so far.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Look {
    /// Blocks measured by then.
    pub(crate) blocks: usize,
    /// Error it may spend on calling anything slower, over all cases; and as much again on calling anything faster.
    pub(crate) level: f64,
}

/// The looks: 1 % in all, by Bonferroni's inequality.
pub(crate) const LOOKS: [Look; 3] = [
    Look {
        blocks: 16,
        level: 0.002,
    },
    Look {
        blocks: 24,
        level: 0.003,
    },
    Look {
        blocks: 40,
        level: 0.005,
    },
];

/// The last look.
pub(crate) const LAST: Look = LOOKS[LOOKS.len() - 1];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_looks_spend_one_per_cent_and_the_first_can_convict_a_hundred_cases() {
        assert!((LOOKS.iter().map(|look| look.level).sum::<f64>() - 0.01).abs() < 1e-12);
        assert!(LOOKS.is_sorted_by(|a, b| a.blocks < b.blocks));
        // Two times a case, and as small as the aligned rank test gets.
        assert!(100.0 * 2.0 * 3.0_f64.powi(-(LOOKS[0].blocks as i32)) < LOOKS[0].level);
    }
}
