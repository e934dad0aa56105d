//! Has the arms of a comparison take turns: a block is one fresh process of each arm, of which one is active at a time, case by case.

mod block;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::Write as _,
    path::Path,
    time::{Duration, Instant},
};

use block::{Block, State};

use crate::{
    ab::{
        compare,
        judge::{Judged, Judgement, judge},
        recording::{self, Arm, Window},
        report::Plan,
    },
    error::Error,
    files,
    host::{console, interrupt, progress::Progress},
    stat::looks::LAST,
    verdict::Verdict,
};

/// Blocks tried per block needed, where the machine is hardly ever quiet.
const MOST_TRIES: f64 = 2.0;

/// A comparison to be measured.
pub(crate) struct Turns<'a> {
    pub(crate) plan: &'a Plan,
    /// Environment of the programs of base and head.
    pub(crate) environment: [&'a BTreeMap<String, String>; 2],
    /// Whether the processes of a backend compute on the CPU, and are bound to a core where the plan says so.
    pub(crate) is_software: &'a dyn Fn(&str) -> bool,
    /// Folder of the comparison: what is there already is not measured again.
    pub(crate) folder: &'a Path,
    /// How long a program may say nothing.
    pub(crate) patience: Duration,
    /// What somebody who interrupts it is told besides.
    pub(crate) how_to_go_on: &'a str,
    /// No block begins after this.
    pub(crate) deadline: Option<Instant>,
}

/// How long a program may say nothing unless somebody says otherwise: a case is built in seconds.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// A finished comparison.
pub(crate) struct Finished {
    pub(crate) verdicts: Vec<Judged>,
    /// Cases that the head could not run though the base could.
    pub(crate) failed: BTreeSet<String>,
}

impl Turns<'_> {
    /// Measures until every case is judged, the last look is taken, or time is up.
    ///
    /// # Errors
    /// A program that is gone, hangs or talks nonsense, a file that cannot be written, an interruption. Blocks measured before stay.
    pub(crate) fn run(&self) -> Result<Finished, Error> {
        let path = self.folder.join("windows.jsonl");
        let mut windows = resume(&path)?;
        let progress = Progress::new(self.plan.cases.len(), LAST.blocks as u64);
        let mut state = State::new(&progress);
        let mut number = windows.iter().map(|window| window.block).max().unwrap_or_default();
        let mut tries: BTreeMap<String, usize> = BTreeMap::new();
        loop {
            let judgement = judge(&self.plan.cases, &windows);
            let is_due = |case: &String, blocks: usize| {
                let most = (blocks as f64 * MOST_TRIES) as usize;
                !state.refused.contains_key(case) && tries.get(case).is_none_or(|tries| *tries < most)
            };
            let open = judgement.open.iter();
            let due: Vec<String> = open
                .filter(|(case, blocks)| is_due(case, **blocks))
                .map(|(case, _)| case.clone())
                .collect();
            let timed_out = !due.is_empty() && self.deadline.is_some_and(|deadline| Instant::now() >= deadline);
            if due.is_empty() || timed_out {
                let raw = self.folder.join("raw");
                if raw.exists() {
                    fs::remove_dir_all(&raw).map_err(Error::io("remove", &raw))?;
                }
                return Ok(finish(judgement, &state.refused, timed_out));
            }
            number += 1;
            state.calibrations = [Vec::new(), Vec::new()];
            for window in &windows {
                state.calibrations[window.arm.program()].push(window.calibration_ns);
            }
            let measured = Block {
                turns: self,
                number,
                cases: &due,
            }
            .measure(&mut state);
            if interrupt::is_noted() {
                return Err(Error::Failed(format!("interrupted{}", self.how_to_go_on)));
            }
            let mut measured = measured?;
            compare::settle(&windows, &mut measured);
            append(&path, &measured)?;
            windows.extend(measured);
            for case in due {
                *tries.entry(case).or_default() += 1;
            }
        }
    }
}

/// The windows that are there already.
fn resume(path: &Path) -> Result<Vec<Window>, Error> {
    if !path.exists() {
        return Ok(Vec::new());
    }
    let windows = recording::from_lines(path, &files::read(path)?)?;
    // What was cut off must not stay in front of what is appended.
    files::write(path, recording::to_lines(&windows).as_bytes())?;
    Ok(windows)
}

fn append(path: &Path, windows: &[Window]) -> Result<(), Error> {
    let mut file = fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .map_err(Error::io("open", path))?;
    file.write_all(recording::to_lines(windows).as_bytes())
        .and_then(|()| file.sync_data())
        .map_err(Error::io("write", path))
}

/// The verdicts, with what became of cases that an arm could not run or that time ran out for.
fn finish(judgement: Judgement, refused: &BTreeMap<String, (Arm, String)>, timed_out: bool) -> Finished {
    let mut verdicts = judgement.cases;
    for judged in &mut verdicts {
        if let Some((arm, message)) = refused.get(&judged.case) {
            let arm = if *arm == Arm::Head { "head" } else { "base" };
            console::warning(&format!("{}: {arm} cannot run it: {message}", judged.case));
            judged.verdict = Verdict::NotMeasured;
            judged.note = Some(format!("{arm} cannot run it: {message}"));
        } else if timed_out && judgement.open.contains_key(&judged.case) {
            let note = judged.note.take().map(|note| format!("; {note}")).unwrap_or_default();
            judged.note = Some(format!("the time was up{note}"));
        }
    }
    Finished {
        verdicts,
        failed: refused
            .iter()
            .filter(|(_, (arm, _))| *arm == Arm::Head)
            .map(|(case, _)| case.clone())
            .collect(),
    }
}
