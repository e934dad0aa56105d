//! Has the arms of a comparison take turns: a block is one fresh process of each arm, of which one is active at a time, case by case.

use std::{
    collections::BTreeMap,
    fs,
    io::Write as _,
    path::Path,
    time::{Duration, Instant},
};

use crate::{
    ab::{
        judge::{Judgement, judge},
        recording::{self, Arm, Window, fastest_tenth},
        report::Plan,
    },
    error::Error,
    host::{
        arm::{self, Refusal, Serving, Start},
        console,
        progress::Progress,
    },
    screen::MOST_DISTURBANCE,
    stat::{random::SplitMix64, schedule},
};

/// Quiet calls collected per window, at least; long calls get more.
const KEEP: Duration = Duration::from_millis(8);
/// Calls per window, if that takes no longer than [`MOST_KEEP`].
const CALLS: f64 = 5.0;
const MOST_KEEP: Duration = Duration::from_millis(60);
/// Windows of each arm in a block; processes differ more than windows do.
const ROUNDS: usize = 2;
/// Samples are at least this long: clocks of virtual machines tick every 10 ns.
const SAMPLE_NS: f64 = 10_000.0;
/// Blocks tried per block needed, where the machine is hardly ever quiet.
const MOST_TRIES: f64 = 1.6;

/// A comparison that is being measured.
pub(crate) struct Turns<'a> {
    pub(crate) plan: &'a Plan,
    /// Environment of the programs of base and head.
    pub(crate) environment: [&'a BTreeMap<String, String>; 2],
    /// Whether the processes of a backend are bound to a core.
    pub(crate) is_bound: &'a dyn Fn(&str) -> bool,
    /// Folder of the comparison.
    pub(crate) folder: &'a Path,
    pub(crate) deadline: Option<Instant>,
    /// Whether somebody asked to stop.
    pub(crate) is_interrupted: &'a dyn Fn() -> bool,
}

/// What came of a comparison.
pub(crate) struct Outcome {
    pub(crate) judgement: Judgement,
    pub(crate) windows: Vec<Window>,
    /// Cases that an arm could not run, and why.
    pub(crate) refused: BTreeMap<String, (Arm, String)>,
    pub(crate) timed_out: bool,
}

