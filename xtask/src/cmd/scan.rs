//! `cargo xtask scan`: from how many elements on a GPU is faster than the CPU.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use bench_gate::{
    files,
    html::report::{self, Pictures},
    process::{self, Refusal, Serving, Start},
    progress::Progress,
    stat::quantile::median,
};
use bench_recorder::wire::{Measure, Window};
use xshell::{Shell, cmd};

use crate::{
    cmd::bench::{Backends, backends},
    error::Error,
    exit::Exit,
    host::{
        adapters::{Listing, list},
        build::{self, Programs},
        console,
        lock::Lock,
        quiet_display, workspace,
    },
    scan::{Clock, Measured, SCHEMA, Scan, Scanned, crossovers_csv, csv, curves_csv, grid, page, table},
};

const SMALLEST: u64 = 256;
/// No call of the CPU longer than this is waited for: the largest size is made smaller instead.
const MAX_CALL_NS: f64 = 300e6;
const WINDOW_NS: u64 = 15_000_000;
/// What keeps a GPU busy before a window, and the longest call of it.
const BUSY_NS: u64 = 60_000_000;
const MAX_BUSY_CALL_NS: f64 = 20e6;
const MAX_SAMPLES: u64 = 2_000;
/// A program that says nothing for so long hangs: drivers compile kernels for a while.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cargo xtask scan                                     every operator on every GPU backend
  cargo xtask scan --op vector_add --backend vulkan --seed-format --out vulkan.csv
  cargo xtask scan --label linux --save linux.json     to be shown beside others
  cargo xtask scan --from linux.json --from windows.json --html scan.html --open
  cargo xtask scan --label h200 --data docs/data       the figures of the documents

Sizes are measured on CPU and GPU alternately, eight times apart at first, then closer around the crossing. The interval holds the
crossings of all rounds: with 7 of them, 98 % of medians.")]
pub(crate) struct Flags {
    /// Operators to scan [default: all]
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    op: Option<Vec<String>>,
    /// Backends to scan, of vulkan, gles, dx12, metal [default: all there are]
    #[arg(long, value_name = "LIST", env = "GPU_EXECUTOR_BACKENDS", value_parser = backends)]
    backend: Option<Backends>,
    /// Elements at the most; fewer where the CPU takes longer than 0.3 s
    #[arg(long, value_name = "N", default_value_t = 1 << 24, value_parser = clap::value_parser!(u64).range(512..=1 << 30))]
    up_to: u64,
    /// Times that each size is measured
    #[arg(long, value_name = "N", default_value_t = 7, value_parser = clap::value_parser!(u64).range(3..=101))]
    rounds: u64,
    /// Whether the GPU is kept busy before its calls [default: both ways; on software adapters as it comes]
    #[arg(long, value_enum)]
    clock: Option<Clock>,
    /// What to call this machine where several are shown
    #[arg(long, value_name = "NAME", default_value = "here")]
    label: String,
    /// Keep the result in this file, for --from
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    /// Measure nothing: show what --save kept, of several machines beside each other
    #[arg(long, value_name = "FILE", conflicts_with_all = ["save", "label"])]
    from: Vec<PathBuf>,
    /// How to write it
    #[arg(long, value_enum, default_value_t = Format::Text, conflicts_with = "seed_format")]
    format: Format,
    /// CSV of one operator on one backend: size,device,duration_ms,first,backend_mask_hint
    #[arg(long)]
    seed_format: bool,
    /// Write the result into this file instead of to standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Write a page with the curves into this file as well
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Write each curve's figure as SVG beside that page
    #[arg(long, requires = "html")]
    svg: bool,
    /// Write crossovers-LABEL.csv and curves-LABEL.csv into this folder, as `cargo xtask docs` reads them
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The commit the program was built from, for --data [default: what git says]
    #[arg(long, value_name = "REV")]
    commit: Option<String>,
    /// Open that page in a browser
    #[arg(long, requires = "html")]
    open: bool,
    /// The bench program, built elsewhere: nothing is built here
    #[arg(long, value_name = "PATH")]
    program: Option<PathBuf>,
    /// The listing of adapters built elsewhere [default: `adapters` beside --program]
    #[arg(long, value_name = "PATH", requires = "program")]
    adapters: Option<PathBuf>,
}

