//! Measures what the router costs: every operator at many sizes on every device and on the one that
//! the router picks, in short steps and in loops. Prints the crossover of each operator with its
//! interval, and the router's regret against the best device of each case.
//!
//! `cargo run --release --example regret`; `-- --help` lists the flags. The router is calibrated in
//! an empty folder first.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "what it is for")]

mod alternation;
mod crossover;
mod flags;
mod tried;
mod uses;

use std::{
    error::Error,
    path::Path,
    process::ExitCode,
    time::{Duration, Instant},
};

use alternation::{Comparison, Mode, median, ratio, ratio_of_means};
use crossover::Crossover;
use flags::Flags;
use gpu_executor::{
    Backend, Hybrid, HybridOptions, Options, Route,
    testkit::{OPERATORS, Operator},
};
use tried::Tried;
use uses::Use;

/// What the router may cost: of all cases the median, and the worst outside of the crossover band.
const MAX_MEDIAN: f64 = 0.05;
const MAX_WORST: f64 = 0.20;

/// Shorter calls are told of apart, in nanoseconds: of them the decision itself is a part worth
/// naming.
const SHORT_S: f64 = 1e-6;

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
    /// Where the first call of the case ran, by the calibration alone, and what that device costs
    /// beyond the best.
    first: Backend,
    first_regret: f64,
    route: Route,
    /// What the router costs beyond the best device, as part of the best one's time.
    regret: f64,
    /// What that lies in.
    interval: [f64; 2],
    /// What a device costs beyond itself: the measure's own error.
    control: f64,
    /// The same of the mean in place of the median: every call counts, those that try another
    /// device too.
    mean_regret: Option<f64>,
    in_band: bool,
    /// Seconds of a call on each device.
    devices: Vec<(Backend, f64)>,
    /// Details of each variant, for cases that need an explanation.
    details: Vec<String>,
}

impl Row {
    /// A device's time over the CPU's.
    fn ratio(&self, backend: Backend) -> Option<f64> {
        let seconds = |wanted| self.devices.iter().find(|(b, _)| *b == wanted).map(|(_, s)| *s);
        Some(seconds(backend)? / seconds(Backend::Cpu)?)
    }

    fn print(&self) {
        let predicted = self
            .route
            .predicted()
            .find(|(backend, _)| *backend == self.route.backend);
        println!(
            "| {} | {} | {:.3?} | {} | {} {:+.1} % | {} | {} | {:+.1} % ({:+.1} to {:+.1}) | {:+.1} % | {} |",
            self.case(),
            self.best,
            Duration::from_secs_f64(self.best_s),
            self.margin.map_or_else(String::new, |margin| format!("{margin:.2} ×")),
            self.first,
            self.first_regret * 100.0,
            self.route.backend,
            predicted.map_or_else(String::new, |(_, time)| format!("{time:.1?}")),
            self.regret * 100.0,
            self.interval[0] * 100.0,
            self.interval[1] * 100.0,
            self.control * 100.0,
            if self.in_band { "crossover band" } else { "" }
        );
    }

    fn case(&self) -> String {
        match self.tasks {
            1 => format!("{}/{}", self.operator, self.size),
            tasks => format!("{}/{tasks}x{}", self.operator, self.size),
        }
    }
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
    let hybrid = router(&folder)?;
    println!("gpu-executor {}", env!("CARGO_PKG_VERSION"));
    for info in hybrid.adapters() {
        let driver = match info.backend {
            Backend::Cpu => String::new(),
            _ => format!(", {} {}", info.driver, info.driver_version),
        };
        println!("{}: {} ({}{driver})", info.backend, info.name, info.kind);
    }
    println!("threads: {}", std::thread::available_parallelism()?);
    calibrate(&hybrid)?;

    let tried = Tried::read(&hybrid)?;
    for &mode in &flags.modes {
        // Another one with the same tables: it has learned nothing yet.
        compare(&router(&folder)?, mode, &tried, flags)?;
    }
    // Nothing but this run's own tables is in it.
    let _ = std::fs::remove_dir_all(folder);
    Ok(())
}

/// A router whose tables are in a folder.
fn router(folder: &Path) -> Result<Hybrid, gpu_executor::Error> {
    Hybrid::new(HybridOptions::from_env()?.executor(Options::from_env()?.cache_dir(folder)))
}

