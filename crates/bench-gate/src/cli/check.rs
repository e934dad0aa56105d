//! `cargo bench-gate check`: holds the work tree against the stored baseline of this machine. What that cannot clear is
//! compared with the baseline's commit, in turns.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    path::PathBuf,
    time::{Duration, Instant},
};

use super::{
    Error, ab,
    compare::{Asked, Wanted},
    flags::{Benches, Place},
    record::{Baselines, Survey, machine},
};
use crate::{
    assess::screen::{Screened, Stored, confirm, drift, screen},
    console,
    exit::Exit,
    files, interrupt,
    measure::PATIENCE,
    project::{self, Builder, Built, Project, Store, WORKTREE},
    stored::{self, Baseline},
    table::duration,
    verdict::Verdict,
};

/// Fresh processes that confirm a suspicion where the baseline's commit cannot be built.
const CONFIRMING: u64 = 5;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cargo bench-gate record     once, on the commit to compare with
  cargo bench-gate check

Exit codes: 0 no regression; 1 the tool or a bench failed, 2 usage, 3 regression, 4 no case could be judged, or under
--strict not every one; 5 there is no baseline of this machine.")]
pub(super) struct Flags {
    /// Revision to check
    #[arg(default_value = WORKTREE)]
    revision: String,
    /// Fresh processes for each case
    #[arg(long, value_name = "NUMBER", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..))]
    processes: u64,
    /// Undecided and removed cases count as well (exit code 4)
    #[arg(long)]
    strict: bool,
    /// Stop measuring in turns after so many seconds
    #[arg(long, value_name = "SECONDS")]
    time_budget: Option<u64>,
    /// Folder for the report and all measurements [default: target/bench-gate/TIME]
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    #[command(flatten)]
    baselines: Baselines,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    benches: Benches,
}

/// What is said of a case.
#[derive(Clone, Debug, serde::Serialize)]
struct Line {
    case: String,
    verdict: Verdict,
    baseline_ns: Option<f64>,
    now_ns: Option<f64>,
    /// On what grounds.
    grounds: String,
}

