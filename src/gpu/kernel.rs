//! An operator's pipeline, and where its inputs and output lie in memory.

use super::device::{BindGroup, Code, Device};
use crate::{
    error::Error,
    plan::{self, Chunk, Extent, Most},
    task::{Cost, Shape, Spec, Step, TABLE_STRIDE, checked},
};

/// Inputs an operator may have.
pub(super) const MAX_INPUTS: usize = 4;

/// The size of a slot's buffers: elements, and words of strings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) elements: usize,
    pub(super) words: usize,
}

impl Size {
    /// Of what a chunk has.
    pub(super) fn of(chunk: &Chunk) -> Self {
        Self {
            elements: chunk.elements,
            words: chunk.words,
        }
    }

    /// The smallest bucket that holds it.
    pub(super) fn bucket(self, spec: &Spec, most: Most) -> Self {
        Self {
            elements: plan::bucket(self.elements).min(most.elements),
            words: match spec.inputs {
                Shape::Numbers(_) => 0,
                Shape::Strings => plan::bucket(self.words).min(most.longest),
            },
        }
    }
}

/// Where the inputs of a chunk lie in one buffer: one after the other, each at an offset a binding
/// may start at.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    pub(super) spec: Spec,
    alignment: usize,
    workgroup_size: u32,
}

/// Where each input of a chunk lies, and the end of the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Offsets {
    starts: [u32; MAX_INPUTS],
    lengths: [usize; MAX_INPUTS],
    inputs: usize,
    pub(super) end: u64,
}

impl Offsets {
    pub(super) fn starts(&self) -> &[u32] {
        &self.starts[..self.inputs]
    }

    /// Bytes of each input.
    pub(super) fn lengths(&self) -> &[usize] {
        &self.lengths[..self.inputs]
    }
}

impl Layout {
    /// The offsets for a chunk of this size.
    pub(super) fn offsets(&self, size: Size) -> Offsets {
        let mut offsets = Offsets {
            starts: [0; MAX_INPUTS],
            lengths: [0; MAX_INPUTS],
            inputs: self.inputs(),
            end: 0,
        };
        let mut offset = 0;
        for input in 0..offsets.inputs {
            let length = self.input_bytes(size, input);
            offsets.starts[input] = u32::try_from(offset).expect("a chunk's inputs end below 4 GiB");
            offsets.lengths[input] = length;
            offset += length.next_multiple_of(self.alignment);
        }
        offsets.end = offset as u64;
        offsets
    }

    /// Bindings of the inputs.
    pub(super) fn inputs(&self) -> usize {
        match self.spec.inputs {
            Shape::Numbers(strides) => strides.len(),
            Shape::Strings => 2,
        }
    }

    fn input_bytes(&self, size: Size, input: usize) -> usize {
        match self.spec.inputs {
            Shape::Numbers(strides) => size.elements * strides[input],
            Shape::Strings => [size.elements * TABLE_STRIDE, size.words * 4][input],
        }
    }

    /// Size of a buffer for all inputs.
    pub(super) fn inputs_bytes(&self, size: Size) -> u64 {
        self.offsets(size).end
    }

    /// Size of the output of `elements` elements.
    pub(super) fn output_bytes(&self, elements: usize) -> u64 {
        (elements * self.spec.output_stride) as u64
    }

    /// Size of a buffer for the output and what lies behind it.
    pub(super) fn room_bytes(&self, size: Size) -> u64 {
        self.output_bytes(self.spec.room(size.elements, size.words))
    }

    /// The number of elements that whole threads compute for `elements`.
    pub(super) fn padded(&self, elements: usize) -> usize {
        elements.next_multiple_of(self.spec.kernel.elements_per_thread)
    }

