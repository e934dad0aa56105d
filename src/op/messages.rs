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

/// What a hash makes of a message: blocks.
#[derive(Clone, Copy)]
pub(super) struct Block {
    pub(super) bytes: usize,
    /// Bytes that at least follow the message.
    pub(super) padding: usize,
    /// 32-bit operations of a thread, roughly.
    pub(super) operations: u64,
    /// What a core takes.
    pub(super) nanos: usize,
}

impl Block {
    /// Blocks of a message of so many bytes.
    const fn count(self, bytes: usize) -> usize {
        (bytes + self.padding).div_ceil(self.bytes)
    }
}

/// Declares the operator of a hash: its task over messages, and owned input. What is the hash's own comes from the file that
/// calls it, where `digest` digests a message.
macro_rules! hash {
    (
        $(#[$doc:meta])*
        $name:ident,
        operator: $operator:literal,
        shaders: [$($shader:literal),+],
        block: $block:expr,
        probe: { $($bytes:literal => $depth:literal),+ },
    ) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name<'a, M> {
            /// Shape `[n]`, each of any length: slices, vectors or arrays of bytes. A call may panic if a message gives
            /// bytes of another length when it is asked again.
            pub messages: &'a [M],
        }

        // Derived, they would ask the same of messages.
        impl<M> Clone for $name<'_, M> {
            fn clone(&self) -> Self {
                *self
            }
        }

        impl<M> Copy for $name<'_, M> {}

        impl<M> super::sealed::Sealed for $name<'_, M> {}

        impl<M: AsRef<[u8]> + Sync> super::Task for $name<'_, M> {
            const SPEC: super::Spec =
                super::messages::spec($operator, concat!($(include_str!($shader)),+), digest, $block);
            const PARALLEL: bool = true;
            type Item = [u8; 32];

            fn elements(&self) -> Result<usize, crate::error::Error> {
                Ok(self.messages.len())
            }

            fn input(&self, index: usize) -> &[u8] {
                self.messages[index].as_ref()
            }

            fn load(&self) -> super::Load {
                self.weighed(super::MOST_LOOKED_AT)
            }

            fn weighed(&self, looks: usize) -> super::Load {
                super::messages::load(self.messages, looks, $block)
            }

            fn run_on_cpu(&self, output: &mut Vec<[u8; 32]>) {
                super::messages::append(self.messages, output, digest, $block);
            }

            fn run_on_cpu_into(&self, output: &mut [[u8; 32]]) {
                super::messages::write(self.messages, output, digest, $block);
            }
        }

        /// Messages of so many bytes, for tests and benches.
        pub(super) struct Input<const BYTES: usize>(Vec<[u8; BYTES]>);

        impl<const BYTES: usize> crate::workload::Generate for Input<BYTES> {
            type Task<'a> = $name<'a, [u8; BYTES]>;

            fn generate(size: usize, random: &mut crate::workload::Random) -> Self {
                Self(super::messages::generate(size, random))
            }

            fn task(&self) -> Self::Task<'_> {
                $name { messages: &self.0 }
            }

            fn same(device: &[u8; 32], cpu: &[u8; 32]) -> bool {
                device == cpu
            }
        }

        /// Messages of one block, of the usual lengths, and of many blocks.
        pub(super) const PROBE: super::Probe = super::Probe {
            generate: |items, depth| match depth {
                $($depth => crate::workload::generated::<Input<$bytes>>(items, 1, 1),)+
                other => unreachable!("{other} is none of the depths"),
            },
            depths: &[$($depth),+],
        };
    };
}
pub(super) use hash;

/// The operator of a hash.
pub(super) const fn spec(operator: &'static str, shader: &'static str, digest: Digest, block: Block) -> Spec {
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
            element: block.operations,
            word: block.operations * 4 / block.bytes as u64,
        },
    }
}

/// Whether messages are so few that other threads would come too late.
fn are_few<M: AsRef<[u8]>>(messages: &[M], block: Block) -> bool {
    let most = FEW_NANOS / block.nanos;
    let blocks = |message: &M| block.count(message.as_ref().len());
    messages.len() <= most && messages.iter().map(blocks).sum::<usize>() <= most
}

