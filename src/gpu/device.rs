//! The thin layer through which every call into wgpu goes: it counts, and turns what wgpu reports into errors.

use std::{
    panic::AssertUnwindSafe,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::ThreadId,
    time::{Duration, Instant},
};

use crate::{
    adapter::AdapterInfo,
    counters::{AtomicCounters, Counters, add},
    error::Error,
};

/// A device with its queue.
#[derive(Debug)]
pub(super) struct Device {
    device: wgpu::Device,
    queue: wgpu::Queue,
    adapter_name: String,
    counters: AtomicCounters,
    faults: Arc<Mutex<Faults>>,
    timeout: Duration,
}

/// Buffers that are bound in all bind groups there are, three in each. DX12 alone has this limit, and reserves room for
/// all of them with every device: wgpu's million took 10 GB and 8 s on a driver that computes on the CPU.
const MOST_BINDINGS: u32 = 1 << 15;

/// What wgpu reported outside of the call that caused it.
#[derive(Debug, Default)]
struct Faults {
    /// Why the device is gone; stays once it is set.
    lost: Option<String>,
    /// Errors not looked at yet, with the thread whose call caused each: wgpu reports them on that thread.
    errors: Vec<(ThreadId, wgpu::Error)>,
}

impl Device {
    pub(super) fn new(info: &AdapterInfo, adapter: &wgpu::Adapter, timeout: Duration) -> Result<Self, Error> {
        let driver_error = |message: String| Error::Driver {
            adapter: info.name.clone(),
            message,
        };
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("gpu-executor"),
            required_features: wgpu::Features::IMMEDIATES,
            // wgpu's defaults are far below what adapters offer.
            required_limits: wgpu::Limits {
                max_non_sampler_bindings: MOST_BINDINGS,
                ..adapter.limits()
            },
            experimental_features: wgpu::ExperimentalFeatures::disabled(),
            memory_hints: wgpu::MemoryHints::Performance,
            trace: wgpu::Trace::Off,
        };
        let (device, queue) =
            pollster::block_on(adapter.request_device(&descriptor)).map_err(|error| driver_error(error.to_string()))?;
        let faults = Arc::new(Mutex::new(Faults::default()));
        device.set_device_lost_callback({
            let faults = Arc::clone(&faults);
            move |reason, message| {
                let reason = format!("{reason:?}: {message}").to_lowercase();
                lock(&faults).lost.get_or_insert(reason);
            }
        });
        // Without a handler of ours wgpu panics.
        device.on_uncaptured_error({
            let faults = Arc::clone(&faults);
            Arc::new(move |error| lock(&faults).errors.push((std::thread::current().id(), error)))
        });
        Ok(Self {
            device,
            queue,
            adapter_name: info.name.clone(),
            counters: AtomicCounters::default(),
            faults,
            timeout,
        })
    }

    pub(super) fn counters(&self) -> Counters {
        self.counters.read()
    }

    pub(super) fn limits(&self) -> wgpu::Limits {
        self.device.limits()
    }

    pub(super) fn lose(&self) {
        // Before the device goes, so that a call under way on another thread finds the reason for its failure.
        lock(&self.faults).lost.get_or_insert_with(|| "destroyed".to_owned());
        self.device.destroy();
    }

    /// Creates a buffer, whose size is a multiple of 4.
    pub(super) fn create_buffer(
        &self,
        label: &str,
        size: u64,
        usage: wgpu::BufferUsages,
        mapped_at_creation: bool,
    ) -> Result<wgpu::Buffer, Error> {
        add(&self.counters.buffers_created, 1);
        self.scoped(size, || {
            self.device.create_buffer(&wgpu::BufferDescriptor {
                label: Some(label),
                size,
                usage,
                mapped_at_creation,
            })
        })
    }

    pub(super) fn create_bind_group(
        &self,
        label: &str,
        layout: &wgpu::BindGroupLayout,
        entries: &[wgpu::BindGroupEntry<'_>],
    ) -> Result<wgpu::BindGroup, Error> {
        add(&self.counters.bind_groups_created, 1);
        self.scoped(0, || {
            self.device.create_bind_group(&wgpu::BindGroupDescriptor {
                label: Some(label),
                layout,
                entries,
            })
        })
    }

    /// Creates a compute pipeline over one bind group, with `immediate_bytes` of immediates.
    pub(super) fn create_pipeline(
        &self,
        label: &str,
        wgsl: &str,
        entries: &[wgpu::BindGroupLayoutEntry],
        immediate_bytes: u32,
    ) -> Result<(wgpu::ComputePipeline, wgpu::BindGroupLayout), Error> {
        add(&self.counters.pipelines_created, 1);
        self.scoped(0, || {
            let module = self.device.create_shader_module(wgpu::ShaderModuleDescriptor {
                label: Some(label),
                source: wgpu::ShaderSource::Wgsl(wgsl.into()),
            });
            let layout = self.device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
                label: Some(label),
                entries,
            });
            let pipeline_layout = self.device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
                label: Some(label),
                bind_group_layouts: &[Some(&layout)],
                immediate_size: immediate_bytes,
            });
            let pipeline = self.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                label: Some(label),
                layout: Some(&pipeline_layout),
                module: &module,
                entry_point: Some("main"),
                compilation_options: wgpu::PipelineCompilationOptions::default(),
                cache: None,
            });
            (pipeline, layout)
        })
    }

    pub(super) fn count_up(&self, bytes: u64) {
        add(&self.counters.bytes_up, bytes);
    }

    pub(super) fn count_pool_hit(&self) {
        add(&self.counters.pool_hits, 1);
    }

    pub(super) fn count_down(&self, bytes: u64) {
        add(&self.counters.bytes_down, bytes);
    }

    /// Starts recording commands.
    pub(super) fn commands(&self) -> Commands<'_> {
        Commands {
            encoder: self
                .device
                .create_command_encoder(&wgpu::CommandEncoderDescriptor::default()),
            counters: &self.counters,
        }
    }

    /// Submits recorded commands.
    pub(super) fn submit(&self, commands: Commands<'_>) -> Result<wgpu::SubmissionIndex, Error> {
        add(&self.counters.submits, 1);
        let index = self.queue.submit([commands.encoder.finish()]);
        self.check()?;
        Ok(index)
    }

    /// Waits until a submission and the mappings asked for with it are done.
    pub(super) fn wait(&self, submission: &wgpu::SubmissionIndex, mappings: &[&MapResult]) -> Result<(), Error> {
        let start = Instant::now();
        loop {
            self.check()?;
            let left = self.timeout.saturating_sub(start.elapsed());
            let poll = self.poll(wgpu::PollType::Wait {
                submission_index: Some(submission.clone()),
                timeout: Some(left),
            });
            match poll {
                Ok(Ok(_)) => break,
                // GLES gives up after some two seconds, whatever time-out it was given.
                Ok(Err(wgpu::PollError::Timeout)) if start.elapsed() < self.timeout => {}
                Ok(Err(wgpu::PollError::Timeout)) => return Err(self.timed_out()),
                Ok(Err(error)) => return Err(self.failed(error.to_string())),
                Err(message) => {
                    self.check()?;
                    return Err(self.lost(message));
                }
            }
        }
        for mapping in mappings {
            let left = self
                .timeout
                .saturating_sub(start.elapsed())
                .max(Duration::from_millis(100));
            match mapping.wait(left) {
                Some(true) => {}
                Some(false) => return Err(self.failed("a staging buffer could not be mapped".to_owned())),
                None => return Err(self.timed_out()),
            }
        }
        self.check()
    }

    fn timed_out(&self) -> Error {
        Error::Timeout {
            adapter: self.adapter_name.clone(),
            waited: self.timeout,
        }
    }

    /// The error for a call that failed: what wgpu reported meanwhile, the loss of the device above all, else `message`.
    pub(super) fn failed(&self, message: String) -> Error {
        self.check().err().unwrap_or_else(|| self.driver(message))
    }

    fn driver(&self, message: String) -> Error {
        Error::Driver {
            adapter: self.adapter_name.clone(),
            message,
        }
    }

    /// Polls; the outer error is the message of a panic, which is how wgpu reports a lost device here.
    fn poll(&self, how: wgpu::PollType) -> Result<Result<wgpu::PollStatus, wgpu::PollError>, String> {
        add(&self.counters.polls, 1);
        std::panic::catch_unwind(AssertUnwindSafe(|| self.device.poll(how))).map_err(|panic| {
            let message = panic.downcast_ref::<String>().map(String::as_str);
            message
                .or(panic.downcast_ref::<&str>().copied())
                .unwrap_or("panic in poll")
                .to_owned()
        })
    }

    /// Runs a creation and returns the error it caused, if any. Not for the steady state: it costs three scopes.
    fn scoped<R>(&self, bytes: u64, create: impl FnOnce() -> R) -> Result<R, Error> {
        self.check()?;
        let memory = self.device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let validation = self.device.push_error_scope(wgpu::ErrorFilter::Validation);
        let internal = self.device.push_error_scope(wgpu::ErrorFilter::Internal);
        let created = create();
        // Scopes nest: the last one opened is the first to be closed.
        let scopes = [internal, validation, memory];
        let errors = scopes.map(|scope| pollster::block_on(scope.pop()));
        self.check()?;
        match errors.into_iter().flatten().next() {
            None => Ok(created),
            Some(error) => Err(self.reported(&error, bytes)),
        }
    }

    /// What wgpu reported of this thread's calls since the last look, or that the device is gone.
    fn check(&self) -> Result<(), Error> {
        let mut faults = lock(&self.faults);
        if let Some(reason) = &faults.lost {
            return Err(self.lost(reason.clone()));
        }
        let this = std::thread::current().id();
        match faults.errors.iter().position(|(thread, _)| *thread == this) {
            None => Ok(()),
            Some(at) => {
                let (_, error) = faults.errors.swap_remove(at);
                Err(self.reported(&error, 0))
            }
        }
    }

    fn reported(&self, error: &wgpu::Error, bytes: u64) -> Error {
        match error {
            wgpu::Error::OutOfMemory { .. } => Error::OutOfMemory {
                adapter: self.adapter_name.clone(),
                bytes,
            },
            other => self.driver(other.to_string()),
        }
    }

    fn lost(&self, reason: String) -> Error {
        Error::DeviceLost {
            adapter: self.adapter_name.clone(),
            reason,
        }
    }
}

