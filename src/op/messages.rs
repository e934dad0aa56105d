//! What operators over messages have in common.

use rayon::prelude::*;

use super::{Cost, Digest, Shape, Spec, Step};
use crate::workload::Random;

/// Longer messages are hashed by the host while it writes the others: on the device a message is one thread's work, for which
/// a small GPU takes a hundred times as long as a core. Mesa's drivers for CPUs also end a kernel's loops after 65,535 rounds
/// altogether, without a word; of keccak-f this length has 48,000.
pub(super) const LONGEST_BYTES: usize = 256 << 10;

/// Messages of so many bytes altogether are hashed before another thread is awake.
const FEW_BYTES: usize = 16 << 10;

/// An operator that digests messages; the costs are those of a block.
pub(super) const fn spec(
    operator: &'static str,
    shader: &'static str,
    digest: Digest,
    block_bytes: u64,
    block_cost: u64,
) -> Spec {
    Spec {
        operator,
        shader,
        shader_int64: None,
        workgroup_size: 64,
        elements_per_thread: 1,
        inputs: Shape::Strings {
            longest: LONGEST_BYTES,
            digest,
        },
        output_stride: 32,
        immediates: 2,
        step: Step::only,
        room: |elements, _| elements,
        cost: Cost {
            element: block_cost,
            word: block_cost * 4 / block_bytes,
        },
    }
}

/// Digests messages, on several threads if there is enough to do.
pub(super) fn digest<M: AsRef<[u8]> + Sync>(messages: &[M], output: &mut [[u8; 32]], digest: Digest) {
    let hash = |(message, to): (&M, &mut [u8; 32])| *to = digest(message.as_ref());
    let is_few = messages.len() <= FEW_BYTES / 64
        && messages
            .iter()
            .map(|message| message.as_ref().len().max(64))
            .sum::<usize>()
            <= FEW_BYTES;
    if is_few {
        messages.iter().zip(output).for_each(hash);
    } else {
        messages.par_iter().zip(output).for_each(hash);
    }
}

/// Messages of 64 bytes, for tests and benches.
pub(super) fn generate(size: usize, random: &mut Random) -> Vec<[u8; 64]> {
    (0..size)
        .map(|_| bytemuck::cast([(); 8].map(|()| random.u64())))
        .collect()
}
