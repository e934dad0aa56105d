//! wgpu as its tutorials use it: the device and the pipeline are made once; every call makes its
//! buffers, its bind group and its staging buffer, waits for the submission, maps, and copies out.

use std::{hint::black_box, rc::Rc, sync::mpsc, time::Instant};

use gpu_executor::Backend;
use wgpu::util::DeviceExt as _;

use super::{Method, Peer, unknown, wgpu_adapter};
use crate::work::{Output, Work};

pub(crate) struct Naive(Rc<Gpu>);

struct Gpu {
    device: wgpu::Device,
    queue: wgpu::Queue,
    pipeline: wgpu::ComputePipeline,
}

impl Naive {
    pub(crate) fn new(backend: Backend) -> Result<(Self, String), String> {
        let adapter = wgpu_adapter(backend)?;
        let descriptor = wgpu::DeviceDescriptor {
            required_limits: adapter.limits(),
            ..wgpu::DeviceDescriptor::default()
        };
        let (device, queue) =
            pollster::block_on(adapter.request_device(&descriptor)).map_err(|error| error.to_string())?;
        let module = device.create_shader_module(wgpu::include_wgsl!("naive.wgsl"));
        let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: None,
            layout: None,
            module: &module,
            entry_point: None,
            compilation_options: wgpu::PipelineCompilationOptions::default(),
            cache: None,
        });
        let gpu = Gpu {
            device,
            queue,
            pipeline,
        };
        Ok((Self(Rc::new(gpu)), adapter.get_info().name))
    }
}

impl Gpu {
    fn add(&self, a: &[f32], b: &[f32]) -> Result<Vec<f32>, String> {
        let size = size_of_val(a) as u64;
        let input = |vector: &[f32]| {
            self.device.create_buffer_init(&wgpu::util::BufferInitDescriptor {
                label: None,
                contents: bytemuck::cast_slice(vector),
                usage: wgpu::BufferUsages::STORAGE,
            })
        };
        let buffer = |usage| {
            self.device.create_buffer(&wgpu::BufferDescriptor {
                label: None,
                size,
                usage,
                mapped_at_creation: false,
            })
        };
        let (a, b) = (input(a), input(b));
        let sum = buffer(wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC);
        let staging = buffer(wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST);
        let bind_group = self.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: None,
            layout: &self.pipeline.get_bind_group_layout(0),
            entries: &[
                wgpu::BindGroupEntry {
                    binding: 0,
                    resource: a.as_entire_binding(),
                },
                wgpu::BindGroupEntry {
                    binding: 1,
                    resource: b.as_entire_binding(),
                },
                wgpu::BindGroupEntry {
                    binding: 2,
                    resource: sum.as_entire_binding(),
                },
            ],
        });
        let mut encoder = self
            .device
            .create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        {
            let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
            pass.set_pipeline(&self.pipeline);
            pass.set_bind_group(0, &bind_group, &[]);
            let groups = u32::try_from(size.div_ceil(4 * 256)).map_err(|error| error.to_string())?;
            pass.dispatch_workgroups(groups, 1, 1);
        }
        encoder.copy_buffer_to_buffer(&sum, 0, &staging, 0, size);
        self.queue.submit([encoder.finish()]);
        let (sender, receiver) = mpsc::channel();
        staging.map_async(wgpu::MapMode::Read, .., move |result| {
            // The other end waits for it.
            let _ = sender.send(result);
        });
        self.device
            .poll(wgpu::PollType::wait_indefinitely())
            .map_err(|error| error.to_string())?;
        let mapped = receiver.recv().map_err(|error| error.to_string())?;
        mapped.map_err(|error| error.to_string())?;
        let view = staging.get_mapped_range(..).map_err(|error| error.to_string())?;
        let result = bytemuck::cast_slice(&view).to_vec();
        drop(view);
        staging.unmap();
        Ok(result)
    }
}

impl Peer for Naive {
    fn open(&self, method: &str, work: &Rc<Work>) -> Result<Method, String> {
        let (gpu, work) = (Rc::clone(&self.0), Rc::clone(work));
        Ok(Method::Ready(match method {
            "run" => Box::new(move |output, _| {
                *output = Output::None;
                let start = Instant::now();
                let result = gpu.add(black_box(&work.a), black_box(&work.b))?;
                let wall = start.elapsed();
                *output = Output::Flat(result);
                Ok(wall)
            }),
            "one-by-one" => Box::new(move |output, _| {
                *output = Output::None;
                let mut results = Vec::with_capacity(work.tasks);
                let start = Instant::now();
                for (a, b) in work.pairs() {
                    results.push(gpu.add(black_box(a), black_box(b))?);
                }
                let wall = start.elapsed();
                *output = Output::Tasks(results);
                Ok(wall)
            }),
            _ => return unknown(method),
        }))
    }
}
