//! How often an executor called into wgpu.

use std::{
    ops::Sub,
    sync::atomic::{AtomicU64, Ordering},
};

use serde::{Deserialize, Serialize};

/// Declares the counters once, for readings and for counting.
macro_rules! counters {
    ($($(#[$doc:meta])* $field:ident),* $(,)?) => {
        /// Calls into wgpu since the executor was made. Subtract two readings to count what lies
        /// between.
        ///
        /// Unlike times they carry no noise: in steady state each call of the same shape counts the
        /// same, in all but [`polls`](Self::polls).
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[non_exhaustive]
        pub struct Counters {
            $($(#[$doc])* pub $field: u64,)*
        }

        impl Counters {
            fn to_array(self) -> [u64; [$(stringify!($field)),*].len()] {
                [$(self.$field),*]
            }

            fn from_array([$($field),*]: [u64; [$(stringify!($field)),*].len()]) -> Self {
                Self { $($field),* }
            }
        }

        /// The counters while they are counted, from any thread.
        #[derive(Debug, Default)]
        pub(crate) struct AtomicCounters {
            $(pub(crate) $field: AtomicU64,)*
        }

        impl AtomicCounters {
            pub(crate) fn read(&self) -> Counters {
                // Relaxed: each counter is exact on its own, and a caller that wants them
                // consistent waits for its calls first.
                Counters { $($field: self.$field.load(Ordering::Relaxed)),* }
            }

            pub(crate) fn count(&self, counted: Counters) {
                $(if counted.$field > 0 {
                    add(&self.$field, counted.$field);
                })*
            }
        }
    };
}

counters! {
    /// Queue submissions.
    submits,
    /// Compute passes.
    passes,
    /// Dispatches.
    dispatches,
    /// Copies from buffer to buffer on the device.
    copies,
    /// Buffers created.
    buffers_created,
    /// Bind groups created.
    bind_groups_created,
    /// Compute pipelines created.
    pipelines_created,
    /// Bytes of input the host wrote for the device.
    bytes_up,
    /// Bytes of results the host read back.
    bytes_down,
    /// Buffer mappings asked for.
    maps,
    /// Chunks for which idle buffers were found.
    pool_hits,
    /// Looks at the device to see whether it is done. How many it takes depends on time.
    polls,
}

impl Counters {
    /// These without [`polls`](Self::polls): what does not depend on time.
    #[must_use]
    pub fn exact(self) -> Self {
        Self { polls: 0, ..self }
    }

    /// What each of `calls` equal calls counted, without [`polls`](Self::polls); `None` if the
    /// calls cannot have been equal.
    #[must_use]
    pub fn per_call(self, calls: u64) -> Option<Self> {
        let mut values = self.exact().to_array();
        for value in &mut values {
            if calls == 0 || *value % calls != 0 {
                return None;
            }
            *value /= calls;
        }
        Some(Self::from_array(values))
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
        assert_eq!(
            Counters { polls: 7, ..three }.per_call(3),
            Some(one),
            "polls depend on time"
        );
    }
}
