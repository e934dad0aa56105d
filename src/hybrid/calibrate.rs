//! Measures an operator on every device within a given time.

use std::time::Duration;

use super::table::{Curve, DeviceTimes};
use crate::{backend::Backend, op::Load};

/// Numbers of items tried, ascending, as far as time allows.
const LADDER: [usize; 12] = [
    1,
    64,
    256,
    1 << 10,
    1 << 12,
    1 << 14,
    1 << 16,
    1 << 18,
    1 << 20,
    1 << 22,
    1 << 24,
    1 << 26,
];

/// Calls of each device at one size, at least; the fastest tenth of them counts.
const ROUNDS: usize = 4;
/// Calls of each device at one size, at most.
const MOST_ROUNDS: usize = 60;

/// Numbers of small tasks in the batch that shows what each task adds: the first for which there is time.
const BATCHES: [usize; 3] = [256, 64, 16];

/// What is timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Timed {
    /// One call of so many items of so many steps each.
    Items { items: usize, depth: usize },
    /// A batch of equal tasks.
    Batch { size: usize, tasks: usize },
}

/// What a calibration needs of the world: a clock, and work to be timed.
pub(super) trait World {
    /// A clock that does not go back.
    fn now(&self) -> Duration;

    /// Makes the work that is timed from now on.
    fn prepare(&mut self, timed: Timed) -> Load;

    /// Does the work once on the device of this number; `None` if the device is of no use.
    fn time(&mut self, device: usize) -> Option<Duration>;
}

/// What was measured, and whether there was time for enough of it to be kept.
pub(super) struct Measured {
    pub(super) times: Vec<DeviceTimes>,
    pub(super) is_complete: bool,
}

/// Measures until `until` by the world's clock. No call is begun that what is known so far predicts to last longer.
///
/// Devices take turns, so that a neighbour on the machine disturbs all; the first is the CPU.
pub(super) fn measure(world: &mut impl World, devices: &[Backend], depths: &[usize], until: Duration) -> Measured {
    let mut trial = Trial {
        world,
        until,
        devices: devices
            .iter()
            .map(|&backend| Device {
                is_alive: true,
                times: DeviceTimes {
                    backend,
                    task_ns: 0.0,
                    curves: depths
                        .iter()
                        .map(|&depth| Curve {
                            depth: depth as u64,
                            points: Vec::new(),
                        })
                        .collect(),
                },
            })
            .collect(),
    };
    let begin = trial.world.now();
    let left = until.saturating_sub(begin);
    for number in 0..depths.len() {
        // Six tenths of the time for all ladders; what one leaves goes to the next.
        #[expect(clippy::cast_possible_truncation, reason = "a handful of depths")]
        let (done, all) = (number as u32 + 1, depths.len() as u32);
        trial.climb(number, begin + left.mul_f64(0.6) * done / all);
    }
    let is_complete = trial.devices.iter().all(|device| !device.is_alive || device.is_known());
    trial.batch();
    trial.refine();
    let measured = trial.devices.into_iter().filter(|device| device.is_alive);
    let mut times: Vec<DeviceTimes> = measured.map(|device| device.times).collect();
    times.retain(|times| times.curves.iter().all(|curve| !curve.points.is_empty()));
    Measured { times, is_complete }
}

/// A call to warm up, and as many as are timed at the least.
fn calls(ns: f64) -> Duration {
    Duration::try_from_secs_f64(ns / 1e9 * (ROUNDS + 1) as f64).unwrap_or(Duration::MAX)
}

struct Device {
    /// Until it fails.
    is_alive: bool,
    times: DeviceTimes,
}

impl Device {
    /// Whether enough was measured to tell more work from less.
    fn is_known(&self) -> bool {
        self.times.curves.iter().all(|curve| curve.points.len() >= 3)
    }
}

struct Trial<'w, W> {
    world: &'w mut W,
    until: Duration,
    devices: Vec<Device>,
}

