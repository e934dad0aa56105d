//! The wgpu executor: cuts a batch into chunks, and runs each as one submission with one pass and one dispatch.

mod device;
mod kernel;
mod plan;
mod slot;

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use device::{Device, lock};
use kernel::Kernel;
use plan::Chunk;
use slot::{Key, Pool, Slot};

use crate::{
    adapter::{AdapterInfo, setup_guard},
    counters::Counters,
    error::Error,
    executor::{Options, elements, reserve},
    op::Task,
};

/// Chunks of one call that are on their way at the same time: while one runs, the host fills the next.
const CHUNKS_IN_FLIGHT: usize = 2;

/// The engine, and on GLES the lock that goes with the adapter: its context belongs to one thread at a time, and wgpu
/// panics in a thread that wants it for more than a second (Windows) or six while another has it.
#[derive(Debug)]
pub(crate) struct Gpu {
    /// Present until it is dropped.
    engine: Option<Engine>,
    exclusive: Option<Arc<Mutex<()>>>,
}

impl Gpu {
    /// An engine on the adapter; `exclusive` is shared by all engines on it, and held during each call.
    pub(crate) fn new(
        info: &AdapterInfo,
        adapter: &wgpu::Adapter,
        exclusive: Option<Arc<Mutex<()>>>,
        options: Options,
    ) -> Result<Self, Error> {
        let engine = {
            let _setup = setup_guard();
            let _guard = exclusive.as_deref().map(lock);
            Engine::new(info, adapter, options)?
        };
        Ok(Self {
            engine: Some(engine),
            exclusive,
        })
    }

    pub(crate) fn counters(&self) -> Counters {
        self.engine().device.counters()
    }

    pub(crate) fn lose_device(&self) {
        let _guard = self.exclusive.as_deref().map(lock);
        self.engine().device.lose();
    }

    /// Runs a batch; outputs come in the order of the tasks.
    pub(crate) fn run<T: Task>(&self, tasks: &[T]) -> Result<Vec<Vec<T::Item>>, Error> {
        let _guard = self.exclusive.as_deref().map(lock);
        self.engine().run(tasks)
    }

    fn engine(&self) -> &Engine {
        self.engine.as_ref().expect("present until it is dropped")
    }
}

impl Drop for Gpu {
    fn drop(&mut self) {
        let _setup = setup_guard();
        let _guard = self.exclusive.as_deref().map(lock);
        self.engine = None;
    }
}

/// Runs tasks on one wgpu device.
#[derive(Debug)]
struct Engine {
    device: Device,
    limits: wgpu::Limits,
    chunk_bytes: u64,
    kernels: Mutex<Vec<Arc<Kernel>>>,
    pool: Mutex<Pool>,
}

/// A chunk on its way, with the slot it uses.
struct InFlight<'a> {
    chunk: &'a Chunk,
    slot: Slot,
    submission: wgpu::SubmissionIndex,
}

impl Engine {
    fn new(info: &AdapterInfo, adapter: &wgpu::Adapter, options: Options) -> Result<Self, Error> {
        if let Some(reason) = &info.unusable {
            return Err(Error::AdapterUnusable {
                backend: info.backend,
                adapter: info.name.clone(),
                reason: reason.clone(),
            });
        }
        let device = Device::new(info, adapter, options.timeout)?;
        Ok(Self {
            limits: device.limits(),
            device,
            chunk_bytes: options.chunk_bytes,
            kernels: Mutex::default(),
            pool: Mutex::default(),
        })
    }

    fn run<T: Task>(&self, tasks: &[T]) -> Result<Vec<Vec<T::Item>>, Error> {
        let lengths = elements(tasks)?;
        let mut outputs = lengths
            .iter()
            .map(|&n| reserve(n))
            .collect::<Result<Vec<Vec<T::Item>>, _>>()?;
        let kernel = self.kernel::<T>()?;
        let most = kernel.layout.most_elements(&self.limits, self.chunk_bytes);
        let chunks = plan::chunks(&lengths, most);
        let mut in_flight = VecDeque::with_capacity(CHUNKS_IN_FLIGHT);
        for chunk in &chunks {
            if in_flight.len() == CHUNKS_IN_FLIGHT
                && let Some(oldest) = in_flight.pop_front()
            {
                self.finish(oldest, &kernel, &mut outputs)?;
            }
            in_flight.push_back(self.start(chunk, tasks, &kernel, most)?);
        }
        for chunk in in_flight {
            self.finish(chunk, &kernel, &mut outputs)?;
        }
        Ok(outputs)
    }

