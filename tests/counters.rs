//! What a call costs in calls into wgpu: exact, on every adapter.

#![allow(clippy::unwrap_used, reason = "a test's helper")]

mod common;

use gpu_executor::{Counters, Options, VectorAdd};

fn run(options: Options, sizes: &[usize], expected: Counters) {
    let data = vec![1.0_f32; sizes.iter().copied().max().unwrap_or(0)];
    let tasks: Vec<_> = sizes
        .iter()
        .map(|&n| VectorAdd {
            a: &data[..n],
            b: &data[..n],
        })
        .collect();
    for executor in common::gpu_executors(options) {
        executor.run_batch(&tasks).unwrap();
        for _ in 0..3 {
            let before = executor.counters();
            executor.run_batch(&tasks).unwrap();
            assert_eq!(
                (executor.counters() - before).exact(),
                expected,
                "{} with sizes {sizes:?}",
                executor.backend()
            );
        }
    }
}

#[test]
fn a_task_in_steady_state_is_one_submission_and_creates_nothing() {
    let expected = Counters {
        submits: 1,
        passes: 1,
        dispatches: 1,
        copies: 2,
        pool_hits: 1,
        bytes_up: 2 * 4000,
        bytes_down: 4000,
        maps: 2,
        ..Counters::default()
    };
    run(Options::default(), &[1000], expected);
}

#[test]
fn a_batch_is_one_submission_whatever_its_sizes() {
    let expected = Counters {
        submits: 1,
        passes: 1,
        dispatches: 1,
        copies: 2,
        pool_hits: 1,
        bytes_up: 2 * 4 * (256 * 1000 + 5),
        bytes_down: 4 * (256 * 1000 + 5),
        maps: 2,
        ..Counters::default()
    };
    let mut sizes = vec![256; 1000];
    sizes.extend([0, 5]);
    run(Options::default(), &sizes, expected);
}

#[test]
fn a_task_of_several_chunks_is_one_submission_each() {
    let expected = Counters {
        submits: 4,
        passes: 4,
        dispatches: 4,
        copies: 8,
        pool_hits: 4,
        bytes_up: 2 * 4000,
        bytes_down: 4000,
        maps: 8,
        ..Counters::default()
    };
    run(
        Options {
            chunk_bytes: 1024,
            ..Options::default()
        },
        &[1000],
        expected,
    );
}

#[test]
fn sizes_of_one_bucket_share_its_buffers() {
    let data = vec![1.0_f32; 512];
    for executor in common::gpu_executors(Options::default()) {
        executor.run(&VectorAdd { a: &data, b: &data }).unwrap();
        let first = executor.counters();
        assert_eq!((first.buffers_created, first.bind_groups_created), (4, 1));
        for n in 385..=512 {
            executor
                .run(&VectorAdd {
                    a: &data[..n],
                    b: &data[..n],
                })
                .unwrap();
        }
        let created = executor.counters() - first;
        assert_eq!(
            (created.buffers_created, created.bind_groups_created),
            (0, 0),
            "{}",
            executor.backend()
        );
    }
}
