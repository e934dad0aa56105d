//! Measures an operator on every device within a given time.

use std::time::Duration;

use super::times::{Curve, DeviceTimes};
use crate::{backend::Backend, task::Load};

/// Numbers of items tried, ascending, as far as time allows: close together where fixed costs give
/// way, and where operators begin to use several threads.
const LADDER: [usize; 18] = [
    1,
    16,
    64,
    128,
    256,
    512,
    1 << 10,
    1 << 11,
    1 << 12,
    1 << 13,
    1 << 14,
    1 << 16,
    1 << 18,
    1 << 20,
    1 << 21,
    1 << 22,
    1 << 24,
    1 << 26,
];

/// Calls of each device at one size, at least; the fastest tenth counts.
const ROUNDS: usize = 3;
/// Calls of each device at one size, at most.
const MAX_ROUNDS: usize = 40;

/// Points without which nothing can be said of a device.
const MIN_POINTS: usize = 4;

/// How far apart numbers of items may be between which another device becomes the fastest.
const CLOSE: f64 = 1.25;

/// Numbers of small tasks in the batch that shows what each task adds: the first for which there is
/// time.
const BATCHES: [usize; 3] = [256, 64, 16];

/// The numbers tried, with both sides of those at which times jump: a straight line over a jump is
/// wrong on both.
fn ladder(jumps: &[usize]) -> Vec<usize> {
    let mut ladder = LADDER.to_vec();
    ladder.extend(jumps.iter().flat_map(|&jump| [jump, jump + 1]));
    ladder.sort_unstable();
    ladder.dedup();
    ladder
}

/// A measured call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Timed {
    /// One call of a number of items, each of a number of steps.
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

/// Measures until `until` by the system's clock. No call is begun that is predicted to last longer.
///
/// Devices alternate, so that other load on the machine disturbs all; the first is the CPU.
pub(super) fn measure(
    world: &mut impl World,
    devices: &[Backend],
    depths: &[usize],
    jumps: &[usize],
    until: Duration,
) -> Measured {
    let mut trial = Trial {
        world,
        until,
        ladder: ladder(jumps),
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
    // The deepest first: there it shows soonest who is the fastest, and what time that leaves goes
    // to the next.
    for number in (0..depths.len()).rev() {
        // Three quarters of the time are for the ladders.
        let part = (depths.len() - number) as f64 / depths.len() as f64;
        trial.climb(number, begin + left.mul_f64(0.75 * part));
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
        self.times.curves.iter().all(|curve| curve.points.len() >= MIN_POINTS)
    }
}

struct Trial<'w, W> {
    world: &'w mut W,
    until: Duration,
    ladder: Vec<usize>,
    devices: Vec<Device>,
}

