//! Merkle trees.

use gpu_executor::{Backend, Error, Executor, MerkleRoot};

use super::{bytes, common, executors, hex, keccak256};

/// The root, level by level.
pub(crate) fn root(leaves: &[[u8; 32]]) -> Vec<[u8; 32]> {
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

pub(crate) fn leaves(n: usize) -> Vec<[u8; 32]> {
    bytemuck::cast_slice(&bytes(32 * n, n)).to_vec()
}

/// Source: the roots of leaves of zeros, as trees of fixed depth on Ethereum have them for empty
/// subtrees.
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
    // Trees of all shapes but this long one are compared with the levels' root above, on the CPU
    // too.
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
