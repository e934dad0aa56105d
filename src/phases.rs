//! Where the time of a call goes.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What the parts of one call took.
///
/// A task in several chunks has the sums over its chunks. `upload`, `queue` and `readback` are
/// times of the calling thread and never more than the call took; while it copies one chunk, the
/// device may compute another, so that `device` can be more than `queue`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Phases {
    /// The host writes the inputs into mapped memory.
    pub upload: Duration,
    /// From there to the result being mapped: commands are recorded, submitted, executed and waited
    /// for.
    pub queue: Duration,
    /// The kernels, by the device's own clock; for a single chunk a part of `queue`. Absent where
    /// the adapter has no timestamps.
    pub device: Option<Duration>,
    /// The host reads the result out of mapped memory, and before that makes a long one's memory
    /// ready.
    pub readback: Duration,
}
