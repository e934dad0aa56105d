//! The table of an operator: its times on each device, and the thresholds that follow.

use serde::{Deserialize, Serialize};

use super::times::{Curve, DeviceTimes};
use crate::{backend::Backend, task::Load};

/// What decides where an operator's tasks run: measured times, or thresholds that a person set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Table {
    /// Which of the two decides.
    pub decided_by: DecidedBy,
    /// From how many items on which device is used: as the times have it until a person changes it.
    pub thresholds: Vec<Threshold>,
    /// What was measured, the CPU first.
    pub times: Vec<DeviceTimes>,
}

/// What decides where tasks run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DecidedBy {
    /// The device with the shortest predicted time, the number of tasks and the lengths of items
    /// considered.
    Times,
    /// The thresholds, as a person set them.
    Thresholds,
}

/// From where on a device is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Threshold {
    /// Steps of an item from which on it holds; 1 where items have one.
    pub depth: u64,
    /// Number of items from which on it holds.
    pub items: u64,
    /// The device.
    pub backend: Backend,
}

/// How far beyond what was measured thresholds are told from: a straight line is a guess there.
const REACH: u64 = 64;

/// Work that can be called small, as a power of two.
const MAX_SMALL: u32 = 20;

/// The predicted time of a load on each device, in nanoseconds; 0 where there is none.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Prediction {
    /// What it takes, by calibration and what calls took.
    pub(super) ns: [u64; Backend::ALL.len()],
    /// What it takes by calibration alone.
    pub(super) calibrated_ns: [u64; Backend::ALL.len()],
    pub(super) fastest: Option<Backend>,
}

impl Prediction {
    /// Keeps a device the fastest, unless another is faster by more than the factor `hysteresis`.
    pub(super) fn stay(&mut self, there: Option<Backend>, hysteresis: f64) {
        if let (Some(fastest), Some(there)) = (self.fastest, there) {
            let [ns, least] = [there, fastest].map(|backend| self.ns[backend as usize]);
            if ns > 0 && ns as f64 <= least as f64 * hysteresis {
                self.fastest = Some(there);
            }
        }
    }
}

impl Table {
    /// A table of measured times.
    #[must_use]
    pub fn measured(times: Vec<DeviceTimes>) -> Self {
        let mut table = Self {
            decided_by: DecidedBy::Times,
            thresholds: Vec::new(),
            times,
        };
        table.thresholds = table.crossovers();
        table
    }

    /// The predicted time on each device but those that cannot be the fastest, each put right by
    /// its `factor`.
    pub(super) fn predict(&self, load: &Load, factor: impl Fn(Backend) -> f64) -> Prediction {
        let mut prediction = Prediction::default();
        let mut best = f64::INFINITY;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it saturates")]
        let whole = |ns: f64| (ns as u64).max(1);
        for times in &self.times {
            if times.floor_ns() >= best {
                continue;
            }
            let calibrated = times.ns(load);
            let ns = calibrated * factor(times.backend);
            prediction.ns[times.backend as usize] = whole(ns);
            prediction.calibrated_ns[times.backend as usize] = whole(calibrated);
            if ns < best || prediction.fastest.is_none() {
                (best, prediction.fastest) = (ns, Some(times.backend));
            }
        }
        prediction
    }

    /// Less [`Load::work`] than this is the CPU's, as no other device's shortest call is as short;
    /// 0 if there is no such.
    pub(super) fn small(&self) -> u64 {
        let Some((cpu, others)) = self.times.split_first() else {
            return 0;
        };
        let floor = others.iter().map(DeviceTimes::floor_ns).fold(f64::INFINITY, f64::min);
        if self.decided_by == DecidedBy::Thresholds || cpu.backend != Backend::Cpu || floor.is_infinite() {
            return 0;
        }
        // Half of it, as what the CPU takes may be off too.
        let works = (0..u64::from(MAX_SMALL)).map(|power| 1 << power);
        works
            .take_while(|&work| cpu.most_ns(work) < floor / 2.0)
            .last()
            .unwrap_or(0)
    }

    /// The fastest of the devices that are `usable`.
    pub(super) fn fastest(&self, load: &Load, usable: impl Fn(Backend) -> bool) -> Option<Backend> {
        let mut best = None;
        for times in &self.times {
            let ns = times.ns(load);
            // The CPU comes first, and so wins where two are equal.
            if usable(times.backend) && best.is_none_or(|(_, least)| ns < least) {
                best = Some((times.backend, ns));
            }
        }
        best.map(|(backend, _)| backend)
    }

