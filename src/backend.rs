//! The backends, their names, and which of them a program asked for.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::error::Error;

/// The environment variable that says where a router's tasks run: `auto`, a backend's name, or a comma list of
/// `<operator>=<name>`, such as `vulkan,merkle_root=cpu`. What the program says goes first.
pub const ROUTE_ENV: &str = "GPU_EXECUTOR_ROUTE";

/// Where work can run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
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

/// The environment variable that selects backends when the API does not: a comma list of names.
pub const BACKENDS_ENV: &str = "GPU_EXECUTOR_BACKENDS";

impl Backend {
    /// Every backend, in the order in which reports list them.
    pub const ALL: [Self; 5] = [Self::Cpu, Self::Vulkan, Self::Gles, Self::Dx12, Self::Metal];

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

    /// Whether this build has code for the backend: its cargo feature is on and the platform has it.
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
        Self::ALL.into_iter().filter(|b| b.is_built()).collect()
    }

    /// Reads a comma list of names, as wgpu's `WGPU_BACKEND` spells them (`vulkan` or `vk`, `gles`, `gl` or `opengl`,
    /// `dx12` or `d3d12`, `metal` or `mtl`), and `cpu`. Case and blanks do not count; duplicates are dropped.
    ///
    /// # Errors
    /// [`Error::UnknownBackend`] for a name that is none of these, or if the list is empty;
    /// [`Error::BackendNotBuilt`] for a backend this build has no code for.
    pub fn parse_list(list: &str) -> Result<Vec<Self>, Error> {
        let mut backends = Vec::new();
        for name in list.split(',') {
            let backend: Self = name.parse()?;
            if !backend.is_built() {
                return Err(Error::BackendNotBuilt { backend });
            }
            if !backends.contains(&backend) {
                backends.push(backend);
            }
        }
        Ok(backends)
    }

    /// The backends a program should use: those of [`BACKENDS_ENV`] if it is set, else all that this build has.
    ///
    /// # Errors
    /// As [`Backend::parse_list`].
    pub fn selected() -> Result<Vec<Self>, Error> {
        match std::env::var(BACKENDS_ENV) {
            Ok(list) => Self::parse_list(&list),
            Err(std::env::VarError::NotPresent) => Ok(Self::built()),
            Err(std::env::VarError::NotUnicode(raw)) => Err(Error::UnknownBackend {
                name: raw.to_string_lossy().into_owned(),
            }),
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

impl FromStr for Backend {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        match name.trim().to_ascii_lowercase().as_str() {
            "cpu" => Ok(Self::Cpu),
            "vulkan" | "vk" => Ok(Self::Vulkan),
            "gles" | "gl" | "opengl" => Ok(Self::Gles),
            "dx12" | "d3d12" => Ok(Self::Dx12),
            "metal" | "mtl" => Ok(Self::Metal),
            _ => Err(Error::UnknownBackend {
                name: name.trim().to_owned(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_parses_back_to_its_backend() {
        for backend in Backend::ALL {
            assert_eq!(backend.name().parse::<Backend>().unwrap(), backend);
        }
    }

    #[test]
    fn a_list_is_read_as_wgpu_spells_it() {
        let check = |list: &str, expected: &[Backend]| {
            assert_eq!(Backend::parse_list(list).unwrap(), expected, "{list}");
        };
        check("cpu", &[Backend::Cpu]);
        check(" CPU , cpu ", &[Backend::Cpu]);
        #[cfg(all(target_os = "linux", feature = "vulkan", feature = "gles"))]
        {
            check("vk,gl", &[Backend::Vulkan, Backend::Gles]);
            check(
                "OpenGL,Vulkan,gles,cpu",
                &[Backend::Gles, Backend::Vulkan, Backend::Cpu],
            );
        }
    }

    #[test]
    fn a_wrong_name_is_an_error_that_lists_the_right_ones() {
        for list in ["vulcan", "", "cpu,", "cpu;gles", "webgpu"] {
            let message = Backend::parse_list(list).unwrap_err().to_string();
            for backend in Backend::ALL {
                assert!(message.contains(backend.name()), "{list}: {message}");
            }
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_backend_of_another_platform_is_said_to_be_so() {
        let message = Backend::parse_list("cpu,dx12").unwrap_err().to_string();
        assert!(message.contains("dx12") && message.contains("Windows"), "{message}");
    }
}
