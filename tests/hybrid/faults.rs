//! What a device that fails was to do, the CPU does.

use std::time::Duration;

use gpu_executor::{Backend, Error, Hybrid, Reason, Route, Routed, VectorAdd};

use super::{from, gpus, hybrid};

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
        router.set_thresholds::<VectorAdd<'_>>(vec![from(1, backend)]).unwrap();
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

pub(crate) fn call_once(router: &Hybrid, task: &VectorAdd<'_>) -> Backend {
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
