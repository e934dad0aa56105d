//! The environment variables that are read where a program asks for it.

/// The environment variable that selects backends when the API does not: a comma list of names.
pub const BACKENDS_ENV: &str = "GPU_EXECUTOR_BACKENDS";

/// The environment variable that says where a router's tasks run: `auto`, a backend's name, or a
/// comma list of `<operator>=<name>`, such as `vulkan,merkle_root=cpu`. What the program says goes
/// first.
pub const ROUTE_ENV: &str = "GPU_EXECUTOR_ROUTE";

/// The environment variable that picks one of several adapters: part of its name, in any case. wgpu
/// reads it too.
pub const ADAPTER_NAME_ENV: &str = "WGPU_ADAPTER_NAME";

/// The environment variable that picks one of several adapters, equal ones too: its place on the
/// PCI bus, as [`PciId`](crate::PciId) reads it.
pub const PCI_ENV: &str = "GPU_EXECUTOR_PCI";

/// The environment variable that has GLES adapters reached through contexts of this crate's own
/// also where wgpu's would do; unset, empty and `0` leave the choice to
/// [`Adapter::list`](crate::Adapter::list). Linux only.
pub const OWN_EGL_ENV: &str = "GPU_EXECUTOR_OWN_EGL";

/// The environment variable that sets parts of the tuning, whatever was calibrated or stored: a
/// comma list of `upload=direct|staged`, `readback=direct|staged`, `chunk=<bytes>`,
/// `spin=<microseconds>`, `threads-from=<bytes>`.
pub const TUNING_ENV: &str = "GPU_EXECUTOR_TUNING";

/// The environment variable that names the folder for calibrations and compiled pipelines. Empty:
/// nothing is kept.
pub const CACHE_DIR_ENV: &str = "GPU_EXECUTOR_CACHE_DIR";

/// What the environment tells wgpu of how to use an adapter, which changes times: validation,
/// compilers, fences. Which adapter it is, is known otherwise.
pub(crate) fn flags() -> String {
    let name = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        let name = name.into_string().ok()?;
        let tells = name.starts_with("WGPU_") && name != "WGPU_BACKEND" && name != ADAPTER_NAME_ENV;
        tells.then(|| format!("{name}={}", value.to_string_lossy()))
    };
    let mut flags: Vec<String> = std::env::vars_os().filter_map(name).collect();
    flags.sort_unstable();
    flags.join(" ")
}
