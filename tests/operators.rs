//! Operators against their oracles and official vectors, on every adapter, with 64-bit integers and without.

#![allow(clippy::unwrap_used, reason = "a test's helper")]

mod common;

use std::sync::atomic::{AtomicUsize, Ordering};

use ark_bn254::Fr;
use ark_ff::{BigInt, Field as _, PrimeField as _};
use gpu_executor::{Backend, Error, Executor, FieldMul, Keccak256, MerkleRoot, Options, Sha256, VectorAdd};
use sha3::Digest as _;

/// Executors in every way a task can take, with the kernels for adapters without 64-bit integers as well, and in small chunks.
fn executors() -> Vec<Executor> {
    let mut executors = common::executors(&common::options());
    executors.extend(common::gpu_executors(&Options {
        int64: false,
        chunk_bytes: 1000,
        ..common::options()
    }));
    executors
}

/// Reproducible bytes.
fn bytes(n: usize, seed: usize) -> Vec<u8> {
    let mut state = seed as u64 + 1;
    (0..n)
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 56) as u8
        })
        .collect()
}

fn hex(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn sha256(message: &[u8]) -> [u8; 32] {
    sha2::Sha256::digest(message).into()
}

fn keccak256(message: &[u8]) -> [u8; 32] {
    sha3::Keccak256::digest(message).into()
}

/// Source: NIST, example values for SHA-256, and CAVP's SHA256ShortMsg.rsp.
#[test]
fn sha256_has_the_digests_that_nist_published() {
    let a_million = "a".repeat(1_000_000);
    let vectors: [(&[u8], &str); 8] = [
        (b"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        (b"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
        ),
        (
            b"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
            "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1",
        ),
        (a_million.as_bytes(), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"),
        (&[0xd3], "28969cdfa74a12c82f3bad960b0b000aca2ac329deea5c2328ebc6f2ba9802c1"),
        (&[0x11, 0xaf], "5ca7133fa735326081558ac312c620eeca9970d1e70a4b95533d956f072d1f98"),
        (&[0xb4, 0x19, 0x0e], "dff2e73091f6c05e528896c4c831b9448653dc2ff043528f6769437bc7b975c2"),
    ];
    let messages = vectors.map(|(message, _)| message);
    for executor in executors() {
        let digests = executor.run(&Sha256 { messages: &messages }).unwrap();
        let digests: Vec<_> = digests.iter().map(|digest| hex(digest)).collect();
        assert_eq!(digests, vectors.map(|(_, digest)| digest), "{}", executor.backend());
    }
}

/// Source: the Keccak team's ShortMsgKAT_256.txt (round 3), and digests every client of Ethereum has: of nothing, and of an
/// empty list in RLP.
#[test]
fn keccak256_has_the_digests_that_keccaks_authors_published() {
    let vectors: [(&[u8], &str); 6] = [
        (b"", "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"),
        (
            &[0xcc],
            "eead6dbfc7340a56caedc044696a168870549a6a7f6f56961e84a54bd9970b8a",
        ),
        (
            &[0x41, 0xfb],
            "a8eaceda4d47b3281a795ad9e1ea2122b407baf9aabcb9e18b5717b7873537d2",
        ),
        (
            &[0xc0],
            "1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347",
        ),
        (
            b"abc",
            "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45",
        ),
        (
            b"The quick brown fox jumps over the lazy dog",
            "4d741b6f1eb29cb2a9b9911c82f56fa8d73b04959d3d9d222895df6c0b28aa15",
        ),
    ];
    let messages = vectors.map(|(message, _)| message);
    for executor in executors() {
        let digests = executor.run(&Keccak256 { messages: &messages }).unwrap();
        let digests: Vec<_> = digests.iter().map(|digest| hex(digest)).collect();
        assert_eq!(digests, vectors.map(|(_, digest)| digest), "{}", executor.backend());
    }
}

/// Every length around the blocks of both hashes, some of many blocks, and short ones in between.
fn messages() -> Vec<Vec<u8>> {
    let mut lengths: Vec<usize> = (0..=280).collect();
    lengths.extend([407, 408, 409, 1000, 0, 4095, 4096, 4097, 3, 0, 70_000, 1]);
    lengths.into_iter().map(|n| bytes(n, n)).collect()
}

#[test]
fn messages_of_every_length_have_the_digests_of_the_crates() {
    let messages = messages();
    let by_sha2: Vec<_> = messages.iter().map(|message| sha256(message)).collect();
    let by_sha3: Vec<_> = messages.iter().map(|message| keccak256(message)).collect();
    for executor in executors() {
        let name = executor.backend();
        let (sha, keccak) = (Sha256 { messages: &messages }, Keccak256 { messages: &messages });
        assert_eq!(executor.run(&sha).unwrap(), by_sha2, "{name}");
        assert_eq!(executor.run(&keccak).unwrap(), by_sha3, "{name}");
        let mut digests = vec![[0; 32]; messages.len()];
        executor.run_into(&keccak, &mut digests).unwrap();
        assert_eq!(digests, by_sha3, "{name}");
        assert_eq!(executor.submit(&sha).unwrap().wait().unwrap(), by_sha2, "{name}");
    }
}

#[test]
fn batches_of_messages_come_back_in_order() {
    let messages = messages();
    let parts: Vec<_> = [0..0, 0..1, 1..200, 200..200, 200..messages.len()]
        .map(|range| Keccak256 {
            messages: &messages[range],
        })
        .into();
    let expected: Vec<_> = messages.iter().map(|message| keccak256(message)).collect();
    for executor in executors() {
        let flat = executor.run_batch_flat(&parts).unwrap();
        assert_eq!(flat.items(), expected, "{}", executor.backend());
        assert_eq!(flat.offsets(), [0, 0, 1, 200, 200, messages.len()]);
        assert_eq!(executor.run_batch(&parts).unwrap().concat(), expected);
    }
}

#[test]
fn a_message_too_long_for_one_thread_is_digested_too() {
    const LONGEST: usize = 256 << 10;
    let messages = [LONGEST - 1, 5, LONGEST, LONGEST + 1, 0, 3 * LONGEST + 7].map(|n| bytes(n, n));
    let expected = [
        messages.each_ref().map(|message| sha256(message)),
        messages.each_ref().map(|message| keccak256(message)),
    ];
    for executor in executors() {
        assert_eq!(
            executor.run(&Sha256 { messages: &messages }).unwrap(),
            expected[0],
            "{}",
            executor.backend()
        );
        let digests = executor.run(&Keccak256 { messages: &messages }).unwrap();
        assert_eq!(digests, expected[1], "{}", executor.backend());
    }
}

/// A message that is long at one of the times it is asked for its bytes.
struct Moody {
    asked: AtomicUsize,
    long_at: usize,
}

/// Its bytes.
static MOODY: [u8; 50_000] = [7; 50_000];
const MOODY_SHORT: usize = 5;

impl AsRef<[u8]> for Moody {
    fn as_ref(&self) -> &[u8] {
        let is_long = self.asked.fetch_add(1, Ordering::Relaxed) == self.long_at;
        if is_long { &MOODY } else { &MOODY[..MOODY_SHORT] }
    }
}

#[test]
fn a_message_that_changes_its_length_is_a_panic_or_one_of_its_digests() {
    let digests = [sha256(&MOODY[..MOODY_SHORT]), sha256(&MOODY)];
    for executor in common::gpu_executors(&common::options()) {
        let name = &executor.adapter().driver;
        let mut panics = 0;
        for long_at in 0..8 {
            let messages = [Moody {
                asked: AtomicUsize::new(0),
                long_at,
            }];
            let run = || executor.run(&Sha256 { messages: &messages });
            match std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)) {
                // What lies behind a message is never read.
                Ok(digest) => assert!(digests.contains(&digest.unwrap()[0]), "{name}: long at {long_at}"),
                Err(_) => panics += 1,
            }
        }
        assert!(panics > 0, "{name}: it is asked more than once");
        let after = executor.run(&Sha256 { messages: &[b"abc"] }).unwrap();
        assert_eq!(after, [sha256(b"abc")], "{name}: the executor goes on");
    }
}