    /// Elements of one dispatch over memory, whose parts begin where bindings may, by the steps and
    /// words of an element.
    pub(super) fn most_resident(&self, limits: &wgpu::Limits, depth: usize, words: usize) -> usize {
        let each = self.spec.kernel.cost.of(1, words, depth).max(1);
        let most = usize::try_from(Cost::OF_A_DISPATCH / each).unwrap_or(usize::MAX);
        let most = most.min(self.most(limits, u64::MAX).elements);
        // 64 elements of four bytes are as long as the largest alignment there is.
        let unit = 64 * self.spec.kernel.elements_per_thread;
        (most / unit * unit).max(unit)
    }

    /// What a chunk has, as an operator's dispatches are made of.
    pub(super) fn extent(&self, chunk: &Chunk) -> Extent {
        let threads = chunk.elements.div_ceil(self.spec.kernel.elements_per_thread);
        let groups = threads.div_ceil(self.workgroup_size as usize);
        chunk.extent(u32::try_from(groups).expect("a chunk is counted in u32"))
    }

    /// What a chunk may have under the device's limits, no input or output being longer than
    /// `chunk_bytes`.
    pub(super) fn most(&self, limits: &wgpu::Limits, chunk_bytes: u64) -> Most {
        // Each input may end with padding to the next offset.
        let padding = (self.alignment * self.inputs()) as u64;
        let groups = u64::from(limits.max_compute_workgroups_per_dimension);
        let threads = groups
            .saturating_mul(groups)
            .saturating_mul(u64::from(self.workgroup_size));
        let per_thread = self.spec.kernel.elements_per_thread as u64;
        let threads = threads.saturating_mul(per_thread);
        // Kernels count in u32, and wgpu the offsets of inputs.
        let buffer = limits.max_buffer_size.min(u64::from(u32::MAX)).saturating_sub(padding);
        let binding = limits.max_storage_buffer_binding_size;
        // Elements and words together cost what a dispatch may.
        let (cost, half) = (self.spec.kernel.cost, Cost::OF_A_DISPATCH / 2);
        let (elements, words, longest) = match self.spec.inputs {
            Shape::Numbers(strides) => {
                let longest = strides.iter().chain([&self.spec.output_stride]).max();
                let longest = longest.copied().unwrap_or(4) as u64;
                let together = (strides.iter().sum::<usize>() as u64).max(longest);
                ((binding.min(chunk_bytes) / longest).min(buffer / together), 0, 0)
            }
            Shape::Strings => {
                // Table and strings share a buffer.
                let binding = binding.min(buffer / 2);
                let room = self.spec.room(1024, 0).div_ceil(1024) * self.spec.output_stride;
                let stride = (room as u64).max(TABLE_STRIDE as u64);
                // What lies behind the output is less than a hundredth of the strings.
                let elements = (binding - binding / 100).min(chunk_bytes) / stride;
                let words = chunk_bytes.min(binding) / 4;
                (elements, words.min(half / cost.word.max(1)).max(1), binding / 4)
            }
        };
        let elements = elements.min(
            match self.spec.inputs {
                Shape::Numbers(_) => Cost::OF_A_DISPATCH,
                Shape::Strings => half,
            } / cost.element.max(1),
        );
        // A binding holds the elements of whole threads.
        let elements = (elements.min(threads) / per_thread * per_thread).max(per_thread);
        let [elements, words, longest] =
            [elements, words, longest].map(|n| usize::try_from(n).expect("counted in u32"));
        Most {
            elements,
            words,
            longest,
        }
    }
}

/// An operator's pipeline.
#[derive(Debug)]
pub(super) struct Kernel {
    /// Its place among the engine's.
    pub(super) number: usize,
    pub(super) layout: Layout,
    /// Words of immediates that it reads.
    pub(super) immediates: usize,
    pub(super) pipeline: wgpu::ComputePipeline,
    bind_group_layout: wgpu::BindGroupLayout,
}