impl<W: World> Trial<'_, W> {
    fn left(&self, until: Duration) -> Duration {
        until.saturating_sub(self.world.now())
    }

    /// Measures ever more items of one depth. A device that takes too long, or can no longer become the fastest, is left where
    /// it is, and its last line goes on.
    fn climb(&mut self, depth: usize, until: Duration) {
        let mut climbing: Vec<usize> = (0..self.devices.len()).filter(|&d| self.devices[d].is_alive).collect();
        let mut making = Duration::ZERO;
        let mut before = 1;
        for items in LADDER {
            let growth = u32::try_from(items / before).unwrap_or(u32::MAX);
            let left = self.left(until).saturating_sub(making * growth);
            loop {
                let costs = climbing.iter().map(|&d| (d, self.cost(d, depth, items)));
                let all = costs
                    .clone()
                    .fold(Duration::ZERO, |sum, (_, cost)| sum.saturating_add(cost));
                if all <= left {
                    break;
                }
                let Some((dearest, _)) = costs.max_by_key(|&(_, cost)| cost) else {
                    break;
                };
                climbing.retain(|&d| d != dearest);
            }
            if climbing.is_empty() || (left.is_zero() && items > 1) {
                return;
            }
            let begin = self.world.now();
            let load = self.world.prepare(Timed::Items {
                items,
                depth: self.depth(depth),
            });
            making = self.world.now().saturating_sub(begin);
            // Larger sizes need more of the time, and have it: small ones get a share that no number of sizes adds up.
            let share = self.left(until) / 8;
            self.sample(&climbing, depth, load.items, share);
            climbing.retain(|&d| self.devices[d].is_alive && self.can_win(d, depth));
            before = items;
        }
    }

    fn depth(&self, number: usize) -> usize {
        usize::try_from(self.devices[0].times.curves[number].depth).unwrap_or(usize::MAX)
    }

    /// What measuring a device costs at least: a call to warm up, and the rounds.
    fn cost(&self, device: usize, depth: usize, items: usize) -> Duration {
        let curve = &self.devices[device].times.curves[depth];
        // One point says little of the next; the first two are small.
        match curve.points.len() {
            0 | 1 => Duration::ZERO,
            _ => calls(curve.ns(items as u64)),
        }
    }

    /// Whether a device may still be the fastest for more items: not if it takes three times as long as another, and each
    /// further item costs it three times as much.
    fn can_win(&self, device: usize, depth: usize) -> bool {
        let line = |d: usize| match self.devices[d].times.curves[depth].points.as_slice() {
            [.., (x0, y0), (x1, y1)] => Some((*y1, (y1 - y0) * 1000.0 / (x1 - x0) as f64, *x1)),
            _ => None,
        };
        let Some((ns, slope, at)) = line(device) else {
            return true;
        };
        // Where the fixed part of the time is most of it, the slope is noise.
        if slope / 1000.0 * (at as f64) < ns / 2.0 {
            return true;
        }
        (0..self.devices.len())
            .filter_map(line)
            .all(|(other, other_slope, other_at)| other_at != at || ns < 3.0 * other || slope < 3.0 * other_slope)
    }

    /// Times calls of some devices in turns, for about `share`, and keeps each one's time at this number of items.
    fn sample(&mut self, devices: &[usize], depth: usize, items: u64, share: Duration) {
        for (device, ns) in self.rounds(devices, share) {
            let points = &mut self.devices[device].times.curves[depth].points;
            match points.binary_search_by_key(&items, |point| point.0) {
                // Measured again: whatever was in the way the other time is left out.
                Ok(at) => points[at].1 = points[at].1.min(ns),
                Err(at) => points.insert(at, (items, ns)),
            }
        }
    }

    /// The fastest tenth of some devices' calls of what was prepared, in nanoseconds.
    fn rounds(&mut self, devices: &[usize], share: Duration) -> Vec<(usize, f64)> {
        let mut calls: Vec<(usize, Vec<Duration>)> = devices.iter().map(|&d| (d, Vec::new())).collect();
        // The first call makes pipelines and buffers, or warms the caches.
        calls.retain(|&(device, _)| self.left(self.until).is_zero() || self.time(device).is_some());
        let begin = self.world.now();
        'rounds: for round in 0..MOST_ROUNDS {
            if calls.is_empty() || (round >= ROUNDS && self.world.now().saturating_sub(begin) >= share) {
                break;
            }
            // Who goes first finds the caches as the last one left them, so each does in turn.
            calls.rotate_left(1);
            for call in (0..calls.len()).rev() {
                if self.left(self.until).is_zero() {
                    break 'rounds;
                }
                match self.time(calls[call].0) {
                    Some(time) => calls[call].1.push(time),
                    None => drop(calls.remove(call)),
                }
            }
        }
        let low = |times: &mut Vec<Duration>| {
            times.sort_unstable();
            times
                .get(times.len() / 10)
                .map(|time| (time.as_secs_f64() * 1e10).round() / 10.0)
        };
        let lows = calls
            .iter_mut()
            .filter_map(|(device, times)| Some((*device, low(times)?)));
        lows.collect()
    }

    fn time(&mut self, device: usize) -> Option<Duration> {
        let time = self.world.time(device);
        self.devices[device].is_alive &= time.is_some();
        time
    }

    /// Measures what each task of a batch adds.
    fn batch(&mut self) {
        let devices: Vec<usize> = (0..self.devices.len())
            .filter(|&d| self.devices[d].is_alive && self.devices[d].is_known())
            .collect();
        for tasks in BATCHES {
            if self.left(self.until).is_zero() {
                return;
            }
            let load = self.world.prepare(Timed::Batch { size: 64, tasks });
            let cost = |&d: &usize| calls(self.devices[d].times.ns(&load));
            if devices.iter().map(cost).fold(Duration::ZERO, Duration::saturating_add) > self.left(self.until) / 3 {
                continue;
            }
            for (device, ns) in self.rounds(&devices, self.left(self.until) / 8) {
                let times = &mut self.devices[device].times;
                let one = times.ns(&Load { tasks: 1, ..load });
                times.task_ns = ((ns - one) / load.tasks.saturating_sub(1).max(1) as f64)
                    .max(0.0)
                    .round();
            }
            return;
        }
    }

    /// Measures between two numbers of items where different devices are the fastest, until they are close together or time
    /// is up; then both again.
    fn refine(&mut self) {
        let mut looked = vec![0; self.devices[0].times.curves.len()];
        loop {
            let mut is_done = true;
            for (depth, looked) in looked.iter_mut().enumerate() {
                let Some((devices, below, above)) = self.crossing(depth) else {
                    continue;
                };
                let (items, again) = if above as f64 / below as f64 > 1.3 {
                    (((below as f64) * (above as f64)).sqrt().round() as usize, false)
                } else {
                    *looked += 1;
                    (if *looked % 2 == 0 { below } else { above }, true)
                };
                let costs = devices.iter().map(|&d| self.cost(d, depth, items));
                let cost = costs.fold(Duration::ZERO, Duration::saturating_add);
                if (again && *looked > 6) || cost.saturating_mul(2) > self.left(self.until) {
                    continue;
                }
                is_done = false;
                let load = self.world.prepare(Timed::Items {
                    items,
                    depth: self.depth(depth),
                });
                self.sample(&devices, depth, load.items, self.left(self.until) / 12);
            }
            if is_done {
                return;
            }
        }
    }

    /// The last two neighbouring numbers of items between which another device becomes the fastest, with the two devices.
    fn crossing(&self, depth: usize) -> Option<([usize; 2], usize, usize)> {
        let alive: Vec<usize> = (0..self.devices.len())
            .filter(|&d| self.devices[d].is_alive && !self.devices[d].times.curves[depth].points.is_empty())
            .collect();
        let curve = |d: usize| &self.devices[d].times.curves[depth];
        let mut sizes: Vec<u64> = alive
            .iter()
            .flat_map(|&d| &curve(d).points)
            .map(|point| point.0)
            .collect();
        sizes.sort_unstable();
        sizes.dedup();
        let best = |items: u64| {
            let by_time = |&a: &usize, &b: &usize| curve(a).ns(items).total_cmp(&curve(b).ns(items));
            alive.iter().copied().min_by(by_time)
        };
        let found = sizes.windows(2).rev().find_map(|pair| {
            let (left, right) = (best(pair[0])?, best(pair[1])?);
            (left != right).then_some(([left, right], pair[0], pair[1]))
        })?;
        Some((found.0, usize::try_from(found.1).ok()?, usize::try_from(found.2).ok()?))
    }
}

