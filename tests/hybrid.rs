//! A router gives what the CPU gives, wherever tasks run, says where that was, and loses nothing when a device fails.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "tests say what they saw, and have helpers"
)]

mod common;

use std::{path::Path, time::Duration};

use gpu_executor::{
    Adapter, Backend, Error, Hybrid, HybridOptions, Load, Options, Reason, Route, Routed, Sha256, VectorAdd,
    hybrid::Threshold, op,
};
use rayon::prelude::*;

/// The adapters that are not the CPU.
fn gpus() -> Vec<Adapter> {
    let mut backends = vec![Backend::Cpu];
    let mut adapters = common::adapters();
    // A router uses one adapter of a backend: the first.
    adapters.retain(|adapter| {
        let backend = adapter.info().backend;
        let is_first = !backends.contains(&backend);
        backends.push(backend);
        is_first
    });
    adapters
}

/// Nothing is calibrated, so that what a test finds does not depend on times.
fn hybrid(adapters: &[Adapter], folder: &str) -> Hybrid {
    within(adapters, folder, Duration::ZERO)
}

fn within(adapters: &[Adapter], folder: &str, budget: Duration) -> Hybrid {
    let options = HybridOptions {
        executor: Options {
            cache_dir: Some(folder.into()),
            ..common::options()
        },
        budget,
        ..HybridOptions::default()
    };
    Hybrid::on(adapters, options).unwrap()
}

/// From so many items on tasks run on a device.
fn from(items: u64, backend: Backend) -> Threshold {
    Threshold {
        depth: 1,
        items,
        backend,
    }
}

