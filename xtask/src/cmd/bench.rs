//! `cargo xtask bench`: measures, writes the run's files, and holds it against the baseline.

mod appeal;
mod flags;
mod record;

use std::{
    collections::BTreeMap,
    path::Path,
    time::{Duration, Instant},
};

pub(crate) use flags::{Backends, Flags, backends};
use xshell::{Shell, cmd};

use crate::{
    baseline::{self, Baseline},
    case::{CaseId, in_words},
    cmd::setup,
    error::Error,
    exit::Exit,
    files,
    fingerprint::{Affinity, Fingerprint, SCHEMA},
    host::{
        self,
        adapters::{self, Listing, list},
        affinity, build, console, github,
        lock::Lock,
        machine,
        measure::TUNING_ENV,
        out::Out,
        session::{Again, Session},
        workspace,
    },
    judge::{disturbed, judge, suspects},
    noop::{self, Noop},
    report::{Against, Report, counts, crossover::crossovers},
    rows::{self, Stage},
    run::{self, Measured, Plan, Run, Skipped, calls_csv, quantiles, quantiles_csv, slices_csv},
    verdict::{self, CaseVerdict},
};

/// How often cases are repeated whose process was disturbed.
const MOST_REPEATS: usize = 2;
/// No more than this is spent on cases in doubt, with `--quick` and without; those that look slowest come first.
const MOST_AGAIN: [Duration; 2] = [Duration::from_secs(22), Duration::from_secs(150)];
/// When nothing more begins than the slowest suspect, so that all of it stays below a minute, or below five.
const LAST_CALL: [Duration; 2] = [Duration::from_secs(48), Duration::from_secs(270)];

pub(crate) fn run(flags: &Flags) -> Result<Exit, Error> {
    if flags.save_baseline && flags.runs() < baseline::RUNS && !flags.force {
        return Err(Error::Usage(format!(
            "--runs {}: a baseline is made of {} processes at the least; --force records fewer",
            flags.runs(),
            baseline::RUNS
        )));
    }
    if flags.save_baseline && std::env::var_os(TUNING_ENV).is_some() {
        return Err(Error::Usage(format!(
            "{TUNING_ENV} is set: whoever compares with a baseline could not know that its counters are of that; unset it to record one"
        )));
    }
    let sh = Shell::new()?;
    sh.change_dir(workspace::root());
    let _lock = Lock::take(&workspace::runs())?;
    if flags.setup {
        setup::ensure(&sh)?;
    } else if let Some(hint) = setup::hint(&sh) {
        console::warning(&hint);
    }
    let programs = build::programs()?;
    let folder = flags.baselines.clone().unwrap_or_else(workspace::baselines);
    let is_judged = !flags.no_gate && !flags.save_baseline;
    let noop = host::noop::count(&programs.bench)?;
    let recorded = if is_judged { Noop::load(&folder)? } else { None };
    let counted = noop.judge(recorded.as_ref());
    if is_judged {
        // Where nothing is measured, the report follows at once.
        say_counters(&counted, flags.timed().is_some_and(|backends| backends.is_empty()));
    }
    let listing = list(&programs.adapters)?;
    let affinity = affinity_of(flags);
    let prints = listing.picked.iter().map(|adapter| adapter.print.clone()).collect();
    let fingerprint = machine::fingerprint(&sh, prints, affinity)?;
    let mut plan = plan(flags, &sh, &listing)?;

    let is_timed = !plan.backends.is_empty();
    let baseline = if is_judged && is_timed {
        baseline::load(&folder, &fingerprint)?
    } else {
        None
    };
    let replaced = (flags.save_baseline && is_timed)
        .then(|| record::replaced(&folder, &fingerprint))
        .flatten();
    if flags.save_baseline && is_timed && plan.commit.ends_with("-dirty") {
        console::warning("files differ from the commit: the baseline is marked, and nobody can measure the same again");
    }
    let strictness = flags.strictness();
    if is_judged && is_timed && baseline.is_none() && flags.require_baseline {
        let id = fingerprint.id();
        console::warning(&format!(
            "no baseline for this machine ({id}); `cargo xtask bench --save-baseline` records one"
        ));
        console::warning(&nearest(&folder, &fingerprint)?);
        return Ok(verdict::required(verdict::exit(&counted, strictness)));
    }

    if is_judged && is_timed && baseline.is_none() {
        console::warning(&nearest(&folder, &fingerprint)?);
    }
    plan.tuning = tuning(&plan.backends, baseline.as_ref().or(replaced.as_ref()), |backend| {
        let bound = affinity == Affinity::Bound && listing.is_software(backend);
        adapters::tuning(&programs.adapters, backend, bound)
    })?;
    let out = Out::prepare(&workspace::runs(), flags.out.as_deref(), &plan.started)?;
    let session = Session {
        plan: &plan,
        listing: &listing,
        program: &programs.bench,
        bound: affinity == Affinity::Bound,
        raw: &out.partial.join("raw"),
    };
    let measured = measure(flags, &session, baseline.as_ref())?;
    let run = Run {
        plan,
        fingerprint,
        rows: run::rows(&measured),
        noop: Some(noop),
    };
    let mut verdicts = judge(baseline.as_ref().map(|b| b.rows.as_slice()), &run.rows, &run.plan);
    // Where times do not count, nobody needs to be sure of them.
    if let Some(baseline) = baseline.as_ref().filter(|_| !flags.no_ab && !flags.advisory) {
        let court = appeal::Court {
            plan: &run.plan,
            listing: &listing,
            baseline,
            program: &programs.bench,
            bound: affinity == Affinity::Bound,
            folder: &out.partial.join("raw/ab"),
            place: &out.partial.join("ab.json"),
        };
        court.hear(&mut verdicts)?;
    }
    verdicts.splice(0..0, counted);
    let against = match is_judged {
        true => run.against(baseline.is_some(), recorded.is_some()),
        false => Against::NotJudged,
    };
    let exit = verdict::exit(&verdicts, strictness);
    let report = Report {
        plan: &run.plan,
        fingerprint: &run.fingerprint,
        exit: match against {
            Against::NoBaseline if flags.require_baseline => verdict::required(exit),
            _ => exit,
        },
        against,
        places: baseline::places(&folder, &workspace::root(), baseline.as_ref(), recorded.as_ref()),
        strictness,
        verdicts,
        crossovers: crossovers(&run.rows),
    };
    write(&out, &report, &run, &measured)?;
    let place = out.publish()?;
    console::result(&report.text(console::style));
    github::tell(&report);
    console::status("Wrote", &place.display().to_string());
    if flags.save_baseline {
        return record::save(flags, &folder, &run, replaced);
    }
    Ok(report.exit)
}

