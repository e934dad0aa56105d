//! An operator's pipeline, and where its inputs and output lie in memory.

use super::device::Device;
use crate::{
    error::Error,
    op::{Task, WORKGROUP_SIZE},
};

/// Inputs an operator may have.
pub(crate) const MOST_INPUTS: usize = 4;

/// What the executor needs to know of an operator.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spec {
    pub(crate) operator: &'static str,
    pub(crate) shader: &'static str,
    pub(crate) elements_per_thread: usize,
    pub(crate) input_strides: &'static [usize],
    pub(crate) output_stride: usize,
}

impl Spec {
    pub(crate) fn of<T: Task>() -> Self {
        Self {
            operator: T::OPERATOR,
            shader: T::SHADER,
            elements_per_thread: T::ELEMENTS_PER_THREAD,
            input_strides: T::INPUT_STRIDES,
            output_stride: size_of::<T::Item>(),
        }
    }
}

/// Where the inputs of a chunk lie in one buffer: one after the other, each at an offset a binding may start at.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    input_strides: &'static [usize],
    output_stride: usize,
    elements_per_thread: usize,
    alignment: usize,
}

/// Byte offset of each input of a chunk, and the end of the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Offsets {
    starts: [u32; MOST_INPUTS],
    inputs: usize,
    pub(super) end: u64,
}

impl Offsets {
    pub(super) fn starts(&self) -> &[u32] {
        &self.starts[..self.inputs]
    }
}

impl Layout {
    /// The offsets for a chunk of `elements`.
    pub(super) fn offsets(&self, elements: usize) -> Offsets {
        let mut starts = [0; MOST_INPUTS];
        let mut offset = 0;
        for (start, stride) in starts.iter_mut().zip(self.input_strides) {
            *start = u32::try_from(offset).expect("a chunk's inputs end below 4 GiB");
            offset += (elements * stride).next_multiple_of(self.alignment);
        }
        Offsets {
            starts,
            inputs: self.input_strides.len(),
            end: offset as u64,
        }
    }

    pub(super) fn input_strides(&self) -> &'static [usize] {
        self.input_strides
    }

    /// Size of a buffer for all inputs of up to `elements` elements.
    pub(super) fn inputs_bytes(&self, elements: usize) -> u64 {
        self.offsets(elements).end
    }

    /// Size of the output of `elements` elements.
    pub(super) fn output_bytes(&self, elements: usize) -> u64 {
        (elements * self.output_stride) as u64
    }

    /// Most elements a chunk may have under the device's limits, no input or output being longer than `chunk_bytes`.
    pub(super) fn most_elements(&self, limits: &wgpu::Limits, chunk_bytes: u64) -> usize {
        let strides = || self.input_strides.iter().chain([&self.output_stride]);
        let longest = strides().max().copied().unwrap_or(4) as u64;
        let together = (self.input_strides.iter().sum::<usize>() as u64).max(longest);
        let binding = limits.max_storage_buffer_binding_size.min(chunk_bytes) / longest;
        // Each input may end with padding to the next offset.
        let padding = (self.alignment * self.input_strides.len()) as u64;
        let buffer = limits.max_buffer_size.saturating_sub(padding) / together;
        let groups = u64::from(limits.max_compute_workgroups_per_dimension);
        let threads = groups.saturating_mul(groups).saturating_mul(u64::from(WORKGROUP_SIZE));
        let per_thread = self.elements_per_thread as u64;
        // The kernel counts elements in u32, and wgpu the offsets of its inputs.
        let counted = (u64::from(u32::MAX) - padding) / together;
        let most = binding.min(buffer).min(threads.saturating_mul(per_thread)).min(counted);
        // What is bound holds whole threads' elements.
        let most = (most / per_thread * per_thread).max(per_thread);
        usize::try_from(most).expect("counted in u32")
    }
}

/// An operator's pipeline.
#[derive(Debug)]
pub(super) struct Kernel {
    pub(super) operator: &'static str,
    pub(super) layout: Layout,
    pub(super) pipeline: wgpu::ComputePipeline,
    bind_group_layout: wgpu::BindGroupLayout,
}

impl Kernel {
    /// Bytes of immediates: number of elements, threads per row.
    const IMMEDIATE_BYTES: u32 = 8;

