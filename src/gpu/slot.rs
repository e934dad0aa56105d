//! The buffers one chunk needs, made once per operator, size bucket and mode, and used again.

use std::{collections::VecDeque, time::Duration};

use super::{
    commands::{Commands, MapResult, Recorded},
    device::{BindGroup, Device},
    faults::Inside,
    kernel::{Kernel, Size},
};
use crate::{
    error::Error,
    plan::Extent,
    tuning::{Transfer, TransferMode},
};

/// What a slot can be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Key {
    /// The number of the kernel that the bind group is for.
    pub(super) kernel: usize,
    /// Its operator's name.
    pub(super) operator: &'static str,
    /// What the buffers hold.
    pub(super) bucket: Size,
    /// Which buffers there are.
    pub(super) transfer: Transfer,
}

/// A buffer of the kernel's and, unless the host shares it, one of the host's.
#[derive(Debug)]
struct Pair {
    kernel: wgpu::Buffer,
    staging: Option<wgpu::Buffer>,
    mapped: MapResult,
}

impl Pair {
    fn host(&self) -> &wgpu::Buffer {
        self.staging.as_ref().unwrap_or(&self.kernel)
    }

    fn bytes(&self) -> u64 {
        self.kernel.size() + self.staging.as_ref().map_or(0, wgpu::Buffer::size)
    }
}

/// Buffers and bind group for one chunk in flight.
///
/// The inputs' host side is mapped while the slot is idle, so that a call can begin to write at
/// once.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(super) key: Key,
    inputs: Pair,
    output: Pair,
    pub(super) bind_group: BindGroup,
    timer: Option<Timer>,
    prepared: Option<(Extent, Recorded)>,
    /// The extent of the last call that commands may be recorded ahead of.
    last: Option<Extent>,
}

impl Slot {
    pub(super) fn new(device: &Device, kernel: &Kernel, key: Key) -> Result<Self, Error> {
        use wgpu::BufferUsages as Usage;
        let label = key.operator;
        let pair = |mode, bytes, to_host: bool| {
            let (map, staging, shared) = if to_host {
                (Usage::MAP_READ, Usage::COPY_DST, Usage::COPY_SRC)
            } else {
                (Usage::MAP_WRITE, Usage::COPY_SRC, Usage::COPY_DST)
            };
            Ok(match mode {
                TransferMode::Direct => Pair {
                    kernel: device.create_buffer(label, bytes, Usage::STORAGE | map, !to_host)?,
                    staging: None,
                    mapped: MapResult::default(),
                },
                TransferMode::Staged => Pair {
                    staging: Some(device.create_buffer(label, bytes, map | staging, !to_host)?),
                    kernel: device.create_buffer(label, bytes, Usage::STORAGE | shared, false)?,
                    mapped: MapResult::default(),
                },
            })
        };
        let inputs = pair(key.transfer.upload, kernel.layout.inputs_bytes(key.bucket), false)?;
        let output = pair(key.transfer.readback, kernel.layout.room_bytes(key.bucket), true)?;
        let bind_group = kernel.bind(device, &inputs.kernel, &output.kernel, key.bucket)?;
        Ok(Self {
            key,
            inputs,
            output,
            bind_group,
            timer: None,
            prepared: None,
            last: None,
        })
    }

    /// Where the host writes the inputs.
    pub(super) fn upload(&self) -> &wgpu::Buffer {
        self.inputs.host()
    }

    /// Where the host reads the output.
    pub(super) fn readback(&self) -> &wgpu::Buffer {
        self.output.host()
    }

    /// Records what comes before the kernel: the first `bytes` bytes of the inputs go where it
    /// reads them.
    pub(super) fn record_upload(&self, commands: &mut Commands, bytes: u64) {
        if let Some(staging) = &self.inputs.staging {
            commands.copy(staging, &self.inputs.kernel, bytes);
        }
    }

    /// Records what comes after the kernel: the first `bytes` bytes of the output go where the host
    /// reads them, and both of the host's buffers are mapped.
    pub(super) fn record_readback(&self, commands: &mut Commands, bytes: u64) {
        if let Some(staging) = &self.output.staging {
            commands.copy(&self.output.kernel, staging, bytes);
        }
        commands.show_to_host(self.readback());
        commands.map(self.readback(), wgpu::MapMode::Read, bytes, &self.output.mapped);
        let upload = self.upload();
        commands.map(upload, wgpu::MapMode::Write, upload.size(), &self.inputs.mapped);
    }

    /// Whether the last call was of this extent too; remembers it.
    pub(super) fn repeats(&mut self, extent: Extent) -> bool {
        self.last.replace(extent) == Some(extent)
    }

    /// Keeps commands for the next chunk of the same extent, so that it need not wait for their
    /// recording.
    pub(super) fn prepare(&mut self, extent: Extent, commands: Recorded) {
        self.prepared = Some((extent, commands));
    }

