//! Runs each task on the device that is the fastest for its operator and size.

mod cache;
mod calibrate;
mod device;
mod feedback;
mod probe;
mod route;
mod table;
mod times;

use std::{
    sync::{
        Mutex, OnceLock,
        atomic::{AtomicU8, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use cache::{Cache, Fingerprint};
use device::Device;
use feedback::{Feedback, Kind};
use route::Directive;
pub use route::{ROUTE_ENV, Reason, Route, Routed};
use table::Prediction;
pub use table::{DecidedBy, Table, Threshold};
pub use times::{Curve, DeviceTimes};

use crate::{
    adapter::{ADAPTER_NAME_ENV, Adapter, AdapterInfo, AdapterKind},
    backend::Backend,
    batch::Flat,
    error::Error,
    executor::Executor,
    op::{self, Load, Task},
    options::Options,
    store::Store,
};

/// Settings of a router.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HybridOptions {
    /// Settings of the executors it makes. Tables are stored in the same folder as theirs.
    pub executor: Options,
    /// Where all tasks run, whatever is measured. `None`: as [`ROUTE_ENV`] says, else where they are the fastest.
    pub force: Option<Backend>,
    /// How long calibrations may take in all: opening the devices, and measuring every operator on them.
    pub budget: Duration,
}

impl Default for HybridOptions {
    fn default() -> Self {
        Self {
            executor: Options::default(),
            force: None,
            budget: Duration::from_secs(2),
        }
    }
}

/// Runs tasks of any operator on the CPU or a GPU, whichever is faster for that operator and size.
///
/// Operators are measured on every device when the first task of each is run, and the result is kept in the user's cache
/// folder. A GPU that fails is not used again until [`Hybrid::rebuild`]; what it was to compute, the CPU does.
///
/// ```
/// use gpu_executor::{Backend, Hybrid, HybridOptions, VectorAdd};
///
/// let hybrid = Hybrid::new(HybridOptions { force: Some(Backend::Cpu), ..HybridOptions::default() })?;
/// let sum = hybrid.run(&VectorAdd { a: &[1.0, 2.0], b: &[10.0, 20.0] })?;
/// assert_eq!(sum.output, [11.0, 22.0]);
/// println!("{}", sum.route);
/// # Ok::<(), gpu_executor::Error>(())
/// ```
#[derive(Debug)]
pub struct Hybrid {
    /// The CPU first.
    devices: Vec<Device>,
    cpu: Executor,
    /// One for each operator in [`op::ALL`]; inside, `None` if there was no time to measure it.
    tables: [OnceLock<Option<Table>>; op::ALL.len()],
    /// For each operator what [`Table::small`] says, once it is known; 1 before that, so that nothing to do is nothing to decide. 0 where the
    /// environment decides.
    small: [AtomicU64; op::ALL.len()],
    feedback: Feedback,
    /// Operators whose kept thresholds the program did away with.
    cleared: [bool; op::ALL.len()],
    /// What the program forces: the place in [`Backend::ALL`], or [`NOT_FORCED`].
    forced: AtomicU8,
    directive: Directive,
    cache: Cache,
    budget: Duration,
    /// What was spent of the budget; locked while an operator is calibrated.
    spent: Mutex<Duration>,
}

const NOT_FORCED: u8 = u8::MAX;

impl Hybrid {
    /// A router over the CPU and the adapter of each backend in [`Backend::selected`] that an [`Executor`] would be made on.
    /// Adapters that compute on the CPU are left out where there is a GPU.
    ///
    /// # Errors
    /// Those of [`Backend::selected`] and [`Hybrid::on`]; [`Error::AdapterNotFound`] if no backend has the adapter that
    /// [`ADAPTER_NAME_ENV`] names.
    pub fn new(options: HybridOptions) -> Result<Self, Error> {
        let name = std::env::var(ADAPTER_NAME_ENV).ok();
        let gpus = Backend::selected()?
            .into_iter()
            .filter(|&backend| backend != Backend::Cpu);
        let mut misnamed = None;
        let mut adapters: Vec<Adapter> = gpus
            .filter_map(|backend| match Adapter::pick(backend, name.as_deref()) {
                Ok(adapter) => Some(adapter),
                Err(error) => {
                    log::debug!("{error}");
                    if matches!(error, Error::AdapterNotFound { .. }) {
                        misnamed = Some(error);
                    }
                    None
                }
            })
            .collect();
        // Some backends may not have the adapter that was named; that none has is a mistake.
        if let (Some(error), true) = (misnamed, adapters.is_empty()) {
            return Err(error);
        }
        adapters.retain(|adapter| {
            let info = adapter.info();
            if let Some(reason) = &info.unusable {
                log::debug!("{}: {} cannot be used: {reason}", info.backend, info.name);
            }
            info.unusable.is_none()
        });
        let is_gpu = |adapter: &Adapter| adapter.info().kind == AdapterKind::Hardware;
        if adapters.iter().any(is_gpu) {
            adapters.retain(is_gpu);
        }
        Self::on(&adapters, options)
    }

    /// A router over the CPU and given adapters: of each backend the first.
    ///
    /// # Errors
    /// [`Error::AdapterUnusable`]; [`Error::BadRoute`] for what [`ROUTE_ENV`] says; [`Error::NotRouted`] if a device is forced
    /// that is not among these.
    pub fn on(adapters: &[Adapter], options: HybridOptions) -> Result<Self, Error> {
        let HybridOptions {
            executor: options,
            force,
            budget,
        } = options;
        let cpu = Executor::on(&Adapter::cpu(), options.clone())?;
        let store = Store::new(options.cache_dir.as_deref());
        let mut devices = vec![Device::new(Adapter::cpu(), options.clone())];
        for adapter in adapters {
            if let Some(reason) = &adapter.info().unusable {
                return Err(Error::AdapterUnusable {
                    backend: adapter.info().backend,
                    adapter: adapter.info().name.clone(),
                    reason: reason.clone(),
                });
            }
            if devices.iter().all(|device| device.backend() != adapter.info().backend) {
                devices.push(Device::new(adapter.clone(), options.clone()));
            }
        }
        let infos = devices.iter().map(|device| device.info().clone()).collect();
        let cache = Cache::new(store, Fingerprint::of(infos, &options));
        let directive = Directive::from_env()?;
        let hybrid = Self {
            devices,
            cpu,
            tables: std::array::from_fn(|_| OnceLock::new()),
            small: std::array::from_fn(|operator| AtomicU64::new(u64::from(directive.of(operator).is_none()))),
            feedback: Feedback::default(),
            cleared: [false; op::ALL.len()],
            forced: AtomicU8::new(NOT_FORCED),
            directive,
            cache,
            budget,
            spent: Mutex::default(),
        };
        hybrid.force(force)?;
        if force.is_none() {
            for backend in hybrid.directive.backends() {
                hybrid.device(backend)?;
            }
        }
        Ok(hybrid)
    }

    /// Runs one task, as [`Executor::run`] does.
    ///
    /// # Errors
    /// Those of [`Executor::run`] on [`Backend::Cpu`]: what fails on a GPU is done again on the CPU.
    pub fn run<T: Task>(&self, task: &T) -> Result<Routed<Vec<T::Item>>, Error> {
        self.routed::<T, _>(load(task)?, |executor| executor.run(task))
    }

    /// Runs one task and writes its output to `output`, as [`Executor::run_into`] does.
    ///
    /// # Errors
    /// [`Error::OutputLength`], and those of [`Hybrid::run`].
    pub fn run_into<T: Task>(&self, task: &T, output: &mut [T::Item]) -> Result<Route, Error> {
        let routed = self.routed::<T, _>(load(task)?, |executor| executor.run_into(task, output))?;
        Ok(routed.route)
    }

    /// Runs tasks on one device, as [`Executor::run_batch`] does: on that which is the fastest for all of them together.
    ///
    /// # Errors
    /// Those of [`Hybrid::run`]; what is wrong with a task names it.
    pub fn run_batch<T: Task>(&self, tasks: &[T]) -> Result<Routed<Vec<Vec<T::Item>>>, Error> {
        self.routed::<T, _>(loads(tasks)?, |executor| executor.run_batch(tasks))
    }

    /// Runs tasks on one device, as [`Executor::run_batch_flat`] does.
    ///
    /// # Errors
    /// Those of [`Hybrid::run_batch`].
    pub fn run_batch_flat<T: Task>(&self, tasks: &[T]) -> Result<Routed<Flat<T::Item>>, Error> {
        self.routed::<T, _>(loads(tasks)?, |executor| executor.run_batch_flat(tasks))
    }

    /// Where tasks of this load would run now, and why. Calibrates the operator if it is not yet.
    #[must_use]
    pub fn route<T: Task>(&self, load: Load) -> Route {
        let operator = const { op::index_of(T::SPEC.operator) };
        if self.is_small(operator, &load) {
            return Route::small(op::ALL[operator].name, load);
        }
        self.route_of(operator, load).0
    }

    #[inline]
    fn routed<T: Task, O>(
        &self,
        load: Load,
        mut work: impl FnMut(&Executor) -> Result<O, Error>,
    ) -> Result<Routed<O>, Error> {
        let operator = const { op::index_of(T::SPEC.operator) };
        if self.is_small(operator, &load) {
            return Ok(Routed {
                output: work(&self.cpu)?,
                route: Route::small(T::SPEC.operator, load),
            });
        }
        self.routed_by_times(operator, load, work)
    }

    /// Apart from what small calls need, so that they need no more.
    #[inline(never)]
    fn routed_by_times<O>(
        &self,
        operator: usize,
        load: Load,
        mut work: impl FnMut(&Executor) -> Result<O, Error>,
    ) -> Result<Routed<O>, Error> {
        let (mut route, contest) = self.route_of(operator, load);
        if let Some(contest) = &contest {
            self.try_again(contest, &mut route);
        }
        let begin = contest.is_some().then(Instant::now);
        let learn = |route: &Route| {
            if let (Some(contest), Some(begin)) = (&contest, begin)
                && let ns @ 1.. = contest.calibrated_ns[route.backend as usize]
            {
                let calibrated = Duration::from_nanos(ns);
                self.feedback
                    .learn(contest.kind, route.backend, calibrated, begin.elapsed());
            }
        };
        if route.backend != Backend::Cpu {
            let device = self.device(route.backend)?;
            // A device that cannot be opened has failed, whatever the error is.
            let is_open = device.executor().is_ok();
            match device.run(&mut work) {
                Ok(output) => {
                    learn(&route);
                    return Ok(Routed { output, route });
                }
                Err(error) if !is_open || error.is_the_devices() => {
                    log::warn!("{error}: {} runs on the CPU", route.operator);
                    route.reason = Reason::FellBack {
                        from: route.backend,
                        error,
                    };
                    route.backend = Backend::Cpu;
                    let output = work(&self.cpu)?;
                    return Ok(Routed { output, route });
                }
                Err(error) => return Err(error),
            }
        }
        let output = work(&self.cpu)?;
        learn(&route);
        Ok(Routed { output, route })
    }

    /// Whether it is so little that the CPU is the fastest whatever it is: asked before anything else, as such calls take less
    /// time than to predict one.
    #[inline]
    fn is_small(&self, operator: usize, load: &Load) -> bool {
        load.work() < self.small[operator].load(Ordering::Relaxed) && self.forced.load(Ordering::Relaxed) == NOT_FORCED
    }

    /// Where tasks go by what is known, and whether devices compete for them.
    fn route_of(&self, operator: usize, load: Load) -> (Route, Option<Contest>) {
        let (wanted, reason) = match self.forced() {
            Some(backend) => (Some(backend), Reason::Forced),
            None => (self.directive.of(operator), Reason::ForcedByEnvironment),
        };
        let table = match wanted {
            // What is forced is not measured.
            Some(_) => self.tables[operator].get().and_then(Option::as_ref),
            None if self.devices.len() == 1 => None,
            None => self.table_of(operator),
        };
        let kind = Kind::of(operator, &load);
        let factor = |backend| self.feedback.factor(kind, backend);
        let prediction = table.map_or(Prediction::default(), |table| table.predict(&load, factor));
        let (backend, reason) = match (wanted, table) {
            (Some(backend), _) => (backend, reason),
            (None, None) if self.devices.len() == 1 => (Backend::Cpu, Reason::OnlyDevice),
            (None, None) => (Backend::Cpu, Reason::NotCalibrated),
            (None, Some(table)) => match table.threshold(&load).filter(|t| self.device(t.backend).is_ok()) {
                Some(threshold) => (threshold.backend, Reason::Threshold(threshold)),
                None => match prediction.fastest {
                    Some(backend) => (backend, Reason::Fastest),
                    None => (Backend::Cpu, Reason::NotCalibrated),
                },
            },
        };
        let is_contested = reason == Reason::Fastest && prediction.ns.iter().filter(|ns| **ns > 0).count() > 1;
        let contest = is_contested.then_some(Contest {
            kind,
            calibrated_ns: prediction.calibrated_ns,
        });
        let mut route = Route {
            operator: op::ALL[operator].name,
            load,
            backend,
            reason,
            predicted_ns: prediction.ns,
        };
        if !self.is_in_use(backend) {
            let others = |other| other != backend && self.is_in_use(other);
            let next = table
                .filter(|_| wanted.is_none())
                .and_then(|table| table.fastest(&load, others));
            route.reason = Reason::OutOfUse(backend);
            route.backend = next.unwrap_or(Backend::Cpu);
        }
        (route, contest)
    }

    /// Once in a while a device that calls pass by is tried: because they took longer there than calibration has it, or once, to see
    /// whether they take less.
    fn try_again(&self, contest: &Contest, route: &mut Route) {
        if route.reason != Reason::Fastest {
            return;
        }
        let best_ns = route.predicted_ns[route.backend as usize];
        for backend in self.devices.iter().map(Device::backend) {
            let [calibrated_ns, ns] = [contest.calibrated_ns, route.predicted_ns].map(|ns| ns[backend as usize]);
            if backend == route.backend || ns == 0 || !self.is_in_use(backend) {
                continue;
            }
            let excess = ns as f64 / best_ns as f64 - 1.0;
            if self
                .feedback
                .is_due(contest.kind, backend, excess, calibrated_ns < best_ns)
            {
                route.backend = backend;
                route.reason = Reason::Tried;
                return;
            }
        }
    }

    /// The operator's table: made, or read, on first use. `None` if there is none, or another thread is making one right now:
    /// to wait for it could be for ever, where a pool of threads has run out of those that it takes to finish.
    fn table_of(&self, operator: usize) -> Option<&Table> {
        let cell = &self.tables[operator];
        if let Some(table) = cell.get() {
            return table.as_ref();
        }
        let mut spent = match self.spent.try_lock() {
            Ok(spent) => spent,
            Err(std::sync::TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(std::sync::TryLockError::WouldBlock) => return None,
        };
        let table = cell.get_or_init(|| self.calibrate(operator, &mut spent)).as_ref();
        if let Some(table) = table {
            self.small[operator].store(self.small_of(operator, table), Ordering::Relaxed);
        }
        table
    }

    /// What is decided without a look at the table: nothing where the environment decides.
    fn small_of(&self, operator: usize, table: &Table) -> u64 {
        if self.directive.of(operator).is_none() {
            // Nothing at all is the CPU's in any case.
            table.small().max(1)
        } else {
            0
        }
    }

    /// What is known of an operator; it is calibrated if it is not yet. `None` if there is no GPU, no time left, or another
    /// thread is at it.
    #[must_use]
    pub fn table<T: Task>(&self) -> Option<&Table> {
        self.table_of(const { op::index_of(T::SPEC.operator) })
    }

    /// Sets from how many items on which device an operator uses, until the router is dropped; [`Hybrid::keep_tables`] stores
    /// it. No threshold at all: the measured times decide again.
    ///
    /// # Errors
    /// [`Error::BadRoute`] if no operator has the name; [`Error::NotRouted`] for a device that the router does not have.
    pub fn set_thresholds(&mut self, operator: &str, thresholds: Vec<Threshold>) -> Result<(), Error> {
        let index = route::operator(operator);
        let index = index.ok_or_else(|| Error::BadRoute {
            part: operator.to_owned(),
        })?;
        for threshold in &thresholds {
            self.device(threshold.backend)?;
        }
        let known = self.tables[index].take().flatten();
        let mut table = known.or_else(|| self.cache.table(operator)).unwrap_or(Table {
            decided_by: DecidedBy::Times,
            thresholds: Vec::new(),
            times: Vec::new(),
        });
        if thresholds.is_empty() {
            table = Table::measured(table.times);
        } else {
            table.decided_by = DecidedBy::Thresholds;
            table.thresholds = thresholds;
        }
        self.feedback = Feedback::default();
        // Without times and thresholds there is nothing to decide by: the next task calibrates.
        let is_sound = table.is_sound();
        let small = self.small_of(index, &table);
        self.cleared[index] = !is_sound;
        self.small[index] = AtomicU64::new(small);
        if is_sound {
            self.tables[index] = OnceLock::from(Some(table));
        }
        Ok(())
    }

    /// Stores the tables as they are.
    pub fn keep_tables(&self) {
        for ((operator, table), is_cleared) in op::ALL.iter().zip(&self.tables).zip(self.cleared) {
            match table.get() {
                Some(Some(table)) => self.cache.keep(operator.name, Some(table)),
                _ if is_cleared => self.cache.keep(operator.name, None),
                _ => {}
            }
        }
    }

    /// The file where tables are kept; `None` if nothing is.
    #[must_use]
    pub fn table_file(&self) -> Option<std::path::PathBuf> {
        self.cache.path()
    }

    /// Forces all later tasks to a device, or lets the environment and the tables decide again.
    ///
    /// # Errors
    /// [`Error::NotRouted`] if the router does not have it.
    pub fn force(&self, backend: Option<Backend>) -> Result<(), Error> {
        let forced = match backend {
            None => NOT_FORCED,
            Some(backend) => self.device(backend).map(|device| device.backend() as u8)?,
        };
        self.forced.store(forced, Ordering::Relaxed);
        Ok(())
    }

    fn forced(&self) -> Option<Backend> {
        Backend::ALL
            .get(usize::from(self.forced.load(Ordering::Relaxed)))
            .copied()
    }

    /// The adapters it routes to, the CPU first.
    pub fn adapters(&self) -> impl Iterator<Item = &AdapterInfo> {
        self.devices.iter().map(Device::info)
    }

    /// The executor on one of its devices, for what is not routed: work in place, submitted tasks, calls of several operators.
    ///
    /// # Errors
    /// [`Error::NotRouted`], and what [`Executor::on`] returns; the error with which a device failed, if it is out of use.
    pub fn executor(&self, backend: Backend) -> Result<std::sync::Arc<Executor>, Error> {
        self.device(backend)?.executor()
    }

    /// The devices that failed, each with its error.
    #[must_use]
    pub fn failed(&self) -> Vec<(Backend, Error)> {
        let failed = |device: &Device| Some((device.backend(), device.failure()?));
        self.devices.iter().filter_map(failed).collect()
    }

    /// Makes a new executor for a device that failed, so that it is used again.
    ///
    /// # Errors
    /// [`Error::NotRouted`], and what [`Executor::on`] returns: the device stays out of use.
    pub fn rebuild(&self, backend: Backend) -> Result<(), Error> {
        self.device(backend)?.rebuild()
    }

    fn device(&self, backend: Backend) -> Result<&Device, Error> {
        let device = self.devices.iter().find(|device| device.backend() == backend);
        device.ok_or_else(|| Error::NotRouted {
            backend,
            devices: self.devices.iter().map(Device::backend).collect(),
        })
    }

    fn is_in_use(&self, backend: Backend) -> bool {
        backend == Backend::Cpu || self.device(backend).is_ok_and(|device| !device.is_failed())
    }
}

/// Calls of a kind that devices compete for.
struct Contest {
    kind: Kind,
    /// What they take on each device by calibration alone; 0 where nothing is predicted.
    calibrated_ns: [u64; Backend::ALL.len()],
}

fn load<T: Task>(task: &T) -> Result<Load, Error> {
    task.elements()?;
    Ok(task.load())
}

fn loads<T: Task>(tasks: &[T]) -> Result<Load, Error> {
    let load = |(index, task)| load(task).map_err(|error| error.of_task(index));
    tasks.iter().enumerate().map(load).sum()
}

/// Several threads may share a router.
const _: () = {
    const fn is_send_and_sync<T: Send + Sync>() {}
    is_send_and_sync::<Hybrid>();
};