impl Turns<'_> {
    /// Measures until every case is judged, the last look is taken, or time is up. Blocks that are there already count.
    pub(crate) fn run(&self) -> Result<Outcome, Error> {
        let path = self.folder.join("windows.jsonl");
        let mut windows = if path.exists() {
            let text = fs::read_to_string(&path).map_err(Error::io("read", &path))?;
            let windows = recording::from_lines(&path, &text)?;
            // What was cut off must not stay in front of what is appended.
            crate::files::write(&path, recording::to_lines(&windows).as_bytes())?;
            windows
        } else {
            Vec::new()
        };
        let progress = Progress::new(self.plan.cases.len(), crate::stat::looks::LAST.blocks as u64);
        let mut refused = BTreeMap::new();
        let mut block = windows.iter().map(|window| window.block).max().unwrap_or_default();
        let mut tries: BTreeMap<String, usize> = BTreeMap::new();
        let mut timed_out = false;
        loop {
            let judgement = judge(&self.plan.cases, &windows);
            let due: Vec<&String> = judgement
                .open
                .iter()
                .filter(|(case, blocks)| {
                    let most = (**blocks as f64 * MOST_TRIES) as usize;
                    !refused.contains_key(*case) && tries.get(*case).is_none_or(|tries| *tries < most)
                })
                .map(|(case, _)| case)
                .collect();
            timed_out |= !due.is_empty() && self.deadline.is_some_and(|deadline| Instant::now() >= deadline);
            if due.is_empty() || timed_out {
                return Ok(Outcome {
                    judgement,
                    windows,
                    refused,
                    timed_out,
                });
            }
            block += 1;
            for case in &due {
                *tries.entry((*case).clone()).or_default() += 1;
            }
            let calibrations: Vec<f64> = windows.iter().map(|window| window.calibration_ns).collect();
            let measured = self.block(block, &due, calibrations, &mut refused, &progress)?;
            self.append(&path, &measured)?;
            windows.extend(measured);
        }
    }

    fn append(&self, path: &Path, windows: &[Window]) -> Result<(), Error> {
        let mut file = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)
            .map_err(Error::io("open", path))?;
        file.write_all(recording::to_lines(windows).as_bytes())
            .and_then(|()| file.sync_data())
            .map_err(Error::io("write", path))
    }

    fn block(
        &self,
        block: u64,
        cases: &[&String],
        mut calibrations: Vec<f64>,
        refused: &mut BTreeMap<String, (Arm, String)>,
        progress: &Progress,
    ) -> Result<Vec<Window>, Error> {
        // The order depends on seed and block alone, so that a comparison goes on as it would have.
        let mut random = SplitMix64(self.plan.seed.wrapping_add(block.wrapping_mul(0x9E37_79B9_7F4A_7C15)));
        let mut groups: BTreeMap<&str, Vec<&String>> = BTreeMap::new();
        for case in cases {
            groups.entry(group(case, self.plan.serving)).or_default().push(case);
        }
        let mut groups: Vec<(&str, Vec<&String>)> = groups.into_iter().collect();
        random.shuffle(&mut groups);
        let mut windows = Vec::new();
        for (name, mut cases) in groups {
            random.shuffle(&mut cases);
            let bound = self.plan.bound && (self.is_bound)(name);
            let measured = if self.plan.serving {
                self.serve(block, &cases, bound, &mut random, &mut calibrations, refused, progress)
            } else {
                self.criterion(block, &cases, bound, &mut random, refused, progress)
            };
            if (self.is_interrupted)() {
                return Err(Error::Failed(format!(
                    "interrupted; `cargo xtask ab --resume {}` goes on",
                    self.folder.display()
                )));
            }
            windows.extend(measured?);
        }
        Ok(windows)
    }

    fn start<'b>(&'b self, arm: Arm, bound: bool, folder: &'b Path) -> Start<'b> {
        let (side, environment) = match arm {
            Arm::Head => (&self.plan.head, self.environment[1]),
            Arm::Base | Arm::Again => (&self.plan.base, self.environment[0]),
        };
        Start {
            program: &side.program,
            environment,
            bound,
            folder,
        }
    }

    /// Which of both revisions an error is about.
    fn blame(&self, arm: Arm, error: Error) -> Error {
        let (word, side) = match arm {
            Arm::Head => ("head", &self.plan.head),
            Arm::Base | Arm::Again => ("base", &self.plan.base),
        };
        Error::Failed(format!("{word} {}: {error}", side.revision))
    }

    fn serve(
        &self,
        block: u64,
        cases: &[&String],
        bound: bool,
        random: &mut SplitMix64,
        calibrations: &mut Vec<f64>,
        refused: &mut BTreeMap<String, (Arm, String)>,
        progress: &Progress,
    ) -> Result<Vec<Window>, Error> {
        let mut order = Arm::ALL;
        random.shuffle(&mut order);
        let folders = Arm::ALL.map(|arm| self.folder.join("raw").join(format!("{arm:?}").to_lowercase()));
        let mut processes = BTreeMap::new();
        for arm in order {
            let start = self.start(arm, bound, &folders[arm as usize]);
            let process = Serving::start(&start).map_err(|error| self.blame(arm, error))?;
            processes.insert(arm, process);
        }
        let mut calls_ns: BTreeMap<&String, f64> = BTreeMap::new();
        'cases: for &case in cases {
            progress.begin(case);
            for arm in order {
                match processes.get_mut(&arm).expect("every arm has a process").prepare(case) {
                    Ok(prepared) => {
                        calibrations.push(prepared.calibration_ns);
                        let call_ns = calls_ns.entry(case).or_insert(f64::INFINITY);
                        *call_ns = call_ns.min(prepared.call_ns);
                    }
                    Err(Refusal::Case(message)) => {
                        refused.insert(case.clone(), (arm, message));
                        calls_ns.remove(case);
                        continue 'cases;
                    }
                    Err(Refusal::Program(error)) => return Err(self.blame(arm, error)),
                }
            }
        }
        let mut windows = Vec::new();
        for (case, call_ns) in calls_ns {
            let keep = Duration::from_nanos((CALLS * call_ns) as u64).clamp(KEEP, MOST_KEEP);
            let batch = (SAMPLE_NS / call_ns).ceil().clamp(1.0, 1000.0) as u64;
            for (round, order) in (1..).zip(schedule::rounds(Arm::ALL.len(), ROUNDS, random)) {
                for arm in order.into_iter().map(|index| Arm::ALL[index]) {
                    let limit_ns = MOST_DISTURBANCE * fastest_tenth(calibrations);
                    let process = processes.get_mut(&arm).expect("every arm has a process");
                    match process.measure(case, keep, batch, limit_ns) {
                        Ok(measured) => {
                            let window = measured.window(case, block, round, arm);
                            calibrations.push(window.calibration_ns);
                            windows.push(window);
                        }
                        Err(Refusal::Case(message)) => {
                            refused.insert(case.clone(), (arm, message));
                        }
                        Err(Refusal::Program(error)) => return Err(self.blame(arm, error)),
                    }
                }
            }
        }
        Ok(windows)
    }

    fn criterion(
        &self,
        block: u64,
        cases: &[&String],
        bound: bool,
        random: &mut SplitMix64,
        refused: &mut BTreeMap<String, (Arm, String)>,
        progress: &Progress,
    ) -> Result<Vec<Window>, Error> {
        let folder = self.folder.join("raw").join("criterion");
        let mut windows = Vec::new();
        for &case in cases {
            progress.begin(case);
            let mut order = Arm::ALL;
            random.shuffle(&mut order);
            for arm in order {
                match arm::criterion(&self.start(arm, bound, &folder), case) {
                    Ok(measured) => windows.push(measured.window(case, block, 1, arm)),
                    Err(Refusal::Case(message)) => {
                        refused.insert(case.clone(), (arm, message));
                    }
                    Err(Refusal::Program(error)) => return Err(self.blame(arm, error)),
                }
            }
        }
        Ok(windows)
    }
}

/// Cases that share processes: those of one backend, where ids say which.
fn group(case: &str, serving: bool) -> &str {
    if serving {
        case.split('/').nth(1).unwrap_or_default()
    } else {
        ""
    }
}

/// Says what refused cases are, once all is measured.
pub(crate) fn warn_of_refused(refused: &BTreeMap<String, (Arm, String)>) {
    for (case, (arm, message)) in refused {
        let arm = if *arm == Arm::Head { "head" } else { "base" };
        console::warning(&format!("{case}: {arm} cannot run it: {message}"));
    }
}
