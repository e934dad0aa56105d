//! Has two programs of this project, or of another, take turns: what `bench_gate` is told of them.

use std::{
    collections::BTreeMap,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

pub(crate) use bench_gate::measure::{Finished, PATIENCE};
use bench_gate::{
    assess::Accepted,
    binding::Binding,
    measure::{Comparison, Entry, Group},
    process::{self, Kind, Start},
    stat::{layout::Layout, plan},
};
use bench_recorder::wire::INJECT_ENV;

use crate::{
    ab::report::{Plan, Side},
    error::Error,
    files,
    host::{noop, quiet_display},
};

/// The library's environment variable for how tasks reach the adapter.
pub(crate) const TUNING_ENV: &str = "GPU_EXECUTOR_TUNING";

/// A comparison to be measured.
pub(crate) struct Turns<'a> {
    pub(crate) plan: &'a Plan,
    /// Environment of the programs of base and head.
    pub(crate) environment: [&'a BTreeMap<String, String>; 2],
    /// Whether the processes of a backend compute on the CPU.
    pub(crate) is_software: &'a dyn Fn(&str) -> bool,
    /// Slowdowns that are intended.
    pub(crate) accepted: &'a [Accepted],
    /// Folder of the comparison: what is there already is not measured again.
    pub(crate) folder: &'a Path,
    /// How long a program may say nothing.
    pub(crate) patience: Duration,
    /// What somebody who interrupts it is told besides.
    pub(crate) how_to_go_on: &'a str,
    /// No block begins that would end after this.
    pub(crate) deadline: Option<Instant>,
}

/// What of a backend's processes is bound unless somebody says otherwise. A driver that computes on the CPU has threads that do the
/// work: all of them are bound, or a block would measure how two cores share it. A GPU's caller alone is bound, as users have it.
pub(crate) fn binding(is_software: bool) -> Binding {
    if is_software { Binding::Process } else { Binding::Caller }
}

impl Turns<'_> {
    pub(crate) fn run(&self) -> Result<Finished, Error> {
        let plan = self.plan;
        // Cases of one backend share processes, where ids say which that is.
        let mut backends: BTreeMap<&str, Vec<Entry>> = BTreeMap::new();
        for case in &plan.cases {
            let backend = case.split('/').nth(1).unwrap_or_default();
            backends.entry(backend).or_default().push(Entry::new(case));
        }
        type Commands<'c> = [Box<dyn Fn() -> Command + 'c>; 2];
        let commands: Vec<Commands<'_>> = backends
            .keys()
            .map(|backend| {
                let tuning = plan.tuning.get(*backend).map(String::as_str);
                [(&plan.base, self.environment[0]), (&plan.head, self.environment[1])]
                    .map(|(side, environment)| Box::new(move || of_side(side, environment, tuning)) as Box<_>)
            })
            .collect();
        let groups: Vec<Group<'_>> = backends
            .into_iter()
            .zip(&commands)
            .map(|((backend, cases), [base, head])| Group {
                cases,
                commands: [base, head],
                serving: plan.serving,
                binding: plan.binding.unwrap_or_else(|| binding((self.is_software)(backend))),
            })
            .collect();
        let comparison = Comparison {
            groups: &groups,
            revisions: [&plan.base.revision, &plan.head.revision],
            seed: plan.seed,
            plan: &plan::Plan::default(),
            layout: is_same(&plan.base, &plan.head)?.then(Layout::same_program),
            accepted: self.accepted,
            folder: self.folder,
            patience: self.patience,
            how_to_go_on: self.how_to_go_on,
            deadline: self.deadline,
        };
        Ok(comparison.run()?)
    }
}

/// Whether both sides are one file, so that layout cannot tell them apart.
pub(crate) fn is_same(base: &Side, head: &Side) -> Result<bool, Error> {
    let read = |side: &Side| std::fs::read(&side.program).map_err(Error::io("read", &side.program));
    Ok(base.program == head.program || read(base)? == read(head)?)
}

