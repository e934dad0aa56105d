//! Sends work to a GPU through wgpu (Vulkan, GLES, DX12, Metal), or runs it on the CPU.
//!
//! ```
//! use gpu_executor::{Backend, Executor, VectorAdd};
//!
//! let executor = Executor::new(Backend::Cpu)?;
//! let sum = executor.run(&VectorAdd { a: &[1.0, 2.0], b: &[10.0, 20.0] })?;
//! assert_eq!(sum, [11.0, 22.0]);
//! # Ok::<(), gpu_executor::Error>(())
//! ```
//!
//! - [`Backend`] says where work can run and reads the user's choice from `GPU_EXECUTOR_BACKENDS`.
//! - [`Adapter`] lists what this machine has, and why some of it cannot be used.
//! - [`Executor`] runs one [`Task`] or a batch; an operator's file in [`op`] says what a task is.
//!   [`Pending`] is a task on its way, [`InPlace`] one whose inputs and output are never copied by
//!   the host.
//! - [`Hybrid`] runs each task where it is the fastest, and says where that was and why.
//! - [`Tuning`] says how tasks reach the adapter: calibrated, stored, and open to be read and set.
//! - [`Counters`] tell how often wgpu was called, [`Phases`] where a call's time went; `testkit`, a
//!   feature, generates work for tests and benches.

mod adapter;
mod backend;
mod context_lock;
mod counters;
#[cfg_attr(not(all(target_os = "linux", feature = "gles")), path = "no_egl.rs")]
mod egl;
mod env;
mod error;
mod executor;
mod gpu;
mod host;
pub mod hybrid;
mod in_place;
mod mapped;
pub mod op;
mod options;
mod own_device;
mod pending;
mod phases;
mod plan;
pub mod resident;
mod selection;
mod store;
pub mod task;
#[cfg(any(test, feature = "testkit"))]
pub mod testkit;
mod tuning;

/// The Rust code of the documents, as tests.
#[cfg(doctest)]
mod documents {
    #[doc = include_str!("../README.md")]
    struct Readme;
    #[doc = include_str!("../docs/own-operators.md")]
    struct OwnOperators;
    #[doc = include_str!("../docs/hybrid.md")]
    struct Hybrid;
    #[doc = include_str!("../docs/operators.md")]
    struct Operators;
}

pub use adapter::{Adapter, AdapterChoice, AdapterInfo, AdapterKind, AdapterLimits, PciId};
pub use backend::Backend;
pub use counters::Counters;
pub use env::{ADAPTER_NAME_ENV, BACKENDS_ENV, CACHE_DIR_ENV, OWN_EGL_ENV, PCI_ENV, ROUTE_ENV, TUNING_ENV};
pub use error::{Cause, Error};
pub use executor::{Call, Executor, FlatBatch, Opening, Outputs, Ticket};
pub use hybrid::{Hybrid, HybridOptions, Reason, Route, Routed};
pub use in_place::{InPlace, Output};
pub use mapped::Mapped;
#[cfg(feature = "field")]
pub use op::Bn254FrMul;
pub use op::VectorAdd;
#[cfg(feature = "hash")]
pub use op::{Keccak256, MerkleRoot, Sha256};
pub use options::Options;
pub use own_device::OwnDevice;
pub use pending::Pending;
pub use phases::Phases;
pub use resident::{Chain, DeviceBuffer, DeviceStrings};
pub use task::{Load, Task};
pub use tuning::{Transfer, TransferMode, Tuning};
/// The version of wgpu that a program's own device must be of.
pub use wgpu;
