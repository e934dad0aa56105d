//! Finds the commit with a change, by comparisons that may not be able to tell.

use std::fmt::{Display, Write as _};

use crate::{assess::Assessment, console, exit::Exit, interrupt, verdict::Verdict};

/// A bisection of one case.
#[derive(Clone, Copy)]
pub struct Bisection<'a> {
    /// The case, as reports name it.
    pub case: &'a str,
    /// The commit before the change, as it was asked for.
    pub good: &'a str,
    /// The one after it.
    pub bad: &'a str,
    /// Whole names of the commits after the good one up to the bad one, oldest first; at least one.
    pub commits: &'a [String],
    /// The subject line of a commit.
    pub subject: &'a dyn Fn(&str) -> String,
}

/// How a bisection ended.
#[derive(Debug)]
pub struct Found {
    /// In words.
    pub text: String,
    /// [`Exit::Pass`] if the commit is known, or if there is nothing to find.
    pub exit: Exit,
    /// The comparison that shows the change, where exactly one commit has it.
    pub culprit: Option<(Change, Assessment)>,
}

impl Bisection<'_> {
    /// Bisects. `compare` compares two commits, base first; `None` if both run the same program on the same data.
    ///
    /// # Errors
    /// A comparison failed that must not, or somebody interrupted one.
    pub fn run<E: Display>(
        &self,
        mut compare: impl FnMut(&str, &str) -> Result<Option<Assessment>, E>,
    ) -> Result<Found, E> {
        let Self { case, good, bad, .. } = *self;
        let nothing = |text: String, exit| Found {
            text,
            exit,
            culprit: None,
        };
        let newest = self.commits.last().map_or(bad, String::as_str);
        let Some(last) = compare(good, newest)? else {
            let text = format!("{case}: {bad} and {good} run the same program on the same data\n");
            return Ok(nothing(text, Exit::Pass));
        };
        let Some(change) = Change::shown(&last) else {
            let text = format!("{case}: {bad} is not slower than {good}: {}\n", last.verdict.word());
            let exit = if last.is_judged() {
                Exit::Pass
            } else {
                Exit::Inconclusive
            };
            return Ok(nothing(text, exit));
        };
        let mut culprit = last.clone();
        let (first_index, last_index) = search(self.commits.len(), |index| {
            let assessment = match compare(good, &self.commits[index]) {
                Ok(Some(assessment)) => assessment,
                Ok(None) => return Ok(Some(false)),
                // A commit that does not build, or lacks the case, says nothing.
                Err(error) if !interrupt::is_noted() => {
                    console::warning(&error.to_string());
                    return Ok(None);
                }
                Err(error) => return Err(error),
            };
            let answer = change.is_in(&assessment, &last);
            let said = format!("{}: {}", short(&self.commits[index]), assessment.verdict.word());
            console::status("Judged", &said);
            if answer == Some(true) {
                culprit = assessment;
            }
            Ok(answer)
        })?;
        let suspects = &self.commits[first_index..=last_index];
        // The first commit's parent is what it was compared with already.
        let mut against = good.to_owned();
        let mut step = Some(true);
        if let ([suspect], Some(before)) = (suspects, first_index.checked_sub(1).map(|index| &self.commits[index])) {
            short(before).clone_into(&mut against);
            if let Some(assessment) = compare(before, suspect)? {
                step = change.is_in(&assessment, &last);
                culprit = assessment;
            }
        }
        let what = match (change, culprit.deciding(), &culprit.counters) {
            (Change::Slower, Some(figures), _) => format!("{:+.1} %", figures.change_percent),
            (_, _, counters) => counters.clone().unwrap_or_default(),
        };
        let which = match (suspects.len(), step) {
            (1, Some(true)) => "the first commit with it is",
            (1, Some(false)) => "it came in more than one commit, and half of it is there from this one on",
            (1, None) => "it is there from this commit on, which cannot be told from the one before",
            _ => "it is one of these, which cannot be told apart",
        };
        let mut text = format!("{case}: {what} against {against}; {which}\n");
        for commit in suspects {
            let _ = writeln!(text, "{} {}", short(commit), (self.subject)(commit));
        }
        let is_known = suspects.len() == 1 && step == Some(true);
        Ok(Found {
            text,
            exit: if is_known { Exit::Pass } else { Exit::Inconclusive },
            culprit: is_known.then_some((change, culprit)),
        })
    }
}

/// A commit as reports name it.
fn short(commit: &str) -> &str {
    commit.get(..12).unwrap_or(commit)
}

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
                // The statistic that the change was found in.
                let figures = assessment
                    .figures
                    .iter()
                    .find(|figures| figures.statistic == bad.statistic)?;
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
    use crate::assess::{Figures, Statistic};

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

    #[test]
    fn a_case_that_passes_is_good_only_if_it_cannot_have_half_of_the_change() {
        let assessment = |verdict, change_percent, high_percent| Assessment {
            case: "o".to_owned(),
            verdict,
            statistic: Statistic::Fast,
            blocks: 16,
            figures: vec![Figures {
                statistic: Statistic::Fast,
                base_ns: 100.0,
                head_ns: 100.0 + change_percent,
                change_percent,
                low_percent: change_percent - 1.0,
                high_percent,
                p_adjusted: 0.5,
                control_percent: 0.0,
                deviation_percent: 1.0,
                floor_percent: 1.0,
                bound_percent: Some(5.0),
                detectable_percent: 2.0,
            }],
            settle: None,
            accepted: None,
            counters: None,
            phases: Vec::new(),
            note: None,
        };
        let bad = assessment(Verdict::Slower, 6.0, 7.0);
        let bisected = |verdict, change, high, expected| {
            let found = Change::Slower.is_in(&assessment(verdict, change, high), &bad);
            assert_eq!(found, expected, "{verdict:?} {change} {high}");
        };
        let check = |verdict, high, expected| bisected(verdict, 0.0, high, expected);
        check(Verdict::Pass, 2.9, Some(false));
        check(Verdict::Pass, 3.1, None);
        check(Verdict::Faster, -1.0, Some(false));
        check(Verdict::Inconclusive, 1.0, Some(false));
        check(Verdict::Inconclusive, 5.0, None);
        check(Verdict::Noisy, 1.0, None);
        bisected(Verdict::Slower, 3.0, 4.0, Some(true));
        // A smaller step before it is not what is looked for.
        bisected(Verdict::Slower, 2.0, 2.9, Some(false));
        bisected(Verdict::Slower, 2.5, 3.5, None);
        // The verdict of another statistic says nothing of the one in which the change was found.
        let mut other = assessment(Verdict::Slower, 8.0, 9.0);
        other.figures[0].statistic = Statistic::Median;
        assert_eq!(Change::Slower.is_in(&other, &bad), None);
    }
}