/// Says what the calls without a driver cost before anything is measured, which changes nothing about it.
fn say_counters(counted: &[CaseVerdict], is_short: bool) {
    let all: Vec<&CaseVerdict> = counted.iter().collect();
    let words = format!("{} cases without a driver (noop): {}", all.len(), counts(&all));
    console::status("Counted", &words);
    let changed = all.iter().filter(|verdict| !is_short && !verdict.counters.is_empty());
    for verdict in changed {
        console::warning(&format!("{}: {}", verdict.case, in_words(&verdict.counters)));
    }
}

/// How tasks reach each adapter: as in the baseline, since another way makes other calls into wgpu, else as a calibration finds
/// best. Set by hand, it is what the processes see anyway.
fn tuning(
    backends: &[String],
    baseline: Option<&Baseline>,
    calibrate: impl Fn(&str) -> Result<Option<String>, Error>,
) -> Result<BTreeMap<String, String>, Error> {
    let mut tunings = BTreeMap::new();
    if let Some(tuning) = std::env::var_os(TUNING_ENV) {
        console::warning(&format!(
            "{TUNING_ENV} is set, so counters may differ from the baseline's: {}",
            tuning.to_string_lossy()
        ));
        return Ok(tunings);
    }
    for backend in backends {
        let known = baseline.and_then(|baseline| baseline::tuning(baseline, backend));
        let tuning = known.map_or_else(|| calibrate(backend), |tuning| Ok(Some(tuning.to_owned())))?;
        if let Some(tuning) = tuning {
            tunings.insert(backend.clone(), tuning);
        }
    }
    Ok(tunings)
}

/// Measures everything once, and again what the baseline leaves in doubt: cases whose process was disturbed, then suspects.
fn measure(flags: &Flags, session: &Session<'_>, baseline: Option<&Baseline>) -> Result<Vec<Measured>, Error> {
    let start = Instant::now();
    if session.plan.backends.is_empty() {
        return Ok(Vec::new());
    }
    let mut measured = session.screen()?;
    let mut run = session.plan.runs;
    let mut again = |label, cases: &[CaseId], stage, processes| {
        let runs = run + 1..=run + processes;
        run += processes;
        session.again(label, &Again { cases, stage, runs })
    };
    if flags.save_baseline {
        for _ in 0..MOST_REPEATS {
            let cases = baseline::disturbed(&run::rows(&measured), flags.runs());
            measured.extend(again("Repeating", &cases, Stage::Screen, 1)?);
        }
    }
    let Some(Baseline { rows: baseline, .. }) = baseline else {
        return Ok(measured);
    };
    let per_case = start.elapsed() / u32::try_from(measured.len()).expect("few cases");
    let pace = usize::from(!flags.quick);
    let end = (Instant::now() + MOST_AGAIN[pace]).min(start + LAST_CALL[pace]);
    // How many cases can be measured in so many processes until then.
    let fitting = |processes: u64| {
        let left = end.saturating_duration_since(Instant::now());
        (left.as_secs_f64() / (per_case.as_secs_f64() * processes as f64)) as usize
    };
    for _ in 0..MOST_REPEATS {
        let mut cases = disturbed(baseline, &run::rows(&measured));
        cases.truncate(fitting(1));
        measured.extend(again("Repeating", &cases, Stage::Screen, 1)?);
    }
    let mut cases = suspects(baseline, &run::rows(&measured));
    cases.truncate(fitting(flags.confirming_runs()).max(1));
    measured.extend(again("Confirming", &cases, Stage::Confirm, flags.confirming_runs())?);
    Ok(measured)
}

