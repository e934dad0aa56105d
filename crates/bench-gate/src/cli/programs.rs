//! `cargo bench-gate programs`: what would be measured of revisions, without measuring.

use std::fmt::Write as _;

use super::{
    Error,
    flags::{Benches, Place},
};
use crate::{
    console,
    exit::Exit,
    interrupt,
    project::{self, Builder, Built, Store, WORKTREE},
};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cargo bench-gate programs
  cargo bench-gate programs main worktree

Exit codes: 0 done, 1 a revision does not build, 2 usage.")]
pub(super) struct Flags {
    /// Commits, or `worktree`
    #[arg(default_value = WORKTREE, num_args = 1..=2)]
    revisions: Vec<String>,
    /// Run each program with these arguments, as `cargo bench` would
    #[arg(long, value_name = "ARGUMENT", num_args = 0.., allow_hyphen_values = true)]
    run: Option<Vec<String>>,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    benches: Benches,
}

pub(super) fn run(flags: &Flags) -> Result<Exit, Error> {
    interrupt::note();
    let project = flags.place.project()?;
    let commits: Vec<String> = flags
        .revisions
        .iter()
        .map(|revision| project.resolve(revision))
        .collect::<Result<_, _>>()?;
    let selection = flags.benches.selection(&project);
    let store = Store::open(project.repository().top())?;
    let mut builder = Builder::new(&project, &store, &selection, &interrupt::is_noted);
    let built: Vec<Built> = flags
        .revisions
        .iter()
        .map(|revision| builder.build(revision))
        .collect::<Result<_, _>>()?;
    project::names_are_known(&built.iter().collect::<Vec<_>>())?;
    for built in &built {
        console::result(&shown(built));
        for note in &built.notes {
            console::warning(note);
        }
        for program in flags.run.iter().flat_map(|_| &built.programs) {
            let args = flags.run.iter().flatten();
            let status = program.command().args(args).status();
            match status {
                Ok(status) if status.success() => {}
                Ok(status) => return Err(Error::Failed(format!("{} ended with {status}", program.file.display()))),
                Err(error) => return Err(Error::Failed(format!("cannot run {}: {error}", program.file.display()))),
            }
        }
    }
    if let [base, head] = &built[..] {
        let changed = project.repository().changed(&commits[0], &commits[1])?;
        console::result(&match project::difference(base, head, &changed)? {
            None => "same program: there is nothing to measure\n".to_owned(),
            Some(difference) => format!("to be measured: {difference}\n"),
        });
    }
    Ok(Exit::Pass)
}

fn shown(built: &Built) -> String {
    let mut text = format!("{} ({})\n", built.revision, &built.commit[..built.commit.len().min(12)]);
    if built.programs.is_empty() {
        text.push_str("  no criterion bench\n");
    }
    for program in &built.programs {
        let _ = writeln!(text, "  {} of {}", program.target, program.package);
        let _ = writeln!(text, "    program {}", program.file.display());
        let _ = writeln!(text, "    folder  {}", program.folder.display());
        for (name, value) in &program.environment {
            let _ = writeln!(text, "    {name}={value}");
        }
    }
    text
}