/// How a scan is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Text,
    Markdown,
    Json,
}

pub(crate) fn run(flags: &Flags) -> Result<Exit, Error> {
    let scans = match flags.from.is_empty() {
        true => vec![measure(flags)?],
        false => flags.from.iter().map(|path| load(path)).collect::<Result<_, _>>()?,
    };
    if let Some(save) = &flags.save {
        files::write(save, files::json(&scans[0]).as_bytes())?;
        console::status("Wrote", &save.display().to_string());
    }
    let text = match flags.format {
        _ if flags.seed_format => csv(single(&scans)?),
        Format::Text => table(&scans).text(),
        Format::Markdown => table(&scans).markdown(),
        Format::Json => files::json(&scans),
    };
    match &flags.out {
        Some(out) => files::write(out, text.as_bytes())?,
        None => console::result(&text),
    }
    if let Some(folder) = &flags.data {
        let commit = commit(flags)?;
        let mut by_label: BTreeMap<&str, Vec<&Scan>> = BTreeMap::new();
        for scan in &scans {
            by_label.entry(&scan.label).or_default().push(scan);
        }
        for (label, scans) in &by_label {
            for (name, csv) in [
                ("crossovers", crossovers_csv(scans, &commit)),
                ("curves", curves_csv(scans, &commit)),
            ] {
                let path = folder.join(format!("{name}-{label}.csv"));
                files::write(&path, csv.as_bytes())?;
                console::status("Wrote", &path.display().to_string());
            }
        }
    }
    if let Some(html) = &flags.html {
        let pictures = Pictures {
            svg: flags.svg,
            png: false,
        };
        report::write(&page(&scans), html, pictures)?;
        console::status("Wrote", &html.display().to_string());
        if flags.open {
            report::open(html)?;
        }
    }
    Ok(Exit::Pass)
}

/// The commit that was measured.
fn commit(flags: &Flags) -> Result<String, Error> {
    match &flags.commit {
        Some(commit) => Ok(commit.clone()),
        None => {
            let sh = Shell::new()?;
            sh.change_dir(workspace::root());
            let commit = cmd!(sh, "git describe --always --dirty").quiet().read();
            commit.map_err(|error| Error::Usage(format!("--data needs --commit: {error}")))
        }
    }
}

fn load(path: &Path) -> Result<Scan, Error> {
    let data = |line: u64, message: String| Error::Data {
        path: path.to_owned(),
        line,
        message,
    };
    let text = files::read(path)?;
    let scan: Scan = serde_json::from_str(&text).map_err(|error| data(error.line() as u64, error.to_string()))?;
    match scan.schema {
        SCHEMA => Ok(scan),
        other => Err(data(
            1,
            format!("the scan has schema {other}, this program reads schema {SCHEMA}"),
        )),
    }
}

/// The one curve that a CSV can hold.
fn single(scans: &[Scan]) -> Result<&Scanned, Error> {
    let mut curves = scans.iter().flat_map(|scan| &scan.curves);
    match (curves.next(), curves.find(|scanned| scanned.clock == Clock::AsItComes)) {
        (Some(scanned), None) => Ok(scanned),
        (None, _) => Err(Error::Usage("--seed-format: there is no curve".to_owned())),
        _ => Err(Error::Usage(
            "--seed-format holds one operator on one backend: add --op and --backend".to_owned(),
        )),
    }
}

