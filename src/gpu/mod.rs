//! The wgpu executor, as one thread after the other or many at once may call it.

mod bindings;
mod calibration;
mod commands;
mod device;
mod engine;
mod faults;
mod kernel;
mod pipelines;
mod resident;
mod slot;
mod submission;
#[cfg(test)]
mod tests;
mod waker;

use std::{
    collections::VecDeque,
    ops::Range,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use calibration::Tuner;
use device::Device;
use engine::Engine;
use faults::{Inside, lock};
pub(crate) use resident::{Memory, Read, Ready, Table, Work};
pub(crate) use submission::{PlacedChunk, Submission};
use waker::{Request, WakerThread};

use crate::{
    adapter::{Adapter, AdapterInfo, setup_guard},
    backend::Backend,
    context_lock::{ContextGuard, ContextLock},
    counters::Counters,
    error::Error,
    host::Copier,
    mapped::Mapped,
    options::Options,
    own_device::OwnDevice,
    phases::Phases,
    task::{Sink, Source, Spec},
    tuning::Tuning,
};

/// The engine, and on GLES the lock of the adapter's context, which belongs to one thread at a
/// time.
#[derive(Debug)]
pub(crate) struct Gpu {
    /// Present until it is dropped.
    engine: Option<Engine>,
    context_lock: Option<Arc<ContextLock>>,
    waker: WakerThread,
    tuner: Tuner,
    /// Held by the thread that finds the tuning.
    tuning: Mutex<()>,
}

/// What a thread holds while it uses wgpu: on GLES the context lock, and everywhere the mark that
/// this library causes the errors.
struct Use<'a> {
    context: Option<ContextGuard<'a>>,
    _inside: Inside,
}

impl<'a> Use<'a> {
    /// Waits for the context lock, where there is one.
    fn of(context_lock: Option<&'a ContextLock>) -> Self {
        Self {
            context: context_lock.map(ContextLock::lock),
            _inside: Inside::enter(),
        }
    }

    /// Why the device's context is not current.
    fn fault(&self) -> Option<&str> {
        self.context.as_ref().and_then(ContextGuard::fault)
    }
}

impl Gpu {
    /// An engine on the adapter. All engines on it share the context lock, and each call holds it.
    pub(crate) fn open(adapter: &Adapter, options: &Options) -> Result<Option<Self>, Error> {
        let info = adapter.info();
        let Some((handle, context_lock)) = adapter.handle() else {
            return Ok(None);
        };
        if let Some(reason) = &info.unusable {
            return Err(Error::AdapterUnusable {
                backend: info.backend,
                adapter: info.name.clone(),
                reason: reason.clone(),
            });
        }
        let tuner = Tuner::new(info, adapter.flags(), options);
        let device = {
            let _setup = setup_guard();
            let in_use = Use::of(context_lock.map(Arc::as_ref));
            if let Some(reason) = in_use.fault() {
                return Err(Error::DeviceLost {
                    adapter: info.name.clone(),
                    reason: reason.to_owned(),
                });
            }
            Device::open(info, handle, options, tuner.store())?
        };
        Self::new(device, context_lock.cloned(), tuner, options).map(Some)
    }

    /// An engine on a program's own device.
    pub(crate) fn over(info: &AdapterInfo, own: OwnDevice, options: &Options) -> Result<Self, Error> {
        let tuner = Tuner::new(info, "", options);
        let context_lock = (info.backend == Backend::Gles).then(|| Arc::new(ContextLock::default()));
        let device = {
            let _use = Use::of(context_lock.as_deref());
            Device::over(info, own, options, tuner.store())?
        };
        Self::new(device, context_lock, tuner, options)
    }

    fn new(
        device: Device,
        context_lock: Option<Arc<ContextLock>>,
        tuner: Tuner,
        options: &Options,
    ) -> Result<Self, Error> {
        // From here on it is dropped under the context lock.
        let gpu = Self {
            engine: Some(Engine::new(device, options)),
            context_lock,
            waker: WakerThread::default(),
            tuner,
            tuning: Mutex::default(),
        };
        if let Some(tuning) = gpu.tuner.given()? {
            gpu.engine().tune(tuning);
        }
        Ok(gpu)
    }

    /// Finds how tasks reach the adapter, unless that is known: as stored, else as measured.
    pub(crate) fn tune(&self) -> Result<Tuning, Error> {
        if let Some(tuning) = self.engine().tuned() {
            return Ok(tuning);
        }
        // Of threads that come at the same time one measures.
        let _tuning = lock(&self.tuning);
        if let Some(tuning) = self.engine().tuned() {
            return Ok(tuning);
        }
        let found = {
            let _use = self.in_use()?;
            self.tuner.find(self.engine())?
        };
        self.engine().tune(found);
        Ok(self.tuning())
    }

