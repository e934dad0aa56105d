//! `cargo xtask bench`: measures, writes the run's files, and holds it against the baseline.

use std::path::{Path, PathBuf};

use xshell::{Shell, cmd};

use crate::{
    baseline::{self, Baseline},
    cmd::setup,
    error::Error,
    exit::Exit,
    files,
    fingerprint::{Affinity, Fingerprint, SCHEMA},
    host::{
        adapters::{Listing, list},
        affinity, build, console,
        lock::Lock,
        machine,
        out::Out,
        session::Session,
        workspace,
    },
    judge::{judge, suspects},
    report::{Against, Report},
    rows::{self, Row},
    run::{Measured, Plan, Run, Skipped, calls_csv, quantiles, quantiles_csv},
    screen,
    verdict::{self, Strictness, Timing},
};

/// Sizes measured unless `--size` says otherwise: single tasks by their number of elements, and one batch.
const SIZES: [&str; 8] = [
    "1000", "20000", "50000", "100000", "250000", "500000", "1000000", "1000x256",
];
/// What `--full` adds.
const FULL_SIZES: [&str; 2] = ["4000000", "16000000"];
/// Processes a baseline is made of.
const BASELINE_RUNS: u64 = 5;

#[derive(Debug, Default, clap::Args)]
#[command(after_help = "\
Examples:
  cargo xtask bench --setup                          install software adapters, measure everything
  cargo xtask bench --quick --backend cpu,vulkan     a look while working
  cargo xtask bench --save-baseline                  record this machine's baseline, in 5 processes

Exit codes: 0 pass, 1 the tool failed, 2 usage, 3 regression, 4 inconclusive or noisy (--strict),
5 no baseline (--require-baseline).")]
pub(crate) struct Flags {
    /// Install what is missing for the software adapters first
    #[arg(long)]
    setup: bool,
    /// About a second a case
    #[arg(long, conflicts_with = "full")]
    quick: bool,
    /// Sizes of 4,000,000 and 16,000,000 as well
    #[arg(long)]
    full: bool,
    /// Backends to measure, of cpu, vulkan, gles, dx12, metal [default: all there are]
    #[arg(long, value_name = "LIST", env = "GPU_EXECUTOR_BACKENDS", value_parser = backends)]
    backend: Option<Backends>,
    /// Operators to measure [default: all]
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    op: Option<Vec<String>>,
    /// Sizes to measure: 20000, or 1000x256 for a batch of 1000 tasks [default: eight from 1000 to 1000000]
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = size)]
    size: Option<Vec<String>>,
    /// Fresh processes per backend [default: 1; 5 with --save-baseline]
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u64).range(1..=1000))]
    runs: Option<u64>,
    /// Let software adapters use all cores: closer to what users see, and far noisier
    #[arg(long)]
    free: bool,
    /// Record the result as this machine's baseline, replacing the cases measured
    #[arg(long, conflicts_with_all = ["no_gate", "strict", "require_baseline"])]
    save_baseline: bool,
    /// Measure only
    #[arg(long, conflicts_with_all = ["strict", "require_baseline"])]
    no_gate: bool,
    /// End with 4 if a case is inconclusive, noisy or missing
    #[arg(long)]
    strict: bool,
    /// End with 5 if this machine has no baseline
    #[arg(long)]
    require_baseline: bool,
    /// Folder of the baselines [default: baselines]
    #[arg(long, value_name = "DIR")]
    baselines: Option<PathBuf>,
    /// Folder for the result [default: target/bench/TIME]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Times do not fail the run.
    #[arg(skip)]
    advisory: bool,
}

/// Backends by the names of reports.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Backends(Vec<String>);

/// Reads a comma list of backends, as wgpu spells them.
fn backends(list: &str) -> Result<Backends, String> {
    let mut names = Vec::new();
    for name in list.split(',').map(str::trim) {
        let name = match name.to_ascii_lowercase().as_str() {
            "cpu" => "cpu",
            "vulkan" | "vk" => "vulkan",
            "gles" | "gl" | "opengl" => "gles",
            "dx12" | "d3d12" => "dx12",
            "metal" | "mtl" => "metal",
            _ => {
                return Err(format!(
                    "no backend is named `{name}`; there are cpu, vulkan, gles, dx12, metal"
                ));
            }
        };
        if !names.iter().any(|n| n == name) {
            names.push(name.to_owned());
        }
    }
    Ok(Backends(names))
}

/// Checks a size and gives it its one spelling.
fn size(text: &str) -> Result<String, String> {
    let numbers: Option<Vec<u64>> = text
        .split('x')
        .map(|n| n.trim().parse().ok().filter(|&n| n > 0))
        .collect();
    match numbers.as_deref() {
        Some([size] | [1, size]) => Ok(size.to_string()),
        Some([tasks, size]) => Ok(format!("{tasks}x{size}")),
        _ => Err("write 20000, or 1000x256 for a batch of 1000 tasks of 256 elements".to_owned()),
    }
}

