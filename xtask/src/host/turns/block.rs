//! One block: fresh processes, one of each arm, measured case by case.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    path::{Path, PathBuf},
    time::Duration,
};

use super::Turns;
use crate::{
    ab::recording::{Arm, Window, fastest_tenth},
    error::Error,
    host::{
        arm::{self, Refusal, Serving, Start},
        interrupt,
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
/// Windows of each arm in a block. Processes differ more than the windows of one do, so that more blocks tell more than more windows.
const ROUNDS: usize = 2;
/// More windows for an arm that was left alone in none of them, which costs less than another block.
const MORE_ROUNDS: usize = 4;
/// Samples are at least this long: clocks of virtual machines tick every 10 ns.
const SAMPLE_NS: f64 = 10_000.0;

/// What blocks leave behind for the next.
pub(super) struct State<'a> {
    /// Times of the calibration kernel so far, in the program of the base and in that of the head.
    pub(super) calibrations: [Vec<f64>; 2],
    /// Cases that an arm cannot run, and why.
    pub(super) refused: BTreeMap<String, (Arm, String)>,
    /// Whether a criterion program was met that takes times in whole seconds only.
    whole_seconds: bool,
    progress: &'a Progress,
}

impl<'a> State<'a> {
    pub(super) fn new(progress: &'a Progress) -> Self {
        Self {
            calibrations: [Vec::new(), Vec::new()],
            refused: BTreeMap::new(),
            whole_seconds: false,
            progress,
        }
    }

    /// Whether an answer is one; a case that is refused is not asked for again.
    fn accept<T>(
        &mut self,
        block: &Block<'_>,
        case: &str,
        arm: Arm,
        answer: Result<T, Refusal>,
    ) -> Result<Option<T>, Error> {
        let message = match answer {
            Ok(answer) => return Ok(Some(answer)),
            Err(Refusal::Case(message)) => message,
            // An interruption ends programs as well.
            Err(Refusal::Program(error)) if !interrupt::is_noted() => error.to_string(),
            Err(Refusal::Program(error) | Refusal::Tool(error)) => return Err(block.blame(arm, &error)),
        };
        // What the base cannot run either is not the head's fault, whichever was asked first.
        if arm != Arm::Head || !self.refused.contains_key(case) {
            self.refused.insert(case.to_owned(), (arm, message));
        }
        Ok(None)
    }
}

/// A block to be measured.
pub(super) struct Block<'a> {
    pub(super) turns: &'a Turns<'a>,
    pub(super) number: u64,
    pub(super) cases: &'a [String],
}

