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
        revision::{self, Built, Revisions, WORKTREE},
        turns::{self, PATIENCE, TUNING_ENV, Turns},
        workspace,
    },
    verdict::Verdict,
};

pub(crate) fn run(flags: &Flags) -> Result<Exit, Error> {
    let _lock = Lock::take(&workspace::runs())?;
    interrupt::note();
    let resumed = flags.resume.as_deref().map(resumed).transpose()?;
    let source = resumed.as_ref().map_or(&flags.source, |(_, begun)| &begun.source);
    let is_elsewhere = match &resumed {
        Some((_, begun)) => begun.is_elsewhere,
        None => !flags.program.is_empty(),
    };
    let revisions = (!is_elsewhere).then(|| source.revisions()).transpose()?;
    let program = match flags.program.first() {
        Some(program) => Some(build::Programs::elsewhere(program, flags.adapters.as_deref())?.adapters),
        None => source.is_own().then(build::listing).transpose()?,
    };
    let is_own = source.is_own();
    let listing = program.as_deref().map(adapters::list).transpose()?;
    let (folder, begun, _built) = match resumed {
        Some((folder, mut begun)) => {
            let built = rebuilt(revisions.as_ref(), &mut begun)?;
            (folder, begun, built)
        }
        None => {
            let environment = environment(listing.as_ref(), flags);
            let tuning = match (&program, &listing) {
                (Some(program), Some(listing)) => tuning(program, listing, flags.is_bound())?,
                _ => BTreeMap::new(),
            };
            begin(flags, revisions.as_ref(), environment, tuning)?
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
    let accepted = accepted(is_own)?;
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
    /// Whether the programs were given, and nothing is built.
    #[serde(default)]
    is_elsewhere: bool,
    /// Checksums of what was built, which must be the same when it goes on.
    #[serde(default)]
    sums: Vec<Vec<String>>,
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

/// Folder of comparisons.
pub(super) fn store(source: &Source, revisions: Option<&Revisions>) -> Result<PathBuf, Error> {
    let target = match revisions.filter(|_| !source.is_own()) {
        Some(revisions) => revisions.project().target()?,
        None => workspace::target(),
    };
    Ok(target.join("ab"))
}

/// Builds both revisions, asks them for their cases, and writes down what is going to be compared.
fn begin(
    flags: &Flags,
    revisions: Option<&Revisions>,
    environment: BTreeMap<String, String>,
    tuning: BTreeMap<String, String>,
) -> Result<(PathBuf, Begun, Vec<Built>), Error> {
    let ([base, head], built) = sides(flags, revisions)?;
    let started = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let folder = match &flags.out {
        Some(out) => std::path::absolute(out).map_err(Error::io("find", out))?,
        None => files::free(&store(&flags.source, revisions)?.join(started.replace(':', "-"))),
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
        is_elsewhere: revisions.is_none(),
        sums: sums(&built)?,
    };
    files::write(&folder.join("plan.json"), files::json(&begun).as_bytes())?;
    Ok((folder, begun, built))
}

/// The programs of base and head: built, or given.
fn sides(flags: &Flags, revisions: Option<&Revisions>) -> Result<([Side; 2], Vec<Built>), Error> {
    let Some(revisions) = revisions else {
        let [base, head] = flags.program.as_slice() else {
            return Err(Error::Usage("--program: give it twice, for base and head".to_owned()));
        };
        return Ok(([Side::elsewhere(base)?, Side::elsewhere(head)?], Vec::new()));
    };
    let project = revisions.project();
    let base = match &flags.base {
        Some(base) => base.clone(),
        None => project.repository().merge_base()?,
    };
    let head = flags.head.clone().unwrap_or_else(|| WORKTREE.to_owned());
    // Both before anything is built: a wrong name should not cost a build.
    let commits = [project.resolve(&base)?, project.resolve(&head)?];
    let mut builder = revisions.builder();
    let (base, of_base) = revision::side(&mut builder, &base, &commits[0])?;
    let (head, of_head) = revision::side(&mut builder, &head, &commits[1])?;
    Ok(([base, head], vec![of_base, of_head]))
}

fn sums(built: &[Built]) -> Result<Vec<Vec<String>>, Error> {
    Ok(built.iter().map(Built::sums).collect::<Result<_, _>>()?)
}

/// Builds the revisions of a comparison that goes on, which mostly finds them as they were left.
fn rebuilt(revisions: Option<&Revisions>, begun: &mut Begun) -> Result<Vec<Built>, Error> {
    let Some(revisions) = revisions else {
        return Ok(Vec::new());
    };
    let mut builder = revisions.builder();
    let mut built = Vec::new();
    for side in [&mut begun.plan.base, &mut begun.plan.head] {
        let (again, of_side) = revision::side(&mut builder, &side.revision, &side.commit)?;
        *side = again;
        built.push(of_side);
    }
    if sums(&built)? != begun.sums {
        return Err(Error::Usage(
            "the programs are others than when the comparison began; compare anew".to_owned(),
        ));
    }
    Ok(built)
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
        if begun.is_elsewhere && !side.program.exists() {
            return Err(Error::Failed(format!(
                "{} is gone, so that {} cannot be resumed; compare anew",
                side.program.display(),
                folder.display()
            )));
        }
    }
    Ok((folder, begun))
}
