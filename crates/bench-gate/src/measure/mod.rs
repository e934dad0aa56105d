//! The one timing engine: variants take turns in blocks of fresh processes ([`Comparison`]), or one
//! program is measured alone, case by case ([`survey`]).

mod block;
mod order;
pub mod survey;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::Write as _,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use block::{Block, State};

use crate::{
    Error,
    assess::{Accepted, Assessment, assess},
    binding::{self, Binding},
    console, files, interrupt,
    progress::Progress,
    record::{self, Variant, Window},
    stat::{layout::Layout, plan::Plan},
    verdict::Verdict,
};

/// Blocks tried per block needed, where processes keep failing.
const MAX_TRIES: f64 = 2.0;

/// How long a program may say nothing unless somebody says otherwise: a case is built in seconds.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// A case, with its ids in the programs of base and head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The name in reports.
    pub name: String,
    /// Ids in base and head.
    pub ids: [String; 2],
}

impl Entry {
    /// A case that has one id everywhere.
    #[must_use]
    pub fn new(id: &str) -> Self {
        Self {
            name: id.to_owned(),
            ids: [id.to_owned(), id.to_owned()],
        }
    }
}

/// Cases that share processes.
pub struct Group<'a> {
    /// The cases.
    pub cases: Vec<Entry>,
    /// Make the commands of base and head, without arguments.
    pub commands: [&'a dyn Fn() -> Command; 2],
    /// Whether both programs serve windows; else each window is a criterion process.
    pub serving: bool,
    /// What is bound to the block's core.
    pub binding: Binding,
}

/// Two programs, to be compared.
pub struct Comparison<'a> {
    /// The cases, by the processes they share.
    pub groups: &'a [Group<'a>],
    /// Names of base and head, for messages.
    pub revisions: [&'a str; 2],
    /// Of the random order.
    pub seed: u64,
    /// When it is assessed.
    pub plan: &'a Plan,
    /// How much layout moves the cases; `None` if that is not known.
    pub layout: Option<Layout>,
    /// Slowdowns that are intended.
    pub accepted: &'a [Accepted],
    /// Folder of the comparison: what is there already is not measured again.
    pub folder: &'a Path,
    /// How long a program may say nothing.
    pub patience: Duration,
    /// What somebody who interrupts it is told besides.
    pub how_to_go_on: &'a str,
    /// No block begins that would end after this.
    pub deadline: Option<Instant>,
}

/// A finished comparison.
#[derive(Debug)]
pub struct Finished {
    /// What is said of each case, in the order of the groups.
    pub assessments: Vec<Assessment>,
    /// Cases that the head could not run though the base could.
    pub failed: BTreeSet<String>,
    /// All that was measured.
    pub windows: Vec<Window>,
    /// What a block of the undecided cases took.
    pub block_seconds: f64,
}

impl Comparison<'_> {
    /// Measures until every case is decided, the last analysis is taken, or time is up.
    ///
    /// # Errors
    /// A program that is gone, hangs or talks nonsense, a file that cannot be written, an interruption.
    /// Blocks measured before stay.
    pub fn run(&self) -> Result<Finished, Error> {
        let path = self.folder.join("windows.jsonl");
        let mut windows = resume(&path)?;
        let names: Vec<String> = self
            .groups
            .iter()
            .flat_map(|g| &g.cases)
            .map(|case| case.name.clone())
            .collect();
        let progress = Progress::new(names.len(), self.plan.last().blocks as u64);
        let mut state = State::new(&progress);
        let cores = binding::cores();
        let mut number = windows.iter().map(|window| window.block).max().unwrap_or_default();
        let mut tries: BTreeMap<String, usize> = BTreeMap::new();
        let mut block_time = Duration::ZERO;
        loop {
            let assessed = assess(&self.cases(&names, &windows), self.plan);
            let is_due = |case: &String, blocks: usize| {
                let most = (blocks as f64 * MAX_TRIES) as usize;
                !state.refused.contains_key(case) && tries.get(case).is_none_or(|tries| *tries < most)
            };
            let open = assessed.open.iter();
            let due: BTreeSet<&str> = open
                .filter(|(case, blocks)| is_due(case, **blocks))
                .map(|(case, _)| case.as_str())
                .collect();
            let is_late = |deadline| Instant::now() + block_time >= deadline;
            let timed_out = !due.is_empty() && self.deadline.is_some_and(is_late);
            if due.is_empty() || timed_out {
                let raw = self.folder.join("raw");
                if raw.exists() {
                    fs::remove_dir_all(&raw).map_err(Error::io("remove", &raw))?;
                }
                let open = if timed_out {
                    assessed.open.clone()
                } else {
                    BTreeMap::new()
                };
                return Ok(Finished {
                    assessments: finish(assessed.cases, &open, &state.refused),
                    failed: state.failed(),
                    windows,
                    block_seconds: block_time.as_secs_f64(),
                });
            }
            number += 1;
            progress.line(&format!(
                "block {number}: {} of {} cases undecided, {:.1} s a block",
                due.len(),
                names.len(),
                block_time.as_secs_f64()
            ));
            let start = Instant::now();
            let measured = Block {
                comparison: self,
                number,
                core: binding::drawn(&cores, self.seed, number - 1),
                cases: &due,
            }
            .measure(&mut state);
            block_time = start.elapsed();
            if interrupt::is_noted() {
                return Err(Error::Failed(format!("interrupted{}", self.how_to_go_on)));
            }
            let measured = measured?;
            append(&path, &measured)?;
            windows.extend(measured);
            for case in due {
                *tries.entry(case.to_owned()).or_default() += 1;
            }
        }
    }

    fn cases(&self, names: &[String], windows: &[Window]) -> Vec<crate::assess::Case> {
        let today = jiff::Zoned::now().date();
        let mut cases = record::cases(names, windows);
        for case in &mut cases {
            case.layout = self.layout;
            case.accepted = Accepted::find(self.accepted, &case.name, today).cloned();
        }
        cases
    }
}

/// The windows that are there already.
fn resume(path: &Path) -> Result<Vec<Window>, Error> {
    if !path.exists() {
        return Ok(Vec::new());
    }
    let windows = record::from_lines(path, &files::read(path)?)?;
    // What was cut off must not stay in front of what is appended.
    files::write(path, record::to_lines(&windows).as_bytes())?;
    Ok(windows)
}

fn append(path: &Path, windows: &[Window]) -> Result<(), Error> {
    let mut file = fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .map_err(Error::io("open", path))?;
    file.write_all(record::to_lines(windows).as_bytes())
        .and_then(|()| file.sync_data())
        .map_err(Error::io("write", path))
}

/// The verdicts, with what became of cases that a variant could not run or that time ran out for.
fn finish(
    mut assessments: Vec<Assessment>,
    open: &BTreeMap<String, usize>,
    refused: &BTreeMap<String, (Variant, String)>,
) -> Vec<Assessment> {
    for assessment in &mut assessments {
        if let Some((variant, message)) = refused.get(&assessment.case) {
            let word = if *variant == Variant::Head { "head" } else { "base" };
            console::warning(&format!("{}: {word} cannot run it: {message}", assessment.case));
            assessment.verdict = Verdict::NotMeasured;
            assessment.settle = None;
            assessment.note = Some(format!("{word} cannot run it: {message}"));
        } else if open.contains_key(&assessment.case) {
            let note = assessment
                .note
                .take()
                .map(|note| format!("; {note}"))
                .unwrap_or_default();
            assessment.note = Some(format!("the time was up{note}"));
        }
    }
    assessments
}
