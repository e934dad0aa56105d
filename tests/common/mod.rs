//! What the integration tests share: every adapter of this machine, and the rule that CI has the ones it installs.

#![allow(clippy::print_stdout, reason = "tests say what they ran on")]

use gpu_executor::{Adapter, BACKENDS_ENV, Backend, Executor, Options};

/// The backends whose adapters CI installs, or that were asked for by name; a test that did not run on one of them is no
/// proof there.
fn required(selected: &[Backend]) -> &[Backend] {
    if std::env::var_os("CI").is_none_or(|ci| ci.is_empty()) {
        &[]
    } else if std::env::var_os(BACKENDS_ENV).is_some() {
        selected
    } else if cfg!(target_os = "linux") {
        &[Backend::Vulkan, Backend::Gles]
    } else if cfg!(windows) {
        &[Backend::Dx12]
    } else {
        &[]
    }
}

/// Every usable adapter, the CPU included, or those of the backends in `GPU_EXECUTOR_BACKENDS`. Prints which these are.
///
/// # Panics
/// Under `CI` when an adapter that CI installs is missing or unusable.
pub(crate) fn adapters() -> Vec<Adapter> {
    let selected = Backend::selected().expect("names of backends");
    let all = Adapter::list(&selected);
    for adapter in &all {
        let info = adapter.info();
        let state = info.unusable.as_deref().unwrap_or("tested");
        println!(
            "{}: {} ({} {}): {state}",
            info.backend, info.name, info.driver, info.driver_version
        );
    }
    let usable: Vec<_> = all.into_iter().filter(|a| a.info().unusable.is_none()).collect();
    for backend in required(&selected) {
        assert!(
            usable.iter().any(|a| a.info().backend == *backend),
            "CI is set and there is no usable {backend} adapter; `cargo xtask setup` installs it"
        );
    }
    usable
}

/// An executor on every usable adapter.
#[allow(dead_code, reason = "not every test file uses every helper")]
pub(crate) fn executors(options: Options) -> Vec<Executor> {
    adapters()
        .iter()
        .map(|adapter| Executor::on(adapter, options).expect("a usable adapter"))
        .collect()
}

/// An executor on every usable adapter that is driven through wgpu.
#[allow(dead_code, reason = "not every test file uses every helper")]
pub(crate) fn gpu_executors(options: Options) -> Vec<Executor> {
    let mut executors = executors(options);
    executors.retain(|e| e.backend() != Backend::Cpu);
    executors
}
