//! From windows to differences: one number for each case and block.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    ab::recording::{Arm, Window, fastest_tenth},
    quantile::median,
    screen::MOST_DISTURBANCE,
};

/// What is compared.
pub(crate) type Time = fn(&Window) -> Option<f64>;

/// The windows of one case, by block and arm; those whose arm was never left alone are left out, and blocks in which that leaves an
/// arm without any.
#[derive(Clone, Debug, Default)]
pub(crate) struct Blocks<'a> {
    quiet: BTreeMap<u64, [Vec<&'a Window>; 3]>,
    /// What the windows of base and head counted, quiet or not.
    counters: [BTreeSet<&'a BTreeMap<String, u64>>; 2],
    /// Blocks in which the case was measured, quiet or not.
    pub(crate) attempted: usize,
}

/// How much the arms of one block differ, as natural logarithms: 0.05 is about 5 % slower.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Difference {
    pub(crate) block: u64,
    /// The times of head, base and second base.
    pub(crate) times: [f64; 3],
    /// The head against the mean of both bases.
    pub(crate) head: f64,
    /// The second base against the first.
    pub(crate) again: f64,
}

/// What the calibration kernel may take in the program of the base and in that of the head. Each has its own: where the linker puts the
/// kernel can move its time by some per cent.
fn limits_ns<'a>(windows: &(impl Iterator<Item = &'a Window> + Clone)) -> [f64; 2] {
    [0, 1].map(|program| {
        let of_program = windows.clone().filter(|window| window.arm.program() == program);
        let times: Vec<f64> = of_program.map(|window| window.calibration_ns).collect();
        fastest_tenth(&times) * MOST_DISTURBANCE
    })
}

/// Writes down for the windows of a block what the kernel may take, as far as is known by then: later blocks do not change what counts. Each
/// backend has its own, whose processes are others.
pub(crate) fn settle(before: &[Window], measured: &mut [Window]) {
    fn backend(window: &Window) -> &str {
        window.case.split('/').nth(1).unwrap_or_default()
    }
    let all: Vec<Window> = before.iter().chain(measured.iter()).cloned().collect();
    let mut limits: BTreeMap<&str, [f64; 2]> = BTreeMap::new();
    for window in measured {
        let of_backend = all.iter().filter(|other| backend(other) == backend(window));
        let key = all
            .iter()
            .map(backend)
            .find(|key| *key == backend(window))
            .unwrap_or_default();
        let limits_ns = limits.entry(key).or_insert_with(|| limits_ns(&of_backend));
        window.limit_ns = Some(limits_ns[window.arm.program()]);
    }
}

/// Sorts the windows by case.
pub(crate) fn by_case(windows: &[Window]) -> BTreeMap<&str, Blocks<'_>> {
    // Of recordings in which it is not written down.
    let limits_ns = limits_ns(&windows.iter());
    let mut cases: BTreeMap<&str, Blocks<'_>> = BTreeMap::new();
    for window in windows {
        let blocks = cases.entry(&window.case).or_default();
        if !window.counters.is_empty() {
            blocks.counters[window.arm.program()].insert(&window.counters);
        }
        let block = blocks.quiet.entry(window.block).or_default();
        if window.samples > 0 && window.calibration_ns <= window.limit_ns.unwrap_or(limits_ns[window.arm.program()]) {
            block[window.arm as usize].push(window);
        }
    }
    for blocks in cases.values_mut() {
        blocks.attempted = blocks.quiet.len();
        blocks
            .quiet
            .retain(|_, arms| arms.iter().all(|windows| !windows.is_empty()));
    }
    cases
}

impl<'a> Blocks<'a> {
    /// Blocks in which every arm was left alone for a while.
    pub(crate) fn len(&self) -> usize {
        self.quiet.len()
    }

    /// The windows of each process of those blocks.
    pub(crate) fn processes(&self) -> impl Iterator<Item = &[&'a Window]> {
        self.quiet.values().flatten().map(Vec::as_slice)
    }

