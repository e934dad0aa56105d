//! The exit codes CI reads.

use std::process::ExitCode;

/// How a command ended. The numbers are a contract with CI and stand in the README.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Everything asked for was done and found right.
    Pass = 0,
    /// The tool or a program it ran failed; nothing is said about what was to be judged.
    ToolFailed = 1,
    /// The command line is wrong; clap ends with this as well.
    Usage = 2,
    /// Slower than the baseline, or other counters.
    Regression = 3,
    /// Under `--strict`: inconclusive, noisy, or cases of the baseline that are gone.
    Inconclusive = 4,
    /// Under `--require-baseline`: this machine has none.
    NoBaseline = 5,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
