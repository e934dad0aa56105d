//! `cargo xtask windows bench`: the benches as Windows programs. Under Wine that shows that they run and that their results
//! are right; no time taken there is one of Windows or DX12, and the run says so.

use std::time::Duration;

use xshell::Shell;

use super::{Place, test};
use crate::{
    cmd::bench,
    error::Error,
    exit::Exit,
    fingerprint::{Affinity, SCHEMA, line},
    host::{
        console, machine,
        out::Out,
        session::{self, Session},
        windows::{
            self,
            toolchain::{Abi, Toolchain},
            wine,
        },
        workspace,
    },
    judge::judge,
    report::{Against, Report, crossover::crossovers},
    rows::Stage,
    run::{self, Plan, Run},
    verdict::{Strictness, Timing},
};

/// A short single task, a long one, and a batch.
const SIZES: [&str; 3] = ["1000", "100000", "100x256"];

#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct Flags {
    /// Refused: times taken under Wine are no baseline
    #[arg(long, hide = true)]
    save_baseline: bool,
}

pub(super) fn run(sh: &Shell, toolchain: Toolchain, flags: &Flags) -> Result<Exit, Error> {
    if flags.save_baseline {
        return Err(Error::Usage(
            "--save-baseline: times taken under Wine are neither Windows' nor DX12's and make no baseline; \
             on Windows, `cargo xtask bench --save-baseline` records one"
                .to_owned(),
        ));
    }
    if toolchain == Toolchain::Native {
        return bench::run(&bench::Flags::quick_for_ci());
    }
    console::status("Building", "benches for Windows");
    // Without optimisation: the tests have built all of it so, and the times mean nothing either way.
    let mut built = toolchain.build(Abi::Gnu, &["build", "--bench", "executor", "--example", "adapters"])?;
    let place = Place::start(sh)?;
    let listing = test::listing(&place, &built)?;
    let at = built.iter().position(|built| built.name == "executor");
    let at = at.ok_or_else(|| Error::Failed("cargo built no program `executor`".to_owned()))?;
    let program = place.script(&built.swap_remove(at).path)?;

    let started = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let mut plan = Plan {
        schema: SCHEMA,
        started,
        commit: bench::commit(sh),
        versions: machine::versions(&workspace::root()),
        command: "cargo xtask windows bench".to_owned(),
        pace: "quick".to_owned(),
        runs: 1,
        backends: listing
            .picked
            .iter()
            .map(|adapter| adapter.print.backend.clone())
            .collect(),
        skipped: Vec::new(),
        ops: Some(vec!["vector_add".to_owned()]),
        sizes: SIZES.map(str::to_owned).to_vec(),
        cases: Vec::new(),
        shard: None,
        tuning: std::collections::BTreeMap::new(),
    };
    for backend in test::BACKENDS {
        if !plan.backends.iter().any(|b| b == backend) {
            return Err(Error::Failed(format!("{backend}: there is no adapter")));
        }
    }
    let prints = listing.picked.iter().map(|adapter| adapter.print.clone()).collect();
    let mut fingerprint = machine::fingerprint(sh, prints, Affinity::Free, false)?;
    fingerprint.os = format!("windows under {}", wine::version()?);
    fingerprint.compiler = format!("{}, not optimised", toolchain.version()?);
    for adapter in &fingerprint.adapters {
        console::status("Adapter", &line(adapter));
    }
    let out = Out::prepare(&windows::folder().join("bench"), None, &plan.started)?;
    let raw = out.partial.join("raw");
    let environment = session::environment(&plan.backends, plan.ops.as_deref(), &plan.sizes);
    plan.cases = session::listed(&program, &environment, &raw)?;
    let cases: Result<Vec<_>, String> = plan.cases.iter().map(|id| id.parse()).collect();
    let session = Session {
        plan: &plan,
        listing: &listing,
        program: &program,
        bound: false,
        time: Duration::from_millis(200),
        raw: &raw,
    };
    let measured = session.measure(&cases.map_err(Error::Failed)?, Stage::Screen, 1..=1, None)?;
    let run = Run {
        rows: run::rows(&measured),
        plan,
        fingerprint,
        noop: None,
    };
    let report = Report {
        plan: &run.plan,
        fingerprint: &run.fingerprint,
        against: Against::NotJudged,
        places: Vec::new(),
        strictness: Strictness {
            timing: Timing::Advisory,
            strict: false,
        },
        verdicts: judge(None, &run.rows, &run.plan),
        crossovers: crossovers(&run.rows),
        exit: Exit::Pass,
    };
    bench::write(&out, &report, &run, &measured)?;
    let path = out.publish()?;
    console::result(&report.text(console::style));
    console::result("results were right on every adapter; these times are Wine's, not Windows' or DX12's\n");
    console::status("Wrote", &path.display().to_string());
    Ok(Exit::Pass)
}
