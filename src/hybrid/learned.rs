//! An operator without a calibration: the times of its calls.
//!
//! Calls of each size, to within a factor of two, go to each device twice, the CPU first: the first
//! finds caches cold, and maybe no pipeline, the second counts. Then they go where they took the
//! least time, as if that had been calibrated.

use std::time::Duration;

use super::{
    table::{DecidedBy, Table},
    times::{Curve, DeviceTimes},
};
use crate::{backend::Backend, task::Load};

/// Calls of a size on each device before it is decided.
const CALLS: u8 = 2;

/// A device is not tried with calls whose predicted time on it, by those of other sizes, is this
/// factor of that on another.
const HOPELESS: f64 = 8.0;

/// What calls of one size took on one device.
#[derive(Clone, Copy, Debug)]
struct Seen {
    octave: u32,
    calls: u8,
    /// [`Load::work`] and nanoseconds of the call that counts.
    point: Option<(u64, f64)>,
}

/// What calls took on each device.
#[derive(Debug, Default)]
pub(super) struct Learned {
    devices: Vec<(Backend, Vec<Seen>)>,
}

/// A load in the one number by which calls are told apart.
pub(super) fn flat(load: &Load) -> Load {
    Load {
        items: load.work(),
        steps: load.work(),
        longest: 1,
        tasks: 1,
    }
}

fn octave(load: &Load) -> u32 {
    load.work().max(1).ilog2()
}

impl Learned {
    /// The device that a call is to be tried on, of those there are, the CPU first; `None` if
    /// enough is known.
    pub(super) fn untried(&self, load: &Load, devices: impl Iterator<Item = Backend>) -> Option<Backend> {
        let table = self.table();
        // Shorter calls than those seen may take any part of their time.
        let ns = |backend: Backend| {
            let times = table.times.iter().find(|times| times.backend == backend)?;
            let is_beyond = times.curves[0].points[0].0 <= load.work();
            is_beyond.then(|| times.ns(&flat(load)))
        };
        let least = table
            .times
            .iter()
            .map(|times| times.ns(&flat(load)))
            .fold(f64::INFINITY, f64::min);
        devices
            .filter(|&backend| ns(backend).is_none_or(|ns| ns <= least * HOPELESS))
            .find(|&backend| self.seen(backend, load).is_none_or(|seen| seen.calls < CALLS))
    }

    fn seen(&self, backend: Backend, load: &Load) -> Option<&Seen> {
        let (_, seen) = self.devices.iter().find(|(device, _)| *device == backend)?;
        seen.iter().find(|seen| seen.octave == octave(load))
    }

    /// Takes note of a call; `None` if it failed.
    pub(super) fn learn(&mut self, backend: Backend, load: &Load, took: Option<Duration>) {
        let octave = octave(load);
        let at = self.devices.iter().position(|(device, _)| *device == backend);
        let at = at.unwrap_or_else(|| {
            self.devices.push((backend, Vec::new()));
            self.devices.len() - 1
        });
        let all = &mut self.devices[at].1;
        let place = all.partition_point(|seen| seen.octave < octave);
        if all.get(place).is_none_or(|seen| seen.octave != octave) {
            all.insert(
                place,
                Seen {
                    octave,
                    calls: 0,
                    point: None,
                },
            );
        }
        let seen = &mut all[place];
        match took {
            None => seen.calls = CALLS,
            Some(took) => {
                seen.calls = (seen.calls + 1).min(CALLS);
                if seen.calls == CALLS && seen.point.is_none() {
                    #[expect(clippy::cast_precision_loss, reason = "times are not known to 53 bits")]
                    let ns = took.as_nanos() as f64;
                    seen.point = Some((load.work().max(1), ns));
                }
            }
        }
    }

    /// What was learned, as if it had been measured; of [`flat()`] loads.
    pub(super) fn table(&self) -> Table {
        let times = self.devices.iter().filter_map(|(backend, seen)| {
            let points: Vec<_> = seen.iter().filter_map(|seen| seen.point).collect();
            (!points.is_empty()).then_some(DeviceTimes {
                backend: *backend,
                task_ns: 0.0,
                curves: vec![Curve { depth: 1, points }],
            })
        });
        Table {
            decided_by: DecidedBy::Times,
            thresholds: Vec::new(),
            times: times.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEVICES: [Backend; 2] = [Backend::Cpu, Backend::Vulkan];

    /// Runs calls of the given numbers of items, each of which takes the CPU 10 ns an item and the
    /// device 10 µs and 1 ns an item, and five times as long when it is the first of its size;
    /// returns where each of them went.
    fn calls(learned: &mut Learned, items: usize, count: usize) -> Vec<Backend> {
        let load = Load::flat(items);
        let mut went = Vec::new();
        for _ in 0..count {
            let backend = match learned.untried(&load, DEVICES.into_iter()) {
                Some(backend) => backend,
                None => learned.table().fastest(&flat(&load), |_| true).unwrap(),
            };
            let is_first = learned.seen(backend, &load).is_none();
            let ns = match backend {
                Backend::Cpu => 10 * items,
                _ => 10_000 + items,
            } * if is_first { 5 } else { 1 };
            learned.learn(backend, &load, Some(Duration::from_nanos(ns as u64)));
            went.push(backend);
        }
        went
    }

    #[test]
    fn each_device_has_two_calls_of_a_size_and_the_faster_all_others() {
        let mut learned = Learned::default();
        let (cpu, gpu) = (Backend::Cpu, Backend::Vulkan);
        assert_eq!(calls(&mut learned, 1_000_000, 7), [cpu, cpu, gpu, gpu, gpu, gpu, gpu]);
        assert_eq!(
            calls(&mut learned, 1_040_000, 2),
            [gpu, gpu],
            "another call of that size"
        );
        assert_eq!(calls(&mut learned, 200, 6), [cpu, cpu, gpu, gpu, cpu, cpu]);
    }

    #[test]
    fn what_is_hopeless_by_calls_of_other_sizes_is_not_tried() {
        let mut learned = Learned::default();
        calls(&mut learned, 1000, 5);
        calls(&mut learned, 1_000_000, 5);
        // At 100 million the CPU takes ten times as long.
        let went = calls(&mut learned, 100_000_000, 3);
        assert_eq!(went, [Backend::Vulkan; 3]);
    }

    #[test]
    fn a_device_that_fails_is_not_tried_again_with_calls_of_that_size() {
        let mut learned = Learned::default();
        let load = Load::flat(1000);
        assert_eq!(learned.untried(&load, DEVICES.into_iter()), Some(Backend::Cpu));
        for _ in 0..2 {
            learned.learn(Backend::Cpu, &load, Some(Duration::from_micros(10)));
        }
        assert_eq!(learned.untried(&load, DEVICES.into_iter()), Some(Backend::Vulkan));
        learned.learn(Backend::Vulkan, &load, None);
        assert_eq!(learned.untried(&load, DEVICES.into_iter()), None);
        assert_eq!(learned.table().fastest(&flat(&load), |_| true), Some(Backend::Cpu));
        let larger = Load::flat(10_000);
        assert_eq!(learned.untried(&larger, DEVICES.into_iter()), Some(Backend::Cpu));
    }
}
