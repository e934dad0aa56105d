//! The command line: one variant per command, whose flags live in the command's own file.

#[cfg(test)]
mod documents;

use clap::{Parser, Subcommand};

use crate::cmd;

/// Measures gpu-executor, gates it against committed baselines, and runs the project's checks.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version, styles = clap_styles())]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Measure every operator on every backend, and compare with this machine's baseline
    Bench(cmd::bench::Flags),
    /// Compare two revisions on this machine, in alternating fresh processes
    Ab(cmd::ab::Flags),
    /// Judge a finished run again, without measuring
    Gate(cmd::gate::Flags),
    /// Find the commit that made a case slower, with the statistics of `ab`
    Bisect(cmd::bisect::Flags),
    /// Measure how often `ab` is wrong on this machine, with unchanged code and injected slowdowns
    ValidateGate(cmd::validate_gate::Flags),
    /// Join the shards of a run, and judge the whole
    Merge(cmd::merge::Flags),
    /// Show a run as a page: figures, the size from which a GPU pays, changes
    Report(cmd::report::Flags),
    /// Compare two backends of one run, of two runs, or of two threshold scans
    Compare(cmd::compare::Flags),
    /// Find from how many elements on a GPU is faster than the CPU, or why it never is
    Scan(cmd::scan::Flags),
    /// Show the time of each case, commit by commit, and where it changed
    History(cmd::history::Flags),
    /// Compare this project with wgpu as tutorials use it, cubecl, the CPU and CUDA
    Peers(cmd::peers::Flags),
    /// Find the version split that would break a build, and a tried cure
    AuditDeps(cmd::audit_deps::Flags),
    /// Write the completions of commands and flags for a shell
    Completions(cmd::completions::Flags),
    /// List the adapters of this machine, and why some cannot be used
    Adapters(cmd::adapters::Flags),
    /// Install what the software adapters need (Debian and Ubuntu), or say what to install
    Setup(cmd::setup::Flags),
    /// Compile, link and run everything for Windows; on Linux under Wine
    Windows(cmd::windows::Flags),
    /// Lint the workflows of GitHub Actions with actionlint and zizmor
    Workflows(cmd::workflows::Flags),
    /// Write the tables and pictures of the documents from the CSV files in docs/data
    Docs(cmd::docs::Flags),
    /// Run what CI runs: set-up, format, lints, tests, documentation, dependencies, and a quick bench
    Ci(cmd::ci::Flags),
}

/// Cargo's colours.
fn clap_styles() -> clap::builder::Styles {
    use anstyle::AnsiColor::{BrightCyan, BrightGreen, Cyan};
    clap::builder::Styles::styled()
        .header(BrightGreen.on_default().bold())
        .usage(BrightGreen.on_default().bold())
        .literal(BrightCyan.on_default().bold())
        .placeholder(Cyan.on_default())
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, Parser as _};

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_shows_an_example() {
        for command in Cli::command().get_subcommands() {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(
                help.contains(&format!("cargo xtask {}", command.get_name())),
                "{}: {help}",
                command.get_name()
            );
        }
    }

    #[test]
    fn wrong_flags_are_refused_with_the_right_ones() {
        let check = |line: &str, expected: &str| {
            let error = Cli::try_parse_from(line.split(' ').skip(1)).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{line}");
            assert!(error.to_string().contains(expected), "{line}: {error}");
        };
        check("cargo xtask bench --backend vulcan", "vulkan");
        check("cargo xtask bench --backend", "a value is required");
        check("cargo xtask bench --runs 0", "1..");
        check("cargo xtask bench --runs x", "invalid");
        check("cargo xtask bench --size 12k", "1000x256");
        check("cargo xtask bench --size 0", "1000x256");
        check("cargo xtask bench --size 0x4", "1000x256");
        check("cargo xtask bench --quick --full", "cannot be used with");
        check(
            "cargo xtask bench --save-baseline --require-baseline",
            "cannot be used with",
        );
        check("cargo xtask bench --fast", "unexpected");
        check("cargo xtask bnech", "bench");
        check("cargo xtask gate", "RUN_DIR");
    }
}