    /// The threshold that holds for a load: of the greatest depth that is not above the load's, the
    /// greatest number of items. `None` where times decide.
    pub(super) fn threshold(&self, load: &Load) -> Option<Threshold> {
        if self.decided_by == DecidedBy::Times {
            return None;
        }
        let depth = load.steps / load.items.max(1);
        let held = self.thresholds.iter().filter(|t| t.items <= load.items);
        let row = held.clone().filter(|t| t.depth <= depth.max(1)).map(|t| t.depth).max();
        let row = row.or_else(|| held.clone().map(|t| t.depth).min())?;
        held.filter(|t| t.depth == row).max_by_key(|t| t.items).copied()
    }

    /// From how many items on which device is predicted to be the fastest, at each depth measured.
    #[must_use]
    pub fn crossovers(&self) -> Vec<Threshold> {
        let mut depths: Vec<u64> = self.times.iter().flat_map(|t| &t.curves).map(|c| c.depth).collect();
        depths.sort_unstable();
        depths.dedup();
        let mut found = Vec::new();
        for depth in depths {
            let best = |items| {
                let load = Load {
                    items,
                    steps: items.saturating_mul(depth),
                    longest: depth,
                    tasks: 1,
                };
                self.fastest(&load, |_| true)
            };
            let Some(mut now) = best(1) else { continue };
            found.push(Threshold {
                depth,
                items: 1,
                backend: now,
            });
            // Lines cross once between two points, so that looking at each point, and far behind
            // the last, finds what there is.
            let points = self.times.iter().flat_map(|t| &t.curves).flat_map(|c| &c.points);
            let mut sizes: Vec<u64> = points.map(|point| point.0).collect();
            sizes.extend(sizes.iter().max().map(|last| last.saturating_mul(REACH)));
            sizes.sort_unstable();
            sizes.dedup();
            let mut from = 1;
            for to in sizes {
                while let Some(backend) = best(to).filter(|&backend| backend != now) {
                    // A third device may be the best in between: the first change is looked for,
                    // then the next.
                    let (items, next) = first_change(from, to, now, best).unwrap_or((to, backend));
                    found.push(Threshold {
                        depth,
                        items,
                        backend: next,
                    });
                    (now, from) = (next, items);
                }
                from = to;
            }
        }
        found
    }

    /// Whether it can be used: what a person or another program wrote may be anything.
    pub(super) fn is_sound(&self) -> bool {
        let rises = |curve: &Curve| {
            let numbers = curve.points.iter().all(|&(_, ns)| ns.is_finite() && ns >= 0.0);
            let ascending = curve.points.windows(2).all(|pair| pair[0].0 < pair[1].0);
            numbers && ascending && !curve.points.is_empty()
        };
        let times = self.times.iter().all(|times| {
            let ascending = times.curves.windows(2).all(|pair| pair[0].depth < pair[1].depth);
            let task_ns = times.task_ns.is_finite() && times.task_ns >= 0.0;
            ascending && task_ns && !times.curves.is_empty() && times.curves.iter().all(rises)
        });
        let one_each = Backend::ALL
            .iter()
            .all(|&backend| self.times.iter().filter(|times| times.backend == backend).count() <= 1);
        let decides = match self.decided_by {
            DecidedBy::Times => !self.times.is_empty(),
            DecidedBy::Thresholds => !self.thresholds.is_empty(),
        };
        times && one_each && decides
    }
}

/// Where between two numbers of items the best device first is another than `now`, and which.
fn first_change(
    mut from: u64,
    mut to: u64,
    now: Backend,
    best: impl Fn(u64) -> Option<Backend>,
) -> Option<(u64, Backend)> {
    while to - from > 1 {
        let middle = from + (to - from) / 2;
        if best(middle) == Some(now) {
            from = middle;
        } else {
            to = middle;
        }
    }
    best(to).map(|backend| (to, backend))
}

#[cfg(test)]
mod tests {
    use super::{
        super::times::tests::{device, line, load},
        *,
    };

    fn flat() -> Table {
        Table::measured(vec![
            device(Backend::Cpu, 10.0, vec![line(1, 0.0, 10.0)]),
            device(Backend::Vulkan, 1.0, vec![line(1, 20_003.0, 1.0)]),
            device(Backend::Gles, 1.0, vec![line(1, 5_001.0, 6.0)]),
        ])
    }

