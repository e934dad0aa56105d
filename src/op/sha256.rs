//! `sha256`: SHA-256 of FIPS 180-4 over messages of any lengths.

use sha2::Digest as _;

use super::messages::{Block, hash};

hash! {
    /// SHA-256 of each message, as FIPS 180-4 has it.
    Sha256,
    operator: "sha256",
    shaders: ["../../shaders/messages.wgsl", "../../shaders/sha256.wgsl"],
    block: BLOCK,
    probe: { 55 => 1, 2039 => 32 },
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
