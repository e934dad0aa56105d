//! Prints the adapters of this machine; `--json` for programs. `cargo xtask adapters` prints the table.

use std::process::ExitCode;

use gpu_executor::{Adapter, AdapterInfo, Backend};

fn main() -> ExitCode {
    let backends = match Backend::selected() {
        Ok(backends) => backends,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(2);
        }
    };
    let adapters = Adapter::list(&backends);
    let infos: Vec<&AdapterInfo> = adapters.iter().map(Adapter::info).collect();
    if std::env::args().any(|argument| argument == "--json") {
        let json = serde_json::to_string(&infos).expect("plain data is always JSON");
        println!("{json}");
        return ExitCode::SUCCESS;
    }
    for info in infos {
        print!(
            "{}: {} ({}, {} {})",
            info.backend, info.name, info.kind, info.driver, info.driver_version
        );
        match &info.unusable {
            None => println!(),
            Some(reason) => println!(": cannot be used: {reason}"),
        }
    }
    ExitCode::SUCCESS
}