    #[test]
    fn thresholds_lie_where_the_lines_cross() {
        let rows: Vec<_> = flat().thresholds.iter().map(|t| (t.items, t.backend)).collect();
        // 10 n = 5001 + 6 n, and 5001 + 6 n = 20,003 + n.
        assert_eq!(
            rows,
            [(1, Backend::Cpu), (1251, Backend::Gles), (3001, Backend::Vulkan)]
        );
    }

    #[test]
    fn thresholds_reach_beyond_what_was_measured_but_not_for_ever() {
        let check = |each: f64, expected: usize| {
            let table = Table::measured(vec![
                device(Backend::Cpu, 0.0, vec![line(1, 0.0, 10.0)]),
                device(Backend::Vulkan, 0.0, vec![line(1, 1e6, each)]),
            ]);
            assert_eq!(table.thresholds.len(), expected, "{each}");
        };
        check(1.0, 2);
        check(9.0, 1);
        check(11.0, 1);
    }

    #[test]
    fn the_fastest_of_those_that_can_be_used_is_picked() {
        let check = |load: Load, usable: &[Backend], expected: Option<Backend>| {
            let picked = flat().fastest(&load, |backend| usable.contains(&backend));
            assert_eq!(picked, expected, "{load:?}");
            if usable.len() == Backend::ALL.len() {
                let prediction = flat().predict(&load, |_| 1.0);
                assert_eq!(prediction.fastest, expected, "{load:?}");
                assert_eq!(prediction.ns, prediction.calibrated_ns, "{load:?}");
                let times = Backend::ALL.iter().copied().zip(prediction.ns);
                let least = times.filter(|(_, ns)| *ns > 0).map(|(b, ns)| (ns, b)).min();
                assert_eq!(least.map(|(_, backend)| backend), expected, "{load:?}");
            }
        };
        let all = &Backend::ALL;
        check(load(1000, 1000, 1, 1), all, Some(Backend::Cpu));
        check(load(2000, 2000, 1, 1), all, Some(Backend::Gles));
        check(load(1_000_000, 1_000_000, 1, 1), all, Some(Backend::Vulkan));
        check(load(1_000_000, 1_000_000, 1, 1), &[Backend::Cpu], Some(Backend::Cpu));
        // Each task costs the CPU 9 ns more than the others.
        check(load(1000, 1000, 1, 500), all, Some(Backend::Gles));
        check(load(0, 0, 0, 0), all, Some(Backend::Cpu));
        check(load(1000, 1000, 1, 1), &[], None);
    }

    #[test]
    fn a_persons_thresholds_decide_by_depth_and_then_by_items() {
        let row = |depth, items, backend| Threshold { depth, items, backend };
        let table = Table {
            decided_by: DecidedBy::Thresholds,
            thresholds: vec![
                row(1, 1, Backend::Cpu),
                row(1, 50, Backend::Vulkan),
                row(8, 1, Backend::Gles),
            ],
            ..flat()
        };
        let check = |load: Load, expected: Backend| {
            assert_eq!(table.threshold(&load).unwrap().backend, expected, "{load:?}");
        };
        check(load(49, 49, 1, 1), Backend::Cpu);
        check(load(50, 50, 1, 1), Backend::Vulkan);
        check(load(50, 399, 8, 1), Backend::Vulkan);
        check(load(50, 400, 8, 1), Backend::Gles);
        assert_eq!(
            table.threshold(&load(0, 0, 0, 0)),
            None,
            "nothing to do: the times decide"
        );
        assert_eq!(flat().threshold(&load(50, 50, 1, 1)), None, "times decide");
    }

    #[test]
    fn what_cannot_be_used_is_told() {
        assert!(flat().is_sound());
        let check = |change: fn(&mut Table)| {
            let mut table = flat();
            change(&mut table);
            assert!(!table.is_sound(), "{table:?}");
        };
        check(|table| table.times.clear());
        check(|table| table.times[1].curves.clear());
        check(|table| table.times[1].curves[0].points.clear());
        check(|table| table.times[0].curves[0].points[1].0 = 0);
        check(|table| table.times[0].curves[0].points[1].1 = f64::NAN);
        check(|table| table.times[0].task_ns = -1.0);
        check(|table| table.times[1].backend = Backend::Cpu);
        check(|table| {
            table.decided_by = DecidedBy::Thresholds;
            table.thresholds.clear();
        });
    }

