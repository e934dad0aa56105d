//! Records the wall time of every call, and what it cost in calls into wgpu.

use std::{
    cell::{Ref, RefCell},
    path::Path,
    time::{Duration, Instant},
};

use gpu_executor::{AdapterInfo, Backend, Counters, Executor, Phases, workload::Workload};
use serde::Serialize;

use crate::{calibration::Calibration, cases::Case};

/// How long calls are made that do not count, to make caches warm again after the calibration kernel.
const REWARM: Duration = Duration::from_millis(2);

/// One call of criterion's closure.
struct Batch {
    walls_ns: Vec<u64>,
    counters: Counters,
    /// Time of the calibration kernel just before.
    calibration_ns: u64,
    /// Phases of calls made after it, that are no part of it: timing costs time.
    phases: Vec<Phases>,
}

/// What was measured of one case.
pub(crate) struct Recorder {
    batches: RefCell<Vec<Batch>>,
    error: RefCell<Option<String>>,
    /// Absent where criterion measures for itself alone.
    calibration: Option<RefCell<Calibration>>,
    warm: Instant,
    pause: Duration,
}

/// A recorded case, as `cargo xtask bench` reads it.
#[derive(Serialize)]
struct Record<'a> {
    schema: u32,
    op: &'a str,
    backend: Backend,
    size: usize,
    tasks: usize,
    /// Criterion's full id of the case.
    id: String,
    adapter: &'a AdapterInfo,
    /// Time of the calibration kernel between the samples of this case, in the middle one of them.
    calibration_ns: u64,
    /// Counters of each call.
    counters: Counters,
    /// Wall time of every call, by criterion sample.
    samples_ns: Vec<Vec<u64>>,
    /// Phases of calls made between the samples.
    phases_ns: PhasesNs,
}

/// Times of the phases, call by call; empty where a phase was not measured.
#[derive(Default, Serialize)]
struct PhasesNs {
    upload: Vec<u64>,
    queue: Vec<u64>,
    device: Vec<u64>,
    readback: Vec<u64>,
}

impl PhasesNs {
    fn new(batches: &[Batch]) -> Self {
        let nanos = |time: Duration| u64::try_from(time.as_nanos()).expect("a call takes less than 500 years");
        let mut all = Self::default();
        for phases in batches.iter().flat_map(|batch| &batch.phases) {
            all.upload.push(nanos(phases.upload));
            all.queue.push(nanos(phases.queue));
            all.device.extend(phases.device.map(nanos));
            all.readback.push(nanos(phases.readback));
        }
        all
    }
}

impl Recorder {
    /// A recorder that lets `pause` pass before each sample once `warm_up` is over, calibrates and times phases; or one for criterion's own reports,
    /// which does none of it.
    pub(crate) fn new(is_recording: bool, warm_up: Duration, pause: Duration) -> Self {
        Self {
            batches: RefCell::default(),
            error: RefCell::default(),
            calibration: is_recording.then(|| RefCell::new(Calibration::new())),
            warm: Instant::now() + warm_up,
            pause,
        }
    }

    /// Runs the workload `iterations` times and returns the sum of the calls' wall times.
    pub(crate) fn sample(&self, iterations: u64, executor: &Executor, workload: &dyn Workload) -> Duration {
        let mut walls_ns = Vec::with_capacity(usize::try_from(iterations).unwrap_or_default());
        let mut calibration_ns = 0;
        if let Some(calibration) = &self.calibration {
            if Instant::now() >= self.warm {
                Self::spend(self.pause, executor, workload);
            }
            calibration_ns = calibration.borrow_mut().time_ns();
            Self::spend(REWARM, executor, workload);
        }
        let before = executor.counters();
        for _ in 0..iterations {
            match workload.run(executor) {
                Ok(wall) => walls_ns.push(u64::try_from(wall.as_nanos()).expect("a call takes less than 500 years")),
                // Criterion has no way to fail; the caller asks for the error afterwards.
                Err(error) => {
                    self.error.borrow_mut().get_or_insert(error.to_string());
                    return Duration::from_nanos(1);
                }
            }
        }
        let counters = (executor.counters() - before).exact();
        let total = Duration::from_nanos(walls_ns.iter().sum());
        let phases = match self.phases(executor, workload) {
            Ok(phases) => phases,
            Err(error) => {
                self.error.borrow_mut().get_or_insert(error.to_string());
                return Duration::from_nanos(1);
            }
        };
        self.batches.borrow_mut().push(Batch {
            walls_ns,
            counters,
            calibration_ns,
            phases,
        });
        total
    }

