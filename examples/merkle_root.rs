//! Computes the root of a tree of keccak256 over a file cut into leaves of 32 bytes, or over
//! generated leaves, wherever that is the fastest, and compares it with the CPU's.
//!
//! `cargo run --release --example merkle_root -- 1000000` or `-- FILE`; `GPU_EXECUTOR_ROUTE=vulkan`
//! forces a device, `RUST_LOG=info` shows the calibration.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "what it is for")]

use std::{error::Error, process::ExitCode, time::Instant};

use gpu_executor::{Backend, Executor, Hybrid, HybridOptions, MerkleRoot, Routed};

fn main() -> ExitCode {
    // What the library warns of, unless more is asked for.
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("gpu_executor=warn")).init();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let leaves = match arguments.as_slice() {
        [] => Ok(generated(1 << 20)),
        [argument] => match argument.parse() {
            Ok(leaves) => Ok(generated(leaves)),
            Err(_) => std::fs::read(argument)
                .map(|bytes| cut(&bytes))
                .map_err(|error| format!("{argument}: {error}; a number of leaves or a file is wanted")),
        },
        several => Err(format!(
            "`{}`: one number of leaves or one file is wanted",
            several.join(" ")
        )),
    };
    let result = leaves.map_err(Into::into).and_then(|leaves| root(&leaves));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Leaves that differ from each other.
fn generated(leaves: u64) -> Vec<[u8; 32]> {
    let leaf = |number: u64| {
        let mut leaf = [0; 32];
        leaf[..8].copy_from_slice(&number.to_le_bytes());
        leaf
    };
    (0..leaves).map(leaf).collect()
}

/// The last leaf is filled up with zeros.
fn cut(bytes: &[u8]) -> Vec<[u8; 32]> {
    let leaf = |bytes: &[u8]| {
        let mut leaf = [0; 32];
        leaf[..bytes.len()].copy_from_slice(bytes);
        leaf
    };
    bytes.chunks(32).map(leaf).collect()
}

fn root(leaves: &[[u8; 32]]) -> Result<(), Box<dyn Error>> {
    let task = MerkleRoot { leaves };
    let hybrid = Hybrid::new(HybridOptions::from_env()?)?;
    // The first call calibrates if no other process has, and makes the device's buffers.
    hybrid.run(&task)?;
    let start = Instant::now();
    let Routed { output, route } = hybrid.run(&task)?;
    let duration = start.elapsed();
    let cpu = Executor::new(Backend::Cpu)?;
    let start = Instant::now();
    let expected = cpu.run(&task)?;
    let cpu_duration = start.elapsed();
    let Some(root) = output.first() else {
        println!("no leaves, no root");
        return Ok(());
    };
    let hex: String = root.iter().map(|byte| format!("{byte:02x}")).collect();
    println!(
        "{} leaves on {}: {duration:.1?}, on the CPU {cpu_duration:.1?}",
        leaves.len(),
        route.backend
    );
    println!("{route}");
    println!("root 0x{hex}");
    if output != expected {
        return Err(format!("the CPU has another root: {expected:02x?}").into());
    }
    Ok(())
}
