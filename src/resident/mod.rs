//! Data that stays on the device between calls: buffers, and chains of operators that work on them.
//!
//! ```
//! use gpu_executor::{Backend, Executor, Keccak256, MerkleRoot};
//!
//! let executor = Executor::new(Backend::Cpu)?;
//! let messages = executor.upload_strings(&[b"one", b"two"])?;
//! let mut digests = executor.buffer::<[u8; 32]>(2)?;
//! let mut root = executor.buffer::<[u8; 32]>(1)?;
//!
//! // One submission; the digests never leave the device.
//! let mut chain = executor.chain();
//! let leaves = chain.add::<Keccak256<'_, Vec<u8>>>(&messages, (), &mut digests)?;
//! chain.add::<MerkleRoot<'_>>(leaves.view(), (), &mut root)?;
//! chain.run()?;
//!
//! let leaves = executor.run(&Keccak256 { messages: &[b"one", b"two"] })?;
//! assert_eq!(executor.read(&root)?, executor.run(&MerkleRoot { leaves: &leaves })?);
//! # Ok::<(), gpu_executor::Error>(())
//! ```

mod buffer;
mod chain;
mod inputs;

pub(crate) use buffer::Place;
pub use buffer::{DeviceBuffer, DeviceStrings, View};
pub use chain::{Chain, Held, Running, Target};
pub use inputs::OnDevice;
