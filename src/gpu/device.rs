//! The thin layer through which every call into wgpu goes: it counts, and turns what wgpu reports
//! into errors.

use std::{
    panic::AssertUnwindSafe,
    time::{Duration, Instant},
};

use super::{
    bindings::{Bindings, Taken},
    commands::{Commands, MapResult, Recorded},
    faults::Faults,
    pipelines::StoredPipelines,
};
use crate::{
    adapter::{AdapterInfo, AdapterKind},
    counters::{AtomicCounters, Counters, add},
    error::{Cause, Error},
    options::Options,
    own_device::{OwnDevice, REQUIRED, missing},
    store::Store,
};

/// The optional features that are used where an adapter has them.
const WELCOME: wgpu::Features = wgpu::Features::MAPPABLE_PRIMARY_BUFFERS
    .union(wgpu::Features::TIMESTAMP_QUERY)
    .union(wgpu::Features::PIPELINE_CACHE)
    .union(wgpu::Features::SHADER_INT64);

/// A device with its queue.
#[derive(Debug)]
pub(super) struct Device {
    device: wgpu::Device,
    queue: wgpu::Queue,
    counters: AtomicCounters,
    pub(super) faults: Faults,
    timeout: Duration,
    pipelines: Option<StoredPipelines>,
    pub(super) bindings: Bindings,
    is_apart: bool,
    has_int64: bool,
    /// Whether it stands still: nothing that was submitted is ever done.
    #[cfg(test)]
    pub(super) stands_still: std::sync::atomic::AtomicBool,
}

/// A bind group, whose bindings are counted as long as it lives.
#[derive(Debug)]
pub(super) struct BindGroup {
    pub(super) raw: wgpu::BindGroup,
    _bindings: Taken,
}

/// A kernel's text.
#[derive(Debug)]
pub(super) struct Code<'a> {
    pub(super) wgsl: &'a str,
    /// Whether it is compiled without checks of bounds and loops.
    pub(super) is_trusted: bool,
}

