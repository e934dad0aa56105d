//! The adapters of this machine: what they are, what they can do, and why some cannot be used.

mod choice;
mod pci;

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

pub use choice::AdapterChoice;
pub use pci::PciId;
use serde::{Deserialize, Serialize};

use crate::{backend::Backend, context_lock::ContextLock, egl, error::Error};

/// Whether an adapter is a GPU or a driver that computes on the CPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AdapterKind {
    /// A GPU: discrete, integrated or virtual.
    Hardware,
    /// The CPU: lavapipe, llvmpipe, WARP, or no driver at all. Its times say nothing about a GPU.
    Software,
}

impl fmt::Display for AdapterKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Hardware => "hardware",
            Self::Software => "software",
        })
    }
}

/// The limits that decide how a task is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdapterLimits {
    /// Largest buffer.
    pub buffer_bytes: u64,
    /// Largest range of a buffer that a kernel can be given.
    pub storage_binding_bytes: u64,
    /// Alignment of where such a range starts.
    pub storage_offset_alignment_bytes: u32,
    /// Workgroups per dimension of a dispatch.
    pub workgroups_per_dimension: u32,
    /// Threads per workgroup.
    pub threads_per_workgroup: u32,
}

/// The properties of one adapter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdapterInfo {
    /// The backend through which it is driven.
    pub backend: Backend,
    /// The name its driver gives.
    pub name: String,
    /// Hardware or software.
    pub kind: AdapterKind,
    /// The driver's name; on GLES, where wgpu knows none, `OpenGL`, and whether its context is of
    /// this crate's own.
    pub driver: String,
    /// The driver's version, as the driver says it.
    pub driver_version: String,
    /// Where it is on the PCI bus, which tells equal GPUs apart; absent where the backend does not
    /// say, as OpenGL, and for software.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pci: Option<PciId>,
    /// Whether kernels can be timed on the device.
    pub timestamps: bool,
    /// Its limits; absent for [`Backend::Cpu`], which has none.
    pub limits: Option<AdapterLimits>,
    /// Why it cannot run this library's kernels; absent if it can.
    pub unusable: Option<String>,
}

impl AdapterInfo {
    fn cpu() -> Self {
        Self {
            backend: Backend::Cpu,
            name: format!("host CPU ({})", std::env::consts::ARCH),
            kind: AdapterKind::Software,
            driver: "none".to_owned(),
            driver_version: String::new(),
            pci: None,
            timestamps: false,
            limits: None,
            unusable: None,
        }
    }

    fn gpu(backend: Backend, adapter: &wgpu::Adapter, has_context: bool) -> Self {
        let limits = adapter.limits();
        let unusable = unusable(adapter, &limits);
        Self::new(
            backend,
            adapter.get_info(),
            adapter.features(),
            &limits,
            has_context,
            unusable,
        )
    }

    /// Of a device that a program has; `None` if its backend is none of this crate's.
    pub(crate) fn of_device(device: &wgpu::Device) -> Option<Self> {
        let info = device.adapter_info();
        let backend = Backend::of_wgpu(info.backend)?;
        Some(Self::new(
            backend,
            info,
            device.features(),
            &device.limits(),
            false,
            None,
        ))
    }

    fn new(
        backend: Backend,
        info: wgpu::AdapterInfo,
        features: wgpu::Features,
        limits: &wgpu::Limits,
        has_context: bool,
        unusable: Option<String>,
    ) -> Self {
        Self {
            backend,
            name: info.name,
            kind: match info.device_type {
                wgpu::DeviceType::Cpu => AdapterKind::Software,
                _ => AdapterKind::Hardware,
            },
            // wgpu knows no driver's name on GLES, only the version of OpenGL and of who made it.
            driver: match info.driver {
                none if none.is_empty() && has_context => "OpenGL (own context)".to_owned(),
                none if none.is_empty() => "OpenGL".to_owned(),
                name => name,
            },
            driver_version: info.driver_info,
            pci: info.device_pci_bus_id.parse().ok(),
            timestamps: features.contains(wgpu::Features::TIMESTAMP_QUERY),
            limits: Some(AdapterLimits {
                buffer_bytes: limits.max_buffer_size,
                storage_binding_bytes: limits.max_storage_buffer_binding_size,
                storage_offset_alignment_bytes: limits.min_storage_buffer_offset_alignment,
                workgroups_per_dimension: limits.max_compute_workgroups_per_dimension,
                threads_per_workgroup: limits.max_compute_invocations_per_workgroup,
            }),
            unusable,
        }
    }
}

