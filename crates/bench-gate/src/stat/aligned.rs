//! The aligned rank test of blocks of three, exact. It assumes only that without an effect each of
//! the three was as likely to be the treated one. Differences from the mean of the other two are
//! skewed where times are, and a signed-rank test would take that for an effect.
//!
//! Source: J. L. Hodges and E. L. Lehmann, "Rank methods for combination of independent experiments
//! in analysis of variance", Annals of Mathematical Statistics 33 (1962).

use statrs::distribution::{ContinuousCDF as _, Normal};

use super::Effect;

/// The probabilities of a sum of the treated's ranks as large as this, and of one as small, if each
/// of a block's three had been as likely to be the treated one.
///
/// `blocks` has shape `[n][3]`, the treated first. The first probability is small if the treated tend
/// to be larger, the second if they tend to be smaller. Equal values share the mean of their ranks,
/// and the distribution is the one that these ranks have.
pub fn p_greater_and_less(blocks: &[[f64; 3]]) -> (f64, f64) {
    let ranks = Aligned::new(blocks).doubled_ranks(0.0);
    // Without ties all doubled ranks are even. What a block's three have in common does not matter.
    let unit = if ranks.as_flattened().iter().any(|rank| rank % 2 == 1) {
        1
    } else {
        2
    };
    let above = |ranks: &[usize; 3]| {
        let least = ranks[0].min(ranks[1]).min(ranks[2]);
        ranks.map(|rank| (rank - least) / unit)
    };
    let above: Vec<[usize; 3]> = ranks.iter().map(above).collect();
    let sum: usize = above.iter().map(|above| above[0]).sum();
    let mut probabilities = vec![1.0];
    for above in &above {
        let thirds: Vec<f64> = probabilities.iter().map(|probability| probability / 3.0).collect();
        probabilities.fill(0.0);
        probabilities.resize(thirds.len() + above[0].max(above[1]).max(above[2]), 0.0);
        for &above in above {
            for (probability, third) in probabilities[above..].iter_mut().zip(&thirds) {
                *probability += third;
            }
        }
    }
    let total = |probabilities: &[f64]| probabilities.iter().sum::<f64>().min(1.0);
    (total(&probabilities[sum..]), total(&probabilities[..=sum]))
}

/// The effect that, subtracted from the treated, leaves the sum of ranks at its mean, with all
/// effects that the same test would not reject at the two-sided `error` (normal approximation); and
/// its standard error, half of what lies within one standard deviation of the sum's mean.
pub fn effect(blocks: &[[f64; 3]], error: f64) -> (Effect, f64) {
    let z = Normal::standard().inverse_cdf(1.0 - error / 2.0);
    let differences = blocks.iter().flat_map(|[head, a, b]| [head - a, head - b]);
    let (low, high) = differences.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), d| {
        (low.min(d), high.max(d))
    });
    let aligned = Aligned::new(blocks);
    // The larger the effect that is subtracted, the smaller the sum of ranks.
    let crossing = |limit: f64| {
        let margin = 1e-9 + (high - low) * 1e-9;
        let (mut below, mut above) = (low - margin, high + margin);
        for _ in 0..24 {
            let middle = f64::midpoint(below, above);
            if deviation(&aligned.doubled_ranks(middle)) > limit {
                below = middle;
            } else {
                above = middle;
            }
        }
        f64::midpoint(below, above)
    };
    let effect = Effect {
        estimate: crossing(0.0),
        low: crossing(z),
        high: crossing(-z),
    };
    (effect, f64::midpoint(crossing(-1.0), -crossing(1.0)))
}

/// How many standard deviations the sum of the treated's ranks lies above its mean.
fn deviation(ranks: &[[usize; 3]]) -> f64 {
    let (mut off, mut variance) = (0.0, 0.0);
    for ranks in ranks {
        let ranks = ranks.map(|rank| rank as f64);
        let mean = ranks.iter().sum::<f64>() / 3.0;
        off += ranks[0] - mean;
        variance += ranks.iter().map(|rank| (rank - mean).powi(2)).sum::<f64>() / 3.0;
    }
    if variance > 0.0 { off / variance.sqrt() } else { 0.0 }
}

