//! `keccak256`: the hash of Ethereum over messages of any lengths.

use sha3::Digest as _;

use super::{Load, Probe, Spec, Task, messages};
use crate::{
    error::Error,
    workload::{Generate, Random, generated},
};

/// Keccak-256 of each message, with the padding of Keccak's submission that Ethereum uses: not FIPS 202's SHA3-256.
#[derive(Debug)]
pub struct Keccak256<'a, M> {
    /// Shape `[n]`, each of any length: slices, vectors or arrays of bytes.
    pub messages: &'a [M],
}

impl<M> Clone for Keccak256<'_, M> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<M> Copy for Keccak256<'_, M> {}

impl<M> super::sealed::Sealed for Keccak256<'_, M> {}

impl<M: AsRef<[u8]> + Sync> Task for Keccak256<'_, M> {
    const SPEC: Spec = messages::spec(
        "keccak256",
        concat!(
            include_str!("../../shaders/keccak_f.wgsl"),
            include_str!("../../shaders/keccak256.wgsl")
        ),
        digest,
        136,
        7000,
    );
    const PARALLEL: bool = true;
    type Item = [u8; 32];

    fn elements(&self) -> Result<usize, Error> {
        Ok(self.messages.len())
    }

    fn input(&self, index: usize) -> &[u8] {
        self.messages[index].as_ref()
    }

    fn load(&self) -> Load {
        messages::load(self.messages, |bytes| bytes / 136 + 1)
    }

    fn run_on_cpu(&self, output: &mut Vec<[u8; 32]>) {
        messages::append(self.messages, output, digest, BLOCK);
    }

    fn run_on_cpu_into(&self, output: &mut [[u8; 32]]) {
        messages::write(self.messages, output, digest, BLOCK);
    }
}

/// Bytes of a block, and nanoseconds a core takes for it.
const BLOCK: (usize, usize) = (136, 600);

fn digest(message: &[u8]) -> [u8; 32] {
    sha3::Keccak256::digest(message).into()
}

/// Messages of one block and of 16.
pub(super) const PROBE: Probe = Probe {
    generate: |items, depth| match depth {
        1 => generated::<Input<64>>(items, 1, 1),
        _ => generated::<Input<2175>>(items, 1, 1),
    },
    depths: &[1, 16],
};

/// Messages of so many bytes, for tests and benches.
pub(super) struct Input<const BYTES: usize>(Vec<[u8; BYTES]>);

impl<const BYTES: usize> Generate for Input<BYTES> {
    type Task<'a> = Keccak256<'a, [u8; BYTES]>;

    fn generate(size: usize, random: &mut Random) -> Self {
        Self(messages::generate(size, random))
    }

    fn task(&self) -> Keccak256<'_, [u8; BYTES]> {
        Keccak256 { messages: &self.0 }
    }

    fn same(device: &[u8; 32], cpu: &[u8; 32]) -> bool {
        device == cpu
    }
}
