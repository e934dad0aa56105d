//! The cases as `bench_recorder` serves them: `cargo xtask bench` and `ab` ask for windows of
//! calls.

use std::{
    collections::BTreeMap,
    rc::Rc,
    time::{Duration, Instant},
};

use bench_recorder::{Fault, Subject, Suite, wire::Counters};
use gpu_executor::{Executor, testkit::Workload};

use crate::cases::{Case, Plan};

/// The suite of what the plan names; any other case can be asked for by its id.
pub(crate) fn suite(plan: Plan) -> Suite {
    let mut executors: BTreeMap<&'static str, Rc<Executor>> = BTreeMap::new();
    Suite::new(plan.ids(), move |id, scale| {
        let (operator, backend, case) = plan.find(id)?;
        let case = Case {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a size")]
            size: (case.size as f64 * scale).round() as usize,
            ..case
        };
        let mut cold = Vec::new();
        if !executors.contains_key(backend.name()) {
            let start = Instant::now();
            let executor = Executor::from_env(backend).map_err(|error| format!("{backend}: {error}"))?;
            cold.push(("device", start.elapsed()));
            // Before the first case, so that no case depends on which came first.
            let start = Instant::now();
            executor.tune().map_err(|error| format!("{backend}: {error}"))?;
            cold.push(("tuning", start.elapsed()));
            executors.insert(backend.name(), Rc::new(executor));
        }
        Ok(Box::new(Work {
            executor: Rc::clone(&executors[backend.name()]),
            workload: (operator.workload)(case.size, case.tasks, 1),
            cold,
        }))
    })
}

/// A workload on an executor.
pub(crate) struct Work {
    pub(crate) executor: Rc<Executor>,
    pub(crate) workload: Box<dyn Workload>,
    /// What was done for the first case of an executor.
    pub(crate) cold: Vec<(&'static str, Duration)>,
}

impl Subject for Work {
    fn call(&mut self) -> Result<Duration, Fault> {
        Ok(self.workload.run(&self.executor)?)
    }

    fn check(&mut self) -> Result<(), Fault> {
        Ok(self.workload.check(&self.executor)?)
    }

    fn counters(&self) -> Counters {
        let counters = serde_json::to_value(self.executor.counters()).expect("plain data is always JSON");
        let mut counters: Counters = serde_json::from_value(counters).expect("counters are numbers by name");
        // How often the device was looked at depends on time.
        counters.remove("polls");
        counters
    }

    fn phases(&mut self) -> Result<Vec<(&'static str, Duration)>, Fault> {
        let Some(phases) = self.workload.run_timed(&self.executor)? else {
            return Ok(Vec::new());
        };
        let device = phases.device.map(|device| ("device", device));
        let host = [
            ("upload", phases.upload),
            ("queue", phases.queue),
            ("readback", phases.readback),
        ];
        Ok(host.into_iter().chain(device).collect())
    }

    fn cold(&self) -> Vec<(&'static str, Duration)> {
        self.cold.clone()
    }
}
