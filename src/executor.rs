//! One interface to the CPU and to every GPU backend.

use std::time::Duration;

use crate::{
    adapter::{ADAPTER_NAME_ENV, Adapter, AdapterInfo},
    backend::Backend,
    counters::Counters,
    error::Error,
    gpu::Gpu,
    op::Task,
};

/// Settings of an executor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// How long to wait for a dispatch before giving up with [`Error::Timeout`].
    pub timeout: Duration,
    /// Largest input or output of one dispatch; longer tasks run as several. The adapter's limits hold in any case.
    pub chunk_bytes: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(60),
            // Three times this per chunk on the device and as much in staging, with two chunks in flight.
            chunk_bytes: 64 << 20,
        }
    }
}

/// Runs tasks on one adapter.
///
/// It is `Send + Sync` with every backend: calls from several threads run at the same time on Vulkan, DX12 and Metal,
/// each with buffers of its own, and one after the other on GLES, whose context belongs to one thread at a time.
///
/// The first calls of an operator and size create its pipeline and buffers; later ones reuse them.
#[derive(Debug)]
pub struct Executor {
    adapter: AdapterInfo,
    /// Absent on [`Backend::Cpu`].
    gpu: Option<Gpu>,
}

impl Executor {
    /// An executor on the best adapter of `backend`, or the one that `WGPU_ADAPTER_NAME` names.
    ///
    /// # Errors
    /// [`Error::BackendNotBuilt`], [`Error::NoAdapter`], [`Error::AdapterNotFound`], and those of
    /// [`Executor::on`].
    pub fn new(backend: Backend) -> Result<Self, Error> {
        let name = std::env::var(ADAPTER_NAME_ENV).ok();
        let adapter = Adapter::pick(backend, name.as_deref())?;
        Self::on(&adapter, Options::default())
    }

    /// An executor on a given adapter.
    ///
    /// # Errors
    /// [`Error::AdapterUnusable`], and [`Error::Driver`] if the adapter gives no device.
    pub fn on(adapter: &Adapter, options: Options) -> Result<Self, Error> {
        Ok(Self {
            adapter: adapter.info().clone(),
            gpu: match adapter.handle() {
                None => None,
                Some(handle) => Some(Gpu::new(adapter.info(), handle, adapter.exclusive(), options)?),
            },
        })
    }

    /// The backend it runs on.
    #[must_use]
    pub fn backend(&self) -> Backend {
        self.adapter.backend
    }

    /// The adapter it runs on.
    #[must_use]
    pub fn adapter(&self) -> &AdapterInfo {
        &self.adapter
    }

    /// Runs one task and returns its output, of shape `[elements]`. An empty task gives an empty output.
    ///
    /// # Errors
    /// [`Error::LengthMismatch`], [`Error::OutOfMemory`]; on a GPU also [`Error::DeviceLost`], [`Error::Timeout`] and
    /// [`Error::Driver`].
    pub fn run<T: Task>(&self, task: &T) -> Result<Vec<T::Item>, Error> {
        match &self.gpu {
            None => run_on_cpu(task, task.elements()?),
            Some(gpu) => {
                let mut outputs = gpu.run(std::slice::from_ref(task))?;
                Ok(outputs.swap_remove(0))
            }
        }
    }

    /// Runs tasks, of the same or of different sizes, and returns their outputs in the order of the tasks.
    ///
    /// On a GPU they are one dispatch where the adapter's limits and [`Options::chunk_bytes`] allow it. Nothing runs
    /// if any of the tasks is wrong.
    ///
    /// # Errors
    /// Those of [`Executor::run`]; a length mismatch names the task.
    pub fn run_batch<T: Task>(&self, tasks: &[T]) -> Result<Vec<Vec<T::Item>>, Error> {
        match &self.gpu {
            None => {
                let lengths = elements(tasks)?;
                tasks.iter().zip(lengths).map(|(task, n)| run_on_cpu(task, n)).collect()
            }
            Some(gpu) => gpu.run(tasks),
        }
    }

    /// Calls into wgpu since the executor was made; all zero on [`Backend::Cpu`].
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.gpu.as_ref().map(Gpu::counters).unwrap_or_default()
    }

    /// Destroys the device, as a driver reset would, so that a program can test what it does then.
    /// Every later call returns [`Error::DeviceLost`]. Nothing happens on [`Backend::Cpu`].
    pub fn lose_device(&self) {
        if let Some(gpu) = &self.gpu {
            gpu.lose_device();
        }
    }
}

/// The number of elements of each task.
pub(crate) fn elements<T: Task>(tasks: &[T]) -> Result<Vec<usize>, Error> {
    let number = |(index, task): (usize, &T)| {
        task.elements().map_err(|error| match error {
            Error::LengthMismatch {
                operator, left, right, ..
            } => Error::LengthMismatch {
                operator,
                task: index,
                left,
                right,
            },
            other => other,
        })
    };
    tasks.iter().enumerate().map(number).collect()
}

/// The output of a task of `n` elements, computed here.
fn run_on_cpu<T: Task>(task: &T, n: usize) -> Result<Vec<T::Item>, Error> {
    let mut output = reserve(n)?;
    task.run_on_cpu(&mut output);
    Ok(output)
}

/// An empty vector with room for `n` items.
pub(crate) fn reserve<I>(n: usize) -> Result<Vec<I>, Error> {
    let mut items = Vec::new();
    items.try_reserve_exact(n).map_err(|_| Error::OutOfMemory {
        adapter: "host".to_owned(),
        bytes: (n as u64).saturating_mul(size_of::<I>() as u64),
    })?;
    Ok(items)
}

/// Several threads may share an executor, whatever its backend.
const _: () = {
    const fn is_send_and_sync<T: Send + Sync>() {}
    is_send_and_sync::<Executor>();
};
