//! A calibration of this machine's devices: the budget, the lock, and the work that is timed.

use std::{
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use super::{
    Hybrid,
    cache::{Failure, now},
    calibrate::{Measured, Timed, World, measure},
    device::Device,
    table::{DecidedBy, Table},
};
use crate::{
    backend::Backend,
    error::Error,
    executor::Executor,
    op::{self, Load, Operator, Probe},
    workload::{CheckError, Workload},
};

/// With less time than this nothing is worth beginning.
const LEAST: Duration = Duration::from_millis(20);

/// Where no other device is of use, there is nothing to compare: so long is enough to have a table.
const ALONE: Duration = Duration::from_millis(50);

/// Items of the call that proves a device right before it is timed.
const PROOF: usize = 100;

impl Hybrid {
    /// Reads an operator's table, or measures it in its share of what is left of the budget.
    pub(super) fn calibrate(&self, index: usize, spent: &mut Duration) -> Option<Table> {
        let operator = &op::ALL[index];
        if let Some(table) = self.kept(index) {
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
        let table = self.kept(index).or_else(|| {
            let is_to_come = |(o, table): &(&Operator, &OnceLock<_>)| o.probe.is_some() && table.get().is_none();
            let to_come = op::ALL.iter().zip(&self.tables).filter(is_to_come).count();
            self.measure(operator, begin, left, u32::try_from(to_come).unwrap_or(1).max(1))
        });
        drop(lock);
        *spent += begin.elapsed();
        table
    }

    /// The table that is kept, unless it is of thresholds that the program did away with.
    fn kept(&self, index: usize) -> Option<Table> {
        let table = self.cache.table(op::ALL[index].name)?;
        let is_cleared = self.cleared[index] && table.decided_by == DecidedBy::Thresholds;
        (!is_cleared).then_some(table)
    }

    /// Measures an operator: all `left` may go into opening devices and making pipelines, and of what is left then one part in
    /// `to_come`, the number of operators not measured yet.
    fn measure(&self, operator: &'static Operator, begin: Instant, left: Duration, to_come: u32) -> Option<Table> {
        let name = operator.name;
        let probe = operator.probe.as_ref()?;
        let backends: Vec<_> = self.devices.iter().map(|device| device.backend().name()).collect();
        log::info!("calibrating {name} on {}: {left:.1?} at most", backends.join(", "));
        // Each depth may be another path through the kernel, and more items than one dispatch takes are.
        let several = operator.jumps.first().map(|jump| (jump + 1, probe.depths[0]));
        let proofs = probe.depths.iter().map(|&depth| (PROOF, depth)).chain(several);
        let proofs: Vec<_> = proofs.map(|(items, depth)| (probe.generate)(items, depth)).collect();
        let mut contestants = Vec::new();
        // What is known of the others, and was found out now.
        let (mut known, mut failures) = (0, Vec::new());
        for device in &self.devices {
            let backend = device.backend();
            if let Some(failure) = self.cache.failure(name, backend) {
                log::info!(
                    "{backend}: {name} is not run on it, as it failed {}: {}",
                    ago(failure.at),
                    failure.error
                );
                known += 1;
            } else if contestants.is_empty() || begin.elapsed() < left {
                match prove(device, &proofs) {
                    Ok(executor) => contestants.push((device, executor)),
                    Err(error) => {
                        log::warn!("{backend}: {name} is not run on it: {error}");
                        failures.extend(failure(name, device, &error));
                    }
                }
            }
        }
        drop(proofs);
        let is_whole = contestants.len() + known + failures.len() == self.devices.len();
        let backends: Vec<Backend> = contestants.iter().map(|(device, _)| device.backend()).collect();
        let mut world = Machine {
            begin,
            operator,
            probe,
            contestants,
            work: None,
        };
        let is_alone = backends.len() == 1;
        let left = left.saturating_sub(begin.elapsed()) / to_come;
        let until = begin.elapsed() + if is_alone { left.min(ALONE) } else { left };
        let Measured { times, is_complete } = measure(&mut world, &backends, probe.depths, operator.jumps, until);
        if times.is_empty() {
            log::warn!("{name}: no time was left to measure it, it runs on the CPU");
            return None;
        }
        let table = Table::measured(times);
        log::info!("{name} is calibrated, after {:.1?}: {}", begin.elapsed(), told(&table));
        // One that fails only now may have been disturbed.
        if (is_complete || is_alone) && is_whole && table.times.len() == backends.len() {
            self.cache.keep_measured(name, &table, &failures);
        } else {
            log::warn!("{name}: not everything could be measured, so that it is not kept");
        }
        Some(table)
    }
}

/// What there is to remember of a device that could not be used: nothing, if that was for want of memory or time, which there may be soon.
fn failure(operator: &str, device: &Device, error: &CheckError) -> Option<Failure> {
    if let CheckError::Failed(Error::OutOfMemory { .. } | Error::TooManyOnTheWay { .. } | Error::Timeout { .. }) = error
    {
        return None;
    }
    Some(Failure {
        backend: device.backend(),
        operator: device.was_open().then(|| operator.to_owned()),
        error: error.to_string(),
        at: now(),
    })
}

/// `3 hours ago`.
fn ago(at: u64) -> String {
    match now().saturating_sub(at) {
        seconds @ ..120 => format!("{seconds} seconds ago"),
        seconds @ 120..7200 => format!("{} minutes ago", seconds / 60),
        seconds => format!("{} hours ago", seconds / 3600),
    }
}

/// Opens a device and has it compute something that is compared with the CPU.
fn prove(device: &Device, proofs: &[Box<dyn Workload>]) -> Result<Arc<Executor>, CheckError> {
    let executor = device.executor()?;
    match proofs.iter().try_for_each(|proof| proof.check(&executor)) {
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
    probe: &'static Probe,
    contestants: Vec<(&'d Device, Arc<Executor>)>,
    work: Option<Box<dyn Workload>>,
}

impl World for Machine<'_> {
    fn now(&self) -> Duration {
        self.begin.elapsed()
    }

    fn prepare(&mut self, timed: Timed) -> Load {
        // Before the next is made: two may be more than there is memory for.
        self.work = None;
        let work = match timed {
            Timed::Items { items, depth } => (self.probe.generate)(items, depth),
            Timed::Batch { size, tasks } => (self.operator.workload)(size, tasks, 1),
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
