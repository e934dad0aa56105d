//! `cargo bench-gate ab`: compares two revisions on this machine.

use std::{
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use super::{
    Error,
    compare::{Asked, Wanted},
    flags::{Benches, Place},
};
use crate::{
    console,
    exit::Exit,
    files, interrupt,
    measure::PATIENCE,
    project::{Builder, Project, Selection, Store, WORKTREE},
};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cargo bench-gate ab                       the work tree against where it left the main branch
  cargo bench-gate ab main                  the work tree against main
  cargo bench-gate ab v1.0 HEAD --case parse
  cargo bench-gate ab main --map-case old/name=new/name

Both revisions are built, and their programs take turns in fresh processes until every case is decided.

Exit codes: 0 no regression, or nothing to compare; 1 the tool or the head failed; 2 usage; 3 regression;
4 no case could be judged, or under --strict not every one.")]
pub(super) struct Flags {
    /// Revision to compare with [default: where the work tree left the main branch]
    base: Option<String>,
    /// Revision to judge; `worktree` is what lies there, committed or not
    #[arg(default_value = WORKTREE)]
    head: String,
    /// Only cases whose names contain this
    #[arg(long, value_name = "TEXT")]
    case: Vec<String>,
    /// A case that was renamed
    #[arg(long, value_name = "OLD=NEW", value_parser = renaming)]
    map_case: Vec<(String, String)>,
    /// Stop measuring after so many seconds; what is undecided then is inconclusive
    #[arg(long, value_name = "SECONDS")]
    time_budget: Option<u64>,
    /// Undecided and removed cases count as well (exit code 4)
    #[arg(long)]
    strict: bool,
    /// Measure although both revisions run the same programs on the same data
    #[arg(long)]
    always: bool,
    /// Folder for the report and all measurements [default: target/bench-gate/TIME]
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// Go on with the comparison of a folder
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["out", "seed", "always"])]
    resume: Option<PathBuf>,
    /// Seed of the random order [default: another one each time]
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
    /// Seconds a program may say nothing before it counts as hung
    #[arg(long, value_name = "SECONDS", default_value_t = PATIENCE.as_secs())]
    patience: u64,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    benches: Benches,
}

fn renaming(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((old, new)) if !old.is_empty() && !new.is_empty() => Ok((old.to_owned(), new.to_owned())),
        _ => Err("write OLD=NEW".to_owned()),
    }
}

/// What is written down when a comparison begins, so that it goes on as it began.
#[derive(Serialize, Deserialize)]
struct Begun {
    /// As it was typed.
    #[serde(default)]
    command: String,
    /// UTC.
    #[serde(default)]
    started: String,
    base: String,
    head: String,
    commits: [String; 2],
    /// Checksums of the programs, which must be the same when it goes on.
    programs: [Vec<String>; 2],
    selection: Selection,
    cases: Vec<String>,
    renamed: Vec<(String, String)>,
    seed: u64,
    always: bool,
}

pub(super) fn run(flags: &Flags) -> Result<Exit, Error> {
    interrupt::note();
    let project = flags.place.project()?;
    let begun = flags
        .resume
        .as_ref()
        .map(|folder| files::read_json::<Begun>(&folder.join("plan.json")))
        .transpose()?;
    let (base, head) = match &begun {
        Some(begun) => (begun.base.clone(), begun.head.clone()),
        None => {
            let base = flags
                .base
                .clone()
                .map_or_else(|| project.repository().merge_base(), Ok)?;
            (base, flags.head.clone())
        }
    };
    // Both before anything is built: a wrong name should not cost a build.
    let commits = [project.resolve(&base)?, project.resolve(&head)?];
    if begun.as_ref().is_some_and(|begun| begun.commits != commits) {
        return Err(Error::Usage(format!(
            "{base} or {head} is another commit by now; compare anew"
        )));
    }
    let folder = folder(flags, &project)?;
    let selection = begun
        .as_ref()
        .map_or_else(|| flags.benches.selection(&project), |begun| begun.selection.clone());
    let store = Store::open(project.repository().top())?;
    let mut builder = Builder::new(&project, &store, &selection, &interrupt::is_noted);
    let mut build = |revision: &str, commit: &str| {
        console::status("Building", &format!("{revision} ({})", &commit[..commit.len().min(12)]));
        builder.build(revision)
    };
    let (base, head) = (build(&base, &commits[0])?, build(&head, &commits[1])?);
    let sums = [base.sums()?, head.sums()?];
    let begun = match begun {
        Some(begun) if begun.programs != sums => {
            return Err(Error::Usage(
                "the programs are others than when it began; compare anew".to_owned(),
            ));
        }
        Some(begun) => begun,
        None => Begun {
            command: super::command_line(),
            started: jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            base: base.revision.clone(),
            head: head.revision.clone(),
            commits,
            programs: sums,
            selection: selection.clone(),
            cases: flags.case.clone(),
            renamed: flags.map_case.clone(),
            seed: flags.seed.unwrap_or_else(seed),
            always: flags.always,
        },
    };
    files::write(&folder.join("plan.json"), files::json(&begun).as_bytes())?;
    let budget = flags.time_budget.or(project.settings().time_budget);
    let outcome = Asked {
        project: &project,
        cases: Wanted::Like(&begun.cases),
        renamed: &begun.renamed,
        seed: begun.seed,
        folder: &folder,
        patience: Duration::from_secs(flags.patience),
        deadline: budget.map(|seconds| Instant::now() + Duration::from_secs(seconds)),
        always: begun.always,
        how_to_go_on: &format!(
            "; the blocks measured so far are kept, and `cargo bench-gate ab --resume {}` goes on",
            folder.display()
        ),
    }
    .compare(&base, &head)?;
    let exit = outcome.exit(flags.strict);
    // Whoever asked gets an answer, also where the folder cannot be written.
    console::result(&outcome.text(exit));
    let markdown = outcome.markdown(exit);
    super::github::say(&outcome.annotations(), &markdown);
    files::write(&folder.join("summary.md"), markdown.as_bytes())?;
    let verdicts = outcome.verdicts(exit);
    files::write(&folder.join("verdicts.json"), files::json(&verdicts).as_bytes())?;
    console::status("Wrote", &folder.display().to_string());
    Ok(exit)
}

/// Where the comparison's files go.
fn folder(flags: &Flags, project: &Project) -> Result<PathBuf, Error> {
    if let Some(folder) = &flags.resume {
        return Ok(std::path::absolute(folder).map_err(crate::Error::io("find", folder))?);
    }
    let Some(out) = &flags.out else {
        let started = jiff::Timestamp::now().strftime("%Y-%m-%dT%H-%M-%SZ").to_string();
        return Ok(files::free(&project.target()?.join("bench-gate").join(started)));
    };
    let out = std::path::absolute(out).map_err(crate::Error::io("find", out))?;
    if fs::read_dir(&out).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(Error::Usage(format!(
            "--out {}: exists; --resume goes on with a comparison",
            out.display()
        )));
    }
    // Before anything is built: a folder that cannot be written should not cost a build.
    fs::create_dir_all(&out).map_err(crate::Error::io("create", &out))?;
    Ok(out)
}

/// A number nobody chose, short enough to be typed.
pub(super) fn seed() -> u64 {
    fastrand::u64(..1_000_000_000)
}
