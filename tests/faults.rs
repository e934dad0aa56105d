//! The world's faults are errors, never panics, and an executor works on after all but the loss of
//! its device.

mod common;

use std::time::Duration;

use gpu_executor::{AdapterChoice, Backend, Error, Executor, Options, VectorAdd};

#[test]
fn slices_of_different_lengths_name_the_task() {
    let (short, long) = ([1.0_f32; 3], [1.0_f32; 4]);
    let good = VectorAdd { a: &long, b: &long };
    for executor in common::executors(&common::options()) {
        let mismatch = |task, left, right| Error::LengthMismatch {
            operator: "vector_add",
            task,
            left,
            right,
        };
        assert_eq!(executor.run(&VectorAdd { a: &short, b: &long }), Err(mismatch(0, 3, 4)));
        assert_eq!(executor.run(&VectorAdd { a: &long, b: &[] }), Err(mismatch(0, 4, 0)));
        let batch = [good, good, VectorAdd { a: &long, b: &short }];
        assert_eq!(executor.run_batch(&batch), Err(mismatch(2, 4, 3)));
        assert_eq!(executor.run(&good), Ok(vec![2.0; 4]));
    }
}

#[test]
fn a_lost_device_is_an_error_and_a_new_executor_works() {
    let data = [1.0_f32; 1000];
    let task = VectorAdd { a: &data, b: &data };
    for adapter in common::adapters() {
        if adapter.info().backend == Backend::Cpu {
            continue;
        }
        let executor = Executor::on(&adapter, common::options()).unwrap();
        executor.run(&task).unwrap();
        executor.lose_device();
        for _ in 0..2 {
            let error = executor.run(&task).unwrap_err();
            assert!(matches!(error, Error::DeviceLost { .. }), "{error}");
            // A size that needs new buffers fails the same way.
            let error = executor
                .run(&VectorAdd {
                    a: &data[..1],
                    b: &data[..1],
                })
                .unwrap_err();
            assert!(matches!(error, Error::DeviceLost { .. }), "{error}");
        }
        let again = Executor::on(&adapter, common::options()).unwrap();
        assert_eq!(again.run(&task), Ok(vec![2.0; 1000]));
    }
}

#[test]
fn a_device_lost_before_its_first_call_is_an_error() {
    for executor in common::gpu_executors(&common::options()) {
        executor.lose_device();
        let error = executor.run(&VectorAdd { a: &[1.0], b: &[1.0] }).unwrap_err();
        assert!(matches!(error, Error::DeviceLost { .. }), "{error}");
    }
}

/// wgpu frees the buffers of a lost device when it is polled, be they mapped or not.
#[test]
fn memory_in_use_outlives_the_loss_of_its_device() {
    let data = [1.0_f32; 1000];
    for executor in common::gpu_executors(&common::options()) {
        // Long enough that their memory goes back to the system once it is freed.
        let mut written = executor.in_place::<VectorAdd<'_>>(1 << 22, ()).unwrap();
        let mut read = executor.in_place::<VectorAdd<'_>>(1 << 22, ()).unwrap();
        let output = read.run().unwrap();
        let pending = executor.submit(&VectorAdd { a: &data, b: &data }).unwrap();
        let (mut a, mut b) = written.inputs().unwrap();
        executor.lose_device();
        let is_lost = |error: Error| assert!(matches!(error, Error::DeviceLost { .. }), "{error}");
        is_lost(pollster::block_on(pending).unwrap_err());
        is_lost(executor.run(&VectorAdd { a: &data, b: &data }).unwrap_err());
        a.fill(2.0);
        b.fill(3.0);
        assert!(output.iter().all(|&sum| sum == 0.0));
        drop(output);
        is_lost(written.run().map(|_| ()).unwrap_err());
    }
}

#[test]
fn a_device_lost_while_threads_use_it_is_an_error_in_each() {
    let data = vec![1.0_f32; 100_000];
    for executor in common::gpu_executors(&common::options()) {
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    let task = VectorAdd { a: &data, b: &data };
                    loop {
                        match executor.run(&task) {
                            Ok(sum) => assert!(sum.iter().all(|&x| x == 2.0)),
                            Err(Error::DeviceLost { .. }) => break,
                            Err(other) => panic!("{other}"),
                        }
                    }
                });
            }
            std::thread::sleep(Duration::from_millis(50));
            executor.lose_device();
        });
    }
}

#[test]
fn a_calibration_does_not_time_out_with_its_executor() {
    // Nothing else in this process calibrates, so that there is none to be found.
    let options = Options::default().timeout(Duration::ZERO).chunk_bytes(4096);
    for adapter in common::adapters() {
        Executor::on(&adapter, options.clone()).unwrap().tune().unwrap();
    }
}

/// Polls a future whenever it asks for it, and says how often that was.
fn polled<F: Future>(future: F) -> (F::Output, usize) {
    let mut future = std::pin::pin!(future);
    let mut polls = 0;
    let output = pollster::block_on(std::future::poll_fn(|context| {
        polls += 1;
        future.as_mut().poll(context)
    }));
    (output, polls)
}

