//! `cargo bench-gate`: finds performance regressions of any criterion project.

use std::process::ExitCode;

fn main() -> ExitCode {
    // Cargo starts this program in the place of a bench whose start is to be noted.
    bench_gate::project::note_if_runner().unwrap_or_else(bench_gate::cli::main)
}