/// Measures all cases in one of the two ways.
fn compare(hybrid: &Hybrid, mode: Mode, tried: &Tried, flags: &Flags) -> Result<(), Box<dyn Error>> {
    println!("\n## {mode:?}");
    let uses = || uses::all().filter(|of| flags.wants(of.operator.name));
    let gpus = || {
        let backends = hybrid.adapters().map(|info| info.backend);
        backends.filter(|&backend| backend != Backend::Cpu)
    };
    let mut crossovers = Vec::new();
    for of in uses().filter(|_| mode == Mode::Alternation) {
        for backend in gpus() {
            eprintln!("crossover of {} with {backend}", of.operator.name);
            crossovers.push(crossover::find(hybrid, &of, backend, flags)?);
        }
    }
    if mode == Mode::Alternation {
        crossover::print(&crossovers);
    }
    println!(
        "\n| case | best | time | next best | by calibration alone | router | predicted | regret (interval) | control | |"
    );
    println!("|---|---|--:|--:|---|---|--:|--:|--:|---|");
    let mut rows = Vec::new();
    for Use { operator, most } in uses() {
        let mut of_operator = Vec::new();
        for (size, tasks) in flags.cases().filter(|(size, tasks)| size * tasks <= most) {
            eprintln!("{} {tasks}x{size}", operator.name);
            if tasks == 1 && tried.contains(operator.name, size) {
                println!("| {}/{size} | left out: the calibration tried it |", operator.name);
                continue;
            }
            of_operator.extend(measure(hybrid, &operator, (size, tasks), mode, flags)?);
        }
        if mode == Mode::Loops {
            for backend in gpus() {
                let single = of_operator.iter().filter(|row| row.tasks == 1);
                let ratios: Vec<_> = single.filter_map(|row| Some((row.size, row.ratio(backend)?))).collect();
                crossovers.push(crossover::between(operator.name, backend, &ratios));
            }
        }
        for row in &mut of_operator {
            let is_near = |c: &Crossover| c.operator == row.operator && c.is_near(row.size, BAND);
            row.in_band = row.tasks == 1 && crossovers.iter().any(is_near);
            row.print();
        }
        rows.extend(of_operator);
    }
    print(&rows);
    Ok(())
}