#[cfg(test)]
mod tests {
    use super::{super::table::Table, *};

    /// Devices with known times, and a clock that only they move.
    struct Synthetic {
        now: Duration,
        /// Nanoseconds of a call: fixed, for each step, for each task.
        devices: Vec<[f64; 3]>,
        /// The first call of each takes so much longer.
        first: Duration,
        called: Vec<usize>,
        /// The device that fails, and at which call.
        fails: Option<(usize, usize)>,
        load: Load,
        /// Times are up to so many times as long.
        noise: f64,
        random: u64,
    }

    impl Synthetic {
        fn new(devices: &[[f64; 3]]) -> Self {
            Self {
                now: Duration::from_millis(77),
                devices: devices.to_vec(),
                first: Duration::ZERO,
                called: vec![0; devices.len()],
                fails: None,
                load: Load::default(),
                noise: 1.0,
                random: 1,
            }
        }

        fn measured(&mut self, depths: &[usize], budget: Duration) -> (Table, bool) {
            let backends = &Backend::ALL[..self.devices.len()];
            let measured = measure(self, backends, depths, Duration::from_millis(77) + budget);
            (Table::measured(measured.times), measured.is_complete)
        }
    }

    impl World for Synthetic {
        fn now(&self) -> Duration {
            self.now
        }