impl Flags {
    /// The bench of `cargo xtask ci`.
    pub(crate) fn quick_for_ci() -> Self {
        Self {
            quick: true,
            advisory: true,
            ..Self::default()
        }
    }

    fn pace(&self) -> &'static str {
        if self.quick { "quick" } else { "default" }
    }

    fn runs(&self) -> u64 {
        self.runs.unwrap_or(if self.save_baseline { BASELINE_RUNS } else { 1 })
    }

    /// Fresh processes for each suspect.
    fn confirming_runs(&self) -> u64 {
        if self.quick { 3 } else { 5 }
    }

    fn sizes(&self) -> Vec<String> {
        let own = |sizes: &[&str]| sizes.iter().map(|&s| s.to_owned()).collect::<Vec<_>>();
        let mut sizes = self.size.clone().unwrap_or_else(|| own(&SIZES));
        if self.full {
            sizes.extend(own(&FULL_SIZES));
        }
        let mut seen = Vec::new();
        sizes.retain(|size| {
            !seen.contains(size) && {
                seen.push(size.clone());
                true
            }
        });
        sizes
    }
}

/// The rows of the baseline that is going to be replaced; none if it is damaged, which is what replaces it.
fn replaced(folder: &Path, fingerprint: &Fingerprint) -> Vec<Row> {
    baseline::load(folder, fingerprint).map_or_else(
        |error| {
            console::warning(&format!("{error}; all of it is going to be replaced"));
            Vec::new()
        },
        |baseline| baseline.map(|b| b.rows).unwrap_or_default(),
    )
}

