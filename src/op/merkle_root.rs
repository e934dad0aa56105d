//! `merkle_root`: the root of a binary tree of keccak256.

use sha3::Digest as _;

use crate::task::{Calibration, Cost, Extent, Generate, Kernel, Random, Step, Task, Whole, word};

/// The root of the tree over leaves of 32 bytes. A node is keccak256 of its two children, left
/// before right; a node without a sibling moves up unchanged. The leaves are taken as they are, so
/// that one leaf is its own root. Without leaves there is no root: the output is empty.
///
/// Where a node must not pass for a leaf, leaves are hashed in another way than nodes, beforehand.
#[derive(Clone, Copy, Debug)]
pub struct MerkleRoot<'a> {
    /// Shape `[n]`.
    pub leaves: &'a [[u8; 32]],
}

/// A node, or a leaf.
type Node = [u8; 32];

/// Leaves that one workgroup replaces by one node, as a power of two.
const LEVELS: usize = 10;

/// Leaves of the largest trees of one dispatch, and of two.
pub(crate) const JUMPS: &[usize] = &[1 << LEVELS, 1 << (2 * LEVELS)];

/// Leaves whose tree one thread of the host computes before another is awake.
const LEAVES_OF_A_THREAD: usize = 64;

/// Operations of one keccak-f.
const PERMUTATION: u64 = 7000;

impl Task for MerkleRoot<'_> {
    const KERNEL: Kernel = {
        let kernel = Kernel::new("merkle_root", include_str!("../../shaders/merkle_root.wgsl"))
            .after(const { &[include_str!("../../shaders/keccak_f.wgsl")] })
            .dispatches(step, room)
            .cost(COST);
        #[expect(unsafe_code, reason = "a reviewed kernel")]
        // SAFETY: each workgroup looks for its tree among those of the table, and reads no leaf or
        // node behind the last of it. Where nodes lie behind the roots is told by `step`, and
        // `room` has the place; workgroups beyond the last are told by their number. Loops end
        // after ten levels, or with the number of trees; shared nodes are written before they are
        // read.
        unsafe {
            kernel.trusted::<Self>()
        }
    };
    const CALIBRATION: Option<Calibration> = Some(Calibration::of::<Input>().with_jumps(JUMPS));
    type Inputs = Whole<Node>;
    type Parameters = ();
    type Item = Node;

    fn inputs(&self) -> &[Node] {
        self.leaves
    }

    fn compute(leaves: &[Node], (): (), output: &mut [Node]) {
        if let [to] = output {
            *to = root(leaves);
        }
    }
}

/// What the tree over one element costs.
const COST: Cost = Cost {
    element: PERMUTATION,
    word: PERMUTATION / 8,
};

/// Two dispatches leave nodes behind at the most: the third is over 2^20 nodes of 2^20 leaves.
fn room(elements: usize, words: usize) -> usize {
    3 * elements + between(words, 1) + between(words, 2)
}

/// Nodes that stand for 1,024^level leaves each, by the words of the leaves.
fn between(words: usize, level: usize) -> usize {
    (words / 8) >> (LEVELS * level)
}

/// Each level is one dispatch over workgroups of 1,024 nodes, or several if it would take too long.
fn step(extent: &Extent, number: usize) -> Option<Step> {
    let trees = extent.elements;
    let most = usize::try_from(Cost::OF_A_DISPATCH / ((COST.word * 8) << LEVELS)).expect("some thousands");
    let (mut from_node, mut to_node) = (0, trees);
    let mut left = number;
    for level in 0.. {
        let groups = between(extent.words, level + 1) + trees;
        let dispatches = groups.div_ceil(most);
        // The trees that are done pass their root on as long as others are not.
        let is_last = extent.longest / 8 <= 1 << (LEVELS * (level + 1));
        if left < dispatches {
            let first = left * most;
            return Some(Step {
                groups: word(most.min(groups - first)),
                immediates: [
                    word(trees),
                    0,
                    word(LEVELS * level),
                    word(from_node),
                    word(to_node),
                    word(first),
                    word(groups),
                    u32::from(is_last),
                ],
            });
        }
        if is_last {
            break;
        }
        left -= dispatches;
        (from_node, to_node) = (to_node, to_node + groups);
    }
    None
}

/// The root of at least one leaf, by rayon's threads.
fn root(leaves: &[Node]) -> Node {
    if leaves.len() <= LEAVES_OF_A_THREAD {
        return root_here(leaves);
    }
    // All but the last subtree of a level are full.
    let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
    let (left, right) = rayon::join(|| root(left), || root(right));
    parent(&[left, right])
}

/// The root of at most this number of leaves, by this thread.
fn root_here(leaves: &[Node]) -> Node {
    let mut nodes = [[0; 32]; LEAVES_OF_A_THREAD / 2];
    let mut n = leaves.len();
    for (node, pair) in nodes.iter_mut().zip(leaves.chunks(2)) {
        *node = parent(pair);
    }
    while n > 2 {
        n = n.div_ceil(2);
        for i in 0..n.div_ceil(2) {
            nodes[i] = parent(&nodes[2 * i..n.min(2 * i + 2)]);
        }
    }
    nodes[0]
}

/// The node above one or two.
fn parent(children: &[Node]) -> Node {
    match children {
        [alone] => *alone,
        both => sha3::Keccak256::digest(both.as_flattened()).into(),
    }
}

/// Leaves, for calibrations, tests and benches.
#[derive(Debug)]
pub(crate) struct Input(Vec<Node>);

impl Generate for Input {
    type Task<'a> = MerkleRoot<'a>;

    fn generate(size: usize, random: &mut Random) -> Self {
        Self(
            (0..size)
                .map(|_| bytemuck::cast([(); 4].map(|()| random.u64())))
                .collect(),
        )
    }

    fn task(&self) -> MerkleRoot<'_> {
        MerkleRoot { leaves: &self.0 }
    }
}
