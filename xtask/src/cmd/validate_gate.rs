//! `cargo xtask validate-gate`: measures how often `cargo xtask ab` is wrong on this machine.

mod planting;
mod queue;
mod rebuilt;

use std::{
    collections::BTreeMap,
    fs,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use queue::{Job, Queue};

use bench_gate::{
    assess::{
        BASE, CONTROL, Case, HEAD,
        validation::{self, Kind, Suite},
    },
    binding::Binding,
    record::{self, Variant, Window},
    stat::{layout::Layout, plan},
};
use bench_recorder::wire::INJECT_ENV;
use serde::{Deserialize, Serialize};

use crate::{
    ab::report::{Plan, Report, Rules, Side},
    cmd::ab,
    error::Error,
    exit::Exit,
    files,
    fingerprint::{Affinity, SCHEMA},
    host::{
        adapters, affinity, build, console, interrupt,
        lock::Lock,
        machine,
        revision::{self, Builder, Revisions},
        turns::{self, PATIENCE, Turns},
        workspace,
    },
};

/// Sizes of a suite of unchanged code.
const SIZES: &str = "1000,20000,100000";
/// Cases whose calls or processes have two speeds, the worst that a comparison meets; suites of unchanged code have them besides.
const TWO_SPEEDS: [&str; 2] = ["vector_add/cpu/250000", "vector_add/cpu/1000x256"];
/// Kinds of suites, and how many of each make a validation.
const TARGETS: [(Kind, usize); 8] = [
    (Kind::Unchanged, 30),
    (Kind::Rebuilt, 30),
    (Kind::Injected(1), 12),
    (Kind::Injected(3), 12),
    (Kind::Injected(5), 12),
    (Kind::Injected(10), 2),
    (Kind::Injected(-5), 2),
    (Kind::Every(12), 6),
];

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cargo xtask validate-gate                          all suites that are missing, about an hour and a half
  cargo xtask validate-gate --suites 1               one more
  cargo xtask validate-gate --kind rebuilt           those of another build alone
  cargo xtask validate-gate --suites 0               the table of what is there
  cargo xtask validate-gate --lanes 8                eight at a time, on a machine of 16 cores

Slowdowns are planted as more elements of the same work; a suite that was interrupted goes on where it was.")]
pub(crate) struct Flags {
    /// Suites to measure [default: all that are missing]
    #[arg(long, value_name = "N")]
    suites: Option<usize>,
    /// Kinds of suites to measure [default: all]
    #[arg(long, value_name = "KINDS", value_delimiter = ',', value_parser = Kind::named)]
    kind: Vec<Kind>,
    /// Start no suite after so many seconds
    #[arg(long, value_name = "SECONDS")]
    time_budget: Option<u64>,
    /// Pseudo-suites to make by relabelling
    #[arg(long, value_name = "N", default_value_t = 400)]
    relabelled: usize,
    /// Commit whose bench program is validated, when a validation begins
    #[arg(long, value_name = "REVISION", default_value = "HEAD")]
    revision: String,
    /// A bench program built elsewhere, and its revision: nothing is built here, and git is not asked
    #[arg(long, value_name = "PATH[=REVISION]")]
    program: Option<PathBuf>,
    /// The listing of adapters built elsewhere [default: `adapters` beside --program]
    #[arg(long, value_name = "PATH", requires = "program")]
    adapters: Option<PathBuf>,
    /// Another build of the same source, built elsewhere; several may be given
    #[arg(long, value_name = "PATH[=REVISION]", requires = "program")]
    rebuilt: Vec<PathBuf>,
    /// Suites side by side, each on two or more cores of its own, when a validation begins
    #[arg(long, value_name = "N", default_value = "1")]
    lanes: NonZeroUsize,
    /// Folder of the suites [default: target/validate-gate]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// What all suites of a validation have in common.
#[derive(Debug, Serialize, Deserialize)]
struct Setup {
    schema: u32,
    machine: String,
    side: Side,
    backends: Vec<String>,
    /// Backends that compute on the CPU.
    software: Vec<String>,
    /// How tasks reach the adapters.
    #[serde(default)]
    tuning: BTreeMap<String, String>,
    /// Suites that are measured side by side, if more than one.
    #[serde(default)]
    lanes: usize,
}

pub(crate) fn run(flags: &Flags) -> Result<Exit, Error> {
    // Whoever only wants the table measures nothing.
    let _lock = (flags.suites != Some(0))
        .then(|| Lock::take(&workspace::runs()))
        .transpose()?;
    interrupt::note();
    let dir = flags
        .dir
        .clone()
        .unwrap_or_else(|| workspace::target().join("validate-gate"));
    let dir = std::path::absolute(&dir).map_err(Error::io("find", &dir))?;
    let setup = setup(flags, &dir)?;
    let deadline = flags
        .time_budget
        .map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let is_carried = flags.program.is_some();
    // Without other builds there is nothing to compare with them.
    let mut kinds = flags.kind.clone();
    if is_carried && flags.rebuilt.is_empty() {
        if kinds.is_empty() {
            kinds.extend(TARGETS.map(|(kind, _)| kind));
        }
        kinds.retain(|kind| *kind != Kind::Rebuilt);
    }
    let queue = Queue::new(&dir, &kinds, flags.suites, deadline);
    let is_wanted = kinds.is_empty() || kinds.contains(&Kind::Rebuilt);
    // Nothing is compiled while something is measured.
    let heads = if is_carried {
        flags
            .rebuilt
            .iter()
            .map(|program| Side::elsewhere(program))
            .collect::<Result<_, _>>()?
    } else if is_wanted && flags.suites != Some(0) {
        rebuilt::heads(&setup.side, &dir)?
    } else {
        Vec::new()
    };
    if setup.lanes <= 1 || flags.suites == Some(0) {
        work(&queue, &setup, &heads, &dir)?;
    } else {
        let shares = affinity::shares(setup.lanes)?;
        let lane = |share| affinity::within(share, || work(&queue, &setup, &heads, &dir));
        thread::scope(|scope| {
            let lanes: Vec<_> = shares.iter().map(|share| scope.spawn(move || lane(share))).collect();
            let ended = lanes
                .into_iter()
                .map(|lane| lane.join().expect("a lane returns its errors"));
            ended.collect::<Result<Vec<()>, Error>>()
        })?;
    }
    let suites = load(&dir)?;
    let plan = plan::Plan::default();
    let relabelled: Vec<Suite> = [0, 3, 5]
        .into_iter()
        .flat_map(|percent| validation::relabelled(&suites, flags.relabelled, percent, &plan))
        .collect();
    let (measured, relabelled) = (validation::rates(&suites, &plan), validation::rates(&relabelled, &plan));
    let side_by_side = match setup.lanes {
        0 | 1 => String::new(),
        lanes => format!(", {lanes} suites side by side, each on cores of its own"),
    };
    let table = format!(
        "Measured on {}{side_by_side}, with the bench program of commit {}.\n\n{}",
        setup.machine,
        &setup.side.commit[..setup.side.commit.len().min(12)],
        validation::table(&measured, &relabelled)
    );
    files::write(&dir.join("table.md"), table.as_bytes())?;
    console::result(&table);
    console::status("Wrote", &dir.join("table.md").display().to_string());
    Ok(Exit::Pass)
}

/// The setup of a validation that was begun, or a new one.
fn setup(flags: &Flags, dir: &Path) -> Result<Setup, Error> {
    let path = dir.join("setup.json");
    let begun: Option<Setup> = path.exists().then(|| json(&path)).transpose()?;
    if flags.suites == Some(0)
        && let Some(setup) = begun
    {
        return Ok(setup);
    }
    let carried = flags
        .program
        .as_deref()
        .map(|program| build::Programs::elsewhere(program, flags.adapters.as_deref()));
    let program = match carried.transpose()? {
        Some(programs) => programs.adapters,
        None => build::listing()?,
    };
    let listing = adapters::list(&program)?;
    let sh = xshell::Shell::new()?;
    let prints = listing.picked.iter().map(|adapter| adapter.print.clone()).collect();
    let bound = if affinity::is_possible() {
        Affinity::Bound
    } else {
        Affinity::Free
    };
    let machine = machine::fingerprint(&sh, prints, bound, flags.program.is_some())?.id();
    if let Some(setup) = begun {
        return if setup.machine == machine {
            Ok(setup)
        } else {
            Err(Error::Usage(format!(
                "the validation in {} was begun on {}, and this is {machine}: --dir begins another, --suites 0 prints the table",
                dir.display(),
                setup.machine
            )))
        };
    }
    let backend = |adapter: &adapters::Adapter| adapter.print.backend.clone();
    let setup = Setup {
        schema: SCHEMA,
        machine,
        side: match &flags.program {
            Some(program) => Side::elsewhere(program)?,
            None => {
                let revisions = Revisions::own()?;
                kept(&revisions, &mut revisions.builder(), &flags.revision, dir)?
            }
        },
        tuning: ab::tuning(&program, &listing, bound == Affinity::Bound)?,
        backends: listing.picked.iter().map(backend).collect(),
        software: listing
            .picked
            .iter()
            .filter(|a| a.print.kind == "software")
            .map(backend)
            .collect(),
        lanes: flags.lanes.get(),
    };
    files::write(&path, files::json(&setup).as_bytes())?;
    Ok(setup)
}

/// Builds the program of a revision, and keeps it in the folder of the suites, which take days: what revisions are
/// built in goes when others come.
fn kept(revisions: &Revisions, builder: &mut Builder<'_>, revision: &str, dir: &Path) -> Result<Side, Error> {
    let commit = revisions.project().resolve(revision)?;
    let (side, _built) = revision::side(builder, revision, &commit)?;
    let name = format!("{}{}", &commit[..commit.len().min(12)], std::env::consts::EXE_SUFFIX);
    let program = dir.join("programs").join(name);
    fs::create_dir_all(dir.join("programs")).map_err(Error::io("create", dir))?;
    fs::copy(&side.program, &program).map_err(Error::io("copy", &side.program))?;
    Ok(Side {
        program,
        start: None,
        ..side
    })
}

/// Measures one suite after the other.
fn work(queue: &Queue<'_>, setup: &Setup, heads: &[Side], dir: &Path) -> Result<(), Error> {
    let measure = |job| match job {
        Job::Trial(trial) => {
            let factors = planting::tried(setup, dir, trial)?;
            suite(setup, &trial.folder(dir), &setup.side, &planting::said(&factors))
        }
        Job::Suite(kind, number) => {
            let (head, injected) = match kind {
                Kind::Unchanged => (setup.side.clone(), BTreeMap::new()),
                Kind::Rebuilt => (heads[number % heads.len()].clone(), BTreeMap::new()),
                Kind::Injected(percent) => (
                    setup.side.clone(),
                    planting::said(&planting::planted(setup, dir, percent)?),
                ),
                Kind::Every(calls) => (setup.side.clone(), planting::every(setup, calls)),
            };
            suite(setup, &queue::folder(dir, kind, number), &head, &injected)
        }
    };
    while let Some(job) = queue.take() {
        // What one cannot measure the others cannot either.
        measure(job).inspect_err(|_| queue.close())?;
    }
    Ok(())
}

/// Measures one suite, or goes on with it. Planted cases are compared alone, as suspects are.
fn suite(setup: &Setup, folder: &Path, head: &Side, injected: &BTreeMap<String, String>) -> Result<(), Error> {
    let path = folder.join("plan.json");
    let plan: Plan = if path.exists() {
        json(&path)?
    } else {
        let cases = if injected.is_empty() {
            let of_size = |size| {
                let backends = setup.backends.iter();
                backends.map(move |backend| format!("vector_add/{backend}/{size}"))
            };
            let two_speeds = planting::there(setup, &TWO_SPEEDS);
            SIZES.split(',').flat_map(of_size).chain(two_speeds).collect()
        } else {
            injected.keys().cloned().collect()
        };
        let plan = Plan {
            schema: SCHEMA,
            started: jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            command: format!("cargo xtask validate-gate --lanes {}", setup.lanes),
            base: setup.side.clone(),
            head: head.clone(),
            cases,
            seed: ab::seed(),
            binding: (!affinity::is_possible()).then_some(Binding::Free),
            tuning: setup.tuning.clone(),
            serving: true,
        };
        files::write(&path, files::json(&plan).as_bytes())?;
        plan
    };
    let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    console::status(
        "Validating",
        &format!("{name}: {} cases, seed {}", plan.cases.len(), plan.seed),
    );
    // Any case can be asked for by its id, whatever the sizes are.
    let base = BTreeMap::from([
        ("GPU_EXECUTOR_BACKENDS".to_owned(), setup.backends.join(",")),
        ("GPU_EXECUTOR_BENCH_SIZES".to_owned(), SIZES.to_owned()),
    ]);
    let mut head = base.clone();
    if !injected.is_empty() {
        let list: Vec<String> = injected.iter().map(|(case, what)| format!("{case}={what}")).collect();
        head.insert(INJECT_ENV.to_owned(), list.join(","));
    }
    let start = Instant::now();
    let finished = Turns {
        plan: &plan,
        environment: [&base, &head],
        is_software: &|backend| setup.software.iter().any(|software| software == backend),
        accepted: &[],
        folder,
        patience: PATIENCE,
        how_to_go_on: "; what was measured so far is kept, and the same command goes on",
        deadline: None,
    }
    .run()?;
    // Planted cases have other bytes to move; the counters say so, and are not what is validated then.
    let rules = Rules {
        allow_counters: !injected.is_empty(),
        strict: false,
    };
    let exit = rules.exit(&finished.assessments);
    let report = Report::new(&plan, &finished.assessments, rules, exit).with(
        &finished.failed,
        &finished.windows,
        finished.block_seconds,
    );
    files::write(&folder.join("summary.md"), report.markdown().as_bytes())?;
    files::write(&folder.join("verdicts.json"), report.json().as_bytes())?;
    let took = start.elapsed().as_secs_f64();
    console::status("Validated", &format!("{name} in {took:.0} s, exit {}", exit as u8));
    Ok(())
}

fn windows(folder: &Path) -> Result<Vec<Window>, Error> {
    let path = folder.join("windows.jsonl");
    Ok(record::from_lines(&path, &files::read(&path)?)?)
}

/// Whether a suite was measured to its end.
fn is_finished(folder: &Path) -> bool {
    folder.join("verdicts.json").exists()
}

/// Reads every finished suite.
fn load(dir: &Path) -> Result<Vec<Suite>, Error> {
    let mut suites = Vec::new();
    for (kind, target) in TARGETS {
        for number in 1..=target {
            let folder = queue::folder(dir, kind, number);
            if !is_finished(&folder) {
                continue;
            }
            let plan: Plan = json(&folder.join("plan.json"))?;
            suites.push(Suite {
                kind,
                cases: cases(&plan, &windows(&folder)?)?,
            });
        }
    }
    Ok(suites)
}

/// The cases of a suite, with their windows for the reference tests.
fn cases(plan: &Plan, windows: &[Window]) -> Result<Vec<(Case, Vec<validation::Window>)>, Error> {
    let layout = turns::is_same(&plan.base, &plan.head)?.then(Layout::same_program);
    let with_windows = |case: Case| {
        let of_case = windows.iter().filter(|window| window.case == case.name);
        let window = |window: &Window| validation::Window {
            block: window.block,
            round: window.round,
            place: match window.variant {
                Variant::Head => HEAD,
                Variant::Base => BASE,
                Variant::Control => CONTROL,
            },
            median_ns: window.p50_ns,
            mean_ns: window.mean_ns,
        };
        let windows = of_case.map(window).collect();
        (Case { layout, ..case }, windows)
    };
    Ok(record::cases(&plan.cases, windows)
        .into_iter()
        .map(with_windows)
        .collect())
}

fn json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, Error> {
    serde_json::from_str(&files::read(path)?).map_err(|error| Error::Data {
        path: path.to_owned(),
        line: error.line() as u64,
        message: error.to_string(),
    })
}
