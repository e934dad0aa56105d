//! Version requirements as ranges, to tell whether two of them can ever be met by one version.

use semver::{Comparator, Op, Version, VersionReq};

/// Versions `v` with `from <= v < below`; pre-releases are left out of account, as nothing here is pinned to one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Range {
    from: Version,
    /// `None` is open.
    below: Option<Version>,
}

impl Range {
    /// The smallest range that holds every version the requirement admits.
    pub(crate) fn of(requirement: &VersionReq) -> Self {
        let everything = Self {
            from: Version::new(0, 0, 0),
            below: None,
        };
        requirement
            .comparators
            .iter()
            .map(range_of)
            .fold(everything, |range, other| range.and(&other))
    }

    fn and(&self, other: &Self) -> Self {
        let below = match (&self.below, &other.below) {
            (Some(a), Some(b)) => Some(a.min(b).clone()),
            (a, b) => a.clone().or_else(|| b.clone()),
        };
        Self {
            from: (&self.from).max(&other.from).clone(),
            below,
        }
    }

    fn is_empty(&self) -> bool {
        self.below.as_ref().is_some_and(|below| *below <= self.from)
    }
}

/// Whether some version could meet both.
pub(crate) fn overlap(a: &VersionReq, b: &VersionReq) -> bool {
    !Range::of(a).and(&Range::of(b)).is_empty()
}

/// Whether the requirement stays within one compatible series (`^0.58`, `=1.2.3`), unlike `>=0.53, <=0.58`.
pub(crate) fn is_one_series(requirement: &VersionReq) -> bool {
    let range = Range::of(requirement);
    range.below.is_some_and(|below| below <= end_of_series(&range.from))
}

fn end_of_series(version: &Version) -> Version {
    match (version.major, version.minor) {
        (0, 0) => Version::new(0, 0, version.patch + 1),
        (0, minor) => Version::new(0, minor + 1, 0),
        (major, _) => Version::new(major + 1, 0, 0),
    }
}

fn range_of(comparator: &Comparator) -> Range {
    let Comparator {
        major, minor, patch, ..
    } = *comparator;
    let from = Version::new(major, minor.unwrap_or(0), patch.unwrap_or(0));
    // The first version after everything that the written digits stand for: `1.2` stands for every 1.2.x.
    let after = match (minor, patch) {
        (Some(minor), Some(patch)) => Version::new(major, minor, patch + 1),
        (Some(minor), None) => Version::new(major, minor + 1, 0),
        (None, _) => Version::new(major + 1, 0, 0),
    };
    let zero = Version::new(0, 0, 0);
    let (from, below) = match comparator.op {
        Op::Exact | Op::Wildcard => (from, Some(after)),
        Op::Greater => (after, None),
        Op::GreaterEq => (from, None),
        Op::Less => (zero, Some(from)),
        Op::LessEq => (zero, Some(after)),
        Op::Tilde => {
            let end = minor.map_or_else(
                || Version::new(major + 1, 0, 0),
                |minor| Version::new(major, minor + 1, 0),
            );
            (from, Some(end))
        }
        Op::Caret => {
            let end = match (major, minor, patch) {
                (0, Some(0), None) => Version::new(0, 1, 0),
                (0, None, _) => Version::new(1, 0, 0),
                _ => end_of_series(&from),
            };
            (from, Some(end))
        }
        // `Op` is non-exhaustive: an operator unknown here rules nothing out.
        _ => (zero, None),
    };
    Range { from, below }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn req(text: &str) -> VersionReq {
        VersionReq::parse(text).unwrap()
    }

    #[test]
    fn two_requirements_overlap_exactly_where_a_version_meets_both() {
        let cases = [
            ("^0.58", "^0.53", false),
            ("^0.58", ">=0.53, <=0.58", true),
            ("^0.62", ">=0.53, <=0.58", false),
            ("^0.27", "^0.28", false),
            ("=0.58.0", "^0.58", true),
            ("*", "^0.1", true),
            (">0.58", "<=0.58", false),
            ("~1.2", "^1.3", false),
            ("1", "1.9", true),
            ("^0.0.3", "^0.0.4", false),
            ("0", "0.9", true),
            ("<2", ">=2", false),
            ("1.*", "^1.4", true),
        ];
        for (a, b, expected) in cases {
            assert_eq!(overlap(&req(a), &req(b)), expected, "{a} and {b}");
            assert_eq!(overlap(&req(b), &req(a)), expected, "{b} and {a}");
        }
    }

    #[test]
    fn one_series_is_what_caret_tilde_and_exact_requirements_admit() {
        let cases = [
            ("^0.58", true),
            ("=0.58.0", true),
            ("~0.58.0", true),
            ("^1.2", true),
            (">=0.53, <=0.58", false),
            (">=0.58, <0.59", true),
            ("*", false),
            (">=1", false),
            ("0", false),
        ];
        for (text, expected) in cases {
            assert_eq!(is_one_series(&req(text)), expected, "{text}");
        }
    }
}
