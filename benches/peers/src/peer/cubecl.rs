//! cubecl on its wgpu runtime, used as its documentation does: buffers from its memory pool, a
//! kernel in its language, compiled once to WGSL. Its way back ends in `Bytes` of its own; a `Vec`
//! is what they turn into, without a copy where that is possible.

use std::{hint::black_box, rc::Rc, time::Instant};

use cubecl::{
    client::Client,
    prelude::*,
    wgpu::{GraphicsApi, OpenGl, RuntimeOptions, Vulkan, WgpuDevice, WgpuDeviceKind},
};
use gpu_executor::Backend;

use super::{Method, Peer, unknown, wgpu_adapter};
use crate::work::{Output, Work};

#[cube(launch_unchecked)]
fn add(a: &[f32], b: &[f32], sum: &mut [f32]) {
    if ABSOLUTE_POS < sum.len() {
        sum[ABSOLUTE_POS] = a[ABSOLUTE_POS] + b[ABSOLUTE_POS];
    }
}

pub(crate) struct CubeCl(Rc<Client>);

impl CubeCl {
    pub(crate) fn new(backend: Backend) -> Result<(Self, String), String> {
        match backend {
            Backend::Vulkan => Self::on::<Vulkan>(backend),
            Backend::Gles => Self::on::<OpenGl>(backend),
            other => Err(format!("not tried on {other}")),
        }
    }

    fn on<G: GraphicsApi>(backend: Backend) -> Result<(Self, String), String> {
        let wanted = wgpu_adapter(backend)?.get_info();
        let kind = match wanted.device_type {
            wgpu::DeviceType::DiscreteGpu => WgpuDeviceKind::DiscreteGpu(0),
            wgpu::DeviceType::IntegratedGpu => WgpuDeviceKind::IntegratedGpu(0),
            wgpu::DeviceType::VirtualGpu => WgpuDeviceKind::VirtualGpu(0),
            wgpu::DeviceType::Cpu => WgpuDeviceKind::Cpu,
            wgpu::DeviceType::Other => WgpuDeviceKind::Other(0),
        };
        let device = WgpuDevice::new(kind);
        let setup =
            cubecl::wgpu::try_init_setup::<G>(&device, RuntimeOptions::default()).map_err(|error| error.to_string())?;
        let used = setup.adapter.get_info();
        if used.name != wanted.name {
            return Err(format!("it takes {} instead of {}", used.name, wanted.name));
        }
        let client = cubecl::Device::Wgpu(device).client();
        Ok((Self(Rc::new(client)), used.name))
    }
}

/// Sends the inputs and launches the kernel; the handle is the output's.
fn launch(client: &Client, a: &[f32], b: &[f32]) -> cubecl::server::Handle {
    const THREADS: u32 = 256;
    let (n, bytes) = (a.len(), size_of_val(a));
    let input = |vector: &[f32]| client.create_from_slice(bytemuck::cast_slice(vector));
    let (a, b) = (input(a), input(b));
    let sum = client.empty(bytes);
    let cubes = u32::try_from(n).expect("sizes measured fit u32").div_ceil(THREADS);
    // SAFETY: each buffer has n elements, and the kernel looks at its position before it uses it.
    unsafe {
        add::launch_unchecked(
            client,
            CubeCount::Static(cubes, 1, 1),
            CubeDim::new_1d(THREADS),
            BufferArg::from_raw_parts(a, n),
            BufferArg::from_raw_parts(b, n),
            BufferArg::from_raw_parts(sum.clone(), n),
        );
    }
    sum
}

fn vector(bytes: cubecl::bytes::Bytes) -> Vec<f32> {
    bytes
        .try_into_vec()
        .unwrap_or_else(|bytes| bytemuck::cast_slice(&bytes).to_vec())
}

impl Peer for CubeCl {
    fn open(&self, method: &str, work: &Rc<Work>) -> Result<Method, String> {
        let (client, work) = (Rc::clone(&self.0), Rc::clone(work));
        Ok(Method::Ready(match method {
            "run" => Box::new(move |output, _| {
                *output = Output::None;
                let start = Instant::now();
                let sum = launch(&client, black_box(&work.a), black_box(&work.b));
                let result = vector(client.read_one(sum).map_err(|error| format!("{error:?}"))?);
                let wall = start.elapsed();
                *output = Output::Flat(result);
                Ok(wall)
            }),
            // One launch per task, all results read at once.
            "batch" => Box::new(move |output, _| {
                *output = Output::None;
                let start = Instant::now();
                let sums = work
                    .pairs()
                    .map(|(a, b)| launch(&client, black_box(a), black_box(b)))
                    .collect();
                let bytes = client.read(sums).map_err(|error| format!("{error:?}"))?;
                let results = bytes.into_iter().map(vector).collect();
                let wall = start.elapsed();
                *output = Output::Tasks(results);
                Ok(wall)
            }),
            "one-by-one" => Box::new(move |output, _| {
                *output = Output::None;
                let mut results = Vec::with_capacity(work.tasks);
                let start = Instant::now();
                for (a, b) in work.pairs() {
                    let sum = launch(&client, black_box(a), black_box(b));
                    results.push(vector(client.read_one(sum).map_err(|error| format!("{error:?}"))?));
                }
                let wall = start.elapsed();
                *output = Output::Tasks(results);
                Ok(wall)
            }),
            _ => return unknown(method),
        }))
    }

    fn is_foreign(&self) -> bool {
        true
    }
}
