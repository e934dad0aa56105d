//! Runs tasks on one wgpu device: cuts them into chunks, and makes one submission with one pass of
//! each.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, OnceLock},
    time::{Duration, Instant},
};

use super::{
    commands::{Dispatch, Recorded},
    device::Device,
    faults::lock,
    kernel::{Kernel, Offsets, Size},
    resident::Residents,
    slot::{Key, Pool, Slot},
    submission::{PlacedChunk, Submission},
};
use crate::{
    error::Error,
    host::Copier,
    mapped::Mapped,
    options::Options,
    phases::Phases,
    plan::{Chunk, Cutter},
    task::{Sink, Source, Spec},
    tuning::{Transfer, Tuning},
};

/// Submissions of one call that are in flight at the same time: while the device computes one, the
/// host fills the next and drains the one before.
pub(super) const IN_FLIGHT: usize = 3;

/// Runs tasks on one wgpu device.
#[derive(Debug)]
pub(super) struct Engine {
    pub(super) device: Device,
    limits: wgpu::Limits,
    most_chunk_bytes: u64,
    /// Empty until it is known.
    tuning: OnceLock<Tuning>,
    kernels: Mutex<Vec<Arc<Kernel>>>,
    pool: Mutex<Pool>,
    pub(super) residents: Residents,
}

/// Whether a source has nothing that a device should see.
pub(super) fn is_empty(source: &dyn Source) -> bool {
    source.lengths().iter().all(|&elements| elements == 0)
}

/// The rest of a source.
pub(super) struct Cut {
    kernel: Arc<Kernel>,
    cutter: Cutter,
}

impl Engine {
    pub(super) fn new(device: Device, options: &Options) -> Self {
        Self {
            limits: device.limits(),
            device,
            most_chunk_bytes: options.chunk_bytes,
            tuning: OnceLock::new(),
            kernels: Mutex::default(),
            pool: Mutex::new(Pool::new(options.idle_bytes)),
            residents: Residents::new(options.idle_bytes),
        }
    }

    /// An engine on the same device with counters, buffers and kernels of its own, under the
    /// default settings.
    pub(super) fn twin(&self) -> Self {
        let options = Options::default();
        Self::new(self.device.twin(&options), &options)
    }

    /// How tasks go, until it is known: the simplest way.
    pub(super) fn tuning(&self) -> Tuning {
        self.tuned().unwrap_or_else(|| self.simplest())
    }

    /// How tasks go, if that is known.
    pub(super) fn tuned(&self) -> Option<Tuning> {
        self.tuning.get().copied()
    }

    /// The tuning with the fewest copies, and nothing else.
    pub(super) fn simplest(&self) -> Tuning {
        Tuning::plain(if self.device.shares_buffers() {
            Transfer::DIRECT
        } else {
            Transfer::STAGED
        })
    }

    /// Has grids folded as an adapter would that allows so few workgroups per dimension.
    #[cfg(test)]
    pub(super) fn narrow(&mut self, groups: u32) {
        self.limits.max_compute_workgroups_per_dimension = groups;
    }

    /// Takes a tuning, as far as the adapter allows it; the first that is given stays.
    pub(super) fn tune(&self, tuning: Tuning) {
        let _ = self.tuning.set(self.allowed(tuning));
    }

    /// Takes another tuning.
    pub(super) fn retune(&mut self, tuning: Tuning) {
        self.tuning = OnceLock::from(self.allowed(tuning));
    }

    fn allowed(&self, mut tuning: Tuning) -> Tuning {
        if !self.device.shares_buffers() {
            for transfer in tuning.transfers() {
                *transfer = Transfer::STAGED;
            }
        }
        tuning
    }

    /// Idle slots that have commands recorded ahead.
    #[cfg(test)]
    pub(super) fn prepared(&self) -> usize {
        lock(&self.pool).prepared()
    }

    /// Drops all idle buffers, and says whether there were any.
    pub(super) fn drop_idle(&self) -> bool {
        let had_staging = self.residents.drop_idle();
        lock(&self.pool).clear() || had_staging
    }

    pub(super) fn copier(&self) -> Copier {
        Copier::new(&self.tuning())
    }

