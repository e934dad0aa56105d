//! `keccak256`: the hash of Ethereum over messages of any lengths.

use sha3::Digest as _;

use super::messages::{Block, hash};

hash! {
    /// Keccak-256 of each message, with the padding of Keccak's submission that Ethereum uses: not
    /// FIPS 202's SHA3-256.
    Keccak256,
    operator: "keccak256",
    shader: "../../shaders/keccak256.wgsl" behind ["../../shaders/keccak_f.wgsl"],
    block: BLOCK,
    calibration: { 64 => 1, 2175 => 16 },
}

const BLOCK: Block = Block {
    bytes: 136,
    padding: 1,
    operations: 7000,
    nanos: 600,
};

fn digest(message: &[u8]) -> [u8; 32] {
    sha3::Keccak256::digest(message).into()
}
