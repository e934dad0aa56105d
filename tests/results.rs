//! Every operator's result is the CPU's, on every adapter found.

mod common;

use gpu_executor::{
    Backend, Bn254FrMul, Executor, VectorAdd,
    testkit::{OPERATORS, Operator},
};

/// Operations after which a size is too large to be tried with an operator on a CPU's driver.
const MAX_OPERATIONS: u64 = 1 << 25;

/// Whether a task of a size can be tried with an operator within a test's time.
fn is_tried(operator: &Operator, elements: usize) -> bool {
    elements as u64 * operator.operations <= MAX_OPERATIONS
}

/// Empty, one, less than a vector register, around one workgroup, and one more than a row of the
/// grid.
const SIZES: [usize; 7] = [0, 1, 3, 255, 256, 257, 65_535 * 256 + 1];

#[test]
fn single_tasks_of_every_size_are_right() {
    for executor in common::executors(&common::options()) {
        for operator in OPERATORS {
            for size in SIZES.into_iter().filter(|&size| is_tried(operator, size)) {
                let workload = (operator.workload)(size, 1, size as u64);
                workload
                    .check(&executor)
                    .unwrap_or_else(|error| panic!("size {size}: {error}"));
            }
        }
    }
}

#[test]
fn batches_are_right() {
    for executor in common::executors(&common::options()) {
        for operator in OPERATORS {
            for (size, tasks) in [(256, 1000), (0, 3), (1, 2), (257, 7), (30, 9)] {
                if !is_tried(operator, size * tasks) {
                    continue;
                }
                let workload = (operator.workload)(size, tasks, 7);
                workload
                    .check(&executor)
                    .unwrap_or_else(|error| panic!("{tasks} tasks of {size}: {error}"));
            }
        }
    }
}

#[test]
fn a_batch_of_different_sizes_comes_back_in_order() {
    let lengths = [5_u16, 0, 1, 300, 256, 0, 77];
    let inputs: Vec<Vec<f32>> = lengths
        .iter()
        .map(|&n| (0..n).map(|i| f32::from(i) + f32::from(n) * 1000.0).collect())
        .collect();
    let expected: Vec<Vec<f32>> = inputs.iter().map(|v| v.iter().map(|x| x + x).collect()).collect();
    let tasks: Vec<_> = inputs.iter().map(|v| VectorAdd { a: v, b: v }).collect();
    for options in [common::options(), common::options().chunk_bytes(400)] {
        for executor in common::executors(&options) {
            assert_eq!(executor.run_batch(&tasks).unwrap(), expected, "{}", executor.backend());
        }
    }
}

#[test]
fn a_batch_that_begins_with_an_empty_task_of_another_parameter_is_right() {
    let five = [[1_u64, 2, 3, 4]; 5];
    let task = |n: usize, products| Bn254FrMul {
        a: &five[..n],
        b: &five[..n],
        products,
    };
    let tasks = [task(0, 1), task(0, 3), task(5, 2), task(0, 1), task(1, 3)];
    let cpu = Executor::new(Backend::Cpu).unwrap().run_batch(&tasks).unwrap();
    for executor in common::executors(&common::options()) {
        assert_eq!(executor.run_batch(&tasks).unwrap(), cpu, "{}", executor.backend());
    }
}

