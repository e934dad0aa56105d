//! What a call costs in calls into wgpu: exact, on every adapter and in every way a task can take.

#![allow(clippy::unwrap_used, reason = "a test's helper")]

mod common;

use gpu_executor::{
    Bn254FrMul, Counters, Executor, Keccak256, MerkleRoot, Options, Sha256, Task, TransferMode, VectorAdd,
};

/// What a call of `chunks` chunks and `elements` elements counts in steady state, whatever the
/// number of its tasks.
fn steady(executor: &Executor, chunks: u64, elements: u64) -> Counters {
    // The tests' tunings have the same modes for all sizes.
    let transfer = executor.tuning().unwrap().small;
    let staged = [transfer.upload, transfer.readback].map(|mode| u64::from(mode == TransferMode::Staged));
    {
        let mut expected = Counters::default();
        expected.submits = chunks;
        expected.passes = chunks;
        expected.dispatches = chunks;
        expected.copies = chunks * (staged[0] + staged[1]);
        expected.bytes_up = 2 * 4 * elements;
        expected.bytes_down = 4 * elements;
        expected.maps = 2 * chunks;
        expected.pool_hits = chunks;
        expected
    }
}

/// Runs `call` until nothing is new, and compares what each further one counts.
fn check(executor: &Executor, chunks: u64, elements: u64, what: &str, call: impl Fn()) {
    call();
    for _ in 0..3 {
        let before = executor.counters();
        call();
        let counted = (executor.counters() - before).exact();
        let backend = executor.backend();
        assert_eq!(
            counted,
            steady(executor, chunks, elements),
            "{what} on {backend}, {:?}",
            executor.tuning()
        );
    }
}

#[test]
fn a_task_in_steady_state_is_one_submission_and_creates_nothing() {
    let data = vec![1.0_f32; 1000];
    let task = VectorAdd { a: &data, b: &data };
    for executor in common::gpu_executors(&common::options()) {
        check(&executor, 1, 1000, "run", || drop(executor.run(&task).unwrap()));
        check(&executor, 1, 1000, "submit", || {
            drop(executor.submit(&task).unwrap().wait().unwrap());
        });
        check(&executor, 1, 1000, "run_into", || {
            executor.run_into(&task, &mut vec![0.0; 1000]).unwrap();
        });
    }
}

