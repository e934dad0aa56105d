//! Files that are kept between processes.

use gpu_executor::{Adapter, Backend, Executor, Options, VectorAdd};

use super::common;

#[test]
fn compiled_pipelines_are_kept_where_the_adapter_allows_it() {
    let run = |adapter: &Adapter, options| {
        let executor = Executor::on(adapter, options)?;
        executor.run(&VectorAdd { a: &[1.0], b: &[2.0] })
    };
    for adapter in common::adapters() {
        let folder = tempfile::tempdir().unwrap();
        let options = common::options().cache_dir(folder.path());
        assert_eq!(run(&adapter, options.clone()), Ok(vec![3.0]));
        let files = || {
            std::fs::read_dir(folder.path())
                .unwrap()
                .map(|file| file.unwrap().path())
        };
        assert_eq!(
            files().count(),
            0,
            "compiled pipelines are kept where the program asks for it alone"
        );
        #[expect(unsafe_code, reason = "the folder is this test's own")]
        // SAFETY: it was just made, under a random name. Content that the test writes there is
        // refused.
        let options = unsafe { options.keep_pipelines() };
        let run = || assert_eq!(run(&adapter, options.clone()), Ok(vec![3.0]));
        run();
        let files: Vec<_> = files().collect();
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
                assert!(again.len() > damaged.len(), "a damaged file is written anew");
            }
        }
    }
}

#[test]
fn a_calibration_is_made_once_and_kept() {
    for adapter in common::adapters() {
        let folder = tempfile::tempdir().unwrap();
        let options = Options::default().cache_dir(folder.path());
        let calibrations = || {
            let files = std::fs::read_dir(folder.path()).unwrap();
            let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
            names.filter(|name| name.ends_with(".json")).count()
        };
        let executor = Executor::on(&adapter, options.clone()).unwrap();
        assert_eq!(
            calibrations(),
            0,
            "nothing is measured or written before there is a need"
        );
        let tuning = executor.tune().unwrap();
        assert_eq!(executor.tuning(), tuning);
        let expected = usize::from(adapter.info().backend != Backend::Cpu);
        assert_eq!((calibrations(), usize::from(tuning.is_some())), (expected, expected));
        let again = Executor::on(&adapter, options).unwrap();
        again.run(&VectorAdd { a: &[1.0], b: &[2.0] }).unwrap();
        assert_eq!(again.tuning(), tuning, "the first call finds it");
    }
}