#[test]
fn results_are_the_cpus_whatever_the_route() {
    let gpus = gpus();
    let router = hybrid(&gpus, "");
    for backend in router.adapters().map(|info| info.backend).collect::<Vec<_>>() {
        router.force(Some(backend)).unwrap();
        for operator in op::ALL {
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
        router.set_thresholds("vector_add", rows.clone()).unwrap();
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
        router.set_thresholds("vector_add", Vec::new()).unwrap();
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
    assert_eq!(router.set_thresholds("vector_add", rows), Err(missing(Backend::Gles)));
    let unknown = Error::BadRoute {
        part: "field_chain".to_owned(),
    };
    assert_eq!(router.set_thresholds("field_chain", Vec::new()), Err(unknown));
    assert_eq!(router.executor(Backend::Metal).unwrap_err(), missing(Backend::Metal));
    let options = HybridOptions {
        force: Some(Backend::Gles),
        ..HybridOptions::default()
    };
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

    const NAME: &str = "a_device_without_memory_is_replaced_by_the_cpu";
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
    println!("FELL BACK: {route}");
}

/// Runs one test of this program in a process of its own, with some environment, and returns what it prints.
fn child(test: &str, environment: &[(&str, &str)]) -> String {
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture"])
        .envs(environment.iter().copied())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{test}: {}\n{text}{errors}", output.status);
    text
}

/// Set for the process that prints what the environment makes of it.
const ROUTE_CHILD_ENV: &str = "GPU_EXECUTOR_TEST_ROUTE";

#[test]
fn the_environment_forces_a_device_unless_the_program_does() {
    const NAME: &str = "the_environment_forces_a_device_unless_the_program_does";
    if std::env::var_os(ROUTE_CHILD_ENV).is_some() {
        let options = || HybridOptions {
            executor: common::options(),
            budget: Duration::ZERO,
            ..HybridOptions::default()
        };
        match Hybrid::on(&gpus(), options()) {
            Ok(router) => {
                let route = router.run(&VectorAdd { a: &[1.0], b: &[1.0] }).unwrap().route;
                println!("\nSEEN {} {:?}", route.backend, route.reason);
            }
            Err(error) => println!("\nSEEN {error}"),
        }
        let forced = HybridOptions {
            force: Some(Backend::Cpu),
            ..options()
        };
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
    check("fastest", "GPU_EXECUTOR_ROUTE: `fastest` is no route");
    let elsewhere = if cfg!(target_os = "macos") { "dx12" } else { "metal" };
    check(elsewhere, &format!("this router has no {elsewhere} device"));
}

/// Plants a table that says a GPU takes no time: a router that uses it, says so by where it runs tasks.
fn plant(adapters: &[Adapter], folder: &Path) -> (std::path::PathBuf, serde_json::Value) {
    let backend = adapters[0].info().backend;
    let folder = folder.to_str().unwrap();
    let mut router = hybrid(adapters, folder);
    router.set_thresholds("vector_add", vec![from(1, backend)]).unwrap();
    router.keep_tables();
    let file = router.table_file().unwrap();
    let mut kept: serde_json::Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    let times = |backend: &str, ns: f64| serde_json::json!({ "backend": backend, "task_ns": 0.0, "curves": [{ "depth": 1, "points": [[1, ns], [100, ns]] }] });
    kept["operators"]["vector_add"]["decided_by"] = "times".into();
    kept["operators"]["vector_add"]["times"] = serde_json::json!([times("cpu", 1e9), times(backend.name(), 1.0)]);
    std::fs::write(&file, kept.to_string()).unwrap();
    assert!(is_used(adapters, folder), "as it was planted");
    (file, kept)
}

fn is_used(adapters: &[Adapter], folder: &str) -> bool {
    let routed = hybrid(adapters, folder)
        .run(&VectorAdd { a: &[1.0], b: &[1.0] })
        .unwrap();
    assert_eq!(routed.output, [2.0]);
    match routed.route.reason {
        Reason::Fastest => true,
        Reason::NotCalibrated => false,
        other => panic!("{other}"),
    }
}

#[test]
fn a_table_of_anything_else_is_not_used() {
    let gpus = gpus();
    if gpus.is_empty() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (file, kept) = plant(&gpus, folder.path());
    let check = |what: &str, value: serde_json::Value| {
        let mut other = kept.clone();
        let place = other.pointer_mut(what).unwrap_or_else(|| panic!("{what} in {kept}"));
        assert_ne!(*place, value);
        *place = value;
        std::fs::write(&file, other.to_string()).unwrap();
        assert!(!is_used(&gpus, folder.path().to_str().unwrap()), "{what}");
    };
    check("/fingerprint/revision", 0.into());
    check("/fingerprint/version", "0.0.9".into());
    check("/fingerprint/processor", "Z80".into());
    check("/fingerprint/threads", 77.into());
    check("/fingerprint/tuning", "spin=1".into());
    check("/fingerprint/adapters/1/driver_version", "1.0 of long ago".into());
    check("/fingerprint/adapters/1/name", "another".into());
    check("/fingerprint/adapters/1/limits/buffer_bytes", 1.into());
    check("/operators/vector_add/times/0/task_ns", (-1.0).into());
    check("/operators/vector_add/times/0/curves", serde_json::json!([]));
    check("/operators/vector_add/times/1/backend", "cpu".into());
    std::fs::write(&file, kept.to_string()).unwrap();
    assert!(is_used(&gpus, folder.path().to_str().unwrap()), "as it was");
}

#[test]
fn a_damaged_table_is_kept_aside_and_not_used() {
    let gpus = gpus();
    if gpus.is_empty() {
        return;
    }
    for contents in [
        "",
        "{",
        "null",
        "[]",
        "{\"fingerprint\":1}",
        "\u{0}\u{ff}",
        "{\"operators\":{}}",
    ] {
        let folder = tempfile::tempdir().unwrap();
        let (file, _) = plant(&gpus, folder.path());
        std::fs::write(&file, contents).unwrap();
        assert!(!is_used(&gpus, folder.path().to_str().unwrap()), "{contents:?}");
        let damaged = format!("{}.damaged", file.display());
        assert_eq!(std::fs::read_to_string(damaged).unwrap(), contents);
    }
    // A folder in the file's place can neither be read nor replaced.
    let folder = tempfile::tempdir().unwrap();
    let (file, _) = plant(&gpus, folder.path());
    std::fs::remove_file(&file).unwrap();
    std::fs::create_dir_all(file.join("in the way")).unwrap();
    let folder = folder.path().to_str().unwrap();
    assert!(!is_used(&gpus, folder));
    let router = within(&gpus, folder, Duration::from_secs(20));
    assert!(router.table::<VectorAdd<'_>>().is_some(), "calibrated all the same");
    assert!(!is_used(&gpus, folder));
}

#[test]
fn a_folder_that_cannot_be_written_keeps_nothing_and_nothing_fails() {
    let gpus = gpus();
    if gpus.is_empty() {
        return;
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    for folder in ["", file.path().to_str().unwrap()] {
        let router = within(&gpus, folder, Duration::from_secs(20));
        let routed = router.run(&VectorAdd { a: &[1.0], b: &[2.0] }).unwrap();
        assert_eq!((routed.output, routed.route.reason), (vec![3.0], Reason::Fastest));
        router.keep_tables();
        assert!(!is_used(&gpus, folder));
    }
}

#[test]
fn a_persons_thresholds_outlive_a_new_driver() {
    let gpus = gpus();
    let Some(gpu) = gpus.first() else { return };
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().to_str().unwrap();
    let mut router = hybrid(&gpus, folder);
    router
        .set_thresholds("vector_add", vec![from(1, gpu.info().backend)])
        .unwrap();
    router.keep_tables();
    let file = router.table_file().unwrap();
    let text = std::fs::read_to_string(&file).unwrap();
    let version = serde_json::to_string(&gpu.info().driver_version).unwrap();
    assert!(text.contains(&version));
    std::fs::write(&file, text.replace(&version, "\"1.0 of long ago\"")).unwrap();
    let route = hybrid(&gpus, folder)
        .run(&VectorAdd { a: &[1.0], b: &[1.0] })
        .unwrap()
        .route;
    assert_eq!(route.backend, gpu.info().backend, "{route}");
    assert!(matches!(route.reason, Reason::Threshold(_)), "{route}");
}

#[test]
fn a_calibration_is_kept_and_found_again() {
    let gpus = gpus();
    if gpus.is_empty() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().to_str().unwrap();
    let router = within(&gpus, folder, Duration::from_secs(20));
    let data = vec![[7_u8; 64]; 50_000];
    let task = Sha256 { messages: &data };
    let Routed { route, .. } = router.run(&task).unwrap();
    assert_eq!(route.reason, Reason::Fastest);
    assert_eq!(route.predicted().count(), gpus.len() + 1, "{route}");
    let least = route.predicted().min_by_key(|(_, time)| *time).unwrap().0;
    assert_eq!(route.backend, least, "{route}");
    let table = router.table::<Sha256<'_, [u8; 64]>>().unwrap();
    assert_eq!(table.times.len(), gpus.len() + 1);
    assert_eq!(table.thresholds, table.crossovers());
    // Without any time of its own, another one knows the same.
    let other = hybrid(&gpus, folder);
    assert_eq!(other.table::<Sha256<'_, [u8; 64]>>(), Some(table));
    assert_eq!(other.table::<VectorAdd<'_>>(), None);
}

/// Set for processes that calibrate at the same time: the folder.
const FOLDER_CHILD_ENV: &str = "GPU_EXECUTOR_TEST_ROUTER_FOLDER";

#[test]
fn two_processes_that_calibrate_at_once_end_with_one_table() {
    const NAME: &str = "two_processes_that_calibrate_at_once_end_with_one_table";
    if let Ok(folder) = std::env::var(FOLDER_CHILD_ENV) {
        let router = within(&gpus(), &folder, Duration::from_secs(60));
        let table = router.table::<VectorAdd<'_>>().unwrap();
        println!("\nTABLE {}", serde_json::to_string(table).unwrap());
        return;
    }
    if gpus().is_empty() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    let tables: Vec<String> = std::thread::scope(|scope| {
        let run = || child(NAME, &[(FOLDER_CHILD_ENV, path)]);
        let processes = [scope.spawn(run), scope.spawn(run), scope.spawn(run)];
        let table = |text: String| {
            text.lines()
                .find(|line| line.starts_with("TABLE"))
                .map(str::to_owned)
                .unwrap()
        };
        processes.map(|process| table(process.join().unwrap())).to_vec()
    });
    assert!(tables.iter().all(|table| *table == tables[0]), "{tables:?}");
    let names = std::fs::read_dir(folder.path()).unwrap();
    let names: Vec<_> = names
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    assert!(
        names
            .iter()
            .all(|name| name.ends_with(".json") || name.ends_with(".lock") || name.starts_with("wgpu")),
        "nothing is left beside the tables: {names:?}"
    );
}

#[test]
fn threads_that_come_while_one_calibrates_go_on() {
    let gpus = gpus();
    let router = within(&gpus, "", Duration::from_secs(3));
    let data = vec![1.0_f32; 30_000];
    // As many as the pool has, and more, each of which may be asked to help with the calibration's own work.
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
    assert!(gpus.is_empty() || router.table::<VectorAdd<'_>>().is_some());
}
