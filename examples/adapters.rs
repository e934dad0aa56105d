//! Prints the adapters of this machine; `--json` for programs. `cargo xtask adapters` prints the same as a table.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "what it is for")]

use std::process::ExitCode;

use gpu_executor::{ADAPTER_NAME_ENV, Adapter, AdapterInfo, Backend};
use serde::Serialize;

/// What there is, and what an executor would use of it.
#[derive(Serialize)]
struct Listing {
    /// Every adapter found, the unusable ones included.
    adapters: Vec<AdapterInfo>,
    /// For each backend the adapter an executor would be made on.
    picked: Vec<AdapterInfo>,
    /// Backends without one, and why.
    absent: Vec<Absent>,
}

#[derive(Serialize)]
struct Absent {
    backend: Backend,
    reason: String,
}

fn main() -> ExitCode {
    let backends = match Backend::selected() {
        Ok(backends) => backends,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(2);
        }
    };
    let name = std::env::var(ADAPTER_NAME_ENV).ok();
    let mut listing = Listing {
        adapters: Adapter::list(&backends)
            .iter()
            .map(|adapter| adapter.info().clone())
            .collect(),
        picked: Vec::new(),
        absent: Vec::new(),
    };
    for &backend in &backends {
        match Adapter::pick(backend, name.as_deref()).map(|adapter| adapter.info().clone()) {
            Ok(AdapterInfo {
                name,
                unusable: Some(reason),
                ..
            }) => {
                let reason = format!("{name} cannot be used: {reason}");
                listing.absent.push(Absent { backend, reason });
            }
            Ok(info) => listing.picked.push(info),
            Err(error) => listing.absent.push(Absent {
                backend,
                reason: error.to_string(),
            }),
        }
    }
    if let Some(name) = name.filter(|_| listing.picked.iter().all(|info| info.backend == Backend::Cpu)) {
        let names: Vec<&str> = listing.adapters.iter().map(|info| info.name.as_str()).collect();
        eprintln!(
            "{ADAPTER_NAME_ENV}: no usable adapter's name contains `{name}`; there are: {}",
            names.join(", ")
        );
        return ExitCode::from(2);
    }
    if std::env::args().any(|argument| argument == "--json") {
        println!(
            "{}",
            serde_json::to_string(&listing).expect("plain data is always JSON")
        );
        return ExitCode::SUCCESS;
    }
    for info in &listing.adapters {
        print!(
            "{}: {} ({}, {} {})",
            info.backend, info.name, info.kind, info.driver, info.driver_version
        );
        match &info.unusable {
            None => println!(),
            Some(reason) => println!(": cannot be used: {reason}"),
        }
    }
    for Absent { backend, reason } in &listing.absent {
        println!("{backend}: {reason}");
    }
    ExitCode::SUCCESS
}
