//! Operators against their oracles and official vectors, on every adapter, with 64-bit integers and
//! without.

#![allow(clippy::unwrap_used, reason = "a test's helper")]

#[path = "../common/mod.rs"]
mod common;
mod hashes;
mod own;
mod products;
mod trees;

use gpu_executor::{Executor, MerkleRoot, Sha256, VectorAdd};
use hashes::messages;
use sha3::Digest as _;
use trees::{leaves, root};

/// Executors in every way a task can take, with the kernels for adapters without 64-bit integers as
/// well, and in small chunks.
fn executors() -> Vec<Executor> {
    let mut executors = common::executors(&common::options());
    executors.extend(common::gpu_executors(&common::options().int64(false).chunk_bytes(1000)));
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
            outputs.take(&trees).unwrap().items(),
            [root(&leaves), root(&leaves[..9])].concat()
        );
        assert_eq!(
            outputs.take(&hash).unwrap().items()[280],
            sha256(&messages[280]),
            "{}",
            executor.backend()
        );
    }
}
