//! Runs each task on the device that is the fastest for its operator and size.

mod cache;
mod calibrate;
mod decide;
mod device;
mod feedback;
mod learned;
mod operators;
mod probe;
mod route;
mod table;
mod tables;
mod times;

use std::{
    sync::{
        Mutex,
        atomic::{AtomicU8, Ordering},
    },
    time::{Duration, Instant},
};

use cache::{Cache, Fingerprint};
use decide::Decision;
use device::Device;
use feedback::Feedback;
use operators::{Operator, Operators};
use route::Directive;
pub use route::{Reason, Route, Routed};
pub use table::{DecidedBy, Table, Threshold};
pub use times::{Curve, DeviceTimes};

use crate::{
    adapter::{Adapter, AdapterChoice, AdapterInfo, AdapterKind},
    backend::Backend,
    env::ROUTE_ENV,
    error::Error,
    executor::{Executor, FlatBatch},
    options::Options,
    store::Store,
    task::{Load, Task},
};

/// Settings of a router. By the default tables are not stored, and the environment is not read.
///
/// ```
/// use std::time::Duration;
/// use gpu_executor::{Hybrid, HybridOptions, VectorAdd};
///
/// let hybrid = Hybrid::on(&[], HybridOptions::default().budget(Duration::from_millis(100)))?;
/// assert_eq!(hybrid.run(&VectorAdd { a: &[1.0], b: &[2.0] })?.output, [3.0]);
/// # Ok::<(), gpu_executor::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HybridOptions {
    /// Settings of the executors it makes. Tables are stored in the same folder as theirs.
    pub executor: Options,
    /// Where all tasks run, whatever is measured. `None`: where they are the fastest, or where
    /// [`ROUTE_ENV`] says if that is read.
    pub force: Option<Backend>,
    /// How long calibrations may take in all: opening the devices, and measuring every operator on
    /// them. 2 s by default.
    pub budget: Duration,
    /// Whether the environment says which adapters there are, and where tasks run.
    reads_env: bool,
}

impl Default for HybridOptions {
    fn default() -> Self {
        Self {
            executor: Options::default(),
            force: None,
            budget: Duration::from_secs(2),
            reads_env: false,
        }
    }
}

impl HybridOptions {
    /// The default settings, and what the environment says: [`Backend::selected`] and
    /// [`AdapterChoice::from_env`] choose the devices, [`Options::from_env`] how they are used and
    /// where tables are stored, and [`ROUTE_ENV`] where tasks run.
    ///
    /// # Errors
    /// [`Error::BadTuning`].
    pub fn from_env() -> Result<Self, Error> {
        Ok(Self {
            executor: Options::from_env()?,
            reads_env: true,
            ..Self::default()
        })
    }

    /// Sets [`executor`](field@Self::executor).
    #[must_use]
    pub fn executor(mut self, options: Options) -> Self {
        self.executor = options;
        self
    }

    /// Sets [`force`](field@Self::force).
    #[must_use]
    pub fn force(mut self, backend: Backend) -> Self {
        self.force = Some(backend);
        self
    }

    /// Sets [`budget`](field@Self::budget).
    #[must_use]
    pub fn budget(mut self, budget: Duration) -> Self {
        self.budget = budget;
        self
    }
}