fn measure(flags: &Flags) -> Result<Scan, Error> {
    let _lock = match &flags.program {
        None => Some(Lock::take(&workspace::runs())?),
        // There may be no workspace where programs are carried to.
        Some(_) => None,
    };
    let programs = match &flags.program {
        Some(program) => Programs::elsewhere(program, flags.adapters.as_deref())?,
        None => build::programs()?,
    };
    let listing = list(&programs.adapters)?;
    let found: Vec<String> = listing
        .picked
        .iter()
        .map(|adapter| adapter.print.backend.clone())
        .collect();
    let wanted = |backend: &&String| {
        let asked = flags.backend.as_ref();
        *backend != "cpu" && asked.is_none_or(|asked| asked.0.contains(backend))
    };
    let backends: Vec<&String> = found.iter().filter(wanted).collect();
    if backends.is_empty() {
        return Err(Error::Usage(
            "no adapter to scan; `cargo xtask adapters` says what there is".to_owned(),
        ));
    }
    let folder = tempfile::tempdir().map_err(Error::io("create a folder in", &std::env::temp_dir()))?;
    let command = command(&programs.bench);
    let start = Start {
        command: &command,
        core: None,
        folder: folder.path(),
        patience: PATIENCE,
    };
    let ops = operators(flags, &start)?;
    let progress = Progress::new(ops.len() * backends.len(), 1);
    let mut curves = Vec::new();
    for op in &ops {
        for backend in &backends {
            for clock in clocks(flags, &listing, backend) {
                progress.begin(&format!("{op}/{backend}, {}", clock.word()));
                let mut runner = Runner::start(&start)?;
                curves.push(runner.scan(op, backend, clock, flags)?);
            }
        }
    }
    drop(progress);
    let adapters = listing.picked.iter().map(|adapter| {
        let print = &adapter.print;
        (
            print.backend.clone(),
            format!("{}, {} {}", print.name, print.driver, print.driver_version),
        )
    });
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    Ok(Scan {
        schema: SCHEMA,
        label: flags.label.clone(),
        started: jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        command: format!("cargo xtask {}", arguments.join(" ")),
        adapters: adapters.collect(),
        curves,
    })
}

/// A software adapter has no clock of its own.
fn clocks(flags: &Flags, listing: &Listing, backend: &str) -> Vec<Clock> {
    match flags.clock {
        Some(clock) => vec![clock],
        None if listing.is_software(backend) || flags.seed_format => vec![Clock::AsItComes],
        None => vec![Clock::AsItComes, Clock::KeptBusy],
    }
}

/// Starts the bench program for every backend there is.
fn command(program: &Path) -> impl Fn() -> Command {
    let program = program.to_owned();
    move || {
        let mut command = Command::new(&program);
        command.env_remove("GPU_EXECUTOR_BACKENDS");
        quiet_display(&mut command);
        command
    }
}

/// The operators asked for, of those that the program has.
fn operators(flags: &Flags, start: &Start<'_>) -> Result<Vec<String>, Error> {
    let (_, cases) = process::inspect(start)?;
    let mut all: Vec<String> = Vec::new();
    for case in &cases {
        let op = case.split('/').next().unwrap_or_default();
        if !all.iter().any(|known| known == op) {
            all.push(op.to_owned());
        }
    }
    let Some(asked) = &flags.op else { return Ok(all) };
    match asked.iter().find(|op| !all.contains(op)) {
        None => Ok(asked.clone()),
        Some(unknown) => Err(Error::Usage(format!(
            "no operator is named `{unknown}`; there are {}",
            all.join(", ")
        ))),
    }
}

/// A process that makes the calls of both sides, in turns.
struct Runner {
    serving: Serving,
    prepared: BTreeMap<String, f64>,
    cold_ns: BTreeMap<String, u64>,
}

impl Runner {
    fn start(start: &Start<'_>) -> Result<Self, Error> {
        Ok(Self {
            serving: Serving::start(start)?,
            prepared: BTreeMap::new(),
            cold_ns: BTreeMap::new(),
        })
    }

