//! What the integration tests share: every adapter of this machine, and the rule that CI has the
//! ones it installs.

#![allow(clippy::print_stdout, reason = "tests say what they ran on")]

use gpu_executor::{Adapter, AdapterChoice, BACKENDS_ENV, Backend, Executor, Options, Transfer, Tuning};

/// The backends whose adapters CI installs, or that were asked for by name; a test that did not run
/// on one of them is no proof there.
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

/// Every usable adapter, the CPU included, or those of the backends in `GPU_EXECUTOR_BACKENDS`.
/// Prints which these are.
///
/// # Panics
/// Without any adapter but the CPU, unless it alone is selected; under `CI` when an adapter that CI
/// installs is missing or unusable.
pub(crate) fn adapters() -> Vec<Adapter> {
    let selected = Backend::selected().expect("names of backends");
    let mut all = AdapterChoice::from_env().expect("a PCI id").list(&selected);
    if selected.contains(&Backend::Gles) {
        // The other way to the same driver, unless it is the one that was listed.
        let own = Adapter::list_own_gles().unwrap_or_default();
        let is_new = |own: &Adapter| all.iter().all(|a| a.info() != own.info());
        all.extend(own.into_iter().filter(is_new).collect::<Vec<_>>());
    }
    for adapter in &all {
        let info = adapter.info();
        let state = info.unusable.as_deref().unwrap_or("tested");
        println!(
            "{}: {} ({} {}): {state}",
            info.backend, info.name, info.driver, info.driver_version
        );
    }
    let usable: Vec<_> = all.into_iter().filter(|a| a.info().unusable.is_none()).collect();
    assert!(
        selected == [Backend::Cpu] || usable.iter().any(|a| a.info().backend != Backend::Cpu),
        "no adapter but the CPU can be used, so that these tests would prove nothing: `cargo xtask setup` installs software \
         adapters, and {BACKENDS_ENV}=cpu tests the CPU alone"
    );
    for backend in required(&selected) {
        assert!(
            usable.iter().any(|a| a.info().backend == *backend),
            "CI is set and there is no usable {backend} adapter; `cargo xtask setup` installs it"
        );
    }
    usable
}

/// Settings under which nothing is calibrated or stored: the result of a test must not depend on
/// noise.
#[allow(dead_code, reason = "not every test file uses every helper")]
pub(crate) fn options() -> Options {
    Options::default().tuning(Tuning::plain(Transfer::DIRECT)).cache_dir("")
}

/// Every way a task can take: shared buffers, staged ones, and one of each in small chunks, with
/// several threads and with looking before sleeping.
#[allow(dead_code, reason = "not every test file uses every helper")]
pub(crate) fn tunings() -> [Tuning; 3] {
    [
        Tuning::plain(Transfer::DIRECT),
        Tuning::plain(Transfer::STAGED),
        Tuning {
            chunk_bytes: 1 << 20,
            spin_us: 100,
            threads_from_bytes: 0,
            ..Tuning::plain(Transfer::ALL[1])
        },
    ]
}

/// An executor on every usable adapter, in every way a task can take there.
#[allow(dead_code, reason = "not every test file uses every helper")]
pub(crate) fn executors(options: &Options) -> Vec<Executor> {
    let mut executors: Vec<Executor> = Vec::new();
    for adapter in adapters() {
        for tuning in tunings() {
            let options = options.clone().tuning(tuning);
            let executor = Executor::on(&adapter, options).expect("a usable adapter");
            // Where buffers cannot be shared, two ways are the same.
            let is_new = |e: &Executor| e.adapter() != executor.adapter() || e.tuning() != executor.tuning();
            if executors.iter().all(is_new) {
                executors.push(executor);
            }
        }
    }
    executors
}

/// [`executors`], without the CPU.
#[allow(dead_code, reason = "not every test file uses every helper")]
pub(crate) fn gpu_executors(options: &Options) -> Vec<Executor> {
    let mut executors = executors(options);
    executors.retain(|e| e.backend() != Backend::Cpu);
    executors
}
