//! Stored calibrations: their contents, who may use them, and how calls change them.

use std::{path::Path, time::Duration};

use gpu_executor::{Adapter, Backend, Hybrid, Load, Reason, Route, Routed, Sha256, VectorAdd};

use super::{child, from, gpus, hybrid, within};

/// Plants a table that says a GPU takes no time: a router that uses it, says so by where it runs
/// tasks.
fn plant(adapters: &[Adapter], folder: &Path) -> (std::path::PathBuf, serde_json::Value) {
    let backend = adapters[0].info().backend;
    let folder = folder.to_str().unwrap();
    let mut router = hybrid(adapters, folder);
    router.set_thresholds::<VectorAdd<'_>>(vec![from(1, backend)]).unwrap();
    router.keep_tables();
    let file = router.table_file().unwrap();
    let mut kept: serde_json::Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    let times = |backend: &str, ns: f64| serde_json::json!({ "backend": backend, "task_ns": 0.0, "curves": [{ "depth": 1, "points": [[1, ns], [100, ns]] }] });
    kept["operators"]["vector_add"]["decided_by"] = "times".into();
    let others = adapters[1..]
        .iter()
        .map(|adapter| times(adapter.info().backend.name(), 1e9));
    let all = [times("cpu", 1e9), times(backend.name(), 1.0)]
        .into_iter()
        .chain(others);
    kept["operators"]["vector_add"]["times"] = all.collect();
    std::fs::write(&file, kept.to_string()).unwrap();
    assert!(is_used(adapters, folder), "as it was written");
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
    check("/fingerprint/flags", "WGPU_VALIDATION=1".into());
    check("/fingerprint/adapters/1/driver_version", "1.0 of long ago".into());
    check("/fingerprint/adapters/1/name", "another".into());
    check("/fingerprint/adapters/1/limits/buffer_bytes", 1.into());
    check("/operators/vector_add/times/0/task_ns", (-1.0).into());
    check("/operators/vector_add/times/0/curves", serde_json::json!([]));
    check("/operators/vector_add/times/1/backend", "cpu".into());
    // A device that nothing says anything of.
    check("/operators/vector_add/times/1/backend", "metal".into());
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
        .set_thresholds::<VectorAdd<'_>>(vec![from(1, gpu.info().backend)])
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
    // Nor is it lost where the file is of a revision that knew less, or of one that cannot be read
    // at all.
    let check = |change: fn(&mut serde_json::Value), is_read: bool| {
        let mut kept: serde_json::Value = serde_json::from_str(&text).unwrap();
        change(&mut kept);
        std::fs::write(&file, kept.to_string()).unwrap();
        let router = hybrid(&gpus, folder);
        let route = router.run(&VectorAdd { a: &[1.0], b: &[1.0] }).unwrap().route;
        assert_eq!(matches!(route.reason, Reason::Threshold(_)), is_read, "{route}");
        let old = std::path::PathBuf::from(format!("{}.old", file.display()));
        assert_eq!(old.exists(), !is_read);
    };
    check(
        |kept| {
            kept["fingerprint"]["revision"] = 2.into();
            kept["fingerprint"].as_object_mut().unwrap().remove("flags").unwrap();
        },
        true,
    );
    check(
        |kept| {
            kept["fingerprint"] = serde_json::json!({ "revision": 99 });
        },
        false,
    );
}