    /// Runs the tasks of one or more sources, whose outputs go to the sinks of the same numbers.
    /// Each submission has a chunk of every source that has one left.
    pub(super) fn run(
        &self,
        sources: &[&dyn Source],
        sinks: &mut [&mut dyn Sink],
        mut phases: Option<&mut Phases>,
    ) -> Result<(), Error> {
        if sources.iter().all(|source| is_empty(*source)) {
            return Ok(());
        }
        let mut cuts = sources
            .iter()
            .map(|source| self.cut(*source))
            .collect::<Result<Vec<_>, _>>()?;
        let mut submissions = VecDeque::with_capacity(IN_FLIGHT);
        let mut is_first = true;
        loop {
            if submissions.len() == IN_FLIGHT
                && let Some(oldest) = submissions.pop_front()
            {
                self.finish(oldest, sinks, phases.as_deref_mut())?;
            }
            match self.start(&mut cuts, sources, phases.as_deref_mut())? {
                Some(submission) => submissions.push_back(submission),
                None => break,
            }
            if std::mem::take(&mut is_first) {
                let begin = phases.is_some().then(Instant::now);
                sinks.iter_mut().for_each(|sink| sink.prepare(self.copier()));
                if let (Some(phases), Some(begin)) = (phases.as_deref_mut(), begin) {
                    phases.readback += begin.elapsed();
                }
            }
        }
        if let (1, Some(submission), None) = (submissions.len(), submissions.front_mut(), &phases)
            && let [placed] = submission.placed_chunks.as_mut_slice()
        {
            self.prepare(placed);
        }
        for submission in submissions {
            self.finish(submission, sinks, phases.as_deref_mut())?;
        }
        Ok(())
    }

    /// Starts the chunks of a source, and returns those in flight. Of more than [`IN_FLIGHT`] the
    /// first are waited for and handed to the sink, so that no more buffers are taken than a run
    /// takes.
    pub(super) fn start_all(&self, source: &dyn Source, sink: &mut dyn Sink) -> Result<VecDeque<Submission>, Error> {
        let mut submissions = VecDeque::with_capacity(IN_FLIGHT);
        if is_empty(source) {
            return Ok(submissions);
        }
        let mut cuts = [self.cut(source)?];
        loop {
            if submissions.len() == IN_FLIGHT
                && cuts[0].cutter.left > 0
                && let Some(oldest) = submissions.pop_front()
            {
                self.finish(oldest, &mut [sink], None)?;
            }
            match self.start(&mut cuts, &[source], None)? {
                Some(submission) => submissions.push_back(submission),
                None => return Ok(submissions),
            }
        }
    }

    /// Bytes of a chunk's inputs or output at the most.
    pub(super) fn chunk_bytes(&self) -> u64 {
        self.most_chunk_bytes.min(self.tuning().chunk_bytes)
    }

    pub(super) fn limits(&self) -> &wgpu::Limits {
        &self.limits
    }

    /// How a source is to be cut.
    pub(super) fn cut(&self, source: &dyn Source) -> Result<Cut, Error> {
        let kernel = self.kernel(source.spec())?;
        let most = kernel.layout.most(&self.limits, self.chunk_bytes());
        Ok(Cut {
            cutter: Cutter::new(source.lengths(), most),
            kernel,
        })
    }

    /// Writes the inputs of each source's next chunk and submits their work; `None` if none has a
    /// chunk left.
    pub(super) fn start(
        &self,
        cuts: &mut [Cut],
        sources: &[&dyn Source],
        phases: Option<&mut Phases>,
    ) -> Result<Option<Submission>, Error> {
        let timed = phases.is_some();
        let begin = timed.then(Instant::now);
        let mut placed_chunks = Vec::with_capacity(cuts.len());
        for (number, (cut, &source)) in cuts.iter_mut().zip(sources).enumerate() {
            if let Some(chunk) = source.next(&mut cut.cutter, self.copier())? {
                let kernel = &cut.kernel;
                let size = Size::of(&chunk);
                let slot = self.slot(kernel, size.bucket(&kernel.layout.spec, cut.cutter.most))?;
                let offsets = kernel.layout.offsets(size);
                self.write(source, chunk, &slot, &offsets)?;
                placed_chunks.push(PlacedChunk {
                    source: number,
                    chunk,
                    kernel: Arc::clone(kernel),
                    slot,
                    offsets,
                });
            }
        }
        if placed_chunks.is_empty() {
            return Ok(None);
        }
        let written = timed.then(Instant::now);
        let index = self.submit(&mut placed_chunks, timed)?;
        if let (Some(phases), Some(begin), Some(written)) = (phases, begin, written) {
            phases.upload += written - begin;
            phases.queue += written.elapsed();
        }
        Ok(Some(Submission {
            number: Submission::next_number(),
            index,
            placed_chunks,
            timed,
            done: None,
        }))
    }

