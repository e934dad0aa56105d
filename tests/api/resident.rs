//! Data that stays on the device: what chains compute is what the CPU computes.

use gpu_executor::{Backend, Bn254FrMul, Error, Executor, Keccak256, MerkleRoot, Sha256, VectorAdd};

use super::{common, numbers, sums};

/// Around a vector of four, the padding of 64 elements, workgroups, and several pieces of the
/// transfers.
const SIZES: [usize; 12] = [0, 1, 3, 63, 64, 65, 255, 256, 257, 1025, 4097, 20_001];

/// Executors on every adapter, in every way, with transfers in one piece and in many.
fn executors() -> Vec<Executor> {
    let mut executors = common::executors(&common::options());
    executors.extend(common::gpu_executors(&common::options().chunk_bytes(16 << 10)));
    executors
}

/// Messages of lengths around the blocks of both hashes.
fn messages(n: usize) -> Vec<Vec<u8>> {
    let lengths = [0, 1, 7, 8, 55, 56, 64, 135, 136, 137, 272, 1000];
    (0..n).map(|i| vec![i as u8; lengths[i % lengths.len()]]).collect()
}

#[test]
fn what_is_uploaded_is_read_back_whole_and_in_parts() {
    for executor in executors() {
        for n in SIZES {
            let a = numbers(n, 1);
            let mut buffer = executor.upload(&a).unwrap();
            let name = executor.backend();
            assert_eq!((buffer.len(), buffer.is_empty()), (n, n == 0));
            assert_eq!(executor.read(&buffer).unwrap(), a, "{name} {n}");
            let zeros = executor.buffer::<u64>(n).unwrap();
            assert_eq!(executor.read(&zeros).unwrap(), vec![0; n], "{name} {n}");
            let (first, end) = (n / 3, n - n / 4);
            assert_eq!(
                executor.read_range(&buffer, first..end).unwrap(),
                a[first..end],
                "{name} {n}"
            );
            executor.write(&mut buffer, first, &vec![-1.0; end - first]).unwrap();
            let mut expected = a.clone();
            expected[first..end].fill(-1.0);
            assert_eq!(executor.read(&buffer).unwrap(), expected, "{name} {n}");
            let backwards = std::ops::Range { start: 1, end: 0 };
            for range in [0..n + 1, n + 1..n + 1, backwards] {
                let error = executor.read_range(&buffer, range.clone()).unwrap_err();
                assert!(matches!(error, Error::OutOfRange { .. }), "{range:?}: {error}");
            }
            let error = executor.write(&mut buffer, n, &[0.0]).unwrap_err();
            assert!(matches!(error, Error::OutOfRange { .. }), "{error}");
            assert_eq!(
                executor.read(&buffer).unwrap(),
                expected,
                "a write beyond the end writes nothing"
            );
        }
    }
}

