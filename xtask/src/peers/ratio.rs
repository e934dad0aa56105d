//! Medians of rounds, and ratios between those who took part in the same ones.

use bench_gate::stat::quantile::median;

/// What one contestant needed, round by round.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Rounds {
    /// The median call of each round, in nanoseconds; round `i` of everybody ran within the same second or two.
    pub(crate) medians_ns: Vec<f64>,
    /// Calls timed in all rounds together.
    pub(crate) calls: usize,
}

impl Rounds {
    pub(crate) fn add(&mut self, calls_ns: &[u64]) {
        let calls: Vec<f64> = calls_ns.iter().map(|&ns| ns as f64).collect();
        self.medians_ns.push(median(&calls));
        self.calls += calls_ns.len();
    }

    /// The median of the rounds' medians.
    pub(crate) fn median_ns(&self) -> f64 {
        median(&self.medians_ns)
    }
}

/// How one contestant's time relates to another's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Ratio {
    pub(crate) median: f64,
    /// Contains the median of all such ratios in 95 of 100 cases, if rounds are independent; `None` where rounds are too
    /// few to say.
    pub(crate) interval: Option<(f64, f64)>,
}

/// The median over rounds of `ours` ÷ `theirs`, both in the same round, and its interval from order statistics.
pub(crate) fn ratio(ours: &Rounds, theirs: &Rounds) -> Ratio {
    assert_eq!(
        ours.medians_ns.len(),
        theirs.medians_ns.len(),
        "everybody takes part in every round"
    );
    let mut ratios: Vec<f64> = ours
        .medians_ns
        .iter()
        .zip(&theirs.medians_ns)
        .map(|(a, b)| a / b)
        .collect();
    ratios.sort_by(f64::total_cmp);
    let interval = outside(ratios.len()).map(|k| (ratios[k - 1], ratios[ratios.len() - k]));
    Ratio {
        median: median(&ratios),
        interval,
    }
}

/// The rank, from 1, of the order statistic from which up to its mirror image the median of `n` values lies with at least
/// 95 %: the number of values below the median is binomial with ½. `None` for fewer than 6 values.
fn outside(n: usize) -> Option<usize> {
    // P(fewer than k of n values are below) = Σ C(n, i) / 2ⁿ for i < k.
    let mut term = 0.5_f64.powi(i32::try_from(n).ok()?);
    let mut below = term;
    let mut k = 0;
    while below <= 0.025 {
        k += 1;
        term *= (n - k + 1) as f64 / k as f64;
        below += term;
    }
    (k > 0).then_some(k)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_those_of_published_tables() {
        let check = |n, expected| assert_eq!(outside(n), expected, "{n}");
        check(1, None);
        check(5, None);
        check(6, Some(1));
        check(8, Some(1));
        check(9, Some(2));
        check(20, Some(6));
        check(25, Some(8));
        check(100, Some(40));
    }

    #[test]
    fn a_neighbour_who_slows_whole_rounds_down_does_not_change_ratios() {
        let rounds = |factor: f64| {
            let mut rounds = Rounds::default();
            for i in 0..12_u64 {
                let mood = if i % 3 == 0 { 1600.0 } else { 1000.0 };
                let ns = (mood * factor) as u64;
                rounds.add(&[ns - 1, ns, ns + 500]);
            }
            rounds
        };
        let (ours, theirs) = (rounds(2.0), rounds(8.0));
        assert_eq!(ours.calls, 36);
        assert_eq!(ours.median_ns(), 2000.0);
        let ratio = ratio(&ours, &theirs);
        assert_eq!(ratio.median, 0.25);
        assert_eq!(ratio.interval, Some((0.25, 0.25)));
    }
}
