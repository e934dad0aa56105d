//! What a device cannot do in time, or has no memory for, the CPU does; on Linux, where both can be
//! brought about.

use std::time::Duration;

use gpu_executor::{Adapter, Backend, Error, Hybrid, HybridOptions, Reason, Routed, VectorAdd};

use super::{child, common, faults::call_once, gpus, hybrid};

#[test]
fn a_device_that_takes_too_long_is_replaced_by_the_cpu() {
    // lavapipe computes on other threads, so that the host always gets to the wait first.
    let Some(gpu) = gpus().into_iter().find(|gpu| gpu.info().backend == Backend::Vulkan) else {
        return;
    };
    let options = HybridOptions::default()
        .executor(common::options().timeout(Duration::ZERO))
        .force(Backend::Vulkan)
        .budget(Duration::ZERO);
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
const OOM_CHILD_ENV: &str = "GPU_EXECUTOR_TEST_ROUTER_OOM";

#[test]
fn a_device_without_memory_is_replaced_by_the_cpu() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    const NAME: &str = "limits::a_device_without_memory_is_replaced_by_the_cpu";
    let Ok(backend) = std::env::var(OOM_CHILD_ENV) else {
        // The limit is the process's, so each adapter gets one of its own.
        for gpu in gpus() {
            let text = child(NAME, &[(OOM_CHILD_ENV, gpu.info().backend.name())]);
            assert!(text.contains("FELL BACK"), "{text}");
        }
        return;
    };
    let backend: Backend = backend.parse().unwrap();
    let router = hybrid(&[Adapter::pick(backend).unwrap()], "");
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
    // That was too much for it, which is no reason to do without it, unless the driver says that it
    // is lost.
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