/// The root, level by level.
fn root(leaves: &[[u8; 32]]) -> Vec<[u8; 32]> {
    let mut nodes = leaves.to_vec();
    while nodes.len() > 1 {
        nodes = nodes
            .chunks(2)
            .map(|pair| match pair {
                [left, right] => keccak256(&[*left, *right].concat()),
                alone => alone[0],
            })
            .collect();
    }
    nodes
}

fn leaves(n: usize) -> Vec<[u8; 32]> {
    bytemuck::cast_slice(&bytes(32 * n, n)).to_vec()
}

/// Source: the roots of leaves of zeros, as trees of fixed depth on Ethereum have them for what is empty.
#[test]
fn zeros_have_the_roots_known_from_ethereum() {
    let expected = [
        "0000000000000000000000000000000000000000000000000000000000000000",
        "ad3228b676f7d3cd4284a5443f17f1962b36e491b30a40b2405849e597ba5fb5",
        "b4c11951957c6f8f642c4af61cd6b24640fec6dc7fc607ee8206a99e92410d30",
        "21ddb9a356815c3fac1026b6dec5df3124afbadb485c9ba5a3e3398a04b7ba85",
    ];
    let zeros = [[0; 32]; 8];
    for executor in executors() {
        for (depth, expected) in expected.iter().enumerate() {
            let task = MerkleRoot {
                leaves: &zeros[..1 << depth],
            };
            assert_eq!(
                hex(&executor.run(&task).unwrap()[0]),
                *expected,
                "{}",
                executor.backend()
            );
        }
    }
}

