//! Adds two vectors wherever that is the fastest, and prints where, how many elements, how long it
//! took, and the first three sums.
//!
//! `cargo run --release --example hybrid_vector_add -- 1000000`; `GPU_EXECUTOR_ROUTE=vulkan` forces
//! a device, `RUST_LOG=info` shows the calibration.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "what it is for")]

use std::{process::ExitCode, time::Instant};

use gpu_executor::{Error, Hybrid, HybridOptions, Routed, VectorAdd};

fn main() -> ExitCode {
    // What the library warns of, unless more is asked for.
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("gpu_executor=warn")).init();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let elements = match arguments.as_slice() {
        [] => Ok(1_000_000),
        [elements] => elements.parse(),
        _ => "".parse(),
    };
    let Ok(elements) = elements else {
        eprintln!(
            "`{}`: one number of elements is wanted, such as 1000000",
            arguments.join(" ")
        );
        return ExitCode::from(2);
    };
    match add(elements) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn add(elements: u32) -> Result<(), Error> {
    #[expect(clippy::cast_precision_loss, reason = "any number will do")]
    let a: Vec<f32> = (0..elements).map(|i| i as f32).collect();
    let b: Vec<f32> = a.iter().map(|x| 2.0 * x).collect();
    let hybrid = Hybrid::new(HybridOptions::from_env()?)?;
    let task = VectorAdd { a: &a, b: &b };
    // The first call calibrates if no other process has, and makes the device's buffers.
    hybrid.run(&task)?;
    let start = Instant::now();
    let Routed { output, route } = hybrid.run(&task)?;
    let duration = start.elapsed();
    println!(
        "Executed on: {}; elements: {elements}; duration_ms: {:.3}; first3: {:?}",
        route.backend,
        duration.as_secs_f64() * 1e3,
        &output[..output.len().min(3)]
    );
    println!("{route}");
    Ok(())
}
