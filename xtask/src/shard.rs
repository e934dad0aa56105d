//! Splits a run among machines: which cases a shard measures, the same on each of them.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// One of several parts of a run, counted from 1; written `1/4`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Shard {
    pub(crate) index: u64,
    pub(crate) of: u64,
}

/// What each case costs beside its elements, in nanoseconds: warm-up, measurement, set-up.
const CASE_NS: u64 = 3_000_000_000;
/// What an element costs over all calls of its case, on a software adapter: the calls of large cases take longer than
/// they are given, as every sample has at least one.
const ELEMENT_NS: u64 = 1_000;

impl Shard {
    /// Of the given backends and amounts of work (`20000`, `1000x256`), those that this shard measures, in their order.
    ///
    /// Longest first, each goes to the shard with the least to do. All operators of one backend and amount stay together.
    pub(crate) fn part<'a>(self, backends: &'a [String], amounts: &'a [String]) -> Vec<(&'a str, &'a str)> {
        let all: Vec<(&str, &str)> = backends
            .iter()
            .flat_map(|backend| amounts.iter().map(move |amount| (backend.as_str(), amount.as_str())))
            .collect();
        let mut longest_first: Vec<usize> = (0..all.len()).collect();
        // Stable, so that equals keep their order.
        longest_first.sort_by_key(|&at| std::cmp::Reverse(expected_ns(all[at].1)));
        let mut loads = vec![0_u64; usize::try_from(self.of).expect("few shards")];
        let mut mine = Vec::new();
        for at in longest_first {
            let load = loads.iter_mut().enumerate().min_by_key(|(_, load)| **load);
            let (shard, load) = load.expect("at least one shard");
            *load += expected_ns(all[at].1);
            if shard as u64 + 1 == self.index {
                mine.push(at);
            }
        }
        mine.sort_unstable();
        mine.into_iter().map(|at| all[at]).collect()
    }
}

/// How long an amount of work will take to measure, roughly.
fn expected_ns(amount: &str) -> u64 {
    let elements = amount
        .split('x')
        .filter_map(|number| number.parse::<u64>().ok())
        .fold(1, u64::saturating_mul);
    CASE_NS.saturating_add(elements.saturating_mul(ELEMENT_NS))
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.of)
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers = text.split_once('/');
        let shard = numbers.and_then(|(index, of)| {
            Some(Self {
                index: index.parse().ok()?,
                of: of.parse().ok()?,
            })
        });
        shard
            .filter(|shard| (1..=shard.of).contains(&shard.index) && shard.of <= 1000)
            .ok_or_else(|| "write 1/4 for the first of four shards".to_owned())
    }
}

impl TryFrom<String> for Shard {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Shard> for String {
    fn from(shard: Shard) -> Self {
        shard.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn a_shard_is_written_as_it_is_read() {
        for good in ["1/1", "1/4", "4/4"] {
            assert_eq!(good.parse::<Shard>().unwrap().to_string(), good);
        }
        for wrong in ["", "1", "0/4", "5/4", "1/0", "-1/4", "1/x", "1/4/2", "1/1001"] {
            assert!(wrong.parse::<Shard>().unwrap_err().contains("1/4"), "{wrong}");
        }
    }

    #[test]
    fn every_case_is_in_one_shard_and_the_long_ones_are_spread() {
        let backends = own(&["cpu", "vulkan"]);
        let amounts = own(&["1000", "16000000", "1000x256", "4000000", "20000"]);
        let whole = Shard { index: 1, of: 1 }.part(&backends, &amounts);
        assert_eq!(whole.len(), 10);
        for of in [2, 3, 4, 10, 12] {
            let parts: Vec<_> = (1..=of)
                .map(|index| Shard { index, of }.part(&backends, &amounts))
                .collect();
            let mut joined: Vec<_> = parts.iter().flatten().copied().collect();
            joined.sort_unstable();
            let mut expected = whole.clone();
            expected.sort_unstable();
            assert_eq!(joined, expected, "{of}");
            let loads = parts
                .iter()
                .map(|part| part.iter().map(|(_, amount)| expected_ns(amount)).sum::<u64>());
            let longest = expected_ns("16000000");
            let (least, most) = loads.fold((u64::MAX, 0), |(a, b), load| (a.min(load), b.max(load)));
            assert!(most - least <= longest, "{of}: {least} to {most}");
        }
    }

    #[test]
    fn the_order_of_a_run_is_kept() {
        let (backends, amounts) = (own(&["vulkan", "cpu"]), own(&["1000", "20000"]));
        let part = Shard { index: 1, of: 2 }.part(&backends, &amounts);
        assert_eq!(part, [("vulkan", "1000"), ("vulkan", "20000")]);
    }
}
