//! This project's executor.

use std::{hint::black_box, rc::Rc, time::Instant};

use gpu_executor::{ADAPTER_NAME_ENV, Adapter, Backend, Options, VectorAdd};

use super::{Contestant, Peer, unknown};
use crate::work::{Output, Work};

pub(crate) struct Executor(Rc<gpu_executor::Executor>);

impl Executor {
    pub(crate) fn new(backend: Backend) -> Result<(Self, String), String> {
        let name = std::env::var(ADAPTER_NAME_ENV).ok();
        let adapter = Adapter::pick(backend, name.as_deref()).map_err(|error| error.to_string())?;
        let executor = gpu_executor::Executor::on(&adapter, Options::default()).map_err(|error| error.to_string())?;
        Ok((Self(Rc::new(executor)), adapter.info().name.clone()))
    }
}

impl Peer for Executor {
    fn open(&self, method: &str, work: &Rc<Work>) -> Result<Contestant, String> {
        let (executor, work) = (Rc::clone(&self.0), Rc::clone(work));
        Ok(Contestant::Ready(match method {
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