    pub(super) fn new(device: &Device, spec: Spec) -> Result<Self, Error> {
        let layout = Layout {
            input_strides: spec.input_strides,
            output_stride: spec.output_stride,
            elements_per_thread: spec.elements_per_thread,
            // Mapped memory is read as whatever the operator's numbers are.
            alignment: (device.limits().min_storage_buffer_offset_alignment as usize).max(16),
        };
        let operator = spec.operator;
        let strides_are_whole = spec
            .input_strides
            .iter()
            .chain([&layout.output_stride])
            .all(|s| s % 4 == 0);
        assert!(strides_are_whole, "{operator}: strides are multiples of 4");
        let inputs = spec.input_strides.len();
        assert!(inputs <= MOST_INPUTS, "{operator}: at most {MOST_INPUTS} inputs");
        let entries: Vec<_> = (0..=inputs)
            .zip(0_u32..)
            .map(|(index, binding)| wgpu::BindGroupLayoutEntry {
                binding,
                visibility: wgpu::ShaderStages::COMPUTE,
                ty: wgpu::BindingType::Buffer {
                    ty: wgpu::BufferBindingType::Storage {
                        read_only: index < inputs,
                    },
                    // Where an input starts depends on the chunk's length, the bind group only on its bucket.
                    has_dynamic_offset: index < inputs,
                    min_binding_size: None,
                },
                count: None,
            })
            .collect();
        let (pipeline, bind_group_layout) =
            device.create_pipeline(operator, spec.shader, &entries, Self::IMMEDIATE_BYTES)?;
        Ok(Self {
            operator,
            layout,
            pipeline,
            bind_group_layout,
        })
    }

    /// The bind group of a slot whose buffers hold `bucket` elements.
    pub(super) fn bind(
        &self,
        device: &Device,
        inputs: &wgpu::Buffer,
        output: &wgpu::Buffer,
        bucket: usize,
    ) -> Result<wgpu::BindGroup, Error> {
        let range = |buffer, stride: usize| {
            wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                buffer,
                offset: 0,
                size: wgpu::BufferSize::new((bucket * stride) as u64),
            })
        };
        let strides = self.layout.input_strides.iter().map(|&stride| range(inputs, stride));
        let entries: Vec<_> = strides
            .chain([range(output, self.layout.output_stride)])
            .zip(0_u32..)
            .map(|(resource, binding)| wgpu::BindGroupEntry { binding, resource })
            .collect();
        device.create_bind_group(self.operator, &self.bind_group_layout, &entries)
    }

    /// The grid for `elements`, folded into rows where a dimension would overflow, and the immediates that go with it.
    pub(super) fn grid(&self, elements: usize, groups_per_dimension: u32) -> ([u32; 2], [u32; 2]) {
        let threads = elements.div_ceil(self.layout.elements_per_thread);
        let [elements, threads] = [elements, threads].map(|n| u32::try_from(n).expect("a chunk's elements fit u32"));
        let (groups, row) = fold(threads.div_ceil(WORKGROUP_SIZE), groups_per_dimension);
        (groups, [elements, row])
    }
}

/// So many workgroups in rows of at most `most`, and the threads of a row.
fn fold(groups: u32, most: u32) -> ([u32; 2], u32) {
    let columns = groups.min(most);
    (
        [columns, groups.div_ceil(columns)],
        columns.saturating_mul(WORKGROUP_SIZE),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAYOUT: Layout = Layout {
        input_strides: &[4, 4],
        output_stride: 4,
        elements_per_thread: 4,
        alignment: 256,
    };

    #[test]
    fn inputs_start_where_a_binding_may() {
        let check = |elements, starts: [u32; 2], end| {
            let offsets = LAYOUT.offsets(elements);
            assert_eq!((offsets.starts(), offsets.end), (&starts[..], end), "{elements}");
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
            let most = LAYOUT.most_elements(limits, chunk_bytes);
            assert_eq!(most, expected);
            assert!(LAYOUT.inputs_bytes(most) <= limits.max_buffer_size);
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
    fn a_long_grid_is_folded_into_rows() {
        assert_eq!(fold(1, 65_535), ([1, 1], 256));
        assert_eq!(fold(65_535, 65_535), ([65_535, 1], 65_535 * 256));
        assert_eq!(fold(65_536, 65_535), ([65_535, 2], 65_535 * 256));
    }
}
