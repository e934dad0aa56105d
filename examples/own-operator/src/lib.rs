//! Two operators that [`gpu_executor`] knows nothing of: [`Saxpy`] in about thirty lines, and the
//! hash [`Blake3`].
//!
//! ```
//! use gpu_executor::{Backend, Executor};
//! use own_operator::Saxpy;
//!
//! let executor = Executor::new(Backend::Cpu)?;
//! let sum = executor.run(&Saxpy { a: 2.0, x: &[1.0, 2.0], y: &[10.0, 20.0] })?;
//! assert_eq!(sum, [12.0, 24.0]);
//! # Ok::<(), gpu_executor::Error>(())
//! ```

mod blake3;
mod saxpy;

pub use self::blake3::{Blake3, Messages};
pub use saxpy::{Saxpy, Vectors};
