//! Every way to call an executor gives what the CPU gives, from one thread or from several.

#![allow(clippy::unwrap_used, reason = "a test's helper")]

#[path = "../common/mod.rs"]
mod common;
mod in_place;
mod kept;
mod opened;
mod resident;
mod submitted;

use std::sync::mpsc;

use gpu_executor::{Backend, Bn254FrMul, Error, Executor, MerkleRoot, Sha256, Transfer, Tuning, VectorAdd};

/// Sizes around a workgroup's, and one of several chunks of the tests' smallest.
const SIZES: [usize; 6] = [1, 255, 256, 1027, 70_000, 300_001];

fn numbers(n: usize, seed: usize) -> Vec<f32> {
    (0..n).map(|i| ((i * 7 + seed) % 1000) as f32).collect()
}

fn sums(a: &[f32], b: &[f32]) -> Vec<f32> {
    a.iter().zip(b).map(|(a, b)| a + b).collect()
}

#[test]
fn an_output_goes_into_a_slice() {
    for executor in common::executors(&common::options()) {
        for n in SIZES {
            let (a, b) = (numbers(n, 1), numbers(n, 2));
            let task = VectorAdd { a: &a, b: &b };
            let mut output = vec![-1.0; n + 1];
            executor.run_into(&task, &mut output[..n]).unwrap();
            assert_eq!(output[..n], sums(&a, &b), "{} {n}", executor.backend());
            assert_eq!(output[n], -1.0, "nothing is written behind the slice");
            let error = executor.run_into(&task, &mut output).unwrap_err();
            let expected = Error::OutputLength {
                operator: "vector_add",
                expected: n,
                given: n + 1,
            };
            assert_eq!(error, expected);
        }
    }
}

