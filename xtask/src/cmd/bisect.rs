//! `cargo xtask bisect`: finds the commit that made a case slower, or changed its calls into wgpu, with the statistics of `ab`.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use bench_gate::{
    assess::Assessment,
    bisection::{Bisection, Change},
    project::Project,
};

use crate::{
    ab::report::Plan,
    cmd::ab,
    error::Error,
    exit::Exit,
    files,
    fingerprint::SCHEMA,
    host::{
        adapters::{self, Listing},
        affinity, build, console, interrupt,
        lock::Lock,
        revision::{self, Builder},
        turns::{PATIENCE, Turns},
        workspace,
    },
};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cargo xtask bisect v1.0 HEAD vector_add/vulkan/20000

Every comparison is one with GOOD, in fresh processes that take turns; commits that do not build are passed over.
The commit found is compared with the one before it as well.

Exit codes: 0 found, or there is nothing to find; 1 the tool failed, 2 usage, 4 it cannot be told.")]
pub(crate) struct Flags {
    /// Commit before the change
    good: String,
    /// Commit after it
    bad: String,
    /// The case, as reports name it
    case: String,
    #[command(flatten)]
    source: ab::Source,
    /// Seed of the random order [default: another one each time]
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
}

pub(crate) fn run(flags: &Flags) -> Result<Exit, Error> {
    let _lock = Lock::take(&workspace::runs())?;
    interrupt::note();
    let revisions = flags.source.revisions()?;
    let project = revisions.project();
    let (good, bad) = (project.resolve(&flags.good)?, project.resolve(&flags.bad)?);
    let commits = project.repository().commits_between(&good, &bad)?;
    if commits.is_empty() {
        return Err(Error::Usage(format!(
            "no commit lies between {} and {}",
            flags.good, flags.bad
        )));
    }
    let (listing, tuning) = if flags.source.is_own() {
        let program = build::listing()?;
        let listing = adapters::list(&program)?;
        let tuning = ab::tuning(&program, &listing, affinity::is_possible())?;
        (Some(listing), tuning)
    } else {
        (None, BTreeMap::new())
    };
    let mut bench = Bench {
        listing,
        tuning,
        builder: revisions.builder(),
        project,
        store: ab::store(&flags.source, Some(&revisions))?,
        flags,
        seed: flags.seed.unwrap_or_else(ab::seed),
    };
    console::status("Bisecting", &format!("{} commits, seed {}", commits.len(), bench.seed));
    let found = Bisection {
        case: &flags.case,
        good: &flags.good,
        bad: &flags.bad,
        commits: &commits,
        subject: &|commit| project.repository().subject(commit),
    }
    .run(|base, head| bench.compare(base, head))?;
    console::result(&found.text);
    if let Some((Change::Slower, culprit)) = &found.culprit {
        if let Some(counters) = &culprit.counters {
            console::result(&format!("calls into wgpu changed: {counters}\n"));
        }
        for phase in &culprit.phases {
            console::result(&format!("{}: {:+.1} %\n", phase.name, phase.change_percent));
        }
    }
    Ok(found.exit)
}

/// Comparisons of one case.
struct Bench<'a> {
    listing: Option<Listing>,
    tuning: BTreeMap<String, String>,
    builder: Builder<'a>,
    project: &'a Project,
    store: PathBuf,
    flags: &'a Flags,
    seed: u64,
}

impl Bench<'_> {
    fn compare(&mut self, base: &str, head: &str) -> Result<Option<Assessment>, Error> {
        let commits = [self.project.resolve(base)?, self.project.resolve(head)?];
        let (base, _of_base) = revision::side(&mut self.builder, base, &commits[0])?;
        let (head, _of_head) = revision::side(&mut self.builder, head, &commits[1])?;
        let case = &self.flags.case;
        let mut environment = BTreeMap::new();
        if self.listing.is_some() {
            let [Some(op), Some(backend), Some(size)] = [0, 1, 2].map(|part| case.split('/').nth(part)) else {
                return Err(Error::Usage(format!(
                    "`{case}` is no case; write `vector_add/vulkan/20000`"
                )));
            };
            environment.insert("GPU_EXECUTOR_BACKENDS".to_owned(), backend.to_owned());
            environment.insert("GPU_EXECUTOR_BENCH_SIZES".to_owned(), size.to_owned());
            environment.insert("GPU_EXECUTOR_BENCH_OPS".to_owned(), op.to_owned());
        }
        let started = jiff::Timestamp::now().strftime("%Y-%m-%dT%H-%M-%SZ").to_string();
        let folder = files::free(&self.store.join(format!("{started}-{}", &commits[1][..12])));
        let (_, serving) = ab::common([&base, &head], std::slice::from_ref(case), &environment, &folder)?;
        let plan = Plan {
            schema: SCHEMA,
            started,
            command: format!("cargo xtask bisect {} {} {case}", self.flags.good, self.flags.bad),
            base,
            head,
            cases: vec![case.clone()],
            seed: self.seed,
            binding: (!affinity::is_possible()).then_some(bench_gate::binding::Binding::Free),
            tuning: self.tuning.clone(),
            serving,
        };
        self.measure(&plan, &environment, &folder).map(Some)
    }

    fn measure(&self, plan: &Plan, environment: &BTreeMap<String, String>, folder: &Path) -> Result<Assessment, Error> {
        files::write(&folder.join("plan.json"), files::json(plan).as_bytes())?;
        let finished = Turns {
            plan,
            environment: [environment, environment],
            is_software: &|backend| ab::is_software(self.listing.as_ref(), backend),
            accepted: &[],
            folder,
            patience: PATIENCE,
            how_to_go_on: "",
            deadline: None,
        }
        .run()?;
        Ok(finished.assessments.into_iter().next().expect("one case was compared"))
    }
}
