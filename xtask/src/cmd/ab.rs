//! `cargo xtask ab`: compares two revisions on this machine.

mod flags;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use bench_gate::{
    assess::{Accepted, Assessment, assess},
    binding::Binding,
    record::{self, Window},
    stat,
};
pub(crate) use flags::{Flags, Source};
use serde::{Deserialize, Serialize};

use crate::{
    ab::report::{Plan, Report, Rules, Side},
    error::Error,
    exit::Exit,
    files,
    fingerprint::SCHEMA,
    host::{
        adapters::{self, Listing},
        build, console, github, interrupt,
        lock::Lock,
        revision::{Project, WORKTREE},
        turns::{self, PATIENCE, TUNING_ENV, Turns},
        workspace,
    },
    verdict::Verdict,
};

pub(crate) fn run(flags: &Flags) -> Result<Exit, Error> {
    let _lock = Lock::take(&workspace::runs())?;
    interrupt::note();
    let resumed = flags.resume.as_deref().map(resumed).transpose()?;
    let project = project(resumed.as_ref().map_or(&flags.source, |(_, begun)| &begun.source))?;
    let program = match flags.program.first() {
        Some(program) => Some(build::Programs::elsewhere(program, flags.adapters.as_deref())?.adapters),
        None => project.is_own.then(build::listing).transpose()?,
    };
    let listing = program.as_deref().map(adapters::list).transpose()?;
    let (folder, begun) = match resumed {
        Some(resumed) => resumed,
        None => {
            let environment = environment(listing.as_ref(), flags);
            let tuning = match (&program, &listing) {
                (Some(program), Some(listing)) => tuning(program, listing, flags.is_bound())?,
                _ => BTreeMap::new(),
            };
            begin(flags, &project, environment, tuning)?
        }
    };
    let Begun {
        plan,
        environment,
        lost,
        ..
    } = begun;
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
    let accepted = accepted(project.is_own)?;
    let deadline = flags
        .time_budget
        .map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let compare = |plan: &Plan, place: &Path| {
        Turns {
            plan,
            environment: [&environment, &environment],
            is_software: &|backend| is_software(listing.as_ref(), backend),
            accepted: &accepted,
            folder: place,
            patience: flags.patience(),
            how_to_go_on: &format!(
                "; the blocks measured so far are kept, and `cargo xtask ab --resume {}` goes on",
                folder.display()
            ),
            deadline,
        }
        .run()
    };
    let mut finished = compare(&plan, &folder)?;
    // What is bound cannot show what other threads bring.
    let parallel = parallel(&finished.windows);
    if !parallel.is_empty() && plan.binding != Some(Binding::Free) {
        console::status(
            "Comparing",
            &format!("{} free, as their threads are not as many", parallel.join(", ")),
        );
        let free = Plan {
            cases: parallel,
            binding: Some(Binding::Free),
            ..plan.clone()
        };
        for mut assessment in compare(&free, &folder.join("free"))?.assessments {
            assessment.case.push_str(" (free)");
            finished.assessments.push(assessment);
        }
    }
    let mut verdicts = finished.assessments;
    verdicts.extend(missing(&lost));
    let rules = Rules {
        allow_counters: flags.allow_counters,
        strict: flags.strict,
    };
    let exit = match rules.exit(&verdicts) {
        Exit::Pass | Exit::Inconclusive if !finished.failed.is_empty() => Exit::ToolFailed,
        exit => exit,
    };
    let report =
        Report::new(&plan, &verdicts, rules, exit).with(&finished.failed, &finished.windows, finished.block_seconds);
    // Whoever asked gets an answer, also where the folder cannot be written.
    console::result(&report.text(console::style));
    github::say(&report.annotations(), &report.markdown());
    for (name, content) in report.files() {
        files::write(&folder.join(name), content.as_bytes())?;
    }
    console::status("Wrote", &folder.display().to_string());
    Ok(exit)
}