#[test]
fn no_task_at_all_gives_no_output() {
    for executor in common::executors(&common::options()) {
        let before = executor.counters();
        assert!(executor.run_batch::<VectorAdd<'_>>(&[]).unwrap().is_empty());
        let empty = VectorAdd { a: &[], b: &[] };
        assert!(executor.run(&empty).unwrap().is_empty());
        assert!(executor.run_timed(&empty).unwrap().0.is_empty());
        assert!(executor.submit(&empty).unwrap().wait().unwrap().is_empty());
        assert_eq!(executor.counters(), before, "an empty task must not reach the device");
    }
}

#[test]
fn a_task_over_the_chunk_size_is_cut_and_joined_again() {
    // 100 elements a chunk: cut inside tasks, at their ends, and over several chunks in flight.
    for executor in common::executors(&common::options().chunk_bytes(400)) {
        for operator in OPERATORS {
            for (size, tasks) in [
                (99, 1),
                (100, 1),
                (101, 1),
                (1000, 1),
                (1001, 1),
                (33, 10),
                (50, 4),
                (257, 3),
            ] {
                let workload = (operator.workload)(size, tasks, 3);
                workload
                    .check(&executor)
                    .unwrap_or_else(|error| panic!("{tasks} tasks of {size}: {error}"));
            }
        }
    }
}

#[test]
fn a_task_over_the_adapters_limits_is_cut_and_joined_again() {
    for adapter in common::adapters() {
        // As large as the adapter allows, and software adapters allow 128 MiB a binding: 2^25
        // elements of f32.
        let options = common::options().chunk_bytes(128 << 20);
        let executor = Executor::on(&adapter, options).unwrap();
        let workload = (OPERATORS[0].workload)((1 << 25) + 1, 1, 5);
        workload.check(&executor).unwrap_or_else(|error| panic!("{error}"));
    }
}

#[test]
fn nan_and_infinities_come_through() {
    let special = [
        f32::NAN,
        f32::INFINITY,
        f32::NEG_INFINITY,
        f32::MAX,
        f32::MIN,
        0.0,
        -0.0,
        1.0,
        -1.0,
        f32::MIN_POSITIVE,
        f32::EPSILON,
    ];
    let a: Vec<f32> = special.iter().flat_map(|&x| [x; 11]).collect();
    let b: Vec<f32> = special.iter().cycle().take(121).copied().collect();
    for executor in common::executors(&common::options()) {
        let sum = executor.run(&VectorAdd { a: &a, b: &b }).unwrap();
        for ((&a, &b), &sum) in a.iter().zip(&b).zip(&sum) {
            let cpu = a + b;
            assert!(
                sum == cpu || (sum.is_nan() && cpu.is_nan()),
                "{}: {a} + {b} = {sum}, the CPU has {cpu}",
                executor.backend()
            );
        }
    }
}

#[test]
fn results_do_not_depend_on_what_ran_before() {
    // A smaller task in a bucket that a larger one has filled, again and again.
    for executor in common::executors(&common::options()) {
        for size in [384, 300, 257, 383, 258, 384] {
            let workload = (OPERATORS[0].workload)(size, 1, size as u64);
            workload
                .check(&executor)
                .unwrap_or_else(|error| panic!("size {size}: {error}"));
        }
    }
}

#[test]
fn what_lies_behind_a_task_in_its_buffers_does_not_reach_its_result() {
    // Bindings are as long as the bucket: what an earlier task left there is within the kernel's
    // reach.
    let (poison, ones) = ([f32::NAN; 384], [1.0_f32; 384]);
    let whole = VectorAdd { a: &poison, b: &poison };
    for executor in common::executors(&common::options()) {
        for n in [257, 258, 259, 260, 383] {
            let part = VectorAdd {
                a: &ones[..n],
                b: &ones[..n],
            };
            assert!(executor.run(&whole).unwrap().iter().all(|x| x.is_nan()));
            assert_eq!(executor.run(&part).unwrap(), vec![2.0; n], "{}", executor.backend());
            let mut place = executor.in_place::<VectorAdd<'_>>(n, ()).unwrap();
            assert_eq!(*place.run().unwrap(), vec![0.0; n], "{}", executor.backend());
        }
    }
}

#[test]
fn several_threads_share_an_executor() {
    for executor in common::executors(&common::options()) {
        std::thread::scope(|scope| {
            for thread in 0..4_usize {
                let executor = &executor;
                scope.spawn(move || {
                    for round in 0..25 {
                        let size = 1 + (thread * 97 + round * 1013) % 5000;
                        let workload = (OPERATORS[0].workload)(size, 1 + round % 3, round as u64);
                        workload
                            .check(executor)
                            .unwrap_or_else(|error| panic!("size {size}: {error}"));
                    }
                });
            }
        });
    }
}
