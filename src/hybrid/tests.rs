//! Devices that cannot be used: which of them are tried again, and when.

use super::*;
use crate::{
    op::VectorAdd,
    tuning::{Transfer, Tuning},
};

fn router(adapter: &Adapter, folder: &std::path::Path) -> Hybrid {
    let options = HybridOptions {
        executor: Options {
            cache_dir: Some(folder.to_owned()),
            tuning: Some(Tuning::plain(Transfer::STAGED)),
            ..Options::default()
        },
        budget: Duration::from_secs(20),
        ..HybridOptions::default()
    };
    Hybrid::on(std::slice::from_ref(adapter), options).unwrap()
}

/// Runs a task on a new router, which calibrates if need be, and says whether it tried to use the
/// device.
fn tries(adapter: &Adapter, folder: &std::path::Path) -> bool {
    let router = router(adapter, folder);
    let data = [1.0_f32; 3000];
    let routed = router.run(&VectorAdd { a: &data, b: &data }).unwrap();
    assert_eq!((routed.output, routed.route.backend), (vec![2.0; 3000], Backend::Cpu));
    assert!(router.table::<VectorAdd<'_>>().is_some(), "{}", routed.route);
    router.devices[1].was_open() || router.devices[1].failure().is_some()
}

/// Changes the stored file.
fn edit(adapter: &Adapter, folder: &std::path::Path, change: impl Fn(&mut serde_json::Value)) {
    let file = router(adapter, folder).table_file().unwrap();
    let mut kept = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    change(&mut kept);
    std::fs::write(&file, kept.to_string()).unwrap();
}

/// A device that fails is tried once, and again a day later, or once the clock is set back.
fn check(adapter: &Adapter, operator: Option<&str>) {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    assert!(tries(adapter, folder), "nothing is known of it");
    assert!(!tries(adapter, folder));
    edit(adapter, folder, |kept| {
        let failure = &kept["failures"][0];
        assert_eq!(failure["backend"], adapter.info().backend.name());
        assert_eq!(failure["operator"].as_str(), operator);
        assert_eq!(kept["operators"]["vector_add"]["times"].as_array().unwrap().len(), 1);
    });
    for at in [0, cache::now() - 25 * 60 * 60, cache::now() + 1000] {
        edit(adapter, folder, |kept| kept["failures"][0]["at"] = at.into());
        assert!(tries(adapter, folder), "{at}");
        assert!(!tries(adapter, folder));
    }
    edit(adapter, folder, |kept| kept["failures"] = serde_json::json!([]));
    assert!(tries(adapter, folder), "nothing says why the table is without it");
}

#[test]
fn a_device_that_computes_wrongly_is_not_tried_by_every_process() {
    // It computes nothing at all.
    let adapter = Adapter::noop().unwrap();
    check(&adapter, Some("vector_add"));
    let folder = tempfile::tempdir().unwrap();
    assert!(tries(&adapter, folder.path()));
    router(&adapter, folder.path()).rebuild(Backend::Vulkan).unwrap();
    assert!(tries(&adapter, folder.path()), "a rebuilt device is tried again");
}

#[cfg(all(target_os = "linux", feature = "gles"))]
#[test]
fn a_device_that_cannot_be_opened_is_not_tried_by_every_process_and_replaced_by_the_cpu() {
    for adapter in Adapter::list_own_gles().unwrap() {
        let executor = Executor::on(
            &adapter,
            Options {
                tuning: Some(Tuning::plain(Transfer::STAGED)),
                ..Options::default()
            },
        );
        executor.unwrap().gpu().unwrap().end_context();
        check(&adapter, None);
        // Where nothing was measured, a call finds out.
        let router = router(&adapter, std::path::Path::new(""));
        router.force(Some(Backend::Gles)).unwrap();
        let run = || router.run(&VectorAdd { a: &[1.0], b: &[2.0] }).unwrap();
        let Routed { output, route } = run();
        assert_eq!((output, route.backend), (vec![3.0], Backend::Cpu));
        assert!(
            matches!(
                route.reason,
                Reason::FellBack {
                    from: Backend::Gles,
                    ..
                }
            ),
            "{route}"
        );
        assert_eq!(run().route.reason, Reason::OutOfUse(Backend::Gles));
        assert!(router.rebuild(Backend::Gles).is_err());
    }
}
