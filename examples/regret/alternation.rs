//! Devices and the router do the same work: alternately, or each for a while on its own.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use gpu_executor::{Backend, Error, Executor, Hybrid, testkit::Workload};

use super::flags::Flags;

/// Calls of a loop that count, at least.
const MIN_CALLS: usize = 7;

/// Rounds of a case at most, and at least.
const MAX_ROUNDS: usize = 301;
const MIN_ROUNDS: usize = 15;

/// The least time of a step: short calls are repeated.
const TURN: Duration = Duration::from_micros(200);

pub(crate) struct Comparison<'w> {
    hybrid: &'w Hybrid,
    workload: &'w dyn Workload,
    devices: Vec<Arc<Executor>>,
    /// Whether the router takes part, and the control: one of the devices once more, to show how
    /// far apart the same can be.
    with_router: bool,
    /// The device that is the control.
    control: usize,
}

/// How the variants alternate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Steps of some hundred microseconds: the state of the machine is the same for all, and a GPU
    /// idles most of the time.
    Alternation,
    /// Each in loops of its own, as a program's: a GPU's clocks are those its own load gives it. Of
    /// each loop the second half counts, and loops alternate, in a random order.
    Loops,
}

/// The times of a variant's calls.
#[derive(Clone, Debug, Default)]
pub(crate) struct Calls {
    /// Seconds of a call in each step; of each loop the median.
    pub(crate) seconds: Vec<f64>,
    /// Of each loop the mean, in which every call counts.
    means: Vec<f64>,
    /// Pages that were touched for the first time in all of them.
    faults: u64,
    calls: u64,
}

impl Calls {
    pub(crate) fn median(&self) -> f64 {
        median(&self.seconds)
    }

    pub(crate) fn faults_per_call(&self) -> f64 {
        self.faults as f64 / self.calls.max(1) as f64
    }
}

impl<'w> Comparison<'w> {
    /// Every device of the router's, and the router.
    pub(crate) fn new(hybrid: &'w Hybrid, workload: &'w dyn Workload) -> Result<Self, Error> {
        let executors = hybrid.adapters().map(|info| hybrid.executor(info.backend));
        Ok(Self {
            hybrid,
            workload,
            devices: executors.collect::<Result<_, _>>()?,
            with_router: true,
            control: 0,
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
            control: 0,
        })
    }

    pub(crate) fn backends(&self) -> impl Iterator<Item = Backend> {
        self.devices.iter().map(|executor| executor.backend())
    }

    /// The device that is the control.
    pub(crate) fn control(&self) -> usize {
        self.control
    }

    /// The calls of each device, and then of the router and the control; `None` if one takes too
    /// long.
    pub(crate) fn hold(&mut self, mode: Mode, flags: &Flags) -> Result<Option<Vec<Calls>>, Error> {
        let variants = self.devices.len() + if self.with_router { 2 } else { 0 };
        let mut repeats = vec![1_u32; variants];
        let mut shortest = Duration::MAX;
        for (variant, repeats) in repeats.iter_mut().enumerate() {
            // The first call makes buffers, the second shows how long one takes.
            for is_second in [false, true] {
                let time = self.call(variant)?;
                if time > flags.call && (is_second || time > 3 * flags.call) {
                    return Ok(None);
                }
                *repeats = u32::try_from(TURN.as_nanos() / time.as_nanos().max(1))
                    .unwrap_or(1)
                    .clamp(1, 1000);
                if is_second && variant < self.devices.len() && time < shortest {
                    (shortest, self.control) = (time, variant);
                }
            }
        }
        if self.with_router {
            repeats[variants - 1] = repeats[self.control];
        }
        let mut all = vec![Calls::default(); variants];
        let mut order: Vec<usize> = (0..variants).collect();
        let mut random = 0x9E37_79B9_7F4A_7C15_u64;
        let begin = Instant::now();
        for round in 0.. {
            let is_over = match mode {
                Mode::Alternation => round >= MAX_ROUNDS || (round >= MIN_ROUNDS && begin.elapsed() > flags.case),
                Mode::Loops => round >= flags.rounds,
            };
            if is_over {
                break;
            }
            // In a random order: a variant that always followed the same one would inherit its
            // caches, memory and clocks.
            for at in (1..variants).rev() {
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                order.swap(at, (random % (at as u64 + 1)) as usize);
            }
            for &variant in &order {
                if mode == Mode::Loops {
                    self.alone(variant, repeats[variant], flags, &mut all[variant])?;
                    continue;
                }
                self.call(variant)?;
                let faults = faults();
                let mut sum = Duration::ZERO;
                for _ in 0..repeats[variant] {
                    sum += self.call(variant)?;
                }
                let calls = &mut all[variant];
                calls.seconds.push((sum / repeats[variant]).as_secs_f64());
                calls.faults += self::faults().saturating_sub(faults);
                calls.calls += u64::from(repeats[variant]);
            }
        }
        Ok(Some(all))
    }

