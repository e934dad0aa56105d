//! `sha256`: SHA-256 of FIPS 180-4 over messages of any lengths.

use sha2::Digest as _;

use super::messages::{Block, hash};

hash! {
    /// SHA-256 of each message, as FIPS 180-4 has it.
    Sha256,
    operator: "sha256",
    shader: "../../shaders/sha256.wgsl" behind [],
    block: BLOCK,
    // Two digests, of which trees are made, are 64 bytes: on the way to messages of 32 blocks,
    // whose upload is bound by memory, theirs would be taken for four times as long.
    calibration: { 55 => 1, 64 => 2, 2039 => 32 },
}

const BLOCK: Block = Block {
    bytes: 64,
    padding: 9,
    operations: 2500,
    nanos: 60,
};

fn digest(message: &[u8]) -> [u8; 32] {
    sha2::Sha256::digest(message).into()
}