pub(super) fn run(flags: &Flags) -> Result<Exit, Error> {
    interrupt::note();
    let project = flags.place.project()?;
    project.resolve(&flags.revision)?;
    let selection = flags.benches.selection(&project);
    let store = Store::open(project.repository().top())?;
    let mut builder = Builder::new(&project, &store, &selection, &interrupt::is_noted);
    console::status("Building", &flags.revision);
    let built = builder.build(&flags.revision)?;
    project::have_benches(&[&built])?;
    let path = flags.baselines.file(&project, &machine(&built));
    if !path.is_file() {
        console::result(&format!(
            "no baseline of this machine ({}); `cargo bench-gate record` on the commit to compare with makes one\n",
            path.display()
        ));
        return Ok(Exit::NoBaseline);
    }
    let baseline = Baseline::from_csv(&path, &files::read(&path)?)?;
    let folder = match &flags.out {
        Some(out) => std::path::absolute(out).map_err(crate::Error::io("find", out))?,
        None => {
            let started = jiff::Timestamp::now().strftime("%Y-%m-%dT%H-%M-%SZ").to_string();
            files::free(&project.target()?.join("bench-gate").join(started))
        }
    };
    let survey = Survey::new(&built)?;
    let rows = survey.rows(1..=flags.processes, None)?;
    let (old, new) = (stored::times(&baseline.rows), stored::times(&rows));
    let cases: Vec<Stored> = new
        .iter()
        .map(|(name, run)| Stored {
            name: name.clone(),
            baseline: old.get(name).cloned().unwrap_or_default(),
            run: run.clone(),
        })
        .collect();
    let mut lines: BTreeMap<String, Line> = BTreeMap::new();
    for screened in screen(&cases) {
        lines.insert(screened.case.clone(), line(&screened, &baseline, &rows, "stored times"));
    }
    for name in old.keys().filter(|name| !new.contains_key(*name)) {
        let line = Line {
            case: name.clone(),
            verdict: Verdict::Missing,
            baseline_ns: typical(&baseline.rows, name),
            now_ns: None,
            grounds: "only the baseline has it".to_owned(),
        };
        lines.insert(name.clone(), line);
    }
    let unsure: Vec<String> = lines
        .values()
        .filter(|line| line.verdict == Verdict::Inconclusive)
        .map(|line| line.case.clone())
        .collect();
    if !unsure.is_empty() {
        let turns = Turns {
            project: &project,
            flags,
            folder: &folder,
            unsure: &unsure,
        };
        match turns.compare(&mut builder, &baseline.recording.commit, &built) {
            Ok(compared) => lines.extend(compared),
            Err(error) if interrupt::is_noted() => return Err(error),
            Err(error) => {
                console::warning(&format!(
                    "the baseline's commit cannot be compared with in turns, fresh processes decide: {error}"
                ));
                let more = survey.rows(flags.processes + 1..=flags.processes + CONFIRMING, Some(&unsure))?;
                let fresh = stored::times(&more);
                let suspects: Vec<Stored> = cases
                    .iter()
                    .filter(|case| unsure.contains(&case.name))
                    .map(|case| Stored {
                        run: fresh.get(&case.name).cloned().unwrap_or_default(),
                        ..case.clone()
                    })
                    .collect();
                for screened in confirm(&suspects, drift(&cases)) {
                    lines.insert(
                        screened.case.clone(),
                        line(&screened, &baseline, &more, "fresh processes"),
                    );
                }
            }
        }
    }
    let lines: Vec<Line> = lines.into_values().collect();
    let exit = exit(&lines, flags.strict);
    let text = text(&lines, &baseline, &built, exit);
    console::result(&text);
    let summary = format!("### bench-gate\n\n```\n{text}```\n");
    super::github::say("", &summary);
    files::write(&folder.join("summary.md"), summary.as_bytes())?;
    files::write(&folder.join("verdicts.json"), files::json(&lines).as_bytes())?;
    console::status("Wrote", &folder.display().to_string());
    Ok(exit)
}

/// A comparison in turns of the cases that stored times cannot clear.
struct Turns<'a> {
    project: &'a Project,
    flags: &'a Flags,
    folder: &'a std::path::Path,
    unsure: &'a [String],
}

impl Turns<'_> {
    fn compare(&self, builder: &mut Builder<'_>, commit: &str, head: &Built) -> Result<BTreeMap<String, Line>, Error> {
        console::status(
            "Building",
            &format!("the baseline's commit ({})", &commit[..commit.len().min(12)]),
        );
        let base = builder.build(commit)?;
        let budget = self.flags.time_budget.or(self.project.settings().time_budget);
        let outcome = Asked {
            project: self.project,
            cases: Wanted::Exactly(self.unsure),
            renamed: &[],
            seed: ab::seed(),
            folder: self.folder,
            patience: PATIENCE,
            deadline: budget.map(|seconds| Instant::now() + Duration::from_secs(seconds)),
            always: false,
            how_to_go_on: "",
        }
        .compare(&base, head)?;
        let grounds = format!("in turns with {}", &base.commit[..base.commit.len().min(12)]);
        if outcome.is_same {
            let same = |case: &String| Line {
                case: case.clone(),
                verdict: Verdict::Pass,
                baseline_ns: None,
                now_ns: None,
                grounds: format!("same program as {}", &base.commit[..base.commit.len().min(12)]),
            };
            return Ok(self.unsure.iter().map(|case| (case.clone(), same(case))).collect());
        }
        let of = |assessment: crate::assess::Assessment| {
            let figures = assessment.deciding();
            Line {
                verdict: assessment.verdict,
                baseline_ns: figures.map(|figures| figures.base_ns),
                now_ns: figures.map(|figures| figures.head_ns),
                grounds: format!("{grounds}: {}", assessment.sentence(outcome.block_seconds)),
                case: assessment.case,
            }
        };
        Ok(outcome
            .assessments
            .into_iter()
            .map(of)
            .map(|line| (line.case.clone(), line))
            .collect())
    }
}

