//! What is said of a case.

use serde::{Deserialize, Serialize};

/// What is said of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The counters are no longer those of the base. Exact, never noise.
    CountersChanged,
    /// Slower than the base.
    Slower,
    /// What was measured does not tell.
    Inconclusive,
    /// The base differs from itself by as much as the head does from it.
    Noisy,
    /// The base has the case, and the head does not.
    Missing,
    /// Faster than the base.
    Faster,
    /// The base does not have the case.
    New,
    /// As fast as the base: a larger change than the bound would have been found.
    Pass,
    /// Not asked for, or not possible this time.
    NotMeasured,
}

impl Verdict {
    /// The word in reports.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::CountersChanged => "counters changed",
            Self::Slower => "slower",
            Self::Inconclusive => "inconclusive",
            Self::Noisy => "noisy",
            Self::Missing => "missing",
            Self::Faster => "faster",
            Self::New => "new",
            Self::Pass => "pass",
            Self::NotMeasured => "not measured",
        }
    }
}
