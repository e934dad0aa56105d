//! Which adapters to look for, and how.

use super::{Adapter, AdapterInfo, AdapterKind, PciId, setup_guard};
use crate::{
    backend::Backend,
    context_lock::ContextLock,
    env::{self, ADAPTER_NAME_ENV, OWN_EGL_ENV, PCI_ENV},
    error::Error,
};

/// Which adapters to look for, and how. The default takes any, and reads no environment variable.
///
/// ```
/// use gpu_executor::{AdapterChoice, Backend, Executor, Options};
///
/// // The second of two equal GPUs, say.
/// let second = AdapterChoice::default().pci("0000:65:00.0".parse()?);
/// let executor = Executor::on(&second.pick(Backend::Cpu)?, Options::default())?;
/// # Ok::<(), gpu_executor::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AdapterChoice {
    name: Option<String>,
    pci: Option<PciId>,
    own_gles: bool,
    reads_env: bool,
}

impl AdapterChoice {
    /// What the environment says: [`ADAPTER_NAME_ENV`], [`PCI_ENV`], [`OWN_EGL_ENV`], and what wgpu
    /// reads (`WGPU_*`).
    ///
    /// # Errors
    /// [`Error::BadPciId`].
    pub fn from_env() -> Result<Self, Error> {
        let text = |name| {
            let value = std::env::var_os(name)?;
            (!value.is_empty()).then(|| value.to_string_lossy().into_owned())
        };
        Ok(Self {
            name: text(ADAPTER_NAME_ENV),
            pci: text(PCI_ENV).map(|id| id.parse()).transpose()?,
            own_gles: text(OWN_EGL_ENV).is_some_and(|value| value != "0"),
            reads_env: true,
        })
    }

    /// Only adapters whose name contains this, in any case.
    #[must_use]
    pub fn name(mut self, part: impl Into<String>) -> Self {
        self.name = Some(part.into());
        self
    }

    /// Only the adapter in this place on the PCI bus. Backends that do not say where an adapter is
    /// have none such.
    #[must_use]
    pub fn pci(mut self, id: PciId) -> Self {
        self.pci = Some(id);
        self
    }

    /// GLES through contexts of this crate's own also where wgpu's would do, as
    /// [`Adapter::list_own_gles`] lists them.
    #[must_use]
    pub fn own_gles(mut self, own: bool) -> Self {
        self.own_gles = own;
        self
    }

    /// Whether an adapter's name or place was asked for.
    #[must_use]
    pub fn is_narrow(&self) -> bool {
        self.name.is_some() || self.pci.is_some()
    }

    /// Every adapter of the given backends, whatever name or place was asked for, as
    /// [`Adapter::list`] lists them.
    #[must_use]
    pub fn list(&self, backends: &[Backend]) -> Vec<Adapter> {
        let mut adapters = Vec::new();
        for &backend in backends {
            if backend == Backend::Cpu {
                adapters.push(Adapter::cpu());
            } else if backend.is_built() {
                let found = self.enumerate(backend).into_iter().map(|handle| {
                    let context_lock = (backend == Backend::Gles).then(ContextLock::default);
                    Adapter::gpu(backend, handle, context_lock)
                });
                let mut found: Vec<_> = found.collect();
                if backend == Backend::Gles {
                    found = self.or_own(found);
                }
                adapters.extend(found);
            }
        }
        if self.reads_env {
            let flags = env::flags();
            adapters.iter_mut().for_each(|adapter| adapter.flags.clone_from(&flags));
        }
        adapters
    }

    /// The adapter of `backend` to use: of those with the name and the place asked for the first
    /// GPU, else the first there is; usable ones go before unusable ones. Names and places are not
    /// asked of [`Backend::Cpu`].
    ///
    /// # Errors
    /// [`Error::BackendNotBuilt`], [`Error::NoAdapter`], [`Error::AdapterNotFound`].
    pub fn pick(&self, backend: Backend) -> Result<Adapter, Error> {
        if !backend.is_built() {
            return Err(Error::BackendNotBuilt { backend });
        }
        let mut all = self.list(&[backend]);
        if all.is_empty() {
            return Err(Error::NoAdapter { backend });
        }
        match self.best(all.iter().map(|adapter| &adapter.info)) {
            Some(index) => Ok(all.swap_remove(index)),
            None => Err(Error::AdapterNotFound {
                backend,
                wanted: self.wanted(),
                found: all.iter().map(|adapter| described(&adapter.info)).collect(),
            }),
        }
    }

