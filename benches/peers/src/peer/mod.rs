//! Who does the work: one file per peer.

mod cpu;
#[cfg(feature = "cubecl")]
mod cubecl;
mod executor;
mod naive;

use std::{rc::Rc, time::Duration};

use gpu_executor::Backend;

use crate::work::{Output, Work};

/// Does the work once, and returns the wall time until the result is in host memory. Results of
/// former calls are dropped before the clock starts, this one's after it stopped. If the second
/// argument is true, the result is kept as a whole.
pub(crate) type Call = Box<dyn FnMut(&mut Output, bool) -> Result<Duration, String>>;

/// A peer's way to do a work.
pub(crate) enum Method {
    Ready(Call),
    /// There is no such way, and why.
    Absent(String),
}

/// One way to use a machine.
pub(crate) trait Peer {
    /// Prepares what lasts over calls.
    fn open(&self, method: &str, work: &Rc<Work>) -> Result<Method, String>;

    /// Whether its faults are another project's.
    fn is_foreign(&self) -> bool {
        false
    }
}

/// The peer of a name on the adapter the library picks, and that adapter's name.
pub(crate) fn new(name: &str, backend: Backend) -> Result<(Box<dyn Peer>, String), String> {
    Ok(match name {
        "executor" => {
            let (peer, adapter) = executor::Executor::new(backend)?;
            (Box::new(peer), adapter)
        }
        "naive" => {
            let (peer, adapter) = naive::Naive::new(backend)?;
            (Box::new(peer), adapter)
        }
        #[cfg(feature = "cubecl")]
        "cubecl" => {
            let (peer, adapter) = cubecl::CubeCl::new(backend)?;
            (Box::new(peer), adapter)
        }
        "cpu" => (Box::new(cpu::Cpu::new()?), "host CPU".to_owned()),
        _ => {
            return Err(format!(
                "no peer is named `{name}`; there are executor, naive, cubecl, cpu"
            ));
        }
    })
}

/// There is no such method.
fn unknown(method: &str) -> Result<Method, String> {
    Ok(Method::Absent(format!("it has no method `{method}`")))
}

/// wgpu's adapter for what the library picks on a backend; where the library brings a context of
/// its own, wgpu's to the same driver, if it was the user who asked for that and not the driver.
fn wgpu_adapter(backend: Backend) -> Result<wgpu::Adapter, String> {
    let picked = gpu_executor::AdapterChoice::from_env().and_then(|choice| choice.pick(backend));
    let picked = picked.map_err(|error| error.to_string())?;
    let wanted = picked.info();
    if let Some(reason) = &wanted.unusable {
        return Err(reason.clone());
    }
    let backends = wgpu::Backends::from_comma_list(backend.name());
    let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
    descriptor.backends = backends;
    let instance = wgpu::Instance::new(descriptor);
    let is_forced = std::env::var_os(gpu_executor::OWN_EGL_ENV).is_some_and(|value| !value.is_empty() && value != "0");
    let is_same =
        |info: wgpu::AdapterInfo| info.name == wanted.name && (is_forced || info.driver_info == wanted.driver_version);
    pollster::block_on(instance.enumerate_adapters(backends))
        .into_iter()
        .find(|adapter| is_same(adapter.get_info()))
        .ok_or_else(|| {
            format!(
                "wgpu itself gets no such adapter as {} ({} {})",
                wanted.name, wanted.driver, wanted.driver_version
            )
        })
}
