//! The wgpu executor, as one thread after the other or many at once may call it.

mod bindings;
mod calibration;
mod commands;
mod device;
mod engine;
mod faults;
mod flight;
mod kernel;
mod pipelines;
mod slot;
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
pub(crate) use flight::{Flight, Part};
use waker::{Request, WakerThread};

use crate::{
    adapter::{Adapter, AdapterInfo, setup_guard},
    backend::Backend,
    counters::Counters,
    error::Error,
    options::Options,
    own_device::OwnDevice,
    phases::Phases,
    task::{Sink, Source, Spec},
    tuning::Tuning,
    turns::{Turn, Turns},
};

/// The engine, and on GLES the turns that go with the adapter: its context belongs to one thread at a time.
#[derive(Debug)]
pub(crate) struct Gpu {
    /// Present until it is dropped.
    engine: Option<Engine>,
    turns: Option<Arc<Turns>>,
    waker: WakerThread,
    tuner: Tuner,
    /// Held by the thread that finds the tuning.
    tuning: Mutex<()>,
}

/// What a thread has while it uses wgpu: on GLES its turn, and everywhere the mark that errors are of this library's doing.
struct Use<'a> {
    turn: Option<Turn<'a>>,
    _inside: Inside,
}

impl<'a> Use<'a> {
    /// Waits for a turn, where there are turns.
    fn of(turns: Option<&'a Turns>) -> Self {
        Self {
            turn: turns.map(Turns::take),
            _inside: Inside::enter(),
        }
    }

    /// Why the device's context is not current.
    fn fault(&self) -> Option<&str> {
        self.turn.as_ref().and_then(Turn::fault)
    }
}

impl Gpu {
    /// An engine on the adapter; all engines on it share the `turns`, of which each call is one.
    pub(crate) fn open(adapter: &Adapter, options: &Options) -> Result<Option<Self>, Error> {
        let info = adapter.info();
        let Some((handle, turns)) = adapter.handle() else {
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
            let in_use = Use::of(turns.map(Arc::as_ref));
            if let Some(reason) = in_use.fault() {
                return Err(Error::DeviceLost {
                    adapter: info.name.clone(),
                    reason: reason.to_owned(),
                });
            }
            Device::open(info, handle, options, tuner.store())?
        };
        Self::new(device, turns.cloned(), tuner, options).map(Some)
    }

    /// An engine on a program's own device.
    pub(crate) fn over(info: &AdapterInfo, own: OwnDevice, options: &Options) -> Result<Self, Error> {
        let tuner = Tuner::new(info, "", options);
        let turns = (info.backend == Backend::Gles).then(|| Arc::new(Turns::default()));
        let device = {
            let _use = Use::of(turns.as_deref());
            Device::over(info, own, options, tuner.store())?
        };
        Self::new(device, turns, tuner, options)
    }

    fn new(device: Device, turns: Option<Arc<Turns>>, tuner: Tuner, options: &Options) -> Result<Self, Error> {
        // From here on it is dropped in a turn.
        let gpu = Self {
            engine: Some(Engine::new(device, options)),
            turns,
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

    /// Tunes before the first task. What fails then, fails with the task as well, or was not worth failing for.
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
        self.turns.as_ref().expect("a context of its own").end_context();
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

    /// Starts tasks: their inputs are taken, and their output is on its way. As many chunks as [`Gpu::run`] has are on their
    /// way at once; of a longer source the first are waited for, and their output is handed on.
    pub(crate) fn start(&self, source: &dyn Source, sink: &mut dyn Sink) -> Result<VecDeque<Flight>, Error> {
        self.prepare();
        let _use = self.in_use()?;
        self.engine().start_all(source, sink)
    }

    /// Whether a flight is over, for one that waits for it since then: an error if that is too long.
    pub(crate) fn look(&self, flight: &Flight, since: Instant) -> Result<bool, Error> {
        let _use = self.in_use()?;
        self.engine().look(flight, since)
    }

    /// Waits for a flight of one source and hands its output on.
    pub(crate) fn finish(&self, flight: Flight, sink: &mut dyn Sink) -> Result<(), Error> {
        let in_use = self.any_use();
        if let Some(reason) = in_use.fault() {
            // In its turn still, and not with this function's arguments.
            drop(flight);
            return Err(self.engine().device.faults.gone(reason));
        }
        self.engine().finish(flight, &mut [sink], None)
    }

    /// Drops flights whose output nobody wants.
    pub(crate) fn drop_flights(&self, flights: &mut VecDeque<Flight>) {
        let _use = self.any_use();
        flights.clear();
    }

    /// Wakes a task once a flight is over, or has failed, or was waited for too long, `since` then.
    pub(crate) fn wake(self: &Arc<Self>, flight: &Flight, since: Instant, waker: std::task::Waker) {
        self.waker.wake(Request {
            gpu: Arc::clone(self),
            number: flight.number,
            submission: flight.submission.clone(),
            since,
            waker,
        });
    }

    /// Sleeps for a while, and says whether a submission, waited for since then, needs no more of it: it is done, has
    /// failed, or takes too long; a look at its flight tells which.
    fn nap(&self, submission: &wgpu::SubmissionIndex, since: Instant) -> bool {
        let device = &self.engine().device;
        let most_asleep = match &self.turns {
            None => Duration::from_millis(10),
            // Whoever waits has the context.
            Some(_) => Duration::from_millis(1),
        };
        let most = most_asleep.min(device.left(since));
        let result = self
            .in_use()
            .and_then(|_use| device.block(submission, Instant::now(), most));
        !matches!(result, Err(Error::Timeout { .. })) || device.left(since).is_zero()
    }

    /// A part whose inputs the caller writes in place.
    pub(crate) fn seat(&self, spec: &Spec, elements: usize, parameters: [u32; 6]) -> Result<Part, Error> {
        self.prepare();
        let _use = self.in_use()?;
        self.engine().seat(spec, elements, parameters)
    }

    /// The mapped inputs of a part.
    pub(crate) fn inputs(&self, part: &Part) -> Result<wgpu::BufferViewMut, Error> {
        self.engine().device.faults.check()?;
        part.inputs()
            .map_err(|error| self.engine().device.faults.failed_by(error))
    }

    /// Where input `index` of a part lies in them.
    pub(crate) fn input_range(part: &Part, index: usize) -> Range<usize> {
        part.input_range(index)
    }

    /// Computes a part whose inputs are written.
    pub(crate) fn compute(&self, part: &mut Part) -> Result<wgpu::BufferView, Error> {
        let _use = self.in_use()?;
        self.engine().compute(part)
    }

    /// Ends the reading of a part's output.
    pub(crate) fn close(&self, part: &Part) {
        let _use = self.any_use();
        part.close();
    }

    /// Gives back a part that nothing is under way with.
    pub(crate) fn leave(&self, part: Part) {
        let _use = self.any_use();
        self.engine().leave(part);
    }

    /// Drops a part that met an error.
    pub(crate) fn drop_part(&self, part: Part) {
        let _use = self.any_use();
        drop(part);
    }

    /// Waits for its turn, for what must be done whether or not the device is there.
    fn any_use(&self) -> Use<'_> {
        Use::of(self.turns.as_deref())
    }

    /// Waits for its turn, if the device's context is still there.
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
        let turns = self.turns.take();
        let _use = Use::of(turns.as_deref());
        self.engine = None;
    }
}