    /// Writes a chunk's inputs and submits its work.
    fn start<'a, T: Task>(
        &self,
        chunk: &'a Chunk,
        tasks: &[T],
        kernel: &Kernel,
        most: usize,
    ) -> Result<InFlight<'a>, Error> {
        let key = Key {
            operator: kernel.operator,
            bucket: plan::bucket(chunk.elements).min(most),
        };
        let slot = self.slot(kernel, key)?;
        let offsets = kernel.layout.offsets(chunk.elements);
        let used = offsets[offsets.len() - 1] as u64;
        self.write(chunk, tasks, kernel, &slot, &offsets)?;

        let (groups, immediates) = Kernel::grid(chunk.elements, self.limits.max_compute_workgroups_per_dimension);
        let starts: Vec<u32> = offsets[..offsets.len() - 1]
            .iter()
            .map(|&offset| u32::try_from(offset).expect("a chunk's inputs end below 4 GiB"))
            .collect();
        let output_bytes = kernel.layout.output_bytes(chunk.elements);
        let mut commands = self.device.commands();
        commands.copy(&slot.upload, &slot.inputs, used);
        commands.dispatch(
            &kernel.pipeline,
            &slot.bind_group,
            &starts,
            bytemuck::cast_slice(&immediates),
            groups,
        );
        commands.copy(&slot.output, &slot.readback, output_bytes);
        commands.map(&slot.readback, wgpu::MapMode::Read, output_bytes, &slot.readback_mapped);
        commands.map(
            &slot.upload,
            wgpu::MapMode::Write,
            slot.upload.size(),
            &slot.upload_mapped,
        );
        let submission = self.device.submit(commands)?;
        Ok(InFlight {
            chunk,
            slot,
            submission,
        })
    }

    /// An idle slot, or a new one; idle slots of other sizes go if there is no memory for it beside them.
    fn slot(&self, kernel: &Kernel, key: Key) -> Result<Slot, Error> {
        let idle = lock(&self.pool).take(key);
        if let Some(slot) = idle {
            self.device.count_pool_hit();
            return Ok(slot);
        }
        match Slot::new(&self.device, kernel, key) {
            Err(Error::OutOfMemory { .. }) if lock(&self.pool).clear() => Slot::new(&self.device, kernel, key),
            result => result,
        }
    }

    /// Writes a chunk's inputs into the slot's mapped upload buffer, and unmaps it.
    fn write<T: Task>(
        &self,
        chunk: &Chunk,
        tasks: &[T],
        kernel: &Kernel,
        slot: &Slot,
        offsets: &[usize],
    ) -> Result<(), Error> {
        let used = offsets[offsets.len() - 1];
        let mut view = slot
            .upload
            .get_mapped_range_mut(0..used as u64)
            .map_err(|error| self.device.failed(error.to_string()))?;
        for (input, &stride) in kernel.layout.input_strides().iter().enumerate() {
            let mut at = offsets[input];
            for piece in &chunk.pieces {
                let bytes = &tasks[piece.task].input(input)[piece.elements.start * stride..piece.elements.end * stride];
                view.slice(at..at + bytes.len()).copy_from_slice(bytes);
                at += bytes.len();
            }
            self.device.count_up((at - offsets[input]) as u64);
        }
        drop(view);
        slot.upload.unmap();
        Ok(())
    }

    /// Waits for a chunk, appends its output to its tasks', and gives the slot back.
    ///
    /// A slot that met an error is dropped instead: the device may still use its buffers.
    fn finish<I: bytemuck::Pod>(
        &self,
        in_flight: InFlight<'_>,
        kernel: &Kernel,
        outputs: &mut [Vec<I>],
    ) -> Result<(), Error> {
        let InFlight {
            chunk,
            slot,
            submission,
        } = in_flight;
        self.device
            .wait(&submission, &[&slot.readback_mapped, &slot.upload_mapped])?;
        let bytes = kernel.layout.output_bytes(chunk.elements);
        let view = slot
            .readback
            .get_mapped_range(0..bytes)
            .map_err(|error| self.device.failed(error.to_string()))?;
        let items: &[I] = bytemuck::try_cast_slice(&view).map_err(|error| {
            self.device
                .failed(format!("the mapping cannot be read as the output's type: {error}"))
        })?;
        let mut at = 0;
        for piece in &chunk.pieces {
            let end = at + piece.elements.len();
            outputs[piece.task].extend_from_slice(&items[at..end]);
            at = end;
        }
        self.device.count_down(bytes);
        drop(view);
        slot.readback.unmap();
        lock(&self.pool).give(slot);
        Ok(())
    }

    /// The operator's kernel, made on first use.
    fn kernel<T: Task>(&self) -> Result<Arc<Kernel>, Error> {
        let mut kernels = lock(&self.kernels);
        if let Some(kernel) = kernels.iter().find(|k| k.operator == T::OPERATOR) {
            return Ok(Arc::clone(kernel));
        }
        let kernel = Arc::new(Kernel::new::<T>(&self.device)?);
        kernels.push(Arc::clone(&kernel));
        Ok(kernel)
    }
}
