//! Submissions in flight, with their chunks and slots.

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

/// A submission in flight: a chunk of each source that had one left.
#[derive(Debug)]
pub(crate) struct Submission {
    /// Later ones have larger numbers.
    pub(super) number: u64,
    pub(super) index: wgpu::SubmissionIndex,
    pub(super) placed_chunks: Vec<PlacedChunk>,
    pub(super) timed: bool,
    /// Without chunks: set once everything is done.
    pub(super) done: Option<MapResult>,
}

impl Submission {
    /// A number larger than those before.
    pub(super) fn next_number() -> u64 {
        static SUBMISSIONS: AtomicU64 = AtomicU64::new(0);
        SUBMISSIONS.fetch_add(1, Ordering::Relaxed)
    }

    pub(super) fn mappings(&self) -> impl Iterator<Item = &MapResult> + Clone {
        self.placed_chunks
            .iter()
            .flat_map(|placed| placed.slot.mappings())
            .chain(&self.done)
    }
}

/// A source's chunk, with the slot it uses.
#[derive(Debug)]
pub(crate) struct PlacedChunk {
    /// The number of the source.
    pub(super) source: usize,
    pub(super) chunk: Chunk,
    pub(super) kernel: Arc<Kernel>,
    pub(super) slot: Slot,
    pub(super) offsets: Offsets,
}

impl PlacedChunk {
    /// Sets the parameters of the kernel.
    pub(crate) fn set_parameters(&mut self, parameters: [u32; 6]) {
        self.chunk.parameters = parameters;
    }

    /// The extent of its chunk.
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