    /// Which of some adapters to use.
    fn best<'a>(&self, adapters: impl Iterator<Item = &'a AdapterInfo>) -> Option<usize> {
        let fits = |info: &AdapterInfo| {
            let contains = |part: &String| info.name.to_lowercase().contains(&part.to_lowercase());
            let is_there = self.name.as_ref().is_none_or(contains) && self.pci.is_none_or(|pci| info.pci == Some(pci));
            info.backend == Backend::Cpu || is_there
        };
        let fitting = adapters.enumerate().filter(|(_, info)| fits(info));
        let best = fitting.min_by_key(|(_, info)| (info.unusable.is_some(), info.kind == AdapterKind::Software));
        best.map(|(index, _)| index)
    }

    /// What was asked for, for people.
    fn wanted(&self) -> String {
        let name = self.name.as_ref().map(|name| format!("`{name}` in its name"));
        let pci = self.pci.map(|pci| format!("the PCI id {pci}"));
        let wanted: Vec<String> = name.into_iter().chain(pci).collect();
        wanted.join(" and ")
    }

    /// The adapters through contexts of this crate's own, if they are asked for or none of wgpu's
    /// can be used.
    fn or_own(&self, mut found: Vec<Adapter>) -> Vec<Adapter> {
        if !self.own_gles && found.iter().any(|adapter| adapter.info.unusable.is_none()) {
            return found;
        }
        match Adapter::list_own_gles() {
            Ok(own) => own,
            Err(error) => {
                for adapter in &mut found {
                    let reason = adapter.info.unusable.take();
                    let reason = reason.unwrap_or_else(|| "a context of this library's own is asked for".to_owned());
                    adapter.info.unusable = Some(format!("{reason}; {error}"));
                }
                found
            }
        }
    }

    fn enumerate(&self, backend: Backend) -> Vec<wgpu::Adapter> {
        let _guard = setup_guard();
        let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
        descriptor.backends = backend.to_wgpu();
        descriptor.flags = wgpu::InstanceFlags::from_build_config();
        if self.reads_env {
            descriptor.flags = descriptor.flags.with_env();
            descriptor.backend_options = wgpu::BackendOptions::from_env_or_default();
        }
        let instance = wgpu::Instance::new(descriptor);
        pollster::block_on(instance.enumerate_adapters(backend.to_wgpu()))
    }
}

/// An adapter's name, and where it is if that is known.
fn described(info: &AdapterInfo) -> String {
    match info.pci {
        Some(pci) => format!("{} ({pci})", info.name),
        None => info.name.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_of_two_equal_gpus_is_chosen_by_its_place() {
        let gpu = |name: &str, pci: Option<&str>, kind| AdapterInfo {
            backend: Backend::Vulkan,
            name: name.to_owned(),
            pci: pci.map(|pci| pci.parse().unwrap()),
            kind,
            ..AdapterInfo::cpu()
        };
        let hardware = AdapterKind::Hardware;
        let all = [
            gpu("llvmpipe", None, AdapterKind::Software),
            gpu("H100", Some("0000:18:00.0"), hardware),
            gpu("H100", Some("0000:2a:00.0"), hardware),
        ];
        let any = AdapterChoice::default;
        let check = |choice: AdapterChoice, expected| assert_eq!(choice.best(all.iter()), expected, "{choice:?}");
        let at = |id: &str| any().pci(id.parse().unwrap());
        check(any(), Some(1));
        check(any().name("h100"), Some(1));
        check(at("18:00.0"), Some(1));
        check(at("2a:00.0"), Some(2));
        check(at("2a:00.0").name("H1"), Some(2));
        check(any().name("llvm"), Some(0));
        check(at("2a:00.1"), None);
        check(at("2a:00.0").name("llvm"), None);
        assert_eq!(at("2a:00.0").wanted(), "the PCI id 0000:2a:00.0");
        assert_eq!(described(&all[2]), "H100 (0000:2a:00.0)");
        // The processor is in no place.
        let cpu = AdapterInfo::cpu();
        assert_eq!(at("2a:00.0").best([&cpu].into_iter()), Some(0));
    }
}