impl Block<'_> {
    pub(super) fn measure(&self, state: &mut State<'_>) -> Result<Vec<Window>, Error> {
        let plan = self.turns.plan;
        // The order depends on seed and block alone, so that a comparison goes on as it would have.
        let mut random = SplitMix64(plan.seed.wrapping_add(self.number.wrapping_mul(0x9E37_79B9_7F4A_7C15)));
        let mut groups: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for case in self.cases {
            // Cases of one backend share processes, or what processes are told, where ids say which that is.
            let group = case.split('/').nth(1).unwrap_or_default();
            groups.entry(group).or_default().push(case);
        }
        let mut groups: Vec<(&str, Vec<&str>)> = groups.into_iter().collect();
        random.shuffle(&mut groups);
        let mut windows = Vec::new();
        for (group, mut cases) in groups {
            random.shuffle(&mut cases);
            windows.extend(if plan.serving {
                self.serve(group, &cases, &mut random, state)?
            } else {
                self.criterion(group, &cases, &mut random, state)?
            });
        }
        Ok(windows)
    }

    /// Has the processes of all arms serve windows in turn.
    fn serve(
        &self,
        group: &str,
        cases: &[&str],
        random: &mut SplitMix64,
        state: &mut State<'_>,
    ) -> Result<Vec<Window>, Error> {
        let bound = self.is_bound(group);
        let mut order = Arm::ALL;
        random.shuffle(&mut order);
        let mut processes: BTreeMap<Arm, Serving> = BTreeMap::new();
        let mut windows = Vec::new();
        for case in cases {
            // All of them at first, later those that went with a case.
            for arm in order {
                if let Entry::Vacant(place) = processes.entry(arm) {
                    let folder = self.folder(arm);
                    let process = Serving::start(&self.start(arm, group, bound, &folder))
                        .map_err(|error| self.blame(arm, &error))?;
                    place.insert(process);
                }
            }
            state.progress.begin(case);
            let mut call_ns = f64::INFINITY;
            for arm in order {
                let process = processes.get_mut(&arm).expect("every arm has a process");
                let answer = process.prepare(case);
                if matches!(answer, Err(Refusal::Program(_))) {
                    processes.remove(&arm);
                }
                let Some(prepared) = state.accept(self, case, arm, answer)? else {
                    continue;
                };
                state.calibrations[arm.program()].push(prepared.calibration_ns);
                call_ns = call_ns.min(prepared.call_ns);
            }
            if state.refused.contains_key(*case) {
                continue;
            }
            let keep = Duration::from_nanos((CALLS * call_ns) as u64).clamp(KEEP, MOST_KEEP);
            let batch = (SAMPLE_NS / call_ns).ceil().clamp(1.0, 1000.0) as u64;
            // Nothing is computed between turns, so that they follow each other closely.
            let mut turns = Vec::with_capacity((ROUNDS + MORE_ROUNDS) * Arm::ALL.len());
            let mut is_done = BTreeMap::from(Arm::ALL.map(|arm| (arm, false)));
            let orders = schedule::rounds(Arm::ALL.len(), ROUNDS + MORE_ROUNDS, random);
            for (round, order) in orders.into_iter().enumerate() {
                if state.refused.contains_key(*case) {
                    break;
                }
                for arm in order.into_iter().map(|index| Arm::ALL[index]) {
                    // Decided by the calibration kernel, without a look at the calls.
                    if round >= ROUNDS && is_done[&arm] {
                        continue;
                    }
                    let limit_ns = MOST_DISTURBANCE * fastest_tenth(&state.calibrations[arm.program()]);
                    let process = processes
                        .get_mut(&arm)
                        .expect("a round ends the case of one that is gone");
                    let answer = process.measure(case, keep, batch, limit_ns);
                    if matches!(answer, Err(Refusal::Program(_))) {
                        processes.remove(&arm);
                    }
                    if let Some(measured) = state.accept(self, case, arm, answer)? {
                        is_done.insert(arm, is_done[&arm] || !measured.samples_ns.is_empty());
                        turns.push((round as u64 + 1, arm, measured));
                    }
                }
            }
            for (round, arm, measured) in turns {
                let window = measured.window(case, self.number, round, arm);
                state.calibrations[arm.program()].push(window.calibration_ns);
                windows.push(window);
            }
        }
        Ok(windows)
    }

    /// Measures every case in a criterion process of each arm, and in more of those that had company.
    fn criterion(
        &self,
        group: &str,
        cases: &[&str],
        random: &mut SplitMix64,
        state: &mut State<'_>,
    ) -> Result<Vec<Window>, Error> {
        let bound = self.is_bound(group);
        let mut windows = Vec::new();
        for case in cases {
            state.progress.begin(case);
            let mut is_done = BTreeMap::from(Arm::ALL.map(|arm| (arm, false)));
            let orders = schedule::rounds(Arm::ALL.len(), 1 + MORE_ROUNDS, random);
            for (round, order) in (1..).zip(orders) {
                for arm in order.into_iter().map(|index| Arm::ALL[index]) {
                    // All are asked once, so that it is known whose fault it is.
                    if is_done[&arm] || (round > 1 && state.refused.contains_key(*case)) {
                        continue;
                    }
                    let folder = self.folder(arm);
                    let knew = state.whole_seconds;
                    let answer =
                        arm::criterion(&self.start(arm, group, bound, &folder), case, &mut state.whole_seconds);
                    if state.whole_seconds != knew {
                        // Windows of other lengths are not compared with these.
                        windows.retain(|window: &Window| window.case != **case);
                        is_done = BTreeMap::from(Arm::ALL.map(|arm| (arm, false)));
                    }
                    if let Some(measured) = state.accept(self, case, arm, answer)? {
                        let window = measured.window(case, self.number, round, arm);
                        let calibrations_ns = &mut state.calibrations[arm.program()];
                        calibrations_ns.push(window.calibration_ns);
                        is_done.insert(
                            arm,
                            window.calibration_ns <= MOST_DISTURBANCE * fastest_tenth(calibrations_ns),
                        );
                        windows.push(window);
                    }
                }
            }
        }
        Ok(windows)
    }

    fn is_bound(&self, group: &str) -> bool {
        self.turns.plan.bound && (self.turns.is_software)(group)
    }

    fn folder(&self, arm: Arm) -> PathBuf {
        self.turns.folder.join("raw").join(format!("{arm:?}").to_lowercase())
    }

    fn start<'b>(&'b self, arm: Arm, backend: &str, bound: bool, folder: &'b Path) -> Start<'b> {
        let (side, environment) = match arm {
            Arm::Head => (&self.turns.plan.head, self.turns.environment[1]),
            Arm::Base | Arm::Again => (&self.turns.plan.base, self.turns.environment[0]),
        };
        Start {
            program: &side.program,
            environment,
            tuning: self.turns.plan.tuning.get(backend).map(String::as_str),
            bound,
            folder,
            patience: self.turns.patience,
        }
    }

    /// Says which of both revisions an error is about.
    fn blame(&self, arm: Arm, error: &Error) -> Error {
        let (word, side) = match arm {
            Arm::Head => ("head", &self.turns.plan.head),
            Arm::Base | Arm::Again => ("base", &self.turns.plan.base),
        };
        Error::Failed(format!("{word} {}: {error}", side.revision))
    }
}