#[test]
fn operators_over_buffers_give_what_the_cpu_gives() {
    let cpu = Executor::new(Backend::Cpu).unwrap();
    for executor in executors() {
        for n in SIZES {
            let name = executor.backend();
            let (a, b) = (numbers(n, 1), numbers(n, 2));
            let (on_a, on_b) = (executor.upload(&a).unwrap(), executor.upload(&b).unwrap());
            let mut sum = executor.buffer(n).unwrap();
            let mut chain = executor.chain();
            chain
                .add::<VectorAdd<'_>>((on_a.view(), on_b.view()), (), &mut sum)
                .unwrap();
            chain.run().unwrap();
            assert_eq!(executor.read(&sum).unwrap(), sums(&a, &b), "{name} {n}");

            let elements: Vec<[u64; 4]> = (0..n as u64).map(|i| [i, i * i, 7, i % 5]).collect();
            let on_elements = executor.upload(&elements).unwrap();
            let mut products = executor.buffer(n).unwrap();
            for count in [0, 1, 3] {
                let mut chain = executor.chain();
                let inputs = (on_elements.view(), on_elements.view());
                chain.add::<Bn254FrMul<'_>>(inputs, count, &mut products).unwrap();
                chain.run().unwrap();
                let task = Bn254FrMul {
                    a: &elements,
                    b: &elements,
                    products: u16::try_from(count).unwrap(),
                };
                assert_eq!(
                    executor.read(&products).unwrap(),
                    cpu.run(&task).unwrap(),
                    "{name} {n} {count}"
                );
            }

            let messages = messages(n);
            let on_messages = executor.upload_strings(&messages).unwrap();
            assert_eq!((on_messages.len(), on_messages.is_empty()), (n, n == 0));
            let (mut sha, mut keccak) = (executor.buffer(n).unwrap(), executor.buffer(n).unwrap());
            let mut chain = executor.chain();
            chain.add::<Sha256<'_, Vec<u8>>>(&on_messages, (), &mut sha).unwrap();
            chain
                .add::<Keccak256<'_, Vec<u8>>>(&on_messages, (), &mut keccak)
                .unwrap();
            chain.run().unwrap();
            let task = Sha256 { messages: &messages };
            assert_eq!(executor.read(&sha).unwrap(), cpu.run(&task).unwrap(), "{name} {n}");
            let leaves = cpu.run(&Keccak256 { messages: &messages }).unwrap();
            assert_eq!(executor.read(&keccak).unwrap(), leaves, "{name} {n}");

            let mut root = executor.buffer(usize::from(n > 0)).unwrap();
            let mut chain = executor.chain();
            chain.add::<MerkleRoot<'_>>(keccak.view(), (), &mut root).unwrap();
            chain.run().unwrap();
            let expected = cpu.run(&MerkleRoot { leaves: &leaves }).unwrap();
            assert_eq!(executor.read(&root).unwrap(), expected, "{name} {n}");
        }
    }
}

#[test]
fn a_tree_grows_from_messages_in_one_chain() {
    let cpu = Executor::new(Backend::Cpu).unwrap();
    for executor in executors() {
        for n in [1, 2, 1024, 1025, 5000] {
            let messages = messages(n);
            let on_messages = executor.upload_strings(&messages).unwrap();
            let mut digests = executor.buffer(n).unwrap();
            let mut root = executor.buffer(1).unwrap();
            let leaves = cpu.run(&Keccak256 { messages: &messages }).unwrap();
            let expected = cpu.run(&MerkleRoot { leaves: &leaves }).unwrap();
            // The same buffers again and again.
            for _ in 0..3 {
                let mut chain = executor.chain();
                let leaves = chain
                    .add::<Keccak256<'_, Vec<u8>>>(&on_messages, (), &mut digests)
                    .unwrap();
                chain.add::<MerkleRoot<'_>>(leaves.view(), (), &mut root).unwrap();
                pollster::block_on(chain.submit().unwrap()).unwrap();
                assert_eq!(executor.read(&root).unwrap(), expected, "{} {n}", executor.backend());
                executor.write(&mut root, 0, &[[0; 32]]).unwrap();
            }
        }
    }
}

#[test]
fn many_trees_in_one_buffer_have_a_root_each() {
    let cpu = Executor::new(Backend::Cpu).unwrap();
    let lengths = [1, 0, 2, 1023, 1024, 1025, 0, 3, 2000, 1];
    let all: usize = lengths.iter().sum();
    let leaves: Vec<[u8; 32]> = (0..all).map(|i| [i as u8; 32]).collect();
    let mut rest = &leaves[..];
    let mut expected = Vec::new();
    for length in lengths {
        let (now, later) = rest.split_at(length);
        expected.extend(cpu.run(&MerkleRoot { leaves: now }).unwrap());
        rest = later;
    }
    for executor in executors() {
        // Bytes behind the trees belong to no tree.
        let mut more = leaves.clone();
        more.extend([[9; 32]; 100]);
        let on_leaves = executor.upload(&more).unwrap();
        let mut roots = executor.buffer(8).unwrap();
        for _ in 0..2 {
            let mut chain = executor.chain();
            chain
                .add_batch::<MerkleRoot<'_>, _>(on_leaves.view(), &lengths, (), &mut roots)
                .unwrap();
            chain.run().unwrap();
            assert_eq!(executor.read(&roots).unwrap(), expected, "{}", executor.backend());
        }
        let mut chain = executor.chain();
        let too_many = chain.add_batch::<MerkleRoot<'_>, _>(on_leaves.view(), &[all, 101], (), &mut roots);
        assert!(matches!(too_many.unwrap_err(), Error::OutOfRange { .. }));
    }
}

