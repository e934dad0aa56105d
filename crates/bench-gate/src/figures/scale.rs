//! From values to places, and where the ticks are.

/// A linear or logarithmic axis between two values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Scale {
    low: f64,
    high: f64,
    is_log: bool,
}

impl Scale {
    /// A scale that holds all values, with a little room; a logarithmic one leaves out those that are not positive. Without
    /// values it goes from 0 (or 1) on.
    pub(super) fn over(values: impl IntoIterator<Item = f64>, is_log: bool) -> Self {
        let is_usable = |value: &f64| value.is_finite() && (!is_log || *value > 0.0);
        let (low, high) = values
            .into_iter()
            .filter(is_usable)
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
                (low.min(value), high.max(value))
            });
        let (low, high) = match (low <= high, is_log) {
            (false, true) => (1.0, 10.0),
            (false, false) => (0.0, 1.0),
            (true, true) => {
                let room = (high / low).powf(0.04).max(1.05);
                (low / room, high * room)
            }
            (true, false) => {
                let room = ((high - low) * 0.04).max(high.abs().max(1.0) * 1e-3);
                (low - room, high + room)
            }
        };
        Self { low, high, is_log }
    }

    /// The same scale, from exactly `low` to exactly `high`.
    pub(super) fn exactly(low: f64, high: f64) -> Self {
        Self {
            low,
            high,
            is_log: false,
        }
    }

    /// Where a value lies: 0 at the lower end, 1 at the upper, and no further out than these.
    pub(super) fn at(&self, value: f64) -> f64 {
        let (low, high, value) = match self.is_log {
            true => (self.low.ln(), self.high.ln(), value.max(f64::MIN_POSITIVE).ln()),
            false => (self.low, self.high, value),
        };
        ((value - low) / (high - low)).clamp(0.0, 1.0)
    }

    /// Round values within the scale, no more than `most`.
    pub(super) fn ticks(&self, most: usize) -> Vec<f64> {
        match self.is_log {
            true => self.log_ticks(most),
            false => self.linear_ticks(most),
        }
    }

    fn linear_ticks(&self, most: usize) -> Vec<f64> {
        let rough = (self.high - self.low) / most.max(1) as f64;
        let unit = 10_f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 2.5, 5.0, 10.0]
            .map(|factor| factor * unit)
            .into_iter()
            .find(|step| *step >= rough * 0.999_999)
            .unwrap_or(10.0 * unit);
        let first = (self.low / step - 1e-9).ceil();
        let count = ((self.high / step + 1e-9).floor() - first).max(0.0);
        // Whole multiples, so that zero is zero.
        (0..=count as u64).map(|at| (first + at as f64) * step).collect()
    }

    fn log_ticks(&self, most: usize) -> Vec<f64> {
        let decades = (self.low.log10().floor() as i32)..=(self.high.log10().ceil() as i32);
        let ticks = |factors: &[f64], every: i32| -> Vec<f64> {
            decades
                .clone()
                .filter(|decade| decade % every == 0)
                .flat_map(|decade| factors.iter().map(move |factor| factor * 10_f64.powi(decade)))
                .filter(|tick| *tick >= self.low * 0.999_999 && *tick <= self.high * 1.000_001)
                .collect()
        };
        let choices: [(&[f64], i32); 5] = [
            (&[1.0, 2.0, 3.0, 5.0, 7.0], 1),
            (&[1.0, 2.0, 5.0], 1),
            (&[1.0, 3.0], 1),
            (&[1.0], 1),
            (&[1.0], 2),
        ];
        let fitting = choices.iter().map(|(factors, every)| ticks(factors, *every));
        let found = fitting.clone().find(|ticks| ticks.len() <= most && ticks.len() >= 2);
        found.unwrap_or_else(|| {
            // Within a fifth of a decade round numbers are those of a linear axis.
            let linear = Self { is_log: false, ..*self };
            let ticks = linear.linear_ticks(most);
            ticks.into_iter().filter(|tick| *tick > 0.0).collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_few() {
        let check = |scale: Scale, most: usize, expected: &[f64]| {
            let ticks = scale.ticks(most);
            assert_eq!(ticks.len(), expected.len(), "{ticks:?}");
            for (tick, expected) in ticks.iter().zip(expected) {
                assert!((tick - expected).abs() <= 1e-9 * expected.abs(), "{ticks:?}");
            }
        };
        check(Scale::exactly(0.0, 1.0), 5, &[0.0, 0.2, 0.4, 0.6, 0.8, 1.0]);
        check(Scale::exactly(-3.0, 12.0), 5, &[0.0, 5.0, 10.0]);
        check(Scale::over([1000.0, 1e6], true), 6, &[1e3, 1e4, 1e5, 1e6]);
        check(Scale::over([1000.0, 30_000.0], true), 6, &[1e3, 2e3, 5e3, 1e4, 2e4]);
        check(
            Scale::over([100.0, 104.0], true),
            6,
            &[97.5, 100.0, 102.5, 105.0, 107.5],
        );
    }

    #[test]
    fn a_scale_holds_its_values_and_survives_none() {
        for is_log in [false, true] {
            let scale = Scale::over([5.0, 500.0, f64::NAN], is_log);
            assert!(scale.at(5.0) > 0.0 && scale.at(500.0) < 1.0 && scale.at(5.0) < scale.at(6.0));
            for scale in [
                Scale::over([], is_log),
                Scale::over([7.0], is_log),
                Scale::over([7.0, 7.0], is_log),
            ] {
                assert!(scale.at(7.0).is_finite(), "{scale:?}");
                assert!(!scale.ticks(5).is_empty(), "{scale:?}");
            }
        }
        // What cannot be shown lies at the edge, not outside of the picture.
        assert_eq!(Scale::over([1.0, 10.0], true).at(0.0), 0.0);
        assert_eq!(Scale::exactly(0.0, 1.0).at(2.0), 1.0);
    }
}
