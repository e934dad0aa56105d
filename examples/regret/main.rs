//! Measures what the router costs: every operator at many sizes on every device and on the one that the router picks, in turns.
//! Prints the crossover of each operator with its interval, and the router's regret against the best device of each case.
//!
//! `cargo run --release --example regret`; `-- --help` lists the flags. The router is calibrated in an empty folder first.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "what it is for")]

mod crossover;
mod flags;
mod turns;

use std::{
    error::Error,
    process::ExitCode,
    time::{Duration, Instant},
};

use crossover::Crossover;
use flags::Flags;
use gpu_executor::{
    Backend, Hybrid, HybridOptions, Options, Route,
    op::{self, Operator},
};
use turns::{Contest, median, ratio};

/// What the router may cost: of all cases the median, and the worst outside of the crossover band.
const MOST_MEDIAN: f64 = 0.05;
const MOST_WORST: f64 = 0.20;

/// Of shorter calls the decision itself, some tens of nanoseconds, is a part worth naming.
const LONG_S: f64 = 10e-6;

/// The band is the crossover's interval, wider by this factor on both sides.
const BAND: f64 = 1.5;

/// One line of the table.
struct Row {
    operator: &'static str,
    size: usize,
    tasks: usize,
    best: Backend,
    best_s: f64,
    /// The second best device's time over the best one's.
    margin: Option<f64>,
    route: Route,
    /// What the router costs beyond the best device, as part of the best one's time.
    regret: f64,
    in_band: bool,
}

fn main() -> ExitCode {
    env_logger::init();
    match Flags::parse(std::env::args().skip(1)) {
        Err(message) => {
            eprintln!("{message}");
            ExitCode::from(2)
        }
        Ok(flags) => match run(&flags) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("{error}");
                ExitCode::FAILURE
            }
        },
    }
}

fn run(flags: &Flags) -> Result<(), Box<dyn Error>> {
    let folder = std::env::temp_dir().join(format!("gpu-executor-regret-{}", std::process::id()));
    let hybrid = Hybrid::new(HybridOptions {
        executor: Options {
            cache_dir: Some(folder.clone()),
            ..Options::default()
        },
        ..HybridOptions::default()
    })?;
    println!("gpu-executor {}", env!("CARGO_PKG_VERSION"));
    for info in hybrid.adapters() {
        println!(
            "{}: {} ({}, {} {})",
            info.backend, info.name, info.kind, info.driver, info.driver_version
        );
    }
    println!("threads: {}", std::thread::available_parallelism()?);
    calibrate(&hybrid)?;

    let operators = || op::ALL.iter().filter(|operator| flags.wants(operator.name));
    let mut crossovers = Vec::new();
    for operator in operators() {
        for info in hybrid.adapters().filter(|info| info.backend != Backend::Cpu) {
            eprintln!("crossover of {} with {}", operator.name, info.backend);
            crossovers.push(crossover::find(&hybrid, operator, info.backend, flags)?);
        }
    }
    crossover::print(&crossovers);

    let mut rows = Vec::new();
    for operator in operators() {
        for (size, tasks) in flags.cases() {
            eprintln!("{} {tasks}x{size}", operator.name);
            if let Some(row) = measure(&hybrid, operator, (size, tasks), &crossovers, flags)? {
                rows.push(row);
            }
        }
    }
    print(&rows);
    // Nothing but this run's own tables is in it.
    let _ = std::fs::remove_dir_all(folder);
    Ok(())
}

/// The first call of each operator calibrates it; says how long that took.
fn calibrate(hybrid: &Hybrid) -> Result<(), Box<dyn Error>> {
    println!("\n| first call of | took |\n|---|--:|");
    let mut all = Duration::ZERO;
    for operator in op::ALL {
        let workload = (operator.workload)(1, 1, 1);
        let begin = Instant::now();
        workload.run_routed(hybrid)?;
        all += begin.elapsed();
        println!("| {} | {:.1?} |", operator.name, begin.elapsed());
    }
    println!("| all | {all:.1?} |");
    Ok(())
}

