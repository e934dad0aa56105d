//! Serves measurements on demand, so that `cargo xtask ab` can let two revisions take turns within tenths of a second:
//! requests come as lines on standard input, answers go out as lines of JSON.
//!
//! `prepare ID` builds a case, compares its result with the CPU's, and answers with the time of a call. `measure ID KEEP_MILLISECONDS
//! BATCH LIMIT_NANOSECONDS` answers with samples of one window, each the mean of `BATCH` calls in a row, which is 1 unless calls
//! are so short that the clock's ticks show. Between requests the process sleeps.

use std::{
    collections::BTreeMap,
    io::{BufRead as _, Write as _},
    process::ExitCode,
    str::FromStr,
    time::{Duration, Instant},
};

use gpu_executor::{Backend, Counters, Executor, testkit::Workload};
use serde::Serialize;

use crate::{
    calibration,
    cases::{Case, Plan},
};

/// Set by `cargo xtask ab`: serve instead of measuring everything.
pub(crate) const SERVE_ENV: &str = "GPU_EXECUTOR_BENCH_SERVE";
/// Comma list of `ID=FACTOR`: these cases have that many times the elements their ids say. It is how `cargo xtask validate-gate` plants
/// slowdowns of real work to see whether they are found; nothing else reads it.
const PLANT_ENV: &str = "GPU_EXECUTOR_BENCH_PLANT";

/// Calls per window whose phases are timed, or as many as a slice has room for.
const PHASED_CALLS: usize = 3;

/// The version of this protocol, in the greeting.
const PROTOCOL: u32 = 1;
/// Times per window at the most.
const MOST_SAMPLES: usize = 2_000;
/// Calls are made for this long between two runs of the calibration kernel.
pub(crate) const SLICE: Duration = Duration::from_millis(2);
/// A window takes no longer than this many times what it is to keep.
const MOST_PATIENCE: u32 = 8;
/// How long the time of a call is looked for, which warms caches up as well.
const PROBE: Duration = Duration::from_millis(5);
/// Calls thrown away at the beginning of a window: the other process has used the caches since.
const REWARM: Duration = Duration::from_millis(1);

/// What this process says.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
enum Answer {
    /// It is ready, and these are its cases.
    Serving { protocol: u32, cases: Vec<String> },
    /// The case is built and right; this is about how long a call takes.
    Prepared { call_ns: u64, calibration_ns: u64 },
    /// A window.
    Measured(Window),
    /// The request cannot be met.
    Failed(String),
}

/// What a window is to be.
struct Request {
    /// Time of quiet calls to collect.
    keep: Duration,
    /// Calls per sample.
    batch: usize,
    /// A calibration kernel slower than this had company.
    limit_ns: u64,
}

/// Calls within some hundredths of a second.
#[derive(Default, Serialize)]
struct Window {
    /// The samples kept; empty if the machine was never quiet.
    samples_ns: Vec<f64>,
    slices: u64,
    slices_kept: u64,
    /// Time of the calibration kernel after each slice.
    calibrations_ns: Vec<u64>,
    /// Counters of each call.
    counters: Counters,
    /// Phases of a few calls more, by name; a phase that was not measured is missing.
    phases_ns: BTreeMap<&'static str, Vec<u64>>,
}

struct Server {
    plan: Plan,
    plants: Vec<(String, f64)>,
    executors: BTreeMap<&'static str, Executor>,
    workloads: BTreeMap<String, (&'static str, Box<dyn Workload>)>,
}

/// Answers requests until standard input ends.
pub(crate) fn serve(plan: Plan) -> ExitCode {
    let plants = match plants() {
        Ok(plants) => plants,
        Err(message) => {
            say(&Answer::Failed(message));
            return ExitCode::from(2);
        }
    };
    let cases = plan.ids();
    let mut server = Server {
        plan,
        plants,
        executors: BTreeMap::new(),
        workloads: BTreeMap::new(),
    };
    say(&Answer::Serving {
        protocol: PROTOCOL,
        cases,
    });
    for request in std::io::stdin().lock().lines().map_while(Result::ok) {
        say(&server.answer(&request).unwrap_or_else(Answer::Failed));
    }
    ExitCode::SUCCESS
}

impl Server {
    fn answer(&mut self, request: &str) -> Result<Answer, String> {
        let wrong = || format!("`{request}` is no request");
        match request.split_once(' ').ok_or_else(wrong)? {
            ("prepare", id) => self.prepare(id),
            ("measure", rest) => {
                let (id, numbers) = rest.split_once(' ').ok_or_else(wrong)?;
                self.measure(id, &numbers.parse().map_err(|_| wrong())?)
            }
            _ => Err(wrong()),
        }
    }

    fn prepare(&mut self, id: &str) -> Result<Answer, String> {
        let (operator, backend, case) = self.plan.find(id)?;
        let planted = self.plants.iter().find(|(planted, _)| planted == id);
        let case = planted.map_or(case, |(_, factor)| Case {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a size")]
            size: (case.size as f64 * factor).round() as usize,
            ..case
        });
        let executor = self.executor(backend)?;
        let workload = (operator.workload)(case.size, case.tasks, 1);
        // A benchmark is a test as well: a fast wrong result is worth nothing.
        workload.check(executor).map_err(|error| error.to_string())?;
        let call = crate::probe(&*workload, executor, PROBE).map_err(|error| error.to_string())?;
        self.workloads.insert(id.to_owned(), (backend.name(), workload));
        Ok(Answer::Prepared {
            call_ns: u64::try_from(call.as_nanos()).unwrap_or(u64::MAX),
            calibration_ns: calibration::time_ns(),
        })
    }