/// Values without their blocks' means, in order, each with its block and place there. An effect
/// moves all treated alike, and so keeps the order among them and among the others.
struct Aligned {
    treated: Vec<(f64, usize, usize)>,
    others: Vec<(f64, usize, usize)>,
}

impl Aligned {
    fn new(blocks: &[[f64; 3]]) -> Self {
        let places = |places: &[usize]| {
            let mut values = Vec::with_capacity(places.len() * blocks.len());
            for (number, block) in blocks.iter().enumerate() {
                let mean = block.iter().sum::<f64>() / 3.0;
                values.extend(places.iter().map(|&place| (block[place] - mean, number, place)));
            }
            values.sort_unstable_by(|(a, ..), (b, ..)| a.total_cmp(b));
            values
        };
        Self {
            treated: places(&[0]),
            others: places(&[1, 2]),
        }
    }

    /// Twice the rank of each value among all, after `effect` is subtracted from the treated.
    fn doubled_ranks(&self, effect: f64) -> Vec<[usize; 3]> {
        // A third of the effect is the mean's. Values that differ by rounding only are equal.
        let moved = |values: &[(f64, usize, usize)], by: f64| -> Vec<(f64, usize, usize)> {
            let moved =
                |&(value, block, place): &(f64, usize, usize)| (((value + by) * 1e12).round() + 0.0, block, place);
            values.iter().map(moved).collect()
        };
        let mut sorted = moved(&self.treated, -2.0 / 3.0 * effect);
        sorted.extend(moved(&self.others, effect / 3.0));
        // Two sorted runs, which this sort merges.
        sorted.sort_by(|(a, ..), (b, ..)| a.total_cmp(b));
        let mut ranks = vec![[0; 3]; self.treated.len()];
        let mut before = 0;
        for ties in sorted.chunk_by(|(a, ..), (b, ..)| a == b) {
            for &(_, block, place) in ties {
                ranks[block][place] = 2 * before + ties.len() + 1;
            }
            before += ties.len();
        }
        ranks
    }
}

#[cfg(test)]
mod tests {
    use fastrand::Rng;

    use super::*;

    fn blocks(random: &mut Rng, n: usize, effect: f64, noise: impl Fn(&mut Rng) -> f64) -> Vec<[f64; 3]> {
        (0..n)
            .map(|_| [effect + noise(random), noise(random), noise(random)])
            .collect()
    }

    #[test]
    fn the_distribution_counts_all_choices_of_the_treated() {
        let mut random = Rng::with_seed(1);
        for n in 1..=6 {
            // Coarse, so that there are ties.
            let blocks = blocks(&mut random, n, 0.2, |random| (8.0 * random.f64()).floor() / 8.0);
            let ranks = Aligned::new(&blocks).doubled_ranks(0.0);
            let observed: usize = ranks.iter().map(|ranks| ranks[0]).sum();
            let ways = 3_usize.pow(n as u32);
            let sum = |way: usize| -> usize {
                (0..n)
                    .map(|block| ranks[block][way / 3_usize.pow(block as u32) % 3])
                    .sum()
            };
            let share = |is_such: &dyn Fn(usize) -> bool| {
                let such = (0..ways).filter(|&way| is_such(sum(way))).count();
                such as f64 / ways as f64
            };
            let (greater, less) = p_greater_and_less(&blocks);
            assert!(
                (greater - share(&|sum| sum >= observed)).abs() < 1e-12,
                "{blocks:?}: {greater}"
            );
            assert!(
                (less - share(&|sum| sum <= observed)).abs() < 1e-12,
                "{blocks:?}: {less}"
            );
        }
    }

