//! The exit codes CI reads.

use std::process::ExitCode;

/// How a command ended. The numbers are a contract with CI and stand in the README.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Exit {
    /// Everything asked for was done and found right.
    Pass = 0,
    /// The tool or a program it ran failed; nothing is said about what was to be judged.
    ToolFailed = 1,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
