//! Where a series changes its level: E-divisive.
//!
//! Source: D. S. Matteson and N. A. James, "A nonparametric approach for multiple change point
//! analysis of multivariate data", Journal of the American Statistical Association 109 (2014), with
//! exponent α = 1 and one variable.

/// Values in a part at the least: a single outlier is no level.
const MIN_PART: usize = 2;

/// How sure a change must be.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// A change is believed if so large a one comes by chance with at most this probability.
    pub max_p: f64,
    /// Permutations that say how large changes by chance are.
    pub permutations: u32,
    /// What the permutations are drawn from.
    pub seed: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            max_p: 0.01,
            permutations: 999,
            seed: 0,
        }
    }
}

/// A change of the level.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ChangePoint {
    /// The first value behind it, counted from 0.
    pub at: usize,
    /// The probability of so large a change by chance.
    pub p: f64,
}

/// The changes of a series, in order. `values` has shape `[n]`, in the order of time.
///
/// The series is cut where the energy distance between the values before and behind the cut is the
/// largest, then its parts are, for as long as permutations within the parts give so large a distance
/// rarely.
#[must_use]
pub fn change_points(values: &[f64], settings: &Settings) -> Vec<ChangePoint> {
    let mut random = fastrand::Rng::with_seed(settings.seed);
    let mut found: Vec<ChangePoint> = Vec::new();
    loop {
        let mut cuts: Vec<usize> = found.iter().map(|point| point.at).collect();
        cuts.extend([0, values.len()]);
        cuts.sort_unstable();
        let parts: Vec<std::ops::Range<usize>> = cuts.windows(2).map(|cut| cut[0]..cut[1]).collect();
        let best = parts
            .iter()
            .filter_map(|part| best_cut(&values[part.clone()]).map(|(at, distance)| (part.start + at, distance)))
            .max_by(|a, b| a.1.total_cmp(&b.1));
        let Some((at, distance)) = best else { break };
        let mut shuffled = values.to_vec();
        let max_larger = settings.max_p * f64::from(settings.permutations + 1);
        // The series itself is one of its permutations.
        let mut larger = 1;
        for _ in 0..settings.permutations {
            let by_chance = parts.iter().filter_map(|part| {
                random.shuffle(&mut shuffled[part.clone()]);
                best_cut(&shuffled[part.clone()])
            });
            // Sums in another order differ in their last digits.
            let reached =
                by_chance.fold(0.0, |most: f64, (_, distance)| most.max(distance)) >= distance * (1.0 - 1e-12);
            larger += u32::from(reached);
            if f64::from(larger) > max_larger {
                break;
            }
        }
        if f64::from(larger) > max_larger {
            break;
        }
        let p = f64::from(larger) / f64::from(settings.permutations + 1);
        found.push(ChangePoint { at, p });
    }
    found.sort_by_key(|point| point.at);
    found
}

