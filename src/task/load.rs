//! How much work a task is.

use std::iter::Sum;

/// How much work a task is, or a batch, in numbers that mean the same on every device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// Pieces that do not wait for each other: elements, messages, leaves.
    pub items: u64,
    /// Steps of all items together: one for each item where an operator has no longer ones, else
    /// multiplications of a chain, or blocks of a message.
    pub steps: u64,
    /// Steps of the longest item, which no number of threads makes shorter.
    pub longest: u64,
    /// Tasks.
    pub tasks: u64,
}

impl Load {
    /// Strings that are looked at to tell how much work there is, at the most, but for one of each
    /// task: while a call is weighed, the processor's other threads go to sleep, and each look may
    /// be one at memory that is in no cache.
    pub(crate) const MAX_SAMPLES: usize = 128;

    /// Steps that a task of a batch counts for: its inputs and output are taken and given whatever
    /// their length.
    pub(crate) const TASK: u64 = 64;

    /// All of it in one number: rough, and quick to tell.
    #[inline]
    pub(crate) fn work(&self) -> u64 {
        let tasks = self.tasks.saturating_sub(1).saturating_mul(Self::TASK);
        self.steps.max(self.items).saturating_add(tasks)
    }

    /// One task of `items` items of one step each.
    #[must_use]
    pub fn flat(items: usize) -> Self {
        Self::deep(items, 1)
    }

    /// One task of `items` items of `depth` steps each.
    #[must_use]
    pub fn deep(items: usize, depth: usize) -> Self {
        let (items, depth) = (items as u64, depth as u64);
        Self {
            items,
            steps: items.saturating_mul(depth),
            longest: depth,
            tasks: 1,
        }
    }
}

/// The load of a batch.
impl Sum for Load {
    fn sum<I: Iterator<Item = Self>>(loads: I) -> Self {
        loads.fold(Self::default(), |sum, load| Self {
            items: sum.items.saturating_add(load.items),
            steps: sum.steps.saturating_add(load.steps),
            longest: sum.longest.max(load.longest),
            tasks: sum.tasks + load.tasks,
        })
    }
}
