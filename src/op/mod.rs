//! The operators of this crate: one file each, written as one outside of it would be.

#[cfg(feature = "field")]
pub(crate) mod field_mul;
#[cfg(feature = "hash")]
pub(crate) mod keccak256;
#[cfg(feature = "hash")]
pub(crate) mod merkle_root;
#[cfg(feature = "hash")]
mod messages;
#[cfg(feature = "hash")]
pub(crate) mod sha256;
pub(crate) mod vector_add;

#[cfg(feature = "field")]
pub use field_mul::{Bn254FrMul, Element};
#[cfg(feature = "hash")]
pub use keccak256::Keccak256;
#[cfg(feature = "hash")]
pub use merkle_root::MerkleRoot;
#[cfg(feature = "hash")]
pub use sha256::Sha256;
pub use vector_add::VectorAdd;