#[test]
fn a_flat_batch_says_where_each_output_begins() {
    let lengths = [5, 0, 300, 1, 70_000, 0];
    let inputs: Vec<_> = lengths.iter().map(|&n| (numbers(n, n), numbers(n, 3))).collect();
    let tasks: Vec<_> = inputs.iter().map(|(a, b)| VectorAdd { a, b }).collect();
    for executor in common::executors(&common::options()) {
        let flat = executor.run_batch_flat(&tasks).unwrap();
        assert_eq!(
            (flat.len(), flat.offsets()),
            (6, &[0, 5, 5, 305, 306, 70_306, 70_306][..])
        );
        for (index, ((a, b), output)) in inputs.iter().zip(flat.iter()).enumerate() {
            assert_eq!(output, sums(a, b), "{} task {index}", executor.backend());
            assert_eq!(output, &flat[index]);
        }
        assert_eq!(executor.run_batch(&tasks).unwrap().concat(), flat.into_parts().0);
        assert!(executor.run_batch_flat::<VectorAdd<'_>>(&[]).unwrap().is_empty());
    }
}

#[test]
fn tasks_of_one_call_have_outputs_of_their_own() {
    let (a, b) = (numbers(300_001, 1), numbers(300_001, 2));
    let long = [VectorAdd { a: &a, b: &b }];
    let short = [VectorAdd { a: &a[..3], b: &b[..3] }; 2];
    for executor in common::executors(&common::options()) {
        let mut call = executor.call();
        let (first, second) = (call.add(&short).unwrap(), call.add(&long).unwrap());
        let mut outputs = call.run().unwrap();
        assert_eq!(
            outputs.take(&second).unwrap().items(),
            sums(&a, &b),
            "{}",
            executor.backend()
        );
        let short = outputs.take(&first).unwrap();
        assert_eq!((short.len(), &short[1]), (2, sums(&a[..3], &b[..3]).as_slice()));
    }
}

#[test]
fn a_wrong_ticket_is_an_error() {
    let task = [VectorAdd { a: &[1.0], b: &[2.0] }];
    let executor = Executor::new(Backend::Cpu).unwrap();
    let (mut first, mut second) = (executor.call(), executor.call());
    let (mine, others) = (first.add(&task).unwrap(), second.add(&task).unwrap());
    let mut outputs = first.run().unwrap();
    assert_eq!(
        outputs.take(&others).unwrap_err(),
        Error::WrongTicket,
        "of another call"
    );
    assert_eq!(outputs.take(&mine).unwrap().items(), [3.0]);
    assert_eq!(outputs.take(&mine).unwrap_err(), Error::WrongTicket, "used before");
    assert_eq!(second.run().unwrap().take(&others).unwrap().items(), [3.0]);
}

#[test]
fn a_task_that_a_poll_took_is_not_waited_for() {
    for executor in common::executors(&common::options()) {
        let mut pending = executor.submit(&VectorAdd { a: &[1.0], b: &[2.0] }).unwrap();
        assert_eq!(pollster::block_on(&mut pending), Ok(vec![3.0]));
        assert_eq!(pending.wait(), Err(Error::AlreadyTaken));
    }
}

/// Whatever small calls there are, in an order in which each is another's successor of as many
/// elements.
fn small_calls(executor: &Executor, round: usize) -> Vec<Vec<u8>> {
    let (a, b) = (numbers(300, round), numbers(300, round + 5));
    let task = VectorAdd { a: &a, b: &b };
    let elements: Vec<[u64; 4]> = (0..10_u64).map(|i| [i + round as u64, i, 7, 1]).collect();
    let products = |products| Bn254FrMul {
        a: &elements,
        b: &elements[..],
        products,
    };
    // As many words, and none longer, where others begin.
    let long = [round as u8; 100];
    let messages = [&long[..], &long[..50], &long[..7]];
    let turned = [messages[2], messages[0], messages[1]];
    let leaves: Vec<[u8; 32]> = (0..40).map(|i| [i + round as u8; 32]).collect();
    let mut place = executor.in_place::<VectorAdd<'_>>(300, ()).unwrap();
    let (mut x, mut y) = place.inputs().unwrap();
    x.copy_from_slice(&b);
    y.copy_from_slice(&b);
    let bytes = |numbers: &[f32]| bytemuck::cast_slice(numbers).to_vec();
    let run = || bytes(&executor.run(&task).unwrap());
    let mut in_place = || bytes(&place.run().unwrap());
    vec![
        run(),
        in_place(),
        run(),
        in_place(),
        bytes(&executor.run_timed(&task).unwrap().0),
        run(),
        bytes(
            executor
                .run_batch_flat(&[
                    VectorAdd {
                        a: &a[..100],
                        b: &b[..100],
                    },
                    VectorAdd {
                        a: &b[100..],
                        b: &b[100..],
                    },
                ])
                .unwrap()
                .items(),
        ),
        run(),
        bytes(
            &executor
                .run(&VectorAdd {
                    a: &a[1..],
                    b: &b[..299],
                })
                .unwrap(),
        ),
        bytes(&executor.submit(&task).unwrap().wait().unwrap()),
        run(),
        bytemuck::cast_slice(&executor.run(&products(1)).unwrap()).to_vec(),
        bytemuck::cast_slice(&executor.run(&products(3)).unwrap()).to_vec(),
        bytemuck::cast_slice(&executor.run(&products(1)).unwrap()).to_vec(),
        executor.run(&Sha256 { messages: &messages }).unwrap().concat(),
        executor.run(&Sha256 { messages: &turned }).unwrap().concat(),
        executor.run(&Sha256 { messages: &messages }).unwrap().concat(),
        executor.run(&MerkleRoot { leaves: &leaves }).unwrap().concat(),
        executor.run(&MerkleRoot { leaves: &leaves[1..] }).unwrap().concat(),
        executor.run(&MerkleRoot { leaves: &leaves }).unwrap().concat(),
    ]
}

/// While an executor looks whether a small call is done, it records the commands of the next one
/// like it.
#[test]
fn commands_recorded_ahead_are_those_of_the_next_call_or_dropped() {
    let cpu = Executor::new(Backend::Cpu).unwrap();
    for adapter in common::adapters() {
        for transfer in [Transfer::DIRECT, Transfer::STAGED] {
            let options = common::options().tuning(Tuning {
                spin_us: 1000,
                ..Tuning::plain(transfer)
            });
            let executor = Executor::on(&adapter, options.clone()).unwrap();
            for round in 0..3 {
                assert_eq!(
                    small_calls(&executor, round),
                    small_calls(&cpu, round),
                    "{} {transfer:?} round {round}",
                    executor.backend()
                );
            }
            if executor.backend() == Backend::Cpu {
                continue;
            }
            executor.lose_device();
            let error = executor.run(&VectorAdd { a: &[1.0], b: &[1.0] }).unwrap_err();
            assert!(matches!(error, Error::DeviceLost { .. }), "{error}");
            let again = Executor::on(&adapter, options).unwrap();
            assert_eq!(small_calls(&again, 3), small_calls(&cpu, 3));
        }
    }
}

#[test]
fn phases_are_parts_of_the_call() {
    let (a, b) = (numbers(70_000, 1), numbers(70_000, 2));
    let task = VectorAdd { a: &a, b: &b };
    for executor in common::executors(&common::options()) {
        for _ in 0..2 {
            let start = std::time::Instant::now();
            let (output, phases) = executor.run_timed(&task).unwrap();
            let wall = start.elapsed();
            assert_eq!(output, sums(&a, &b), "{}", executor.backend());
            let (flat, batch_phases) = executor.run_batch_timed(&[task, task]).unwrap();
            assert_eq!(flat[1], output);
            let Some(phases) = phases else {
                assert_eq!((executor.backend(), batch_phases), (Backend::Cpu, None));
                continue;
            };
            assert!(
                phases.upload + phases.queue + phases.readback <= wall,
                "{phases:?} of {wall:?}"
            );
            assert_eq!(
                phases.device.is_some(),
                executor.adapter().timestamps,
                "absent where there is no clock"
            );
            assert!(phases.device.is_none_or(|device| !device.is_zero()), "{phases:?}");
        }
        // A timed call leaves nothing behind that an untimed one waits for.
        assert_eq!(executor.run(&task).unwrap(), sums(&a, &b));
    }
}

/// A worker of rayon's that waits for helpers does other jobs meanwhile, and these call the same
/// executor.
#[test]
fn workers_of_a_pool_may_call_an_executor() {
    use rayon::prelude::*;

    // Some are too long for the device, so that the host digests them.
    let messages: Vec<Vec<u8>> = (0..4).map(|n| vec![n; 200_000 << (n % 2)]).collect();
    let messages: Vec<&[u8]> = messages.iter().map(Vec::as_slice).collect();
    let executors = common::executors(&common::options());
    let (sender, done) = mpsc::channel();
    std::thread::scope(|scope| {
        let messages = &messages;
        scope.spawn(move || {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(4).build().unwrap();
            for executor in executors {
                let task = Sha256 { messages };
                let expected = Executor::new(Backend::Cpu).unwrap().run(&task).unwrap();
                let call = |_| assert_eq!(executor.run(&task).unwrap(), expected);
                pool.install(|| (0..32).into_par_iter().for_each(call));
                // And beside a thread of none.
                std::thread::scope(|scope| {
                    scope.spawn(|| (0..8).for_each(call));
                    (0..32).into_par_iter().for_each(call);
                });
            }
            sender.send(()).unwrap();
        });
        // A test that stands still should say so.
        if done.recv_timeout(std::time::Duration::from_secs(300)) == Err(mpsc::RecvTimeoutError::Timeout) {
            eprintln!("calls from workers of a pool stand still");
            std::process::abort();
        }
    });
}

#[test]
fn threads_that_do_everything_at_once_get_what_is_theirs() {
    for executor in common::executors(&common::options()) {
        let work = |executor: &Executor, thread: usize| {
            for round in 0..8 {
                let n = 1 + (thread * 7919 + round * 104_729) % 60_000;
                let (a, b) = (numbers(n, thread), numbers(n, round));
                let task = VectorAdd { a: &a, b: &b };
                let expected = sums(&a, &b);
                let pending = executor.submit(&task).unwrap();
                assert_eq!(executor.run(&task).unwrap(), expected);
                let mut place = executor.in_place::<VectorAdd<'_>>(n, ()).unwrap();
                let (mut x, mut y) = place.inputs().unwrap();
                x.copy_from_slice(&a);
                y.copy_from_slice(&b);
                assert_eq!(executor.run_batch_flat(&[task; 3]).unwrap()[2], expected);
                assert_eq!(*place.run().unwrap(), expected);
                let waited = if round % 2 == 0 {
                    pending.wait()
                } else {
                    pollster::block_on(pending)
                };
                assert_eq!(waited.unwrap(), expected);
            }
        };
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let (executor, work) = (&executor, &work);
                scope.spawn(move || work(executor, thread));
            }
        });
    }
}
