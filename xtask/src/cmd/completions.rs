//! `cargo xtask completions`: what a shell needs to complete commands and flags.

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::{cli::Cli, error::Error, exit::Exit, host::console};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example, for bash:
  alias xtask='cargo xtask'
  source <(cargo xtask completions bash)

They complete the word `xtask`: the words behind `cargo` are cargo's own to complete.")]
pub(crate) struct Flags {
    /// Which shell
    #[arg(value_enum)]
    shell: Shell,
}

pub(crate) fn run(flags: &Flags) -> Result<Exit, Error> {
    console::result(&script(flags.shell));
    Ok(Exit::Pass)
}

fn script(shell: Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "xtask", &mut script);
    String::from_utf8(script).expect("names and help are text")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_is_completed_in_every_shell() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish, Shell::PowerShell, Shell::Elvish] {
            let script = script(shell);
            for command in Cli::command().get_subcommands() {
                assert!(script.contains(command.get_name()), "{shell}: {}", command.get_name());
            }
            assert!(script.contains("seed-format"), "{shell}");
        }
    }
}
