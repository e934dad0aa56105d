//! What operators over messages have in common.

use rayon::prelude::*;

use crate::task::{Cost, Digest, Kernel, Random};

/// Longer messages are hashed by the host while it writes the others: on the device a message is
/// one thread's work, for which a small GPU takes a hundred times as long as a core. Mesa's drivers
/// for CPUs also end a kernel's loops after 65,535 rounds altogether, without a word; of keccak-f
/// this length has 48,000.
pub(super) const LONGEST_BYTES: usize = 256 << 10;

/// The nanoseconds of work that are done before other threads are awake.
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
    /// The blocks of a message, by its bytes.
    pub(super) const fn count(self, bytes: usize) -> usize {
        (bytes + self.padding).div_ceil(self.bytes)
    }
}

/// Declares the operator of a hash: its task over messages, and owned input. The parts of one hash
/// come from the file that calls it, where `digest` digests a message.
macro_rules! hash {
    (
        $(#[$doc:meta])*
        $name:ident,
        operator: $operator:literal,
        shader: $shader:literal behind [$($prelude:literal),*],
        block: $block:expr,
        calibration: { $($bytes:literal => $depth:literal),+ },
    ) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name<'a, M> {
            /// Shape `[n]`, each of any length: slices, vectors or arrays of bytes. A call may
            /// panic if a message gives bytes of another length when it is asked again.
            pub messages: &'a [M],
        }

        // Derived, they would ask the same of messages.
        impl<M> Clone for $name<'_, M> {
            fn clone(&self) -> Self {
                *self
            }
        }

        impl<M> Copy for $name<'_, M> {}

        impl<M: AsRef<[u8]> + Sync> crate::task::Task for $name<'_, M> {
            const KERNEL: crate::task::Kernel = {
                let kernel = super::messages::kernel(
                    crate::task::Kernel::new($operator, include_str!($shader))
                        .after(const { &[$(include_str!($prelude),)* crate::task::MESSAGES_WGSL] }),
                    digest,
                    $block,
                );
                #[expect(unsafe_code, reason = "a reviewed kernel")]
                // SAFETY: each thread compares its number with that of the messages before it
                // touches an entry of the table, and reads words from that message's first to its
                // last, or the eight of a digest; what it shares in workgroup memory it writes
                // before the barrier behind which that is read, but for threads without a message,
                // whose part is not read. Loops end with the message.
                unsafe {
                    kernel.trusted::<Self>()
                }
            };
            /// Messages of one block, of the usual lengths, and of many blocks.
            const CALIBRATION: Option<crate::task::Calibration> = Some(crate::task::Calibration::of_depths(&[
                $(($depth, crate::task::generated::<Input<$bytes>>)),+
            ]));
            type Inputs = crate::task::Strings<M>;
            type Parameters = ();
            type Item = [u8; 32];

            fn inputs(&self) -> &[M] {
                self.messages
            }

            fn steps(bytes: usize) -> usize {
                // The host hashes longer ones, whatever the device.
                $block.count(bytes.min(super::messages::LONGEST_BYTES))
            }

            fn compute(messages: &[M], (): (), output: &mut [[u8; 32]]) {
                super::messages::write(messages, output, digest, $block);
            }

            fn append(messages: &[M], (): (), output: &mut Vec<[u8; 32]>) {
                super::messages::append(messages, output, digest, $block);
            }
        }

        /// Messages of `BYTES` bytes, for calibrations, tests and benches.
        #[derive(Debug)]
        pub(crate) struct Input<const BYTES: usize>(Vec<[u8; BYTES]>);

        impl<const BYTES: usize> crate::task::Generate for Input<BYTES> {
            type Task<'a> = $name<'a, [u8; BYTES]>;

            fn generate(size: usize, random: &mut crate::task::Random) -> Self {
                Self(super::messages::generate(size, random))
            }

            fn task(&self) -> Self::Task<'_> {
                $name { messages: &self.0 }
            }
        }
    };
}
pub(super) use hash;

/// The kernel of a hash.
pub(super) const fn kernel(kernel: Kernel, digest: Digest, block: Block) -> Kernel {
    kernel.digests_longer_than(LONGEST_BYTES, digest).cost(Cost {
        element: block.operations,
        word: block.operations * 4 / block.bytes as u64,
    })
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

/// As [`write()`], to memory that is not initialised: each thread faults its own part in.
pub(super) fn append<M: AsRef<[u8]> + Sync>(messages: &[M], output: &mut Vec<[u8; 32]>, digest: Digest, block: Block) {
    if are_few(messages, block) {
        output.extend(messages.iter().map(|message| digest(message.as_ref())));
    } else {
        output.par_extend(messages.par_iter().map(|message| digest(message.as_ref())));
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
