//! The exit codes CI reads.

use std::process::ExitCode;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exit {
    /// Everything asked for was done and found right.
    Pass = 0,
    /// The tool or a program it ran failed.
    ToolFailed = 1,
    /// The command line is wrong; clap ends with this as well.
    Usage = 2,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