#[test]
fn two_buffers_alternate_within_a_chain() {
    for executor in executors() {
        for n in [1, 1000, 70_001] {
            let (a, b) = (numbers(n, 1), numbers(n, 2));
            let (mut from, on_b) = (executor.upload(&a).unwrap(), executor.upload(&b).unwrap());
            let mut to = executor.buffer(n).unwrap();
            let mut chain = executor.chain();
            let (mut now, mut next) = (chain.hold(&mut from).unwrap(), chain.hold(&mut to).unwrap());
            for _ in 0..10 {
                chain.add::<VectorAdd<'_>>((now.view(), on_b.view()), (), next).unwrap();
                (now, next) = (next, now);
            }
            chain.run().unwrap();
            let expected = (0..10).fold(a, |sum, _| sums(&sum, &b));
            assert_eq!(executor.read(&from).unwrap(), expected, "{} {n}", executor.backend());
        }
    }
}

#[test]
fn chains_of_several_threads_are_right() {
    for executor in executors() {
        let ones = executor.upload(&[1.0_f32; 1000]).unwrap();
        std::thread::scope(|scope| {
            for thread in 0..3_u8 {
                let (executor, ones) = (&executor, &ones);
                scope.spawn(move || {
                    for n in 1..20_u8 {
                        let mine = executor.upload(&[f32::from(thread * n); 1000]).unwrap();
                        let mut sum = executor.buffer(1000).unwrap();
                        let mut chain = executor.chain();
                        chain
                            .add::<VectorAdd<'_>>((mine.view(), ones.view()), (), &mut sum)
                            .unwrap();
                        chain.run().unwrap();
                        assert_eq!(executor.read(&sum).unwrap(), [f32::from(thread * n) + 1.0; 1000]);
                    }
                });
            }
        });
    }
}

#[test]
fn what_a_buffer_may_not_be_used_for_is_an_error() {
    let other = Executor::new(Backend::Cpu).unwrap();
    let foreign = other.upload(&[1.0_f32; 4]).unwrap();
    for executor in executors() {
        let four = executor.upload(&[1.0_f32; 4]).unwrap();
        let five = executor.upload(&[1.0_f32; 5]).unwrap();
        let strings = executor.upload_strings(&["a"]).unwrap();
        let mut sum = executor.buffer::<f32>(4).unwrap();
        let mut other_sum = executor.buffer::<f32>(4).unwrap();
        let mut last = executor.buffer::<f32>(4).unwrap();
        let mut digest = executor.buffer::<[u8; 32]>(2).unwrap();
        assert_eq!(executor.read(&foreign), Err(Error::WrongExecutor));
        assert_eq!(other.read(&four), Err(Error::WrongExecutor));

        let mut chain = executor.chain();
        let wrong = chain.add::<VectorAdd<'_>>((four.view(), foreign.view()), (), &mut other_sum);
        assert_eq!(wrong.unwrap_err(), Error::WrongExecutor);
        let mut chain = executor.chain();
        let held = chain.hold(&mut sum).unwrap();
        let aliased = chain.add::<VectorAdd<'_>>((held.view(), four.view()), (), held);
        assert_eq!(aliased.unwrap_err(), Error::Aliased { operator: "vector_add" });
        let mismatch = chain.add::<VectorAdd<'_>>((four.view(), five.view()), (), held);
        assert!(matches!(
            mismatch.unwrap_err(),
            Error::LengthMismatch { left: 4, right: 5, .. }
        ));
        let short = chain.add::<VectorAdd<'_>>((five.view(), five.view()), (), held);
        assert!(matches!(
            short.unwrap_err(),
            Error::OutputLength {
                expected: 5,
                given: 4,
                ..
            }
        ));
        let two = chain.add::<Sha256<'_, Vec<u8>>>(&strings, (), &mut digest);
        assert!(matches!(
            two.unwrap_err(),
            Error::OutputLength {
                expected: 1,
                given: 2,
                ..
            }
        ));

        // What one chain holds, no other reads or writes.
        {
            let mut third = executor.chain();
            let read = third.add::<VectorAdd<'_>>((held.view(), four.view()), (), &mut last);
            assert_eq!(read.unwrap_err(), Error::WrongChain);
            let written = third.add::<VectorAdd<'_>>((four.view(), four.view()), (), held);
            assert_eq!(written.unwrap_err(), Error::WrongChain);
        }
        // A chain goes on after an error, and one of nothing is nothing.
        chain
            .add::<VectorAdd<'_>>((four.view(), four.view()), (), held)
            .unwrap();
        chain.run().unwrap();
        executor.chain().run().unwrap();
        assert_eq!(executor.read(&sum).unwrap(), [2.0; 4], "{}", executor.backend());
    }
}

