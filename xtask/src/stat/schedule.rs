//! In which order the arms of a comparison take turns.

use crate::stat::random::SplitMix64;

/// Orders of `arms` arms for `rounds` rounds, drawn at random, every second one the reverse of the one before: what drifts evenly
/// strikes every arm alike, as ABBA does for two.
pub(crate) fn rounds(arms: usize, rounds: usize, random: &mut SplitMix64) -> Vec<Vec<usize>> {
    let mut orders: Vec<Vec<usize>> = Vec::with_capacity(rounds);
    for round in 0..rounds {
        let order = if round % 2 == 1 {
            orders[round - 1].iter().rev().copied().collect()
        } else {
            let mut order: Vec<usize> = (0..arms).collect();
            random.shuffle(&mut order);
            order
        };
        orders.push(order);
    }
    orders
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_arms_go_abba_or_baab() {
        let mut random = SplitMix64(1);
        let mut seen: Vec<Vec<Vec<usize>>> = (0..100).map(|_| rounds(2, 2, &mut random)).collect();
        seen.sort();
        seen.dedup();
        assert_eq!(seen, [[[0, 1], [1, 0]], [[1, 0], [0, 1]]]);
    }

    #[test]
    fn a_drift_strikes_every_arm_alike() {
        let mut random = SplitMix64(2);
        for _ in 0..50 {
            let order: Vec<usize> = rounds(3, 4, &mut random).concat();
            let time_of = |arm: usize| -> usize { (0..12).filter(|&i| order[i] == arm).sum() };
            assert_eq!([0, 1, 2].map(time_of), [22; 3], "{order:?}");
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_order() {
        let of = |seed| rounds(3, 10, &mut SplitMix64(seed));
        assert_eq!(of(5), of(5));
        assert_ne!(of(5), of(6));
    }
}