    /// The commands for a chunk, if they were prepared. Those of another extent are dropped.
    pub(super) fn prepared(&mut self, extent: Extent) -> Option<Recorded> {
        let (prepared, commands) = self.prepared.take()?;
        (prepared == extent).then_some(commands)
    }

    /// The mappings asked for with the slot's commands.
    pub(super) fn mappings(&self) -> impl Iterator<Item = &MapResult> + Clone {
        [&self.output.mapped, &self.inputs.mapped]
            .into_iter()
            .chain(self.timer.as_ref().map(|timer| &timer.mapped))
    }

    /// Makes what times the slot's pass, unless it is there or the device has no clock.
    pub(super) fn make_timer(&mut self, device: &Device) -> Result<(), Error> {
        if self.timer.is_none() && device.has_timestamps() {
            self.timer = Some(Timer::new(device, self.key.operator)?);
        }
        Ok(())
    }

    /// The timer, if it was made.
    pub(super) fn timer_made(&self) -> Option<&Timer> {
        self.timer.as_ref()
    }

    fn bytes(&self) -> u64 {
        self.inputs.bytes() + self.output.bytes()
    }
}

/// Buffers are wgpu's objects, and go within a use of it: on GLES OpenGL's context is this thread's
/// then.
impl Drop for Slot {
    fn drop(&mut self) {
        debug_assert!(
            Inside::is() || std::thread::panicking(),
            "{}: a slot is dropped while wgpu is not in use",
            self.key.operator
        );
    }
}

/// Two timestamps that are read back.
#[derive(Debug)]
pub(super) struct Timer {
    pub(super) queries: wgpu::QuerySet,
    resolved: wgpu::Buffer,
    readback: wgpu::Buffer,
    mapped: MapResult,
}

impl Timer {
    const BYTES: u64 = 16;

    fn new(device: &Device, label: &str) -> Result<Self, Error> {
        use wgpu::BufferUsages as Usage;
        Ok(Self {
            queries: device.create_queries(label)?,
            resolved: device.create_buffer(label, Self::BYTES, Usage::QUERY_RESOLVE | Usage::COPY_SRC, false)?,
            readback: device.create_buffer(label, Self::BYTES, Usage::MAP_READ | Usage::COPY_DST, false)?,
            mapped: MapResult::default(),
        })
    }

    /// Records what brings the timestamps to the host.
    pub(super) fn record(&self, commands: &mut Commands) {
        commands.resolve(&self.queries, &self.resolved);
        commands.copy(&self.resolved, &self.readback, Self::BYTES);
        commands.show_to_host(&self.readback);
        commands.map(&self.readback, wgpu::MapMode::Read, Self::BYTES, &self.mapped);
    }

    /// The time of the pass, once it is mapped.
    pub(super) fn read(&self, device: &Device) -> Result<Duration, Error> {
        let view = self
            .readback
            .get_mapped_range(..)
            .map_err(|error| device.faults.failed_by(error))?;
        let (begin, end) = view.split_at(8);
        let ticks = |bytes: &[u8]| u64::from_ne_bytes(bytes.try_into().expect("eight bytes"));
        let time = device.between(ticks(begin), ticks(end));
        drop(view);
        self.readback.unmap();
        Ok(time)
    }
}

/// Idle slots, the one used last at the back.
#[derive(Debug)]
pub(super) struct Pool {
    idle: VecDeque<Slot>,
    idle_bytes: u64,
    most_idle_bytes: u64,
}

impl Pool {
    /// A pool with a limit in bytes: beyond it, the slot unused for longest is dropped.
    pub(super) fn new(most_idle_bytes: u64) -> Self {
        Self {
            idle: VecDeque::new(),
            idle_bytes: 0,
            most_idle_bytes,
        }
    }

    pub(super) fn take(&mut self, key: Key) -> Option<Slot> {
        let at = self.idle.iter().rposition(|slot| slot.key == key)?;
        let slot = self.idle.remove(at)?;
        self.idle_bytes -= slot.bytes();
        Some(slot)
    }

    #[cfg(test)]
    pub(super) fn prepared(&self) -> usize {
        self.idle.iter().filter(|slot| slot.prepared.is_some()).count()
    }

    /// Drops all idle slots, and says whether there were any.
    pub(super) fn clear(&mut self) -> bool {
        self.idle_bytes = 0;
        let had_any = !self.idle.is_empty();
        self.idle.clear();
        had_any
    }

    pub(super) fn give(&mut self, slot: Slot) {
        self.idle_bytes += slot.bytes();
        self.idle.push_back(slot);
        while self.idle_bytes > self.most_idle_bytes {
            let Some(oldest) = self.idle.pop_front() else { break };
            self.idle_bytes -= oldest.bytes();
        }
    }
}
