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
    sync::Arc,
    time::{Duration, Instant},
};

use engine::Engine;
pub(crate) use flight::{Flight, Part};
use waker::{Request, WakerThread};

use crate::{
    adapter::{AdapterInfo, setup_guard},
    counters::Counters,
    error::Error,
    options::Options,
    phases::Phases,
    store::Store,
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
}

impl Gpu {
    /// An engine on the adapter; all engines on it share the `turns`, of which each call is one.
    pub(crate) fn new(
        info: &AdapterInfo,
        adapter: &wgpu::Adapter,
        turns: Option<Arc<Turns>>,
        options: &Options,
    ) -> Result<Self, Error> {
        if let Some(reason) = &info.unusable {
            return Err(Error::AdapterUnusable {
                backend: info.backend,
                adapter: info.name.clone(),
                reason: reason.clone(),
            });
        }
        let store = Store::new(options.cache_dir.as_deref());
        let engine = {
            let _setup = setup_guard();
            let turn = turns.as_deref().map(Turns::take);
            if let Some(reason) = turn.as_ref().and_then(Turn::fault) {
                return Err(Error::DeviceLost {
                    adapter: info.name.clone(),
                    reason: reason.to_owned(),
                });
            }
            let mut engine = Engine::new(info, adapter, options, &store)?;
            calibration::tune(&mut engine, info, adapter, options, &store)?;
            engine
        };
        Ok(Self {
            engine: Some(engine),
            turns,
            waker: WakerThread::default(),
        })
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
        let _turn = self.any_turn();
        self.engine().device.lose();
    }

    /// Runs the tasks of one or more sources, whose outputs go to the sinks of the same numbers.
    pub(crate) fn run(
        &self,
        sources: &[&dyn Source],
        sinks: &mut [&mut dyn Sink],
        phases: Option<&mut Phases>,
    ) -> Result<(), Error> {
        let _turn = self.turn()?;
        self.engine().run(sources, sinks, phases)
    }

    /// Starts tasks: their inputs are taken, and their output is on its way.
    ///
    /// All of its chunks start at once, each with buffers of its own.
    pub(crate) fn start(&self, source: &dyn Source) -> Result<VecDeque<Flight>, Error> {
        let _turn = self.turn()?;
        let mut flights = VecDeque::new();
        if engine::is_empty(source) {
            return Ok(flights);
        }
        let mut cuts = [self.engine().cut(source)?];
        while let Some(flight) = self.engine().start(&mut cuts, &[source], None)? {
            flights.push_back(flight);
        }
        Ok(flights)
    }

    /// Whether a flight is over, for one that waits for it since then: an error if that is too long.
    pub(crate) fn look(&self, flight: &Flight, since: Instant) -> Result<bool, Error> {
        let _turn = self.turn()?;
        self.engine().look(flight, since)
    }

    /// Waits for a flight of one source and hands its output on.
    pub(crate) fn finish(&self, flight: Flight, sink: &mut dyn Sink) -> Result<(), Error> {
        let _turn = self.turn()?;
        self.engine().finish(flight, &mut [sink], None)
    }

    /// Drops flights whose output nobody wants.
    pub(crate) fn drop_flights(&self, flights: &mut VecDeque<Flight>) {
        let _turn = self.any_turn();
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
            .turn()
            .and_then(|_turn| device.block(submission, Instant::now(), most));
        !matches!(result, Err(Error::Timeout { .. })) || device.left(since).is_zero()
    }

    /// A part whose inputs the caller writes in place.
    pub(crate) fn seat(&self, spec: &Spec, elements: usize, parameters: [u32; 6]) -> Result<Part, Error> {
        let _turn = self.turn()?;
        self.engine().seat(spec, elements, parameters)
    }

    /// The mapped inputs of a part.
    pub(crate) fn inputs(&self, part: &Part) -> Result<wgpu::BufferViewMut, Error> {
        self.engine().device.faults.check()?;
        part.inputs()
            .map_err(|error| self.engine().device.faults.failed(error.to_string()))
    }

    /// Where input `index` of a part lies in them.
    pub(crate) fn input_range(part: &Part, index: usize) -> Range<usize> {
        part.input_range(index)
    }

    /// Computes a part whose inputs are written.
    pub(crate) fn compute(&self, part: &mut Part) -> Result<wgpu::BufferView, Error> {
        let _turn = self.turn()?;
        self.engine().compute(part)
    }

    /// Ends the reading of a part's output.
    pub(crate) fn close(&self, part: &Part) {
        let _turn = self.any_turn();
        part.close();
    }

    /// Gives back a part that nothing is under way with.
    pub(crate) fn leave(&self, part: Part) {
        let _turn = self.any_turn();
        self.engine().leave(part);
    }

    /// Drops a part that met an error.
    pub(crate) fn drop_part(&self, part: Part) {
        let _turn = self.any_turn();
        drop(part);
    }

    /// Waits for its turn, for what must be done whether or not the device is there.
    fn any_turn(&self) -> Option<Turn<'_>> {
        self.turns.as_deref().map(Turns::take)
    }

    /// Waits for its turn, if the device's context is still there.
    fn turn(&self) -> Result<Option<Turn<'_>>, Error> {
        let turn = self.any_turn();
        match turn.as_ref().and_then(Turn::fault) {
            Some(reason) => Err(self.engine().device.faults.gone(reason)),
            None => Ok(turn),
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
        let _turn = turns.as_deref().map(Turns::take);
        self.engine = None;
    }
}
