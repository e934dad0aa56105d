//! `cargo xtask ab`: compares two revisions on this machine.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use crate::{
    ab::report::{self, Plan, Report, Side},
    error::Error,
    exit::Exit,
    files,
    fingerprint::SCHEMA,
    host::{
        adapters::{self, Listing},
        affinity,
        arm::{self, Kind, Start},
        build, console, interrupt,
        lock::Lock,
        measure::TUNING_ENV,
        revision::{Project, WORKTREE},
        turns::{PATIENCE, Turns},
        workspace,
    },
};

#[derive(Debug, Default, clap::Args)]
#[command(after_help = "\
Examples:
  cargo xtask ab                                     the work tree against where its branch left main
  cargo xtask ab HEAD~3 HEAD --backend vulkan        two commits, one backend
  cargo xtask ab v1.0 worktree --manifest-path ../other/Cargo.toml --bench speed
                                                     any project with criterion benches

Exit codes: 0 pass, 1 the tool failed, 2 usage, 3 regression or other counters, 4 inconclusive or noisy (--strict).")]
pub(crate) struct Flags {
    /// Revision to compare with [default: where the branch left main]
    base: Option<String>,
    /// Revision in question, or `worktree` [default: worktree]
    head: Option<String>,
    /// Cases whose ids contain one of these
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub(super) case: Vec<String>,
    /// Backends, by their names in ids
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub(super) backend: Vec<String>,
    /// Operators, by their names in ids
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub(super) op: Vec<String>,
    /// Sizes: 20000, or 1000x256 for a batch of 1000 tasks
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub(super) size: Vec<String>,
    /// Manifest of another project, whose criterion benches are compared
    #[arg(long, value_name = "PATH")]
    manifest_path: Option<PathBuf>,
    /// Package of that project
    #[arg(long, value_name = "NAME", requires = "manifest_path")]
    package: Option<String>,
    /// Bench target of that project
    #[arg(long, value_name = "NAME", requires = "manifest_path")]
    bench: Option<String>,
    /// Let processes use all cores: closer to what users see, and far noisier
    #[arg(long)]
    free: bool,
    /// Stop after so many seconds of measuring, and judge by what is there
    #[arg(long, value_name = "SECONDS")]
    time_budget: Option<u64>,
    /// A program that says nothing for so many seconds hangs [default: 120]
    #[arg(long, value_name = "SECONDS")]
    patience: Option<u64>,
    /// Seed of the random order [default: another one each time]
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
    /// Other calls into wgpu are meant and do not fail
    #[arg(long)]
    allow_counters: bool,
    /// End with 4 if a case is inconclusive, noisy or not measured
    #[arg(long)]
    strict: bool,
    /// Go on with an interrupted comparison, with the flags it was begun with
    #[arg(long, value_name = "DIR", conflicts_with_all = ["base", "head", "seed", "out"])]
    resume: Option<PathBuf>,
    /// Folder for the result [default: target/ab/TIME]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub(crate) fn run(flags: &Flags) -> Result<Exit, Error> {
    let _lock = Lock::take(&workspace::runs())?;
    interrupt::note();
    let project = project(flags)?;
    let program = project.is_own.then(build::listing).transpose()?;
    let listing = program.as_deref().map(adapters::list).transpose()?;
    let environment = environment(listing.as_ref(), flags);
    let (folder, plan) = match &flags.resume {
        Some(folder) => {
            let folder = std::path::absolute(folder).map_err(Error::io("find", folder))?;
            let plan = resumed(&folder)?;
            (folder, plan)
        }
        None => {
            let tuning = match (&program, &listing) {
                (Some(program), Some(listing)) => tuning(program, listing, is_bound(flags))?,
                _ => BTreeMap::new(),
            };
            begin(flags, &project, &environment, tuning)?
        }
    };
    console::status(
        "Comparing",
        &format!(
            "{} cases of {} with {}, seed {}, in {}",
            plan.cases.len(),
            plan.head.revision,
            plan.base.revision,
            plan.seed,
            folder.display()
        ),
    );
    let finished = Turns {
        plan: &plan,
        environment: [&environment, &environment],
        is_software: &|backend| is_software(listing.as_ref(), backend),
        folder: &folder,
        patience: patience(flags),
        deadline: flags
            .time_budget
            .map(|seconds| Instant::now() + Duration::from_secs(seconds)),
    }
    .run()?;
    let verdicts = finished.verdicts;
    let exit = match report::exit(&verdicts, flags.allow_counters, flags.strict) {
        Exit::Pass if finished.head_failed => Exit::ToolFailed,
        exit => exit,
    };
    let report = Report::new(&plan, &verdicts, exit);
    files::write(&folder.join("verdicts.json"), report.json().as_bytes())?;
    files::write(&folder.join("summary.md"), report.markdown().as_bytes())?;
    console::result(&report.text(console::style));
    console::status("Wrote", &folder.display().to_string());
    Ok(exit)
}

