//! How sure the median of call times is.

use fastrand::Rng;

/// A 95 % interval of the median over all calls, by bootstrap over whole blocks: calls within a block share the state
/// of the machine at that moment, so that resampling single calls would promise far too much.
///
/// `runs` holds for each run its blocks, each of shape `[n_calls]`, ascending. Runs are drawn first, then blocks
/// within each; with one run the blocks alone. `None` with fewer than 5 blocks in all.
pub(crate) fn median_interval(runs: &[Vec<Vec<u64>>]) -> Option<(f64, f64)> {
    const RESAMPLES: usize = 999;
    if runs.iter().map(Vec::len).sum::<usize>() < 5 || runs.iter().any(Vec::is_empty) {
        return None;
    }
    let mut random = Rng::with_seed(0x5EED);
    let mut medians: Vec<f64> = (0..RESAMPLES)
        .map(|_| {
            let mut drawn: Vec<&[u64]> = Vec::new();
            for _ in runs {
                let blocks = &runs[random.usize(..runs.len())];
                drawn.extend(blocks.iter().map(|_| blocks[random.usize(..blocks.len())].as_slice()));
            }
            median_of_blocks(&drawn)
        })
        .collect();
    medians.sort_by(f64::total_cmp);
    // The 25th smallest and the 25th largest of 999.
    Some((medians[24], medians[RESAMPLES - 25]))
}

/// The median of all values in several ascending blocks: the mean of the two in the middle.
fn median_of_blocks(blocks: &[&[u64]]) -> f64 {
    let total: usize = blocks.iter().map(|block| block.len()).sum();
    f64::midpoint(
        order_statistic(blocks, total.div_ceil(2)) as f64,
        order_statistic(blocks, total / 2 + 1) as f64,
    )
}

/// The value of the given rank, from 1, in several ascending blocks, by bisection over the values.
fn order_statistic(blocks: &[&[u64]], rank: usize) -> u64 {
    let mut low = blocks
        .iter()
        .filter_map(|b| b.first())
        .min()
        .copied()
        .unwrap_or_default();
    let mut high = blocks
        .iter()
        .filter_map(|b| b.last())
        .max()
        .copied()
        .unwrap_or_default();
    while low < high {
        let middle = low.midpoint(high);
        let up_to: usize = blocks
            .iter()
            .map(|block| block.partition_point(|&value| value <= middle))
            .sum();
        if up_to >= rank {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    low
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_interval_needs_five_blocks() {
        assert_eq!(median_interval(&[vec![vec![1]; 4]]), None);
        assert_eq!(median_interval(&[]), None);
        assert_eq!(median_interval(&[vec![vec![1]; 5]]), Some((1.0, 1.0)));
    }

    #[test]
    fn an_interval_is_as_wide_as_blocks_differ_not_as_calls_are_many() {
        let block = |centre: u64| (0..1000).map(|i| centre + i % 7).collect::<Vec<_>>();
        let steady = vec![(0..20).map(|_| block(1000)).collect::<Vec<_>>()];
        let drifting = vec![(0..20).map(|i| block(1000 + 10 * i)).collect::<Vec<_>>()];
        let (lo, hi) = median_interval(&steady).unwrap();
        assert!(hi - lo <= 1.0, "{lo}..{hi}");
        let (lo, hi) = median_interval(&drifting).unwrap();
        assert!(hi - lo > 20.0, "{lo}..{hi}");
    }

    proptest! {
        #[test]
        fn bisection_finds_the_median(blocks in prop::collection::vec(prop::collection::vec(0_u64..1000, 1..20), 1..8)) {
            let mut all: Vec<u64> = blocks.iter().flatten().copied().collect();
            all.sort_unstable();
            let sorted: Vec<Vec<u64>> = blocks.into_iter().map(|mut b| { b.sort_unstable(); b }).collect();
            let slices: Vec<&[u64]> = sorted.iter().map(Vec::as_slice).collect();
            let expected = f64::midpoint(all[(all.len() - 1) / 2] as f64, all[all.len() / 2] as f64);
            prop_assert_eq!(median_of_blocks(&slices), expected);
        }
    }
}
