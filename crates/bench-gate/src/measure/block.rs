//! One block: fresh processes, one of each variant, measured case by case.

use std::{
    collections::{BTreeMap, BTreeSet, btree_map::Entry as Place},
    path::PathBuf,
    time::Duration,
};

use bench_recorder::wire;

use super::{Comparison, Entry, Group, order::rounds};
use crate::{
    Error,
    binding::Binding,
    gpu::Gpus,
    interrupt,
    process::{self, Refusal, Serving, Start},
    progress::Progress,
    record::{Variant, Window},
};

/// Time of a window, at least; long calls get more.
const WINDOW: Duration = Duration::from_millis(8);
/// Calls per window, if they take no longer than [`MAX_WINDOW`].
const CALLS: f64 = 5.0;
const MAX_WINDOW: Duration = Duration::from_millis(60);
/// Windows of each variant in a block. Processes differ more than the windows of one do, so that more
/// blocks tell more than more windows.
const ROUNDS: usize = 2;
/// Samples of a window at the most.
const MAX_SAMPLES: u64 = 2_000;
/// Samples are at least this long: clocks of virtual machines tick every 10 ns.
const SAMPLE_NS: f64 = 10_000.0;

/// What blocks leave behind for the next.
pub(super) struct State<'a> {
    /// Cases that a variant cannot run, and why.
    pub(super) refused: BTreeMap<String, (Variant, String)>,
    times: process::Times,
    gpus: Gpus,
    progress: &'a Progress,
}

impl<'a> State<'a> {
    pub(super) fn new(progress: &'a Progress) -> Self {
        Self {
            refused: BTreeMap::new(),
            times: process::Times::default(),
            gpus: Gpus::find(),
            progress,
        }
    }

    /// Cases that the head could not run though the base could.
    pub(super) fn failed(&self) -> BTreeSet<String> {
        let of_head = self
            .refused
            .iter()
            .filter(|(_, (variant, _))| *variant == Variant::Head);
        of_head.map(|(case, _)| case.clone()).collect()
    }

    /// Whether an answer is one; a case that is refused is not asked for again.
    fn accept<T>(
        &mut self,
        block: &Block<'_>,
        case: &str,
        variant: Variant,
        answer: Result<T, Refusal>,
    ) -> Result<Option<T>, Error> {
        let message = match answer {
            Ok(answer) => return Ok(Some(answer)),
            Err(Refusal::Case(message)) => message,
            // An interruption ends programs as well.
            Err(Refusal::Program(error)) if !interrupt::is_noted() => error.to_string(),
            Err(Refusal::Program(error) | Refusal::Tool(error)) => return Err(block.blame(variant, &error)),
        };
        // What the base cannot run either is not the head's fault, whichever was asked first.
        if variant != Variant::Head || !self.refused.contains_key(case) {
            self.refused.insert(case.to_owned(), (variant, message));
        }
        Ok(None)
    }
}

/// A block to be measured.
pub(super) struct Block<'a> {
    pub(super) comparison: &'a Comparison<'a>,
    pub(super) number: u64,
    /// The core drawn for it.
    pub(super) core: Option<u32>,
    pub(super) cases: &'a BTreeSet<&'a str>,
}

