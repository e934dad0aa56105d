//! How many bindings may be alive on a device: DX12 sets their places aside when the device is
//! made.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use crate::backend::Backend;

/// What this library sets aside on DX12. wgpu's default is a million, in memory that an integrated
/// GPU shares with the host: 80 MB more for each device under Wine. wgpu gives up the whole device
/// when they run out; so half of them are used, and bind groups that were dropped have time to go.
/// The buffers of as many tasks in flight take gigabytes.
const SET_ASIDE: u32 = 1 << 17;

/// Counts the bindings of all bind groups that are alive.
#[derive(Clone, Debug)]
pub(super) struct Bindings {
    alive: Arc<AtomicU64>,
    pub(super) most: u64,
}

impl Bindings {
    pub(super) fn new(backend: Backend) -> Self {
        Self {
            alive: Arc::default(),
            most: match backend {
                Backend::Dx12 => u64::from(SET_ASIDE / 2),
                _ => u64::MAX,
            },
        }
    }

    /// The number for a device that the program made, which shares it with the program.
    pub(super) fn of(backend: Backend, set_aside: u32) -> Self {
        let all = Self::new(backend);
        Self {
            most: all.most.min(match backend {
                Backend::Dx12 => u64::from(set_aside / 2),
                _ => u64::MAX,
            }),
            ..all
        }
    }

    /// What the device is asked for.
    pub(super) fn set_aside(&self, limits: wgpu::Limits) -> wgpu::Limits {
        if self.most == u64::MAX {
            return limits;
        }
        wgpu::Limits {
            max_non_sampler_bindings: limits.max_non_sampler_bindings.min(SET_ASIDE),
            ..limits
        }
    }

    /// Counts `more` bindings, unless these are too many.
    pub(super) fn take(&self, count: u64) -> Option<Taken> {
        let more = |alive: u64| alive.checked_add(count).filter(|&sum| sum <= self.most);
        self.alive
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more)
            .ok()?;
        Some(Taken {
            alive: Arc::clone(&self.alive),
            count,
        })
    }
}

/// Bindings that are counted until this is dropped.
#[derive(Debug)]
pub(super) struct Taken {
    alive: Arc<AtomicU64>,
    count: u64,
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.alive.fetch_sub(self.count, Ordering::Relaxed);
    }
}
