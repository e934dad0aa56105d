//! Settings of an executor.

use std::{path::PathBuf, time::Duration};

use crate::tuning::Tuning;

/// Settings of an executor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// How long to wait for a dispatch before giving up with [`Error::Timeout`](crate::Error::Timeout).
    pub timeout: Duration,
    /// Largest input or output of one dispatch; longer tasks run as several. The adapter's limits, and
    /// [`Tuning::chunk_bytes`], hold in any case.
    pub chunk_bytes: u64,
    /// How tasks reach the adapter. `None`: as [`TUNING_ENV`](crate::TUNING_ENV) says, else as stored for this adapter,
    /// else as a calibration of less than a second finds best.
    pub tuning: Option<Tuning>,
    /// Where calibrations and compiled pipelines are stored. `None`: the folder that
    /// [`CACHE_DIR_ENV`](crate::CACHE_DIR_ENV) names, else `gpu-executor` in the user's cache folder.
    pub cache_dir: Option<PathBuf>,
    /// Whether kernels may use 64-bit integers where the adapter has them. `false` runs the kernels written for those that
    /// have none.
    pub int64: bool,
    /// Bytes that idle buffers may hold before those unused for longest go.
    pub idle_bytes: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(60),
            chunk_bytes: 64 << 20,
            tuning: None,
            cache_dir: None,
            int64: true,
            idle_bytes: 1 << 30,
        }
    }
}
