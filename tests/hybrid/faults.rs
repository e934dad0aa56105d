//! What a device that fails was to do, the CPU does.

use std::time::Duration;

use gpu_executor::{Adapter, Backend, Error, Hybrid, HybridOptions, Options, Reason, Route, Routed, VectorAdd};

use super::{child, common, from, gpus, hybrid};

#[test]
fn a_device_that_is_lost_is_replaced_by_the_cpu_until_it_is_rebuilt() {
    let data = [1.0_f32; 1000];
    let task = VectorAdd { a: &data, b: &data };
    type Call = fn(&Hybrid, &VectorAdd<'_>) -> (Vec<f32>, Route);
    let calls: [Call; 4] = [
        |router, task| {
            let Routed { output, route } = router.run(task).unwrap();
            (output, route)
        },
        |router, task| {
            let mut output = vec![0.0; 1000];
            let route = router.run_into(task, &mut output).unwrap();
            (output, route)
        },
        |router, task| {
            let Routed { output, route } = router.run_batch(&[*task; 2]).unwrap();
            (output[1].clone(), route)
        },
        |router, task| {
            let Routed { output, route } = router.run_batch_flat(&[*task; 2]).unwrap();
            (output[1].to_vec(), route)
        },
    ];
    for gpu in gpus() {
        let backend = gpu.info().backend;
        let mut router = hybrid(&[gpu], "");
        router.set_thresholds("vector_add", vec![from(1, backend)]).unwrap();
        for call in calls {
            assert_eq!(call(&router, &task).1.backend, backend);
            router.executor(backend).unwrap().lose_device();
            let (output, route) = call(&router, &task);
            assert_eq!((output, route.backend), (vec![2.0; 1000], Backend::Cpu));
            let Reason::FellBack { from, error } = &route.reason else {
                panic!("{route}");
            };
            assert!(*from == backend && matches!(error, Error::DeviceLost { .. }), "{route}");
            assert_eq!(router.failed(), [(backend, error.clone())]);
            // Once is enough: the device is not tried again.
            for _ in 0..2 {
                let (output, route) = call(&router, &task);
                assert_eq!(output, vec![2.0; 1000]);
                assert_eq!(
                    (route.backend, &route.reason),
                    (Backend::Cpu, &Reason::OutOfUse(backend)),
                    "{route}"
                );
            }
            assert_eq!(router.executor(backend).unwrap_err(), *error);
            router.rebuild(backend).unwrap();
            assert!(router.failed().is_empty());
        }
        assert_eq!(call_once(&router, &task), backend);
    }
}

fn call_once(router: &Hybrid, task: &VectorAdd<'_>) -> Backend {
    router.run(task).unwrap().route.backend
}

#[test]
fn a_device_lost_under_several_threads_costs_none_of_them_its_output() {
    let data = vec![1.0_f32; 50_000];
    let task = VectorAdd { a: &data, b: &data };
    for gpu in gpus() {
        let backend = gpu.info().backend;
        let router = hybrid(&[gpu], "");
        router.force(Some(backend)).unwrap();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let mut ends = 0;
                    while ends < 3 {
                        let Routed { output, route } = router.run(&task).unwrap();
                        assert!(output.len() == data.len() && output.iter().all(|&x| x == 2.0));
                        match route.reason {
                            Reason::Forced => assert_eq!(route.backend, backend),
                            Reason::FellBack { .. } | Reason::OutOfUse(_) => {
                                assert_eq!(route.backend, Backend::Cpu);
                                ends += 1;
                            }
                            other => panic!("{other}"),
                        }
                    }
                });
            }
            std::thread::sleep(Duration::from_millis(30));
            router.executor(backend).unwrap().lose_device();
        });
        assert_eq!(router.failed().len(), 1);
        router.rebuild(backend).unwrap();
        assert_eq!(call_once(&router, &task), backend);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_device_that_takes_too_long_is_replaced_by_the_cpu() {
    // lavapipe computes on other threads, so that the host always gets to the wait first.
    let Some(gpu) = gpus().into_iter().find(|gpu| gpu.info().backend == Backend::Vulkan) else {
        return;
    };
    let options = HybridOptions {
        executor: Options {
            timeout: Duration::ZERO,
            ..common::options()
        },
        force: Some(Backend::Vulkan),
        budget: Duration::ZERO,
    };
    let router = Hybrid::on(&[gpu], options).unwrap();
    let data = vec![1.0_f32; 1 << 22];
    let Routed { output, route } = router.run(&VectorAdd { a: &data, b: &data }).unwrap();
    assert!(output.len() == data.len() && output.iter().all(|&x| x == 2.0));
    let is_timeout = |reason: &Reason| {
        matches!(
            reason,
            Reason::FellBack {
                error: Error::Timeout { .. },
                ..
            }
        )
    };
    assert!(is_timeout(&route.reason), "{route}");
}

/// Set for the process that runs out of memory on purpose: the backend it does so on.
#[cfg(target_os = "linux")]
const OOM_CHILD_ENV: &str = "GPU_EXECUTOR_TEST_ROUTER_OOM";

#[cfg(target_os = "linux")]
#[test]
fn a_device_without_memory_is_replaced_by_the_cpu() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    const NAME: &str = "faults::a_device_without_memory_is_replaced_by_the_cpu";
    let Ok(backend) = std::env::var(OOM_CHILD_ENV) else {
        // The limit is the process's, so each adapter gets one of its own.
        for gpu in gpus() {
            let text = child(NAME, &[(OOM_CHILD_ENV, gpu.info().backend.name())]);
            assert!(text.contains("FELL BACK"), "{text}");
        }
        return;
    };
    let backend: Backend = backend.parse().unwrap();
    let router = hybrid(&[Adapter::pick(backend, None).unwrap()], "");
    router.force(Some(backend)).unwrap();
    let large = vec![1.0_f32; 1 << 25];
    assert_eq!(
        call_once(
            &router,
            &VectorAdd {
                a: &large[..1000],
                b: &large[..1000]
            }
        ),
        backend
    );
    let status = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = status.split(' ').next().unwrap().parse().unwrap();
    let before = getrlimit(Resource::As);
    // Room for the CPU's result, and not for the device's buffers beside it.
    let limit = Rlimit {
        current: Some(pages * 4096 + (200 << 20)),
        maximum: before.maximum,
    };
    setrlimit(Resource::As, limit).unwrap();
    let routed = router.run(&VectorAdd { a: &large, b: &large });
    setrlimit(Resource::As, before).unwrap();
    let Routed { output, route } = routed.unwrap();
    assert!(output.len() == large.len() && output.iter().all(|&x| x == 2.0));
    assert!(matches!(route.reason, Reason::FellBack { .. }), "{route}");
    // That was too much for it, which is no reason to do without it, unless the driver says that it is lost.
    let is_memory = matches!(
        &route.reason,
        Reason::FellBack {
            error: Error::OutOfMemory { .. },
            ..
        }
    );
    assert_eq!(router.failed().is_empty(), is_memory, "{route}: {:?}", router.failed());
    println!("FELL BACK: {route}");
}