impl Device {
    /// Asks an adapter for a device.
    pub(super) fn open(
        info: &AdapterInfo,
        adapter: &wgpu::Adapter,
        options: &Options,
        store: &Store,
    ) -> Result<Self, Error> {
        let mut welcome = WELCOME;
        welcome.set(wgpu::Features::SHADER_INT64, options.int64);
        let bindings = Bindings::new(info.backend);
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("gpu-executor"),
            required_features: REQUIRED | (adapter.features() & welcome),
            // wgpu's defaults are far below what adapters offer.
            required_limits: bindings.set_aside(adapter.limits()),
            experimental_features: wgpu::ExperimentalFeatures::disabled(),
            memory_hints: wgpu::MemoryHints::Performance,
            trace: wgpu::Trace::Off,
        };
        let opened = pollster::block_on(adapter.request_device(&descriptor));
        let (device, queue) = opened.map_err(|error| Error::Driver {
            adapter: info.name.clone(),
            message: error.to_string(),
            source: Some(Cause::new(error)),
        })?;
        Ok(Self::new(info, OwnDevice::new(device, queue), bindings, options, store))
    }

    /// Takes a program's device.
    pub(super) fn over(info: &AdapterInfo, own: OwnDevice, options: &Options, store: &Store) -> Result<Self, Error> {
        let missing = missing(own.device.features(), &own.device.limits());
        if !missing.is_empty() {
            return Err(Error::DeviceLacks {
                adapter: info.name.clone(),
                missing,
            });
        }
        let bindings = Bindings::of(info.backend, own.device.limits().max_non_sampler_bindings);
        Ok(Self::new(info, own, bindings, options, store))
    }

    fn new(info: &AdapterInfo, own: OwnDevice, bindings: Bindings, options: &Options, store: &Store) -> Self {
        let OwnDevice {
            device,
            queue,
            handlers,
        } = own;
        let pipelines = options
            .keeps_pipelines
            .then(|| StoredPipelines::new(&device, info, store))
            .flatten();
        Self {
            faults: Faults::of(&device, &info.name, handlers),
            pipelines,
            bindings,
            is_apart: info.kind == AdapterKind::Hardware,
            has_int64: options.int64 && device.features().contains(wgpu::Features::SHADER_INT64),
            device,
            queue,
            counters: AtomicCounters::default(),
            timeout: options.timeout,
            #[cfg(test)]
            stands_still: std::sync::atomic::AtomicBool::new(false),
        }
    }

    /// The same device with counters of its own, and the time-out of `options`.
    pub(super) fn twin(&self, options: &Options) -> Self {
        Self {
            device: self.device.clone(),
            queue: self.queue.clone(),
            counters: AtomicCounters::default(),
            faults: self.faults.clone(),
            timeout: options.timeout,
            pipelines: self.pipelines.clone(),
            bindings: self.bindings.clone(),
            is_apart: self.is_apart,
            has_int64: self.has_int64,
            #[cfg(test)]
            stands_still: std::sync::atomic::AtomicBool::new(false),
        }
    }

    pub(super) fn counters(&self) -> Counters {
        self.counters.read()
    }

    pub(super) fn limits(&self) -> wgpu::Limits {
        self.device.limits()
    }

    /// Whether kernels can work on buffers that the host maps.
    pub(super) fn shares_buffers(&self) -> bool {
        self.device
            .features()
            .contains(wgpu::Features::MAPPABLE_PRIMARY_BUFFERS)
    }

    /// Whether kernels can compute with 64-bit integers.
    pub(super) fn has_int64(&self) -> bool {
        self.has_int64
    }

    /// Whether kernels can be timed.
    pub(super) fn has_timestamps(&self) -> bool {
        self.device.features().contains(wgpu::Features::TIMESTAMP_QUERY)
    }

    /// The time between two timestamps.
    pub(super) fn between(&self, begin: u64, end: u64) -> Duration {
        let ticks = end.saturating_sub(begin);
        #[expect(clippy::cast_precision_loss, reason = "2^53 nanoseconds are a hundred days")]
        Duration::from_secs_f64(ticks as f64 * f64::from(self.queue.get_timestamp_period()) / 1e9)
    }

    /// wgpu's own gauges: the number of live objects.
    #[cfg(test)]
    pub(super) fn gauges(&self) -> wgpu::InternalCounters {
        self.device.get_internal_counters()
    }

    /// Gives the device up: from now on nothing is asked of it.
    ///
    /// wgpu's `destroy` is not called: at the next poll wgpu would free all buffers, and others may
    /// be writing to them or reading from them. They go with their owners.
    pub(super) fn lose(&self) {
        let _ = self.faults.gone("destroyed");
    }

    /// Loses the device as its driver would, behind this library's back but for the report.
    #[cfg(test)]
    pub(super) fn lose_in_wgpu(&self) {
        self.lose();
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
    ) -> Result<BindGroup, Error> {
        let taken = self.bindings.take(entries.len() as u64);
        let taken = taken.ok_or_else(|| Error::TooManyInFlight {
            adapter: self.faults.adapter.clone(),
            most: self.bindings.most,
        })?;
        add(&self.counters.bind_groups_created, 1);
        let raw = self.scoped(0, || {
            self.device.create_bind_group(&wgpu::BindGroupDescriptor {
                label: Some(label),
                layout,
                entries,
            })
        })?;
        Ok(BindGroup { raw, _bindings: taken })
    }

    /// Creates a place for two timestamps.
    pub(super) fn create_queries(&self, label: &str) -> Result<wgpu::QuerySet, Error> {
        self.scoped(0, || {
            self.device.create_query_set(&wgpu::QuerySetDescriptor {
                label: Some(label),
                ty: wgpu::QueryType::Timestamp,
                count: 2,
            })
        })
    }

    /// Creates a compute pipeline over one bind group, with `immediate_bytes` of immediates.
    pub(super) fn create_pipeline(
        &self,
        label: &str,
        code: &Code<'_>,
        entries: &[wgpu::BindGroupLayoutEntry],
        immediate_bytes: u32,
    ) -> Result<(wgpu::ComputePipeline, wgpu::BindGroupLayout), Error> {
        add(&self.counters.pipelines_created, 1);
        let created = self.scoped(0, || {
            let descriptor = wgpu::ShaderModuleDescriptor {
                label: Some(label),
                source: wgpu::ShaderSource::Wgsl(code.wgsl.into()),
            };
            let module = if code.is_trusted {
                #[expect(unsafe_code, reason = "a trusted kernel says why")]
                // SAFETY: a kernel must not index out of bounds or loop for ever, which is what
                // `Kernel::trusted` makes its caller promise, of inputs and outputs that lie as
                // this operator's do (`Spec::is_trusted`). Bindings hold the elements of a chunk
                // rounded up to whole threads' (`Layout::most`); strings are read as far as their
                // table says, which `strings::write_table` keeps within the words that are bound.
                unsafe {
                    self.device
                        .create_shader_module_trusted(descriptor, wgpu::ShaderRuntimeChecks::unchecked())
                }
            } else {
                self.device.create_shader_module(descriptor)
            };
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
                compilation_options: wgpu::PipelineCompilationOptions {
                    // Trusted kernels write what they share before they read it.
                    zero_initialize_workgroup_memory: !code.is_trusted,
                    ..wgpu::PipelineCompilationOptions::default()
                },
                cache: self.pipelines.as_ref().map(|pipelines| &pipelines.cache),
            });
            (pipeline, layout)
        })?;
        if let Some(pipelines) = &self.pipelines {
            pipelines.keep();
        }
        Ok(created)
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
    pub(super) fn commands(&self) -> Commands {
        Commands::new(&self.device, self.is_apart)
    }

    /// Submits recorded commands.
    pub(super) fn submit(&self, recorded: Recorded) -> Result<wgpu::SubmissionIndex, Error> {
        self.faults.check()?;
        add(&self.counters.submits, 1);
        self.counters.count(recorded.counted);
        recorded.mappings.iter().for_each(MapResult::expect);
        let index = self.queue.submit([recorded.commands]);
        self.faults.check()?;
        Ok(index)
    }

    /// Looks whether the mappings asked for with a submission are done.
    pub(super) fn is_over<'m>(&self, mut mappings: impl Iterator<Item = &'m MapResult>) -> Result<bool, Error> {
        self.faults.check()?;
        match self.poll(wgpu::PollType::Poll) {
            Ok(Ok(_)) => Ok(mappings.all(MapResult::is_known)),
            Ok(Err(error)) => Err(self.faults.failed_by(error)),
            Err(message) => Err(self.faults.check().err().unwrap_or_else(|| self.faults.lost(message))),
        }
    }

    /// How long one that waits since then may still do so.
    pub(super) fn left(&self, since: Instant) -> Duration {
        self.timeout.saturating_sub(since.elapsed())
    }

    /// The error of one that waits since then, if that is too long.
    pub(super) fn in_time(&self, since: Instant) -> Result<(), Error> {
        if self.left(since).is_zero() {
            Err(self.faults.timed_out(self.timeout))
        } else {
            Ok(())
        }
    }

    /// Waits until a submission and the mappings asked for with it are done: for `spin` by looking
    /// again and again, which costs this core and saves the time it takes to wake up, and then
    /// asleep.
    pub(super) fn wait<'m>(
        &self,
        submission: &wgpu::SubmissionIndex,
        mappings: impl Iterator<Item = &'m MapResult> + Clone,
        spin: Duration,
    ) -> Result<(), Error> {
        let start = Instant::now();
        let mut done = mappings.clone().all(MapResult::is_known);
        let spin = spin.min(self.timeout);
        while !done && start.elapsed() < spin {
            done = self.is_over(mappings.clone())?;
        }
        if !done {
            self.block(submission, start, self.timeout)?;
        }
        for mapping in mappings {
            let left = self
                .timeout
                .saturating_sub(start.elapsed())
                .max(Duration::from_millis(100));
            match mapping.wait(left) {
                Some(true) => {}
                Some(false) => return Err(self.faults.failed("a buffer could not be mapped".to_owned())),
                None => return Err(self.faults.timed_out(self.timeout)),
            }
        }
        self.faults.check()
    }

    /// Sleeps until a submission is done, `most` at the longest from `start` on.
    pub(super) fn block(
        &self,
        submission: &wgpu::SubmissionIndex,
        start: Instant,
        most: Duration,
    ) -> Result<(), Error> {
        loop {
            self.faults.check()?;
            let left = most.saturating_sub(start.elapsed());
            let poll = self.poll(wgpu::PollType::Wait {
                submission_index: Some(submission.clone()),
                timeout: Some(left),
            });
            match poll {
                Ok(Ok(_)) => return Ok(()),
                // GLES gives up after some two seconds, whatever time-out it was given.
                Ok(Err(wgpu::PollError::Timeout)) if start.elapsed() < most => {}
                Ok(Err(wgpu::PollError::Timeout)) => return Err(self.faults.timed_out(self.timeout)),
                Ok(Err(error)) => return Err(self.faults.failed_by(error)),
                Err(message) => {
                    self.faults.check()?;
                    return Err(self.faults.lost(message));
                }
            }
        }
    }

    /// Polls, which may be done only after a look at the faults: wgpu's polls free every buffer of
    /// a lost device, be it mapped and in use or not. The outer error is the message of a panic,
    /// which is how wgpu reports a lost device here.
    fn poll(&self, how: wgpu::PollType) -> Result<Result<wgpu::PollStatus, wgpu::PollError>, String> {
        add(&self.counters.polls, 1);
        #[cfg(test)]
        if self.stands_still.load(std::sync::atomic::Ordering::Relaxed) {
            let wgpu::PollType::Wait { timeout, .. } = how else {
                return Ok(Ok(wgpu::PollStatus::Poll));
            };
            std::thread::sleep(timeout.unwrap_or_default());
            return Ok(Err(wgpu::PollError::Timeout));
        }
        std::panic::catch_unwind(AssertUnwindSafe(|| self.device.poll(how))).map_err(|panic| {
            let message = panic.downcast_ref::<String>().map(String::as_str);
            message
                .or(panic.downcast_ref::<&str>().copied())
                .unwrap_or("panic in poll")
                .to_owned()
        })
    }

    /// Runs a creation and returns the error it caused, if any. Not for the steady state: it costs
    /// three scopes.
    fn scoped<R>(&self, bytes: u64, create: impl FnOnce() -> R) -> Result<R, Error> {
        self.faults.check()?;
        let memory = self.device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let validation = self.device.push_error_scope(wgpu::ErrorFilter::Validation);
        let internal = self.device.push_error_scope(wgpu::ErrorFilter::Internal);
        let created = create();
        // Scopes nest: the last one opened is the first to be closed.
        let scopes = [internal, validation, memory];
        let errors = scopes.map(|scope| pollster::block_on(scope.pop()));
        self.faults.check()?;
        match errors.into_iter().flatten().next() {
            None => Ok(created),
            Some(error) => Err(self.faults.reported(error, bytes)),
        }
    }
}