    /// Tunes before the first task. What fails then, fails with the task as well, or was not worth
    /// failing for.
    fn prepare(&self) {
        if self.engine().tuned().is_none()
            && let Err(error) = self.tune()
        {
            log::warn!("tasks go the simplest way: {error}");
            self.engine().tune(self.engine().tuning());
        }
    }

    /// Ends the context of this crate's own that it is on.
    #[cfg(all(test, target_os = "linux", feature = "gles"))]
    pub(crate) fn end_context(&self) {
        self.context_lock.as_ref().expect("a context of its own").end_context();
    }

    #[cfg(test)]
    fn engine_mut(&mut self) -> &mut Engine {
        self.engine.as_mut().expect("present until it is dropped")
    }

    pub(crate) fn counters(&self) -> Counters {
        self.engine().device.counters()
    }

    pub(crate) fn tuning(&self) -> Tuning {
        self.engine().tuning()
    }

    pub(crate) fn lose_device(&self) {
        let _use = self.any_use();
        self.engine().device.lose();
    }

    /// Runs the tasks of one or more sources, whose outputs go to the sinks of the same numbers.
    pub(crate) fn run(
        &self,
        sources: &[&dyn Source],
        sinks: &mut [&mut dyn Sink],
        phases: Option<&mut Phases>,
    ) -> Result<(), Error> {
        self.prepare();
        let _use = self.in_use()?;
        self.engine().run(sources, sinks, phases)
    }

    /// Starts tasks: their inputs are taken, and their output is in flight. As many chunks as
    /// [`Gpu::run`] has are on their way at once; of a longer source the first are waited for, and
    /// their output is handed on.
    pub(crate) fn start(&self, source: &dyn Source, sink: &mut dyn Sink) -> Result<VecDeque<Submission>, Error> {
        self.prepare();
        let _use = self.in_use()?;
        self.engine().start_all(source, sink)
    }

    /// Whether a submission is over, for one that waits for it since then: an error if that is too
    /// long.
    pub(crate) fn is_over(&self, submission: &Submission, since: Instant) -> Result<bool, Error> {
        let _use = self.in_use()?;
        self.engine().is_over(submission, since)
    }

    /// Waits for a submission of one source and hands its output on.
    pub(crate) fn finish(&self, submission: Submission, sink: &mut dyn Sink) -> Result<(), Error> {
        let in_use = self.any_use();
        if let Some(reason) = in_use.fault() {
            // While the context lock is held, and not with this function's arguments.
            drop(submission);
            return Err(self.engine().device.faults.gone(reason));
        }
        self.engine().finish(submission, &mut [sink], None)
    }

    /// Drops submissions whose output is not wanted.
    pub(crate) fn drop_submissions(&self, submissions: &mut VecDeque<Submission>) {
        let _use = self.any_use();
        submissions.clear();
    }

    /// Wakes a task once a submission is over, or has failed, or was waited for too long, `since`
    /// then.
    pub(crate) fn wake(self: &Arc<Self>, submission: &Submission, since: Instant, waker: std::task::Waker) {
        self.waker.wake(Request {
            gpu: Arc::clone(self),
            number: submission.number,
            submission: submission.index.clone(),
            since,
            waker,
        });
    }

    /// Sleeps for a while, and says whether a submission, waited for since then, needs no more of
    /// it: it is done, has failed, or takes too long; `is_over` tells which.
    fn nap(&self, submission: &wgpu::SubmissionIndex, since: Instant) -> bool {
        let device = &self.engine().device;
        let most_asleep = match &self.context_lock {
            None => Duration::from_millis(10),
            // The thread that waits holds the context.
            Some(_) => Duration::from_millis(1),
        };
        let most = most_asleep.min(device.left(since));
        let result = self
            .in_use()
            .and_then(|_use| device.block(submission, Instant::now(), most));
        !matches!(result, Err(Error::Timeout { .. })) || device.left(since).is_zero()
    }

    /// A placed chunk whose inputs the caller writes in place.
    pub(crate) fn place(&self, spec: &Spec, elements: usize, parameters: [u32; 6]) -> Result<PlacedChunk, Error> {
        self.prepare();
        let _use = self.in_use()?;
        self.engine().place(spec, elements, parameters)
    }

    /// The mapped inputs of a placed chunk.
    pub(crate) fn inputs(&self, placed: &PlacedChunk) -> Result<wgpu::BufferViewMut, Error> {
        self.engine().device.faults.check()?;
        placed
            .inputs()
            .map_err(|error| self.engine().device.faults.failed_by(error))
    }