/// The first call of each operator calibrates it; says how long that took.
fn calibrate(hybrid: &Hybrid) -> Result<(), Box<dyn Error>> {
    println!("\n| first call of | took |\n|---|--:|");
    let mut all = Duration::ZERO;
    for operator in OPERATORS {
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
    mode: Mode,
    flags: &Flags,
) -> Result<Option<Row>, Box<dyn Error>> {
    let workload = (operator.workload)(size, tasks, 7);
    let first = workload.check_routed(hybrid)?.backend;
    let mut comparison = Comparison::new(hybrid, workload.as_ref())?;
    let Some(calls) = comparison.hold(mode, flags)? else {
        return Ok(None);
    };
    let backends: Vec<Backend> = comparison.backends().collect();
    let (of_devices, of_router) = calls.split_at(backends.len());
    let mut by_time: Vec<usize> = (0..backends.len()).collect();
    by_time.sort_by(|&a, &b| of_devices[a].median().total_cmp(&of_devices[b].median()));
    let best = by_time[0];
    let best_s = of_devices[best].median();
    let (_, route) = workload.run_routed(hybrid)?;
    let regret_of = |calls| ratio(calls, &of_devices[best]).median - 1.0;
    let [of_router, of_control] = of_router else {
        unreachable!("the router and the control behind the devices");
    };
    let regret = ratio(of_router, &of_devices[best]);
    let first_device = backends.iter().position(|&b| b == first).expect("one of them");
    let mut row = Row {
        operator: operator.name,
        size,
        tasks,
        best: backends[best],
        best_s,
        margin: by_time.get(1).map(|&second| of_devices[second].median() / best_s),
        first,
        first_regret: regret_of(&of_devices[first_device]),
        route,
        regret: regret.median - 1.0,
        interval: regret.interval.map(|ratio| ratio - 1.0),
        control: ratio(of_control, &of_devices[comparison.control()]).median - 1.0,
        mean_regret: ratio_of_means(of_router, &of_devices[best]).map(|ratio| ratio - 1.0),
        in_band: false,
        devices: backends
            .iter()
            .zip(of_devices)
            .map(|(&b, calls)| (b, calls.median()))
            .collect(),
        details: Vec::new(),
    };
    if (row.regret > MAX_WORST || row.first_regret > MAX_WORST) && best_s >= SHORT_S {
        for (device, backend) in backends.iter().enumerate() {
            let predicted = row.route.predicted().find(|(b, _)| b == backend);
            row.details.push(format!(
                "{backend}: {:.1?}, predicted {}, {:.1} faults a call; {}",
                Duration::from_secs_f64(of_devices[device].median()),
                predicted.map_or_else(|| "nothing".to_owned(), |(_, time)| format!("{time:.1?}")),
                of_devices[device].faults_per_call(),
                comparison.phases(device)?
            ));
        }
        row.details.push(format!(
            "router: {:.1?}, {:.1} faults a call; {}",
            Duration::from_secs_f64(of_router.median()),
            of_router.faults_per_call(),
            row.route
        ));
    }
    Ok(Some(row))
}

fn print(rows: &[Row]) {
    for row in rows.iter().filter(|row| !row.details.is_empty()) {
        println!("\n{}, regret {:+.1} %:", row.case(), row.regret * 100.0);
        for line in &row.details {
            println!("  {line}");
        }
    }
    println!("\n| regret | of the router | by calibration alone | of the control | target |\n|---|--:|--:|--:|--:|");
    let long: Vec<&Row> = rows.iter().filter(|row| row.best_s >= SHORT_S).collect();
    let outside: Vec<&Row> = long.iter().copied().filter(|row| !row.in_band).collect();
    let short: Vec<&Row> = rows.iter().filter(|row| row.best_s < SHORT_S).collect();
    let of_router: fn(&Row) -> f64 = |row| row.regret;
    let of_first: fn(&Row) -> f64 = |row| row.first_regret;
    let of_control: fn(&Row) -> f64 = |row| row.control;
    let middle = |of: fn(&Row) -> f64| {
        let all: Vec<f64> = rows.iter().map(|row| of(row).max(0.0)).collect();
        if all.is_empty() { f64::NAN } else { median(&all) }
    };
    let verdict = |value: f64, most: f64| if value <= most { "met" } else { "missed" };
    println!(
        "| median of all {} cases | {:.1} % | {:.1} % | {:.1} % | 5 %: {} |",
        rows.len(),
        middle(of_router) * 100.0,
        middle(of_first) * 100.0,
        middle(of_control) * 100.0,
        verdict(middle(of_router), MAX_MEDIAN)
    );
    let worst = |rows: &[&Row], of: fn(&Row) -> f64| -> (f64, String) {
        let worst = rows.iter().max_by(|a, b| of(a).total_cmp(&of(b)));
        worst.map_or((f64::NAN, String::new()), |row| (of(row), row.case()))
    };
    let groups = [("1 µs or more", &outside), ("less than 1 µs", &short)];
    for (name, rows) in groups.into_iter().filter(|(_, rows)| !rows.is_empty()) {
        let (router, case) = worst(rows, of_router);
        let (first, first_case) = worst(rows, of_first);
        let (control, control_case) = worst(rows, of_control);
        println!(
            "| worst of {} cases of {name}, outside the crossover band | {:.1} % ({case}) | {:.1} % ({first_case}) | {:.1} % ({control_case}) | 20 %: {} |",
            rows.len(),
            router * 100.0,
            first * 100.0,
            control * 100.0,
            verdict(router, MAX_WORST)
        );
        let over = |of: fn(&Row) -> f64| rows.iter().filter(|row| of(row) > MAX_WORST).count();
        println!(
            "| of these over 20 %; with all of the interval | {}; {} | {} | {} | |",
            over(of_router),
            over(|row| row.interval[0]),
            over(of_first),
            over(of_control)
        );
    }
    let mean = |row: &&Row| Some((row.mean_regret?, row.case()));
    let mut means: Vec<(f64, String)> = outside.iter().filter_map(mean).collect();
    means.sort_by(|a, b| a.0.total_cmp(&b.0));
    if let Some((most, case)) = means.last() {
        println!(
            "| the same with means in place of medians, so that trials count: worst, and median | {:.1} % ({case}), {:.1} % | | | |",
            most * 100.0,
            means[means.len() / 2].0 * 100.0
        );
    }
    let most_ns = short
        .iter()
        .map(|row| row.regret * row.best_s * 1e9)
        .fold(f64::NAN, f64::max);
    if !short.is_empty() {
        println!("| most of cases of less than 1 µs | {most_ns:.0} ns | | | |");
    }
    let wrong = |of: fn(&Row) -> Backend| outside.iter().filter(|row| of(row) != row.best).count();
    println!(
        "| outside the band on another device than the best | {} | {} | | |",
        wrong(|row| row.route.backend),
        wrong(|row| row.first)
    );
}
