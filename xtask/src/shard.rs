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

impl Shard {
    /// Of the given ids, those that this shard measures: every so many, as all cases take about as long.
    pub(crate) fn part(self, ids: Vec<String>) -> Vec<String> {
        let mine = |(at, _): &(usize, String)| *at as u64 % self.of + 1 == self.index;
        ids.into_iter().enumerate().filter(mine).map(|(_, id)| id).collect()
    }
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
    fn every_case_is_in_one_shard_and_their_order_is_kept() {
        let ids: Vec<String> = (0..10).map(|n| format!("o/cpu/{n}")).collect();
        for of in [1, 2, 3, 4, 10, 12] {
            let parts: Vec<Vec<String>> = (1..=of).map(|index| Shard { index, of }.part(ids.clone())).collect();
            assert!(parts.iter().all(|part| part.is_sorted()), "{parts:?}");
            let mut joined = parts.concat();
            joined.sort();
            assert_eq!(joined, ids, "{of}");
        }
    }
}
