//! Which backends were asked for, by name.

use std::str::FromStr;

use crate::{backend::Backend, env::BACKENDS_ENV, error::Error};

impl Backend {
    /// Reads a comma list of names, as wgpu's `WGPU_BACKEND` spells them (`vulkan` or `vk`, `gles`,
    /// `gl` or `opengl`, `dx12` or `d3d12`, `metal` or `mtl`), and `cpu`. Case and blanks do not
    /// count; duplicates are dropped.
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

    /// The backends a program should use: those of [`BACKENDS_ENV`] if it is set, else all that
    /// this build has.
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
        for &backend in Backend::ALL {
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
            for &backend in Backend::ALL {
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
