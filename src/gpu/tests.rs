//! Our counts against wgpu's own gauges, and against wgpu's device without a driver.

use std::{pin::pin, sync::atomic::Ordering, time::Duration};

use crate::{
    adapter::{Adapter, AdapterChoice},
    backend::Backend,
    counters::Counters,
    error::Error,
    executor::Executor,
    op::{MerkleRoot, VectorAdd},
    options::Options,
    testkit::OPERATORS,
    tuning::{Transfer, Tuning},
};

/// Every adapter that works and has a driver.
fn adapters() -> Vec<Adapter> {
    let choice = AdapterChoice::from_env().unwrap();
    let mut adapters = choice.list(&Backend::selected().unwrap());
    adapters.extend(Adapter::list_own_gles().unwrap_or_default());
    adapters.retain(|adapter| adapter.info().unusable.is_none() && adapter.info().backend != Backend::Cpu);
    adapters
}

/// An executor on each, in each transfer mode.
fn executors() -> Vec<Executor> {
    let on = |adapter: &Adapter, transfer| {
        let options = Options {
            tuning: Some(Tuning::plain(transfer)),
            cache_dir: Some("".into()),
            ..Options::default()
        };
        Executor::on(adapter, options).unwrap()
    };
    adapters()
        .iter()
        .flat_map(|adapter| Transfer::ALL.map(|transfer| on(adapter, transfer)))
        .collect()
}

/// What wgpu says is alive: buffers, bind groups, pipelines.
fn alive(executor: &Executor) -> [isize; 3] {
    let hal = executor.gpu().unwrap().engine().device.gauges().hal;
    [hal.buffers.read(), hal.bind_groups.read(), hal.compute_pipelines.read()]
}

#[test]
fn what_we_count_as_created_is_what_wgpu_has() {
    let data = [1.0_f32; 1000];
    let task = VectorAdd { a: &data, b: &data };
    for executor in executors() {
        let name = &executor.adapter().name;
        // wgpu's first submission frees what it made for itself.
        executor
            .run(&VectorAdd {
                a: &data[..1],
                b: &data[..1],
            })
            .unwrap();
        let (before, earlier) = (alive(&executor), executor.counters());
        executor.run(&task).unwrap();
        let made = executor.counters() - earlier;
        let first = alive(&executor);
        let ours = [made.buffers_created, made.bind_groups_created, made.pipelines_created];
        let more: Vec<isize> = first.iter().zip(before).map(|(now, then)| now - then).collect();
        let ours = ours.map(|n| isize::try_from(n).unwrap());
        assert_eq!(more, ours, "{name}");
        for n in [1000, 999, 800, 1000] {
            let shorter = VectorAdd {
                a: &data[..n],
                b: &data[..n],
            };
            executor.run(&shorter).unwrap();
            executor.run_batch_flat(&[shorter]).unwrap();
            assert_eq!(
                alive(&executor),
                first,
                "{name}: nothing is created or freed in steady state"
            );
        }
    }
}

#[test]
fn without_a_driver_every_call_costs_what_it_costs_with_one() {
    let data = vec![1.0_f32; 256];
    let tasks = vec![VectorAdd { a: &data, b: &data }; 1000];
    for (transfer, spin_us) in Transfer::ALL
        .into_iter()
        .flat_map(|transfer| [(transfer, 0), (transfer, 1000)])
    {
        let staged =
            [transfer.upload, transfer.readback].map(|mode| u64::from(mode == crate::tuning::TransferMode::Staged));
        let check = |chunk_bytes, chunks: u64, tasks: &[VectorAdd<'_>]| {
            let options = Options {
                tuning: Some(Tuning {
                    spin_us,
                    ..Tuning::plain(transfer)
                }),
                cache_dir: Some("".into()),
                chunk_bytes,
                ..Options::default()
            };
            let executor = Executor::on(&Adapter::noop().unwrap(), options).unwrap();
            executor.run_batch_flat(tasks).unwrap();
            let before = executor.counters();
            for _ in 0..3 {
                executor.run_batch_flat(tasks).unwrap();
            }
            let elements = 256 * tasks.len() as u64;
            let expected = Counters {
                submits: chunks,
                passes: chunks,
                dispatches: chunks,
                copies: chunks * (staged[0] + staged[1]),
                bytes_up: 8 * elements,
                bytes_down: 4 * elements,
                maps: 2 * chunks,
                pool_hits: chunks,
                ..Counters::default()
            };
            assert_eq!(
                (executor.counters() - before).per_call(3),
                Some(expected),
                "{transfer:?}, spinning for {spin_us} µs"
            );
            // Commands recorded ahead are those of one small chunk, where the host polls.
            let ahead = usize::from(spin_us > 0 && chunks == 1 && tasks.len() == 1);
            assert_eq!(executor.gpu().unwrap().engine().prepared(), ahead);
        };
        check(u64::MAX, 1, &tasks[..1]);
        check(u64::MAX, 1, &tasks);
        check(1 << 18, 4, &tasks);
    }
}

