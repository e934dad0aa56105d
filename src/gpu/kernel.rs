//! An operator's pipeline, and where its inputs and output lie in memory.

use super::device::Device;
use crate::{
    error::Error,
    op::{Task, WORKGROUP_SIZE},
};

/// Where the inputs of a chunk lie in one buffer: one after the other, each at an offset a binding may start at.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    input_strides: &'static [usize],
    output_stride: usize,
    alignment: usize,
}

impl Layout {
    /// Byte offset of each input for a chunk of `elements`, and behind them the end of the last.
    pub(super) fn offsets(&self, elements: usize) -> Vec<usize> {
        let mut offset = 0;
        let starts = self.input_strides.iter().map(|stride| {
            let start = offset;
            offset += (elements * stride).next_multiple_of(self.alignment);
            start
        });
        let mut offsets: Vec<usize> = starts.collect();
        offsets.push(offset);
        offsets
    }

    pub(super) fn input_strides(&self) -> &'static [usize] {
        self.input_strides
    }

    /// Size of a buffer for all inputs of up to `elements` elements.
    pub(super) fn inputs_bytes(&self, elements: usize) -> u64 {
        self.offsets(elements)[self.input_strides.len()] as u64
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
        // The kernel counts elements in u32, and wgpu the offsets of its inputs.
        let counted = (u64::from(u32::MAX) - padding) / together;
        let most = binding.min(buffer).min(threads).min(counted);
        usize::try_from(most).unwrap_or(usize::MAX).max(1)
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

    pub(super) fn new<T: Task>(device: &Device) -> Result<Self, Error> {
        let layout = Layout {
            input_strides: T::INPUT_STRIDES,
            output_stride: size_of::<T::Item>(),
            alignment: device.limits().min_storage_buffer_offset_alignment as usize,
        };
        let strides_are_whole = T::INPUT_STRIDES
            .iter()
            .chain([&layout.output_stride])
            .all(|s| s % 4 == 0);
        assert!(strides_are_whole, "{}: strides are multiples of 4", T::OPERATOR);
        let inputs = T::INPUT_STRIDES.len();
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
            device.create_pipeline(T::OPERATOR, T::SHADER, &entries, Self::IMMEDIATE_BYTES)?;
        Ok(Self {
            operator: T::OPERATOR,
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

    /// The grid for `elements` threads, folded into rows where a dimension would overflow, and the immediates that go
    /// with it.
    pub(super) fn grid(elements: usize, groups_per_dimension: u32) -> ([u32; 2], [u32; 2]) {
        let elements = u32::try_from(elements).expect("a chunk's elements fit u32");
        let groups = elements.div_ceil(WORKGROUP_SIZE);
        let columns = groups.min(groups_per_dimension);
        (
            [columns, groups.div_ceil(columns)],
            [elements, columns * WORKGROUP_SIZE],
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAYOUT: Layout = Layout {
        input_strides: &[4, 4],
        output_stride: 4,
        alignment: 256,
    };

    #[test]
    fn inputs_start_where_a_binding_may() {
        assert_eq!(LAYOUT.offsets(1), [0, 256, 512]);
        assert_eq!(LAYOUT.offsets(64), [0, 256, 512]);
        assert_eq!(LAYOUT.offsets(65), [0, 512, 1024]);
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
        check(&limits, u64::MAX, ((1 << 28) - 512) / 8);
        let narrow = wgpu::Limits {
            max_compute_workgroups_per_dimension: 3,
            ..limits
        };
        check(&narrow, u64::MAX, 9 * 256);
    }

    #[test]
    fn a_long_grid_is_folded_into_rows() {
        assert_eq!(Kernel::grid(1, 65_535), ([1, 1], [1, 256]));
        assert_eq!(
            Kernel::grid(65_535 * 256, 65_535),
            ([65_535, 1], [65_535 * 256, 65_535 * 256])
        );
        assert_eq!(
            Kernel::grid(65_535 * 256 + 1, 65_535),
            ([65_535, 2], [65_535 * 256 + 1, 65_535 * 256])
        );
    }
}