impl Kernel {
    pub(super) fn new(device: &Device, spec: Spec, number: usize) -> Result<Self, Error> {
        let text = checked(&spec, device.has_int64())?;
        let layout = Layout {
            spec,
            // Mapped memory is read as whatever the operator's numbers are.
            alignment: (device.limits().min_storage_buffer_offset_alignment as usize).max(16),
            workgroup_size: text.workgroup_size,
        };
        let inputs = layout.inputs();
        let entries: Vec<_> = (0..=inputs)
            .zip(0_u32..)
            .map(|(index, binding)| wgpu::BindGroupLayoutEntry {
                binding,
                visibility: wgpu::ShaderStages::COMPUTE,
                ty: wgpu::BindingType::Buffer {
                    ty: wgpu::BufferBindingType::Storage {
                        read_only: index < inputs,
                    },
                    // Where an input starts depends on the chunk's length, the bind group only on
                    // its bucket.
                    has_dynamic_offset: index < inputs,
                    min_binding_size: None,
                },
                count: None,
            })
            .collect();
        let immediate_bytes = u32::try_from(text.immediates * 4).expect("a few");
        let code = Code {
            wgsl: &text.wgsl,
            is_trusted: spec.is_trusted(),
        };
        let created = device.create_pipeline(spec.operator(), &code, &entries, immediate_bytes);
        let (pipeline, bind_group_layout) = created.map_err(|error| match error {
            Error::Driver {
                adapter,
                message,
                source,
            } if !spec.is_trusted() => Error::Kernel {
                operator: spec.operator(),
                line: 0,
                column: 0,
                message: format!("{adapter} does not take it: {message}"),
                source,
            },
            other => other,
        })?;
        Ok(Self {
            number,
            layout,
            immediates: text.immediates,
            pipeline,
            bind_group_layout,
        })
    }

    pub(super) fn operator(&self) -> &'static str {
        self.layout.spec.operator()
    }

    /// The bind group of a slot whose buffers are of size `bucket`.
    pub(super) fn bind(
        &self,
        device: &Device,
        inputs: &wgpu::Buffer,
        output: &wgpu::Buffer,
        bucket: Size,
    ) -> Result<BindGroup, Error> {
        let range = |buffer, bytes: u64| {
            wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                buffer,
                offset: 0,
                size: wgpu::BufferSize::new(bytes),
            })
        };
        let offsets = self.layout.offsets(bucket);
        let lengths = offsets.lengths().iter().map(|&length| range(inputs, length as u64));
        let entries: Vec<_> = lengths
            .chain([range(output, self.layout.room_bytes(bucket))])
            .zip(0_u32..)
            .map(|(resource, binding)| wgpu::BindGroupEntry { binding, resource })
            .collect();
        device.create_bind_group(self.operator(), &self.bind_group_layout, &entries)
    }

    /// The bind group of inputs and output that lie in ranges of buffers, each with its offset and
    /// length in bytes.
    pub(super) fn bind_ranges(
        &self,
        device: &Device,
        ranges: &[(&wgpu::Buffer, u64, u64)],
    ) -> Result<BindGroup, Error> {
        let range = |&(buffer, offset, bytes): &(_, _, u64)| {
            wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                buffer,
                offset,
                size: wgpu::BufferSize::new(bytes),
            })
        };
        let entries: Vec<_> = (0_u32..)
            .zip(ranges)
            .map(|(binding, given)| wgpu::BindGroupEntry {
                binding,
                resource: range(given),
            })
            .collect();
        device.create_bind_group(self.operator(), &self.bind_group_layout, &entries)
    }

    /// The dispatches over a chunk: the grid of each, folded into rows where a dimension would
    /// overflow, and its immediates.
    pub(super) fn steps(
        &self,
        chunk: &Chunk,
        groups_per_dimension: u32,
    ) -> impl Iterator<Item = ([u32; 2], [u32; Step::MAX_IMMEDIATES])> {
        let layout = &self.layout;
        let extent = layout.extent(chunk);
        (0..).map_while(move |number| {
            let mut step = layout.spec.step(&extent, number)?;
            let (groups, row) = fold(step.groups, groups_per_dimension, layout.workgroup_size);
            step.immediates[1] = row;
            Some((groups, step.immediates))
        })
    }
}