    /// One variant in a loop.
    fn alone(&self, variant: usize, repeats: u32, flags: &Flags, calls: &mut Calls) -> Result<(), Error> {
        let begin = Instant::now();
        let (mut seconds, mut before) = (Vec::new(), faults());
        while begin.elapsed() < flags.alone || seconds.len() < MIN_CALLS {
            let mut sum = Duration::ZERO;
            for _ in 0..repeats {
                sum += self.call(variant)?;
            }
            if begin.elapsed() < flags.alone / 2 {
                before = faults();
                continue;
            }
            seconds.push((sum / repeats).as_secs_f64());
        }
        calls.seconds.push(median(&seconds));
        calls.means.push(seconds.iter().sum::<f64>() / seconds.len() as f64);
        calls.calls += seconds.len() as u64 * u64::from(repeats);
        calls.faults += faults().saturating_sub(before);
        Ok(())
    }

    fn call(&self, variant: usize) -> Result<Duration, Error> {
        if variant == self.devices.len() {
            return Ok(self.workload.run_routed(self.hybrid)?.0);
        }
        let device = self.devices.get(variant).unwrap_or(&self.devices[self.control]);
        self.workload.run(device)
    }

    /// Where the time of one of a device's calls goes.
    pub(crate) fn phases(&self, device: usize) -> Result<String, Error> {
        let phases = self.workload.run_timed(&self.devices[device])?;
        Ok(phases.map_or_else(String::new, |p| {
            let device = p.device.map_or_else(|| "?".to_owned(), |time| format!("{time:.1?}"));
            format!(
                "upload {:.1?}, queue {:.1?} (device {device}), readback {:.1?}",
                p.upload, p.queue, p.readback
            )
        }))
    }
}

/// Pages this process has touched for the first time; 0 where the system does not say.
fn faults() -> u64 {
    let Ok(stat) = std::fs::read_to_string("/proc/self/stat") else {
        return 0;
    };
    // The name may have blanks; behind it the faults are the eighth.
    let rest = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
    rest.split(' ').nth(7).and_then(|n| n.parse().ok()).unwrap_or(0)
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

/// How many times as long some calls took as others.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ratio {
    /// The median of the rounds' ratios.
    pub(crate) median: f64,
    /// What the median lies in with 95 of 100, by the ranks of the ratios; of few rounds all of
    /// them.
    pub(crate) interval: [f64; 2],
}

pub(crate) fn ratio(times: &Calls, others: &Calls) -> Ratio {
    let mut ratios = ratios(&times.seconds, &others.seconds);
    ratios.sort_by(f64::total_cmp);
    let n = ratios.len();
    let below = (n as f64 / 2.0 - 0.98 * (n as f64).sqrt()).floor().max(0.0) as usize;
    Ratio {
        median: median(&ratios),
        interval: [ratios[below], ratios[n - 1 - below]],
    }
}

/// The median of the ratios of the means of loops; `None` for steps.
pub(crate) fn ratio_of_means(times: &Calls, others: &Calls) -> Option<f64> {
    (!times.means.is_empty()).then(|| median(&ratios(&times.means, &others.means)))
}

fn ratios(times: &[f64], others: &[f64]) -> Vec<f64> {
    times.iter().zip(others).map(|(a, b)| a / b).collect()
}