/// Measures one case; `None` if a call takes too long for it.
fn measure(
    hybrid: &Hybrid,
    operator: &Operator,
    (size, tasks): (usize, usize),
    crossovers: &[Crossover],
    flags: &Flags,
) -> Result<Option<Row>, Box<dyn Error>> {
    let workload = (operator.workload)(size, tasks, 7);
    workload.check_routed(hybrid)?;
    let mut contest = Contest::new(hybrid, workload.as_ref())?;
    let Some(times) = contest.hold(flags)? else {
        return Ok(None);
    };
    let mut devices: Vec<(Backend, f64)> = contest
        .backends()
        .zip(times.iter().map(|times| median(times)))
        .collect();
    let routed = &times[devices.len()];
    devices.sort_by(|a, b| a.1.total_cmp(&b.1));
    let (best, best_s) = devices[0];
    let best_index = contest
        .backends()
        .position(|backend| backend == best)
        .expect("one of them");
    let (_, route) = workload.run_routed(hybrid)?;
    Ok(Some(Row {
        operator: operator.name,
        size,
        tasks,
        best,
        best_s,
        margin: devices.get(1).map(|second| second.1 / best_s),
        route,
        regret: ratio(routed, &times[best_index]) - 1.0,
        in_band: tasks == 1
            && crossovers
                .iter()
                .any(|c| c.operator == operator.name && c.is_near(size, BAND)),
    }))
}

fn print(rows: &[Row]) {
    println!("\n| case | best | time | next best | router | predicted | regret | |");
    println!("|---|---|--:|--:|---|--:|--:|---|");
    for row in rows {
        let case = match row.tasks {
            1 => format!("{}/{}", row.operator, row.size),
            tasks => format!("{}/{tasks}x{}", row.operator, row.size),
        };
        let predicted = row.route.predicted().find(|(backend, _)| *backend == row.route.backend);
        println!(
            "| {case} | {} | {:.3?} | {} | {} | {} | {:+.1} % | {} |",
            row.best,
            Duration::from_secs_f64(row.best_s),
            row.margin.map_or_else(String::new, |margin| format!("{margin:.2} ×")),
            row.route.backend,
            predicted.map_or_else(String::new, |(_, time)| format!("{time:.3?}")),
            row.regret * 100.0,
            if row.in_band { "crossover band" } else { "" }
        );
    }
    let mut regrets: Vec<f64> = rows.iter().map(|row| row.regret.max(0.0)).collect();
    regrets.sort_by(f64::total_cmp);
    let outside = rows.iter().filter(|row| !row.in_band);
    let worst = outside.clone().max_by(|a, b| a.regret.total_cmp(&b.regret));
    let wrong = outside.filter(|row| row.route.backend != row.best).count();
    println!("\n| | measured | target |\n|---|--:|--:|");
    println!("| cases | {} | |", rows.len());
    if let (false, Some(worst)) = (regrets.is_empty(), worst) {
        let verdict = |value: f64, most: f64| if value <= most { "met" } else { "missed" };
        let middle = median(&regrets);
        println!(
            "| median regret | {:.1} % | 5 %: {} |",
            middle * 100.0,
            verdict(middle, MOST_MEDIAN)
        );
        println!(
            "| worst regret outside the crossover band ({}/{}x{}) | {:.1} % | 20 %: {} |",
            worst.operator,
            worst.tasks,
            worst.size,
            worst.regret * 100.0,
            verdict(worst.regret, MOST_WORST)
        );
        let long = rows.iter().filter(|row| !row.in_band && row.best_s >= LONG_S);
        if let Some(row) = long.max_by(|a, b| a.regret.total_cmp(&b.regret)) {
            println!(
                "| the same of calls that take 10 µs or longer ({}/{}x{}) | {:.1} % | |",
                row.operator,
                row.tasks,
                row.size,
                row.regret * 100.0
            );
        }
        println!("| cases outside the band that ran on another device than the best | {wrong} | |");
    }
}