/// This project.
pub(super) fn own_project() -> Project {
    Project {
        folder: workspace::root(),
        target: workspace::target(),
        store: workspace::target().join("ab"),
        package: Some("gpu-executor".to_owned()),
        bench: Some("executor".to_owned()),
        is_own: true,
    }
}

fn project(flags: &Flags) -> Result<Project, Error> {
    let Some(manifest) = &flags.manifest_path else {
        return Ok(own_project());
    };
    let manifest = std::path::absolute(manifest).map_err(Error::io("find", manifest))?;
    let metadata = cargo_metadata::MetadataCommand::new()
        .manifest_path(&manifest)
        .no_deps()
        .exec()
        .map_err(|error| Error::Usage(format!("--manifest-path {}: {error}", manifest.display())))?;
    let target = metadata.target_directory.into_std_path_buf();
    Ok(Project {
        folder: manifest.parent().map(Path::to_owned).unwrap_or_default(),
        store: target.join("ab"),
        target,
        package: flags.package.clone(),
        bench: flags.bench.clone(),
        is_own: false,
    })
}

/// What the programs are told.
pub(super) fn environment(listing: Option<&Listing>, flags: &Flags) -> BTreeMap<String, String> {
    let mut environment = BTreeMap::new();
    if let Some(listing) = listing {
        let mut backends: Vec<&str> = listing
            .picked
            .iter()
            .map(|adapter| adapter.print.backend.as_str())
            .collect();
        backends.retain(|name| flags.backend.is_empty() || flags.backend.iter().any(|wanted| wanted == name));
        environment.insert("GPU_EXECUTOR_BENCH_SERVE".to_owned(), "1".to_owned());
        environment.insert("GPU_EXECUTOR_BACKENDS".to_owned(), backends.join(","));
        if !flags.size.is_empty() {
            environment.insert("GPU_EXECUTOR_BENCH_SIZES".to_owned(), flags.size.join(","));
        }
    }
    environment
}

/// Whether the processes of a backend compute on the CPU; those of other projects do.
pub(super) fn is_software(listing: Option<&Listing>, backend: &str) -> bool {
    listing.is_none_or(|listing| {
        let of_backend = listing.picked.iter().find(|adapter| adapter.print.backend == backend);
        of_backend.is_some_and(|adapter| adapter.print.kind == "software")
    })
}

/// Builds both revisions, asks them for their cases, and writes down what is going to be compared.
fn begin(
    flags: &Flags,
    project: &Project,
    environment: &BTreeMap<String, String>,
    tuning: BTreeMap<String, String>,
) -> Result<(PathBuf, Plan), Error> {
    project.tidy()?;
    let base = match &flags.base {
        Some(base) => base.clone(),
        None => project.merge_base()?,
    };
    let head = flags.head.clone().unwrap_or_else(|| WORKTREE.to_owned());
    // Both before anything is built: a wrong name should not cost a build.
    project.resolve(&base)?;
    project.resolve(&head)?;
    let base = project.side(&base)?;
    let head = project.side(&head)?;
    let started = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let folder = match &flags.out {
        Some(out) => std::path::absolute(out).map_err(Error::io("find", out))?,
        None => free(&project.store.join(started.replace(':', "-"))),
    };
    if fs::read_dir(&folder).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(Error::Usage(format!(
            "--out {}: exists; --resume goes on with a comparison",
            folder.display()
        )));
    }
    let (cases, serving) = cases(flags, [&base, &head], environment, &folder)?;
    let plan = Plan {
        schema: SCHEMA,
        started,
        command: std::iter::once("cargo xtask".to_owned())
            .chain(std::env::args().skip(1))
            .collect::<Vec<_>>()
            .join(" "),
        base,
        head,
        cases,
        seed: flags.seed.unwrap_or_else(seed),
        bound: is_bound(flags),
        tuning,
        serving,
    };
    files::write(&folder.join("plan.json"), files::json(&plan).as_bytes())?;
    Ok((folder, plan))
}

fn is_bound(flags: &Flags) -> bool {
    !flags.free && affinity::is_possible()
}

/// How tasks reach the adapters: found out once and told to both revisions, so that they are compared as they are and not by what each
/// process finds out for itself. Whoever sets it in the environment has it their way.
pub(super) fn tuning(program: &Path, listing: &Listing, bound: bool) -> Result<BTreeMap<String, String>, Error> {
    let mut tunings = BTreeMap::new();
    if std::env::var_os(TUNING_ENV).is_none() {
        for print in listing.picked.iter().map(|adapter| &adapter.print) {
            let tuning = adapters::tuning(program, &print.backend, bound && print.kind == "software")?;
            tunings.extend(tuning.map(|tuning| (print.backend.clone(), tuning)));
        }
    }
    Ok(tunings)
}

fn patience(flags: &Flags) -> Duration {
    flags.patience.map_or(PATIENCE, Duration::from_secs)
}

