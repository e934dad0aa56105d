//! How executors are made.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use gpu_executor::{Adapter, Backend, Error, Executor, Options, OwnDevice, VectorAdd, wgpu};

use super::{SIZES, common, numbers, sums};

/// wgpu's adapters that such an executor can be made on.
fn wgpu_adapters() -> Vec<wgpu::Adapter> {
    let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
    descriptor.backends = wgpu::Backends::VULKAN | wgpu::Backends::GL | wgpu::Backends::DX12 | wgpu::Backends::METAL;
    let all = pollster::block_on(wgpu::Instance::new(descriptor).enumerate_adapters(wgpu::Backends::all()));
    let usable = common::adapters();
    let is_usable = |adapter: &wgpu::Adapter| {
        let info = adapter.get_info();
        usable
            .iter()
            .any(|a| a.info().name == info.name && a.info().driver_version == info.driver_info)
    };
    all.into_iter().filter(is_usable).collect()
}

fn device(adapter: &wgpu::Adapter, features: wgpu::Features, limits: wgpu::Limits) -> (wgpu::Device, wgpu::Queue) {
    let descriptor = wgpu::DeviceDescriptor {
        required_features: features,
        required_limits: limits,
        ..Default::default()
    };
    pollster::block_on(adapter.request_device(&descriptor)).unwrap()
}

#[test]
fn a_programs_own_device_runs_tasks_beside_the_programs_work() {
    for adapter in wgpu_adapters() {
        let limits = Executor::required_limits().or_better_values_from(&adapter.limits());
        let (device, queue) = device(&adapter, Executor::required_features(), limits);
        let executor = Executor::over(OwnDevice::new(device.clone(), queue.clone()), Options::default()).unwrap();
        assert_eq!(executor.adapter().name, adapter.get_info().name);
        for n in SIZES {
            // The program's own work, on the same queue.
            let buffer = device.create_buffer(&wgpu::BufferDescriptor {
                label: None,
                size: 64,
                usage: wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::COPY_SRC,
                mapped_at_creation: false,
            });
            queue.write_buffer(&buffer, 0, &[7; 64]);
            let (a, b) = (numbers(n, 1), numbers(n, 2));
            assert_eq!(executor.run(&VectorAdd { a: &a, b: &b }).unwrap(), sums(&a, &b), "{n}");
            queue.submit([]);
        }
        drop(executor);
        // The device is the program's, and outlives the executor.
        device.poll(wgpu::PollType::wait_indefinitely()).unwrap();
    }
}

#[test]
fn a_device_without_what_kernels_need_is_an_error_that_names_it() {
    for adapter in wgpu_adapters() {
        let (device, queue) = device(&adapter, wgpu::Features::empty(), wgpu::Limits::downlevel_defaults());
        let Err(error) = Executor::over(OwnDevice::new(device, queue), Options::default()) else {
            panic!("a device without immediates")
        };
        let Error::DeviceLacks { adapter: name, missing } = &error else {
            panic!("{error}")
        };
        assert_eq!(*name, adapter.get_info().name);
        let message = error.to_string();
        assert!(
            message.contains("IMMEDIATES") && message.contains("max_immediate_size of 32"),
            "{message}"
        );
        assert!(missing.len() >= 2, "{missing:?}");
    }
}

#[test]
fn errors_of_the_programs_own_calls_go_to_the_program() {
    for adapter in wgpu_adapters() {
        let limits = Executor::required_limits().or_better_values_from(&adapter.limits());
        let (device, queue) = device(&adapter, Executor::required_features(), limits);
        let seen = Arc::new(Mutex::new(Vec::new()));
        let losses = Arc::new(AtomicUsize::new(0));
        let own = OwnDevice::new(device.clone(), queue)
            .on_error({
                let seen = Arc::clone(&seen);
                Arc::new(move |error: wgpu::Error| seen.lock().unwrap().push(error.to_string()))
            })
            .on_lost({
                let losses = Arc::clone(&losses);
                move |_, _| {
                    losses.fetch_add(1, Ordering::Relaxed);
                }
            });
        let executor = Executor::over(own, common::options()).unwrap();
        let wrong = device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("wrong"),
            size: 3,
            usage: wgpu::BufferUsages::empty(),
            mapped_at_creation: false,
        });
        assert_eq!(executor.run(&VectorAdd { a: &[1.0], b: &[2.0] }), Ok(vec![3.0]));
        assert_eq!(seen.lock().unwrap().len(), 1, "{seen:?}");
        drop(wrong);
        device.destroy();
        device.poll(wgpu::PollType::Poll).ok();
        let error = executor.run(&VectorAdd { a: &[1.0], b: &[2.0] }).unwrap_err();
        assert!(matches!(error, Error::DeviceLost { .. }), "{error}");
        assert_eq!(losses.load(Ordering::Relaxed), 1);
    }
}

#[test]
fn an_executor_is_opened_without_blocking_the_thread_that_awaits_it() {
    for adapter in common::adapters() {
        let executor = pollster::block_on(Executor::on_async(&adapter, common::options())).unwrap();
        assert_eq!(executor.run(&VectorAdd { a: &[1.0], b: &[2.0] }), Ok(vec![3.0]));
        // An opening that is not awaited is finished and dropped.
        drop(Executor::on_async(&adapter, common::options()));
    }
    let elsewhere = if cfg!(windows) { Backend::Metal } else { Backend::Dx12 };
    let error = pollster::block_on(Executor::new_async(elsewhere)).unwrap_err();
    assert_eq!(error, Error::BackendNotBuilt { backend: elsewhere });
}

#[test]
fn a_new_executor_creates_nothing_but_its_device() {
    for adapter in common::adapters() {
        let executor = Executor::on(&adapter, Options::default()).unwrap();
        assert_eq!(executor.counters(), gpu_executor::Counters::default());
        executor.tune().unwrap();
        let made = executor.counters();
        assert_eq!(
            made,
            gpu_executor::Counters::default(),
            "a measurement's calls are not the program's"
        );
    }
}

#[test]
fn no_adapter_is_a_gpu_in_a_place_where_there_is_none() {
    let nowhere = gpu_executor::AdapterChoice::default().pci("ffff:ff:1f.7".parse().unwrap());
    for adapter in common::adapters() {
        let backend = adapter.info().backend;
        match nowhere.pick(backend) {
            Ok(picked) => assert_eq!(picked.info(), Adapter::cpu().info()),
            Err(error) => assert!(error.to_string().contains("the PCI id ffff:ff:1f.7"), "{error}"),
        }
    }
}
