//! In which order the variants of a block take turns.

/// Orders of `variants` variants for `rounds` rounds, drawn at random, every second one the reverse of
/// the one before: what drifts evenly strikes every variant alike, as ABBA does for two.
pub(super) fn rounds(variants: usize, rounds: usize, random: &mut fastrand::Rng) -> Vec<Vec<usize>> {
    let mut orders: Vec<Vec<usize>> = Vec::with_capacity(rounds);
    for round in 0..rounds {
        let order = if round % 2 == 1 {
            orders[round - 1].iter().rev().copied().collect()
        } else {
            let mut order: Vec<usize> = (0..variants).collect();
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
    fn two_variants_go_abba_or_baab() {
        let mut random = fastrand::Rng::with_seed(1);
        let mut seen: Vec<Vec<Vec<usize>>> = (0..100).map(|_| rounds(2, 2, &mut random)).collect();
        seen.sort();
        seen.dedup();
        assert_eq!(seen, [[[0, 1], [1, 0]], [[1, 0], [0, 1]]]);
    }

    #[test]
    fn a_drift_strikes_every_variant_alike() {
        let mut random = fastrand::Rng::with_seed(2);
        for _ in 0..50 {
            let order: Vec<usize> = rounds(3, 4, &mut random).concat();
            let time_of = |variant: usize| -> usize { (0..12).filter(|&i| order[i] == variant).sum() };
            assert_eq!([0, 1, 2].map(time_of), [22; 3], "{order:?}");
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_order() {
        let of = |seed| rounds(3, 10, &mut fastrand::Rng::with_seed(seed));
        assert_eq!(of(5), of(5));
        assert_ne!(of(5), of(6));
    }
}
