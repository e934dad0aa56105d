//! Criterion groups that measure every operator on every backend: ids are `operator/backend/size`,
//! or `operator/backend/tasks×size` (written `1000x256`) for a batch.
//!
//! `cargo bench` measures all that this machine has, with criterion's own flags and reports; with
//! `BENCH_RECORDER_DIR=folder` every call is recorded there. `cargo xtask bench` and `ab` have this
//! same program serve windows of calls on request, and once count calls into wgpu without a driver.

mod cases;
mod noop;
mod serve;

use std::{path::PathBuf, process::ExitCode, rc::Rc, time::Duration};

use bench_recorder::{Recorder, wire};
use cases::{Case, Plan};
use criterion::{BenchmarkGroup, BenchmarkId, Criterion, SamplingMode, Throughput, measurement::WallTime};
use gpu_executor::{
    Executor,
    testkit::{OPERATORS, Operator},
};

/// Criterion samples, each a batch of calls.
const SAMPLES: usize = 20;
const WARM_UP: Duration = Duration::from_millis(500);
const MEASUREMENT: Duration = Duration::from_secs(2);

fn main() -> ExitCode {
    if std::env::var_os(noop::NOOP_ENV).is_some() {
        return noop::count();
    }
    let plan = match Plan::from_env() {
        Ok(plan) => plan,
        Err(message) => {
            complain(&message);
            return ExitCode::from(2);
        }
    };
    if std::env::var_os(wire::SERVE_ENV).is_some() {
        return serve::suite(plan).serve_if_asked().unwrap_or(ExitCode::FAILURE);
    }
    let records = std::env::var_os(wire::RECORD_ENV).map(PathBuf::from);
    let mut criterion = Criterion::default().configure_from_args();
    for &backend in &plan.backends {
        // Tuned before the first case, so that no case depends on which came first.
        let opened = Executor::from_env(backend).and_then(|executor| executor.tune().map(|_| executor));
        let executor = match opened {
            Ok(executor) => Rc::new(executor),
            Err(error) => {
                complain(&format!("{backend}: not measured: {error}"));
                continue;
            }
        };
        for operator in OPERATORS.iter().filter(|o| plan.wants(o.name)) {
            let mut group = criterion.benchmark_group(operator.name);
            for case in plan.cases_of(operator) {
                let recorded = measure(&mut group, &executor, *operator, case, records.is_some()).and_then(|record| {
                    record
                        .zip(records.as_ref())
                        .map_or(Ok(()), |(record, folder)| record.write(folder))
                });
                if let Err(error) = recorded {
                    complain(&error.to_string());
                    return ExitCode::FAILURE;
                }
            }
            group.finish();
        }
    }
    criterion.final_summary();
    ExitCode::SUCCESS
}

/// Measures one case; `None` if criterion's filter leaves it out.
fn measure(
    group: &mut BenchmarkGroup<'_, WallTime>,
    executor: &Rc<Executor>,
    operator: Operator,
    case: Case,
    with_phases: bool,
) -> Result<Option<wire::Record>, bench_recorder::Error> {
    let backend = executor.backend();
    let work = serve::Work {
        executor: Rc::clone(executor),
        workload: (operator.workload)(case.size, case.tasks, 1),
        cold: Vec::new(),
    };
    let mut recorder = Recorder::new(
        &format!("{}/{backend}/{case}", operator.name),
        Box::new(work),
        with_phases,
    )?;
    group
        .sampling_mode(SamplingMode::Flat)
        .sample_size(SAMPLES)
        .warm_up_time(WARM_UP)
        .measurement_time(MEASUREMENT)
        .nresamples(2000)
        .throughput(Throughput::Elements((case.size * case.tasks) as u64));
    group.bench_function(BenchmarkId::new(backend.name(), case), |bencher| {
        bencher.iter_custom(|iterations| recorder.sample(iterations));
    });
    recorder.finish(SAMPLES)
}

#[expect(clippy::print_stderr, reason = "what a person who runs the bench must see")]
fn complain(message: &str) {
    eprintln!("{message}");
}
