//! `cargo bench-gate record`: stores what every case takes on this machine, for `check`.

use std::{path::PathBuf, time::Duration};

use bench_recorder::wire::Measure;

use super::{
    Error,
    compare::{Lists, listed},
    flags::{Benches, Place},
};
use crate::{
    binding, console,
    exit::Exit,
    files, interrupt,
    measure::PATIENCE,
    process::{self, Kind, Refusal, Serving, Start, Times},
    progress::Progress,
    project::{self, Builder, Built, Project, Store, WORKTREE},
    record::{Variant, Window},
    stored::{Baseline, Machine, Recording, Row},
};

/// Where baselines lie, from the workspace's folder.
const FOLDER: &str = "bench-baselines";
/// How long a case is measured in a process that records every call.
const TIME: Duration = Duration::from_millis(400);
/// Calls of a case in a process at the most.
const MAX_SAMPLES: u64 = 100_000;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  cargo bench-gate record

Measures what is committed: a baseline names the commit that `check` compares with in turns.

Exit codes: 0 recorded; 1 the tool or a bench failed, 2 usage.")]
pub(super) struct Flags {
    /// Fresh processes for each case
    #[arg(long, value_name = "NUMBER", default_value_t = 8, value_parser = clap::value_parser!(u64).range(3..))]
    processes: u64,
    /// Commit to record
    #[arg(long, value_name = "REVISION", default_value = "HEAD")]
    revision: String,
    #[command(flatten)]
    baselines: Baselines,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    benches: Benches,
}

/// Where baselines are.
#[derive(Debug, clap::Args)]
pub(super) struct Baselines {
    /// Folder of baselines [default: bench-baselines in the workspace]
    #[arg(long, value_name = "FOLDER")]
    baselines: Option<PathBuf>,
}

impl Baselines {
    /// The file of a machine.
    pub(super) fn file(&self, project: &Project, machine: &Machine) -> PathBuf {
        let folder = self
            .baselines
            .clone()
            .unwrap_or_else(|| project.workspace().join(FOLDER));
        folder.join(format!("{}.csv", machine.id()))
    }
}

pub(super) fn run(flags: &Flags) -> Result<Exit, Error> {
    interrupt::note();
    let project = flags.place.project()?;
    if flags.revision == WORKTREE {
        return Err(Error::Usage("a baseline is of a commit; `worktree` is none".to_owned()));
    }
    let commit = project.resolve(&flags.revision)?;
    let selection = flags.benches.selection(&project);
    let store = Store::open(project.repository().top())?;
    let mut builder = Builder::new(&project, &store, &selection, &interrupt::is_noted);
    console::status("Building", &format!("{} ({})", flags.revision, &commit[..12]));
    let built = builder.build(&flags.revision)?;
    project::have_benches(&[&built])?;
    let survey = Survey::new(&built)?;
    if survey.names().is_empty() {
        return Err(Error::Usage(format!(
            "{} has no criterion bench with a case",
            flags.revision
        )));
    }
    let rows = survey.rows(1..=flags.processes, None)?;
    let machine = machine(&built);
    let path = flags.baselines.file(&project, &machine);
    let baseline = Baseline {
        machine,
        recording: Recording {
            commit,
            started: jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            command: super::command_line(),
        },
        rows,
    };
    files::write(&path, baseline.to_csv().as_bytes())?;
    console::result(&format!(
        "{} cases, {} processes each\n",
        survey.names().len(),
        flags.processes
    ));
    console::status("Wrote", &path.display().to_string());
    Ok(Exit::Pass)
}

/// This machine, with the compiler of a revision.
pub(super) fn machine(built: &Built) -> Machine {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("model name"))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    });
    Machine {
        os: std::env::consts::OS.to_owned(),
        arch: std::env::consts::ARCH.to_owned(),
        cpu: cpu
            .or_else(|| std::env::var("PROCESSOR_IDENTIFIER").ok())
            .unwrap_or_default(),
        cores: std::thread::available_parallelism().map_or(1, usize::from),
        compiler: built.compiler.lines().next().unwrap_or_default().to_owned(),
    }
}