    /// The phases of a few calls, if anybody records them. The first makes what times them.
    fn phases(&self, executor: &Executor, workload: &dyn Workload) -> Result<Vec<Phases>, gpu_executor::Error> {
        const CALLS: usize = 3;
        if self.calibration.is_none() {
            return Ok(Vec::new());
        }
        workload.run_timed(executor)?;
        let phases = (0..CALLS).map(|_| workload.run_timed(executor));
        phases.filter_map(Result::transpose).collect()
    }

    /// Lets time pass with calls that do not count: core and caches stay as they are.
    fn spend(time: Duration, executor: &Executor, workload: &dyn Workload) {
        let start = Instant::now();
        while start.elapsed() < time && workload.run(executor).is_ok() {}
    }

    /// The first error of a call.
    pub(crate) fn error(&self) -> Option<String> {
        self.error.borrow().clone()
    }

    /// Writes the case into `folder`, unless criterion's filter left it out.
    ///
    /// Criterion warms up through the same closure, so only the last `samples` batches are measurements.
    pub(crate) fn write(
        &self,
        folder: &Path,
        samples: usize,
        executor: &Executor,
        op: &str,
        case: Case,
    ) -> Result<(), String> {
        let batches = self.batches.borrow();
        if batches.is_empty() {
            return Ok(());
        }
        let warm_up = batches
            .len()
            .checked_sub(samples)
            .ok_or("criterion measured fewer samples than asked for")?;
        let measured = Ref::map(batches, |all| &all[warm_up..]);
        let backend = executor.backend();
        let record = Record {
            schema: 1,
            op,
            backend,
            size: case.size,
            tasks: case.tasks,
            id: format!("{op}/{backend}/{case}"),
            adapter: executor.adapter(),
            calibration_ns: median_calibration_ns(&measured),
            counters: per_call(&measured)?,
            samples_ns: measured.iter().map(|batch| batch.walls_ns.clone()).collect(),
            phases_ns: PhasesNs::new(&measured),
        };
        let name = format!("{op}-{backend}-{case}.json");
        let part = folder.join(format!("{name}.part"));
        let json = serde_json::to_vec(&record).map_err(|error| error.to_string())?;
        std::fs::write(&part, json)
            .and_then(|()| std::fs::rename(&part, folder.join(name)))
            .map_err(|error| format!("cannot write {}: {error}", part.display()))
    }
}

/// The calibration kernel's median time: it tells of company that was there half of the time. A kernel of microseconds finds a
/// quiet moment even where calls of milliseconds find none, so that its fastest times tell nothing of theirs.
fn median_calibration_ns(batches: &[Batch]) -> u64 {
    let mut times_ns: Vec<u64> = batches.iter().map(|batch| batch.calibration_ns).collect();
    times_ns.sort_unstable();
    times_ns[times_ns.len() / 2]
}

/// The counters of one call, which must be the same for all of them.
fn per_call(batches: &[Batch]) -> Result<Counters, String> {
    let mut per_call = None;
    for batch in batches {
        let calls = batch.walls_ns.len() as u64;
        let this = batch.counters.per_call(calls);
        if this.is_none() || *per_call.get_or_insert(this) != this {
            return Err(format!(
                "calls of one case differ in what they cost: {calls} calls counted {:?}, others {per_call:?} each",
                batch.counters
            ));
        }
    }
    per_call.flatten().ok_or_else(|| "no call was measured".to_owned())
}
