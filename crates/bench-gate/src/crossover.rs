//! From which size on one curve lies below another: from where a GPU pays.

use std::collections::BTreeMap;

/// Times by size, in nanoseconds.
pub type Curve = BTreeMap<u64, f64>;

/// Where one curve comes to lie below another, as several processes have it.
#[derive(Clone, Debug, PartialEq)]
pub struct Crossover {
    /// The smallest and the largest size that both curves have.
    pub sizes: (u64, u64),
    /// The crossing in each process, ascending: 0 if the curve is lower at every size, infinite if it
    /// is not at the largest.
    pub crossings: Vec<f64>,
}

/// Where the second curve of each pair comes to lie below the first, and stays there; `None` if no
/// pair has two sizes in common.
#[must_use]
pub fn crossover<'a>(pairs: impl IntoIterator<Item = (&'a Curve, &'a Curve)>) -> Option<Crossover> {
    let mut logs: Vec<Vec<(u64, f64)>> = pairs.into_iter().map(|(from, to)| logs(from, to)).collect();
    // A process that measured some cases once more says nothing of where the others lie.
    let most = logs.iter().map(Vec::len).max().filter(|&most| most > 1)?;
    logs.retain(|logs| logs.len() == most);
    let sizes = || logs.iter().flatten().map(|(size, _)| *size);
    let sizes = (sizes().min()?, sizes().max()?);
    let mut crossings: Vec<f64> = logs.iter().map(|logs| crossing(logs)).collect();
    crossings.sort_by(f64::total_cmp);
    Some(Crossover { sizes, crossings })
}

impl Crossover {
    /// The median; of an even number the later one, so that nothing is promised too early. 0 and
    /// infinity as in `crossings`.
    #[must_use]
    pub fn median(&self) -> f64 {
        self.crossings[self.crossings.len() / 2]
    }

    /// The median, if it lies between the sizes.
    #[must_use]
    pub fn size(&self) -> Option<f64> {
        Some(self.median()).filter(|size| *size > 0.0 && size.is_finite())
    }

    /// The extremes of the processes, if there are several.
    #[must_use]
    pub fn extremes(&self) -> Option<(f64, f64)> {
        (self.crossings.len() > 1).then(|| (self.crossings[0], self.crossings[self.crossings.len() - 1]))
    }
}

/// The logarithm of the first curve's time over the second's, at each size that both have.
fn logs(from: &Curve, to: &Curve) -> Vec<(u64, f64)> {
    let pairs = from
        .iter()
        .filter_map(|(size, from)| Some((*size, from, to.get(size)?)));
    pairs.map(|(size, from, to)| (size, (from / to).ln())).collect()
}

/// From where on the logarithms stay above 0: on a straight line between two sizes, in logarithms of
/// these as well.
fn crossing(logs: &[(u64, f64)]) -> f64 {
    let Some(below) = logs.iter().rposition(|(_, log)| *log <= 0.0) else {
        return 0.0;
    };
    let (Some((x0, y0)), Some((x1, y1))) = (logs.get(below), logs.get(below + 1)) else {
        return f64::INFINITY;
    };
    let (x0, x1) = (*x0 as f64, *x1 as f64);
    x0 * (x1 / x0).powf(-y0 / (y1 - y0))
}

