//! `cargo xtask audit-deps`: the audit of `crates/split-audit`, from a clean clone.

use split_audit::Exit;

use crate::error::Error;

/// The name that messages and reports give this command.
const COMMAND: &str = "cargo xtask audit-deps";

#[derive(Debug, clap::Args)]
// The flags of the library are a group of that name.
#[group(skip)]
#[command(after_help = split_audit::help(COMMAND))]
pub(crate) struct Flags {
    #[command(flatten)]
    flags: split_audit::Flags,
}

pub(crate) fn run(flags: &Flags) -> Result<Exit, Error> {
    split_audit::run(&flags.flags, COMMAND).map_err(|error| {
        if error.is_usage() {
            Error::Usage(error.to_string())
        } else {
            error.into()
        }
    })
}
