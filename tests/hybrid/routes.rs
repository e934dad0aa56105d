//! Tasks run where they are told to, or where it is fastest, and give what the CPU gives.

use std::time::Duration;

use gpu_executor::{
    Backend, Error, Hybrid, HybridOptions, Load, Reason, Route, Routed, Sha256, VectorAdd, testkit::OPERATORS,
};
use rayon::prelude::*;

use super::{child, common, from, gpus, hybrid, within};

#[test]
fn results_are_the_cpus_whatever_the_route() {
    let gpus = gpus();
    let router = hybrid(&gpus, "");
    for backend in router.adapters().map(|info| info.backend).collect::<Vec<_>>() {
        router.force(Some(backend)).unwrap();
        for operator in OPERATORS {
            for (size, tasks) in [(0, 1), (1, 1), (1000, 1), (5000, 1), (33, 9), (0, 3)] {
                let workload = (operator.workload)(size, tasks, 5);
                let route = workload.check_routed(&router).unwrap();
                assert_eq!((route.backend, &route.reason), (backend, &Reason::Forced), "{route}");
                assert_eq!(route.load, workload.load());
            }
        }
    }
}

#[test]
fn each_way_to_call_goes_where_the_thresholds_say() {
    for gpu in gpus() {
        let backend = gpu.info().backend;
        let mut router = hybrid(&[gpu], "");
        let rows = vec![from(1, Backend::Cpu), from(100, backend)];
        router.set_thresholds::<VectorAdd<'_>>(rows.clone()).unwrap();
        let data = vec![1.0_f32; 1000];
        let check = |n: usize, expected: Backend| {
            let task = VectorAdd {
                a: &data[..n],
                b: &data[..n],
            };
            let is_right = |route: &Route, backend| {
                assert_eq!(route.backend, backend, "{n}: {route}");
                assert!(
                    matches!(route.reason, Reason::Threshold(row) if rows.contains(&row)),
                    "{route}"
                );
            };
            let Routed { output, route } = router.run(&task).unwrap();
            assert_eq!(output, vec![2.0; n]);
            is_right(&route, expected);
            let mut slice = vec![0.0; n];
            is_right(&router.run_into(&task, &mut slice).unwrap(), expected);
            assert_eq!(slice, output);
            // Ten of them are as many items as the sum.
            let of_ten = if n * 10 < 100 { Backend::Cpu } else { backend };
            let flat = router.run_batch_flat(&[task; 10]).unwrap();
            assert_eq!((flat.output.len(), flat.output.items()), (10, &vec![2.0; 10 * n][..]));
            is_right(&flat.route, of_ten);
            let batch = router.run_batch(&[task; 10]).unwrap();
            assert_eq!(batch.output, vec![output; 10]);
            is_right(&batch.route, of_ten);
        };
        check(9, Backend::Cpu);
        check(10, Backend::Cpu);
        check(99, Backend::Cpu);
        check(100, backend);
        check(1000, backend);
        router.set_thresholds::<VectorAdd<'_>>(Vec::new()).unwrap();
        let route = router.route::<VectorAdd<'_>>(Load::flat(1000));
        assert_eq!(
            route.reason,
            Reason::NotCalibrated,
            "nothing is known but the thresholds that are gone"
        );
    }
}

#[test]
fn what_is_not_there_cannot_be_asked_for() {
    let mut router = hybrid(&[], "");
    let missing = |backend| Error::NotRouted {
        backend,
        devices: vec![Backend::Cpu],
    };
    assert_eq!(router.force(Some(Backend::Vulkan)), Err(missing(Backend::Vulkan)));
    let rows = vec![from(1, Backend::Gles)];
    assert_eq!(
        router.set_thresholds::<VectorAdd<'_>>(rows),
        Err(missing(Backend::Gles))
    );
    assert_eq!(router.executor(Backend::Metal).unwrap_err(), missing(Backend::Metal));
    let options = HybridOptions::default().force(Backend::Gles);
    assert_eq!(Hybrid::on(&[], options).unwrap_err(), missing(Backend::Gles));
    let route = router.run(&VectorAdd { a: &[1.0], b: &[1.0] }).unwrap().route;
    assert_eq!((route.backend, route.reason), (Backend::Cpu, Reason::OnlyDevice));
}

#[test]
fn a_wrong_task_is_an_error_and_no_fault_of_the_device() {
    for gpu in gpus() {
        let router = hybrid(std::slice::from_ref(&gpu), "");
        router.force(Some(gpu.info().backend)).unwrap();
        let good = VectorAdd {
            a: &[1.0; 4],
            b: &[1.0; 4],
        };
        let wrong = VectorAdd { a: &[1.0; 3], ..good };
        let mismatch = |task| Error::LengthMismatch {
            operator: "vector_add",
            task,
            left: 3,
            right: 4,
        };
        assert_eq!(router.run(&wrong).unwrap_err(), mismatch(0));
        assert_eq!(router.run_batch(&[good, wrong]).unwrap_err(), mismatch(1));
        let error = router.run_into(&good, &mut [0.0; 5]).unwrap_err();
        assert!(matches!(error, Error::OutputLength { .. }), "{error}");
        assert_eq!(router.run(&good).unwrap().route.reason, Reason::Forced);
        assert!(router.failed().is_empty());
    }
}

/// Set for the process that prints what the environment makes of it.
const ROUTE_CHILD_ENV: &str = "GPU_EXECUTOR_TEST_ROUTE";

