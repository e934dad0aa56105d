//! What is on its way: submissions, and the chunks and slots they are of.

use std::{
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use super::{
    commands::MapResult,
    kernel::{Kernel, Offsets},
    slot::Slot,
};
use crate::plan::{Chunk, Extent};

/// One submission on its way: a chunk of each source that had one left.
#[derive(Debug)]
pub(crate) struct Flight {
    /// Later ones have larger numbers.
    pub(super) number: u64,
    pub(super) submission: wgpu::SubmissionIndex,
    pub(super) parts: Vec<Part>,
    pub(super) timed: bool,
    /// Where there are no parts: what is known once everything is done.
    pub(super) done: Option<MapResult>,
}

impl Flight {
    /// A number larger than those before.
    pub(super) fn next_number() -> u64 {
        static FLIGHTS: AtomicU64 = AtomicU64::new(0);
        FLIGHTS.fetch_add(1, Ordering::Relaxed)
    }

    pub(super) fn mappings(&self) -> impl Iterator<Item = &MapResult> + Clone {
        self.parts
            .iter()
            .flat_map(|part| part.slot.mappings())
            .chain(&self.done)
    }
}

/// A source's chunk, with the slot it uses.
#[derive(Debug)]
pub(crate) struct Part {
    /// The number of the source.
    pub(super) source: usize,
    pub(super) chunk: Chunk,
    pub(super) kernel: Arc<Kernel>,
    pub(super) slot: Slot,
    pub(super) offsets: Offsets,
}

impl Part {
    /// Has the kernel given other parameters.
    pub(crate) fn set_parameters(&mut self, parameters: [u32; 6]) {
        self.chunk.parameters = parameters;
    }

    /// What its chunk has.
    pub(super) fn extent(&self) -> Extent {
        self.kernel.layout.extent(&self.chunk)
    }

    /// The mapped inputs, to be written.
    pub(super) fn inputs(&self) -> Result<wgpu::BufferViewMut, wgpu::MapRangeError> {
        self.slot.upload().get_mapped_range_mut(0..self.offsets.end)
    }

    /// Where input `index` lies in them.
    pub(super) fn input_range(&self, index: usize) -> Range<usize> {
        let start = self.offsets.starts()[index] as usize;
        start..start + self.offsets.lengths()[index]
    }

    /// Ends the reading of the output.
    pub(super) fn close(&self) {
        self.slot.readback().unmap();
    }
}
