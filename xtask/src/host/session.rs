//! Measures what a plan asks for with the engine of `bench_gate`.

use std::{
    collections::BTreeMap,
    ops::RangeInclusive,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use bench_gate::{
    binding::Binding,
    measure::survey::{Group, Survey},
    process::{self, Kind, Start},
};

use crate::{
    case::CaseId,
    error::Error,
    host::{
        adapters::Listing,
        turns::{self, PATIENCE},
    },
    rows::Stage,
    run::{Measured, Plan},
};

/// Samples of a case in a process at the most: enough for any quantile, and a file a person can open.
const MAX_SAMPLES: u64 = 20_000;

/// One program, measured under one plan.
pub(crate) struct Session<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) listing: &'a Listing,
    pub(crate) program: &'a Path,
    /// Whether processes are bound to a core.
    pub(crate) bound: bool,
    /// How long each case is measured in a process.
    pub(crate) time: Duration,
    /// Folder for what the processes write.
    pub(crate) raw: &'a Path,
}

/// What a bench process of some backends is told.
pub(crate) fn environment(backends: &[String], ops: Option<&[String]>, sizes: &[String]) -> BTreeMap<String, String> {
    let mut environment = BTreeMap::from([("GPU_EXECUTOR_BACKENDS".to_owned(), backends.join(","))]);
    if let Some(ops) = ops {
        environment.insert("GPU_EXECUTOR_BENCH_OPS".to_owned(), ops.join(","));
    }
    if !sizes.is_empty() {
        environment.insert("GPU_EXECUTOR_BENCH_SIZES".to_owned(), sizes.join(","));
    }
    environment
}

/// The cases that a program has of what is asked for.
pub(crate) fn listed(program: &Path, environment: &BTreeMap<String, String>, raw: &Path) -> Result<Vec<String>, Error> {
    let command = || turns::command(program, environment, None);
    let start = Start {
        command: &command,
        core: None,
        folder: raw,
        patience: PATIENCE,
    };
    match process::inspect(&start) {
        Ok((Kind::Serving, cases)) => Ok(cases),
        Ok((Kind::Criterion, _)) => Err(Error::Failed(format!(
            "{} does not serve windows of calls",
            program.display()
        ))),
        Err(bench_gate::Error::Usage(message)) => Err(Error::Usage(message.replace("GPU_EXECUTOR_BENCH_OPS", "--op"))),
        Err(error) => Err(error.into()),
    }
}

impl Session<'_> {
    /// Measures some cases, in fresh processes of each of their backends; the backends take turns.
    pub(crate) fn measure(
        &self,
        cases: &[CaseId],
        stage: Stage,
        runs: RangeInclusive<u64>,
        deadline: Option<Instant>,
    ) -> Result<Vec<Measured>, Error> {
        let backends: Vec<(&String, BTreeMap<String, String>)> = self
            .plan
            .backends
            .iter()
            .map(|backend| (backend, environment(std::slice::from_ref(backend), None, &[])))
            .collect();
        let commands: Vec<Box<dyn Fn() -> Command + '_>> = backends
            .iter()
            .map(|(backend, environment)| {
                let tuning = self.plan.tuning.get(*backend).map(String::as_str);
                Box::new(move || turns::command(self.program, environment, tuning)) as Box<dyn Fn() -> Command>
            })
            .collect();
        let mut groups: Vec<Group<'_>> = Vec::new();
        for ((backend, _), command) in backends.iter().zip(&commands) {
            let of_backend = cases.iter().filter(|case| case.backend == **backend);
            groups.push(Group {
                cases: of_backend.map(ToString::to_string).collect(),
                command: &**command,
                binding: if self.bound {
                    turns::binding(self.listing.is_software(backend))
                } else {
                    Binding::Free
                },
            });
        }
        groups.retain(|group| !group.cases.is_empty());
        let survey = Survey {
            groups: &groups,
            runs,
            time: self.time,
            max_samples: MAX_SAMPLES,
            seed: 1,
            folder: self.raw,
            patience: PATIENCE,
            deadline,
        };
        survey
            .run()?
            .into_iter()
            .map(|visit| Measured::new(stage, visit))
            .collect()
    }
}