/// The command of a side's program, without arguments.
fn of_side(side: &Side, environment: &BTreeMap<String, String>, tuning: Option<&str>) -> Command {
    let command = match &side.start {
        Some(start) => start.command(),
        None => Command::new(&side.program),
    };
    told(command, environment, tuning)
}

/// The command of a bench program, without arguments.
pub(crate) fn command(program: &Path, environment: &BTreeMap<String, String>, tuning: Option<&str>) -> Command {
    told(Command::new(program), environment, tuning)
}

/// Tells a bench program what it is to measure.
fn told(mut command: Command, environment: &BTreeMap<String, String>, tuning: Option<&str>) -> Command {
    command
        // Read by glibc alone: freed memory stays with the process. By default its heap shrinks and grows again with
        // every call of some cases, and page by page, depending on what happens to lie at its end.
        .env("MALLOC_TRIM_THRESHOLD_", "2147483648")
        .env("MALLOC_MMAP_THRESHOLD_", "33554432")
        .env_remove(noop::BENCH_ENV)
        .env_remove("GPU_EXECUTOR_BENCH_OPS")
        .env_remove(INJECT_ENV)
        .envs(environment);
    if let Some(tuning) = tuning {
        command.env(TUNING_ENV, tuning);
    }
    quiet_display(&mut command);
    command
}

/// Cases of base and head, and whether both serve windows of them. If one of them does not, both are driven as criterion programs.
pub(crate) fn ask(
    sides: [&Side; 2],
    environment: &BTreeMap<String, String>,
    folder: &Path,
    patience: Duration,
) -> Result<([Vec<String>; 2], bool), Error> {
    let folder = folder.join("raw").join("list");
    let commands = sides.map(|side| move || of_side(side, environment, None));
    let starts = commands.each_ref().map(|command| Start {
        command,
        core: None,
        folder: &folder,
        patience,
    });
    let named = |side: &Side, error| match Error::from(error) {
        Error::Usage(message) => Error::Usage(message),
        error => Error::Failed(format!("{}: {error}", side.revision)),
    };
    let inspect = |n: usize| process::inspect(&starts[n]).map_err(|error| named(sides[n], error));
    let listed = |n: usize| process::listed(&starts[n]).map_err(|error| named(sides[n], error));
    let ((base_kind, mut base), (head_kind, mut head)) = (inspect(0)?, inspect(1)?);
    if base_kind != head_kind {
        (base, head) = (listed(0)?, listed(1)?);
    }
    Ok(([base, head], base_kind == Kind::Serving && head_kind == Kind::Serving))
}

/// The slowdowns that a file accepts; none where there is no file.
pub(crate) fn accepted(path: &Path) -> Result<Vec<Accepted>, Error> {
    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        #[serde(default)]
        slower: Vec<Accepted>,
    }
    if !path.exists() {
        return Ok(Vec::new());
    }
    let text = files::read(path)?;
    let file: File = toml::from_str(&text).map_err(|error| {
        let line = error
            .span()
            .map_or(1, |span| 1 + text[..span.start].matches('\n').count() as u64);
        Error::Data {
            path: path.to_owned(),
            line,
            message: error.message().to_owned(),
        }
    })?;
    Ok(file.slower)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepted_slowdowns_are_read_or_named_with_their_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("accepted.toml");
        assert_eq!(accepted(&path).unwrap(), []);
        let good =
            "[[slower]]\ncase = \"a/cpu/1\"\npercent = 5.0\nreason = \"checks bounds\"\nuntil = \"2026-12-31\"\n";
        std::fs::write(&path, good).unwrap();
        let read = accepted(&path).unwrap();
        assert_eq!((read[0].case.as_str(), read[0].percent), ("a/cpu/1", 5.0));
        for (from, to, line) in [
            ("5.0", "\"x\"", 3),
            ("until", "til", 5),
            ("2026-12-31", "soon", 5),
            ("slower", "slow", 1),
        ] {
            std::fs::write(&path, good.replace(from, to)).unwrap();
            let message = accepted(&path).unwrap_err().to_string();
            assert!(message.contains(&format!("accepted.toml:{line}: ")), "{message}");
        }
    }
}
