//! A calibration of this machine's devices: the budget, the lock, and the work that is timed.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    Hybrid,
    calibrate::{Measured, Probe, World, measure},
    device::Device,
    table::Table,
};
use crate::{
    backend::Backend,
    executor::Executor,
    op::{self, Load, Operator},
    workload::{CheckError, Workload},
};

/// With less time than this nothing is worth beginning.
const LEAST: Duration = Duration::from_millis(20);

/// Items of the call that proves a device right before it is timed.
const PROOF: usize = 100;

impl Hybrid {
    /// Reads an operator's table, or measures it in its share of what is left of the budget.
    pub(super) fn calibrate(&self, operator: usize, spent: &mut Duration) -> Option<Table> {
        let operator = &op::ALL[operator];
        if let Some(table) = self.cache.table(operator.name) {
            return Some(table);
        }
        let begin = Instant::now();
        let left = self.budget.saturating_sub(*spent);
        if left < LEAST {
            log::warn!("{}: no time is left to calibrate it, it runs on the CPU", operator.name);
            return None;
        }
        // Whoever was first has measured the same devices.
        let lock = self.cache.lock(left / 2);
        let table = self.cache.table(operator.name).or_else(|| {
            let others = self.tables.iter().filter(|table| table.get().is_none()).count().max(1);
            self.measure(operator, begin, left, u32::try_from(others).unwrap_or(1))
        });
        drop(lock);
        *spent += begin.elapsed();
        table
    }

    /// Measures an operator: all `left` may go into opening devices and making pipelines, and of what is left then one part in
    /// `others`.
    fn measure(&self, operator: &'static Operator, begin: Instant, left: Duration, others: u32) -> Option<Table> {
        let names: Vec<_> = self.devices.iter().map(|device| device.backend().name()).collect();
        log::info!(
            "calibrating {} on {}: {left:.1?} at most",
            operator.name,
            names.join(", ")
        );
        let proof = (operator.probe)(PROOF, operator.depths[0], 1);
        let mut contestants = Vec::new();
        for device in &self.devices {
            if contestants.is_empty() || begin.elapsed() < left {
                match prove(device, proof.as_ref()) {
                    Ok(executor) => contestants.push((device, executor)),
                    Err(error) => log::warn!("{}: {} is not used on it: {error}", device.backend(), operator.name),
                }
            }
        }
        drop(proof);
        let is_whole = contestants.len() == self.devices.len();
        let backends: Vec<Backend> = contestants.iter().map(|(device, _)| device.backend()).collect();
        let mut world = Machine {
            begin,
            operator,
            contestants,
            work: None,
        };
        let share = left.saturating_sub(begin.elapsed()) / others;
        let until = begin.elapsed() + share;
        let Measured { times, is_complete } = measure(&mut world, &backends, operator.depths, until);
        if times.is_empty() {
            return None;
        }
        let table = Table::measured(times);
        log::info!(
            "{} is calibrated, after {:.1?}: {}",
            operator.name,
            begin.elapsed(),
            told(&table)
        );
        if is_complete && is_whole {
            self.cache.keep(operator.name, &table);
        } else {
            log::warn!(
                "{}: not everything could be measured, so that it is not kept",
                operator.name
            );
        }
        Some(table)
    }
}

/// Opens a device and has it compute something that is compared with the CPU.
fn prove(device: &Device, proof: &dyn Workload) -> Result<Arc<Executor>, CheckError> {
    let executor = device.executor()?;
    match proof.check(&executor) {
        Ok(()) => Ok(executor),
        Err(error) => {
            if let CheckError::Failed(error) = &error {
                device.fail(&executor, error);
            }
            Err(error)
        }
    }
}

/// `cpu, vulkan from 70000 on`.
fn told(table: &Table) -> String {
    let rows = table.thresholds.iter().map(|row| match (row.items, row.depth) {
        (1, 1) => row.backend.to_string(),
        (1, depth) => format!("of {depth} steps: {}", row.backend),
        (items, _) => format!("{} from {items} on", row.backend),
    });
    rows.collect::<Vec<_>>().join(", ")
}

/// This machine.
struct Machine<'d> {
    begin: Instant,
    operator: &'static Operator,
    contestants: Vec<(&'d Device, Arc<Executor>)>,
    work: Option<Box<dyn Workload>>,
}

impl World for Machine<'_> {
    fn now(&self) -> Duration {
        self.begin.elapsed()
    }

    fn prepare(&mut self, probe: Probe) -> Load {
        // Before the next is made: two may be more than there is memory for.
        self.work = None;
        let work = match probe {
            Probe::Items { items, depth } => (self.operator.probe)(items, depth, 1),
            Probe::Batch { size, tasks } => (self.operator.workload)(size, tasks, 1),
        };
        self.work.insert(work).load()
    }

    fn time(&mut self, device: usize) -> Option<Duration> {
        let (device, executor) = &self.contestants[device];
        match self.work.as_ref()?.run(executor) {
            Ok(time) => Some(time),
            Err(error) => {
                device.fail(executor, &error);
                None
            }
        }
    }
}
