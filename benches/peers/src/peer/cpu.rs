//! The host's processor: the library's CPU executor, and the copies no transfer can do without.

use std::{hint::black_box, rc::Rc, time::Instant};

use gpu_executor::{Backend, Executor, VectorAdd};

use super::{Method, Peer, unknown};
use crate::work::{Output, Work, checksum, fill};

pub(crate) struct Cpu(Rc<Executor>);

impl Cpu {
    pub(crate) fn new() -> Result<Self, String> {
        Executor::new(Backend::Cpu)
            .map(|executor| Self(Rc::new(executor)))
            .map_err(|error| error.to_string())
    }
}

impl Peer for Cpu {
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
            // What a transfer copies at least: both inputs in, the output out.
            "copies" => {
                let (mut a, mut b, mut device) = (work.a.clone(), work.b.clone(), work.a.clone());
                Box::new(move |output, _| {
                    *output = Output::None;
                    let start = Instant::now();
                    a.copy_from_slice(&work.a);
                    b.copy_from_slice(&work.b);
                    add(black_box(&a), black_box(&b), &mut device);
                    let result = black_box(&device).clone();
                    let wall = start.elapsed();
                    *output = Output::Flat(result);
                    Ok(wall)
                })
            }
            "copies-into" => {
                let (mut a, mut b, mut device) = (work.a.clone(), work.b.clone(), work.a.clone());
                Box::new(move |output, _| {
                    let mut result = flat(output, work.a.len());
                    let start = Instant::now();
                    a.copy_from_slice(&work.a);
                    b.copy_from_slice(&work.b);
                    add(black_box(&a), black_box(&b), &mut device);
                    result.copy_from_slice(black_box(&device));
                    let wall = start.elapsed();
                    *output = Output::Flat(result);
                    Ok(wall)
                })
            }
            "in-place" => {
                let (mut a, mut b, mut sum) = (work.a.clone(), work.b.clone(), work.a.clone());
                let mut seed = 0_u32;
                Box::new(move |output, keep| {
                    seed += 1;
                    let start = Instant::now();
                    fill(&mut a, seed);
                    fill(&mut b, !seed);
                    add(black_box(&a), black_box(&b), &mut sum);
                    let read = checksum(black_box(&sum));
                    let wall = start.elapsed();
                    *output = Output::Filled {
                        seed,
                        checksum: read,
                        elements: keep.then(|| sum.clone()),
                    };
                    Ok(wall)
                })
            }
            _ => return unknown(method),
        }))
    }
}

/// The vector of a former call, so that its memory is not new.
pub(super) fn flat(output: &mut Output, len: usize) -> Vec<f32> {
    match std::mem::replace(output, Output::None) {
        Output::Flat(vector) if vector.len() == len => vector,
        _ => vec![1.0; len],
    }
}

fn add(a: &[f32], b: &[f32], sum: &mut [f32]) {
    for (sum, (a, b)) in sum.iter_mut().zip(a.iter().zip(b)) {
        *sum = a + b;
    }
}
