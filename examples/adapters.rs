//! Prints the adapters of this machine; `--json` for programs, `--tuning` with how tasks reach
//! each, which may take a calibration of a second. `cargo xtask adapters` prints the same as a
//! table.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "what it is for")]

use std::process::ExitCode;

use gpu_executor::{ADAPTER_NAME_ENV, Adapter, AdapterChoice, AdapterInfo, Backend, Error, Executor, Options, PCI_ENV};
use serde::Serialize;

/// What there is, and what an executor would use of it.
#[derive(Serialize)]
struct Listing {
    /// Every adapter found, the unusable ones included.
    adapters: Vec<AdapterInfo>,
    /// For each backend the adapter an executor would be made on.
    picked: Vec<Picked>,
    /// Backends without one, and why.
    absent: Vec<Absent>,
}

#[derive(Serialize)]
struct Picked {
    #[serde(flatten)]
    info: AdapterInfo,
    /// How tasks reach it, as `GPU_EXECUTOR_TUNING` has it; absent unless asked for, and on the
    /// CPU.
    tuning: Option<String>,
}

impl Picked {
    fn new(adapter: &Adapter, with_tuning: bool) -> Result<Self, Error> {
        let tuning = if with_tuning {
            Executor::on(adapter, Options::from_env()?)?.tune()?
        } else {
            None
        };
        Ok(Self {
            info: adapter.info().clone(),
            tuning: tuning.map(|tuning| tuning.to_string()),
        })
    }
}

#[derive(Serialize)]
struct Absent {
    backend: Backend,
    reason: String,
}

fn main() -> ExitCode {
    let known = ["--json", "--tuning"];
    if let Some(other) = std::env::args()
        .skip(1)
        .find(|argument| !known.contains(&argument.as_str()))
    {
        eprintln!("{other}: there are --json and --tuning");
        return ExitCode::from(2);
    }
    let backends = match Backend::selected() {
        Ok(backends) => backends,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(2);
        }
    };
    let is_asked_for = |flag: &str| std::env::args().any(|argument| argument == flag);
    let with_tuning = is_asked_for("--tuning");
    let choice = match AdapterChoice::from_env() {
        Ok(choice) => choice,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(2);
        }
    };
    let mut listing = Listing {
        adapters: choice
            .list(&backends)
            .iter()
            .map(|adapter| adapter.info().clone())
            .collect(),
        picked: Vec::new(),
        absent: Vec::new(),
    };
    for &backend in &backends {
        let picked = choice.pick(backend).and_then(|adapter| match &adapter.info().unusable {
            Some(reason) => Ok(Err(format!("{} cannot be used: {reason}", adapter.info().name))),
            None => Picked::new(&adapter, with_tuning).map(Ok),
        });
        match picked {
            Ok(Ok(picked)) => listing.picked.push(picked),
            Ok(Err(reason)) => listing.absent.push(Absent { backend, reason }),
            Err(error) => listing.absent.push(Absent {
                backend,
                reason: error.to_string(),
            }),
        }
    }
    let has_gpu = listing.picked.iter().any(|picked| picked.info.backend != Backend::Cpu);
    if choice.is_narrow() && !has_gpu {
        let variable = |name: &str| Some(format!("{name}={}", std::env::var(name).ok()?));
        let variables: Vec<String> = [ADAPTER_NAME_ENV, PCI_ENV].into_iter().filter_map(variable).collect();
        let names: Vec<&str> = listing.adapters.iter().map(|info| info.name.as_str()).collect();
        eprintln!(
            "{}: no usable adapter fits; there are: {}",
            variables.join(" and "),
            names.join(", ")
        );
        return ExitCode::from(2);
    }
    if is_asked_for("--json") {
        println!(
            "{}",
            serde_json::to_string(&listing).expect("plain data is always JSON")
        );
        return ExitCode::SUCCESS;
    }
    for info in &listing.adapters {
        print!("{}: {} ({}", info.backend, info.name, info.kind);
        if info.backend != Backend::Cpu {
            print!(", {} {}", info.driver, info.driver_version);
        }
        if let Some(pci) = info.pci {
            print!(", PCI {pci}");
        }
        print!(")");
        match &info.unusable {
            None => println!(),
            Some(reason) => println!(": cannot be used: {reason}"),
        }
    }
    for Picked { info, tuning } in &listing.picked {
        if let Some(tuning) = tuning {
            println!("{}: {tuning}", info.backend);
        }
    }
    for Absent { backend, reason } in &listing.absent {
        println!("{backend}: {reason}");
    }
    ExitCode::SUCCESS
}