    /// Where input `index` of a placed chunk lies in them.
    pub(crate) fn input_range(placed: &PlacedChunk, index: usize) -> Range<usize> {
        placed.input_range(index)
    }

    /// Computes a placed chunk whose inputs are written.
    pub(crate) fn compute(&self, placed: &mut PlacedChunk) -> Result<wgpu::BufferView, Error> {
        let _use = self.in_use()?;
        self.engine().compute(placed)
    }

    /// Ends the reading of the output of a placed chunk.
    pub(crate) fn close(&self, placed: &PlacedChunk) {
        let _use = self.any_use();
        placed.close();
    }

    /// Gives back a placed chunk that no submission uses.
    pub(crate) fn leave(&self, placed: PlacedChunk) {
        let _use = self.any_use();
        self.engine().leave(placed);
    }

    /// Drops a placed chunk that met an error.
    pub(crate) fn drop_placed(&self, placed: PlacedChunk) {
        let _use = self.any_use();
        drop(placed);
    }

    /// The host's copies, by as many threads as the tuning has.
    pub(crate) fn copier(&self) -> Copier {
        self.prepare();
        self.engine().copier()
    }

    /// Memory for `elements` of `stride` bytes each, zero at first.
    pub(crate) fn allocate(&self, elements: usize, stride: usize) -> Result<Memory, Error> {
        let _use = self.in_use()?;
        self.engine().allocate(elements, stride)
    }

    /// Takes memory back.
    pub(crate) fn release(&self, memory: Memory) {
        let _use = self.any_use();
        self.engine().release(&memory);
        drop(memory);
    }

    /// Writes memory from byte `first` on.
    pub(crate) fn upload(&self, to: &Memory, first: u64, bytes: &[u8]) -> Result<(), Error> {
        self.prepare();
        let _use = self.in_use()?;
        let piece = usize::try_from(self.engine().piece_bytes()).unwrap_or(usize::MAX);
        let mut pieces = bytes.chunks(piece);
        let lengths = bytes.chunks(piece).map(|piece| piece.len() as u64);
        self.engine().upload(to, first, lengths, |_, to, copier| {
            copier.copy(to, pieces.next().expect("as many as there are lengths"));
        })
    }

    /// Writes memory from its beginning, in pieces of the given number of bytes: `write` is given
    /// the number of each piece.
    pub(crate) fn upload_pieces(
        &self,
        to: &Memory,
        pieces: impl Iterator<Item = u64>,
        write: impl FnMut(usize, Mapped<'_, u8>, Copier),
    ) -> Result<(), Error> {
        self.prepare();
        let _use = self.in_use()?;
        self.engine().upload(to, 0, pieces, write)
    }

    /// Reads a range of bytes of memory, piece by piece in their order.
    pub(crate) fn download(&self, from: &Memory, range: Range<u64>, read: &mut Read<'_>) -> Result<(), Error> {
        self.prepare();
        let _use = self.in_use()?;
        self.engine().download(from, range, read)
    }

    /// Makes work on memory ready to be started.
    pub(crate) fn ready(&self, work: &Work<'_>) -> Result<Vec<Ready>, Error> {
        self.prepare();
        let _use = self.in_use()?;
        self.engine().ready(work)
    }

    /// Starts work, all of it in one submission.
    pub(crate) fn start_ready(&self, all: &[Ready]) -> Result<Submission, Error> {
        let _use = self.in_use()?;
        self.engine().start_ready(all)
    }

    /// Drops work that was started, or is not wanted any more.
    pub(crate) fn drop_ready(&self, all: &mut Vec<Ready>) {
        let _use = self.any_use();
        all.clear();
    }

    /// Waits for the context lock, for work that must be done whether or not the device is there.
    fn any_use(&self) -> Use<'_> {
        Use::of(self.context_lock.as_deref())
    }

    /// Waits for the context lock, if the device's context is still there.
    fn in_use(&self) -> Result<Use<'_>, Error> {
        let in_use = self.any_use();
        match in_use.fault() {
            Some(reason) => Err(self.engine().device.faults.gone(reason)),
            None => Ok(in_use),
        }
    }

    fn engine(&self) -> &Engine {
        self.engine.as_ref().expect("present until it is dropped")
    }
}

impl Drop for Gpu {
    fn drop(&mut self) {
        let _setup = setup_guard();
        // With them the context may go, behind everything that needs it.
        let context_lock = self.context_lock.take();
        let _use = Use::of(context_lock.as_deref());
        self.engine = None;
    }
}
