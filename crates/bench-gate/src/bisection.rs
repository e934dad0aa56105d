//! Finds the commit with a change, by comparisons that may not be able to tell.

use crate::{assess::Assessment, verdict::Verdict};

/// What is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// A case that became slower.
    Slower,
    /// A case whose counters changed.
    Counters,
}

impl Change {
    /// The change that a comparison of the last commit with the first shows, if there is one.
    #[must_use]
    pub fn shown(assessment: &Assessment) -> Option<Self> {
        match assessment.verdict {
            Verdict::Slower => Some(Self::Slower),
            _ if assessment.counters.is_some() => Some(Self::Counters),
            _ => None,
        }
    }

    /// Whether a comparison with the good commit shows it, as that of `bad` did; `None` if that cannot be told. One
    /// that is slower by less than half of it is another change, and one that passes may well have become slower:
    /// only one that cannot have half of it is good.
    #[must_use]
    pub fn is_in(self, assessment: &Assessment, bad: &Assessment) -> Option<bool> {
        match (self, assessment.verdict) {
            (_, Verdict::NotMeasured) => None,
            (Self::Counters, _) => Some(assessment.counters.is_some()),
            (Self::Slower, Verdict::Slower | Verdict::Pass | Verdict::Faster | Verdict::Inconclusive) => {
                let half = bad.deciding()?.change_percent / 2.0;
                let figures = assessment.deciding()?;
                if assessment.verdict == Verdict::Slower && figures.change_percent >= half {
                    return Some(true);
                }
                (figures.high_percent < half).then_some(false)
            }
            (Self::Slower, _) => None,
        }
    }
}

/// The indices of the first and the last of `count` commits that can be the one: `is_bad` says of a commit whether it has
/// the change, or that it cannot be told. The last commit is known to have it.
///
/// # Errors
/// What `is_bad` ends with.
pub fn search<E>(count: usize, mut is_bad: impl FnMut(usize) -> Result<Option<bool>, E>) -> Result<(usize, usize), E> {
    // Everything before `first` is good, `last` is bad; between them are those of which nothing is known.
    let (mut first, mut last) = (0, count.saturating_sub(1));
    let mut silent = vec![false; count];
    loop {
        let unknown: Vec<usize> = (first..last).filter(|&index| !silent[index]).collect();
        let Some(&middle) = unknown.get(unknown.len() / 2) else {
            return Ok((first, last));
        };
        match is_bad(middle)? {
            Some(true) => last = middle,
            Some(false) => first = middle + 1,
            None => silent[middle] = true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bad_commit_is_found_and_silent_ones_are_passed_over() {
        let check = |culprit: usize, silent: &[usize], expected: (usize, usize)| {
            let mut asked = 0;
            let found = search(20, |index| {
                asked += 1;
                Ok::<_, ()>((!silent.contains(&index)).then_some(index >= culprit))
            });
            assert_eq!(found, Ok(expected), "culprit {culprit}, silent {silent:?}");
            assert!(asked <= 6 + silent.len(), "{asked} comparisons");
        };
        for culprit in 0..20 {
            check(culprit, &[], (culprit, culprit));
        }
        check(10, &[3, 5], (10, 10));
        check(10, &[9], (9, 10));
        check(10, &[8, 9, 10], (8, 11));
        check(0, &[0], (0, 1));
    }
}