/// The cut whose two sides are the furthest apart, and their distance; `None` if there are too few
/// values, or all are the same. The right side may end before the values do: what follows may be
/// another change.
fn best_cut(values: &[f64]) -> Option<(usize, f64)> {
    let n = values.len();
    if n < 2 * MIN_PART {
        return None;
    }
    // sums[i][j] is the sum of the distances of the first i values to the first j.
    let mut sums = vec![vec![0.0; n + 1]; n + 1];
    for i in 0..n {
        let mut row = 0.0;
        for j in 0..n {
            row += (values[i] - values[j]).abs();
            sums[i + 1][j + 1] = sums[i][j + 1] + row;
        }
    }
    let mut best: Option<(usize, f64)> = None;
    for cut in MIN_PART..=n - MIN_PART {
        for end in cut + MIN_PART..=n {
            let (left, right) = (cut as f64, (end - cut) as f64);
            let within_left = sums[cut][cut];
            let across = sums[cut][end] - within_left;
            let within_right = sums[end][end] - 2.0 * sums[cut][end] + within_left;
            let energy = 2.0 * across / (left * right)
                - within_left / (left * (left - 1.0))
                - within_right / (right * (right - 1.0));
            let distance = energy * left * right / (left + right);
            if distance > 0.0 && best.is_none_or(|(_, most)| distance > most) {
                best = Some((cut, distance));
            }
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn places(values: &[f64]) -> Vec<usize> {
        let points = change_points(values, &Settings::default());
        points.iter().map(|point| point.at).collect()
    }

    /// Values around each level in turn, with the same noise every time the seed is.
    fn steps(levels: &[f64], each: usize, noise: f64, seed: u64) -> Vec<f64> {
        let mut random = fastrand::Rng::with_seed(seed);
        // A sum of three is about normal, and has a standard deviation of a half.
        let mut normal = move || (0..3).map(|_| random.f64() - 0.5).sum::<f64>() * 2.0;
        levels
            .iter()
            .flat_map(|level| std::iter::repeat_n(*level, each))
            .map(|level| level * (1.0 + noise * normal()))
            .collect()
    }

    /// The series of `tests/series_test.py` of Apache Otava (once datastax-labs/hunter), with the
    /// changes it finds, and those of `tests/test_e_divisive.py` of mongodb/signal-processing-algorithms.
    #[test]
    fn published_examples_have_their_published_changes() {
        let series_1 = [1.02, 0.95, 0.99, 1.00, 1.12, 0.90, 0.50, 0.51, 0.48, 0.48, 0.55];
        assert_eq!(places(&series_1), [6]);
        let series_2 = [2.02, 2.03, 2.01, 2.04, 1.82, 1.85, 1.79, 1.81, 1.80, 1.76, 1.78];
        assert_eq!(places(&series_2), [4]);
        // So few values are never surer than that.
        let settings = Settings {
            max_p: 0.05,
            ..Settings::default()
        };
        for each in [4, 5, 10, 40] {
            let halves: Vec<f64> = (0..2 * each).map(|at| f64::from(u8::from(at >= each))).collect();
            let found: Vec<usize> = change_points(&halves, &settings).iter().map(|point| point.at).collect();
            assert_eq!(found, [each]);
        }
    }

    /// With x = 0, 0 and y = 3, 3, 4: 2 · 20 / 6 − 0 − (1 + 1) · 2 / 6 = 6, times 6 / 5.
    #[test]
    fn the_distance_is_that_of_the_paper() {
        let (cut, distance) = best_cut(&[0.0, 0.0, 3.0, 3.0, 4.0]).unwrap();
        assert_eq!(cut, 2);
        assert!((distance - 7.2).abs() < 1e-12, "{distance}");
    }

    #[test]
    fn what_does_not_change_has_no_changes() {
        for values in [vec![], vec![1.0], vec![1.0, 2.0, 3.0], vec![7.0; 40]] {
            assert_eq!(places(&values), [0; 0], "{values:?}");
        }
        // Of 100 series without a change one is expected to have one; of 50, more than 3 would be strange.
        let wrong = (0..100)
            .filter(|seed| !places(&steps(&[1.0], 24, 0.01, *seed)).is_empty())
            .count();
        assert!(wrong <= 3, "{wrong}");
    }

    #[test]
    fn five_changes_of_one_per_cent_are_five() {
        let levels: Vec<f64> = (0..6).map(|step| 1e5 * 1.01_f64.powi(step)).collect();
        for seed in 0..4 {
            let found = places(&steps(&levels, 8, 0.002, seed));
            assert_eq!(found, [8, 16, 24, 32, 40], "seed {seed}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(8))]

        #[test]
        fn neither_unit_nor_offset_nor_direction_matters(
            seed in 0_u64..1000, unit in 0.01..100.0_f64, offset in -5.0..5.0_f64, step in 0.2..3.0_f64,
        ) {
            let values = steps(&[1.0, 1.0 + step], 10, 0.01, seed);
            prop_assert_eq!(places(&values), [10]);
            let other: Vec<f64> = values.iter().map(|value| value * unit + offset).collect();
            prop_assert_eq!(places(&other), [10]);
            let back: Vec<f64> = values.into_iter().rev().collect();
            prop_assert_eq!(places(&back), [10]);
        }

        #[test]
        fn the_same_seed_gives_the_same_changes(values in prop::collection::vec(0.0..1.0_f64, 0..40)) {
            let found = change_points(&values, &Settings::default());
            prop_assert_eq!(&found, &change_points(&values, &Settings::default()));
            prop_assert!(found.iter().all(|point| point.p <= 0.01 && (2..=values.len() - 2).contains(&point.at)));
        }
    }
}