/// Commands being recorded.
pub(super) struct Commands<'a> {
    encoder: wgpu::CommandEncoder,
    counters: &'a AtomicCounters,
}

impl Commands<'_> {
    /// Copies the first `bytes` bytes.
    pub(super) fn copy(&mut self, from: &wgpu::Buffer, to: &wgpu::Buffer, bytes: u64) {
        add(&self.counters.copies, 1);
        self.encoder.copy_buffer_to_buffer(from, 0, to, 0, bytes);
    }

    /// One pass with one dispatch.
    pub(super) fn dispatch(
        &mut self,
        pipeline: &wgpu::ComputePipeline,
        bind_group: &wgpu::BindGroup,
        offsets: &[u32],
        immediates: &[u8],
        [x, y]: [u32; 2],
    ) {
        add(&self.counters.passes, 1);
        add(&self.counters.dispatches, 1);
        let mut pass = self.encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
        pass.set_pipeline(pipeline);
        pass.set_bind_group(0, bind_group, offsets);
        pass.set_immediates(0, immediates);
        pass.dispatch_workgroups(x, y, 1);
    }

    /// Maps the first `bytes` bytes once the commands before it are done, and says so in `done`.
    pub(super) fn map(&mut self, buffer: &wgpu::Buffer, mode: wgpu::MapMode, bytes: u64, done: &MapResult) {
        add(&self.counters.maps, 1);
        let done = done.clone();
        done.set(None);
        self.encoder
            .map_buffer_on_submit(buffer, mode, 0..bytes, move |result| done.set(Some(result.is_ok())));
    }
}

/// Whether a mapping has succeeded; shared with wgpu's callback.
#[derive(Clone, Debug, Default)]
pub(super) struct MapResult(Arc<(Mutex<Option<bool>>, Condvar)>);

impl MapResult {
    fn set(&self, result: Option<bool>) {
        let (state, changed) = &*self.0;
        *lock(state) = result;
        changed.notify_all();
    }

    /// Waits for the callback, which another thread's poll may be about to make, and says whether it had good news.
    fn wait(&self, most: Duration) -> Option<bool> {
        let (state, changed) = &*self.0;
        let pending = |result: &mut Option<bool>| result.is_none();
        let waited = changed.wait_timeout_while(lock(state), most, pending);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

/// Locks, also after a panic of another thread: every value guarded here is whole between statements.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
