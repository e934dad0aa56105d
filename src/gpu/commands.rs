//! Commands being recorded, and the mappings that come with them.

use std::{
    sync::{Arc, Condvar, Mutex, PoisonError},
    time::Duration,
};

use super::faults::lock;
use crate::{counters::Counters, task::Step};

/// One dispatch.
pub(super) struct Dispatch<'a> {
    pub(super) pipeline: &'a wgpu::ComputePipeline,
    pub(super) bind_group: &'a wgpu::BindGroup,
    pub(super) offsets: &'a [u32],
    pub(super) immediates: [u32; Step::MAX_IMMEDIATES],
    /// How many of them the kernel reads.
    pub(super) immediates_read: usize,
    pub(super) groups: [u32; 2],
}

/// Commands being recorded.
pub(super) struct Commands {
    encoder: wgpu::CommandEncoder,
    /// Whether the device's memory is other memory than the host's, or behind other caches.
    is_apart: bool,
    counted: Counters,
    mappings: Vec<MapResult>,
}

/// Commands that wait for their submission; what they count is counted then.
#[derive(Debug)]
pub(super) struct Recorded {
    pub(super) commands: wgpu::CommandBuffer,
    pub(super) counted: Counters,
    /// What the submission asks to be mapped.
    pub(super) mappings: Vec<MapResult>,
}

impl Commands {
    pub(super) fn new(device: &wgpu::Device, is_apart: bool) -> Self {
        Self {
            encoder: device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default()),
            is_apart,
            counted: Counters::default(),
            mappings: Vec::new(),
        }
    }

    /// Ends the recording.
    pub(super) fn finish(self) -> Recorded {
        Recorded {
            commands: self.encoder.finish(),
            counted: self.counted,
            mappings: self.mappings,
        }
    }

    /// Copies the first `bytes` bytes.
    pub(super) fn copy(&mut self, from: &wgpu::Buffer, to: &wgpu::Buffer, bytes: u64) {
        self.counted.copies += 1;
        self.encoder.copy_buffer_to_buffer(from, 0, to, 0, bytes);
    }

    /// Copies `bytes` from a place in one buffer to a place in another.
    pub(super) fn copy_range(&mut self, from: (&wgpu::Buffer, u64), to: (&wgpu::Buffer, u64), bytes: u64) {
        self.counted.copies += 1;
        self.encoder.copy_buffer_to_buffer(from.0, from.1, to.0, to.1, bytes);
    }

    /// Says in `done` that everything before it is done.
    pub(super) fn tell(&mut self, done: &MapResult) {
        self.mappings.push(done.clone());
        let done = done.clone();
        self.encoder.on_submitted_work_done(move || done.set(true));
    }

    /// One pass, with timestamps at its begin and end if `queries` is there.
    pub(super) fn pass<'d>(
        &mut self,
        queries: Option<&wgpu::QuerySet>,
        dispatches: impl Iterator<Item = Dispatch<'d>>,
    ) {
        self.counted.passes += 1;
        let timestamp_writes = queries.map(|query_set| wgpu::ComputePassTimestampWrites {
            query_set,
            beginning_of_pass_write_index: Some(0),
            end_of_pass_write_index: Some(1),
        });
        let mut pass = self.encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
            label: None,
            timestamp_writes,
        });
        for dispatch in dispatches {
            self.counted.dispatches += 1;
            pass.set_pipeline(dispatch.pipeline);
            pass.set_bind_group(0, dispatch.bind_group, dispatch.offsets);
            pass.set_immediates(
                0,
                bytemuck::cast_slice(&dispatch.immediates[..dispatch.immediates_read]),
            );
            let [x, y] = dispatch.groups;
            pass.dispatch_workgroups(x, y, 1);
        }
    }

    /// Writes both timestamps of a pass to `to`.
    pub(super) fn resolve(&mut self, queries: &wgpu::QuerySet, to: &wgpu::Buffer) {
        self.encoder.resolve_query_set(queries, 0..2, to, 0);
    }

    /// Makes what the commands before it wrote visible to a host that maps the buffer, as Vulkan
    /// asks for and wgpu does not.
    ///
    /// A driver that computes on the CPU writes through the caches the host reads from, and there
    /// the barrier is no more than 8 µs of lavapipe's time, a fifth of a small call.
    pub(super) fn show_to_host(&mut self, buffer: &wgpu::Buffer) {
        if !self.is_apart {
            return;
        }
        let transition = wgpu::BufferTransition {
            buffer,
            state: wgpu::BufferUses::MAP_READ,
        };
        self.encoder
            .transition_resources(std::iter::once(transition), std::iter::empty());
    }

    /// Maps the first `bytes` bytes once the commands before it are done, and says so in `done`.
    pub(super) fn map(&mut self, buffer: &wgpu::Buffer, mode: wgpu::MapMode, bytes: u64, done: &MapResult) {
        self.counted.maps += 1;
        self.mappings.push(done.clone());
        let done = done.clone();
        self.encoder
            .map_buffer_on_submit(buffer, mode, 0..bytes, move |result| done.set(result.is_ok()));
    }
}

/// Whether a mapping has succeeded; shared with wgpu's callback.
#[derive(Clone, Debug, Default)]
pub(super) struct MapResult(Arc<(Mutex<Option<bool>>, Condvar)>);

impl MapResult {
    /// Before the submission that asks for the mapping.
    pub(super) fn expect(&self) {
        *lock(&self.0.0) = None;
    }

    fn set(&self, result: bool) {
        let (state, changed) = &*self.0;
        *lock(state) = Some(result);
        changed.notify_all();
    }

    /// Whether the callback was made.
    pub(super) fn is_known(&self) -> bool {
        lock(&self.0.0).is_some()
    }

    /// Waits for the callback, which another thread's poll may be about to make, and says whether
    /// it had good news.
    pub(super) fn wait(&self, most: Duration) -> Option<bool> {
        let (state, changed) = &*self.0;
        let pending = |result: &mut Option<bool>| result.is_none();
        let waited = changed.wait_timeout_while(lock(state), most, pending);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}