pub(crate) fn run(flags: &Flags) -> Result<Exit, Error> {
    if flags.save_baseline && flags.runs() < screen::FEWEST_RUNS {
        return Err(Error::Usage(format!(
            "--runs {}: a baseline of fewer than {} runs is none to judge by",
            flags.runs(),
            screen::FEWEST_RUNS
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
    let listing = list(&programs.adapters)?;
    let affinity = affinity_of(flags);
    let prints = listing.picked.iter().map(|adapter| adapter.print.clone()).collect();
    let fingerprint = machine::fingerprint(&sh, prints, affinity)?;
    let plan = plan(flags, &sh, &listing)?;

    let folder = flags.baselines.clone().unwrap_or_else(workspace::baselines);
    let is_judged = !flags.no_gate && !flags.save_baseline;
    let baseline = if is_judged {
        baseline::load(&folder, &fingerprint)?
    } else {
        None
    };
    let replaced = if flags.save_baseline {
        replaced(&folder, &fingerprint)
    } else {
        Vec::new()
    };
    if is_judged && baseline.is_none() && flags.require_baseline {
        let id = fingerprint.id();
        console::warning(&format!(
            "no baseline for this machine ({id}); `cargo xtask bench --save-baseline` records one"
        ));
        console::warning(&nearest(&folder, &fingerprint)?);
        return Ok(Exit::NoBaseline);
    }

    if is_judged && baseline.is_none() {
        console::warning(&nearest(&folder, &fingerprint)?);
    }
    let out = Out::prepare(&workspace::runs(), flags.out.as_deref(), &plan.started)?;
    let session = Session {
        plan: &plan,
        listing: &listing,
        program: &programs.bench,
        bound: affinity == Affinity::Bound,
        raw: &out.partial.join("raw"),
    };
    let mut measured = session.screen()?;
    let mut rows: Vec<Row> = measured.iter().map(Measured::row).collect();
    if let Some(baseline) = &baseline {
        let suspects = suspects(&baseline.rows, &rows);
        let confirming = session.confirm(&suspects, flags.confirming_runs())?;
        rows.extend(confirming.iter().map(Measured::row));
        measured.extend(confirming);
    }

    let run = Run {
        plan,
        fingerprint,
        rows,
    };
    let verdicts = judge(baseline.as_ref().map(|b| b.rows.as_slice()), &run.rows, &run.plan);
    let strictness = Strictness {
        timing: if flags.advisory {
            Timing::Advisory
        } else {
            Timing::Enforced
        },
        strict: flags.strict,
    };
    let report = Report {
        against: match (&baseline, is_judged) {
            (_, false) => Against::NotJudged,
            (Some(_), _) => Against::Baseline(run.fingerprint.id()),
            (None, _) => Against::NoBaseline,
        },
        exit: verdict::exit(&verdicts, strictness),
        verdicts,
        run: &run,
    };
    write(&out, &report, &measured)?;
    let place = out.publish()?;
    console::result(&report.text(console::style));
    console::status("Wrote", &place.display().to_string());
    if flags.save_baseline {
        let path = save(&folder, &run, replaced)?;
        console::status("Recorded", &path.display().to_string());
    }
    Ok(report.exit)
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
                "nothing is judged; the nearest baseline, {name}, differs in {}",
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
    let wanted = flags
        .backend
        .as_ref()
        .map_or_else(|| there.cloned().collect(), |backends| backends.0.clone());
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
    if backends.is_empty() {
        return Err(Error::Failed(
            "none of the backends asked for can be measured here".to_owned(),
        ));
    }
    Ok(Plan {
        schema: SCHEMA,
        started: jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        commit: commit(sh),
        command: std::iter::once("cargo xtask".to_owned())
            .chain(std::env::args().skip(1))
            .collect::<Vec<_>>()
            .join(" "),
        pace: flags.pace().to_owned(),
        runs: flags.runs(),
        backends,
        skipped,
        ops: flags.op.clone(),
        sizes: flags.sizes(),
    })
}

/// The commit measured, `-dirty` if files differ from it; empty where there is no repository.
fn commit(sh: &Shell) -> String {
    let describe = cmd!(sh, "git describe --always --dirty --abbrev=12 --exclude=*")
        .quiet()
        .ignore_stderr();
    describe.read().unwrap_or_default()
}

fn write(out: &Out, report: &Report<'_>, measured: &[Measured]) -> Result<(), Error> {
    let run = report.run;
    let all = [
        ("calls.csv", calls_csv(measured)),
        ("quantiles.csv", quantiles_csv(&quantiles(measured), &run.rows)),
        ("runs.csv", rows::to_csv(&run.rows)),
        ("run.json", files::json(&run.plan)),
        ("fingerprint.json", files::json(&run.fingerprint)),
        ("verdicts.json", report.json()),
        ("summary.md", report.markdown()),
    ];
    for (name, content) in all {
        files::write(&out.partial.join(name), content.as_bytes())?;
    }
    Ok(())
}

/// Writes the run into this machine's baseline. Cases that were not to be measured this time stay as they are.
fn save(folder: &Path, run: &Run, old: Vec<Row>) -> Result<PathBuf, Error> {
    let kept = old
        .into_iter()
        .filter(|row| run.plan.covers(&row.case).is_err())
        .collect();
    let Plan {
        started,
        commit,
        command,
        pace,
        ..
    } = &run.plan;
    let commit = if commit.is_empty() { "unknown" } else { commit };
    let baseline = Baseline {
        fingerprint: run.fingerprint.clone(),
        recorded: format!("{started} by `{command}`, pace {pace}, commit {commit}"),
        rows: merge(kept, run.rows.clone()),
    };
    let path = baseline::path(folder, &run.fingerprint);
    files::write(&path, baseline::render(&baseline).as_bytes())?;
    Ok(path)
}

/// Rows of two recordings. The new ones get numbers of their own, since rows of one number are one process, whose
/// calibrations belong together.
fn merge(kept: Vec<Row>, mut new: Vec<Row>) -> Vec<Row> {
    let last = kept.iter().map(|row| row.run).max().unwrap_or_default();
    for row in &mut new {
        row.run += last;
    }
    new.extend(kept);
    new
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::tests::example;

    #[test]
    fn sizes_have_one_spelling() {
        let check = |text: &str, expected: Option<&str>| assert_eq!(size(text).ok().as_deref(), expected, "{text}");
        check("20000", Some("20000"));
        check(" 20000 ", Some("20000"));
        check("1x5", Some("5"));
        check("1000x256", Some("1000x256"));
        for wrong in ["", "0", "-1", "1e3", "1x2x3", "x5", "5x", "0x5", "1_000"] {
            check(wrong, None);
        }
    }

    #[test]
    fn backends_are_read_as_wgpu_spells_them() {
        let check = |list: &str, expected: &[&str]| assert_eq!(backends(list).unwrap().0, expected, "{list}");
        check("cpu", &["cpu"]);
        check(" VK, opengl ,cpu,vulkan", &["vulkan", "gles", "cpu"]);
        check("d3d12,mtl", &["dx12", "metal"]);
        for wrong in ["", "vulcan", "cpu,", "cpu;gles"] {
            assert!(
                backends(wrong).unwrap_err().contains("cpu, vulkan, gles, dx12, metal"),
                "{wrong}"
            );
        }
    }

    #[test]
    fn rows_of_two_recordings_stay_apart() {
        let kept = vec![example("cpu", 1000, 1, 10.0), example("cpu", 1000, 5, 10.0)];
        let merged = merge(kept, vec![example("cpu", 2000, 1, 20.0)]);
        let runs: Vec<(u64, u64)> = merged.iter().map(|row| (row.case.size, row.run)).collect();
        assert_eq!(runs, [(2000, 6), (1000, 1), (1000, 5)]);
    }

    #[test]
    fn full_adds_sizes_and_none_is_measured_twice() {
        let flags = Flags {
            full: true,
            size: Some(vec!["5".into(), "5".into(), "4000000".into()]),
            ..Flags::default()
        };
        assert_eq!(flags.sizes(), ["5", "4000000", "16000000"]);
        assert_eq!(Flags::default().sizes(), SIZES);
    }
}
