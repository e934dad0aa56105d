//! What is kept between processes.

use gpu_executor::{Backend, Executor, Options, TUNING_ENV, VectorAdd};

use super::common;

#[test]
fn compiled_pipelines_are_kept_where_the_adapter_allows_it() {
    let task = VectorAdd { a: &[1.0], b: &[2.0] };
    for adapter in common::adapters() {
        let folder = tempfile::tempdir().unwrap();
        let options = Options {
            cache_dir: Some(folder.path().to_owned()),
            ..common::options()
        };
        let run = || {
            let executor = Executor::on(&adapter, options.clone()).unwrap();
            assert_eq!(executor.run(&task), Ok(vec![3.0]));
        };
        run();
        let files = std::fs::read_dir(folder.path())
            .unwrap()
            .map(|file| file.unwrap().path());
        let files: Vec<_> = files.collect();
        // Of wgpu's backends only Vulkan offers it.
        assert_eq!(
            files.len(),
            usize::from(adapter.info().backend == Backend::Vulkan),
            "{files:?}"
        );
        run();
        for file in files {
            let kept = std::fs::read(&file).unwrap();
            for damaged in [&kept[..kept.len() / 2], b"x", b""] {
                std::fs::write(&file, damaged).unwrap();
                run();
                let again = std::fs::read(&file).unwrap();
                assert!(again.len() > damaged.len(), "what is damaged is written anew");
            }
        }
    }
}

#[test]
fn a_calibration_is_made_once_and_kept() {
    if std::env::var_os(TUNING_ENV).is_some() {
        return;
    }
    for adapter in common::adapters() {
        let folder = tempfile::tempdir().unwrap();
        let options = Options {
            cache_dir: Some(folder.path().to_owned()),
            ..Options::default()
        };
        let tuning = Executor::on(&adapter, options.clone()).unwrap().tuning();
        let calibrations = || {
            let files = std::fs::read_dir(folder.path()).unwrap();
            let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
            names.filter(|name| name.ends_with(".json")).count()
        };
        let expected = usize::from(adapter.info().backend != Backend::Cpu);
        assert_eq!((calibrations(), usize::from(tuning.is_some())), (expected, expected));
        assert_eq!(Executor::on(&adapter, options).unwrap().tuning(), tuning);
    }
}
