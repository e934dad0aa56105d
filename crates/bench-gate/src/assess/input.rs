//! What an assessment reads: the times of each process of each block, and what is known of a case.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::{Index, IndexMut},
};

use jiff::civil::Date;

use crate::stat::layout::Layout;

/// A number of each of a block's three processes: head, base, control.
pub type Three = [f64; 3];
/// The head's place among the three.
pub const HEAD: usize = 0;
/// The base's place.
pub const BASE: usize = 1;
/// The control's place: the base's program in a process of its own.
pub const CONTROL: usize = 2;

/// A figure that stands for the calls of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Statistic {
    /// Tenth percentile: what the code costs undisturbed, and the steadiest.
    Fast,
    /// Median.
    Median,
    /// Arithmetic mean.
    Mean,
    /// 95th percentile.
    Upper,
}

impl Statistic {
    /// All that are recorded.
    pub const ALL: [Self; 4] = [Self::Fast, Self::Median, Self::Mean, Self::Upper];

    /// The name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fast => "fastest tenth",
            Self::Median => "median",
            Self::Mean => "mean",
            Self::Upper => "95th percentile",
        }
    }
}

/// The four statistics of one process: natural logarithms of nanoseconds, means over its windows.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Times([f64; 4]);

impl Times {
    /// Of times in nanoseconds, one array for each window, in the order of [`Statistic::ALL`]. `None`
    /// without a window, or if a time is not above zero.
    pub fn of_windows(windows: &[[f64; 4]]) -> Option<Self> {
        let is_good = |window: &[f64; 4]| window.iter().all(|ns| *ns > 0.0 && ns.is_finite());
        if windows.is_empty() || !windows.iter().all(is_good) {
            return None;
        }
        let mean = |statistic: Statistic| {
            let logarithms = windows.iter().map(|window| window[statistic as usize].ln());
            logarithms.sum::<f64>() / windows.len() as f64
        };
        Some(Self(Statistic::ALL.map(mean)))
    }
}

impl Index<Statistic> for Times {
    type Output = f64;

    fn index(&self, statistic: Statistic) -> &f64 {
        &self.0[statistic as usize]
    }
}

impl IndexMut<Statistic> for Times {
    fn index_mut(&mut self, statistic: Statistic) -> &mut f64 {
        &mut self.0[statistic as usize]
    }
}

/// One fresh process each of head, base and control.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Block {
    /// Its number.
    pub number: u64,
    /// The times of head, base and control.
    pub times: [Times; 3],
}

impl Block {
    /// One statistic of the three processes.
    pub fn three(&self, statistic: Statistic) -> Three {
        self.times.map(|times| times[statistic])
    }
}

/// Counters of a call.
pub type Counters = BTreeMap<String, u64>;

/// A case as measured.
#[derive(Clone, Debug, Default)]
pub struct Case {
    /// Its name.
    pub name: String,
    /// Blocks in which all three processes measured it, in the order measured.
    pub blocks: Vec<Block>,
    /// How much layout moves it; [`Layout::assumed`] where that is unknown.
    pub layout: Option<Layout>,
    /// A slowdown that is intended.
    pub accepted: Option<Accepted>,
    /// What the calls of base (and control) counted, and what those of head did.
    pub counters: [BTreeSet<Counters>; 2],
    /// Phases of the calls: logarithms of nanoseconds of head, base and control, a block each.
    pub phases: BTreeMap<String, Vec<Three>>,
}

/// A slowdown that someone has decided to live with.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accepted {
    /// The case's name.
    pub case: String,
    /// Largest slowdown against the base that is accepted, in per cent.
    pub percent: f64,
    /// Why.
    pub reason: String,
    /// The last day on which it is.
    pub until: Date,
}

impl Accepted {
    /// The slowdown accepted for `case` on the day `today`, the largest if there are several.
    pub fn find<'a>(all: &'a [Self], case: &str, today: Date) -> Option<&'a Self> {
        let is_valid = |accepted: &&Self| accepted.case == case && today <= accepted.until && accepted.percent > 0.0;
        let valid = all.iter().filter(is_valid);
        valid.max_by(|a, b| a.percent.total_cmp(&b.percent))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_the_mean_of_its_windows_logarithms() {
        let times = Times::of_windows(&[[100.0, 200.0, 300.0, 400.0], [400.0, 200.0, 1200.0, 900.0]]).unwrap();
        let expected = [200.0_f64, 200.0, 600.0, 600.0];
        for (statistic, expected) in Statistic::ALL.into_iter().zip(expected) {
            assert!((times[statistic].exp() - expected).abs() < 1e-9, "{statistic:?}");
        }
        assert_eq!(Times::of_windows(&[]), None);
        assert_eq!(Times::of_windows(&[[1.0, 0.0, 1.0, 1.0]]), None);
        assert_eq!(Times::of_windows(&[[1.0, 1.0, f64::NAN, 1.0]]), None);
    }

    #[test]
    fn an_accepted_slowdown_ends_after_its_last_day() {
        let accepted = |case: &str, percent, until: &str| Accepted {
            case: case.to_owned(),
            percent,
            reason: "checks bounds".to_owned(),
            until: until.parse().unwrap(),
        };
        let all = [
            accepted("a", 10.0, "2026-12-31"),
            accepted("a", 20.0, "2026-11-30"),
            accepted("b", -5.0, "2026-12-31"),
        ];
        let check = |case, today: &str, expected: Option<f64>| {
            let found = Accepted::find(&all, case, today.parse().unwrap());
            assert_eq!(found.map(|accepted| accepted.percent), expected, "{case} {today}");
        };
        check("a", "2026-11-30", Some(20.0));
        check("a", "2026-12-01", Some(10.0));
        check("a", "2026-12-31", Some(10.0));
        check("a", "2027-01-01", None);
        check("b", "2026-12-01", None);
        check("c", "2026-12-01", None);
    }
}