#[test]
fn failures_that_no_router_writes_are_ignored() {
    let gpus = gpus();
    if gpus.is_empty() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().to_str().unwrap();
    let router = within(&gpus, folder, Duration::from_secs(20));
    assert!(router.table::<VectorAdd<'_>>().is_some());
    let file = router.table_file().unwrap();
    let text = std::fs::read_to_string(&file).unwrap();
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    for at in [0, now.as_secs(), u64::MAX] {
        let mut kept: serde_json::Value = serde_json::from_str(&text).unwrap();
        kept["operators"] = serde_json::json!({});
        kept["failures"] = serde_json::json!([{ "backend": "cpu", "operator": null, "error": "injected", "at": at }]);
        std::fs::write(&file, kept.to_string()).unwrap();
        let router = within(&gpus, folder, Duration::from_secs(20));
        let table = router.table::<VectorAdd<'_>>().unwrap();
        assert!(table.times.iter().any(|times| times.backend == Backend::Cpu), "{at}");
    }
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
    const NAME: &str = "tables::two_processes_that_calibrate_at_once_end_with_one_table";
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
fn calls_that_take_longer_than_the_table_says_go_elsewhere_and_are_tried_again() {
    for gpu in gpus() {
        let backend = gpu.info().backend;
        let adapters = [gpu];
        let folder = tempfile::tempdir().unwrap();
        let (file, mut kept) = plant(&adapters, folder.path());
        // A driver that computes on the CPU takes longer than that, and the CPU less.
        let times = |first: f64, ns: f64| serde_json::json!([[1, first], [1000, ns], [1_000_000, ns]]);
        kept["operators"]["vector_add"]["times"][0]["curves"][0]["points"] = times(50.0, 50_000.0);
        kept["operators"]["vector_add"]["times"][1]["curves"][0]["points"] = times(1000.0, 20_000.0);
        std::fs::write(&file, kept.to_string()).unwrap();
        let router = hybrid(&adapters, folder.path().to_str().unwrap());
        let data = vec![1.0; 200_000];
        let task = VectorAdd { a: &data, b: &data };
        let routes: Vec<Route> = (0..3000)
            .map(|_| {
                let Routed { output, route } = router.run(&task).unwrap();
                assert!(output.len() == data.len() && output[0] == 2.0, "{route}");
                route
            })
            .collect();
        assert_eq!((routes[0].backend, &routes[0].reason), (backend, &Reason::Fastest));
        // Which of them is slower than the table has it, the machine decides; here it is the GPU.
        let on_cpu = routes.iter().filter(|route| route.backend == Backend::Cpu).count();
        let again: Vec<&Route> = routes.iter().filter(|route| route.reason == Reason::Tried).collect();
        let is_slow = |route: &Route| {
            let time = |wanted| route.predicted().find(|(b, _)| *b == wanted).map(|(_, time)| time);
            time(backend) > time(Backend::Cpu)
        };
        assert!(!is_slow(&routes[0]), "{}", routes[0]);
        if is_slow(&routes[2999]) {
            assert!(on_cpu > 0 && !again.is_empty(), "{on_cpu}");
        }
        for route in again {
            // A tried device is not clearly the fastest: calls go to the fastest, unless they are
            // on a device within 5 % of it.
            let took = |is_wanted: &dyn Fn(Backend) -> bool| {
                route.predicted().find(|(b, _)| is_wanted(*b)).unwrap().1.as_secs_f64()
            };
            let (tried, other) = (took(&|b| b == route.backend), took(&|b| b != route.backend));
            assert!(tried * 1.06 > other, "{route}");
        }
        // A forced device, or a threshold set by hand, is not corrected.
        router.force(Some(backend)).unwrap();
        assert_eq!(router.run(&task).unwrap().route.backend, backend);
    }
}

#[test]
fn what_is_too_little_for_a_gpu_is_decided_without_a_prediction() {
    for gpu in gpus() {
        let backend = gpu.info().backend;
        let adapters = [gpu];
        let folder = tempfile::tempdir().unwrap();
        let (file, mut kept) = plant(&adapters, folder.path());
        let times = |fixed: f64, each: f64| serde_json::json!([[1, fixed], [1000, fixed + 1000.0 * each]]);
        kept["operators"]["vector_add"]["times"][0]["curves"][0]["points"] = times(50.0, 1.0);
        kept["operators"]["vector_add"]["times"][1]["curves"][0]["points"] = times(10_000.0, 0.1);
        std::fs::write(&file, kept.to_string()).unwrap();
        let mut router = hybrid(&adapters, folder.path().to_str().unwrap());
        let route = |router: &Hybrid, items: usize| {
            let data = vec![1.0; items];
            router.run(&VectorAdd { a: &data, b: &data }).unwrap().route
        };
        // The first one reads the table.
        assert_eq!(route(&router, 10).reason, Reason::Fastest);
        let small = route(&router, 10);
        assert_eq!((small.backend, &small.reason), (Backend::Cpu, &Reason::Small));
        assert_eq!((small.load, small.predicted().count()), (Load::flat(10), 0));
        assert_eq!(router.route::<VectorAdd<'_>>(Load::flat(10)), small);
        assert_eq!(route(&router, 9000).reason, Reason::Fastest);
        // An explicit choice is followed.
        router.force(Some(backend)).unwrap();
        assert_eq!(route(&router, 10).backend, backend);
        router.force(None).unwrap();
        router.set_thresholds::<VectorAdd<'_>>(vec![from(1, backend)]).unwrap();
        assert_eq!(route(&router, 10).backend, backend);
        router.set_thresholds::<VectorAdd<'_>>(Vec::new()).unwrap();
        route(&router, 10);
        assert_eq!(route(&router, 10).reason, Reason::Small);
    }
}

#[test]
fn thresholds_that_were_done_away_with_do_not_come_back() {
    for gpu in gpus() {
        let backend = gpu.info().backend;
        let adapters = [gpu];
        let folder = tempfile::tempdir().unwrap();
        let router = || hybrid(&adapters, folder.path().to_str().unwrap());
        let reason = |router: &Hybrid| router.route::<VectorAdd<'_>>(Load::flat(1000)).reason;
        let mut first = router();
        first.set_thresholds::<VectorAdd<'_>>(vec![from(1, backend)]).unwrap();
        first.keep_tables();
        let mut second = router();
        assert_eq!(reason(&second), Reason::Threshold(from(1, backend)));
        second.set_thresholds::<VectorAdd<'_>>(Vec::new()).unwrap();
        assert_eq!(reason(&second), Reason::NotCalibrated);
        assert_eq!(
            reason(&router()),
            Reason::Threshold(from(1, backend)),
            "they are still kept"
        );
        second.keep_tables();
        assert_eq!(reason(&router()), Reason::NotCalibrated);
    }
}