#[test]
fn trees_of_every_size_have_the_root_that_levels_have() {
    let leaves = leaves(5000);
    let sizes: Vec<usize> = (0..=40)
        .chain([
            63, 64, 65, 511, 512, 513, 1023, 1024, 1025, 2047, 2048, 2049, 3073, 5000,
        ])
        .collect();
    let expected: Vec<_> = sizes.iter().map(|&n| root(&leaves[..n])).collect();
    let tasks: Vec<_> = sizes.iter().map(|&n| MerkleRoot { leaves: &leaves[..n] }).collect();
    for executor in executors() {
        assert_eq!(executor.run_batch(&tasks).unwrap(), expected, "{}", executor.backend());
        for (task, expected) in tasks.iter().zip(&expected) {
            let root = executor.run(task).unwrap();
            assert_eq!(
                root,
                *expected,
                "{} leaves on {}",
                task.leaves.len(),
                executor.backend()
            );
        }
    }
}

#[test]
fn a_tree_of_three_dispatches_and_small_ones_beside_it() {
    let leaves: Vec<[u8; 32]> = (0..(1_u64 << 20) + 3).map(|i| bytemuck::cast([i; 4])).collect();
    let sizes = [1, 1025, leaves.len(), 2];
    let tasks = sizes.map(|n| MerkleRoot { leaves: &leaves[..n] });
    // Trees of all shapes but this long one are compared with the levels' root above, on the CPU too.
    let expected = Executor::new(Backend::Cpu).unwrap().run_batch_flat(&tasks).unwrap();
    for adapter in common::adapters() {
        if adapter.info().backend != Backend::Cpu {
            let executor = Executor::on(&adapter, common::options()).unwrap();
            assert_eq!(
                executor.run_batch_flat(&tasks).unwrap(),
                expected,
                "{}",
                executor.backend()
            );
        }
    }
}

#[test]
fn a_tree_that_no_buffer_holds_is_an_error_that_says_so() {
    for adapter in common::adapters() {
        let executor = Executor::on(&adapter, common::options()).unwrap();
        let Some(limits) = &adapter.info().limits else { continue };
        // Beyond a gigabyte there is nothing to be tried here.
        let Some(n) = usize::try_from(limits.storage_binding_bytes)
            .ok()
            .filter(|&n| n <= 1 << 30)
        else {
            continue;
        };
        let leaves = vec![[0; 32]; n / 32 + 1];
        let small = MerkleRoot { leaves: &leaves[..2] };
        let error = executor
            .run_batch(&[small, MerkleRoot { leaves: &leaves }])
            .unwrap_err();
        assert!(
            matches!(error, Error::TooLong { operator: "merkle_root", bytes, .. } if bytes == n / 32 * 32 + 32),
            "{error}"
        );
        assert_eq!(executor.run(&small).unwrap(), root(small.leaves));
    }
}