    #[test]
    fn ranks_are_those_of_the_values_without_their_block_means() {
        // Without the means 20 and 3: 0, −10, 10 and 3, −2, −1.
        let ranks = |blocks: &[[f64; 3]], effect| Aligned::new(blocks).doubled_ranks(effect);
        let blocks = [[20.0, 10.0, 30.0], [6.0, 1.0, 2.0]];
        assert_eq!(ranks(&blocks, 0.0), [[8, 2, 12], [10, 4, 6]]);
        // With 9 subtracted from the treated: −6, −7, 13 and −3, 1, 2.
        assert_eq!(ranks(&blocks, 9.0), [[4, 2, 12], [6, 8, 10]]);
        assert_eq!(ranks(&[[1.0, 1.0, 1.0]], 0.0), [[4, 4, 4]]);
        assert_eq!(ranks(&[[1.3, 1.0, 1.0]], 0.3), [[4, 4, 4]]);
    }

    #[test]
    fn the_extremes_are_powers_of_three() {
        let check = |n: usize, effect: f64, expected: f64| {
            let blocks: Vec<[f64; 3]> = (0..n).map(|i| [effect, 0.001 * i as f64, 0.0]).collect();
            let (p, _) = p_greater_and_less(&blocks);
            assert!((p - expected).abs() < 1e-12 * expected.max(1e-9), "{n}, {effect}: {p}");
        };
        check(16, 10.0, 3.0_f64.powi(-16));
        check(40, 10.0, 3.0_f64.powi(-40));
        check(16, -10.0, 1.0);
        assert_eq!(p_greater_and_less(&[[1.0; 3]; 16]), (1.0, 1.0));
        assert_eq!(p_greater_and_less(&[]), (1.0, 1.0));
    }

    #[test]
    fn the_interval_holds_the_effect_as_often_as_it_says() {
        let mut random = Rng::with_seed(2);
        let normal = |random: &mut Rng| 0.02 * ((0..12).map(|_| random.f64()).sum::<f64>() - 6.0);
        let mut held = 0;
        for _ in 0..200 {
            let (effect, error) = effect(&blocks(&mut random, 24, 0.05, normal), 0.05);
            // 0.02 · √(1.5 / 24), and what a rank test loses.
            assert!((0.003..0.009).contains(&error), "{error}");
            assert!(
                effect.low <= effect.estimate && effect.estimate <= effect.high,
                "{effect:?}"
            );
            assert!((effect.estimate - 0.05).abs() < 0.025, "{effect:?}");
            held += usize::from(effect.low <= 0.05 && 0.05 <= effect.high);
        }
        // 190 are expected, with a standard deviation of 3.1.
        assert!((180..=199).contains(&held), "{held} of 200");
        let (constant, _) = effect(&[[0.07, 0.02, 0.02]; 16], 0.01);
        assert!(
            [constant.low, constant.estimate, constant.high]
                .iter()
                .all(|e| (e - 0.05).abs() < 1e-6),
            "{constant:?}"
        );
    }

    /// Processes that are slow by a fifth now and then, or mostly.
    #[test]
    fn skewed_noise_is_no_effect() {
        let mut random = Rng::with_seed(3);
        for slow in [0.2, 0.8] {
            let noise = |random: &mut Rng| 0.01 * random.f64() + if random.f64() < slow { 0.2 } else { 0.0 };
            let (mut slower, mut faster) = (0, 0);
            for _ in 0..2000 {
                let blocks = blocks(&mut random, 24, 0.0, noise);
                let (greater, less) = p_greater_and_less(&blocks);
                slower += usize::from(greater <= 0.01);
                faster += usize::from(less <= 0.01);
            }
            // 20 are expected; at a true rate of 1 %, 38 or more come once in 5,000 tries.
            assert!(
                slower < 38 && faster < 38,
                "{slow}: {slower} slower, {faster} faster of 2000"
            );
        }
    }
}
