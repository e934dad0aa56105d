//! This project's executor.

use std::{hint::black_box, rc::Rc, time::Instant};

use gpu_executor::{Backend, Error, Mapped, VectorAdd};

use super::{Method, Peer, cpu::flat, unknown};
use crate::work::{Output, Work, checksum, fill};

pub(crate) struct Executor(Rc<gpu_executor::Executor>);

impl Executor {
    pub(crate) fn new(backend: Backend) -> Result<(Self, String), String> {
        let executor = gpu_executor::Executor::from_env(backend).map_err(|error| error.to_string())?;
        let tuning = executor
            .tune()
            .map_err(|error| error.to_string())?
            .map_or_else(String::new, |tuning| format!("; tuning {tuning}"));
        let about = format!("{}{tuning}", executor.adapter().name);
        Ok((Self(Rc::new(executor)), about))
    }
}

impl Peer for Executor {
    fn open(&self, method: &str, work: &Rc<Work>) -> Result<Method, String> {
        let (executor, work) = (Rc::clone(&self.0), Rc::clone(work));
        Ok(Method::Ready(match method {
            "run" => Box::new(move |output, _| {
                *output = Output::None;
                let task = VectorAdd { a: &work.a, b: &work.b };
                let start = Instant::now();
                let result = executor.run(black_box(&task)).map_err(|error| error.to_string())?;
                let wall = start.elapsed();
                *output = Output::Flat(result);
                Ok(wall)
            }),
            "batch" => Box::new(move |output, _| {
                *output = Output::None;
                let tasks: Vec<_> = work.pairs().map(|(a, b)| VectorAdd { a, b }).collect();
                let start = Instant::now();
                let results = executor
                    .run_batch(black_box(&tasks))
                    .map_err(|error| error.to_string())?;
                let wall = start.elapsed();
                *output = Output::Tasks(results);
                Ok(wall)
            }),
            "into" => Box::new(move |output, _| {
                let mut result = flat(output, work.a.len());
                let task = VectorAdd { a: &work.a, b: &work.b };
                let start = Instant::now();
                executor
                    .run_into(black_box(&task), &mut result)
                    .map_err(|error| error.to_string())?;
                let wall = start.elapsed();
                *output = Output::Flat(result);
                Ok(wall)
            }),
            "flat" => Box::new(move |output, _| {
                *output = Output::None;
                let tasks: Vec<_> = work.pairs().map(|(a, b)| VectorAdd { a, b }).collect();
                let start = Instant::now();
                let results = executor
                    .run_batch_flat(black_box(&tasks))
                    .map_err(|error| error.to_string())?;
                let wall = start.elapsed();
                *output = Output::Flat(results.into_parts().0);
                Ok(wall)
            }),
            "in-place" => {
                let mut task = match executor.in_place::<VectorAdd<'static>>(work.a.len(), ()) {
                    Ok(task) => task,
                    Err(error @ Error::NotInPlace { .. }) => return Ok(Method::Absent(error.to_string())),
                    Err(error) => return Err(error.to_string()),
                };
                let mut seed = 0_u32;
                Box::new(move |output, keep| {
                    seed += 1;
                    let start = Instant::now();
                    let (a, b) = task.inputs().map_err(|error| error.to_string())?;
                    write(a, seed);
                    write(b, !seed);
                    let sum = task.run().map_err(|error| error.to_string())?;
                    let read = checksum(black_box(&sum));
                    let wall = start.elapsed();
                    *output = Output::Filled {
                        seed,
                        checksum: read,
                        elements: keep.then(|| sum.to_vec()),
                    };
                    Ok(wall)
                })
            }
            "one-by-one" => Box::new(move |output, _| {
                *output = Output::None;
                let mut results = Vec::with_capacity(work.tasks);
                let start = Instant::now();
                for (a, b) in work.pairs() {
                    let task = VectorAdd { a, b };
                    results.push(executor.run(black_box(&task)).map_err(|error| error.to_string())?);
                }
                let wall = start.elapsed();
                *output = Output::Tasks(results);
                Ok(wall)
            }),
            _ => return unknown(method),
        }))
    }
}

/// As [`fill`], into memory that can only be written: by way of a few pages that stay in the
/// first-level cache.
fn write(input: Mapped<'_, f32>, seed: u32) {
    const BLOCK: usize = 2048;
    let mut block = [0.0; BLOCK];
    let mut rest = input;
    let mut first = seed;
    while !rest.is_empty() {
        let n = rest.len().min(BLOCK);
        let (mut part, behind) = rest.split_at(n);
        fill(&mut block[..n], first);
        part.copy_from_slice(&block[..n]);
        first = first.wrapping_add(n as u32);
        rest = behind;
    }
}
