//! `cargo bench-gate bisect`: finds the commit that made a case slower, with the statistics of `ab`.

use std::time::Duration;

use super::{
    Error, ab,
    compare::{Asked, Wanted},
    flags::{Benches, Place},
};
use crate::{
    assess::Assessment,
    bisection::Bisection,
    console,
    exit::Exit,
    files, interrupt,
    measure::PATIENCE,
    project::{Builder, Project, Store},
};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  cargo bench-gate bisect v1.0 HEAD parse/long

Every comparison is one with GOOD, in fresh processes that take turns; commits that do not build are passed over.
The commit found is compared with the one before it as well.

Exit codes: 0 found, or there is nothing to find; 1 the tool failed, 2 usage, 4 it cannot be told.")]
pub(super) struct Flags {
    /// Commit before the change
    good: String,
    /// Commit after it
    bad: String,
    /// The case, as reports name it
    case: String,
    /// Seed of the random order [default: another one each time]
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    benches: Benches,
}

pub(super) fn run(flags: &Flags) -> Result<Exit, Error> {
    interrupt::note();
    let project = flags.place.project()?;
    let (good, bad) = (project.resolve(&flags.good)?, project.resolve(&flags.bad)?);
    let commits = project.repository().commits_between(&good, &bad)?;
    if commits.is_empty() {
        return Err(Error::Usage(format!(
            "no commit lies between {} and {}",
            flags.good, flags.bad
        )));
    }
    let selection = flags.benches.selection(&project);
    let store = Store::open(project.repository().top())?;
    let builder = Builder::new(&project, &store, &selection, &interrupt::is_noted);
    let seed = flags.seed.unwrap_or_else(ab::seed);
    let mut bench = Bench {
        project: &project,
        builder,
        case: &flags.case,
        seed,
    };
    console::status("Bisecting", &format!("{} commits, seed {seed}", commits.len()));
    let found = Bisection {
        case: &flags.case,
        good: &flags.good,
        bad: &flags.bad,
        commits: &commits,
        subject: &|commit| project.repository().subject(commit),
    }
    .run(|base, head| bench.compare(base, head))?;
    console::result(&found.text);
    Ok(found.exit)
}

/// Comparisons of one case.
struct Bench<'a> {
    project: &'a Project,
    builder: Builder<'a>,
    case: &'a str,
    seed: u64,
}

impl Bench<'_> {
    /// `None` if both run the same program on the same data.
    fn compare(&mut self, base: &str, head: &str) -> Result<Option<Assessment>, Error> {
        let (base, head) = (self.builder.build(base)?, self.builder.build(head)?);
        let started = jiff::Timestamp::now().strftime("%Y-%m-%dT%H-%M-%SZ").to_string();
        let folder = files::free(
            &self
                .project
                .target()?
                .join("bench-gate")
                .join(format!("{started}-{}", &head.commit[..12])),
        );
        let outcome = Asked {
            project: self.project,
            cases: Wanted::Exactly(&[self.case.to_owned()]),
            renamed: &[],
            seed: self.seed,
            folder: &folder,
            patience: Duration::from_secs(PATIENCE.as_secs()),
            deadline: None,
            always: false,
            how_to_go_on: "",
        }
        .compare(&base, &head)?;
        if outcome.is_same {
            return Ok(None);
        }
        let found = outcome
            .assessments
            .into_iter()
            .find(|assessment| assessment.case == self.case);
        found.map(Some).ok_or_else(|| {
            Error::Usage(format!(
                "{} or {} has no case named `{}`",
                base.revision, head.revision, self.case
            ))
        })
    }
}
