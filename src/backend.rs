//! The backends and their names.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Where work can run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Backend {
    /// The host's processor, without any driver.
    Cpu,
    /// Vulkan; Mesa's lavapipe is a Vulkan adapter on the CPU.
    Vulkan,
    /// OpenGL ES or OpenGL with compute shaders; Mesa's llvmpipe is such an adapter on the CPU.
    Gles,
    /// Direct3D 12, on Windows; WARP is an adapter on the CPU.
    Dx12,
    /// Metal, on macOS and iOS.
    Metal,
}

impl Backend {
    /// Every backend, in the order in which reports list them.
    pub const ALL: &'static [Self] = &[Self::Cpu, Self::Vulkan, Self::Gles, Self::Dx12, Self::Metal];

    /// The name used in bench ids, reports and baselines.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Vulkan => "vulkan",
            Self::Gles => "gles",
            Self::Dx12 => "dx12",
            Self::Metal => "metal",
        }
    }

    /// Whether this build has code for the backend: its cargo feature is on and the platform has
    /// it.
    #[must_use]
    pub fn is_built(self) -> bool {
        match self {
            Self::Cpu => true,
            gpu => wgpu::Instance::enabled_backend_features().contains(gpu.to_wgpu()),
        }
    }

    /// The backends this build has code for, [`Backend::Cpu`] first.
    #[must_use]
    pub fn built() -> Vec<Self> {
        Self::ALL.iter().copied().filter(|b| b.is_built()).collect()
    }

    /// The backend of a device of wgpu's. Its device without a driver stands for Vulkan, as
    /// [`Adapter::noop`] does.
    ///
    /// [`Adapter::noop`]: crate::Adapter::noop
    pub(crate) fn of_wgpu(backend: wgpu::Backend) -> Option<Self> {
        match backend {
            wgpu::Backend::Vulkan | wgpu::Backend::Noop => Some(Self::Vulkan),
            wgpu::Backend::Gl => Some(Self::Gles),
            wgpu::Backend::Dx12 => Some(Self::Dx12),
            wgpu::Backend::Metal => Some(Self::Metal),
            wgpu::Backend::BrowserWebGpu => None,
        }
    }

    pub(crate) fn to_wgpu(self) -> wgpu::Backends {
        match self {
            Self::Cpu => wgpu::Backends::empty(),
            Self::Vulkan => wgpu::Backends::VULKAN,
            Self::Gles => wgpu::Backends::GL,
            Self::Dx12 => wgpu::Backends::DX12,
            Self::Metal => wgpu::Backends::METAL,
        }
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