#[test]
fn commands_are_recorded_ahead_where_calls_repeat_and_not_where_sizes_alternate() {
    let options = Options {
        tuning: Some(Tuning {
            spin_us: 50,
            ..Tuning::plain(Transfer::STAGED)
        }),
        ..Options::default()
    };
    let executor = Executor::on(&Adapter::noop().unwrap(), options).unwrap();
    let data = vec![1.0_f32; 512];
    let prepared = |n: usize| {
        let (a, b) = (&data[..n], &data[..n]);
        executor.run(&VectorAdd { a, b }).unwrap();
        executor.gpu().unwrap().engine().prepared()
    };
    // All of them share a bucket, and so its buffers.
    let sizes = [500, 500, 500, 501, 500, 501, 500, 500, 501, 501];
    assert_eq!(sizes.map(prepared), [0, 1, 1, 0, 0, 0, 0, 1, 0, 1]);
    let mut place = executor.in_place::<VectorAdd<'_>>(300, ()).unwrap();
    for _ in 0..3 {
        place.inputs().unwrap();
        drop(place.run().unwrap());
    }
    drop(place);
    assert_eq!(executor.gpu().unwrap().engine().prepared(), 2);
}

#[test]
fn without_a_driver_different_operators_are_one_submission_too() {
    let data = vec![1.0_f32; 1000];
    let sums = [VectorAdd { a: &data, b: &data }];
    let leaves = vec![[1_u8; 32]; 1025];
    let roots = [MerkleRoot { leaves: &leaves }];
    for transfer in Transfer::ALL {
        let staged =
            [transfer.upload, transfer.readback].map(|mode| u64::from(mode == crate::tuning::TransferMode::Staged));
        let options = Options {
            tuning: Some(Tuning::plain(transfer)),
            cache_dir: Some("".into()),
            ..Options::default()
        };
        let executor = Executor::on(&Adapter::noop().unwrap(), options).unwrap();
        let run = || {
            let mut call = executor.call();
            let (sums, roots) = (call.add(&sums).unwrap(), call.add(&roots).unwrap());
            let mut outputs = call.run().unwrap();
            assert_eq!(
                (
                    outputs.take(&sums).unwrap().items().len(),
                    outputs.take(&roots).unwrap().items().len()
                ),
                (1000, 1)
            );
        };
        run();
        let before = executor.counters();
        for _ in 0..3 {
            run();
        }
        let expected = Counters {
            submits: 1,
            passes: 1,
            // A tree of 1,025 leaves has two.
            dispatches: 3,
            copies: 2 * (staged[0] + staged[1]),
            bytes_up: 8 * 1000 + 8 + 32 * 1025,
            bytes_down: 4 * 1000 + 32,
            maps: 4,
            pool_hits: 2,
            ..Counters::default()
        };
        assert_eq!(
            (executor.counters() - before).per_call(3),
            Some(expected),
            "{transfer:?}"
        );
    }
}

/// wgpu would give up the device.
#[test]
fn more_tasks_than_there_are_places_for_are_an_error_and_later_ones_run() {
    let on = |backend| {
        let options = Options {
            tuning: Some(Tuning::plain(Transfer::STAGED)),
            cache_dir: Some("".into()),
            ..Options::default()
        };
        Executor::on(&Adapter::noop_as(backend).unwrap(), options).unwrap()
    };
    let task = VectorAdd { a: &[1.0], b: &[2.0] };
    let bindings = |executor: &Executor, count| executor.gpu().unwrap().engine().device.bindings.take(count);
    let executor = on(Backend::Dx12);
    assert!(bindings(&executor, 100_000).is_none());
    // Places for two tasks are left, each with two inputs and an output.
    let others = bindings(&executor, 65_536 - 8).unwrap();
    let first = executor.submit(&task).unwrap();
    let second = executor.submit(&task).unwrap();
    let error = executor.submit(&task).err().unwrap();
    assert!(matches!(error, Error::TooManyInFlight { most: 65_536, .. }), "{error}");
    first.wait().unwrap();
    let third = executor.submit(&task).unwrap();
    executor.submit(&task).err().unwrap();
    second.wait().unwrap();
    third.wait().unwrap();
    // Idle buffers of another size make room.
    let long = vec![1.0; 100_000];
    let long = VectorAdd { a: &long, b: &long };
    let pending = [executor.submit(&long).unwrap(), executor.submit(&long).unwrap()];
    executor.submit(&long).err().unwrap();
    drop(others);
    executor.run(&long).unwrap();
    for pending in pending {
        pending.wait().unwrap();
    }
    // Nowhere else are places set aside.
    assert!(bindings(&on(Backend::Vulkan), u64::from(u32::MAX)).is_some());
}