#[test]
fn a_task_in_place_creates_nothing_either() {
    for executor in common::gpu_executors(&common::options()) {
        let sum = std::cell::RefCell::new(executor.in_place::<VectorAdd<'_>>(1000, ()).unwrap());
        let before = executor.counters();
        for _ in 0..3 {
            let mut sum = sum.borrow_mut();
            let (a, b) = sum.inputs().unwrap();
            for input in [a, b] {
                input.write_iter((0..1000_u16).map(f32::from));
            }
            assert_eq!(sum.run().unwrap()[999], 2.0 * 999.0);
        }
        // Its buffers are its own from the beginning.
        let one = {
            let mut expected = steady(&executor, 1, 1000);
            expected.pool_hits = 0;
            expected
        };
        assert_eq!(
            (executor.counters() - before).per_call(3),
            Some(one),
            "{}",
            executor.backend()
        );
    }
}

#[test]
fn a_chain_in_steady_state_is_one_submission_and_creates_nothing() {
    let messages = vec![vec![7_u8; 100]; 3000];
    let data = vec![1.0_f32; 1000];
    for executor in common::gpu_executors(&common::options()) {
        let name = executor.backend();
        let strings = executor.upload_strings(&messages).unwrap();
        let mut digests = executor.buffer(3000).unwrap();
        let mut root = executor.buffer(1).unwrap();
        let numbers = executor.upload(&data).unwrap();
        let (mut a, mut b) = (executor.buffer(1000).unwrap(), executor.buffer(1000).unwrap());
        let mut run = || {
            let mut chain = executor.chain();
            let leaves = chain.add::<Keccak256<'_, Vec<u8>>>(&strings, (), &mut digests).unwrap();
            let (mut from, mut to) = (chain.hold(&mut a).unwrap(), chain.hold(&mut b).unwrap());
            for _ in 0..10 {
                chain
                    .add::<VectorAdd<'_>>((from.view(), numbers.view()), (), to)
                    .unwrap();
                (from, to) = (to, from);
            }
            chain.add::<MerkleRoot<'_>>(leaves.view(), (), &mut root).unwrap();
            chain.run().unwrap();
        };
        run();
        let before = executor.counters();
        (0..3).for_each(|_| run());
        // A tree of 3,000 leaves has two levels; its root is moved from the nodes to its buffer.
        let mut expected = Counters::default();
        expected.submits = 1;
        expected.passes = 1;
        expected.dispatches = 1 + 10 + 2;
        expected.copies = 1;
        assert_eq!((executor.counters() - before).per_call(3), Some(expected), "{name}");

        // Uploads and reads go through idle buffers of the host's.
        let read = |buffer| drop(executor.read::<[u8; 32]>(buffer).unwrap());
        read(&root);
        let before = executor.counters();
        (0..3).for_each(|_| read(&root));
        let mut expected = Counters::default();
        (expected.submits, expected.copies, expected.maps) = (1, 1, 1);
        (expected.bytes_down, expected.pool_hits) = (32, 1);
        assert_eq!((executor.counters() - before).per_call(3), Some(expected), "{name}");
        let mut buffer = executor.upload(&data).unwrap();
        let before = executor.counters();
        (0..3).for_each(|_| executor.write(&mut buffer, 0, &data).unwrap());
        (expected.bytes_up, expected.bytes_down) = (4000, 0);
        assert_eq!((executor.counters() - before).per_call(3), Some(expected), "{name}");
    }
}

#[test]
fn bind_groups_go_with_their_buffers() {
    let data = vec![1.0_f32; 1000];
    for executor in common::gpu_executors(&common::options()) {
        for _ in 0..2 {
            let before = executor.counters();
            let numbers = executor.upload(&data).unwrap();
            let mut sum = executor.buffer(1000).unwrap();
            for _ in 0..3 {
                let mut chain = executor.chain();
                chain
                    .add::<VectorAdd<'_>>((numbers.view(), numbers.view()), (), &mut sum)
                    .unwrap();
                chain.run().unwrap();
            }
            let made = (executor.counters() - before).bind_groups_created;
            assert_eq!(made, 1, "{}: of these buffers", executor.backend());
        }
    }
}

#[test]
fn a_batch_is_one_submission_whatever_its_sizes() {
    let data = vec![1.0_f32; 256];
    let mut sizes = vec![256; 1000];
    sizes.extend([0, 5]);
    let tasks: Vec<_> = sizes
        .iter()
        .map(|&n: &usize| VectorAdd {
            a: &data[..n],
            b: &data[..n],
        })
        .collect();
    for executor in common::gpu_executors(&common::options()) {
        let chunk_bytes = executor.tuning().unwrap().chunk_bytes;
        let elements = 256 * 1000 + 5;
        let chunks = (elements * 4_u64).div_ceil(chunk_bytes);
        check(&executor, chunks, elements, "run_batch", || {
            drop(executor.run_batch(&tasks).unwrap());
        });
        check(&executor, chunks, elements, "run_batch_flat", || {
            drop(executor.run_batch_flat(&tasks).unwrap());
        });
    }
}

#[test]
fn a_task_of_several_chunks_is_one_submission_each() {
    let data = vec![1.0_f32; 1000];
    let task = VectorAdd { a: &data, b: &data };
    let options = common::options().chunk_bytes(1024);
    for executor in common::gpu_executors(&options) {
        check(&executor, 4, 1000, "run", || drop(executor.run(&task).unwrap()));
    }
}

#[test]
fn tasks_that_run_together_are_one_submission_and_one_pass() {
    let data = vec![1.0_f32; 1000];
    let tasks = [VectorAdd { a: &data, b: &data }; 2];
    for executor in common::gpu_executors(&common::options()) {
        let run = || {
            let mut call = executor.call();
            let tickets = [call.add(&tasks[..1]).unwrap(), call.add(&tasks).unwrap()];
            let mut outputs = call.run().unwrap();
            assert_eq!(tickets.map(|ticket| outputs.take(&ticket).unwrap().len()), [1, 2]);
        };
        run();
        let before = executor.counters();
        run();
        let counted = (executor.counters() - before).exact();
        let expected = {
            let mut expected = steady(&executor, 2, 3000);
            expected.submits = 1;
            expected.passes = 1;
            expected
        };
        assert_eq!(counted, expected, "{}", executor.backend());
    }
}

#[test]
fn different_operators_are_one_submission_and_one_pass_with_a_dispatch_each() {
    let data = vec![1.0_f32; 1000];
    let sums = [VectorAdd { a: &data, b: &data }; 2];
    let elements = vec![[1_u64; 4]; 20];
    let products = [Bn254FrMul {
        a: &elements,
        b: &elements,
        products: 2,
    }];
    let message = [7_u8; 100];
    let digests = [Keccak256 { messages: &[message] }];
    let check = |options: &Options, chunks: u64| {
        for executor in common::gpu_executors(options) {
            let run = || {
                let mut call = executor.call();
                let sums = call.add(&sums).unwrap();
                let products = call.add(&products).unwrap();
                let digests = call.add(&digests).unwrap();
                let mut outputs = call.run().unwrap();
                assert_eq!(outputs.take(&sums).unwrap().items(), vec![2.0; 2000]);
                let products = outputs.take(&products).unwrap();
                assert_eq!((products.len(), products.items().len()), (1, 20));
                assert_eq!(outputs.take(&digests).unwrap().items().len(), 1);
            };
            run();
            for _ in 0..3 {
                let before = executor.counters();
                run();
                let counted = (executor.counters() - before).exact();
                // The sums have as many chunks as there are submissions, the others one each.
                let expected = {
                    let mut expected = steady(&executor, chunks + 2, 0);
                    expected.submits = chunks;
                    expected.passes = chunks;
                    expected.bytes_up = 8 * 2000 + 64 * 20 + 8 + 104;
                    expected.bytes_down = 4 * 2000 + 32 * 20 + 32;
                    expected
                };
                assert_eq!(counted, expected, "{} {:?}", executor.backend(), executor.tuning());
            }
        }
    };
    check(&common::options(), 1);
    let in_chunks = common::options().chunk_bytes(4096);
    check(&in_chunks, 2);
}

#[test]
fn sizes_of_one_bucket_share_its_buffers() {
    let data = vec![1.0_f32; 512];
    for executor in common::gpu_executors(&common::options()) {
        executor.run(&VectorAdd { a: &data, b: &data }).unwrap();
        let first = executor.counters();
        let copies = first.copies;
        let created = [
            first.buffers_created,
            first.bind_groups_created,
            first.pipelines_created,
        ];
        assert_eq!(created, [2 + copies, 1, 1], "a shared buffer, or two and a copy");
        for n in 385..=512 {
            executor
                .run(&VectorAdd {
                    a: &data[..n],
                    b: &data[..n],
                })
                .unwrap();
        }
        let later = executor.counters() - first;
        let created = [
            later.buffers_created,
            later.bind_groups_created,
            later.pipelines_created,
        ];
        assert_eq!(created, [0; 3], "{}", executor.backend());
    }
}

#[test]
fn idle_buffers_beyond_the_cap_go_and_the_oldest_first() {
    let data = vec![1.0_f32; 1 << 16];
    let run = |executor: &Executor, n: usize| {
        let before = executor.counters();
        executor
            .run(&VectorAdd {
                a: &data[..n],
                b: &data[..n],
            })
            .unwrap();
        (executor.counters() - before).pool_hits
    };
    let options = common::options().idle_bytes(2 * 3 * 4 * (4096 + 1024));
    for executor in common::gpu_executors(&options) {
        let hits = [4096, 1024, 4096, 1024, 1 << 16, 1024, 4096].map(|n| run(&executor, n));
        assert_eq!(hits[..4], [0, 0, 1, 1], "{}", executor.backend());
        // The large one came last and was too large even alone, so that all others went before it.
        assert_eq!(hits[4..], [0, 0, 0], "{}", executor.backend());
    }
}

#[test]
fn a_wait_that_may_not_look_sleeps() {
    let data = vec![1.0_f32; 1 << 22];
    let task = VectorAdd { a: &data, b: &data };
    for executor in common::gpu_executors(&common::options()) {
        if executor.tuning().unwrap().spin_us > 0 {
            continue;
        }
        let before = executor.counters();
        executor.run(&task).unwrap();
        let counted = executor.counters() - before;
        // Looking all the time would take thousands. GLES wakes up every other second.
        assert!(
            counted.polls <= 2 * counted.submits,
            "{}: {counted:?}",
            executor.backend()
        );
    }
}

/// The counters of a steady call of a task, and what it has to count in dispatches and bytes.
fn check_task<T: Task>(executor: &Executor, task: &T, dispatches: u64, up: u64, down: u64) {
    let run = || drop(executor.run(task).unwrap());
    run();
    let before = executor.counters();
    for _ in 0..3 {
        run();
    }
    let expected = {
        let mut expected = steady(executor, 1, 0);
        expected.dispatches = dispatches;
        expected.bytes_up = up;
        expected.bytes_down = down;
        expected
    };
    let name = T::KERNEL.name();
    let counted = (executor.counters() - before).per_call(3);
    assert_eq!(counted, Some(expected), "{name} on {}", executor.backend());
}

#[test]
fn every_operator_is_one_submission_and_brings_back_only_its_output() {
    let elements = vec![[1_u64; 4]; 100];
    let messages: Vec<Vec<u8>> = (0..100).map(|n| vec![7; n]).collect();
    let words: u64 = (0..100_u64).map(|n| 2 * n.div_ceil(8)).sum();
    let leaves = vec![[1_u8; 32]; 1025];
    for executor in common::gpu_executors(&common::options()) {
        let field = Bn254FrMul {
            a: &elements,
            b: &elements,
            products: 3,
        };
        check_task(&executor, &field, 1, 2 * 3200, 3200);
        let table = 8 * 100;
        let (sha, keccak) = (Sha256 { messages: &messages }, Keccak256 { messages: &messages });
        check_task(&executor, &sha, 1, table + 4 * words, 3200);
        check_task(&executor, &keccak, 1, table + 4 * words, 3200);
        // All levels of a tree are on the device: 1,024 leaves a dispatch.
        check_task(
            &executor,
            &MerkleRoot {
                leaves: &leaves[..1024],
            },
            1,
            8 + 32 * 1024,
            32,
        );
        check_task(&executor, &MerkleRoot { leaves: &leaves }, 2, 8 + 32 * 1025, 32);
    }
}

#[test]
fn work_that_takes_long_is_several_submissions() {
    // 2^35 operations a dispatch, 1,000 a product.
    let elements = vec![[1_u64; 4]; 600];
    let task = Bn254FrMul {
        a: &elements,
        b: &elements,
        products: u16::MAX,
    };
    for executor in common::gpu_executors(&common::options()) {
        let before = executor.counters();
        executor.run(&task).unwrap();
        assert_eq!((executor.counters() - before).submits, 2, "{}", executor.backend());
    }
}
