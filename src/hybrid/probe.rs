//! A calibration of this machine's devices: the budget, the lock, and the work that is timed.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    Hybrid,
    cache::{Failure, kept_kernel, now},
    calibrate::{Measured, Timed, World, measure},
    device::Device,
    operators::{Identity, Operator},
    table::{DecidedBy, Table},
};
use crate::{
    backend::Backend,
    error::Error,
    executor::Executor,
    task::{Calibration, CheckError, Load, Sample},
};

/// An operator's share of the rest of the budget: others may come, in an unknown number.
const SHARE: u32 = 5;

/// With less time than this nothing is worth beginning.
const LEAST: Duration = Duration::from_millis(20);

/// Where no other device is of use, there is nothing to compare: so long is enough to have a table.
const ALONE: Duration = Duration::from_millis(50);

/// Items of the call that proves a device right before it is timed.
const PROOF: usize = 100;

impl Hybrid {
    /// Reads an operator's table, or measures it in its share of the rest of the budget.
    pub(super) fn calibrate(&self, operator: &Operator, spent: &mut Duration) -> Option<Table> {
        if let Some(table) = self.kept(operator) {
            return Some(table);
        }
        let calibration = operator.calibration.as_ref()?;
        let begin = Instant::now();
        let left = self.budget.saturating_sub(*spent);
        if left < LEAST {
            log::warn!(
                "{}: no time is left to calibrate it, it runs on the CPU",
                operator.identity.name
            );
            return None;
        }
        // The first process has measured the same devices.
        let lock = self.cache.lock(left / 2);
        let table = self
            .kept(operator)
            .or_else(|| self.measure(operator, calibration, begin, left));
        drop(lock);
        *spent += begin.elapsed();
        table
    }

    /// The table that is kept, unless it is of thresholds that the program did away with.
    fn kept(&self, operator: &Operator) -> Option<Table> {
        let table = self.cache.table(operator.identity)?;
        let is_cleared = operator.is_cleared && table.decided_by == DecidedBy::Thresholds;
        (!is_cleared).then_some(table)
    }

    /// Measures an operator: all `left` may go into opening devices and making pipelines, and of
    /// the rest then one part in [`SHARE`].
    fn measure(&self, operator: &Operator, calibration: &Calibration, begin: Instant, left: Duration) -> Option<Table> {
        let identity = operator.identity;
        let name = identity.name;
        let backends: Vec<_> = self.devices.iter().map(|device| device.backend().name()).collect();
        log::info!("calibrating {name} on {}: {left:.1?} at most", backends.join(", "));
        // Each depth may be another path through the kernel, and more items than one dispatch takes
        // are.
        let several = calibration
            .jumps
            .first()
            .map(|jump| (jump + 1, calibration.depths[0].1));
        let proofs = calibration
            .depths
            .iter()
            .map(|&(_, generate)| (PROOF, generate))
            .chain(several);
        let proofs: Vec<_> = proofs.map(|(items, generate)| generate(items, 1, 1)).collect();
        let mut contestants = Vec::new();
        // The other operators, and the one measured now.
        let (mut known, mut failures) = (0, Vec::new());
        for device in &self.devices {
            let backend = device.backend();
            // The CPU is what everything is compared with.
            let failure_before = (backend != Backend::Cpu)
                .then(|| self.cache.failure(identity, backend))
                .flatten();
            if let Some(failure) = failure_before {
                log::warn!(
                    "{backend}: {name} is not run on it, as it failed {}: {}",
                    failure.ago(),
                    failure.error
                );
                known += 1;
            } else if contestants.is_empty() || begin.elapsed() < left {
                match prove(device, &proofs) {
                    Ok(executor) => contestants.push((device, executor)),
                    Err(error) => {
                        log::warn!("{backend}: {name} is not run on it: {error}");
                        failures.extend(failure(identity, device, &error));
                    }
                }
            }
        }
        drop(proofs);
        if contestants.is_empty() {
            return None;
        }
        let is_whole = contestants.len() + known + failures.len() == self.devices.len();
        let backends: Vec<Backend> = contestants.iter().map(|(device, _)| device.backend()).collect();
        let mut world = Machine {
            begin,
            calibration,
            contestants,
            work: None,
        };
        let is_alone = backends.len() == 1;
        let left = left.saturating_sub(begin.elapsed()) / SHARE;
        let until = begin.elapsed() + if is_alone { left.min(ALONE) } else { left };
        let depths: Vec<usize> = calibration.depths.iter().map(|&(depth, _)| depth).collect();
        let Measured { times, is_complete } = measure(&mut world, &backends, &depths, calibration.jumps, until);
        if times.is_empty() {
            log::warn!("{name}: no time was left to measure it, it runs on the CPU");
            return None;
        }
        let table = Table::measured(times);
        log::info!("{name} is calibrated, after {:.1?}: {}", begin.elapsed(), told(&table));
        // One that fails only now may have been disturbed. And thresholds that the program did away
        // with are not its to delete in the file.
        if operator.is_cleared {
            log::info!("{name}: kept by `keep_tables`, in the place of the thresholds");
        } else if (is_complete || is_alone) && is_whole && table.times.len() == backends.len() {
            self.cache.keep_measured(identity, &table, &failures);
        } else {
            log::warn!("{name}: not everything could be measured, so that it is not kept");
        }
        Some(table)
    }
}

/// What there is to remember of a device that could not be used: that it cannot be opened, or is
/// wrong. Nothing, if that was for want of memory or time, which there may be soon, or if it was
/// lost: what loses a device need not be this operator.
fn failure(operator: Identity, device: &Device, error: &CheckError) -> Option<Failure> {
    let may_be_otherwise = match error {
        CheckError::Failed(Error::OutOfMemory { .. } | Error::TooManyInFlight { .. } | Error::Timeout { .. }) => true,
        CheckError::Failed(Error::DeviceLost { .. } | Error::Driver { .. }) => device.was_open(),
        _ => false,
    };
    if may_be_otherwise {
        return None;
    }
    Some(Failure {
        backend: device.backend(),
        operator: device.was_open().then(|| operator.name.to_owned()),
        kernel: device.was_open().then(|| kept_kernel(operator)),
        error: error.to_string(),
        at: now(),
    })
}

/// Opens a device and has it compute something that is compared with the CPU.
fn prove(device: &Device, proofs: &[Sample]) -> Result<Arc<Executor>, CheckError> {
    let executor = device.executor()?;
    match proofs.iter().try_for_each(|proof| executor.check_sample(proof)) {
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
    calibration: &'d Calibration,
    contestants: Vec<(&'d Device, Arc<Executor>)>,
    work: Option<Sample>,
}

impl World for Machine<'_> {
    fn now(&self) -> Duration {
        self.begin.elapsed()
    }

    fn prepare(&mut self, timed: Timed) -> Load {
        // Before the next is made: two may be more than there is memory for.
        self.work = None;
        let work = match timed {
            Timed::Items { items, depth } => {
                let mut depths = self.calibration.depths.iter();
                let (_, generate) = depths.find(|(d, _)| *d == depth).expect("one of the depths");
                generate(items, 1, 1)
            }
            Timed::Batch { size, tasks } => (self.calibration.depths[0].1)(size, tasks, 1),
        };
        self.work.insert(work).load()
    }

    fn time(&mut self, device: usize) -> Option<Duration> {
        let (device, executor) = &self.contestants[device];
        match executor.run_sample(self.work.as_ref()?) {
            Ok(time) => Some(time),
            Err(error) => {
                device.fail(executor, &error);
                None
            }
        }
    }
}