impl Block<'_> {
    pub(super) fn measure(&self, state: &mut State<'_>) -> Result<Vec<Window>, Error> {
        // The order depends on seed and block alone, so that a comparison goes on as it would have.
        let seed = self.comparison.seed;
        let mut random = fastrand::Rng::with_seed(seed.wrapping_add(self.number.wrapping_mul(0x9E37_79B9_7F4A_7C15)));
        let mut groups: Vec<&Group<'_>> = self.comparison.groups.iter().collect();
        random.shuffle(&mut groups);
        let mut windows = Vec::new();
        for group in groups {
            let mut cases: Vec<&Entry> = group.cases.iter().filter(|c| self.cases.contains(&*c.name)).collect();
            random.shuffle(&mut cases);
            windows.extend(if group.serving {
                self.serve(group, &cases, &mut random, state)?
            } else {
                self.criterion(group, &cases, &mut random, state)?
            });
        }
        Ok(windows)
    }

    /// Has the processes of all variants serve windows in turn.
    fn serve(
        &self,
        group: &Group<'_>,
        cases: &[&Entry],
        random: &mut fastrand::Rng,
        state: &mut State<'_>,
    ) -> Result<Vec<Window>, Error> {
        let mut order = Variant::ALL;
        random.shuffle(&mut order);
        let mut processes: BTreeMap<Variant, Serving> = BTreeMap::new();
        let mut windows: Vec<Window> = Vec::new();
        for case in cases {
            state.progress.begin(&case.name);
            let mut cold: BTreeMap<Variant, wire::Prepared> = BTreeMap::new();
            for variant in order {
                // All of them at first, later those that went with a case.
                let process = match processes.entry(variant) {
                    Place::Occupied(place) => place.into_mut(),
                    Place::Vacant(place) => {
                        let folder = self.folder(variant);
                        let process = Serving::start(&self.start(group, variant, &folder));
                        place.insert(process.map_err(|error| self.blame(variant, &error))?)
                    }
                };
                let answer = process.prepare(&case.ids[variant.program()]);
                if matches!(answer, Err(Refusal::Program(_))) {
                    processes.remove(&variant);
                }
                cold.extend(
                    state
                        .accept(self, &case.name, variant, answer)?
                        .map(|prepared| (variant, prepared)),
                );
            }
            if state.refused.contains_key(&case.name) {
                continue;
            }
            let call_ns = cold
                .values()
                .map(|prepared| prepared.call_ns)
                .fold(f64::INFINITY, f64::min);
            let time = Duration::from_nanos((CALLS * call_ns) as u64).clamp(WINDOW, MAX_WINDOW);
            let request = |variant: Variant| wire::Measure {
                case: case.ids[variant.program()].clone(),
                time_ns: time.as_nanos() as u64,
                batch: (SAMPLE_NS / call_ns).ceil().clamp(1.0, 1000.0) as u64,
                max_samples: MAX_SAMPLES,
                core: self.core.filter(|_| group.binding == Binding::Caller),
            };
            // Nothing is computed between turns, so that they follow each other closely.
            let mut turns = Vec::with_capacity(ROUNDS * Variant::ALL.len());
            for (round, order) in (1..).zip(rounds(Variant::ALL.len(), ROUNDS, random)) {
                for variant in order.into_iter().map(|index| Variant::ALL[index]) {
                    // Whether the base can run what the head cannot is known after the first round.
                    let is_over = round > 1 && state.refused.contains_key(&case.name);
                    let Some(process) = processes.get_mut(&variant).filter(|_| !is_over) else {
                        continue;
                    };
                    let answer = process.measure(request(variant));
                    if matches!(answer, Err(Refusal::Program(_))) {
                        processes.remove(&variant);
                    }
                    if let Some(window) = state.accept(self, &case.name, variant, answer)? {
                        turns.push((round, variant, window, state.gpus.clocks()));
                    }
                }
            }
            for (round, variant, measured, gpus) in turns {
                let prepared = cold.remove(&variant);
                windows.push(Window {
                    core: self.core_of(group),
                    gpus,
                    threads: prepared.as_ref().and_then(|prepared| prepared.threads),
                    cold_ns: prepared.map(|prepared| prepared.cold_ns).unwrap_or_default(),
                    ..Window::new(&case.name, self.number, round, variant, measured)
                });
            }
        }
        Ok(windows)
    }

    /// Measures every case in a criterion process of each variant.
    fn criterion(
        &self,
        group: &Group<'_>,
        cases: &[&Entry],
        random: &mut fastrand::Rng,
        state: &mut State<'_>,
    ) -> Result<Vec<Window>, Error> {
        let mut windows = Vec::new();
        for case in cases {
            state.progress.begin(&case.name);
            let mut order = Variant::ALL;
            random.shuffle(&mut order);
            // Once more from the start, if a program turns out to take times in whole seconds only:
            // windows of other lengths are not compared with these.
            for _ in 0..2 {
                windows.retain(|window: &Window| window.case != case.name);
                let times = state.times;
                for variant in order {
                    let folder = self.folder(variant);
                    let start = self.start(group, variant, &folder);
                    let answer = process::window(&start, &case.ids[variant.program()], &mut state.times);
                    if let Some(measured) = state.accept(self, &case.name, variant, answer)? {
                        windows.push(Window {
                            core: self.core_of(group),
                            gpus: state.gpus.clocks(),
                            ..Window::new(&case.name, self.number, 1, variant, measured)
                        });
                    }
                }
                if state.times == times {
                    break;
                }
            }
        }
        Ok(windows)
    }

    fn core_of(&self, group: &Group<'_>) -> Option<u32> {
        self.core.filter(|_| group.binding != Binding::Free)
    }

    fn folder(&self, variant: Variant) -> PathBuf {
        self.comparison.folder.join("raw").join(variant.word())
    }

    fn start<'b>(&'b self, group: &'b Group<'_>, variant: Variant, folder: &'b PathBuf) -> Start<'b> {
        // The calling thread of a program that does not serve cannot be told from its others.
        let as_whole = group.binding == Binding::Process || (group.binding == Binding::Caller && !group.serving);
        Start {
            command: group.commands[variant.program()],
            core: self.core.filter(|_| as_whole),
            folder,
            patience: self.comparison.patience,
        }
    }

    /// Says which of both revisions an error is about.
    fn blame(&self, variant: Variant, error: &Error) -> Error {
        let word = if variant == Variant::Head { "head" } else { "base" };
        Error::Failed(format!(
            "{word} {}: {error}",
            self.comparison.revisions[variant.program()]
        ))
    }
}
