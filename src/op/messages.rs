//! What operators over messages have in common.

use rayon::prelude::*;

use super::{Cost, Digest, Load, Shape, Spec, Step};
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

/// Messages that are looked at to tell how much work there is: of more of them, every second or third is.
const MOST_LOOKED_AT: usize = 4096;

/// How much work messages are, of which one of so many bytes has `blocks` of them.
pub(super) fn load<M: AsRef<[u8]>>(messages: &[M], blocks: impl Fn(usize) -> usize) -> Load {
    let step = messages.len().div_ceil(MOST_LOOKED_AT).max(1);
    let (mut steps, mut longest) = (0_u64, 0);
    for message in messages.iter().step_by(step) {
        // The host hashes longer ones, whatever the device.
        let blocks = blocks(message.as_ref().len().min(LONGEST_BYTES)) as u64;
        steps += blocks;
        longest = longest.max(blocks);
    }
    let looked_at = messages.len().div_ceil(step).max(1) as u64;
    Load {
        items: messages.len() as u64,
        steps: steps * messages.len() as u64 / looked_at,
        longest,
        tasks: 1,
    }
}

/// Messages of `BYTES` bytes, for tests and benches.
pub(super) fn generate<const BYTES: usize>(size: usize, random: &mut Random) -> Vec<[u8; BYTES]> {
    let mut message = || {
        let mut bytes = [0; BYTES];
        for part in bytes.chunks_mut(8) {
            part.copy_from_slice(&random.u64().to_le_bytes()[..part.len()]);
        }
        bytes
    };
    (0..size).map(|_| message()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_load_is_that_of_the_blocks() {
        let blocks = |bytes: usize| bytes / 10 + 1;
        let check = |lengths: &[usize], expected: (u64, u64, u64)| {
            let messages: Vec<Vec<u8>> = lengths.iter().map(|&n| vec![0; n]).collect();
            let load = load(&messages, blocks);
            assert_eq!(
                (load.items, load.steps, load.longest),
                expected,
                "{} messages",
                lengths.len()
            );
        };
        check(&[], (0, 0, 0));
        check(&[0], (1, 1, 1));
        check(&[0, 9, 10, 95], (4, 14, 10));
        // Of 10,000 every third is looked at.
        check(&[25; 10_000], (10_000, 30_000, 3));
    }
}
