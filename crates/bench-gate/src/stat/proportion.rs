//! What a count says of a rate.

use statrs::distribution::{Beta, ContinuousCDF as _};

/// `found` of `n`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// How often it happened.
    pub found: usize,
    /// Of how many.
    pub n: usize,
}

impl Count {
    /// Counts one more.
    pub fn add(&mut self, is_found: bool) {
        self.found += usize::from(is_found);
        self.n += 1;
    }

    /// The exact 95 % interval of the rate; 0 to 1 if nothing was counted.
    ///
    /// Source: C. J. Clopper and E. S. Pearson, Biometrika 26 (1934).
    pub fn interval(self) -> (f64, f64) {
        const TAIL: f64 = 0.025;
        let quantile = |a: usize, b: usize, p: f64| match Beta::new(a as f64, b as f64) {
            Ok(beta) => beta.inverse_cdf(p),
            // One of the two is zero: the rate may be the limit itself.
            Err(_) => f64::from(u8::from(b == 0)),
        };
        if self.n == 0 {
            return (0.0, 1.0);
        }
        (
            quantile(self.found, self.n - self.found + 1, TAIL),
            quantile(self.found + 1, self.n - self.found, 1.0 - TAIL),
        )
    }
}

impl std::fmt::Display for Count {
    /// `3 of 10 (6.7 to 65.2 %)`; the shares that end at 0 or 100 % without decimals.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (low, high) = self.interval();
        let percent = |share: f64| match share {
            0.0 => "0".to_owned(),
            1.0 => "100".to_owned(),
            _ => format!("{:.1}", 100.0 * share),
        };
        write!(
            f,
            "{} of {} ({} to {} %)",
            self.found,
            self.n,
            percent(low),
            percent(high)
        )
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Sources: C. J. Clopper and E. S. Pearson (1934), whose chart for n = 10 these limits are read
    /// from in most textbooks (0 and 30.8 %, 6.7 and 65.2 %); R's `binom.test(x, n)$conf.int` and
    /// SciPy 1.17.1's `binomtest(x, n).proportion_ci()` for all.
    #[test]
    fn the_limits_are_those_published() {
        let check = |found, n, low: f64, high: f64| {
            let found = Count { found, n }.interval();
            assert!(
                (found.0 - low).abs() < 1e-6 && (found.1 - high).abs() < 1e-6,
                "{found:?}"
            );
        };
        check(0, 10, 0.000000000, 0.308497108);
        check(1, 10, 0.002528579, 0.445016117);
        check(3, 10, 0.066739511, 0.652452850);
        check(5, 10, 0.187086028, 0.812913972);
        check(10, 10, 0.691502892, 1.000000000);
        check(0, 30, 0.000000000, 0.115703308);
        check(60, 60, 0.940370508, 1.000000000);
        check(0, 400, 0.000000000, 0.009179805);
        check(29, 42, 0.529139371, 0.823778917);
        check(2, 400, 0.000606098, 0.017944145);
    }

    #[test]
    fn a_rate_is_written_with_its_limits() {
        let mut count = Count::default();
        assert_eq!(count.to_string(), "0 of 0 (0 to 100 %)");
        for i in 0..10 {
            count.add(i < 3);
        }
        assert_eq!(count.to_string(), "3 of 10 (6.7 to 65.2 %)");
        assert_eq!(Count { found: 0, n: 30 }.to_string(), "0 of 30 (0 to 11.6 %)");
        assert_eq!(Count { found: 60, n: 60 }.to_string(), "60 of 60 (94.0 to 100 %)");
    }

    proptest! {
        #[test]
        fn limits_hold_the_share_and_mirror(n in 1_usize..400, share in 0.0_f64..=1.0) {
            let found = (share * n as f64) as usize;
            let (low, high) = Count { found, n }.interval();
            let rate = found as f64 / n as f64;
            prop_assert!(0.0 <= low && low <= rate && rate <= high && high <= 1.0);
            let (mirrored, _) = Count { found: n - found, n }.interval();
            prop_assert!((mirrored - (1.0 - high)).abs() < 1e-6);
        }
    }
}