    /// The executor of a backend, opened when the first of its cases is prepared.
    fn executor(&mut self, backend: Backend) -> Result<&Executor, String> {
        if !self.executors.contains_key(backend.name()) {
            let opened = Executor::from_env(backend).and_then(|executor| executor.tune().map(|_| executor));
            let executor = opened.map_err(|error| format!("{backend}: {error}"))?;
            self.executors.insert(backend.name(), executor);
        }
        Ok(&self.executors[backend.name()])
    }

    /// Measures until calls of `request.keep` were made while the machine was quiet, or eight times as long.
    ///
    /// A neighbour on the machine comes and goes within hundredths of a second and slows everything down by half or more. So the
    /// calls are made in slices with the calibration kernel between them, and of a slice next to which that kernel was slow
    /// nothing is kept: decided without looking at the calls.
    fn measure(&mut self, id: &str, request: &Request) -> Result<Answer, String> {
        let (backend, workload) = self.workloads.get(id).ok_or_else(|| format!("{id} is not prepared"))?;
        let executor = &self.executors[backend];
        let start = Instant::now();
        while start.elapsed() < REWARM {
            workload.run(executor).map_err(|error| error.to_string())?;
        }
        let mut window = Window::default();
        let mut kept = Duration::ZERO;
        let (before, mut calls) = (executor.counters(), 0);
        let mut calibration_ns = calibration::time_ns();
        let start = Instant::now();
        while kept < request.keep
            && start.elapsed() < MOST_PATIENCE * request.keep
            && window.samples_ns.len() < MOST_SAMPLES
        {
            let mut slice_ns = Vec::new();
            let slice = Instant::now();
            while slice_ns.is_empty() || slice.elapsed() < SLICE {
                let mut wall = Duration::ZERO;
                for _ in 0..request.batch {
                    wall += workload.run(executor).map_err(|error| error.to_string())?;
                }
                calls += request.batch as u64;
                slice_ns.push(wall.as_nanos() as f64 / request.batch as f64);
            }
            let lasted = slice.elapsed();
            let between_ns = calibration_ns;
            calibration_ns = calibration::time_ns();
            window.calibrations_ns.push(calibration_ns);
            window.slices += 1;
            if between_ns.max(calibration_ns) <= request.limit_ns {
                kept += lasted;
                window.slices_kept += 1;
                window.samples_ns.append(&mut slice_ns);
            }
        }
        let counters = (executor.counters() - before).exact();
        window.counters = counters
            .per_call(calls)
            .ok_or_else(|| format!("calls differ in what they cost: {calls} calls counted {counters:?}"))?;
        let mut phases_ns: BTreeMap<&'static str, Vec<u64>> = BTreeMap::new();
        // The first call makes what times the others.
        workload.run_timed(executor).map_err(|error| error.to_string())?;
        let start = Instant::now();
        for _ in 0..PHASED_CALLS {
            let Some(phases) = workload.run_timed(executor).map_err(|error| error.to_string())? else {
                break;
            };
            let named = [
                ("upload", Some(phases.upload)),
                ("queue", Some(phases.queue)),
                ("device", phases.device),
                ("readback", Some(phases.readback)),
            ];
            for (name, time) in named {
                let nanos = time.and_then(|time| u64::try_from(time.as_nanos()).ok());
                phases_ns.entry(name).or_default().extend(nanos);
            }
            if start.elapsed() >= SLICE {
                break;
            }
        }
        if calibration_ns.max(calibration::time_ns()) <= request.limit_ns {
            window.phases_ns = phases_ns;
        }
        Ok(Answer::Measured(window))
    }
}

impl FromStr for Request {
    type Err = std::num::ParseIntError;

    /// Reads `KEEP_MILLISECONDS BATCH LIMIT_NANOSECONDS`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut numbers = text.split(' ');
        let mut next = || numbers.next().unwrap_or_default();
        Ok(Self {
            keep: Duration::from_millis(next().parse()?),
            batch: next().parse::<usize>()?.max(1),
            limit_ns: next().parse()?,
        })
    }
}

fn plants() -> Result<Vec<(String, f64)>, String> {
    let Ok(list) = std::env::var(PLANT_ENV) else {
        return Ok(Vec::new());
    };
    let plant = |entry: &str| {
        let wrong = || format!("{PLANT_ENV}: `{entry}` is not of the form `vector_add/cpu/1000=1.05`");
        let (id, factor) = entry.split_once('=').ok_or_else(wrong)?;
        let factor: f64 = factor.parse().map_err(|_| wrong())?;
        if (0.1..=10.0).contains(&factor) {
            Ok((id.to_owned(), factor))
        } else {
            Err(wrong())
        }
    };
    list.split(',').map(plant).collect()
}

#[expect(clippy::print_stdout, reason = "the protocol with xtask")]
fn say(answer: &Answer) {
    let json = serde_json::to_string(answer).expect("plain data is always JSON");
    println!("gpu-executor-bench: {json}");
    // Nobody to tell is no reason to stop.
    let _ = std::io::stdout().flush();
}