/// Digests messages, on several threads if there is enough to do.
pub(super) fn write<M: AsRef<[u8]> + Sync>(messages: &[M], output: &mut [[u8; 32]], digest: Digest, block: Block) {
    let hash = |(message, to): (&M, &mut [u8; 32])| *to = digest(message.as_ref());
    if are_few(messages, block) {
        messages.iter().zip(output).for_each(hash);
    } else {
        messages.par_iter().zip(output).for_each(hash);
    }
}

/// As [`write()`], to memory that nobody wrote yet: each thread faults its own part in.
pub(super) fn append<M: AsRef<[u8]> + Sync>(messages: &[M], output: &mut Vec<[u8; 32]>, digest: Digest, block: Block) {
    if are_few(messages, block) {
        output.extend(messages.iter().map(|message| digest(message.as_ref())));
    } else {
        output.par_extend(messages.par_iter().map(|message| digest(message.as_ref())));
    }
}

/// How much work messages are, by a look at so many of them at the most: any of every two or three, by chance, as lengths may take turns. Compiled for each hash, whose blocks are a number to divide by.
#[inline(always)]
pub(super) fn load<M: AsRef<[u8]>>(messages: &[M], looks: usize, block: Block) -> Load {
    // The host hashes longer ones, whatever the device.
    let blocks = |message: &M| block.count(message.as_ref().len().min(LONGEST_BYTES));
    let is_itself = |message: &&M| {
        let bytes = message.as_ref();
        bytes.as_ptr() == std::ptr::from_ref(*message).cast() && bytes.len() == size_of::<M>()
    };
    // Arrays are all of one length.
    if let Some(first) = messages.first().filter(is_itself) {
        return Load::deep(messages.len(), blocks(first));
    }
    let step = messages.len().div_ceil(looks.max(1)).max(1);
    let mut random = Random::new(0);
    let (mut steps, mut longest) = (0_u64, 0);
    for some in messages.chunks(step) {
        let any = if some.len() > 1 { random.below(some.len()) } else { 0 };
        let blocks = blocks(&some[any]) as u64;
        steps += blocks * some.len() as u64;
        longest = longest.max(blocks);
    }
    Load {
        items: messages.len() as u64,
        steps,
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
    use super::{super::MOST_LOOKED_AT, *};

    #[test]
    fn a_load_is_that_of_the_blocks() {
        let block = Block {
            bytes: 10,
            padding: 1,
            operations: 0,
            nanos: 1,
        };
        let check = |lengths: &[usize], expected: (u64, u64, u64)| {
            let messages: Vec<Vec<u8>> = lengths.iter().map(|&n| vec![0; n]).collect();
            let load = load(&messages, MOST_LOOKED_AT, block);
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
        // Of 10,000 one of eighty is looked at.
        check(&[25; 10_000], (10_000, 30_000, 3));
        // Of arrays, one.
        assert_eq!(load(&[[0; 25]; 700], 1, block), Load::deep(700, 3));
        assert_eq!(load::<[u8; 25]>(&[], 9, block), load::<Vec<u8>>(&[], 9, block));
        assert_eq!(load(&[[0; 0]; 7], 9, block), Load::deep(7, 1));
        // One look at the least, whatever is asked for.
        assert_eq!(load(&[vec![0; 25], vec![0; 25]], 0, block), Load::deep(2, 3));
    }

    #[test]
    fn a_load_does_not_depend_on_where_long_messages_are() {
        let block = Block {
            bytes: 10,
            padding: 1,
            operations: 0,
            nanos: 1,
        };
        let long = vec![0; 995];
        for period in 2..=12 {
            for first in 0..period {
                let messages: Vec<&[u8]> = (0..24_000)
                    .map(|i| if i % period == first { &long[..] } else { &[] })
                    .collect();
                let load = load(&messages, MOST_LOOKED_AT, block);
                // A long one has 100 blocks, any other one.
                let exact = (24_000 / period * 99 + 24_000) as u64;
                assert_eq!((load.items, load.longest), (24_000, 100));
                assert!(
                    (exact / 3..exact * 3).contains(&load.steps),
                    "{} steps for {exact}, one of {period} long, from {first} on",
                    load.steps
                );
            }
        }
    }
}