/// A folder that is not there: two comparisons may begin within a second, and clocks are set back.
pub(super) fn free(folder: &Path) -> PathBuf {
    let numbered = |number: u32| {
        let suffix = if number == 1 {
            String::new()
        } else {
            format!("-{number}")
        };
        PathBuf::from(format!("{}{suffix}", folder.display()))
    };
    (1..)
        .map(numbered)
        .find(|folder| !folder.exists())
        .expect("numbers do not end")
}

/// A number nobody chose.
pub(super) fn seed() -> u64 {
    let now = jiff::Timestamp::now().as_nanosecond() as u64;
    // Short enough to be typed.
    (now ^ (u64::from(std::process::id()) << 20)) % 1_000_000_000
}

/// Cases of base and head, and whether both serve windows of them. If one of them is older than serving, both are driven as
/// criterion programs.
fn ask(
    sides: [&Side; 2],
    environment: &BTreeMap<String, String>,
    folder: &Path,
    patience: Duration,
) -> Result<([Vec<String>; 2], bool), Error> {
    type Inspect = fn(&Start<'_>) -> Result<(Kind, Vec<String>), Error>;
    let folder = folder.join("raw").join("list");
    let inspect = |side: &Side, how: Inspect| {
        let start = Start {
            program: &side.program,
            environment,
            tuning: None,
            bound: false,
            folder: &folder,
            patience,
        };
        how(&start).map_err(|error| match error {
            Error::Usage(message) => Error::Usage(message),
            error => Error::Failed(format!("{}: {error}", side.revision)),
        })
    };
    let both = |how| Ok::<_, Error>((inspect(sides[0], how)?, inspect(sides[1], how)?));
    let ((base_kind, mut base), (head_kind, mut head)) = both(arm::inspect)?;
    if base_kind != head_kind {
        ((_, base), (_, head)) = both(arm::listed)?;
    }
    Ok(([base, head], base_kind == Kind::Serving && head_kind == Kind::Serving))
}

/// Whether both programs serve windows of a case, which both must have.
pub(super) fn serves(
    sides: [&Side; 2],
    case: &str,
    environment: &BTreeMap<String, String>,
    folder: &Path,
) -> Result<bool, Error> {
    let (cases, serving) = ask(sides, environment, folder, PATIENCE)?;
    for (side, cases) in sides.iter().zip(&cases) {
        if !cases.iter().any(|there| there == case) {
            return Err(Error::Failed(format!("{} has no case {case}", side.revision)));
        }
    }
    Ok(serving)
}

/// The cases both programs have and that were asked for, and whether both serve windows of them.
fn cases(
    flags: &Flags,
    sides: [&Side; 2],
    environment: &BTreeMap<String, String>,
    folder: &Path,
) -> Result<(Vec<String>, bool), Error> {
    let ([base_cases, head_cases], serving) = ask(sides, environment, folder, patience(flags))?;
    let only = |these: &[String], those: &[String]| -> Vec<String> {
        these
            .iter()
            .filter(|case| !those.contains(case) && is_wanted(case, flags))
            .cloned()
            .collect()
    };
    for (word, cases) in [
        ("base", only(&base_cases, &head_cases)),
        ("head", only(&head_cases, &base_cases)),
    ] {
        if !cases.is_empty() {
            console::warning(&format!("only {word} has {}: not compared", cases.join(", ")));
        }
    }
    let common: Vec<String> = head_cases
        .into_iter()
        .filter(|case| base_cases.contains(case) && is_wanted(case, flags))
        .collect();
    if common.is_empty() {
        return Err(Error::Usage(format!(
            "{} and {} have no case in common that was asked for",
            sides[0].revision, sides[1].revision
        )));
    }
    Ok((common, serving))
}

fn is_wanted(case: &str, flags: &Flags) -> bool {
    let parts: Vec<&str> = case.split('/').collect();
    let is_one = |wanted: &[String], part: Option<&&str>| {
        wanted.is_empty() || part.is_some_and(|p| wanted.iter().any(|w| w == p))
    };
    (flags.case.is_empty() || flags.case.iter().any(|part| case.contains(part.as_str())))
        && is_one(&flags.op, parts.first())
        && is_one(&flags.backend, parts.get(1))
        && is_one(&flags.size, parts.get(2))
}

/// Reads the plan of an interrupted comparison.
fn resumed(folder: &Path) -> Result<Plan, Error> {
    let path = folder.join("plan.json");
    let plan: Plan = serde_json::from_str(&files::read(&path)?).map_err(|error| Error::Data {
        path: path.clone(),
        line: error.line() as u64,
        message: error.to_string(),
    })?;
    for side in [&plan.base, &plan.head] {
        if !side.program.exists() {
            return Err(Error::Failed(format!(
                "{} is gone, so that {} cannot be resumed; compare anew",
                side.program.display(),
                folder.display()
            )));
        }
    }
    Ok(plan)
}
