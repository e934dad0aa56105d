//! Measures what a plan asks for: every case first, some of them again.

use std::{ops::RangeInclusive, path::Path, time::Duration};

use crate::{
    case::CaseId,
    error::Error,
    host::{
        adapters::Listing,
        console,
        measure::{self, Process},
        progress::Progress,
    },
    rows::Stage,
    run::{Measured, Plan},
};

/// One program, measured under one plan.
#[derive(Debug)]
pub(crate) struct Session<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) listing: &'a Listing,
    pub(crate) program: &'a Path,
    /// Whether software adapters and the CPU run on one core.
    pub(crate) bound: bool,
    /// Folder for what the processes write.
    pub(crate) raw: &'a Path,
}

/// What is to be measured again.
#[derive(Clone, Debug)]
pub(crate) struct Again<'a> {
    pub(crate) cases: &'a [CaseId],
    pub(crate) stage: Stage,
    /// Numbers of the processes, which no others have.
    pub(crate) runs: RangeInclusive<u64>,
}

/// What the cases of one process are.
struct Cases<'a> {
    backend: &'a str,
    /// `None` for all.
    ops: Option<Vec<&'a str>>,
    sizes: Vec<String>,
}

impl Session<'_> {
    /// Measures every case, in as many processes as the plan says; the backends take turns.
    pub(crate) fn screen(&self) -> Result<Vec<Measured>, Error> {
        let Plan { runs, backends, .. } = self.plan;
        let bound = if self.bound {
            "software adapters and CPU bound to one core"
        } else {
            "all cores free"
        };
        console::status(
            "Measuring",
            &format!("{}: {runs} process(es) each, {bound}", backends.join(", ")),
        );
        let cases: usize = backends.iter().map(|backend| self.plan.sizes_on(backend).len()).sum();
        let progress = Progress::new(cases, *runs);
        let mut measured = Vec::new();
        for run in 1..=*runs {
            for backend in backends {
                let sizes = self.plan.sizes_on(backend);
                if sizes.is_empty() {
                    continue;
                }
                let cases = Cases {
                    backend,
                    ops: self
                        .plan
                        .ops
                        .as_ref()
                        .map(|ops| ops.iter().map(String::as_str).collect()),
                    sizes,
                };
                measured.extend(self.process(&cases, Stage::Screen, run, &progress)?);
            }
        }
        if measured.is_empty() {
            return Err(Error::Failed("the benches measured nothing".to_owned()));
        }
        Ok(measured)
    }

    /// Measures some cases again, in `runs` fresh processes of each of their backends; `label` says why.
    pub(crate) fn again(&self, label: &str, again: &Again<'_>) -> Result<Vec<Measured>, Error> {
        let Again { cases, stage, ref runs } = *again;
        if cases.is_empty() {
            return Ok(Vec::new());
        }
        let names: Vec<String> = cases.iter().map(ToString::to_string).collect();
        let processes = runs.end() - runs.start() + 1;
        console::status(label, &format!("{} in {processes} fresh process(es)", names.join(", ")));
        let progress = Progress::new(cases.len(), processes);
        let mut measured = Vec::new();
        for run in runs.clone() {
            for backend in &self.plan.backends {
                let here: Vec<&CaseId> = cases.iter().filter(|case| case.backend == *backend).collect();
                if here.is_empty() {
                    continue;
                }
                let of_process = Cases {
                    backend,
                    ops: Some(sorted(here.iter().map(|case| case.op.as_str()))),
                    sizes: sorted(here.iter().map(|case| case.amount())),
                };
                let records = self.process(&of_process, stage, run, &progress)?;
                // Two operators that are to be measured at different sizes are both measured at both.
                measured.extend(
                    records
                        .into_iter()
                        .filter(|measured| cases.contains(&measured.record.case)),
                );
            }
        }
        Ok(measured)
    }

    fn process(&self, cases: &Cases<'_>, stage: Stage, run: u64, progress: &Progress) -> Result<Vec<Measured>, Error> {
        let Cases { backend, ops, sizes } = cases;
        let process = Process {
            program: self.program,
            backend,
            ops: ops.as_ref().map(|ops| ops.join(",")),
            sizes: sizes.join(","),
            pace: &self.plan.pace,
            bound: self.bound && self.listing.is_software(backend),
            tuning: self.plan.tuning.get(*backend).map(String::as_str),
            folder: self.raw.join(format!("{run}-{backend}")),
            // A case takes three seconds; a hundred times that, and it hangs.
            limit: Duration::from_secs(300),
        };
        let records = measure::run(&process, |case| progress.begin(case))?;
        Ok(records
            .into_iter()
            .map(|record| Measured { stage, run, record })
            .collect())
    }
}

fn sorted<T: Ord>(items: impl Iterator<Item = T>) -> Vec<T> {
    let mut items: Vec<T> = items.collect();
    items.sort();
    items.dedup();
    items
}