#[test]
fn a_future_ends_with_its_device() {
    let data = vec![1.0_f32; 1 << 24];
    for executor in common::gpu_executors(&common::options()) {
        let pending = executor.submit(&VectorAdd { a: &data, b: &data }).unwrap();
        executor.lose_device();
        let (result, polls) = polled(pending);
        assert!(matches!(result, Err(Error::DeviceLost { .. })), "{result:?}");
        assert!(polls < 3, "{polls} polls");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_time_out_of_zero_is_one_where_the_device_works_on_its_own() {
    let data = vec![1.0_f32; 1 << 22];
    let options = common::options().timeout(Duration::ZERO);
    // lavapipe computes on other threads, so that the host always gets to the wait first.
    let Ok(adapter) = gpu_executor::Adapter::pick(Backend::Vulkan) else {
        return;
    };
    let error = Executor::on(&adapter, options)
        .unwrap()
        .run(&VectorAdd { a: &data, b: &data })
        .unwrap_err();
    assert!(matches!(error, Error::Timeout { .. }), "{error}");
}

/// Set for the process that finds no driver.
#[cfg(target_os = "linux")]
const NO_DRIVER_ENV: &str = "GPU_EXECUTOR_TEST_NO_DRIVER";

#[cfg(all(target_os = "linux", feature = "vulkan"))]
#[test]
fn a_backend_without_a_driver_has_no_adapter() {
    if std::env::var_os(NO_DRIVER_ENV).is_none() {
        let output = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["a_backend_without_a_driver_has_no_adapter", "--exact", "--nocapture"])
            .env(NO_DRIVER_ENV, "1")
            .env("VK_DRIVER_FILES", "/nonexistent")
            .env("VK_ICD_FILENAMES", "/nonexistent")
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && text.contains("NO ADAPTER SEEN"), "{text}");
        return;
    }
    let error = Executor::new(Backend::Vulkan).unwrap_err();
    assert!(
        matches!(
            error,
            Error::NoAdapter {
                backend: Backend::Vulkan
            }
        ),
        "{error}"
    );
    println!("NO ADAPTER SEEN: {error}");
}

#[test]
fn a_backend_of_another_platform_is_not_in_the_build() {
    let elsewhere = if cfg!(target_os = "macos") {
        Backend::Dx12
    } else {
        Backend::Metal
    };
    let error = Executor::new(elsewhere).unwrap_err();
    assert!(matches!(error, Error::BackendNotBuilt { .. }), "{error}");
}

#[test]
fn executors_on_one_adapter_do_not_get_in_each_others_way() {
    let data = vec![1.0_f32; 5000];
    for adapter in common::adapters() {
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..5 {
                        let executor = Executor::on(&adapter, common::options()).unwrap();
                        for n in [1, 5000, 300] {
                            let task = VectorAdd {
                                a: &data[..n],
                                b: &data[..n],
                            };
                            assert_eq!(executor.run(&task).unwrap(), vec![2.0; n]);
                        }
                    }
                });
            }
        });
    }
}

#[test]
fn an_adapter_name_that_fits_none_lists_those_there_are() {
    for adapter in common::adapters() {
        let info = adapter.info();
        if info.backend == Backend::Cpu {
            continue;
        }
        let message = AdapterChoice::default()
            .name("no such adapter")
            .pick(info.backend)
            .unwrap_err()
            .to_string();
        assert!(
            message.contains(&info.name) && message.contains("no such adapter"),
            "{message}"
        );
        let name = info.name[..4].to_uppercase();
        let picked = AdapterChoice::default().name(&*name).pick(info.backend).unwrap();
        assert!(picked.info().name.to_uppercase().contains(&name));
    }
}

/// Set for the process that runs out of memory on purpose: the backend it does so on.
#[cfg(target_os = "linux")]
const OOM_CHILD_ENV: &str = "GPU_EXECUTOR_TEST_OOM";

#[cfg(target_os = "linux")]
#[test]
fn running_out_of_memory_is_an_error() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let Ok(backend) = std::env::var(OOM_CHILD_ENV) else {
        // The limit is the process's, so each adapter gets one of its own.
        for executor in common::gpu_executors(&common::options()) {
            let output = std::process::Command::new(std::env::current_exe().unwrap())
                .args(["running_out_of_memory_is_an_error", "--exact", "--nocapture"])
                .env(OOM_CHILD_ENV, executor.backend().name())
                .output()
                .unwrap();
            let stdout = String::from_utf8_lossy(&output.stdout);
            let stderr = String::from_utf8_lossy(&output.stderr);
            assert!(
                output.status.success(),
                "{}: {}\n{stdout}{stderr}",
                executor.backend(),
                output.status
            );
            assert!(stdout.contains("OUT OF MEMORY SEEN"), "{stdout}{stderr}");
        }
        return;
    };
    let adapter = gpu_executor::Adapter::pick(backend.parse().unwrap()).unwrap();
    let executor = Executor::on(&adapter, common::options().chunk_bytes(128 << 20)).unwrap();
    let large = vec![1.0_f32; 1 << 25];
    let small = VectorAdd {
        a: &large[..1000],
        b: &large[..1000],
    };
    executor.run(&small).unwrap();

    let status = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = status.split(' ').next().unwrap().parse().unwrap();
    // Room for the result and some of the buffers, not for all of them.
    let most = pages * 4096 + (400 << 20);
    let before = getrlimit(Resource::As);
    setrlimit(
        Resource::As,
        Rlimit {
            current: Some(most),
            maximum: before.maximum,
        },
    )
    .unwrap();
    let error = executor.run(&VectorAdd { a: &large, b: &large }).unwrap_err();
    setrlimit(Resource::As, before).unwrap();
    match &error {
        Error::OutOfMemory { .. } => assert_eq!(executor.run(&small), Ok(vec![2.0; 1000])),
        // Where OpenGL has no memory to map, wgpu gives the device up.
        Error::DeviceLost { .. } if executor.backend() == Backend::Gles => {
            let again = Executor::on(&adapter, common::options()).unwrap();
            assert_eq!(again.run(&small), Ok(vec![2.0; 1000]));
        }
        other => panic!("{other}"),
    }
    println!("OUT OF MEMORY SEEN: {error}");
}