/// The cases of one revision, measured alone.
pub(super) struct Survey<'a> {
    built: &'a Built,
    lists: Lists,
    cases: Vec<project::Common>,
    folder: tempfile::TempDir,
}

impl<'a> Survey<'a> {
    /// Asks the programs of a revision for their cases.
    pub(super) fn new(built: &'a Built) -> Result<Self, Error> {
        let folder = tempfile::tempdir().map_err(crate::Error::io("create a folder in", &std::env::temp_dir()))?;
        let mut notes = built.notes.clone();
        let lists = listed(built, folder.path(), PATIENCE, &|_| false, &mut notes)?;
        for note in &notes {
            console::warning(note);
        }
        let cases = project::pair(&lists.cases, &lists.cases, &[])
            .map_err(Error::Usage)?
            .common;
        Ok(Self {
            built,
            lists,
            cases,
            folder,
        })
    }

    /// Names of the cases.
    pub(super) fn names(&self) -> Vec<&str> {
        self.cases.iter().map(|case| case.name.as_str()).collect()
    }

    /// Measures each case, or those named, in a fresh process for each number.
    pub(super) fn rows(
        &self,
        processes: std::ops::RangeInclusive<u64>,
        only: Option<&[String]>,
    ) -> Result<Vec<Row>, Error> {
        let cases: Vec<&project::Common> = self
            .cases
            .iter()
            .filter(|case| only.is_none_or(|only| only.contains(&case.name)))
            .collect();
        let progress = Progress::new(cases.len(), processes.end() + 1 - processes.start());
        let (cores, seed) = (binding::cores(), super::ab::seed());
        let mut times = Times::default();
        let mut rows = Vec::new();
        for process in processes {
            let core = binding::drawn(&cores, seed, process - 1);
            for case in &cases {
                progress.begin(&case.name);
                if interrupt::is_noted() {
                    return Err(Error::Failed("interrupted; nothing is recorded".to_owned()));
                }
                let window = self
                    .window(case, core, &mut times)
                    .map_err(|refusal| failed(&case.name, refusal))?;
                let kept = Window::new(&case.name, process, 1, Variant::Head, window);
                rows.push(Row {
                    case: kept.case,
                    process,
                    samples: kept.samples,
                    p10_ns: kept.p10_ns,
                    p50_ns: kept.p50_ns,
                    p95_ns: kept.p95_ns,
                    mean_ns: kept.mean_ns,
                });
            }
        }
        Ok(rows)
    }

    fn window(
        &self,
        case: &project::Common,
        core: Option<u32>,
        times: &mut Times,
    ) -> Result<bench_recorder::wire::Window, Refusal> {
        let program = &self.built.programs[case.head.program];
        let command = || program.command();
        let folder = self.folder.path().join("raw");
        let start = Start {
            command: &command,
            core,
            folder: &folder,
            patience: PATIENCE,
        };
        if self.lists.kinds[case.head.program] == Kind::Criterion {
            return process::window(&start, &case.head.id, times);
        }
        let mut serving = Serving::start(&start).map_err(Refusal::Program)?;
        let prepared = serving.prepare(&case.head.id)?;
        serving.measure(Measure {
            case: case.head.id.clone(),
            time_ns: TIME.as_nanos() as u64,
            // Calls shorter than ten ticks of a virtual machine's clock are measured by tens.
            batch: if prepared.call_ns < 100.0 { 10 } else { 1 },
            max_samples: MAX_SAMPLES,
            core: None,
        })
    }
}

fn failed(case: &str, refusal: Refusal) -> Error {
    match refusal {
        Refusal::Case(message) => Error::Failed(format!("{case}: {message}")),
        Refusal::Program(error) | Refusal::Tool(error) => error.into(),
    }
}
