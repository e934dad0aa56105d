//! Settings of an executor.

use std::{path::PathBuf, time::Duration};

use crate::{
    error::Error,
    store,
    tuning::{Overrides, Tuning},
};

/// Settings of an executor. The default measures nothing when the executor is made, writes no file
/// and reads no environment variable.
///
/// ```
/// use std::time::Duration;
/// use gpu_executor::{Adapter, Executor, Options};
///
/// let options = Options::default().timeout(Duration::from_secs(5)).chunk_bytes(1 << 20);
/// let executor = Executor::on(&Adapter::cpu(), options)?;
/// assert_eq!(executor.tuning(), None, "the CPU has no transfers");
/// # Ok::<(), gpu_executor::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Options {
    /// How long to wait for a dispatch before giving up with [`Error::Timeout`]. 60 s by default.
    pub timeout: Duration,
    /// Largest input or output of one dispatch, in bytes; longer tasks run as several. The
    /// adapter's limits, and [`Tuning::chunk_bytes`], hold in any case. 64 MiB by default.
    pub chunk_bytes: u64,
    /// How tasks reach the adapter. `None`: as stored in [`cache_dir`](Self::cache_dir) for this
    /// adapter, else as measured at the first call that moves data, or by
    /// [`Executor::tune`](crate::Executor::tune).
    pub tuning: Option<Tuning>,
    /// How long that measurement may take, once its kernel is compiled. 500 ms by default; zero
    /// measures nothing, and tasks go the simplest way.
    pub tuning_budget: Duration,
    /// Where measured tunings are stored. `None`, or an empty path: nowhere.
    pub cache_dir: Option<PathBuf>,
    /// Whether kernels may use 64-bit integers where the adapter has them. `false` runs the kernels
    /// written for those that have none.
    pub int64: bool,
    /// Bytes that idle buffers may hold before those unused for longest go. 1 GiB by default.
    pub idle_bytes: u64,
    /// Settings of the tuning that go before stored or measured ones, in the form of
    /// [`TUNING_ENV`](crate::TUNING_ENV).
    pub(crate) overrides: Option<String>,
    /// Whether compiled pipelines are stored too.
    pub(crate) keeps_pipelines: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(60),
            chunk_bytes: 64 << 20,
            tuning: None,
            tuning_budget: Duration::from_millis(500),
            cache_dir: None,
            int64: true,
            idle_bytes: 1 << 30,
            overrides: None,
            keeps_pipelines: false,
        }
    }
}

impl Options {
    /// The default settings, and what the environment says: [`TUNING_ENV`](crate::TUNING_ENV) sets
    /// the tuning, whole or in part, and tunings are stored in the folder that
    /// [`CACHE_DIR_ENV`](crate::CACHE_DIR_ENV) names, else in `gpu-executor` in the user's cache
    /// folder.
    ///
    /// ```
    /// use gpu_executor::{Adapter, Executor, Options};
    ///
    /// let executor = Executor::on(&Adapter::cpu(), Options::from_env()?)?;
    /// # Ok::<(), gpu_executor::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::BadTuning`].
    pub fn from_env() -> Result<Self, Error> {
        Ok(Self {
            cache_dir: store::folder_from_env(),
            overrides: Overrides::text_from_env()?,
            ..Self::default()
        })
    }

    /// Sets [`timeout`](field@Self::timeout).
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets [`chunk_bytes`](field@Self::chunk_bytes).
    #[must_use]
    pub fn chunk_bytes(mut self, bytes: u64) -> Self {
        self.chunk_bytes = bytes;
        self
    }

    /// Sets [`tuning`](field@Self::tuning): nothing is measured then, so that counters do not
    /// depend on a measurement.
    #[must_use]
    pub fn tuning(mut self, tuning: Tuning) -> Self {
        self.tuning = Some(tuning);
        self
    }

    /// Sets [`tuning_budget`](field@Self::tuning_budget).
    #[must_use]
    pub fn tuning_budget(mut self, budget: Duration) -> Self {
        self.tuning_budget = budget;
        self
    }

    /// Sets [`cache_dir`](field@Self::cache_dir).
    #[must_use]
    pub fn cache_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.cache_dir = Some(folder.into());
        self
    }

    /// Stores compiled pipelines in [`cache_dir`](field@Self::cache_dir) as well, where the driver
    /// allows it (Vulkan).
    ///
    /// # Safety
    /// Drivers take such a file for their own work and may run what it contains. Only this library
    /// may write the folder. A checksum in front of the data finds files that were cut short or
    /// damaged, not those that were forged.
    #[expect(unsafe_code, reason = "what the folder contains is code")]
    #[must_use]
    pub unsafe fn keep_pipelines(mut self) -> Self {
        self.keeps_pipelines = true;
        self
    }

    /// Sets [`int64`](field@Self::int64).
    #[must_use]
    pub fn int64(mut self, may: bool) -> Self {
        self.int64 = may;
        self
    }

    /// Sets [`idle_bytes`](field@Self::idle_bytes).
    #[must_use]
    pub fn idle_bytes(mut self, bytes: u64) -> Self {
        self.idle_bytes = bytes;
        self
    }
}