/// Says how the most similar machine with a baseline differs from this one: a new driver or compiler makes another
/// machine, and the gate must not fall silent without a word.
fn nearest(folder: &Path, fingerprint: &Fingerprint) -> Result<String, Error> {
    let known = baseline::machines(folder)?;
    let difference = |(name, other): &(String, Fingerprint)| (fingerprint.differences(other), name.clone());
    Ok(
        match known
            .iter()
            .map(difference)
            .min_by_key(|(differences, _)| differences.len())
        {
            None => format!("there is no baseline at all in {}", folder.display()),
            Some((differences, name)) => format!(
                "no time is judged; the nearest baseline, {name}, differs in {}",
                differences.join("; ")
            ),
        },
    )
}

fn affinity_of(flags: &Flags) -> Affinity {
    if flags.free {
        Affinity::Free
    } else if affinity::is_possible() {
        Affinity::Bound
    } else {
        console::warning("this system offers no way to bind processes to a core, so figures are noisier than need be");
        Affinity::Free
    }
}

/// What is going to be measured, and what is not.
fn plan(flags: &Flags, sh: &Shell, listing: &Listing) -> Result<Plan, Error> {
    let there = listing
        .picked
        .iter()
        .map(|a| &a.print.backend)
        .chain(listing.absent.iter().map(|a| &a.backend));
    let wanted = flags.timed().unwrap_or_else(|| there.cloned().collect());
    let is_noop_alone = wanted.is_empty();
    let mut backends = Vec::new();
    let mut skipped: Vec<Skipped> = Vec::new();
    for backend in wanted {
        if listing.picked.iter().any(|adapter| adapter.print.backend == backend) {
            backends.push(backend);
        } else {
            let absent = listing.absent.iter().find(|absent| absent.backend == backend);
            let reason = absent.map_or_else(
                || format!("there is no {backend} on {}", std::env::consts::OS),
                |a| a.reason.clone(),
            );
            skipped.push(Skipped { backend, reason });
        }
    }
    for Skipped { backend, reason } in &skipped {
        console::warning(&format!("{backend}: not measured: {reason}"));
    }
    if backends.is_empty() && !is_noop_alone {
        return Err(Error::Failed(
            "none of the backends asked for can be measured here".to_owned(),
        ));
    }
    Ok(Plan {
        schema: SCHEMA,
        started: jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        commit: commit(sh),
        versions: machine::versions(&workspace::root()),
        command: std::iter::once("cargo xtask".to_owned())
            .chain(std::env::args().skip(1))
            .collect::<Vec<_>>()
            .join(" "),
        pace: flags.pace().to_owned(),
        runs: flags.runs(),
        backends,
        skipped,
        tuning: BTreeMap::new(),
        ops: flags.ops(),
        sizes: flags.sizes(),
        shard: flags.shard,
    })
}

/// The commit measured, `-dirty` if files differ from it, other than the baselines; empty where there is no repository.
pub(super) fn commit(sh: &Shell) -> String {
    let quiet = |command: xshell::Cmd<'_>| command.quiet().ignore_stderr().read().unwrap_or_default();
    let commit = quiet(cmd!(sh, "git describe --always --abbrev=12 --exclude=*"));
    let changes = quiet(cmd!(sh, "git status --porcelain --untracked-files=no -- . :!baselines"));
    let mark = if changes.is_empty() { "" } else { "-dirty" };
    format!("{commit}{mark}")
}

/// Writes the files of a run.
pub(super) fn write(out: &Out, report: &Report<'_>, run: &Run, measured: &[Measured]) -> Result<(), Error> {
    let measured = [
        ("calls.csv", calls_csv(measured)),
        ("slices.csv", slices_csv(measured)),
        ("quantiles.csv", quantiles_csv(&quantiles(measured), &run.rows)),
        ("runs.csv", rows::to_csv(&run.rows)),
        ("run.json", files::json(&run.plan)),
        ("fingerprint.json", files::json(&run.fingerprint)),
    ];
    let noop = run.noop.as_ref().map(|noop| (noop::FILE, noop.render()));
    for (name, content) in measured.into_iter().chain(noop).chain(report.files()) {
        files::write(&out.partial.join(name), content.as_bytes())?;
    }
    Ok(())
}
