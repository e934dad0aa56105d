//! How often an executor called into wgpu.

use std::{
    ops::Sub,
    sync::atomic::{AtomicU64, Ordering},
};

use serde::{Deserialize, Serialize};

/// Calls into wgpu since the executor was made. Subtract two readings to count what lies between.
///
/// Unlike times they carry no noise: in steady state each call of the same shape counts the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// Queue submissions.
    pub submits: u64,
    /// Compute passes.
    pub passes: u64,
    /// Dispatches.
    pub dispatches: u64,
    /// Buffers created.
    pub buffers_created: u64,
    /// Bind groups created.
    pub bind_groups_created: u64,
    /// Bytes of input the host wrote for the device.
    pub bytes_up: u64,
    /// Bytes of results the host read back.
    pub bytes_down: u64,
    /// Buffer mappings asked for.
    pub maps: u64,
}

impl Counters {
    /// What each of `calls` equal calls counted; `None` if the calls cannot have been equal.
    #[must_use]
    pub fn per_call(self, calls: u64) -> Option<Self> {
        let mut values = self.to_array();
        for value in &mut values {
            if calls == 0 || *value % calls != 0 {
                return None;
            }
            *value /= calls;
        }
        Some(Self::from_array(values))
    }

    fn to_array(self) -> [u64; 8] {
        [
            self.submits,
            self.passes,
            self.dispatches,
            self.buffers_created,
            self.bind_groups_created,
            self.bytes_up,
            self.bytes_down,
            self.maps,
        ]
    }

    fn from_array(values: [u64; 8]) -> Self {
        let [
            submits,
            passes,
            dispatches,
            buffers_created,
            bind_groups_created,
            bytes_up,
            bytes_down,
            maps,
        ] = values;
        Self {
            submits,
            passes,
            dispatches,
            buffers_created,
            bind_groups_created,
            bytes_up,
            bytes_down,
            maps,
        }
    }
}

impl Sub for Counters {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        let mut values = self.to_array();
        for (value, earlier) in values.iter_mut().zip(earlier.to_array()) {
            *value -= earlier;
        }
        Self::from_array(values)
    }
}

/// The counters while they are counted, from any thread.
#[derive(Debug, Default)]
pub(crate) struct AtomicCounters {
    pub(crate) submits: AtomicU64,
    pub(crate) passes: AtomicU64,
    pub(crate) dispatches: AtomicU64,
    pub(crate) buffers_created: AtomicU64,
    pub(crate) bind_groups_created: AtomicU64,
    pub(crate) bytes_up: AtomicU64,
    pub(crate) bytes_down: AtomicU64,
    pub(crate) maps: AtomicU64,
}

impl AtomicCounters {
    pub(crate) fn read(&self) -> Counters {
        // Relaxed: each counter is exact on its own, and a caller that wants them consistent waits for its calls first.
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counters {
            submits: get(&self.submits),
            passes: get(&self.passes),
            dispatches: get(&self.dispatches),
            buffers_created: get(&self.buffers_created),
            bind_groups_created: get(&self.bind_groups_created),
            bytes_up: get(&self.bytes_up),
            bytes_down: get(&self.bytes_down),
            maps: get(&self.maps),
        }
    }
}

/// Adds to one counter.
pub(crate) fn add(counter: &AtomicU64, n: u64) {
    counter.fetch_add(n, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_calls_share_equally_and_others_not_at_all() {
        let one = Counters {
            submits: 1,
            bytes_up: 8000,
            maps: 2,
            ..Counters::default()
        };
        let three = Counters {
            submits: 3,
            bytes_up: 24_000,
            maps: 6,
            ..Counters::default()
        };
        assert_eq!(three.per_call(3), Some(one));
        assert_eq!(
            Counters {
                buffers_created: 1,
                ..three
            }
            .per_call(3),
            None
        );
        assert_eq!(three.per_call(0), None);
        assert_eq!((three - one).per_call(2), Some(one));
    }
}