/// The grid of workgroups in rows of at most `most`, and the threads of a row.
fn fold(groups: u32, most: u32, workgroup_size: u32) -> ([u32; 2], u32) {
    // An operator may ask for none.
    let columns = groups.clamp(1, most.max(1));
    (
        [columns.min(groups), groups.div_ceil(columns)],
        columns.saturating_mul(workgroup_size),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::task::{Kernel as Declared, Task, TaskExt as _};

    /// Four elements a thread.
    #[derive(Clone, Copy, Debug)]
    struct Four;

    impl Task for Four {
        const KERNEL: Declared = Declared::new("four", "")
            .elements_per_thread(4)
            .cost(Cost { element: 1, word: 0 });
        type Inputs = (f32, f32);
        type Parameters = ();
        type Item = f32;

        fn inputs(&self) -> (&[f32], &[f32]) {
            (&[], &[])
        }

        fn compute(_: (&[f32], &[f32]), (): (), _: &mut [f32]) {}
    }

    const LAYOUT: Layout = Layout {
        spec: Four::SPEC,
        alignment: 256,
        workgroup_size: 256,
    };

    const fn elements(elements: usize) -> Size {
        Size { elements, words: 0 }
    }

    #[test]
    fn inputs_start_where_a_binding_may() {
        let check = |n, starts: [u32; 2], end| {
            let offsets = LAYOUT.offsets(elements(n));
            assert_eq!((offsets.starts(), offsets.end), (&starts[..], end), "{n}");
        };
        check(1, [0, 256], 512);
        check(64, [0, 256], 512);
        check(65, [0, 512], 1024);
    }

    #[test]
    fn a_chunk_stays_within_every_limit() {
        let limits = wgpu::Limits {
            max_storage_buffer_binding_size: 1 << 27,
            max_buffer_size: 1 << 28,
            max_compute_workgroups_per_dimension: 65_535,
            ..wgpu::Limits::default()
        };
        let check = |limits: &wgpu::Limits, chunk_bytes, expected| {
            let most = LAYOUT.most(limits, chunk_bytes).elements;
            assert_eq!(most, expected);
            assert!(LAYOUT.inputs_bytes(elements(most)) <= limits.max_buffer_size);
        };
        check(&limits, 1 << 20, 1 << 18);
        // Two inputs and their padding share one buffer.
        check(&limits, u64::MAX, ((1 << 28) - 512) / 32 * 4);
        let narrow = wgpu::Limits {
            max_compute_workgroups_per_dimension: 3,
            ..limits
        };
        check(&narrow, u64::MAX, 9 * 256 * 4);
        check(&limits, 1, 4);
    }

    #[test]
    fn no_chunk_costs_more_than_a_dispatch_may_whatever_the_memory() {
        let limits = wgpu::Limits {
            max_storage_buffer_binding_size: u64::MAX,
            max_buffer_size: u64::MAX,
            max_compute_workgroups_per_dimension: 65_535,
            ..wgpu::Limits::default()
        };
        for (element, word) in [(1, 0), (1000, 0), (7000, 7000), (1 << 36, 1 << 36)] {
            for inputs in [Shape::Numbers(&[4, 4]), Shape::Strings] {
                let mut spec = Four::SPEC;
                spec.kernel = spec.kernel.cost(Cost { element, word });
                let layout = Layout {
                    spec: Spec { inputs, ..spec },
                    ..LAYOUT
                };
                let most = layout.most(&limits, u64::MAX);
                let cost = spec.kernel.cost.of(most.elements, most.words, 1);
                // One element of each thread is the least that there is.
                let least = element > Cost::OF_A_DISPATCH;
                assert!(cost <= Cost::OF_A_DISPATCH || least, "{inputs:?}: {most:?} cost {cost}");
            }
        }
    }

    #[test]
    fn a_long_grid_is_folded_into_rows() {
        assert_eq!(fold(1, 65_535, 256), ([1, 1], 256));
        assert_eq!(fold(65_535, 65_535, 256), ([65_535, 1], 65_535 * 256));
        assert_eq!(fold(65_536, 65_535, 256), ([65_535, 2], 65_535 * 256));
    }
}
