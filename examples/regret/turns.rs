//! Devices and the router do the same work in turns.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use gpu_executor::{Backend, Error, Executor, Hybrid, workload::Workload};

use super::flags::Flags;

/// Rounds of a case at most, and at least.
const MOST_ROUNDS: usize = 101;
const LEAST_ROUNDS: usize = 7;

/// Each turn lasts about as long at least: short calls are repeated.
const TURN: Duration = Duration::from_micros(200);

pub(crate) struct Contest<'w> {
    hybrid: &'w Hybrid,
    workload: &'w dyn Workload,
    devices: Vec<Arc<Executor>>,
    with_router: bool,
}

impl<'w> Contest<'w> {
    /// Every device of the router's, and the router.
    pub(crate) fn new(hybrid: &'w Hybrid, workload: &'w dyn Workload) -> Result<Self, Error> {
        let executors = hybrid.adapters().map(|info| hybrid.executor(info.backend));
        Ok(Self {
            hybrid,
            workload,
            devices: executors.collect::<Result<_, _>>()?,
            with_router: true,
        })
    }

    /// Two devices alone.
    pub(crate) fn between(
        hybrid: &'w Hybrid,
        workload: &'w dyn Workload,
        backends: [Backend; 2],
    ) -> Result<Self, Error> {
        Ok(Self {
            hybrid,
            workload,
            devices: backends
                .into_iter()
                .map(|b| hybrid.executor(b))
                .collect::<Result<_, _>>()?,
            with_router: false,
        })
    }

    pub(crate) fn backends(&self) -> impl Iterator<Item = Backend> {
        self.devices.iter().map(|executor| executor.backend())
    }

    /// The seconds of a call in each round, of each device and then of the router; `None` if a call takes too long.
    pub(crate) fn hold(&mut self, flags: &Flags) -> Result<Option<Vec<Vec<f64>>>, Error> {
        let contestants = self.devices.len() + usize::from(self.with_router);
        let mut calls = vec![1_u32; contestants];
        for (contestant, calls) in calls.iter_mut().enumerate() {
            // The first call makes buffers, the second shows how long one takes.
            for is_second in [false, true] {
                let time = self.call(contestant)?;
                if time > flags.call && (is_second || time > 3 * flags.call) {
                    return Ok(None);
                }
                *calls = u32::try_from(TURN.as_nanos() / time.as_nanos().max(1))
                    .unwrap_or(1)
                    .clamp(1, 1000);
            }
        }
        let mut times = vec![Vec::new(); contestants];
        let begin = Instant::now();
        for round in 0..MOST_ROUNDS {
            if round >= LEAST_ROUNDS && begin.elapsed() > flags.case {
                break;
            }
            for turn in 0..contestants {
                let contestant = (round + turn) % contestants;
                // Whoever was before leaves the caches, and threads that wake up, as no steady state has them.
                self.call(contestant)?;
                let mut sum = Duration::ZERO;
                for _ in 0..calls[contestant] {
                    sum += self.call(contestant)?;
                }
                times[contestant].push((sum / calls[contestant]).as_secs_f64());
            }
        }
        Ok(Some(times))
    }

    fn call(&self, contestant: usize) -> Result<Duration, Error> {
        match self.devices.get(contestant) {
            Some(executor) => self.workload.run(executor),
            None => Ok(self.workload.run_routed(self.hybrid)?.0),
        }
    }
}

/// The median of one or more numbers.
pub(crate) fn median(numbers: &[f64]) -> f64 {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 {
        sorted[middle]
    } else {
        f64::midpoint(sorted[middle - 1], sorted[middle])
    }
}

/// The median of the rounds' ratios.
pub(crate) fn ratio(times: &[f64], others: &[f64]) -> f64 {
    let ratios: Vec<f64> = times.iter().zip(others).map(|(a, b)| a / b).collect();
    median(&ratios)
}