    /// Submits what the placed chunks' inputs wait for.
    fn submit(&self, placed_chunks: &mut [PlacedChunk], timed: bool) -> Result<wgpu::SubmissionIndex, Error> {
        if timed {
            placed_chunks[0].slot.make_timer(&self.device)?;
        }
        let prepared = match placed_chunks {
            [placed] if !timed => placed.slot.prepared(placed.extent()),
            _ => None,
        };
        let commands = prepared.unwrap_or_else(|| self.record(placed_chunks, timed));
        self.device.submit(commands)
    }

    /// Records the commands of the next call like this one while the device is busy with this one,
    /// and the host would only look whether it is done. Where sizes alternate, they would be
    /// recorded in vain: not before two calls in a row are alike.
    fn prepare(&self, placed: &mut PlacedChunk) {
        let is_small = placed.offsets.end < Tuning::MEDIUM_FROM_BYTES;
        if placed.slot.repeats(placed.extent()) && is_small && self.tuning().spin_us > 0 {
            let commands = self.record(std::slice::from_ref(placed), false);
            placed.slot.prepare(placed.extent(), commands);
        }
    }

    /// Records the placed chunks' commands.
    fn record(&self, placed_chunks: &[PlacedChunk], timed: bool) -> Recorded {
        let timer = if timed {
            placed_chunks[0].slot.timer_made()
        } else {
            None
        };
        let mut commands = self.device.commands();
        for placed in placed_chunks {
            placed.slot.record_upload(&mut commands, placed.offsets.end);
        }
        let most_groups = self.limits.max_compute_workgroups_per_dimension;
        let dispatches = placed_chunks.iter().flat_map(|placed| {
            let steps = placed.kernel.steps(&placed.chunk, most_groups);
            steps.map(|(groups, immediates)| Dispatch {
                pipeline: &placed.kernel.pipeline,
                bind_group: &placed.slot.bind_group.raw,
                offsets: placed.offsets.starts(),
                immediates,
                immediates_read: placed.kernel.immediates,
                groups,
            })
        });
        commands.pass(timer.map(|timer| &timer.queries), dispatches);
        for placed in placed_chunks {
            let bytes = placed.kernel.layout.output_bytes(placed.chunk.elements);
            placed.slot.record_readback(&mut commands, bytes);
        }
        if let Some(timer) = timer {
            timer.record(&mut commands);
        }
        commands.finish()
    }

    /// An idle slot, or a new one; idle slots of other sizes go if there is no room for it beside
    /// them.
    fn slot(&self, kernel: &Kernel, bucket: Size) -> Result<Slot, Error> {
        let key = Key {
            kernel: kernel.number,
            operator: kernel.operator(),
            bucket,
            transfer: self.tuning().transfer(kernel.layout.inputs_bytes(bucket)),
        };
        let idle = lock(&self.pool).take(key);
        if let Some(slot) = idle {
            self.device.count_pool_hit();
            return Ok(slot);
        }
        match Slot::new(&self.device, kernel, key) {
            Err(Error::OutOfMemory { .. } | Error::TooManyInFlight { .. }) if self.drop_idle() => {
                Slot::new(&self.device, kernel, key)
            }
            result => result,
        }
    }

    /// Writes a chunk's inputs into the slot's mapped buffer, and unmaps it.
    fn write(&self, source: &dyn Source, chunk: Chunk, slot: &Slot, offsets: &Offsets) -> Result<(), Error> {
        let copier = self.copier();
        let upload = slot.upload();
        let mut view = upload
            .get_mapped_range_mut(0..offsets.end)
            .map_err(|error| self.device.faults.failed_by(error))?;
        for (index, (&start, &bytes)) in offsets.starts().iter().zip(offsets.lengths()).enumerate() {
            let start = start as usize;
            source.write(chunk, index, Mapped::new(view.slice(start..start + bytes)), copier);
            self.device.count_up(bytes as u64);
        }
        drop(view);
        upload.unmap();
        Ok(())
    }

    /// Whether a submission is over, for one that waits for it since then: an error if that is too
    /// long.
    pub(super) fn is_over(&self, submission: &Submission, since: Instant) -> Result<bool, Error> {
        let is_over = self.device.is_over(submission.mappings())?;
        if !is_over {
            self.device.in_time(since)?;
        }
        Ok(is_over)
    }

