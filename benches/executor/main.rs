//! Criterion groups that measure every operator on every backend: ids are `operator/backend/size`, or
//! `operator/backend/tasks×size` (written `1000x256`) for a batch.
//!
//! `cargo bench` measures all that this machine has, with criterion's own flags and reports. `cargo xtask bench` runs
//! this same program, once per backend and run, and has it record the wall time of every call, and once to count calls into wgpu without
//! a driver; `cargo xtask ab` has it serve windows of calls on demand.

mod calibration;
mod cases;
mod noop;
mod recorder;
mod serve;

use std::{
    io::Write as _,
    process::ExitCode,
    time::{Duration, Instant},
};

use cases::{Case, Plan};
use criterion::{BenchmarkGroup, BenchmarkId, Criterion, SamplingMode, Throughput, measurement::WallTime};
use gpu_executor::{
    Executor,
    testkit::{OPERATORS, Operator, Workload},
};
use recorder::{Recorder, Watch};

/// Calls measured per case at the most: enough for any quantile, and a file a person can open.
const MOST_CALLS: u32 = 20_000;

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
    if std::env::var_os(serve::SERVE_ENV).is_some() {
        return serve::serve(plan);
    }
    if plan.record.is_some() {
        end_with_parent();
    }
    let mut criterion = Criterion::default().configure_from_args();
    if plan.record.is_some() {
        criterion = criterion.without_plots();
    }
    let watch = plan.record.is_some().then(Watch::new);
    let mut done = 0;
    for &backend in &plan.backends {
        // Tuned before the first case, so that no case depends on which came first.
        let opened = Executor::from_env(backend).and_then(|executor| executor.tune().map(|_| executor));
        let executor = match opened {
            Ok(executor) => executor,
            Err(error) => {
                if plan.record.is_some() {
                    // The listing called it usable, so this is a fault and no circumstance.
                    complain(&format!("{backend}: {error}"));
                    return ExitCode::FAILURE;
                }
                complain(&format!("{backend}: not measured: {error}"));
                continue;
            }
        };
        for operator in OPERATORS.iter().filter(|o| plan.wants(o.name)) {
            let mut group = criterion.benchmark_group(operator.name);
            for case in plan.cases_of(operator) {
                done += 1;
                if let Err(message) = measure(&mut group, &plan, watch.as_ref(), &executor, *operator, case, done) {
                    complain(&format!("{}/{backend}/{case}: {message}", operator.name));
                    return ExitCode::FAILURE;
                }
            }
            group.finish();
        }
    }
    criterion.final_summary();
    ExitCode::SUCCESS
}

/// Measures one case, and records it if the plan says so.
fn measure(
    group: &mut BenchmarkGroup<'_, WallTime>,
    plan: &Plan,
    watch: Option<&Watch>,
    executor: &Executor,
    operator: Operator,
    case: Case,
    number: usize,
) -> Result<(), String> {
    let backend = executor.backend();
    if plan.record.is_some() {
        announce(number, &format!("{}/{backend}/{case}", operator.name));
    }
    let workload = (operator.workload)(case.size, case.tasks, 1);
    // A benchmark is a test as well: a fast wrong result is worth nothing.
    workload.check(executor).map_err(|error| error.to_string())?;
    let call = probe(&*workload, executor, Duration::from_millis(20)).map_err(|error| error.to_string())?;

    // What the calls of a short case leave of the time goes between its samples: a neighbour on the machine comes and
    // goes in tenths of a second, and all of a microsecond case would fall into one of its moods.
    let busy = plan
        .pace
        .measurement()
        .min(call.saturating_mul(MOST_CALLS))
        .max(Duration::from_millis(1));
    let pause = (plan.pace.measurement() - busy) / u32::try_from(plan.pace.samples()).expect("few samples");
    let recorder = Recorder::new(watch, plan.pace.warm_up(), pause, plan.pace.patience());
    group
        .sampling_mode(SamplingMode::Flat)
        .sample_size(plan.pace.samples())
        .warm_up_time(plan.pace.warm_up())
        .measurement_time(busy)
        .nresamples(2000)
        .throughput(Throughput::Elements((case.size * case.tasks) as u64));
    group.bench_function(BenchmarkId::new(backend.name(), case), |bencher| {
        bencher.iter_custom(|iterations| recorder.sample(iterations, executor, &*workload));
    });
    if let Some(error) = recorder.error() {
        return Err(error);
    }
    if let Some(folder) = &plan.record {
        recorder.write(folder, plan.pace.samples(), executor, operator.name, case)?;
    }
    Ok(())
}

/// About how long a call takes, once caches are warm, looked for during `time`.
fn probe(workload: &dyn Workload, executor: &Executor, time: Duration) -> Result<Duration, gpu_executor::Error> {
    let start = Instant::now();
    let mut fastest = Duration::MAX;
    for calls in 0.. {
        fastest = fastest.min(workload.run(executor)?);
        if calls >= 3 && start.elapsed() > time {
            break;
        }
    }
    Ok(fastest)
}

/// Says which case begins, to `cargo xtask bench`, which reads standard output.
#[expect(clippy::print_stdout, reason = "the protocol with xtask")]
fn announce(number: usize, id: &str) {
    println!("gpu-executor-bench: {number} {id}");
    // Nobody to tell is no reason to stop.
    let _ = std::io::stdout().flush();
}

#[expect(clippy::print_stderr, reason = "what a person who runs the bench must see")]
fn complain(message: &str) {
    eprintln!("{message}");
}

/// Ends this process when `cargo xtask bench`, which holds the other end of standard input, is gone: an orphan would
/// disturb the next run.
fn end_with_parent() {
    std::thread::spawn(|| {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        std::process::exit(1);
    });
}