        fn prepare(&mut self, timed: Timed) -> Load {
            self.load = match timed {
                Timed::Items { items, depth } => Load::deep(items, depth),
                Timed::Batch { size, tasks } => (0..tasks).map(|_| Load::flat(size)).sum(),
            };
            self.now += Duration::from_nanos(self.load.items * 2);
            self.load
        }

        fn time(&mut self, device: usize) -> Option<Duration> {
            self.called[device] += 1;
            if self
                .fails
                .is_some_and(|(d, call)| d == device && self.called[device] >= call)
            {
                return None;
            }
            let [fixed, step, task] = self.devices[device];
            self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let noise = 1.0 + (self.noise - 1.0) * ((self.random >> 33) % 1000) as f64 / 1000.0;
            let ns = (fixed + step * self.load.steps as f64 + task * (self.load.tasks - 1) as f64) * noise;
            let time = Duration::from_secs_f64(ns / 1e9);
            self.now += time;
            if self.called[device] == 1 {
                self.now += self.first;
            }
            Some(time)
        }
    }

    const BUDGET: Duration = Duration::from_millis(300);

    #[test]
    fn the_crossover_is_found() {
        let check = |devices: &[[f64; 3]], noise: f64, expected: f64, within: f64| {
            let mut world = Synthetic::new(devices);
            world.noise = noise;
            let (table, is_complete) = world.measured(&[1], BUDGET);
            assert!(is_complete);
            let at = table.thresholds[1].items as f64;
            assert!(
                (at / expected).ln().abs() < within.ln_1p(),
                "{at}, not {expected}: {table:?}"
            );
            assert!(world.now <= Duration::from_millis(77) + BUDGET, "{:?}", world.now);
        };
        check(&[[100.0, 1.0, 0.0], [50_000.0, 0.2, 0.0]], 1.0, 62_375.0, 0.01);
        // A neighbour that makes any call up to three times as long.
        check(&[[100.0, 1.0, 0.0], [50_000.0, 0.2, 0.0]], 3.0, 62_375.0, 0.25);
        // Heavy work on a slow device: few sizes are affordable.
        check(&[[100.0, 2000.0, 0.0], [90_000.0, 500.0, 0.0]], 1.0, 60.0, 0.02);
        // Three devices, of which one never pays.
        check(
            &[[0.0, 1.0, 0.0], [1e6, 3.0, 0.0], [20_000.0, 0.5, 0.0]],
            1.0,
            40_000.0,
            0.01,
        );
    }