/// The cases for which the processes of head have another number of threads than those of base, at the most.
fn parallel(windows: &[Window]) -> Vec<String> {
    let mut threads: BTreeMap<&str, [u64; 2]> = BTreeMap::new();
    for window in windows {
        let most = &mut threads.entry(&window.case).or_default()[window.variant.program()];
        *most = (*most).max(window.threads.unwrap_or_default());
    }
    let differ = threads.into_iter().filter(|(_, [base, head])| base != head);
    differ.map(|(case, _)| case.to_owned()).collect()
}

/// This project.
pub(super) fn own_project() -> Project {
    Project {
        folder: workspace::root(),
        root: workspace::root(),
        target: workspace::target(),
        store: workspace::target().join("ab"),
        package: Some("gpu-executor".to_owned()),
        bench: Some("executor".to_owned()),
        is_own: true,
    }
}

/// The project whose benches are asked for.
pub(super) fn project(source: &Source) -> Result<Project, Error> {
    let Some(manifest) = &source.manifest_path else {
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
        root: metadata.workspace_root.into_std_path_buf(),
        store: target.join("ab"),
        target,
        package: source.package.clone(),
        bench: source.bench.clone(),
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
        environment.insert("GPU_EXECUTOR_BACKENDS".to_owned(), backends.join(","));
        if !flags.size.is_empty() {
            environment.insert("GPU_EXECUTOR_BENCH_SIZES".to_owned(), flags.size.join(","));
        }
        if !flags.op.is_empty() {
            environment.insert("GPU_EXECUTOR_BENCH_OPS".to_owned(), flags.op.join(","));
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

/// What is written down when a comparison begins, so that it goes on as it began.
#[derive(Serialize, Deserialize)]
struct Begun {
    #[serde(flatten)]
    plan: Plan,
    #[serde(default)]
    source: Source,
    #[serde(default)]
    environment: BTreeMap<String, String>,
    /// Cases that were asked for and that only the base has.
    #[serde(default)]
    lost: Vec<String>,
}

/// What is said of cases that only the base has.
fn missing(lost: &[String]) -> Vec<Assessment> {
    let mut assessments = assess(&record::cases(lost, &[]), &stat::plan::Plan::default()).cases;
    for assessment in &mut assessments {
        assessment.verdict = Verdict::Missing;
        assessment.note = Some("only the base has it".to_owned());
    }
    assessments
}

/// This project's intended slowdowns.
pub(super) fn accepted(is_own: bool) -> Result<Vec<Accepted>, Error> {
    if is_own {
        turns::accepted(&workspace::baselines().join("accepted.toml"))
    } else {
        Ok(Vec::new())
    }
}

/// Builds both revisions, asks them for their cases, and writes down what is going to be compared.
fn begin(
    flags: &Flags,
    project: &Project,
    environment: BTreeMap<String, String>,
    tuning: BTreeMap<String, String>,
) -> Result<(PathBuf, Begun), Error> {
    let [base, head] = sides(flags, project)?;
    let started = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let folder = match &flags.out {
        Some(out) => std::path::absolute(out).map_err(Error::io("find", out))?,
        None => files::free(&project.store.join(started.replace(':', "-"))),
    };
    if fs::read_dir(&folder).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(Error::Usage(format!(
            "--out {}: exists; --resume goes on with a comparison",
            folder.display()
        )));
    }
    let (cases, lost, serving) = cases(flags, [&base, &head], &environment, &folder)?;
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
        binding: flags.binding(),
        tuning,
        serving,
    };
    let begun = Begun {
        plan,
        source: flags.source.absolute()?,
        environment,
        lost,
    };
    files::write(&folder.join("plan.json"), files::json(&begun).as_bytes())?;
    Ok((folder, begun))
}

/// The programs of base and head: built, or given.
fn sides(flags: &Flags, project: &Project) -> Result<[Side; 2], Error> {
    match flags.program.as_slice() {
        [] => {}
        [base, head] => return Ok([Side::elsewhere(base)?, Side::elsewhere(head)?]),
        _ => return Err(Error::Usage("--program: give it twice, for base and head".to_owned())),
    }
    project.tidy()?;
    let base = match &flags.base {
        Some(base) => base.clone(),
        None => project.merge_base()?,
    };
    let head = flags.head.clone().unwrap_or_else(|| WORKTREE.to_owned());
    // Both before anything is built: a wrong name should not cost a build.
    project.resolve(&base)?;
    project.resolve(&head)?;
    Ok([project.side(&base)?, project.side(&head)?])
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

/// A number nobody chose.
pub(super) fn seed() -> u64 {
    let now = jiff::Timestamp::now().as_nanosecond() as u64;
    // Short enough to be typed.
    (now ^ (u64::from(std::process::id()) << 20)) % 1_000_000_000
}

/// The cases wanted that both programs have, and whether both serve windows of them. Those that one lacks are named; that it lacks all
/// of them is an error.
pub(super) fn common(
    sides: [&Side; 2],
    wanted: &[String],
    environment: &BTreeMap<String, String>,
    folder: &Path,
) -> Result<(Vec<String>, bool), Error> {
    let (cases, serving) = turns::ask(sides, environment, folder, PATIENCE)?;
    let mut common = wanted.to_vec();
    for (side, cases) in sides.iter().zip(&cases) {
        let (there, missing): (Vec<String>, Vec<String>) = common.into_iter().partition(|case| cases.contains(case));
        let lacks = format!("{} has no case {}", side.revision, missing.join(", "));
        if there.is_empty() {
            return Err(Error::Failed(lacks));
        }
        if !missing.is_empty() {
            console::warning(&format!("{lacks}: not compared"));
        }
        common = there;
    }
    Ok((common, serving))
}

/// The cases both programs have and that were asked for, those that only the base has, and whether both serve windows of them.
fn cases(
    flags: &Flags,
    sides: [&Side; 2],
    environment: &BTreeMap<String, String>,
    folder: &Path,
) -> Result<(Vec<String>, Vec<String>, bool), Error> {
    let ([base_cases, head_cases], serving) = turns::ask(sides, environment, folder, flags.patience())?;
    let only = |these: &[String], those: &[String]| -> Vec<String> {
        these
            .iter()
            .filter(|case| !those.contains(case) && flags.wants(case))
            .cloned()
            .collect()
    };
    let lost = only(&base_cases, &head_cases);
    for (word, cases) in [("base", &lost), ("head", &only(&head_cases, &base_cases))] {
        if !cases.is_empty() {
            console::warning(&format!("only {word} has {}: not compared", cases.join(", ")));
        }
    }
    let common: Vec<String> = head_cases
        .into_iter()
        .filter(|case| base_cases.contains(case) && flags.wants(case))
        .collect();
    if common.is_empty() {
        return Err(Error::Usage(format!(
            "{} and {} have no case in common that was asked for",
            sides[0].revision, sides[1].revision
        )));
    }
    Ok((common, lost, serving))
}

/// Reads the plan of an interrupted comparison.
fn resumed(folder: &Path) -> Result<(PathBuf, Begun), Error> {
    let folder = std::path::absolute(folder).map_err(Error::io("find", folder))?;
    let path = folder.join("plan.json");
    let begun: Begun = serde_json::from_str(&files::read(&path)?).map_err(|error| Error::Data {
        path: path.clone(),
        line: error.line() as u64,
        message: error.to_string(),
    })?;
    for side in [&begun.plan.base, &begun.plan.head] {
        if !side.program.exists() {
            return Err(Error::Failed(format!(
                "{} is gone, so that {} cannot be resumed; compare anew",
                side.program.display(),
                folder.display()
            )));
        }
    }
    Ok((folder, begun))
}
