//! A device that a program has already.

use std::{fmt, sync::Arc};

use crate::plan::MAX_WORKGROUP_SIZE;

type OnLost = Box<dyn Fn(wgpu::DeviceLostReason, String) + Send + 'static>;

/// A device and its queue that a program has already, for
/// [`Executor::over`](crate::Executor::over).
///
/// wgpu calls one handler of each kind for a device, and the executor must receive errors and the
/// device's loss. So it sets both handlers; a program that wants its own called hands them over
/// here instead of to wgpu. They receive everything but the errors of the executor's own calls,
/// which are returned.
///
/// ```no_run
/// use gpu_executor::{Executor, Options, OwnDevice, VectorAdd, wgpu};
///
/// # fn program(adapter: &wgpu::Adapter) -> Result<(), Box<dyn std::error::Error>> {
/// let (device, queue) = pollster::block_on(adapter.request_device(&wgpu::DeviceDescriptor {
///     required_features: Executor::required_features(),
///     required_limits: Executor::required_limits().or_better_values_from(&adapter.limits()),
///     ..Default::default()
/// }))?;
/// let own = OwnDevice::new(device.clone(), queue.clone()).on_lost(|_, message| eprintln!("{message}"));
/// let executor = Executor::over(own, Options::default())?;
/// let sum = executor.run(&VectorAdd { a: &[1.0], b: &[2.0] })?;
/// # Ok(())
/// # }
/// ```
pub struct OwnDevice {
    pub(crate) device: wgpu::Device,
    pub(crate) queue: wgpu::Queue,
    pub(crate) handlers: Handlers,
}

/// The program's own handlers.
#[derive(Default)]
pub(crate) struct Handlers {
    pub(crate) on_lost: Option<OnLost>,
    pub(crate) on_error: Option<Arc<dyn wgpu::UncapturedErrorHandler>>,
}

impl OwnDevice {
    /// A device and its queue.
    #[must_use]
    pub fn new(device: wgpu::Device, queue: wgpu::Queue) -> Self {
        Self {
            device,
            queue,
            handlers: Handlers::default(),
        }
    }

    /// Has the program told that the device is lost, as by
    /// `wgpu::Device::set_device_lost_callback`.
    #[must_use]
    pub fn on_lost(mut self, handler: impl Fn(wgpu::DeviceLostReason, String) + Send + 'static) -> Self {
        self.handlers.on_lost = Some(Box::new(handler));
        self
    }

    /// Has the program told of errors of its own calls, as by `wgpu::Device::on_uncaptured_error`.
    /// Without a handler they are logged; wgpu alone would panic.
    #[must_use]
    pub fn on_error(mut self, handler: Arc<dyn wgpu::UncapturedErrorHandler>) -> Self {
        self.handlers.on_error = Some(handler);
        self
    }
}

impl fmt::Debug for OwnDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OwnDevice").field(&self.device).finish()
    }
}

impl fmt::Debug for Handlers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Handlers")
    }
}

/// Features without which no kernel runs.
pub(crate) const REQUIRED: wgpu::Features = wgpu::Features::IMMEDIATES;

/// Bytes of immediates a kernel may have.
const IMMEDIATE_BYTES: u32 = 32;

/// Inputs and output a kernel may have.
const BINDINGS: u32 = 5;

/// Limits of a device on which every operator of this crate runs.
pub(crate) fn required_limits() -> wgpu::Limits {
    let defaults = wgpu::Limits::default();
    wgpu::Limits {
        max_immediate_size: IMMEDIATE_BYTES,
        max_compute_invocations_per_workgroup: MAX_WORKGROUP_SIZE,
        max_compute_workgroup_size_x: MAX_WORKGROUP_SIZE,
        max_storage_buffers_per_shader_stage: defaults.max_storage_buffers_per_shader_stage.max(BINDINGS),
        ..defaults
    }
}

/// The features and limits that a device lacks, each with the required value.
pub(crate) fn missing(features: wgpu::Features, limits: &wgpu::Limits) -> Vec<String> {
    let feature = (!features.contains(REQUIRED)).then(|| "the feature IMMEDIATES".to_owned());
    let limit = |name: &str, has: u32, needs: u32| (has < needs).then(|| format!("{name} of {needs} (it has {has})"));
    let limits = [
        limit("max_immediate_size", limits.max_immediate_size, IMMEDIATE_BYTES),
        limit(
            "max_compute_invocations_per_workgroup",
            limits.max_compute_invocations_per_workgroup,
            MAX_WORKGROUP_SIZE,
        ),
        limit(
            "max_compute_workgroup_size_x",
            limits.max_compute_workgroup_size_x,
            MAX_WORKGROUP_SIZE,
        ),
        limit(
            "max_storage_buffers_per_shader_stage",
            limits.max_storage_buffers_per_shader_stage,
            BINDINGS,
        ),
    ];
    feature.into_iter().chain(limits.into_iter().flatten()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_device_lacks_is_named_with_what_is_needed() {
        let enough = required_limits();
        assert_eq!(missing(REQUIRED, &enough), Vec::<String>::new());
        let check =
            |features, limits: &wgpu::Limits, expected: &[&str]| assert_eq!(missing(features, limits), expected);
        check(wgpu::Features::empty(), &enough, &["the feature IMMEDIATES"]);
        let few = wgpu::Limits {
            max_immediate_size: 31,
            max_compute_invocations_per_workgroup: 255,
            ..enough
        };
        check(
            REQUIRED,
            &few,
            &[
                "max_immediate_size of 32 (it has 31)",
                "max_compute_invocations_per_workgroup of 256 (it has 255)",
            ],
        );
    }
}