    #[test]
    fn chains_and_batches_have_their_own_times() {
        let mut world = Synthetic::new(&[[100.0, 10.0, 300.0], [50_000.0, 0.5, 20.0]]);
        let (table, _) = world.measured(&[1, 100], BUDGET);
        let ns = |device: usize, load: Load| table.times[device].ns(&load);
        let check = |ns: f64, expected: f64| assert!((ns / expected - 1.0).abs() < 0.02, "{ns}, not {expected}");
        check(ns(0, Load::deep(5000, 10)), 500_100.0);
        check(ns(1, Load::deep(5000, 10)), 75_000.0);
        check(ns(1, Load::deep(5000, 1000)), 2_550_000.0);
        let batch: Load = (0..100).map(|_| Load::flat(10)).sum();
        check(ns(0, batch), 100.0 + 10_000.0 + 99.0 * 300.0);
        check(ns(1, batch), 50_000.0 + 500.0 + 99.0 * 20.0);
        let rows: Vec<_> = table.thresholds.iter().map(|t| (t.depth, t.backend)).collect();
        let (cpu, gpu) = (Backend::Cpu, Backend::Vulkan);
        assert_eq!(rows, [(1, cpu), (1, gpu), (100, cpu), (100, gpu)]);
    }

    #[test]
    fn time_is_never_exceeded_by_more_than_the_first_calls() {
        for budget_ms in [0, 1, 5, 20, 300] {
            for step in [0.1, 100.0, 1e5, 1e7] {
                let budget = Duration::from_millis(budget_ms);
                let mut world = Synthetic::new(&[[100.0, step, 0.0], [50_000.0, step / 4.0, 0.0]]);
                let (table, is_complete) = world.measured(&[1, 64], budget);
                // Nothing is known before the first three sizes are called, each five times, at the least.
                let unknown = Duration::from_secs_f64(1e-9 * 2.0 * 6.0 * 2.0 * (1.0 + 64.0) * 64.0 * step);
                let end = Duration::from_millis(78) + budget + unknown;
                assert!(world.now < end, "{budget_ms} ms, {step}: {:?} of {end:?}", world.now);
                assert!(budget_ms > 0 || !is_complete, "{table:?}");
            }
        }
    }

    #[test]
    fn what_fails_is_left_out_and_the_rest_is_measured() {
        for call in [1, 2, 40] {
            let mut world = Synthetic::new(&[[100.0, 1.0, 0.0], [50_000.0, 0.2, 0.0], [20_000.0, 0.5, 0.0]]);
            world.fails = Some((1, call));
            let (table, _) = world.measured(&[1], BUDGET);
            let left: Vec<_> = table.times.iter().map(|times| times.backend).collect();
            assert_eq!(left, [Backend::Cpu, Backend::Gles], "call {call}");
            assert_eq!(world.called[1], call);
        }
    }

    #[test]
    fn a_pipeline_that_takes_all_the_time_leaves_nothing_to_keep() {
        let mut world = Synthetic::new(&[[100.0, 1.0, 0.0], [50_000.0, 0.2, 0.0]]);
        world.first = BUDGET;
        let (table, is_complete) = world.measured(&[1], BUDGET);
        assert!(!is_complete, "{table:?}");
    }
}