#[test]
fn what_is_beyond_a_limit_is_an_error_that_names_it() {
    for executor in common::gpu_executors(&common::options()) {
        let error = executor.buffer::<u64>(usize::MAX / 16).unwrap_err();
        assert!(error.to_string().contains("max_buffer_size"), "{error}");
        let error = executor.buffer::<u64>(usize::MAX).unwrap_err();
        assert!(matches!(error, Error::BufferTooLong { .. }), "{error}");
        let long = vec![7_u8; (256 << 10) + 1];
        let strings = executor.upload_strings(&[&long[1..], b"short"]).unwrap();
        let mut digests = executor.buffer(2).unwrap();
        let mut chain = executor.chain();
        chain.add::<Keccak256<'_, Vec<u8>>>(&strings, (), &mut digests).unwrap();
        chain.run().unwrap();
        let expected = executor
            .run(&Keccak256 {
                messages: &[&long[1..], b"short"],
            })
            .unwrap();
        assert_eq!(executor.read(&digests).unwrap(), expected, "as long as a kernel takes");
        let strings = executor.upload_strings(&[&long[..], b"short"]).unwrap();
        let mut chain = executor.chain();
        let error = chain
            .add::<Keccak256<'_, Vec<u8>>>(&strings, (), &mut digests)
            .unwrap_err();
        assert!(error.to_string().contains("262144 bytes"), "{error}");
    }
}

#[test]
fn buffers_are_lost_with_their_device_and_outlive_their_executor() {
    for executor in common::gpu_executors(&common::options()) {
        let mut buffer = executor.upload(&[1.0_f32; 1000]).unwrap();
        let mut sum = executor.buffer::<f32>(1000).unwrap();
        let strings = executor.upload_strings(&["a"]).unwrap();
        let mut chain = executor.chain();
        chain
            .add::<VectorAdd<'_>>((buffer.view(), buffer.view()), (), &mut sum)
            .unwrap();
        executor.lose_device();
        let is_lost = |error: Error| assert!(matches!(error, Error::DeviceLost { .. }), "{error}");
        is_lost(chain.run().unwrap_err());
        is_lost(executor.read(&buffer).unwrap_err());
        is_lost(executor.write(&mut buffer, 0, &[1.0]).unwrap_err());
        is_lost(executor.buffer::<u32>(1).unwrap_err());
        is_lost(executor.upload_strings(&["b"]).map(|_| ()).unwrap_err());
        drop(executor);
        drop((buffer, sum, strings));
    }
}
