//! Records the wall time of every call, and what it cost in calls into wgpu.

use std::{
    cell::{Cell, Ref, RefCell},
    path::Path,
    time::{Duration, Instant},
};

use gpu_executor::{AdapterInfo, Backend, Counters, Error, Executor, Phases, testkit::Workload};
use serde::Serialize;

use crate::{calibration, cases::Case, serve::SLICE};

/// One call of criterion's closure.
struct Batch {
    walls_ns: Vec<u64>,
    slices: Vec<Slice>,
    counters: Counters,
    /// Phases of calls made after it, that are no part of it: timing costs time.
    phases: Vec<Phases>,
}

/// Calls between two runs of the calibration kernel.
#[derive(Clone, Copy, Serialize)]
struct Slice {
    calls: usize,
    /// The slower of the two.
    calibration_ns: u64,
}

/// Knows when somebody else uses the core, for all cases of a process.
pub(crate) struct Watch {
    fastest_ns: Cell<u64>,
}

impl Watch {
    pub(crate) fn new() -> Self {
        Self {
            fastest_ns: Cell::new(u64::MAX),
        }
    }

    /// Runs the calibration kernel.
    fn look(&self) -> u64 {
        let now_ns = calibration::time_ns();
        self.fastest_ns.set(self.fastest_ns.get().min(now_ns));
        now_ns
    }

    fn is_quiet(&self, calibration_ns: u64) -> bool {
        calibration_ns as f64 <= calibration::MOST_DISTURBANCE * self.fastest_ns.get() as f64
    }
}

/// What was measured of one case.
pub(crate) struct Recorder<'a> {
    batches: RefCell<Vec<Batch>>,
    error: RefCell<Option<String>>,
    /// Absent where criterion measures for itself alone.
    watch: Option<&'a Watch>,
    warm: Instant,
    pause: Duration,
    /// How long the samples of this case may still wait for a quiet moment.
    patience: Cell<Duration>,
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
    /// Counters of each call.
    counters: Counters,
    /// Wall time of every call, by criterion sample.
    samples_ns: Vec<Vec<u64>>,
    /// Which of them were made between two runs of the calibration kernel, and how long that took, by criterion sample.
    slices: Vec<&'a [Slice]>,
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

impl<'a> Recorder<'a> {
    /// A recorder that lets `pause` pass before each sample once `warm_up` is over, waits for quiet moments for as long as `patience` in all, and
    /// times phases; or, without somebody who watches, one for criterion's own reports, which does none of it.
    pub(crate) fn new(watch: Option<&'a Watch>, warm_up: Duration, pause: Duration, patience: Duration) -> Self {
        Self {
            batches: RefCell::default(),
            error: RefCell::default(),
            watch,
            warm: Instant::now() + warm_up,
            pause,
            patience: Cell::new(patience),
        }
    }

    /// Runs the workload `iterations` times and returns the sum of the calls' wall times.
    pub(crate) fn sample(&self, iterations: u64, executor: &Executor, workload: &dyn Workload) -> Duration {
        match self.batch(iterations, executor, workload) {
            Ok(batch) => {
                let total = Duration::from_nanos(batch.walls_ns.iter().sum());
                self.batches.borrow_mut().push(batch);
                total
            }
            // Criterion has no way to fail; the caller asks for the error afterwards.
            Err(error) => {
                self.error.borrow_mut().get_or_insert(error.to_string());
                Duration::from_nanos(1)
            }
        }
    }

    fn batch(&self, iterations: u64, executor: &Executor, workload: &dyn Workload) -> Result<Batch, Error> {
        if Instant::now() >= self.warm {
            self.wait(executor, workload)?;
        }
        let mut walls_ns = Vec::with_capacity(usize::try_from(iterations).unwrap_or_default());
        let mut slices = Vec::new();
        let before = executor.counters();
        let mut calibration_ns = self.watch.map_or(0, Watch::look);
        let mut slice = (Instant::now(), 0);
        for call in 1..=iterations {
            let wall = workload.run(executor)?;
            walls_ns.push(u64::try_from(wall.as_nanos()).expect("a call takes less than 500 years"));
            let (start, calls) = (slice.0, slice.1 + 1);
            slice.1 = calls;
            if let Some(watch) = self.watch
                && (call == iterations || start.elapsed() >= SLICE)
            {
                let after_ns = watch.look();
                slices.push(Slice {
                    calls,
                    calibration_ns: calibration_ns.max(after_ns),
                });
                calibration_ns = after_ns;
                slice = (Instant::now(), 0);
            }
        }
        Ok(Batch {
            walls_ns,
            slices,
            counters: (executor.counters() - before).exact(),
            phases: self.phases(executor, workload)?,
        })
    }

    /// Lets the pause before a sample pass, and what is left of the patience until nobody else uses the core. Calls that do not count keep
    /// core and caches as they are meanwhile.
    fn wait(&self, executor: &Executor, workload: &dyn Workload) -> Result<(), Error> {
        let Some(watch) = self.watch else {
            return Ok(());
        };
        let spend = |time: Duration| {
            let start = Instant::now();
            while start.elapsed() < time {
                workload.run(executor)?;
            }
            Ok::<Duration, Error>(start.elapsed())
        };
        spend(self.pause)?;
        while !watch.is_quiet(watch.look()) && !self.patience.get().is_zero() {
            let spent = spend(SLICE)?;
            self.patience.set(self.patience.get().saturating_sub(spent));
        }
        Ok(())
    }

    /// The phases of a few calls, if anybody records them. The first makes what times them.
    fn phases(&self, executor: &Executor, workload: &dyn Workload) -> Result<Vec<Phases>, Error> {
        const CALLS: usize = 3;
        if self.watch.is_none() {
            return Ok(Vec::new());
        }
        workload.run_timed(executor)?;
        let phases = (0..CALLS).map(|_| workload.run_timed(executor));
        phases.filter_map(Result::transpose).collect()
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
            schema: 2,
            op,
            backend,
            size: case.size,
            tasks: case.tasks,
            id: format!("{op}/{backend}/{case}"),
            adapter: executor.adapter(),
            counters: per_call(&measured)?,
            samples_ns: measured.iter().map(|batch| batch.walls_ns.clone()).collect(),
            slices: measured.iter().map(|batch| batch.slices.as_slice()).collect(),
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