/// p, and what lies around its multiples and at the ends.
fn special() -> Vec<[u64; 4]> {
    let p = Fr::MODULUS;
    let mut numbers = vec![
        [0; 4],
        [1, 0, 0, 0],
        [u64::MAX; 4],
        [0, 0, 0, 1 << 63],
        Fr::R.0,
        Fr::R2.0,
    ];
    let mut multiple = p;
    for _ in 0..5 {
        let [low, a, b, c] = multiple.0;
        numbers.extend([[low - 1, a, b, c], [low, a, b, c], [low + 1, a, b, c]]);
        ark_ff::BigInteger::add_with_carry(&mut multiple, &p);
    }
    numbers
}

/// The product in Montgomery form, from residues that ark-ff makes of bytes.
fn product(a: [u64; 4], b: [u64; 4], products: u16) -> [u64; 4] {
    let residue = |limbs: [u64; 4]| Fr::from_le_bytes_mod_order(bytemuck::bytes_of(&limbs));
    let r = residue(Fr::R.0);
    let factor = residue(b) * r.inverse().unwrap();
    (residue(a) * factor.pow([u64::from(products)])).into_bigint().0
}

#[test]
fn products_are_those_of_ark_whatever_the_input() {
    let special = special();
    let mut pairs: Vec<_> = special
        .iter()
        .flat_map(|a| special.iter().map(move |b| (*a, *b)))
        .collect();
    let random: Vec<[u64; 4]> = bytemuck::pod_collect_to_vec(&bytes(32 * 600, 1));
    pairs.extend(random.chunks(2).map(|pair| (pair[0], pair[1])));
    let (a, b): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
    for executor in executors() {
        for products in [0, 1, 2, 3, 100] {
            let task = FieldMul { a: &a, b: &b, products };
            let output = executor.run(&task).unwrap();
            for (i, output) in output.iter().enumerate() {
                let expected = product(a[i], b[i], products);
                assert_eq!(
                    *output,
                    expected,
                    "{:x?} by {products} times {:x?} on {}, {:?}",
                    a[i],
                    b[i],
                    executor.backend(),
                    executor.adapter().driver
                );
            }
        }
    }
}

#[test]
fn one_and_what_ark_computes_with_are_in_the_same_form() {
    let one = Fr::from(1_u64).0.0;
    let (x, y) = (Fr::from(0xDEAD_BEEF_u64), -Fr::from(77_u64));
    for executor in executors() {
        let a = [one, x.0.0, x.0.0];
        let b = [one, one, y.0.0];
        let output = executor
            .run(&FieldMul {
                a: &a,
                b: &b,
                products: 1,
            })
            .unwrap();
        let output: Vec<Fr> = output.iter().map(|limbs| Fr::new_unchecked(BigInt(*limbs))).collect();
        assert_eq!(output, [Fr::from(1_u64), x, x * y], "{}", executor.backend());
    }
}

#[test]
fn batches_join_only_tasks_of_as_many_products() {
    let a: Vec<[u64; 4]> = bytemuck::pod_collect_to_vec(&bytes(32 * 50, 5));
    let b: Vec<[u64; 4]> = bytemuck::pod_collect_to_vec(&bytes(32 * 50, 6));
    let shapes = [
        (0, 10, 1),
        (10, 10, 7),
        (10, 20, 1),
        (20, 23, 4),
        (23, 30, 4),
        (30, 30, 4),
        (30, 31, 0),
        (31, 50, 65_535),
    ];
    let tasks = shapes.map(|(from, to, products)| FieldMul {
        a: &a[from..to],
        b: &b[from..to],
        products,
    });
    let expected: Vec<_> = tasks
        .iter()
        .flat_map(|task| {
            task.a
                .iter()
                .zip(task.b)
                .map(|(a, b)| product(*a, *b, task.products))
                .collect::<Vec<_>>()
        })
        .collect();
    for executor in executors() {
        assert_eq!(
            executor.run_batch_flat(&tasks).unwrap().items(),
            expected,
            "{}",
            executor.backend()
        );
    }
}