/// No chunk of the default size has as many workgroups as a row of a real adapter's grid.
#[test]
fn every_kernel_finds_its_place_in_a_grid_of_several_rows() {
    for mut executor in executors() {
        let name = executor.adapter().name.clone();
        executor.gpu_mut().unwrap().engine_mut().narrow(3);
        // Around whole workgroups, rows and grids of 64 and of 1,024 items a workgroup.
        for size in [64, 191, 193, 257, 576, 577, 1000, 3073, 4097, 9216, 9217, 10_000] {
            for operator in OPERATORS.iter().filter(|operator| operator.calibration.is_some()) {
                (operator.workload)(size, 1, 1).check(&executor).unwrap();
            }
        }
        for operator in OPERATORS.iter().filter(|operator| operator.calibration.is_some()) {
            (operator.workload)(97, 13, 1).check(&executor).unwrap();
        }
        let data = vec![1.0; 9 * 1024 + 1];
        let before = executor.counters();
        executor.run(&VectorAdd { a: &data, b: &data }).unwrap();
        let dispatches = (executor.counters() - before).dispatches;
        assert_eq!(
            dispatches, 2,
            "{name}: three rows of three workgroups of 1,024 elements, and one more"
        );
    }
}

/// wgpu frees the buffers of a device that its driver lost at the next poll, so that there must be
/// none.
#[test]
fn nothing_is_freed_under_a_view_when_a_driver_loses_the_device() {
    let data = [1.0_f32; 1000];
    let task = VectorAdd { a: &data, b: &data };
    for executor in executors() {
        let mut place = executor.in_place::<VectorAdd<'_>>(1 << 22, ()).unwrap();
        let [waited, dropped, polled] = [(); 3].map(|()| executor.submit(&task).unwrap());
        let (mut a, mut b) = place.inputs().unwrap();
        executor.gpu().unwrap().engine().device.lose_in_wgpu();
        let is_lost = |error: Error| assert!(matches!(error, Error::DeviceLost { .. }), "{error}");
        is_lost(waited.wait().unwrap_err());
        is_lost(pollster::block_on(polled).unwrap_err());
        drop(dropped);
        is_lost(executor.run(&task).unwrap_err());
        is_lost(executor.submit(&task).map(|_| ()).unwrap_err());
        a.fill(2.0);
        b.fill(3.0);
    }
}

/// What the driver takes away, and with it every adapter on the context.
#[cfg(all(target_os = "linux", feature = "gles"))]
#[test]
fn a_context_that_is_gone_is_a_lost_device() {
    let data = [1.0_f32; 1000];
    let task = VectorAdd { a: &data, b: &data };
    let options = Options {
        tuning: Some(Tuning::plain(Transfer::STAGED)),
        cache_dir: Some("".into()),
        ..Options::default()
    };
    for adapter in Adapter::list_own_gles().unwrap() {
        let executor = Executor::on(&adapter, options.clone()).unwrap();
        executor.run(&task).unwrap();
        let in_flight = executor.submit(&task).unwrap();
        let dropped = executor.submit(&task).unwrap();
        let mut in_place = executor.in_place::<VectorAdd<'_>>(5, ()).unwrap();
        executor.gpu().unwrap().end_context();
        let is_lost = |error: &Error| matches!(error, Error::DeviceLost { .. });
        assert!(is_lost(&in_flight.wait().unwrap_err()));
        drop(dropped);
        assert!(is_lost(&in_place.run().map(|_| ()).unwrap_err()));
        assert!(is_lost(&executor.run(&task).unwrap_err()));
        assert!(is_lost(
            &Executor::on(&adapter, options.clone()).map(|_| ()).unwrap_err()
        ));
        drop((in_place, executor, adapter));
        for again in Adapter::list_own_gles().unwrap() {
            let sum = Executor::on(&again, options.clone()).unwrap().run(&task);
            assert_eq!(sum, Ok(vec![2.0; 1000]));
        }
    }
}

/// As one whose kernel never ends. On real adapters whether a call times out is a matter of luck.
fn stand_still(executor: &Executor, still: bool) {
    let device = &executor.gpu().unwrap().engine().device;
    device.stands_still.store(still, Ordering::Relaxed);
}