    fn scan(&mut self, op: &str, backend: &str, clock: Clock, flags: &Flags) -> Result<Scanned, Error> {
        let id = |backend: &str, size: u64| format!("{op}/{backend}/{size}");
        // The first call on the device is the cold one, so it comes before everything else.
        let cold_size = SMALLEST;
        self.prepare(&id(backend, cold_size))?;
        let mut scanned = Scanned {
            op: op.to_owned(),
            backend: backend.to_owned(),
            clock,
            sizes: BTreeMap::new(),
            phases_ns: BTreeMap::new(),
            cold_ns: std::mem::take(&mut self.cold_ns),
            cold_size,
        };
        let mut sizes = grid(SMALLEST, flags.up_to);
        let mut busy = id(backend, cold_size);
        while let Some(size) = scanned.next(&sizes) {
            let (cpu, gpu) = (id("cpu", size), id(backend, size));
            let (cpu_ns, gpu_ns) = (self.prepare(&cpu)?, self.prepare(&gpu)?);
            if gpu_ns < MAX_BUSY_CALL_NS && scanned.sizes.keys().next_back().is_none_or(|last| *last < size) {
                busy.clone_from(&gpu);
            }
            let mut measured = Measured::default();
            for round in 0..flags.rounds {
                // Who comes first takes turns as well.
                for side in [round % 2, (round + 1) % 2] {
                    if side == 0 {
                        measured.cpu_ns.push(median(&self.window(&cpu, WINDOW_NS)?.samples_ns));
                        continue;
                    }
                    if clock == Clock::KeptBusy {
                        self.window(&busy, BUSY_NS)?;
                    }
                    let window = self.window(&gpu, WINDOW_NS)?;
                    measured.gpu_ns.push(median(&window.samples_ns));
                    if scanned.sizes.keys().next_back().is_none_or(|last| *last < size) && round + 1 == flags.rounds {
                        scanned.phases_ns = phases(&window);
                    }
                }
            }
            scanned.sizes.insert(size, measured);
            // What takes so long already takes eight times as long at the next size.
            if cpu_ns.max(gpu_ns) > MAX_CALL_NS / 8.0 {
                sizes.retain(|other| *other <= size);
            }
        }
        Ok(scanned)
    }

    /// Has a case built and checked; returns about how long a call takes, in nanoseconds.
    fn prepare(&mut self, id: &str) -> Result<f64, Error> {
        if let Some(call_ns) = self.prepared.get(id) {
            return Ok(*call_ns);
        }
        let prepared = self.serving.prepare(id).map_err(|refusal| refused(id, refusal))?;
        if self.prepared.is_empty() {
            self.cold_ns = prepared.cold_ns;
        }
        self.prepared.insert(id.to_owned(), prepared.call_ns);
        Ok(prepared.call_ns)
    }

    fn window(&mut self, id: &str, time_ns: u64) -> Result<Window, Error> {
        let call_ns = self.prepare(id)?;
        let measure = Measure {
            case: id.to_owned(),
            time_ns,
            // A sample of several calls where one is as short as the clock's ticks.
            batch: ((1_000.0 / call_ns).ceil() as u64).max(1),
            max_samples: MAX_SAMPLES,
            core: None,
        };
        self.serving.measure(measure).map_err(|refusal| refused(id, refusal))
    }
}

fn phases(window: &Window) -> BTreeMap<String, f64> {
    let medians = window
        .phases_ns
        .iter()
        .filter(|(_, times)| !times.is_empty())
        .map(|(name, times)| {
            let times: Vec<f64> = times.iter().map(|ns| *ns as f64).collect();
            (name.clone(), median(&times))
        });
    medians.collect()
}

fn refused(id: &str, refusal: Refusal) -> Error {
    match refusal {
        Refusal::Case(message) => Error::Failed(format!("{id}: {message}")),
        Refusal::Program(error) | Refusal::Tool(error) => error.into(),
    }
}
