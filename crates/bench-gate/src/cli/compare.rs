//! A comparison of two revisions: built, listed, paired and measured in turns.

use std::{
    collections::BTreeMap,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use super::{Error, outcome::Outcome};
use crate::{
    binding::Binding,
    console,
    measure::{Comparison, Entry, Group},
    process::{self, Kind, Start},
    project::{self, Built, Common, Listed, Program, Project},
    stat::plan::Plan,
};

/// What is asked of a comparison.
pub(super) struct Asked<'a> {
    pub(super) project: &'a Project,
    pub(super) cases: Wanted<'a>,
    /// What base and head call a case that was renamed.
    pub(super) renamed: &'a [(String, String)],
    pub(super) seed: u64,
    pub(super) folder: &'a Path,
    pub(super) patience: Duration,
    pub(super) deadline: Option<Instant>,
    /// Measure although the programs are the same.
    pub(super) always: bool,
    /// What somebody who interrupts it is told besides.
    pub(super) how_to_go_on: &'a str,
}

/// Which cases are to be compared.
#[derive(Clone, Copy, Debug)]
pub(super) enum Wanted<'a> {
    /// Those whose names contain one of these; all if there is none.
    Like(&'a [String]),
    /// Those of these names.
    Exactly(&'a [String]),
}

impl Wanted<'_> {
    fn has(self, name: &str) -> bool {
        match self {
            Self::Like(parts) => parts.is_empty() || parts.iter().any(|part| name.contains(part.as_str())),
            Self::Exactly(names) => names.iter().any(|wanted| wanted == name),
        }
    }
}

/// Makes the command of a program.
type Starter = Box<dyn Fn() -> Command>;

/// Blocks of a comparison at the most.
const BLOCKS: usize = 40;

