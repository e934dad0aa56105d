//! `sha256`: SHA-256 of FIPS 180-4 over messages of any lengths.

use sha2::Digest as _;

use super::{Load, Probe, Spec, Task, messages};
use crate::{
    error::Error,
    workload::{Generate, Random, generated},
};

/// SHA-256 of each message, as FIPS 180-4 has it.
#[derive(Debug)]
pub struct Sha256<'a, M> {
    /// Shape `[n]`, each of any length: slices, vectors or arrays of bytes.
    pub messages: &'a [M],
}

impl<M> Clone for Sha256<'_, M> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<M> Copy for Sha256<'_, M> {}

impl<M> super::sealed::Sealed for Sha256<'_, M> {}

impl<M: AsRef<[u8]> + Sync> Task for Sha256<'_, M> {
    const SPEC: Spec = messages::spec("sha256", include_str!("../../shaders/sha256.wgsl"), digest, 64, 2500);
    const PARALLEL: bool = true;
    type Item = [u8; 32];

    fn elements(&self) -> Result<usize, Error> {
        Ok(self.messages.len())
    }

    fn input(&self, index: usize) -> &[u8] {
        self.messages[index].as_ref()
    }

    fn load(&self) -> Load {
        messages::load(self.messages, |bytes| (bytes + 8) / 64 + 1)
    }

    fn run_on_cpu(&self, output: &mut Vec<[u8; 32]>) {
        messages::append(self.messages, output, digest, BLOCK);
    }

    fn run_on_cpu_into(&self, output: &mut [[u8; 32]]) {
        messages::write(self.messages, output, digest, BLOCK);
    }
}

/// Bytes of a block, and nanoseconds a core takes for it.
const BLOCK: (usize, usize) = (64, 60);

fn digest(message: &[u8]) -> [u8; 32] {
    sha2::Sha256::digest(message).into()
}

/// Messages of one block and of 32.
pub(super) const PROBE: Probe = Probe {
    generate: |items, depth| match depth {
        1 => generated::<Input<55>>(items, 1, 1),
        _ => generated::<Input<2039>>(items, 1, 1),
    },
    depths: &[1, 32],
};

/// Messages of so many bytes, for tests and benches.
pub(super) struct Input<const BYTES: usize>(Vec<[u8; BYTES]>);

impl<const BYTES: usize> Generate for Input<BYTES> {
    type Task<'a> = Sha256<'a, [u8; BYTES]>;

    fn generate(size: usize, random: &mut Random) -> Self {
        Self(messages::generate(size, random))
    }

    fn task(&self) -> Sha256<'_, [u8; BYTES]> {
        Sha256 { messages: &self.0 }
    }

    fn same(device: &[u8; 32], cpu: &[u8; 32]) -> bool {
        device == cpu
    }
}