    /// The differences of the first `most` blocks in which all arms have the time.
    pub(crate) fn differences(&self, time: impl Fn(&Window) -> Option<f64>, most: usize) -> Vec<Difference> {
        let of_block = |(&block, arms): (&u64, &[Vec<&Window>; 3])| {
            let mean = |arm: Arm| -> Option<f64> {
                let windows = arms[arm as usize].iter();
                let logarithms: Vec<f64> = windows.filter_map(|window| time(window).map(f64::ln)).collect();
                (!logarithms.is_empty()).then(|| logarithms.iter().sum::<f64>() / logarithms.len() as f64)
            };
            let (base, head, again) = (mean(Arm::Base)?, mean(Arm::Head)?, mean(Arm::Again)?);
            Some(Difference {
                block,
                times: [head, base, again],
                head: head - f64::midpoint(base, again),
                again: again - base,
            })
        };
        self.quiet.iter().take(most).filter_map(of_block).collect()
    }

    /// The median over the first `most` blocks of an arm's time, or of all bases'.
    pub(crate) fn typical_ns(&self, arm: Arm, time: impl Fn(&Window) -> Option<f64>, most: usize) -> Option<f64> {
        let is_asked = |window: &&Window| window.arm == arm || (arm == Arm::Base && window.arm == Arm::Again);
        let windows = self.quiet.values().take(most).flatten().flatten().copied();
        let times: Vec<f64> = windows.filter(is_asked).filter_map(time).collect();
        (!times.is_empty()).then(|| median(&times))
    }

    /// The names of the phases that any window has: the machine may not have been quiet any more when those of another were measured.
    pub(crate) fn phases(&self) -> BTreeSet<&'a str> {
        let windows = self.quiet.values().flatten().flatten().copied();
        windows
            .flat_map(|window| window.phases_ns.keys().map(String::as_str))
            .collect()
    }

    /// How the head's counters differ from all that the base counted, in any window.
    pub(crate) fn counters_changed(&self) -> Option<String> {
        let [base, head] = &self.counters;
        let changes = |new: &BTreeMap<String, u64>| {
            let all: Vec<String> = base.iter().map(|old| changes(old, new)).collect();
            all.iter()
                .all(|changes| !changes.is_empty())
                .then(|| all.first().cloned())
                .flatten()
        };
        head.iter().find_map(|new| changes(new))
    }

    /// How the base's counters differ from each other: then they are not exact.
    pub(crate) fn counters_differ(&self) -> Option<String> {
        let mut base = self.counters[0].iter();
        let first = base.next()?;
        base.map(|other| changes(first, other))
            .find(|changes| !changes.is_empty())
    }
}