impl Asked<'_> {
    /// Compares two revisions that are built.
    pub(super) fn compare(&self, base: &Built, head: &Built) -> Result<Outcome, Error> {
        project::have_benches(&[base, head])?;
        let mut outcome = Outcome::new(base, head);
        for built in [base, head] {
            for note in built
                .notes
                .iter()
                .filter(|note| !outcome.notes.contains(*note))
                .cloned()
                .collect::<Vec<_>>()
            {
                console::warning(&note);
                outcome.notes.push(note);
            }
        }
        if !self.always && !base.programs.is_empty() {
            let changed = self.project.repository().changed(&base.commit, &head.commit)?;
            if project::difference(base, head, &changed)?.is_none() {
                outcome.is_same = true;
                return Ok(outcome);
            }
        }
        let of_base = listed(base, self.folder, self.patience, &|_| true, &mut outcome.notes)?;
        // One that fails in the head alone is the head's fault.
        let failed_in_base = |program: &Program| {
            base.programs.iter().zip(&of_base.cases).any(|(other, list)| {
                other.package == program.package && other.target == program.target && list.ids.is_empty()
            })
        };
        let of_head = listed(head, self.folder, self.patience, &failed_in_base, &mut outcome.notes)?;
        let listed = [of_base, of_head];
        let pairs = project::pair(&listed[0].cases, &listed[1].cases, self.renamed).map_err(Error::Usage)?;
        outcome.new = self.wanted(&pairs.new);
        outcome.removed = self.wanted(&pairs.removed);
        let common: Vec<&Common> = pairs
            .common
            .iter()
            .filter(|common| self.cases.has(&common.name))
            .collect();
        outcome.renamed = common
            .iter()
            .filter_map(|common| Some((common.was.clone()?, common.name.clone())))
            .collect();
        if common.is_empty() {
            let all: Vec<&str> = pairs.common.iter().map(|common| common.name.as_str()).collect();
            if let Wanted::Like(parts) = self.cases
                && !all.is_empty()
                && outcome.new.is_empty()
                && outcome.removed.is_empty()
            {
                let parts = parts.join("` or `");
                return Err(Error::Usage(format!(
                    "no case is named like `{parts}`; there are {}",
                    all.join(", ")
                )));
            }
            return Ok(outcome);
        }
        self.measure(base, head, &listed, &common, &mut outcome)?;
        Ok(outcome)
    }

    fn wanted(&self, names: &[String]) -> Vec<String> {
        names.iter().filter(|name| self.cases.has(name)).cloned().collect()
    }

    fn measure(
        &self,
        base: &Built,
        head: &Built,
        lists: &[Lists; 2],
        common: &[&Common],
        outcome: &mut Outcome,
    ) -> Result<(), Error> {
        let mut by_programs: BTreeMap<[usize; 2], Vec<Entry>> = BTreeMap::new();
        for case in common {
            by_programs
                .entry([case.base.program, case.head.program])
                .or_default()
                .push(Entry {
                    name: case.name.clone(),
                    ids: [case.base.id.clone(), case.head.id.clone()],
                });
        }
        let starts: BTreeMap<[usize; 2], [Starter; 2]> = by_programs
            .keys()
            .map(|&[ours, theirs]| {
                let start = |program: &'_ Program| {
                    let program = program.clone();
                    Box::new(move || program.command()) as Starter
                };
                (
                    [ours, theirs],
                    [start(&base.programs[ours]), start(&head.programs[theirs])],
                )
            })
            .collect();
        let mut groups = Vec::new();
        for (programs, cases) in by_programs {
            let commands = starts[&programs]
                .each_ref()
                .map(|start| &**start as &dyn Fn() -> Command);
            let is_serving = |index: usize| lists[index].kinds[programs[index]] == Kind::Serving;
            let serving = is_serving(0) && is_serving(1);
            let threads = [&base.programs[programs[0]], &head.programs[programs[1]]]
                .map(|program| super::threads::started(program, self.folder));
            if threads.into_iter().flatten().any(|threads| threads > 1) {
                let target = &head.programs[programs[1]].target;
                let said = |threads: Option<usize>| threads.map_or_else(|| "?".to_owned(), |count| count.to_string());
                let note = format!(
                    "`{target}` starts threads ({} in the base, {} in the head): its cases are compared on one core, and \
                     once more on all as `… (all cores)`",
                    said(threads[0]),
                    said(threads[1]),
                );
                console::warning(&note);
                outcome.notes.push(note);
                let free = |case: &Entry| Entry {
                    name: format!("{} (all cores)", case.name),
                    ids: case.ids.clone(),
                };
                groups.push(Group {
                    cases: cases.iter().map(free).collect(),
                    commands,
                    serving,
                    binding: Binding::Free,
                });
            }
            groups.push(Group {
                cases,
                commands,
                serving,
                binding: Binding::Process,
            });
        }
        console::status(
            "Comparing",
            &format!(
                "{} cases of {} with {}, seed {}, in {}",
                groups.iter().map(|group| group.cases.len()).sum::<usize>(),
                head.revision,
                base.revision,
                self.seed,
                self.folder.display()
            ),
        );
        let plan = Plan::of(BLOCKS);
        let finished = Comparison {
            groups: &groups,
            revisions: [&base.revision, &head.revision],
            seed: self.seed,
            plan: &plan,
            layout: None,
            accepted: &[],
            folder: self.folder,
            patience: self.patience,
            how_to_go_on: self.how_to_go_on,
            deadline: self.deadline,
        }
        .run()?;
        outcome.assessments = finished.assessments;
        outcome.failed = finished.failed;
        outcome.block_seconds = finished.block_seconds;
        Ok(())
    }
}

/// What the programs of a revision say of themselves.
#[derive(Debug, Default)]
pub(super) struct Lists {
    pub(super) cases: Vec<Listed>,
    pub(super) kinds: Vec<Kind>,
}

/// Asks every program of a revision for its cases. One that lists none is left out, with a note, where `may_fail` says
/// so.
pub(super) fn listed(
    built: &Built,
    folder: &Path,
    patience: Duration,
    may_fail: &dyn Fn(&Program) -> bool,
    notes: &mut Vec<String>,
) -> Result<Lists, Error> {
    let mut lists = Lists::default();
    for program in &built.programs {
        let command = || program.command();
        let start = Start {
            command: &command,
            core: None,
            folder: &folder.join("raw/list"),
            patience,
        };
        let (kind, cases) = match process::inspect(&start) {
            Ok(answer) => answer,
            Err(error) if may_fail(program) => {
                let note = format!(
                    "bench `{}` of {} is left out in {}: {error}",
                    program.target, program.package, built.revision
                );
                console::warning(&note);
                notes.push(note);
                (Kind::Criterion, Vec::new())
            }
            Err(error) => return Err(Error::Failed(format!("{}: {error}", built.revision))),
        };
        lists.cases.push(Listed::of(program, cases));
        lists.kinds.push(kind);
    }
    Ok(lists)
}