/// What an adapter lacks to run this library's kernels.
fn unusable(adapter: &wgpu::Adapter, limits: &wgpu::Limits) -> Option<String> {
    let info = adapter.get_info();
    // wgpu takes GL_ARB_compute_shader for enough, but generates shaders in the context's own
    // language version, and NVIDIA gives it a context of OpenGL 3.3: no compute shader compiles
    // there.
    if info.backend == wgpu::Backend::Gl && gl_version(&info.driver_info).is_some_and(|version| !has_compute(version)) {
        return Some(format!(
            "no compute shaders: wgpu gets a context of OpenGL {}, OpenGL 4.3 or OpenGL ES 3.1 is needed",
            info.driver_info
        ));
    }
    let downlevel = adapter.get_downlevel_capabilities().flags;
    if !downlevel.contains(wgpu::DownlevelFlags::COMPUTE_SHADERS) {
        return Some(format!(
            "no compute shaders in the context wgpu gets ({})",
            info.driver_info
        ));
    }
    if !adapter.features().contains(wgpu::Features::IMMEDIATES) {
        return Some("no immediates (push constants)".to_owned());
    }
    if limits.max_compute_invocations_per_workgroup < crate::plan::MAX_WORKGROUP_SIZE {
        return Some(format!(
            "workgroups of at most {} threads, {} are needed",
            limits.max_compute_invocations_per_workgroup,
            crate::plan::MAX_WORKGROUP_SIZE
        ));
    }
    None
}

/// A version of OpenGL, or of OpenGL ES.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum GlVersion {
    Desktop(u32, u32),
    Es(u32, u32),
}

/// Whether the version's shading language has compute shaders.
fn has_compute(version: GlVersion) -> bool {
    match version {
        GlVersion::Desktop(major, minor) => (major, minor) >= (4, 3),
        GlVersion::Es(major, minor) => (major, minor) >= (3, 1),
    }
}

/// Reads what a driver says of itself: `4.5 (Core Profile) Mesa 22.3.6`, `3.3.0 NVIDIA 580.159.04`,
/// `OpenGL ES 3.2 Mesa 25.0.7`.
fn gl_version(driver_info: &str) -> Option<GlVersion> {
    let (is_es, rest) = match driver_info.strip_prefix("OpenGL ES ") {
        Some(rest) => (true, rest),
        None => (false, driver_info),
    };
    let mut numbers = rest.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    let (major, minor) = (numbers.next()?.ok()?, numbers.next()?.ok()?);
    Some(if is_es {
        GlVersion::Es(major, minor)
    } else {
        GlVersion::Desktop(major, minor)
    })
}

/// Held while a driver is set up or torn down: instances, devices. NVIDIA's Vulkan driver
/// (580.159.04) stands still for ever when one thread destroys a device while others create or
/// destroy theirs.
static SETUP: Mutex<()> = Mutex::new(());

/// Waits until no other thread sets a driver up or tears it down, and keeps them from it.
pub(crate) fn setup_guard() -> MutexGuard<'static, ()> {
    // There is nothing in it that a panic could have left half done.
    SETUP.lock().unwrap_or_else(PoisonError::into_inner)
}

/// wgpu's adapter, with which the last reference to its instance may go, and the lock of its
/// context.
#[derive(Clone, Debug)]
struct Handle {
    /// Present until it is dropped.
    adapter: Option<wgpu::Adapter>,
    /// Present on GLES.
    context_lock: Option<Arc<ContextLock>>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        let _guard = setup_guard();
        let context_lock = self
            .context_lock
            .take()
            .filter(|context_lock| context_lock.has_context());
        let _guard = context_lock.as_deref().map(ContextLock::lock);
        self.adapter = None;
    }
}

/// An adapter on which an [`Executor`](crate::Executor) can be made.
#[derive(Clone, Debug)]
pub struct Adapter {
    info: AdapterInfo,
    /// What the environment told wgpu when it was listed; empty where that was not asked for.
    flags: String,
    /// Absent for [`Backend::Cpu`].
    handle: Option<Handle>,
}

impl Adapter {
    /// The host's processor, driven directly.
    #[must_use]
    pub fn cpu() -> Self {
        Self {
            info: AdapterInfo::cpu(),
            flags: String::new(),
            handle: None,
        }
    }

    fn gpu(backend: Backend, adapter: wgpu::Adapter, context_lock: Option<ContextLock>) -> Self {
        Self {
            info: AdapterInfo::gpu(
                backend,
                &adapter,
                context_lock.as_ref().is_some_and(ContextLock::has_context),
            ),
            flags: String::new(),
            handle: Some(Handle {
                adapter: Some(adapter),
                context_lock: context_lock.map(Arc::new),
            }),
        }
    }

