//! When a comparison is assessed, and how much error each interim analysis may spend. Both are fixed
//! before the first block: to look until something shows would always show something.

/// One interim analysis, or the last.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interim {
    /// Blocks measured by then.
    pub blocks: usize,
    /// Error it may spend on any false `slower`, over all cases; as much again on `faster`.
    pub level: f64,
}

/// The interim analyses of a comparison.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    interims: Vec<Interim>,
}

/// The shares of blocks and of error (0.2, 0.3 and 0.5 of 1 %) of the three analyses. The errors add
/// up to 1 % by Bonferroni's inequality, whatever the dependence between analyses.
const SHARES: [(f64, f64); 3] = [(0.4, 0.002), (0.6, 0.003), (1.0, 0.005)];

/// Fewest blocks that a verdict rests on.
pub const MIN_BLOCKS: usize = 8;

impl Plan {
    /// The plan whose last analysis comes after `blocks` blocks, at least [`MIN_BLOCKS`].
    pub fn of(blocks: usize) -> Self {
        let blocks = blocks.max(MIN_BLOCKS);
        let interim = |(share, level): (f64, f64)| Interim {
            blocks: ((share * blocks as f64).round() as usize).max(MIN_BLOCKS),
            level,
        };
        let mut interims: Vec<Interim> = Vec::new();
        for next in SHARES.map(interim) {
            match interims.last_mut() {
                Some(last) if last.blocks == next.blocks => last.level += next.level,
                _ => interims.push(next),
            }
        }
        Self { interims }
    }

    /// The analyses, the earliest first.
    pub fn interims(&self) -> &[Interim] {
        &self.interims
    }

    /// The last analysis.
    pub fn last(&self) -> Interim {
        self.interims[self.interims.len() - 1]
    }

    /// Error that a case with `blocks` blocks has not spent.
    pub fn unspent(&self, blocks: usize) -> f64 {
        let later = self.interims.iter().filter(|interim| interim.blocks > blocks);
        later.map(|interim| interim.level).sum()
    }
}

impl Default for Plan {
    /// 16, 24 and 40 blocks.
    fn default() -> Self {
        Self::of(40)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_plan_spends_one_per_cent() {
        for blocks in 0..200 {
            let plan = Plan::of(blocks);
            let levels: f64 = plan.interims().iter().map(|interim| interim.level).sum();
            assert!((levels - 0.01).abs() < 1e-12, "{plan:?}");
            assert!(plan.interims().is_sorted_by(|a, b| a.blocks < b.blocks), "{plan:?}");
            assert_eq!(plan.last().blocks, blocks.max(MIN_BLOCKS));
            assert_eq!(plan.unspent(plan.last().blocks), 0.0);
            assert!((plan.unspent(0) - 0.01).abs() < 1e-12);
        }
    }

    #[test]
    fn the_first_analysis_can_confirm_a_hundred_cases() {
        let plan = Plan::default();
        let blocks: Vec<usize> = plan.interims().iter().map(|interim| interim.blocks).collect();
        assert_eq!(blocks, [16, 24, 40]);
        // Three times a case, and as small as the aligned rank test gets.
        assert!(300.0 * 3.0_f64.powi(-16) < plan.interims()[0].level);
    }
}