#[test]
fn the_environment_forces_a_device_unless_the_program_does() {
    const NAME: &str = "routes::the_environment_forces_a_device_unless_the_program_does";
    if std::env::var_os(ROUTE_CHILD_ENV).is_some() {
        let options = || {
            let options = HybridOptions::from_env().unwrap();
            options.executor(common::options()).budget(Duration::ZERO)
        };
        match Hybrid::on(&gpus(), options()) {
            Ok(router) => {
                let route = router.run(&VectorAdd { a: &[1.0], b: &[1.0] }).unwrap().route;
                println!("\nSEEN {} {:?}", route.backend, route.reason);
            }
            Err(error) => println!("\nSEEN {error}"),
        }
        let forced = options().force(Backend::Cpu);
        if let Ok(router) = Hybrid::on(&gpus(), forced) {
            let route = router.run(&VectorAdd { a: &[1.0], b: &[1.0] }).unwrap().route;
            println!("\nFORCED {} {:?}", route.backend, route.reason);
        }
        return;
    }
    let check = |value: &str, expected: &str| {
        let text = child(NAME, &[(ROUTE_CHILD_ENV, "1"), (gpu_executor::ROUTE_ENV, value)]);
        assert!(text.contains(&format!("SEEN {expected}")), "{value}: {text}");
        text
    };
    let gpus = gpus();
    for gpu in &gpus {
        let name = gpu.info().backend.name();
        let text = check(name, &format!("{name} ForcedByEnvironment"));
        assert!(text.contains("FORCED cpu Forced"), "{text}");
        check(&format!("{name},vector_add=cpu"), "cpu ForcedByEnvironment");
    }
    check(
        "auto",
        if gpus.is_empty() {
            "cpu OnlyDevice"
        } else {
            "cpu NotCalibrated"
        },
    );
    check("fastest", "GPU_EXECUTOR_ROUTE: unknown route `fastest`");
    let elsewhere = if cfg!(target_os = "macos") { "dx12" } else { "metal" };
    check(elsewhere, &format!("this router has no {elsewhere} device"));
}

/// Set for the process whose environment names an absent device.
const WRONG_CHILD_ENV: &str = "GPU_EXECUTOR_TEST_WRONG_ENVIRONMENT";

#[test]
fn what_is_wrong_in_the_environment_is_an_error_and_no_reason_to_do_without_a_gpu() {
    const NAME: &str = "routes::what_is_wrong_in_the_environment_is_an_error_and_no_reason_to_do_without_a_gpu";
    if std::env::var_os(WRONG_CHILD_ENV).is_some() {
        let options = HybridOptions::from_env().map(|options| {
            let executor = options.executor.clone().cache_dir("");
            options.executor(executor)
        });
        match options.and_then(Hybrid::new) {
            Ok(router) => println!("\nSEEN {} devices", router.adapters().count()),
            Err(error) => println!("\nSEEN {error}"),
        }
        return;
    }
    if gpus().is_empty() {
        return;
    }
    let check = |name: &str, value: &str, expected: &str| {
        let text = child(NAME, &[(WRONG_CHILD_ENV, "1"), (name, value)]);
        assert!(text.contains(&format!("SEEN {expected}")), "{name}={value}: {text}");
    };
    check(gpu_executor::ADAPTER_NAME_ENV, "no such adapter", "no ");
    check(
        gpu_executor::TUNING_ENV,
        "spin=often",
        "GPU_EXECUTOR_TUNING: unknown setting `spin=often`",
    );
    check(gpu_executor::BACKENDS_ENV, "vulcan", "unknown backend `vulcan`");
}

#[test]
fn threads_that_come_while_one_calibrates_go_on() {
    let gpus = gpus();
    // Enough for a device that takes seconds to open and to make its pipelines, beside 64 tasks.
    let router = within(&gpus, "", Duration::from_secs(20));
    let data = vec![1.0_f32; 30_000];
    // As many as the pool has, and more, each of which may be asked to help with the calibration's
    // own work.
    (0..64).into_par_iter().for_each(|index| {
        let n = 1 + index * 450;
        let task = VectorAdd {
            a: &data[..n],
            b: &data[..n],
        };
        let messages = vec![[3_u8; 64]; n / 10];
        let Routed { output, route } = router.run(&task).unwrap();
        assert_eq!(output, vec![2.0; n], "{route}");
        let hashes = router.run(&Sha256 { messages: &messages }).unwrap().output;
        assert!(hashes.len() == n / 10 && hashes.iter().all(|hash| *hash == hashes[0]));
    });
    let table = router.table::<VectorAdd<'_>>();
    assert!(gpus.is_empty() || table.is_some(), "failed: {:?}", router.failed());
}

#[test]
fn nothing_to_do_calibrates_nothing() {
    let gpus = gpus();
    let router = within(&gpus, "", Duration::from_secs(20));
    let nothing = VectorAdd { a: &[], b: &[] };
    assert_eq!(router.run(&nothing).unwrap().route.reason, Reason::Small);
    assert_eq!(
        router.run_batch::<VectorAdd<'_>>(&[]).unwrap().route.reason,
        Reason::Small
    );
    // Who forces a device has nothing done there as well.
    router.force(Some(Backend::Cpu)).unwrap();
    assert_eq!(router.run(&nothing).unwrap().route.reason, Reason::Forced);
}
