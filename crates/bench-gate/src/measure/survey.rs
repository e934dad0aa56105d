//! One program measured alone: every case in so many fresh processes, each for some time, spread over
//! the life of its process so that none falls into one state of the machine.

use std::{
    collections::BTreeMap,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use bench_recorder::wire::{Measure, Window};

use crate::{
    Error,
    binding::{self, Binding},
    gpu::Gpus,
    process::{Refusal, Serving, Start},
    progress::Progress,
    record::Clock,
};

/// Windows of each case in a process.
const ROUNDS: u32 = 4;

/// Cases that share processes.
pub struct Group<'a> {
    /// Ids.
    pub cases: Vec<String>,
    /// Makes the command, without arguments.
    pub command: &'a dyn Fn() -> Command,
    /// What is bound to the core of a run.
    pub binding: Binding,
}

/// How a program is measured.
pub struct Survey<'a> {
    /// The cases, by the processes they share.
    pub groups: &'a [Group<'a>],
    /// Numbers of the runs: a run is one process of each group.
    pub runs: std::ops::RangeInclusive<u64>,
    /// How long each case is measured in a process.
    pub time: Duration,
    /// Samples of a case in a process at the most.
    pub max_samples: u64,
    /// Of the cores.
    pub seed: u64,
    /// Folder for what the processes write.
    pub folder: &'a Path,
    /// How long a program may say nothing.
    pub patience: Duration,
    /// No process begins after this.
    pub deadline: Option<Instant>,
}

/// A case in one process.
#[derive(Clone, Debug)]
pub struct Visit {
    /// The case's id.
    pub case: String,
    /// The run.
    pub run: u64,
    /// The core of its process, or of its calling thread.
    pub core: Option<u32>,
    /// What the cold start took, part by part, in nanoseconds.
    pub cold_ns: BTreeMap<String, u64>,
    /// Every call, window by window.
    pub windows: Vec<Window>,
    /// Clocks after each window.
    pub clocks: Vec<Clock>,
}

impl Survey<'_> {
    /// Measures every case.
    ///
    /// # Errors
    /// [`Error::Failed`] for a case that cannot be measured or a program that crashes or hangs, with the
    /// case: a wrong result is one.
    pub fn run(&self) -> Result<Vec<Visit>, Error> {
        let cases: usize = self.groups.iter().map(|group| group.cases.len()).sum();
        let progress = Progress::new(cases, (self.runs.end() + 1).saturating_sub(*self.runs.start()));
        let (cores, gpus) = (binding::cores(), Gpus::find());
        let mut visits = Vec::new();
        for run in self.runs.clone() {
            let core = binding::drawn(&cores, self.seed, run - 1);
            for group in self.groups {
                if self.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                    return Ok(visits);
                }
                visits.extend(self.process(group, run, core, &gpus, &progress)?);
            }
        }
        Ok(visits)
    }

    fn process(
        &self,
        group: &Group<'_>,
        run: u64,
        core: Option<u32>,
        gpus: &Gpus,
        progress: &Progress,
    ) -> Result<Vec<Visit>, Error> {
        let core = core.filter(|_| group.binding != Binding::Free);
        let mut serving = Serving::start(&Start {
            command: group.command,
            core: core.filter(|_| group.binding == Binding::Process),
            folder: &self.folder.join(run.to_string()),
            patience: self.patience,
        })?;
        let mut visits = Vec::new();
        let mut call_ns = Vec::new();
        for case in &group.cases {
            progress.begin(case);
            progress.line(case);
            let prepared = serving.prepare(case).map_err(|refusal| failed(case, refusal))?;
            call_ns.push(prepared.call_ns);
            let mut visit = Visit {
                case: case.clone(),
                run,
                core,
                cold_ns: prepared.cold_ns,
                windows: Vec::new(),
                clocks: Vec::new(),
            };
            // One window while the caches are warm from the check; the others come later.
            self.window(&mut serving, &mut visit, group.binding, prepared.call_ns, gpus)?;
            visits.push(visit);
        }
        for _ in 1..ROUNDS {
            for (visit, &call_ns) in visits.iter_mut().zip(&call_ns) {
                // A call that takes longer than its share is not made again and again.
                let spent: f64 = visit.windows.iter().flat_map(|window| &window.samples_ns).sum();
                if spent < self.time.as_nanos() as f64 {
                    self.window(&mut serving, visit, group.binding, call_ns, gpus)?;
                }
            }
        }
        Ok(visits)
    }

    fn window(
        &self,
        serving: &mut Serving,
        visit: &mut Visit,
        binding: Binding,
        call_ns: f64,
        gpus: &Gpus,
    ) -> Result<(), Error> {
        let share = u64::from(ROUNDS);
        let measure = Measure {
            case: visit.case.clone(),
            time_ns: (self.time / ROUNDS).as_nanos() as u64,
            // Calls shorter than ten ticks of a virtual machine's clock are measured by tens.
            batch: if call_ns < 100.0 { 10 } else { 1 },
            max_samples: self.max_samples.div_ceil(share),
            core: visit.core.filter(|_| binding == Binding::Caller),
        };
        let window = serving
            .measure(measure)
            .map_err(|refusal| failed(&visit.case, refusal))?;
        if let Some(first) = visit.windows.first()
            && first.counters != window.counters
        {
            return Err(Error::Failed(format!(
                "{}: windows of one process differ in their counters: {:?} and {:?}",
                visit.case, first.counters, window.counters
            )));
        }
        visit.windows.push(window);
        visit.clocks.extend(gpus.clocks());
        Ok(())
    }
}

fn failed(case: &str, refusal: Refusal) -> Error {
    match refusal {
        Refusal::Case(message) => Error::Failed(format!("{case}: {message}")),
        Refusal::Program(error) | Refusal::Tool(error) => error,
    }
}