    #[test]
    fn what_is_small_is_faster_on_the_cpu_whatever_its_shape() {
        let check = |cpu: DeviceTimes, gpu: DeviceTimes, least: u64, most: u64| {
            let table = Table::measured(vec![cpu, gpu]);
            let small = table.small();
            assert!((least..=most).contains(&small), "{small}");
            for items in [1, 7, 100, 1000, 100_000] {
                for depth in [1, 3, 100, 10_000] {
                    for tasks in [1, 5, 100, 3000] {
                        let load = load(items, items * depth, depth, tasks);
                        let fastest = table.predict(&load, |_| 1.0).fastest;
                        assert!(
                            load.work() >= small || fastest == Some(Backend::Cpu),
                            "{load:?}: {fastest:?}"
                        );
                    }
                }
            }
        };
        let gpu = || device(Backend::Vulkan, 0.0, vec![line(1, 40_000.0, 0.1)]);
        // Half of three quarters of 40 µs are 15,000 items.
        check(device(Backend::Cpu, 0.0, vec![line(1, 50.0, 1.0)]), gpu(), 8192, 8192);
        // Each task of a batch costs as much as 640 items, and counts as 64.
        check(device(Backend::Cpu, 640.0, vec![line(1, 50.0, 1.0)]), gpu(), 1024, 1024);
        // Steps cost what items do.
        let deep = device(Backend::Cpu, 0.0, vec![line(1, 50.0, 1.0), line(100, 50.0, 100.0)]);
        check(deep, gpu(), 8192, 8192);
        check(device(Backend::Cpu, 0.0, vec![line(1, 1e6, 1.0)]), gpu(), 0, 0);
        check(
            device(Backend::Cpu, 0.0, vec![line(1, 50.0, 0.0)]),
            gpu(),
            1 << 19,
            1 << 19,
        );
    }

    #[test]
    fn without_times_or_with_a_persons_thresholds_nothing_is_small() {
        let check = |change: fn(&mut Table), expected: u64| {
            let mut table = flat();
            change(&mut table);
            assert_eq!(table.small(), expected);
        };
        check(|_| {}, 128);
        check(|table| table.decided_by = DecidedBy::Thresholds, 0);
        check(|table| table.times.clear(), 0);
        check(|table| table.times.truncate(1), 0);
        check(|table| drop(table.times.remove(0)), 0);
    }

    #[test]
    fn what_calls_took_puts_the_choice_right() {
        let check = |items, slow: Backend, factor: f64, expected: Backend| {
            let load = load(items, items, 1, 1);
            let of = |backend| if backend == slow { factor } else { 1.0 };
            let prediction = flat().predict(&load, of);
            assert_eq!(prediction.fastest, Some(expected), "{items}");
            let [ns, calibrated] = [prediction.ns, prediction.calibrated_ns].map(|ns| ns[slow as usize] as f64);
            assert!((ns / calibrated / factor - 1.0).abs() < 1e-3, "{ns}, {calibrated}");
        };
        let (cpu, vulkan, gles) = (Backend::Cpu, Backend::Vulkan, Backend::Gles);
        check(2000, gles, 1.0, gles);
        check(2000, gles, 2.0, cpu);
        check(1000, cpu, 3.0, gles);
        check(1_000_000, vulkan, 100.0, gles);
    }

    #[test]
    fn calls_stay_where_they_are_unless_another_device_is_clearly_faster() {
        let check = |there: Option<Backend>, times: [u64; 3], expected: Backend| {
            let mut prediction = Prediction {
                fastest: Some(Backend::Cpu),
                ..Prediction::default()
            };
            prediction.ns[..3].copy_from_slice(&times);
            prediction.stay(there, 1.05);
            assert_eq!(prediction.fastest, Some(expected), "{there:?} {times:?}");
        };
        check(None, [1000, 1001, 0], Backend::Cpu);
        check(Some(Backend::Vulkan), [1000, 1050, 0], Backend::Vulkan);
        check(Some(Backend::Vulkan), [1000, 1051, 0], Backend::Cpu);
        check(Some(Backend::Cpu), [1000, 2000, 0], Backend::Cpu);
        // Of this one nothing is predicted.
        check(Some(Backend::Gles), [1000, 1001, 0], Backend::Cpu);
    }
}
