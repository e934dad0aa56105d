//! `cargo xtask bench`: measures, writes the run's files, and holds it against the baseline.

mod flags;
mod recheck;
mod record;

use std::{
    collections::BTreeMap,
    path::Path,
    time::{Duration, Instant},
};

pub(crate) use flags::{Backends, Flags, backends};
use xshell::{Shell, cmd};

use bench_gate::gpu;

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
        out::Out,
        session::{self, Session},
        turns::TUNING_ENV,
        workspace,
    },
    judge::judge,
    noop::{self, Noop},
    report::{Against, Report, counts, crossover::crossovers},
    rows::{self, Stage},
    run::{self, Measured, Plan, Run, Skipped, calls_csv, cold_csv, quantiles, quantiles_csv},
    verdict::{self, CaseVerdict},
};

/// What all cases of a backend may be measured for in a process, with `--quick` and without.
const MEASURING: [Duration; 2] = [Duration::from_secs(12), Duration::from_secs(50)];
/// What one case is measured for, at least and at most.
const CASE: [Duration; 2] = [Duration::from_millis(60), Duration::from_secs(2)];
/// What is spent on comparing in turns what the baseline leaves open, with `--quick` and without.
const COMPARING: [Duration; 2] = [Duration::from_secs(40), Duration::from_secs(150)];

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
    // There may be no workspace where programs are carried to.
    if flags.program.is_none() {
        sh.change_dir(workspace::root());
    }
    let _lock = Lock::take(&workspace::runs())?;
    if flags.setup {
        setup::ensure(&sh)?;
    } else if let Some(hint) = setup::hint(&sh).filter(|_| flags.program.is_none()) {
        console::warning(&hint);
    }
    let programs = match &flags.program {
        Some(program) => build::Programs::elsewhere(program, flags.adapters.as_deref())?,
        None => build::programs()?,
    };
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
    let fingerprint = machine::fingerprint(&sh, prints, affinity, flags.program.is_some())?;
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
    let raw = out.partial.join("raw");
    let cases = cases(flags, &mut plan, &programs.bench, &raw)?;
    let session = Session {
        plan: &plan,
        listing: &listing,
        program: &programs.bench,
        bound: affinity == Affinity::Bound,
        time: time_per_case(flags, &plan.backends, &cases),
        raw: &raw,
    };
    let mut measured = Vec::new();
    if is_timed {
        console::status(
            "Measuring",
            &format!(
                "{}: {} cases, {} process(es) each, {:.2} s a case",
                plan.backends.join(", "),
                cases.len(),
                plan.runs,
                session.time.as_secs_f64()
            ),
        );
        measured = session.measure(&cases, Stage::Screen, 1..=plan.runs, None)?;
    }
    let rows = baseline.as_ref().map(|b| b.rows.as_slice());
    let mut verdicts = judge(rows, &run::rows(&measured), &plan);
    // Where times do not count, nobody needs to be sure of them.
    if let Some(baseline) = baseline.as_ref().filter(|_| !flags.advisory) {
        let recheck = recheck::Recheck {
            session: &session,
            baseline,
            base_program: flags.base_program.as_deref(),
            place: &out.partial.join("ab.json"),
            time: COMPARING[usize::from(!flags.quick)],
            has_turns: !flags.no_ab,
        };
        let left = recheck.run(&mut verdicts)?;
        // Where the baseline's commit cannot be had, fresh processes have to do.
        if !left.is_empty() {
            let names: Vec<String> = left.iter().map(ToString::to_string).collect();
            let runs = plan.runs + 1..=plan.runs + flags.confirming_runs();
            console::status("Confirming", &format!("{} in fresh processes", names.join(", ")));
            let deadline = Some(Instant::now() + COMPARING[usize::from(!flags.quick)]);
            measured.extend(session.measure(&left, Stage::Confirm, runs, deadline)?);
            for fresh in judge(rows, &run::rows(&measured), &plan) {
                let of_case = verdicts
                    .iter_mut()
                    .find(|verdict| verdict.case == fresh.case && left.contains(&fresh.case));
                if let Some(verdict) = of_case {
                    *verdict = fresh;
                }
            }
        }
    }
    let run = Run {
        rows: run::rows(&measured),
        plan,
        fingerprint,
        noop: Some(noop),
    };
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
    if let Some(clocks) = gpu::sentence(measured.iter().flat_map(|measured| &measured.clocks)) {
        console::result(&format!("{clocks}\n"));
    }
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
    let words = format!("{} cases without a driver: {}", all.len(), counts(&all));
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

/// The cases that are going to be measured: what the bench program has of what is asked for, or a shard of it.
fn cases(flags: &Flags, plan: &mut Plan, program: &Path, raw: &Path) -> Result<Vec<CaseId>, Error> {
    if plan.backends.is_empty() {
        return Ok(Vec::new());
    }
    let environment = session::environment(&plan.backends, plan.ops.as_deref(), &plan.sizes);
    let mut ids = session::listed(program, &environment, raw)?;
    if let Some(shard) = plan.shard {
        ids = shard.part(ids);
    }
    if ids.is_empty() {
        return Err(Error::Usage(
            "the bench program has none of the cases that were asked for".to_owned(),
        ));
    }
    let _ = flags;
    plan.cases = ids;
    plan.cases.iter().map(|id| id.parse().map_err(Error::Failed)).collect()
}

/// How long each case is measured in a process: the time of a backend is shared by its cases.
fn time_per_case(flags: &Flags, backends: &[String], cases: &[CaseId]) -> Duration {
    let most = backends
        .iter()
        .map(|backend| cases.iter().filter(|case| case.backend == *backend).count())
        .max();
    let share =
        MEASURING[usize::from(!flags.quick)] / u32::try_from(most.unwrap_or_default().max(1)).unwrap_or(u32::MAX);
    share.clamp(CASE[0], CASE[1])
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
        commit: flags.program_revision().unwrap_or_else(|| commit(sh)),
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
        cases: Vec::new(),
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
        ("cold.csv", cold_csv(measured)),
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