#[test]
fn a_wait_that_takes_too_long_is_an_error_and_later_calls_are_right() {
    let data = [1.0_f32; 1000];
    let task = VectorAdd { a: &data, b: &data };
    for executor in hasty_executors() {
        let name = executor.adapter().name.clone();
        let mut place = executor.in_place::<VectorAdd<'_>>(1000, ()).unwrap();
        assert_eq!(executor.run(&task).unwrap(), [2.0; 1000], "{name}");
        stand_still(&executor, true);
        let is_timeout = |error: Error| assert!(matches!(error, Error::Timeout { .. }), "{name}: {error}");
        is_timeout(executor.run(&task).unwrap_err());
        is_timeout(executor.run_batch(&[task, task]).unwrap_err());
        is_timeout(executor.submit(&task).unwrap().wait().unwrap_err());
        is_timeout(pollster::block_on(executor.submit(&task).unwrap()).unwrap_err());
        is_timeout(place.run().map(|_| ()).unwrap_err());
        stand_still(&executor, false);
        assert_eq!(executor.run(&task).unwrap(), [2.0; 1000], "{name}");
    }
}

#[test]
fn a_future_times_out_without_being_polled_again_and_again() {
    let data = [1.0_f32; 1000];
    let task = VectorAdd { a: &data, b: &data };
    for executor in hasty_executors() {
        executor.run(&task).unwrap();
        stand_still(&executor, true);
        let mut pending = pin!(executor.submit(&task).unwrap());
        let mut polls = 0;
        let result = pollster::block_on(std::future::poll_fn(|context| {
            polls += 1;
            pending.as_mut().poll(context)
        }));
        assert!(matches!(result, Err(Error::Timeout { .. })), "{result:?}");
        assert_eq!(
            polls,
            2,
            "{}: once at first, and once when woken",
            executor.adapter().name
        );
    }
}

/// Executors that wait for 50 ms, on every adapter.
fn hasty_executors() -> Vec<Executor> {
    let options = Options::default()
        .tuning(Tuning::plain(Transfer::STAGED))
        .timeout(Duration::from_millis(50));
    let on = |adapter: &Adapter| Executor::on(adapter, options.clone()).unwrap();
    adapters().iter().map(on).collect()
}

#[test]
fn a_submitted_task_takes_no_more_buffers_than_one_that_is_run() {
    let data = vec![1.0_f32; 10_000];
    let task = VectorAdd { a: &data, b: &data };
    for adapter in adapters() {
        let options = Options::default()
            .tuning(Tuning::plain(Transfer::STAGED))
            .chunk_bytes(4000);
        let buffers = |run: &dyn Fn(&Executor)| {
            let executor = Executor::on(&adapter, options.clone()).unwrap();
            run(&executor);
            executor.counters().buffers_created
        };
        let submitted = buffers(&|executor| {
            assert_eq!(executor.submit(&task).unwrap().wait().unwrap(), [2.0; 10_000]);
        });
        let run = buffers(&|executor| assert_eq!(executor.run(&task).unwrap(), [2.0; 10_000]));
        // Ten chunks, three of which are in flight, with four buffers each.
        assert_eq!((submitted, run), (12, 12), "{}", adapter.info().name);
    }
}

#[test]
fn an_error_tells_what_caused_it() {
    let executor = Executor::on(&Adapter::noop().unwrap(), Options::default()).unwrap();
    let device = &executor.gpu().unwrap().engine().device;
    let _inside = super::Inside::enter();
    let too_large = device.create_buffer("too large", u64::MAX / 2, wgpu::BufferUsages::STORAGE, false);
    let error = too_large.unwrap_err();
    assert!(matches!(error, Error::Driver { .. }), "{error}");
    let source = std::error::Error::source(&error).expect("wgpu's error");
    assert!(error.to_string().contains(&source.to_string()), "{error}: {source}");
    assert!(source.source().is_some(), "and the source of that");
}

/// Work beyond what one dispatch may take is several, in one submission.
#[test]
fn a_chain_over_long_buffers_is_cut_where_bindings_may_begin() {
    for mut executor in executors() {
        executor.gpu_mut().unwrap().engine_mut().narrow(3);
        let name = executor.adapter().name.clone();
        for n in [9215, 9216, 9217, 30_001] {
            let a: Vec<f32> = (0..n).map(|i| (i % 1000) as f32).collect();
            let on_device = executor.upload(&a).unwrap();
            let mut sum = executor.buffer(n).unwrap();
            let before = executor.counters();
            let mut chain = executor.chain();
            chain
                .add::<VectorAdd<'_>>((on_device.view(), on_device.view()), (), &mut sum)
                .unwrap();
            chain.run().unwrap();
            let counted = executor.counters() - before;
            assert_eq!(
                (counted.submits, counted.dispatches),
                (1, n.div_ceil(9216) as u64),
                "{name} {n}"
            );
            let expected: Vec<f32> = a.iter().map(|x| x + x).collect();
            assert_eq!(executor.read(&sum).unwrap(), expected, "{name} {n}");
        }
    }
}