/// The counters that both have and that differ.
fn changes(old: &BTreeMap<String, u64>, new: &BTreeMap<String, u64>) -> String {
    let changed = old.iter().filter_map(|(name, old)| {
        new.get(name)
            .filter(|new| *new != old)
            .map(|new| format!("{name} {old} → {new}"))
    });
    changed.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ab::recording::tests::window;

    fn round(block: u64, round: u64, times: [f64; 3]) -> Vec<Window> {
        Arm::ALL
            .iter()
            .zip(times)
            .map(|(&arm, ns)| window("a", block, round, arm, ns))
            .collect()
    }

    const P10: Time = |window| Some(window.p10_ns);

    #[test]
    fn a_block_is_the_mean_of_its_rounds() {
        let windows = [round(1, 1, [100.0, 110.0, 100.0]), round(1, 2, [100.0, 121.0, 100.0])].concat();
        let cases = by_case(&windows);
        let differences = cases["a"].differences(P10, 9);
        assert_eq!(differences.len(), 1);
        assert!((differences[0].head - 1.5 * 1.1_f64.ln()).abs() < 1e-12 && differences[0].again == 0.0);
        assert_eq!(cases["a"].typical_ns(Arm::Base, P10, 9), Some(100.0));
    }

    #[test]
    fn a_block_in_which_an_arm_always_had_company_does_not_count() {
        let blocks = [
            round(1, 1, [100.0; 3]),
            round(2, 1, [100.0, 170.0, 100.0]),
            round(3, 1, [100.0; 3]),
        ];
        let mut windows = blocks.concat();
        windows[4].calibration_ns *= 1.6;
        let cases = by_case(&windows);
        let numbers: Vec<u64> = cases["a"].differences(P10, 9).iter().map(|d| d.block).collect();
        assert_eq!((numbers, cases["a"].attempted, cases["a"].len()), (vec![1, 3], 3, 2));
        // The same where nothing was kept of the window, and where it is missing.
        windows[4].calibration_ns = 18_000.0;
        windows[4].samples = 0;
        assert_eq!(by_case(&windows)["a"].len(), 2);
        windows.remove(4);
        assert_eq!(by_case(&windows)["a"].len(), 2);
        // One quiet window of the arm is enough.
        windows.push(window("a", 2, 2, Arm::Head, 100.0));
        assert_eq!(by_case(&windows)["a"].differences(P10, 9)[1].head, 0.0);
    }

    #[test]
    fn what_counted_once_counts_whatever_comes_later() {
        let mut windows: Vec<Window> = (1..=5).flat_map(|block| round(block, 1, [100.0; 3])).collect();
        settle(&[], &mut windows);
        let mut later: Vec<Window> = (6..=9).flat_map(|block| round(block, 1, [100.0; 3])).collect();
        for window in &mut later {
            window.calibration_ns *= 0.8;
        }
        settle(&windows, &mut later);
        // Another backend has processes, and a kernel, of its own.
        let mut other: Vec<Window> = (6..=9).flat_map(|block| round(block, 1, [100.0; 3])).collect();
        for window in &mut other {
            window.case = "a/b".to_owned();
            window.calibration_ns *= 2.0;
        }
        settle(&[&windows[..], &later].concat(), &mut other);
        let all = [windows, later, other].concat();
        let cases = by_case(&all);
        assert_eq!((cases["a"].len(), cases["a/b"].len()), (9, 4));
    }

    #[test]
    fn a_kernel_that_is_slower_in_one_of_the_programs_tells_of_nobody() {
        let mut windows: Vec<Window> = (1..=20).flat_map(|block| round(block, 1, [100.0; 3])).collect();
        for window in windows.iter_mut().filter(|window| window.arm == Arm::Head) {
            window.calibration_ns *= 1.3;
        }
        assert_eq!(by_case(&windows)["a"].len(), 20);
    }

    #[test]
    fn only_what_both_have_counted_is_compared() {
        let mut windows = round(1, 1, [100.0; 3]);
        let counters = |n, more: Option<u64>| {
            let mut counters = BTreeMap::from([("dispatches".to_owned(), n)]);
            counters.extend(more.map(|n| ("copies".to_owned(), n)));
            counters
        };
        windows[0].counters = counters(1, None);
        windows[1].counters = counters(1, Some(3));
        assert_eq!(by_case(&windows)["a"].counters_changed(), None);
        windows[1].counters = counters(2, Some(3));
        assert_eq!(by_case(&windows)["a"].counters_changed().unwrap(), "dispatches 1 → 2");
        // Company is no excuse.
        windows[1].samples = 0;
        let cases = by_case(&windows);
        assert_eq!((cases["a"].len(), cases["a"].counters_changed().is_some()), (0, true));
        assert_eq!(cases["a"].counters_differ(), None);
        // A base that counts one or the other says nothing of a head that counts either.
        windows[2].counters = counters(2, None);
        let cases = by_case(&windows);
        assert_eq!(cases["a"].counters_changed(), None);
        assert_eq!(cases["a"].counters_differ().unwrap(), "dispatches 1 → 2");
        windows[1].counters = counters(3, None);
        assert_eq!(by_case(&windows)["a"].counters_changed().unwrap(), "dispatches 1 → 3");
    }

    #[test]
    fn a_phase_is_compared_in_the_blocks_of_which_each_arm_has_it() {
        let mut windows: Vec<Window> = (1..=3).flat_map(|block| round(block, 1, [100.0; 3])).collect();
        for window in &mut windows {
            window.phases_ns = [("device".to_owned(), 1.0), ("upload".to_owned(), 2.0)].into();
        }
        windows[2].phases_ns.remove("device");
        windows[5].phases_ns.clear();
        let cases = by_case(&windows);
        let blocks = |name: &str| {
            let time = |window: &Window| window.phases_ns.get(name).copied();
            let differences = cases["a"].differences(time, 9);
            differences.iter().map(|d| d.block).collect::<Vec<_>>()
        };
        assert_eq!(cases["a"].phases().len(), 2);
        assert_eq!((blocks("upload"), blocks("device")), (vec![1, 3], vec![3]));
        // A second window of the arm will do.
        let mut second = windows[8].clone();
        second.block = 2;
        windows.push(second);
        let cases = by_case(&windows);
        let differences = cases["a"].differences(|window| window.phases_ns.get("upload").copied(), 9);
        assert_eq!(differences.len(), 3);
    }
}