/// A size to three digits: no crossover is known better.
#[must_use]
pub fn rounded(size: f64) -> u64 {
    let unit = 10_f64.powf(size.max(1.0).log10().floor() - 2.0).max(1.0);
    ((size / unit).round() * unit) as u64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SIZES: [u64; 5] = [256, 4096, 65_536, 1_048_576, 16_777_216];

    /// A first curve of `first` nanoseconds an element, and a second that takes `fixed` and `each`.
    fn curves(first: f64, (fixed, each): (f64, f64)) -> (Curve, Curve) {
        let curve = |time: &dyn Fn(f64) -> f64| SIZES.iter().map(|size| (*size, time(*size as f64))).collect();
        (curve(&|size| first * size), curve(&|size| fixed + each * size))
    }

    fn found(processes: &[(f64, f64)]) -> Crossover {
        let curves: Vec<(Curve, Curve)> = processes.iter().map(|process| curves(1.0, *process)).collect();
        crossover(curves.iter().map(|(from, to)| (from, to))).unwrap()
    }

    #[test]
    fn a_crossover_has_the_median_and_the_extremes_of_its_processes() {
        let check = |processes: &[(f64, f64)], median: f64, extremes: Option<(f64, f64)>| {
            let found = found(processes);
            assert!(
                found.median() == median || (found.median() / median - 1.0).abs() < 1e-9,
                "{found:?}"
            );
            let same = |(a, b): (f64, f64)| format!("{a:.0} {b:.0}");
            assert_eq!(found.extremes().map(same), extremes.map(same));
            assert_eq!(found.sizes, (256, 16_777_216));
        };
        // At 65,536 elements both take as long.
        check(&[(32_768.0, 0.5)], 65_536.0, None);
        check(&[(0.0, 0.5); 3], 0.0, Some((0.0, 0.0)));
        check(
            &[(0.0, 0.5), (32_768.0, 0.5), (1e9, 0.5)],
            65_536.0,
            Some((0.0, f64::INFINITY)),
        );
        check(&[(0.0, 0.5), (1e9, 0.5)], f64::INFINITY, Some((0.0, f64::INFINITY)));
        assert_eq!(found(&[(1.0, 2.0)]).size(), None);
        assert_eq!(found(&[(0.0, 0.5)]).size(), None);
    }

    #[test]
    fn nothing_is_told_without_two_sizes_of_both() {
        let (mut from, mut to) = curves(1.0, (32_768.0, 0.5));
        assert_eq!(crossover([(&from, &Curve::new())]), None);
        from.retain(|size, _| *size < 5000);
        to.retain(|size, _| *size > 5000);
        assert_eq!(crossover([(&from, &to)]), None);
        to.insert(256, 1.0);
        assert_eq!(crossover([(&from, &to)]), None);
        assert_eq!(crossover([]), None);
    }

    #[test]
    fn a_curve_that_is_lower_only_in_the_middle_does_not_pay_from_there_on() {
        let (from, mut to) = curves(1.0, (32_768.0, 0.5));
        to.insert(SIZES[4], 1e12);
        assert!(crossover([(&from, &to)]).unwrap().median().is_infinite());
    }

    #[test]
    fn a_size_has_three_digits() {
        assert_eq!(rounded(733_123.0), 733_000);
        assert_eq!(rounded(65_536.0), 65_500);
        assert_eq!(rounded(283.4), 283);
        assert_eq!(rounded(7.0), 7);
    }

    proptest! {
        #[test]
        fn it_lies_between_the_sizes_around_the_truth(truth in 300.0..1e7_f64, part in 0.1..0.9_f64) {
            let at = found(&[(truth * (1.0 - part), part)]).median();
            let above = SIZES.iter().position(|&size| size as f64 > truth).unwrap();
            prop_assert!(at >= SIZES[above - 1] as f64 * 0.999 && at <= SIZES[above] as f64 * 1.001, "{at}, {truth}");
        }

        #[test]
        fn a_slower_curve_never_pays_earlier(
            processes in prop::collection::vec((1.0..1e7_f64, 0.1..2.0_f64), 1..6), slower in 1.0..3.0_f64,
        ) {
            let slow: Vec<_> = processes.iter().map(|(fixed, each)| (fixed * slower, each * slower)).collect();
            let (usual, slow) = (found(&processes), found(&slow));
            prop_assert!(usual.crossings.is_sorted());
            for (a, b) in usual.crossings.iter().zip(&slow.crossings) {
                prop_assert!(*b >= a * 0.999_999, "{a}, {b}");
            }
        }
    }
}
