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
//! - [`Counters`] tell how often wgpu was called, [`workload`] generates work for tests and benches.

mod adapter;
mod backend;
mod counters;
mod error;
mod executor;
mod gpu;
pub mod op;
pub mod workload;

pub use adapter::{ADAPTER_NAME_ENV, Adapter, AdapterInfo, AdapterKind, AdapterLimits};
pub use backend::{BACKENDS_ENV, Backend};
pub use counters::Counters;
pub use error::Error;
pub use executor::{Executor, Options};
pub use op::{Task, VectorAdd};