/// The median over processes of a case's fastest tenth.
fn typical(rows: &[stored::Row], case: &str) -> Option<f64> {
    let times: Vec<f64> = rows
        .iter()
        .filter(|row| row.case == case)
        .map(|row| row.p10_ns)
        .collect();
    (!times.is_empty()).then(|| crate::stat::quantile::median(&times))
}

fn line(screened: &Screened, baseline: &Baseline, rows: &[stored::Row], grounds: &str) -> Line {
    let is_new = screened.verdict == Verdict::New;
    Line {
        case: screened.case.clone(),
        verdict: screened.verdict,
        baseline_ns: typical(&baseline.rows, &screened.case),
        now_ns: typical(rows, &screened.case),
        grounds: if is_new {
            "the baseline does not have it".to_owned()
        } else {
            format!(
                "{grounds}: {:+.1} %, at most {:+.1} %",
                screened.change_percent, screened.most_percent
            )
        },
    }
}

fn exit(lines: &[Line], strict: bool) -> Exit {
    let is = |verdict: Verdict| lines.iter().any(|line| line.verdict == verdict);
    let is_judged = |line: &Line| {
        matches!(
            line.verdict,
            Verdict::Pass | Verdict::Faster | Verdict::Slower | Verdict::New
        )
    };
    if is(Verdict::Slower) || is(Verdict::CountersChanged) {
        Exit::Regression
    } else if !lines.is_empty() && (!lines.iter().any(is_judged) || strict && !lines.iter().all(is_judged)) {
        Exit::Inconclusive
    } else {
        Exit::Pass
    }
}

fn text(lines: &[Line], baseline: &Baseline, built: &Built, exit: Exit) -> String {
    let recording = &baseline.recording;
    let mut text = format!(
        "{} against the baseline of {} ({})\n",
        built.revision,
        &recording.commit[..recording.commit.len().min(12)],
        recording.started
    );
    let width = lines.iter().map(|line| line.case.chars().count()).max().unwrap_or(0);
    let time = |ns: Option<f64>| ns.map_or_else(|| "–".to_owned(), duration);
    for line in lines {
        let _ = writeln!(
            text,
            "  {:width$}  {:>8} → {:>8}  {}  ({})",
            line.case,
            time(line.baseline_ns),
            time(line.now_ns),
            line.verdict.word(),
            line.grounds
        );
    }
    let word = match exit {
        Exit::Regression => "regression",
        Exit::Inconclusive => "undecided",
        _ => "pass",
    };
    let mut counts: BTreeMap<Verdict, usize> = BTreeMap::new();
    for line in lines {
        *counts.entry(line.verdict).or_default() += 1;
    }
    let counts: Vec<String> = counts
        .iter()
        .map(|(verdict, count)| format!("{count} {}", verdict.word()))
        .collect();
    let _ = writeln!(text, "{word}: {}", counts.join(", "));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_regression_counts_whatever_else_is_there() {
        let check = |verdicts: &[Verdict], strict: bool, expected: Exit| {
            let line = |verdict: &Verdict| Line {
                case: "o".to_owned(),
                verdict: *verdict,
                baseline_ns: None,
                now_ns: None,
                grounds: String::new(),
            };
            let lines: Vec<Line> = verdicts.iter().map(line).collect();
            assert_eq!(exit(&lines, strict), expected, "{verdicts:?}");
        };
        check(&[Verdict::Pass, Verdict::New], true, Exit::Pass);
        check(
            &[Verdict::Pass, Verdict::Slower, Verdict::Inconclusive],
            false,
            Exit::Regression,
        );
        check(&[Verdict::Pass, Verdict::Inconclusive], false, Exit::Pass);
        check(&[Verdict::Pass, Verdict::Inconclusive], true, Exit::Inconclusive);
        check(&[Verdict::Pass, Verdict::Missing], true, Exit::Inconclusive);
        check(&[Verdict::Inconclusive], false, Exit::Inconclusive);
        check(&[], true, Exit::Pass);
    }
}