/// Runs tasks of any operator on the CPU or a GPU, whichever is faster for that operator and size.
///
/// Operators are measured on every device when the first task of each is run, and the result is
/// kept in [`Options::cache_dir`]. A GPU that fails is not used again until [`Hybrid::rebuild`];
/// what it was to compute, the CPU does.
///
/// ```
/// use gpu_executor::{Backend, Hybrid, HybridOptions, VectorAdd};
///
/// let hybrid = Hybrid::new(HybridOptions::default().force(Backend::Cpu))?;
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
    operators: Operators,
    feedback: Feedback,
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
    /// A router over the CPU and the adapter of each backend in this build that an [`Executor`]
    /// would be made on. Adapters that compute on the CPU are left out where there is a GPU.
    /// [`HybridOptions::from_env`] has the environment choose among them.
    ///
    /// # Errors
    /// Those of [`Hybrid::on`]; where the environment is read also those of [`Backend::selected`]
    /// and [`AdapterChoice::from_env`], and [`Error::AdapterNotFound`] if no backend has the
    /// adapter asked for.
    pub fn new(options: HybridOptions) -> Result<Self, Error> {
        let (backends, choice) = if options.reads_env {
            (Backend::selected()?, AdapterChoice::from_env()?)
        } else {
            (Backend::built(), AdapterChoice::default())
        };
        let gpus = backends.into_iter().filter(|&backend| backend != Backend::Cpu);
        let mut misnamed = None;
        let mut adapters: Vec<Adapter> = gpus
            .filter_map(|backend| match choice.pick(backend) {
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
    /// [`Error::AdapterUnusable`]; [`Error::BadRoute`] for what [`ROUTE_ENV`] says, where that is
    /// read; [`Error::NotRouted`] if a device is forced that is not among these.
    pub fn on(adapters: &[Adapter], options: HybridOptions) -> Result<Self, Error> {
        let HybridOptions {
            executor: options,
            force,
            budget,
            reads_env,
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
        let directive = if reads_env {
            Directive::from_env()?
        } else {
            Directive::default()
        };
        let hybrid = Self {
            devices,
            cpu,
            operators: Operators::default(),
            feedback: Feedback::default(),
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
    /// Those of [`Executor::run`] on [`Backend::Cpu`]: what fails on a GPU is done again on the
    /// CPU.
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

    /// Runs tasks on one device, as [`Executor::run_batch`] does: on that which is the fastest for
    /// all of them together.
    ///
    /// # Errors
    /// Those of [`Hybrid::run`]; an error of a task names the task.
    pub fn run_batch<T: Task>(&self, tasks: &[T]) -> Result<Routed<Vec<Vec<T::Item>>>, Error> {
        self.routed::<T, _>(loads(tasks)?, |executor| executor.run_batch(tasks))
    }

    /// Runs tasks on one device, as [`Executor::run_batch_flat`] does.
    ///
    /// # Errors
    /// Those of [`Hybrid::run_batch`].
    pub fn run_batch_flat<T: Task>(&self, tasks: &[T]) -> Result<Routed<FlatBatch<T::Item>>, Error> {
        self.routed::<T, _>(loads(tasks)?, |executor| executor.run_batch_flat(tasks))
    }

    /// Where tasks of this load would run now, and why. Calibrates the operator if it is not yet.
    #[must_use]
    pub fn route<T: Task>(&self, load: Load) -> Route {
        let operator = self.operator::<T>();
        if self.is_small(operator, &load) {
            return Route::small(operator.identity.name, load);
        }
        self.decide(operator, load).route
    }

    /// The state of an operator.
    #[inline]
    fn operator<T: Task>(&self) -> &Operator {
        self.operators
            .get::<T>(|number| Operator::new::<T>(number, self.directive.of(T::KERNEL.name())))
    }

    #[inline]
    fn routed<T: Task, O>(
        &self,
        load: Load,
        mut work: impl FnMut(&Executor) -> Result<O, Error>,
    ) -> Result<Routed<O>, Error> {
        let operator = self.operator::<T>();
        if self.is_small(operator, &load) {
            return Ok(Routed {
                output: work(&self.cpu)?,
                route: Route::small(T::KERNEL.name(), load),
            });
        }
        self.routed_by_times(operator, load, work)
    }

    /// Apart from what small calls need, so that they need no more.
    #[inline(never)]
    fn routed_by_times<O>(
        &self,
        operator: &Operator,
        load: Load,
        mut work: impl FnMut(&Executor) -> Result<O, Error>,
    ) -> Result<Routed<O>, Error> {
        let Decision {
            mut route,
            competition,
            is_learning,
        } = self.decide(operator, load);
        if let Some(competition) = &competition {
            self.try_another(competition, &mut route);
        }
        let call = competition.as_ref().and_then(|competition| competition.call(&route));
        let begin = (call.is_some() || is_learning).then(Instant::now);
        let there = route.backend;
        let learn = || {
            if let (Some(call), Some(begin)) = (&call, begin) {
                self.feedback.learn(call, begin.elapsed());
            }
            if let (true, Some(begin)) = (is_learning, begin) {
                operator.learned().learn(there, &load, Some(begin.elapsed()));
            }
        };
        if route.backend == Backend::Cpu {
            let output = work(&self.cpu)?;
            learn();
            return Ok(Routed { output, route });
        }
        let device = self.device(route.backend)?;
        // A device that cannot be opened has failed, whatever the error is.
        let is_open = device.executor().is_ok();
        match device.run(&mut work) {
            Ok(output) => {
                learn();
                Ok(Routed { output, route })
            }
            Err(error) if !is_open || error.is_the_devices() => {
                log::warn!("{error}: {} runs on the CPU", route.operator);
                if let Some(competition) = &competition {
                    self.feedback.avoid(competition.kind, route.backend);
                }
                if is_learning {
                    operator.learned().learn(route.backend, &load, None);
                }
                route.reason = Reason::FellBack {
                    from: route.backend,
                    error,
                };
                route.backend = Backend::Cpu;
                let output = work(&self.cpu)?;
                Ok(Routed { output, route })
            }
            Err(error) => Err(error),
        }
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

    /// The executor on one of its devices, for work that is not routed: work in place, submitted
    /// tasks, calls of several operators.
    ///
    /// # Errors
    /// [`Error::NotRouted`], and what [`Executor::on`] returns; the error with which a device
    /// failed, if it is out of use.
    pub fn executor(&self, backend: Backend) -> Result<std::sync::Arc<Executor>, Error> {
        self.device(backend)?.executor()
    }

    /// The devices that failed, each with its error.
    #[must_use]
    pub fn failed(&self) -> Vec<(Backend, Error)> {
        let failed = |device: &Device| Some((device.backend(), device.failure()?));
        self.devices.iter().filter_map(failed).collect()
    }

    /// Makes a new executor for a device that failed, so that it is used again. If operators were
    /// measured without it, the next process measures them again.
    ///
    /// # Errors
    /// [`Error::NotRouted`], and what [`Executor::on`] returns: the device stays out of use.
    pub fn rebuild(&self, backend: Backend) -> Result<(), Error> {
        self.device(backend)?.rebuild()?;
        self.cache.forget(backend);
        Ok(())
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

fn load<T: Task>(task: &T) -> Result<Load, Error> {
    task.elements()?;
    Ok(task.load())
}

fn loads<T: Task>(tasks: &[T]) -> Result<Load, Error> {
    let samples = Load::MAX_SAMPLES / tasks.len().max(1);
    let load = |(index, task): (usize, &T)| {
        task.elements().map_err(|error| error.of_task(index))?;
        Ok(task.weighed(samples))
    };
    tasks.iter().enumerate().map(load).sum()
}

impl Drop for Hybrid {
    fn drop(&mut self) {
        let met: Vec<&str> = self.operators.iter().map(|operator| operator.identity.name).collect();
        for name in self.directive.names().filter(|name| !met.contains(name)) {
            log::info!("{ROUTE_ENV} names the operator `{name}`, of which this router had no task");
        }
    }
}

/// Several threads may share a router.
const _: () = {
    const fn is_send_and_sync<T: Send + Sync>() {}
    is_send_and_sync::<Hybrid>();
};

#[cfg(test)]
mod tests;
