//! The buffers one chunk needs, made once per operator and size bucket and used again.

use std::collections::VecDeque;

use super::{
    device::{Device, MapResult},
    kernel::Kernel,
};
use crate::error::Error;

/// What a slot can be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) operator: &'static str,
    /// Elements the buffers hold.
    pub(super) bucket: usize,
}

/// Buffers and bind group for one chunk in flight.
///
/// The host writes `upload`, which is mapped while the slot is idle; the device copies it to `inputs`, computes
/// `output`, copies that to `readback`, which the host then maps.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) key: Key,
    pub(super) upload: wgpu::Buffer,
    pub(super) upload_mapped: MapResult,
    pub(super) inputs: wgpu::Buffer,
    pub(super) output: wgpu::Buffer,
    pub(super) readback: wgpu::Buffer,
    pub(super) readback_mapped: MapResult,
    pub(super) bind_group: wgpu::BindGroup,
}

impl Slot {
    pub(super) fn new(device: &Device, kernel: &Kernel, key: Key) -> Result<Self, Error> {
        use wgpu::BufferUsages as Usage;
        let inputs_bytes = kernel.layout.inputs_bytes(key.bucket);
        let output_bytes = kernel.layout.output_bytes(key.bucket);
        let label = key.operator;
        let upload = device.create_buffer(label, inputs_bytes, Usage::MAP_WRITE | Usage::COPY_SRC, true)?;
        let inputs = device.create_buffer(label, inputs_bytes, Usage::STORAGE | Usage::COPY_DST, false)?;
        let output = device.create_buffer(label, output_bytes, Usage::STORAGE | Usage::COPY_SRC, false)?;
        let readback = device.create_buffer(label, output_bytes, Usage::MAP_READ | Usage::COPY_DST, false)?;
        let bind_group = kernel.bind(device, &inputs, &output, key.bucket)?;
        Ok(Self {
            key,
            upload,
            upload_mapped: MapResult::default(),
            inputs,
            output,
            readback,
            readback_mapped: MapResult::default(),
            bind_group,
        })
    }

    fn bytes(&self) -> u64 {
        [&self.upload, &self.inputs, &self.output, &self.readback]
            .map(wgpu::Buffer::size)
            .iter()
            .sum()
    }
}

/// Idle slots, the one used last at the back.
#[derive(Debug, Default)]
pub(super) struct Pool {
    idle: VecDeque<Slot>,
    idle_bytes: u64,
}

impl Pool {
    /// Bytes that idle slots may hold before the one unused for longest is dropped.
    const MOST_IDLE_BYTES: u64 = 1 << 30;

    pub(super) fn take(&mut self, key: Key) -> Option<Slot> {
        let at = self.idle.iter().rposition(|slot| slot.key == key)?;
        let slot = self.idle.remove(at)?;
        self.idle_bytes -= slot.bytes();
        Some(slot)
    }

    /// Drops all idle slots, and says whether there were any.
    pub(super) fn clear(&mut self) -> bool {
        let had_any = !self.idle.is_empty();
        *self = Self::default();
        had_any
    }

    pub(super) fn give(&mut self, slot: Slot) {
        self.idle_bytes += slot.bytes();
        self.idle.push_back(slot);
        while self.idle_bytes > Self::MOST_IDLE_BYTES {
            let Some(oldest) = self.idle.pop_front() else { break };
            self.idle_bytes -= oldest.bytes();
        }
    }
}
