//! How long an operator takes on a device.

use serde::{Deserialize, Serialize};

use crate::{backend::Backend, task::Load};

/// How long an operator takes on one device.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DeviceTimes {
    /// The device.
    pub backend: Backend,
    /// What each task of a batch adds to the time of one task with as many items, in nanoseconds.
    pub task_ns: f64,
    /// One for each depth that was measured, ascending.
    pub curves: Vec<Curve>,
}

/// How long calls with items of equal depth take on one device.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Curve {
    /// Steps of each item.
    pub depth: u64,
    /// Numbers of items, ascending, and the time of a call in nanoseconds.
    pub points: Vec<(u64, f64)>,
}

impl Curve {
    /// The time of a call by its number of items: straight lines between the measured points, the
    /// last of which goes on.
    #[must_use]
    pub fn ns(&self, items: u64) -> f64 {
        let points = &self.points;
        let (first, last) = match points.as_slice() {
            [] => return f64::INFINITY,
            // Of a line with one point nothing is known but that it does not fall.
            [(at, ns)] => return ns * ratio(items.max(*at), (*at).max(1)),
            [first, .., last] => (first, last),
        };
        if items <= first.0 {
            return first.1;
        }
        if items > last.0 {
            // Two points that are close together make a line of noise: the line on which times go
            // on begins far below the last.
            let base = points.partition_point(|point| point.0 <= last.0 / 4).saturating_sub(1);
            let (x, y) = points[base];
            let slope = (last.1 - y) / ratio(last.0 - x, 1);
            return slope.max(0.0).mul_add(ratio(items - last.0, 1), last.1);
        }
        let right = points.partition_point(|point| point.0 < items);
        let ((x0, y0), (x1, y1)) = (points[right - 1], points[right]);
        ((y1 - y0) / ratio(x1 - x0, 1)).mul_add(ratio(items - x0, 1), y0)
    }
}

#[expect(clippy::cast_precision_loss, reason = "times are not known to 53 bits")]
pub(super) fn ratio(a: u64, b: u64) -> f64 {
    a as f64 / b as f64
}

impl DeviceTimes {
    /// The predicted time of a call, in nanoseconds.
    #[must_use]
    pub fn ns(&self, load: &Load) -> f64 {
        let one = match self.curves.as_slice() {
            [] => return f64::INFINITY,
            [curve] => curve.ns(load.items),
            curves => Self::deep_ns(curves, load),
        };
        self.task_ns.mul_add(ratio(load.tasks.saturating_sub(1), 1), one)
    }

    /// The longest of calls of so much work, whether it is many items or few of many steps.
    pub(super) fn most_ns(&self, work: u64) -> f64 {
        let shapes = (0..=work.max(1).ilog2()).map(|power| 1 << power);
        let longest = shapes.map(|items| {
            let load = Load {
                items,
                steps: work.max(items),
                longest: work.saturating_sub(items) + 1,
                tasks: 1 + work / Load::TASK,
            };
            self.ns(&load)
        });
        longest.fold(0.0, f64::max)
    }

    /// Less than any call takes: the shortest that was measured, and a quarter off for noise.
    pub(super) fn floor_ns(&self) -> f64 {
        let first = self.curves.first().and_then(|curve| curve.points.first());
        first.map_or(f64::INFINITY, |point| 0.75 * point.1)
    }

    /// Between two depths, and above the last, times grow evenly; and no call is shorter than its
    /// longest item.
    fn deep_ns(curves: &[Curve], load: &Load) -> f64 {
        if load.longest <= curves[0].depth {
            return curves[0].ns(load.items);
        }
        let depth = ratio(load.steps, load.items.max(1));
        let above = |curve: &Curve| ratio(curve.depth, 1) < depth;
        let right = curves.partition_point(above).clamp(1, curves.len() - 1);
        let (low, high) = (&curves[right - 1], &curves[right]);
        let depths = ratio(high.depth - low.depth, 1);
        let at = |items: u64, depth: f64| {
            let (low_ns, high_ns) = (low.ns(items), high.ns(items));
            let slope = ((high_ns - low_ns) / depths).max(0.0);
            slope.mul_add((depth - ratio(low.depth, 1)).max(0.0), low_ns)
        };
        at(load.items, depth).max(at(1, ratio(load.longest, 1)))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::hybrid) fn line(depth: u64, fixed: f64, each: f64) -> Curve {
        let points = [1, 100, 10_000].map(|items: u64| (items, fixed + each * ratio(items, 1)));
        Curve {
            depth,
            points: points.to_vec(),
        }
    }

    pub(in crate::hybrid) fn device(backend: Backend, task_ns: f64, curves: Vec<Curve>) -> DeviceTimes {
        DeviceTimes {
            backend,
            task_ns,
            curves,
        }
    }

    pub(in crate::hybrid) fn load(items: u64, steps: u64, longest: u64, tasks: u64) -> Load {
        Load {
            items,
            steps,
            longest,
            tasks,
        }
    }

    #[test]
    fn times_grow_evenly_with_the_depth_and_no_call_is_shorter_than_its_longest_item() {
        let times = device(
            Backend::Vulkan,
            0.0,
            vec![line(1, 1000.0, 1.0), line(11, 2000.0, 2.0), line(21, 2000.0, 12.0)],
        );
        let check = |load: Load, expected: f64| {
            let ns = times.ns(&load);
            assert!((ns - expected).abs() < 1e-6 * expected, "{load:?}: {ns}");
        };
        check(load(100, 100, 1, 1), 1100.0);
        check(load(100, 600, 6, 1), 1650.0);
        check(load(100, 2100, 21, 1), 3200.0);
        check(load(100, 3100, 31, 1), 4200.0);
        // One item of 10,000 steps among 99 of one: 1 ns a step, as one item of that length has it.
        check(load(100, 10_099, 10_000, 1), 2002.0 + 9989.0);
        // Less than the shortest measured.
        check(load(100, 0, 0, 1), 1100.0);
    }

    #[test]
    fn one_point_is_a_line_that_does_not_fall() {
        let curve = Curve {
            depth: 1,
            points: vec![(8, 100.0)],
        };
        assert_eq!([1, 8, 16].map(|items| curve.ns(items)), [100.0, 100.0, 200.0]);
    }

    #[test]
    fn times_go_on_as_they_grew_over_a_long_way() {
        let curve = |points: &[(u64, f64)]| Curve {
            depth: 1,
            points: points.to_vec(),
        };
        // The last was measured again while the machine was quicker.
        let noisy = curve(&[(1, 10.0), (100, 1000.0), (350, 3500.0), (400, 3400.0)]);
        assert_eq!(noisy.ns(800), 3400.0 + 400.0 * 8.0);
        let falling = curve(&[(1, 10.0), (2, 9.0)]);
        assert_eq!([1, 2, 3].map(|items| falling.ns(items)), [10.0, 9.0, 9.0]);
    }
}
