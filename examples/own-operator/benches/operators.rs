//! Criterion groups for every operator, backend and size: `cargo bench`, and `cargo bench --
//! saxpy/vulkan` for some.
//!
//! `BENCH_RECORDER_DIR=folder cargo bench` records every call, its counters and its phases; two
//! revisions are measured alternately by `cargo bench-gate`.

use std::{process::ExitCode, rc::Rc, time::Duration};

use bench_recorder::{Fault, Subject, Suite, wire::Counters};
use criterion::Criterion;
use gpu_executor::{
    Backend, Executor,
    testkit::{OPERATORS, Operator, Workload},
};
use own_operator::{Messages, Vectors};

const SIZES: [usize; 3] = [1_000, 30_000, 1_000_000];
const SAMPLES: usize = 10;

/// With `vector_add`, which does the same work without a factor, by a kernel without checks.
fn operators() -> [Operator; 3] {
    [
        OPERATORS[0],
        Operator::of::<Vectors>("a sum", 1),
        Operator::of::<Messages<64>>("a message of 64 bytes", 1000),
    ]
}

/// Tasks on an executor.
struct Tasks {
    executor: Rc<Executor>,
    workload: Box<dyn Workload>,
}

impl Subject for Tasks {
    fn call(&mut self) -> Result<Duration, Fault> {
        Ok(self.workload.run(&self.executor)?)
    }

    fn counters(&self) -> Counters {
        let counters = self.executor.counters();
        let each = [
            ("submits", counters.submits),
            ("dispatches", counters.dispatches),
            ("buffers_created", counters.buffers_created),
            ("bytes_up", counters.bytes_up),
            ("bytes_down", counters.bytes_down),
        ];
        each.map(|(name, count)| (name.to_owned(), count)).into()
    }

    fn phases(&mut self) -> Result<Vec<(&'static str, Duration)>, Fault> {
        let Some(phases) = self.workload.run_timed(&self.executor)? else {
            return Ok(Vec::new());
        };
        let mut named = vec![
            ("upload", phases.upload),
            ("queue", phases.queue),
            ("readback", phases.readback),
        ];
        named.extend(phases.device.map(|device| ("device", device)));
        Ok(named)
    }
}

fn main() -> ExitCode {
    let open = |&backend: &Backend| Some(Rc::new(Executor::new(backend).ok()?));
    let executors: Vec<_> = Backend::ALL.iter().filter_map(open).collect();
    let mut ids = Vec::new();
    for operator in operators() {
        for executor in &executors {
            ids.extend(SIZES.map(|size| format!("{}/{}/{size}", operator.name, executor.backend())));
        }
    }
    let suite = Suite::new(ids, move |id, scale| {
        let [name, backend, size] = id.split('/').collect::<Vec<_>>()[..] else {
            return Err(format!("no case is named `{id}`").into());
        };
        let operator = operators().into_iter().find(|operator| operator.name == name);
        let operator = operator.ok_or_else(|| format!("no operator is named `{name}`"))?;
        let executor = executors.iter().find(|executor| executor.backend().name() == backend);
        let executor = executor.ok_or_else(|| format!("there is no adapter of `{backend}`"))?;
        let size = (size.parse::<f64>()? * scale) as usize;
        let workload = (operator.workload)(size, 1, 1);
        // A benchmark is a test as well.
        workload.check(executor)?;
        Ok(Box::new(Tasks {
            executor: Rc::clone(executor),
            workload,
        }))
    });
    suite.serve_if_asked().unwrap_or_else(|mut suite| {
        let mut criterion = Criterion::default().configure_from_args().sample_size(SAMPLES);
        let done = suite.record_each(SAMPLES, |id, recorder| {
            criterion.bench_function(id, |bencher| bencher.iter_custom(|calls| recorder.sample(calls)));
        });
        criterion.final_summary();
        done
    })
}
