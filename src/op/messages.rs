//! What operators over messages have in common.

use rayon::prelude::*;

use super::{Cost, Digest, Load, Shape, Spec, Step};
use crate::workload::Random;

/// Longer messages are hashed by the host while it writes the others: on the device a message is one thread's work, for which
/// a small GPU takes a hundred times as long as a core. Mesa's drivers for CPUs also end a kernel's loops after 65,535 rounds
/// altogether, without a word; of keccak-f this length has 48,000.
pub(super) const LONGEST_BYTES: usize = 256 << 10;

/// So many nanoseconds of work are done before other threads are awake.
const FEW_NANOS: usize = 40_000;

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

/// Whether messages are so few that other threads would come too late; a block takes a core some `block_nanos`.
fn are_few<M: AsRef<[u8]>>(messages: &[M], block_bytes: usize, block_nanos: usize) -> bool {
    let most = FEW_NANOS / block_nanos;
    let blocks = |message: &M| message.as_ref().len() / block_bytes + 1;
    messages.len() <= most && messages.iter().map(blocks).sum::<usize>() <= most
}

/// Digests messages, on several threads if there is enough to do.
pub(super) fn write<M: AsRef<[u8]> + Sync>(
    messages: &[M],
    output: &mut [[u8; 32]],
    digest: Digest,
    (block_bytes, block_nanos): (usize, usize),
) {
    let hash = |(message, to): (&M, &mut [u8; 32])| *to = digest(message.as_ref());
    if are_few(messages, block_bytes, block_nanos) {
        messages.iter().zip(output).for_each(hash);
    } else {
        messages.par_iter().zip(output).for_each(hash);
    }
}

/// As [`write()`], to memory that nobody wrote yet: each thread faults its own part in.
pub(super) fn append<M: AsRef<[u8]> + Sync>(
    messages: &[M],
    output: &mut Vec<[u8; 32]>,
    digest: Digest,
    (block_bytes, block_nanos): (usize, usize),
) {
    if are_few(messages, block_bytes, block_nanos) {
        output.extend(messages.iter().map(|message| digest(message.as_ref())));
    } else {
        output.par_extend(messages.par_iter().map(|message| digest(message.as_ref())));
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