/// Mesa's drivers for CPUs end a kernel's loops after 65,535 rounds of all of them together, without a word: long chains are two dispatches.
#[test]
fn the_longest_chains_are_right_in_every_place_of_a_workgroup() {
    let a: Vec<[u64; 4]> = bytemuck::pod_collect_to_vec(&bytes(32 * 130, 7));
    let b: Vec<[u64; 4]> = bytemuck::pod_collect_to_vec(&bytes(32 * 130, 8));
    let lengths = [65_535, 65_534, 32_769, 32_768];
    let expected = lengths.map(|products| -> Vec<_> { (0..130).map(|i| product(a[i], b[i], products)).collect() });
    for executor in executors() {
        for (products, expected) in lengths.into_iter().zip(&expected) {
            // Half a workgroup's output, all of it, and some of the next ones.
            for n in [64, 65, 130] {
                let (a, b) = (&a[..n], &b[..n]);
                let output = executor.run(&FieldMul { a, b, products }).unwrap();
                let wrong: Vec<_> = (0..n).filter(|&i| output[i] != expected[i]).collect();
                assert!(
                    wrong.is_empty(),
                    "{products} products over {n} elements on {}, {:?}: elements {wrong:?} are wrong",
                    executor.backend(),
                    executor.adapter().driver
                );
            }
        }
    }
}

#[test]
fn products_of_different_numbers_of_elements_are_an_error() {
    for executor in executors() {
        let task = FieldMul {
            a: &[[0; 4]; 3],
            b: &[[0; 4]; 2],
            products: 1,
        };
        let expected = Error::LengthMismatch {
            operator: "field_mul",
            task: 0,
            left: 3,
            right: 2,
        };
        assert_eq!(executor.run(&task).unwrap_err(), expected);
    }
}

#[test]
fn products_are_computed_in_place() {
    let a: Vec<[u64; 4]> = bytemuck::pod_collect_to_vec(&bytes(32 * 300, 5));
    for executor in executors() {
        let mut task = executor.in_place::<FieldMul<'_>>(300).unwrap();
        let [mut x, mut y] = task.inputs().unwrap();
        x.copy_from_slice(&a);
        y.copy_from_slice(&a);
        let expected: Vec<_> = a.iter().map(|a| product(*a, *a, 1)).collect();
        assert_eq!(*task.run().unwrap(), expected, "{}", executor.backend());
    }
}

#[test]
fn sums_are_the_same_with_and_without_64_bit_integers() {
    let special = [
        0.0,
        -0.0,
        1.0,
        -1.5,
        f32::MAX,
        -f32::MAX,
        f32::MIN_POSITIVE,
        f32::INFINITY,
        f32::NEG_INFINITY,
        f32::NAN,
        16_777_216.0,
    ];
    let numbers = |n: usize, step: usize| -> Vec<f32> { (0..n).map(|i| special[i * step % special.len()]).collect() };
    for executor in executors() {
        for n in [1, 2, 3, 5, 121, 1027, 70_001] {
            let (a, b) = (numbers(n, 1), numbers(n, 4));
            let sums = executor.run(&VectorAdd { a: &a, b: &b }).unwrap();
            assert_eq!(sums.len(), n);
            for (i, sum) in sums.iter().enumerate() {
                let expected = a[i] + b[i];
                assert!(
                    sum.to_bits() == expected.to_bits() || (sum.is_nan() && expected.is_nan()),
                    "{}, element {i} of {n}: {} + {} is {sum}",
                    executor.backend(),
                    a[i],
                    b[i]
                );
            }
        }
    }
}

#[test]
fn tasks_of_all_operators_share_a_call() {
    let messages = messages();
    let leaves = leaves(3000);
    let hash = [Sha256 { messages: &messages }];
    let trees = [MerkleRoot { leaves: &leaves }, MerkleRoot { leaves: &leaves[..9] }];
    for executor in executors() {
        let mut call = executor.call();
        let (hash, trees) = (call.add(&hash).unwrap(), call.add(&trees).unwrap());
        let mut outputs = call.run().unwrap();
        assert_eq!(
            outputs.take(&trees).items(),
            [root(&leaves), root(&leaves[..9])].concat()
        );
        assert_eq!(
            outputs.take(&hash).items()[280],
            sha256(&messages[280]),
            "{}",
            executor.backend()
        );
    }
}