impl<W: World> Trial<'_, W> {
    fn left(&self, until: Duration) -> Duration {
        until.saturating_sub(self.world.now())
    }

    /// Measures ever more items of one depth. A device that takes too long, or can no longer become
    /// the fastest, is left where it is, and its last line goes on.
    fn climb(&mut self, depth: usize, until: Duration) {
        let mut climbing: Vec<usize> = (0..self.devices.len()).filter(|&d| self.devices[d].is_alive).collect();
        let mut making = Duration::ZERO;
        let mut before = 1;
        for items in self.ladder.clone() {
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
            let is_known = |&d: &usize| self.devices[d].times.curves[depth].points.len() >= MIN_POINTS;
            let is_won = climbing.len() == 1 && self.devices.len() > 1 && climbing.iter().all(is_known);
            if climbing.is_empty() || is_won || (left.is_zero() && items > 1) {
                return;
            }
            let begin = self.world.now();
            let load = self.world.prepare(Timed::Items {
                items,
                depth: self.depth(depth),
            });
            making = self.world.now().saturating_sub(begin);
            // Larger sizes need more of the time, and have it: small ones get a share that no
            // number of sizes adds up.
            let share = self.left(until) / 12;
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

    /// Whether a device may still be the fastest for more items: not if it takes three times as
    /// long as another, and each further item costs it three times as much. Of few points nothing
    /// is judged, and without them nothing would be kept.
    fn can_win(&self, device: usize, depth: usize) -> bool {
        if self.devices[device].times.curves[depth].points.len() < MIN_POINTS {
            return true;
        }
        // Both sides of a jump are close together, and no slope.
        let line = |d: usize| match self.devices[d].times.curves[depth].points.as_slice() {
            [.., (x0, y0), (x1, y1)] if x1 - x0 > 1 => Some((*y1, (y1 - y0) * 1000.0 / (x1 - x0) as f64, *x1)),
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

    /// Times calls of some devices alternately, for about `share`, and keeps each one's time at
    /// this number of items.
    fn sample(&mut self, devices: &[usize], depth: usize, items: u64, share: Duration) {
        for (device, ns) in self.rounds(devices, share) {
            let points = &mut self.devices[device].times.curves[depth].points;
            match points.binary_search_by_key(&items, |point| point.0) {
                // Rounded, so that a number reads back as it was written.
                Ok(at) => points[at].1 = f64::midpoint(points[at].1, ns).round(),
                Err(at) => points.insert(at, (items, ns)),
            }
        }
    }

    /// What the fastest tenth of some devices' calls of what was prepared takes, in nanoseconds:
    /// neighbours do not move it. Which of its states a device is in while it is measured, they
    /// cannot tell; [`Feedback`](super::feedback::Feedback) does.
    fn rounds(&mut self, devices: &[usize], share: Duration) -> Vec<(usize, f64)> {
        let mut calls: Vec<(usize, Vec<Duration>)> = devices.iter().map(|&d| (d, Vec::new())).collect();
        // The first call makes pipelines and buffers, or warms the caches.
        calls.retain(|&(device, _)| self.left(self.until).is_zero() || self.time(device).is_some());
        let begin = self.world.now();
        'rounds: for round in 0..MAX_ROUNDS {
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
        let fastest = |times: &mut Vec<Duration>| {
            times.sort_unstable();
            times
                .get(times.len() / 10)
                .map(|time| (time.as_secs_f64() * 1e10).round() / 10.0)
        };
        let lows = calls
            .iter_mut()
            .filter_map(|(device, times)| Some((*device, fastest(times)?)));
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

    /// Measures between two numbers of items where different devices are the fastest, where these
    /// are furthest apart, until they are close together everywhere or time is up; then each of
    /// them again.
    fn refine(&mut self) {
        let depths = self.devices[0].times.curves.len();
        let mut again = 0;
        while !self.left(self.until).is_zero() {
            let mut crossings: Vec<Crossing> = (0..depths).flat_map(|depth| self.crossings(depth)).collect();
            crossings.sort_by(|a, b| b.gap().total_cmp(&a.gap()));
            let affordable = |crossing: &&Crossing| {
                let costs = crossing
                    .devices
                    .iter()
                    .map(|&d| self.cost(d, crossing.depth, crossing.above));
                costs.fold(Duration::ZERO, Duration::saturating_add).saturating_mul(2) <= self.left(self.until)
            };
            crossings = crossings.iter().filter(affordable).copied().collect();
            let Some(widest) = crossings.first().copied() else {
                return;
            };
            let (crossing, items) = if widest.gap() > CLOSE {
                (widest, widest.middle())
            } else {
                let crossing = crossings[again / 2 % crossings.len()];
                let items = if again % 2 == 0 { crossing.below } else { crossing.above };
                again += 1;
                if again > 4 * crossings.len() {
                    return;
                }
                (crossing, items)
            };
            let load = self.world.prepare(Timed::Items {
                items,
                depth: self.depth(crossing.depth),
            });
            self.sample(
                &crossing.devices,
                crossing.depth,
                load.items,
                self.left(self.until) / 12,
            );
        }
    }

    /// The neighbouring numbers of items between which another device becomes the fastest.
    fn crossings(&self, depth: usize) -> Vec<Crossing> {
        let curve = |d: usize| &self.devices[d].times.curves[depth];
        let alive: Vec<usize> = (0..self.devices.len())
            .filter(|&d| self.devices[d].is_alive && !curve(d).points.is_empty())
            .collect();
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
        let crossing = |pair: &[u64]| {
            let devices = [best(pair[0])?, best(pair[1])?];
            (devices[0] != devices[1]).then_some(Crossing {
                depth,
                devices,
                below: usize::try_from(pair[0]).ok()?,
                above: usize::try_from(pair[1]).ok()?,
            })
        };
        sizes.windows(2).filter_map(crossing).collect()
    }
}

/// Where another device becomes the fastest.
#[derive(Clone, Copy, Debug)]
struct Crossing {
    depth: usize,
    devices: [usize; 2],
    below: usize,
    above: usize,
}

impl Crossing {
    /// How far apart the two are; 1 if there is nothing between them.
    fn gap(&self) -> f64 {
        if self.above - self.below > 1 {
            self.above as f64 / self.below as f64
        } else {
            1.0
        }
    }

    /// The geometric middle.
    fn middle(&self) -> usize {
        let middle = ((self.below as f64) * (self.above as f64)).sqrt().round() as usize;
        middle.clamp(self.below + 1, self.above - 1)
    }
}

#[cfg(test)]
mod tests;
