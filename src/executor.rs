//! One interface to the CPU and to every GPU backend.

mod batch;
mod opening;

use std::{
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

pub use batch::{Call, FlatBatch, Outputs, Ticket};
pub use opening::Opening;

use crate::{
    adapter::{Adapter, AdapterChoice, AdapterInfo},
    backend::Backend,
    counters::Counters,
    error::Error,
    gpu::Gpu,
    in_place::InPlace,
    options::Options,
    own_device::{self, OwnDevice},
    pending::Pending,
    phases::Phases,
    resident::{Chain, DeviceBuffer, DeviceStrings, Place},
    task::{Appended, Batch, CheckError, Columns, Filled, Sample, Task, lengths, run_batch, run_on_cpu, run_one},
    tuning::Tuning,
};

/// Runs tasks on one adapter.
///
/// It is `Send + Sync` with every backend: calls from several threads run at the same time on
/// Vulkan, DX12 and Metal, each with buffers of its own, and one after the other on GLES, whose
/// context belongs to one thread at a time.
///
/// The first calls of an operator and size create its pipeline and buffers; later ones reuse them.
#[derive(Debug)]
pub struct Executor {
    adapter: AdapterInfo,
    /// Absent on [`Backend::Cpu`].
    gpu: Option<Arc<Gpu>>,
    /// No other has it, ever.
    number: u64,
}

/// A number for an executor.
fn next_number() -> u64 {
    static EXECUTORS: AtomicU64 = AtomicU64::new(0);
    EXECUTORS.fetch_add(1, Ordering::Relaxed)
}

impl Executor {
    /// An executor on the best adapter of `backend` with the default settings. Opening the device
    /// is all that it does: nothing is measured, no file is written, and no environment variable is
    /// read.
    ///
    /// ```
    /// use gpu_executor::{Backend, Executor};
    ///
    /// let executor = Executor::new(Backend::Cpu)?;
    /// # Ok::<(), gpu_executor::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::BackendNotBuilt`], [`Error::NoAdapter`], and those of [`Executor::on`].
    pub fn new(backend: Backend) -> Result<Self, Error> {
        Self::on(&Adapter::pick(backend)?, Options::default())
    }

    /// As [`Executor::new`], with what the environment says: [`AdapterChoice::from_env`] picks the
    /// adapter, and [`Options::from_env`] has tunings stored in the user's cache folder.
    ///
    /// ```
    /// use gpu_executor::{Backend, Executor};
    ///
    /// let executor = Executor::from_env(Backend::Cpu)?;
    /// # Ok::<(), gpu_executor::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::BadPciId`], [`Error::BadTuning`], [`Error::AdapterNotFound`], and those of
    /// [`Executor::new`].
    pub fn from_env(backend: Backend) -> Result<Self, Error> {
        Self::on(&AdapterChoice::from_env()?.pick(backend)?, Options::from_env()?)
    }

    /// An executor on a given adapter.
    ///
    /// ```
    /// use gpu_executor::{Adapter, Executor, Options};
    ///
    /// let executor = Executor::on(&Adapter::cpu(), Options::default())?;
    /// # Ok::<(), gpu_executor::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::AdapterUnusable`]; [`Error::BadTuning`]; [`Error::Driver`] if the adapter gives no
    /// device.
    #[expect(clippy::needless_pass_by_value, reason = "settings are made for one executor")]
    pub fn on(adapter: &Adapter, options: Options) -> Result<Self, Error> {
        Ok(Self {
            adapter: adapter.info().clone(),
            gpu: Gpu::open(adapter, &options)?.map(Arc::new),
            number: next_number(),
        })
    }

    /// As [`Executor::new`], without blocking the thread that awaits it: the driver is opened on a
    /// thread of its own.
    ///
    /// ```
    /// use gpu_executor::{Backend, Executor};
    ///
    /// let executor = pollster::block_on(Executor::new_async(Backend::Cpu))?;
    /// # Ok::<(), gpu_executor::Error>(())
    /// ```
    pub fn new_async(backend: Backend) -> Opening {
        Opening::new(move || Self::new(backend))
    }

    /// As [`Executor::from_env`], without blocking the thread that awaits it.
    ///
    /// ```
    /// use gpu_executor::{Backend, Executor};
    ///
    /// let executor = pollster::block_on(Executor::from_env_async(Backend::Cpu))?;
    /// # Ok::<(), gpu_executor::Error>(())
    /// ```
    pub fn from_env_async(backend: Backend) -> Opening {
        Opening::new(move || Self::from_env(backend))
    }

    /// As [`Executor::on`], without blocking the thread that awaits it.
    ///
    /// ```
    /// use gpu_executor::{Adapter, Executor, Options};
    ///
    /// let executor = pollster::block_on(Executor::on_async(&Adapter::cpu(), Options::default()))?;
    /// # Ok::<(), gpu_executor::Error>(())
    /// ```
    pub fn on_async(adapter: &Adapter, options: Options) -> Opening {
        let adapter = adapter.clone();
        Opening::new(move || Self::on(&adapter, options))
    }

    /// An executor over a device that the program has already; [`OwnDevice`] says how, with an
    /// example. Executor and program may use it at the same time, except on GLES, where one thread
    /// at a time may.
    ///
    /// What the executor makes use of, such as timestamps and 64-bit integers, it has only if the
    /// device was requested with it.
    ///
    /// # Errors
    /// [`Error::DeviceLacks`] names the features and limits that are missing; [`Error::BadTuning`].
    #[expect(clippy::needless_pass_by_value, reason = "settings are made for one executor")]
    pub fn over(own: OwnDevice, options: Options) -> Result<Self, Error> {
        let Some(adapter) = AdapterInfo::of_device(&own.device) else {
            return Err(Error::DeviceLacks {
                adapter: own.device.adapter_info().name,
                missing: vec!["a backend of this crate's".to_owned()],
            });
        };
        let gpu = Gpu::over(&adapter, own, &options)?;
        Ok(Self {
            adapter,
            gpu: Some(Arc::new(gpu)),
            number: next_number(),
        })
    }

    /// Features that a program's own device must have.
    ///
    /// ```
    /// use gpu_executor::{Executor, wgpu};
    ///
    /// assert!(Executor::required_features().contains(wgpu::Features::IMMEDIATES));
    /// ```
    #[must_use]
    pub fn required_features() -> wgpu::Features {
        own_device::REQUIRED
    }

    /// Limits of a device on which every operator of this crate runs. Larger ones make for larger
    /// chunks: ask for `required_limits().or_better_values_from(&adapter.limits())`.
    ///
    /// ```
    /// use gpu_executor::Executor;
    ///
    /// assert!(Executor::required_limits().max_immediate_size >= 32);
    /// ```
    #[must_use]
    pub fn required_limits() -> wgpu::Limits {
        own_device::required_limits()
    }

    /// Finds how tasks reach the adapter, unless that is known: as stored in
    /// [`Options::cache_dir`], else as measured within [`Options::tuning_budget`]. The first call
    /// that moves data does the same; a program that measures calls this before. `None` on
    /// [`Backend::Cpu`].
    ///
    /// ```
    /// use gpu_executor::{Backend, Executor};
    ///
    /// assert_eq!(Executor::new(Backend::Cpu)?.tune()?, None);
    /// # Ok::<(), gpu_executor::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`Executor::run`], if a measurement fails.
    pub fn tune(&self) -> Result<Option<Tuning>, Error> {
        self.gpu.as_ref().map(|gpu| gpu.tune()).transpose()
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

    /// How it sends tasks to its adapter: as set, stored or measured, and until that is known the
    /// simplest way. `None` on [`Backend::Cpu`].
    #[must_use]
    pub fn tuning(&self) -> Option<Tuning> {
        self.gpu.as_ref().map(|gpu| gpu.tuning())
    }

    /// Runs one task and returns its output, of shape `[elements]`. An empty task gives an empty
    /// output.
    ///
    /// # Errors
    /// [`Error::LengthMismatch`], [`Error::OutOfMemory`]; on a GPU also [`Error::DeviceLost`],
    /// [`Error::Timeout`] and [`Error::Driver`].
    pub fn run<T: Task>(&self, task: &T) -> Result<Vec<T::Item>, Error> {
        self.run_one(task, None)
    }

    /// Runs one task as [`Executor::run`] does, and says where the time went. Timing costs some of
    /// it.
    ///
    /// On [`Backend::Cpu`] nothing is moved: the phases are `None`.
    ///
    /// # Errors
    /// Those of [`Executor::run`].
    pub fn run_timed<T: Task>(&self, task: &T) -> Result<(Vec<T::Item>, Option<Phases>), Error> {
        let mut phases = Phases::default();
        let output = self.run_one(task, Some(&mut phases))?;
        Ok((output, self.gpu.is_some().then_some(phases)))
    }

    fn run_one<T: Task>(&self, task: &T, mut phases: Option<&mut Phases>) -> Result<Vec<T::Item>, Error> {
        match &self.gpu {
            None => run_one(task, None),
            Some(gpu) => run_one(
                task,
                Some(&mut |source, sink| gpu.run(&[source], &mut [sink], phases.as_deref_mut())),
            ),
        }
    }

    /// Runs one task and writes its output to `output`.
    ///
    /// # Errors
    /// [`Error::OutputLength`] if the slice is not as long as the output, and those of
    /// [`Executor::run`]; after these the slice may be written in part.
    pub fn run_into<T: Task>(&self, task: &T, output: &mut [T::Item]) -> Result<(), Error> {
        let lengths = &[task.elements()?];
        if output.len() != lengths[0] {
            return Err(Error::OutputLength {
                operator: T::KERNEL.name(),
                expected: lengths[0],
                given: output.len(),
            });
        }
        match &self.gpu {
            None => T::compute(task.inputs(), task.parameters(), output),
            Some(gpu) => {
                let tasks = std::slice::from_ref(task);
                let mut sink = Filled { rest: output };
                gpu.run(&[&Batch { tasks, lengths }], &mut [&mut sink], None)?;
            }
        }
        Ok(())
    }

    /// Runs tasks, of the same or of different sizes, and returns their outputs in the order of the
    /// tasks.
    ///
    /// On a GPU they are one dispatch where the adapter's limits, [`Options::chunk_bytes`] and
    /// [`Executor::tuning`] allow it. Nothing runs if any of the tasks is wrong.
    ///
    /// # Errors
    /// Those of [`Executor::run`]; a length mismatch names the task.
    pub fn run_batch<T: Task>(&self, tasks: &[T]) -> Result<Vec<Vec<T::Item>>, Error> {
        match &self.gpu {
            None => run_batch(tasks, None),
            Some(gpu) => run_batch(tasks, Some(&mut |source, sink| gpu.run(&[source], &mut [sink], None))),
        }
    }

    /// Runs tasks as [`Executor::run_batch`] does, and returns their outputs in one vector: the
    /// fastest way for many small ones.
    ///
    /// # Errors
    /// Those of [`Executor::run_batch`].
    pub fn run_batch_flat<T: Task>(&self, tasks: &[T]) -> Result<FlatBatch<T::Item>, Error> {
        self.run_flat(tasks, None)
    }

    /// Runs tasks as [`Executor::run_batch_flat`] does, and says where the time went, as
    /// [`Executor::run_timed`].
    ///
    /// # Errors
    /// Those of [`Executor::run_batch`].
    pub fn run_batch_timed<T: Task>(&self, tasks: &[T]) -> Result<(FlatBatch<T::Item>, Option<Phases>), Error> {
        let mut phases = Phases::default();
        let outputs = self.run_flat(tasks, Some(&mut phases))?;
        Ok((outputs, self.gpu.is_some().then_some(phases)))
    }

    fn run_flat<T: Task>(&self, tasks: &[T], phases: Option<&mut Phases>) -> Result<FlatBatch<T::Item>, Error> {
        let lengths = &lengths(tasks)?;
        let mut output = Appended::new(lengths)?;
        match &self.gpu {
            None => run_on_cpu(tasks, lengths, &mut output.0),
            Some(gpu) => gpu.run(&[&Batch { tasks, lengths }], &mut [&mut output], phases)?,
        }
        Ok(FlatBatch::new(output.0, lengths))
    }

    /// Submits one task and returns once its inputs are taken. Up to three chunks are in flight at
    /// the same time, as with [`Executor::run`]; of a longer task the call waits for those before.
    /// On [`Backend::Cpu`] the task is run before the call returns.
    ///
    /// # Errors
    /// Those of [`Executor::run`], as far as they show at once.
    pub fn submit<T: Task>(&self, task: &T) -> Result<Pending<T::Item>, Error> {
        let Some(gpu) = &self.gpu else {
            return Ok(Pending::ready(self.run(task)));
        };
        let lengths = &[task.elements()?];
        let mut output = Appended::new(lengths)?;
        let tasks = std::slice::from_ref(task);
        let submissions = gpu.start(&Batch { tasks, lengths }, &mut output)?;
        Ok(Pending::in_flight(Arc::clone(gpu), submissions, output))
    }

    /// Memory for one task of `elements` elements that the device can reach, to write the inputs to
    /// and read the output from. The parameters are the operator's, `()` where it has none;
    /// [`InPlace::set_parameters`] changes them.
    ///
    /// # Errors
    /// [`Error::NotInPlace`] if one buffer of the adapter's cannot hold that much, and
    /// [`Error::OutOfMemory`], [`Error::DeviceLost`], [`Error::Driver`].
    pub fn in_place<T: Task<Inputs: Columns>>(
        &self,
        elements: usize,
        parameters: T::Parameters,
    ) -> Result<InPlace<T>, Error> {
        match &self.gpu {
            None => InPlace::on_host(elements, parameters),
            Some(gpu) => InPlace::on_device(gpu, elements, parameters),
        }
    }

    /// Runs a sample, and returns the time from the call to the results being in the host's memory.
    pub(crate) fn run_sample(&self, sample: &Sample) -> Result<std::time::Duration, Error> {
        match &self.gpu {
            None => sample.run(None),
            Some(gpu) => sample.run(Some(&mut |source, sink| gpu.run(&[source], &mut [sink], None))),
        }
    }

    /// Runs a sample, and compares every element with what the CPU computes.
    pub(crate) fn check_sample(&self, sample: &Sample) -> Result<(), CheckError> {
        let name = &self.adapter.name;
        match &self.gpu {
            None => sample.check(None, name),
            Some(gpu) => sample.check(Some(&mut |source, sink| gpu.run(&[source], &mut [sink], None)), name),
        }
    }

    /// A call that joins tasks of different operators.
    #[must_use]
    pub fn call(&self) -> Call<'_> {
        Call::new(self)
    }

    /// A buffer of `len` elements that stays where the executor computes, zero at first.
    ///
    /// ```
    /// # use gpu_executor::{Backend, Executor};
    /// let executor = Executor::new(Backend::Cpu)?;
    /// let buffer = executor.buffer::<u32>(3)?;
    /// assert_eq!(executor.read(&buffer)?, [0; 3]);
    /// # Ok::<(), gpu_executor::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::BufferTooLong`] names the adapter's limit; [`Error::OutOfMemory`],
    /// [`Error::DeviceLost`], [`Error::Driver`].
    pub fn buffer<T: bytemuck::Pod + Send + Sync>(&self, len: usize) -> Result<DeviceBuffer<T>, Error> {
        DeviceBuffer::new(self.place(), len)
    }

    /// A buffer with these elements.
    ///
    /// ```
    /// # use gpu_executor::{Backend, Executor};
    /// let executor = Executor::new(Backend::Cpu)?;
    /// let buffer = executor.upload(&[1.5_f32, 2.5])?;
    /// assert_eq!(executor.read(&buffer)?, [1.5, 2.5]);
    /// # Ok::<(), gpu_executor::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`Executor::buffer`]; [`Error::Timeout`].
    pub fn upload<T: bytemuck::Pod + Send + Sync>(&self, items: &[T]) -> Result<DeviceBuffer<T>, Error> {
        let mut buffer = self.buffer(items.len())?;
        self.write(&mut buffer, 0, items)?;
        Ok(buffer)
    }

    /// Strings of bytes, such as messages, where the executor computes. [`DeviceStrings`] has an
    /// example.
    ///
    /// # Errors
    /// Those of [`Executor::upload`].
    pub fn upload_strings<M: AsRef<[u8]> + Sync>(&self, strings: &[M]) -> Result<DeviceStrings, Error> {
        DeviceStrings::new(self.place(), strings)
    }

    /// Writes elements of a buffer, from `first` on. Chains submitted before are done with it
    /// first.
    ///
    /// ```
    /// # use gpu_executor::{Backend, Executor};
    /// let executor = Executor::new(Backend::Cpu)?;
    /// let mut buffer = executor.upload(&[1_u32, 2, 3])?;
    /// executor.write(&mut buffer, 1, &[7])?;
    /// assert_eq!(executor.read(&buffer)?, [1, 7, 3]);
    /// # Ok::<(), gpu_executor::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::WrongExecutor`], [`Error::OutOfRange`], and those of [`Executor::upload`].
    pub fn write<T: bytemuck::Pod + Send + Sync>(
        &self,
        buffer: &mut DeviceBuffer<T>,
        first: usize,
        items: &[T],
    ) -> Result<(), Error> {
        buffer.write(self.place(), first, items)
    }

    /// Reads a buffer back.
    ///
    /// ```
    /// # use gpu_executor::{Backend, Executor};
    /// let executor = Executor::new(Backend::Cpu)?;
    /// let buffer = executor.upload(&[1_u32, 2, 3])?;
    /// assert_eq!(executor.read(&buffer)?, [1, 2, 3]);
    /// # Ok::<(), gpu_executor::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::WrongExecutor`], [`Error::OutOfMemory`], [`Error::DeviceLost`], [`Error::Timeout`],
    /// [`Error::Driver`].
    pub fn read<T: bytemuck::Pod + Send + Sync>(&self, buffer: &DeviceBuffer<T>) -> Result<Vec<T>, Error> {
        self.read_range(buffer, 0..buffer.len())
    }

    /// Reads a range of a buffer back, and nothing else of it.
    ///
    /// ```
    /// # use gpu_executor::{Backend, Executor};
    /// let executor = Executor::new(Backend::Cpu)?;
    /// let buffer = executor.upload(&[1_u32, 2, 3])?;
    /// assert_eq!(executor.read_range(&buffer, 1..2)?, [2]);
    /// # Ok::<(), gpu_executor::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::OutOfRange`], and those of [`Executor::read`].
    pub fn read_range<T: bytemuck::Pod + Send + Sync>(
        &self,
        buffer: &DeviceBuffer<T>,
        range: Range<usize>,
    ) -> Result<Vec<T>, Error> {
        buffer.read(self.place(), range)
    }

    /// Operators that work on buffers, in one submission. [`Chain`] has examples.
    #[must_use]
    pub fn chain(&self) -> Chain<'_> {
        Chain::new(self.place())
    }

    fn place(&self) -> Place<'_> {
        Place {
            gpu: self.gpu.as_ref(),
            owner: self.number,
        }
    }

    pub(crate) fn gpu(&self) -> Option<&Gpu> {
        self.gpu.as_deref()
    }

    #[cfg(test)]
    pub(crate) fn gpu_mut(&mut self) -> Option<&mut Gpu> {
        self.gpu.as_mut().and_then(Arc::get_mut)
    }

    /// Calls into wgpu since the executor was made; all zero on [`Backend::Cpu`].
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.gpu.as_ref().map(|gpu| gpu.counters()).unwrap_or_default()
    }

    /// Gives the device up, as after a driver's reset, so that a program can test what it does
    /// then. Every later call returns [`Error::DeviceLost`]; memory in use stays until its owners
    /// go. Nothing happens on [`Backend::Cpu`].
    pub fn lose_device(&self) {
        if let Some(gpu) = &self.gpu {
            gpu.lose_device();
        }
    }
}

/// Several threads may share an executor, whatever its backend.
const _: () = {
    const fn is_send_and_sync<T: Send + Sync>() {}
    is_send_and_sync::<Executor>();
};