    /// Every adapter of the given backends, in their order, the unusable ones included; the
    /// environment is not read.
    ///
    /// A backend without a driver, or that this build has no code for, contributes none. Where wgpu
    /// finds no GLES adapter that can be used, as with NVIDIA's driver, those of
    /// [`Adapter::list_own_gles`] stand in for wgpu's; if there are none either, wgpu's are listed
    /// as unusable, with both reasons. [`AdapterChoice`] says more of what to look for.
    ///
    /// ```
    /// use gpu_executor::{Adapter, Backend};
    ///
    /// for adapter in Adapter::list(&[Backend::Cpu]) {
    ///     println!("{}", adapter.info().name);
    /// }
    /// ```
    #[must_use]
    pub fn list(backends: &[Backend]) -> Vec<Self> {
        AdapterChoice::default().list(backends)
    }

    /// GLES adapters through contexts of this crate's own: OpenGL ES 3.2 or 3.1, one on each of
    /// EGL's devices. Linux only.
    ///
    /// A context that the driver lost stays lost: the error of an executor on it is
    /// [`Error::DeviceLost`], and the next one needs an adapter listed anew.
    ///
    /// # Errors
    /// [`Error::NoOwnContext`], which says why.
    pub fn list_own_gles() -> Result<Vec<Self>, Error> {
        let _guard = setup_guard();
        let adapters = egl::adapters().map_err(|reason| Error::NoOwnContext { reason })?;
        let own = |(adapter, context)| Self::gpu(Backend::Gles, adapter, Some(ContextLock::with(context)));
        Ok(adapters.into_iter().map(own).collect())
    }

    /// wgpu's adapter without a driver: everything is done but the kernels, so that what a call
    /// costs in calls into wgpu can be counted on any machine. Its results are nothing. It stands
    /// for a Vulkan adapter, whose features it has.
    ///
    /// `None` unless wgpu is built with its feature `noop`, which this crate asks for in its own
    /// tests and benches alone.
    #[must_use]
    pub fn noop() -> Option<Self> {
        Self::noop_as(Backend::Vulkan)
    }

    /// The same, in the place of another backend's.
    pub(crate) fn noop_as(backend: Backend) -> Option<Self> {
        let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
        descriptor.backends = wgpu::Backends::NOOP;
        descriptor.backend_options.noop = wgpu::NoopBackendOptions::enabled();
        let instance = wgpu::Instance::new(descriptor);
        let mut handles = pollster::block_on(instance.enumerate_adapters(wgpu::Backends::NOOP));
        handles.pop().map(|handle| Self::gpu(backend, handle, None))
    }

    /// The adapter of `backend` to use: the first GPU, else the first there is; usable ones go
    /// before unusable ones. [`AdapterChoice::pick`] chooses by name or PCI id.
    ///
    /// # Errors
    /// [`Error::BackendNotBuilt`], [`Error::NoAdapter`].
    pub fn pick(backend: Backend) -> Result<Self, Error> {
        AdapterChoice::default().pick(backend)
    }

    /// Its properties.
    #[must_use]
    pub fn info(&self) -> &AdapterInfo {
        &self.info
    }

    pub(crate) fn flags(&self) -> &str {
        &self.flags
    }

    /// wgpu's adapter, and on GLES the lock of its context.
    pub(crate) fn handle(&self) -> Option<(&wgpu::Adapter, Option<&Arc<ContextLock>>)> {
        let handle = self.handle.as_ref()?;
        Some((handle.adapter.as_ref()?, handle.context_lock.as_ref()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_context_without_compute_shaders_is_told_by_its_version() {
        let check = |driver_info: &str, version, compute| {
            assert_eq!(gl_version(driver_info), Some(version), "{driver_info}");
            assert_eq!(has_compute(version), compute, "{driver_info}");
        };
        check("4.5 (Core Profile) Mesa 22.3.6", GlVersion::Desktop(4, 5), true);
        check("3.3.0 NVIDIA 580.159.04", GlVersion::Desktop(3, 3), false);
        check("4.2 (Core Profile) Mesa 9.0", GlVersion::Desktop(4, 2), false);
        check("4.3.0 - Build 31.0.101", GlVersion::Desktop(4, 3), true);
        check("OpenGL ES 3.2 Mesa 25.0.7", GlVersion::Es(3, 2), true);
        check("OpenGL ES 3.0 (ANGLE 2.1)", GlVersion::Es(3, 0), false);
        assert_eq!(gl_version(""), None);
        assert_eq!(gl_version("WebGL"), None);
    }
}
