//! Counts what calls cost in calls into wgpu, on its device without a driver: `cargo xtask bench`
//! asks for it on every machine, and holds it against one file for all of them. Every case is
//! counted, in some hundredths of a second; nothing is timed, as there is nothing to time.

use std::{io::Write as _, process::ExitCode};

use gpu_executor::{
    Adapter, Counters, Executor, Options, Transfer, Tuning,
    testkit::{OPERATORS, Operator},
};
use serde::Serialize;

use crate::{cases::Case, complain};

/// Set by `cargo xtask bench`: write the counters of every operator to standard output, as JSON,
/// instead of measuring anything.
pub(crate) const NOOP_ENV: &str = "GPU_EXECUTOR_BENCH_NOOP";

/// A short task and a short batch, whose buffers the host maps, and a long one of each, which go
/// through buffers of their own in chunks.
const CASES: [Case; 4] = [
    Case { size: 100, tasks: 1 },
    Case { size: 100, tasks: 10 },
    Case {
        size: 100_000,
        tasks: 1,
    },
    Case { size: 256, tasks: 1000 },
];

/// Both ways, and chunks so small that the long cases need several.
const TUNING: Tuning = Tuning {
    small: Transfer::DIRECT,
    chunk_bytes: 1 << 18,
    ..Tuning::plain(Transfer::STAGED)
};

/// Calls counted of each case, which must all be the same.
const CALLS: u64 = 3;

/// What each call of a case costs.
#[derive(Serialize)]
struct Counted {
    op: &'static str,
    size: usize,
    tasks: usize,
    counters: Counters,
}

/// Counts every case.
pub(crate) fn count() -> ExitCode {
    let all = OPERATORS
        .iter()
        .flat_map(|operator| CASES.map(|case| counted(operator, case)));
    match all.collect::<Result<Vec<_>, _>>() {
        Ok(all) => {
            let json = serde_json::to_string(&all).expect("plain data is always JSON");
            // The process that asked has ended, so there is nothing to report.
            let _ = writeln!(std::io::stdout(), "{json}");
            ExitCode::SUCCESS
        }
        Err(message) => {
            complain(&message);
            ExitCode::FAILURE
        }
    }
}

/// Each case on a device of its own, so that none depends on those before.
fn counted(operator: &Operator, case: Case) -> Result<Counted, String> {
    let failed = |message: String| format!("{}/noop/{case}: {message}", operator.name);
    let adapter = Adapter::noop().ok_or_else(|| failed("wgpu is built without its feature `noop`".to_owned()))?;
    let options = Options::default().tuning(TUNING).cache_dir("");
    let executor = Executor::on(&adapter, options).map_err(|error| failed(error.to_string()))?;
    let workload = (operator.workload)(case.size, case.tasks, 1);
    let run = || workload.run(&executor).map_err(|error| failed(error.to_string()));
    // The first makes what the others find.
    run()?;
    let before = executor.counters();
    for _ in 0..CALLS {
        run()?;
    }
    let counters = executor.counters() - before;
    Ok(Counted {
        op: operator.name,
        size: case.size,
        tasks: case.tasks,
        counters: counters
            .per_call(CALLS)
            .ok_or_else(|| failed(format!("{CALLS} equal calls differ in what they cost: {counters:?}")))?,
    })
}