    /// Waits for a submission, hands its output to the sinks, and gives the slots back.
    ///
    /// A slot that met an error is dropped instead: the device may still use its buffers.
    pub(super) fn finish(
        &self,
        submission: Submission,
        sinks: &mut [&mut dyn Sink],
        mut phases: Option<&mut Phases>,
    ) -> Result<(), Error> {
        let begin = phases.is_some().then(Instant::now);
        let spin = Duration::from_micros(self.tuning().spin_us);
        self.device.wait(&submission.index, submission.mappings(), spin)?;
        let waited = phases.is_some().then(Instant::now);
        if submission.timed
            && let Some(timer) = submission.placed_chunks[0].slot.timer_made()
        {
            let time = timer.read(&self.device)?;
            if let Some(phases) = phases.as_deref_mut() {
                *phases.device.get_or_insert_default() += time;
            }
        }
        for placed in submission.placed_chunks {
            self.read(&placed, sinks[placed.source])?;
            lock(&self.pool).give(placed.slot);
        }
        if let (Some(phases), Some(begin), Some(waited)) = (phases, begin, waited) {
            phases.queue += waited - begin;
            phases.readback += waited.elapsed();
        }
        Ok(())
    }

    /// Hands a placed chunk's output on, and unmaps it.
    fn read(&self, placed: &PlacedChunk, sink: &mut dyn Sink) -> Result<(), Error> {
        let readback = placed.slot.readback();
        let bytes = placed.kernel.layout.output_bytes(placed.chunk.elements);
        let view = readback
            .get_mapped_range(0..bytes)
            .map_err(|error| self.device.faults.failed_by(error))?;
        sink.take(placed.chunk, &view, self.copier())
            .map_err(|message| self.device.faults.failed(message))?;
        self.device.count_down(bytes);
        drop(view);
        readback.unmap();
        Ok(())
    }

    /// A placed chunk over `elements` whose inputs, all zero, the caller writes in place.
    pub(super) fn place(&self, spec: &Spec, elements: usize, parameters: [u32; 6]) -> Result<PlacedChunk, Error> {
        let kernel = self.kernel(spec)?;
        let most = kernel.layout.most(&self.limits, u64::MAX);
        let chunk = Cutter::new(&[elements], most)
            .next(&[elements])
            .filter(|chunk| chunk.elements == elements)
            .ok_or(Error::NotInPlace {
                operator: spec.operator(),
                elements,
                most: most.elements,
            })?;
        let size = Size::of(&chunk);
        let placed = PlacedChunk {
            source: 0,
            chunk: Chunk { parameters, ..chunk },
            slot: self.slot(&kernel, size.bucket(spec, most))?,
            offsets: kernel.layout.offsets(size),
            kernel,
        };
        // The slot may be one that another task's inputs lie in.
        let view = placed.inputs();
        view.map_err(|error| self.device.faults.failed_by(error))?
            .slice(..)
            .fill(0);
        Ok(placed)
    }

    /// Computes a placed chunk whose inputs are written, and waits for it.
    pub(super) fn compute(&self, placed: &mut PlacedChunk) -> Result<wgpu::BufferView, Error> {
        placed.slot.upload().unmap();
        self.device
            .count_up(placed.offsets.lengths().iter().map(|&bytes| bytes as u64).sum());
        let submission = self.submit(std::slice::from_mut(placed), false)?;
        self.prepare(placed);
        let spin = Duration::from_micros(self.tuning().spin_us);
        self.device.wait(&submission, placed.slot.mappings(), spin)?;
        let bytes = placed.kernel.layout.output_bytes(placed.chunk.elements);
        self.device.count_down(bytes);
        let view = placed.slot.readback().get_mapped_range(0..bytes);
        view.map_err(|error| self.device.faults.failed_by(error))
    }

    /// Gives back a placed chunk that no submission uses.
    pub(super) fn leave(&self, placed: PlacedChunk) {
        lock(&self.pool).give(placed.slot);
    }

    /// The operator's kernel, made on first use.
    pub(super) fn kernel(&self, spec: &Spec) -> Result<Arc<Kernel>, Error> {
        let mut kernels = lock(&self.kernels);
        if let Some(kernel) = kernels.iter().find(|kernel| kernel.layout.spec.is_same(spec)) {
            return Ok(Arc::clone(kernel));
        }
        let kernel = Arc::new(Kernel::new(&self.device, *spec, kernels.len())?);
        kernels.push(Arc::clone(&kernel));
        Ok(kernel)
    }
}
