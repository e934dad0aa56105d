//! Whether the machine was quiet enough to record what everything later is held against.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    case::CaseId,
    rows::{Row, Stage},
    screen::{self, GATES},
};

/// A case with fewer undisturbed processes than this part of all of them is not one to hold others against.
const FEWEST_UNDISTURBED: f64 = 0.8;
/// Largest standard deviation of y = ln(p10 / calibration) between processes; with 5 of them a change is then noticed from
/// 42 %. In a recording on the 2-core machine where this was developed one case had 0.12, all others 0.07 at most.
const MOST_SPREAD: f64 = 0.15;
/// Farthest that the calibration kernel's time may move between the processes of a recording, as a natural logarithm:
/// as far as a run may be from its baseline before its suspects are called noisy. In that recording it was 0.03 at most.
const MOST_DRIFT: f64 = 0.05;

/// The cases that have fewer undisturbed processes than `processes`.
pub(crate) fn disturbed(rows: &[Row], processes: u64) -> Vec<CaseId> {
    let cases: BTreeSet<&CaseId> = rows.iter().map(|row| &row.case).collect();
    let undisturbed = undisturbed(rows);
    let count = |case: &CaseId| undisturbed.iter().filter(|row| row.case == *case).count() as u64;
    cases
        .into_iter()
        .filter(|case| count(case) < processes)
        .cloned()
        .collect()
}

fn undisturbed(rows: &[Row]) -> Vec<Row> {
    screen::undisturbed(rows, screen::usual_calibration_ns(rows).unwrap_or(f64::INFINITY))
}

/// What speaks against keeping these rows as a baseline, each with its case; nothing if the machine was quiet.
pub(crate) fn noise(rows: &[Row], processes: u64) -> Vec<String> {
    let quiet = undisturbed(rows);
    let mut noise = Vec::new();
    let needed = (processes as f64 * FEWEST_UNDISTURBED).ceil() as u64;
    for case in disturbed(rows, needed) {
        let n = quiet.iter().filter(|row| row.case == case).count();
        let of = rows.iter().filter(|row| row.case == case).count();
        noise.push(format!(
            "{case}: somebody else used the core in {} of {of} processes; {needed} must be undisturbed",
            of - n
        ));
    }
    for (case, times) in screen::times(&quiet, Stage::Screen, &GATES[0]) {
        let spread = deviation(&times);
        if spread > MOST_SPREAD {
            noise.push(format!(
                "{case}: its processes differ by {:.0} % (standard deviation); {:.0} % is the most",
                100.0 * spread.exp_m1(),
                100.0 * MOST_SPREAD.exp_m1()
            ));
        }
    }
    if let Some((backend, drift)) = drift(&quiet)
        && drift > MOST_DRIFT
    {
        noise.push(format!(
            "{backend}: the calibration kernel's time moved by {:.0} % between processes; {:.0} % is the most",
            100.0 * drift.exp_m1(),
            100.0 * MOST_DRIFT.exp_m1()
        ));
    }
    noise
}

/// Why new rows must not stand beside those of other cases that stay: calibrations apart, one of both would look disturbed.
pub(crate) fn another_state(old: &[Row], new: &[Row]) -> Option<String> {
    let is_kept = |row: &&Row| !new.iter().any(|measured| measured.case == row.case);
    let kept: Vec<Row> = old.iter().filter(is_kept).cloned().collect();
    let shift = screen::calibration_shift(&kept, new)?;
    (shift.abs() > MOST_DRIFT).then(|| {
        format!(
            "the calibration kernel's time differs by {:+.0} % from that of the cases that stay; {:.0} % is the most",
            100.0 * shift.exp_m1(),
            100.0 * MOST_DRIFT.exp_m1()
        )
    })
}

fn deviation(times: &[f64]) -> f64 {
    let n = times.len() as f64;
    if n < 2.0 {
        return 0.0;
    }
    let mean = times.iter().sum::<f64>() / n;
    (times.iter().map(|y| (y - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt()
}

/// The backend between whose processes the calibration moved farthest, and how far. A process's calibration is the
/// fastest of its cases, as in the screen.
fn drift(rows: &[Row]) -> Option<(String, f64)> {
    let mut processes: BTreeMap<(&str, u64), f64> = BTreeMap::new();
    for row in rows {
        let fastest = processes.entry((&row.case.backend, row.run)).or_insert(f64::INFINITY);
        *fastest = fastest.min(row.calibration_ns);
    }
    let mut ranges: BTreeMap<&str, (f64, f64)> = BTreeMap::new();
    for ((backend, _), ns) in processes {
        let (low, high) = ranges.entry(backend).or_insert((ns, ns));
        (*low, *high) = (low.min(ns), high.max(ns));
    }
    let drifts = ranges
        .into_iter()
        .map(|(backend, (low, high))| (backend.to_owned(), (high / low).ln()));
    drifts.max_by(|(_, a), (_, b)| a.total_cmp(b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::tests::example;

    /// Two cases in five processes.
    fn rows() -> Vec<Row> {
        (1..=5)
            .flat_map(|run| [example("cpu", 1000, run, 10_000.0), example("cpu", 2000, run, 20_000.0)])
            .collect()
    }

    /// Noise after `change` has had every row of the case of 1000 elements.
    fn noise_with(change: impl Fn(&mut Row)) -> Vec<String> {
        let mut rows = rows();
        rows.iter_mut().filter(|row| row.case.size == 1000).for_each(change);
        noise(&rows, 5)
    }

    #[test]
    fn a_quiet_machine_is_left_in_peace() {
        assert!(noise_with(|_| {}).is_empty());
        // One disturbed process in five, processes 5 % apart, and a calibration that moves by 4 %.
        assert!(
            noise_with(|row| if row.run == 3 {
                row.calibration_ns *= 1.9;
            })
            .is_empty()
        );
        assert!(noise_with(|row| row.p10_ns *= 1.0 + 0.05 * (row.run % 2) as f64).is_empty());
        let mut drifting = rows();
        drifting
            .iter_mut()
            .filter(|row| row.run > 3)
            .for_each(|row| row.calibration_ns *= 1.04);
        assert!(noise(&drifting, 5).is_empty());
        assert!(noise(&rows()[..2], 1).is_empty(), "one process has no spread");
        assert!(noise(&[], 5).is_empty());
    }

    #[test]
    fn whatever_is_noisy_is_named() {
        let check = |noise: Vec<String>, expected: &[&str]| {
            assert_eq!(noise.len(), 1, "{noise:?}");
            assert!(expected.iter().all(|part| noise[0].contains(part)), "{noise:?}");
        };
        check(
            noise_with(|row| {
                if row.run <= 2 {
                    row.calibration_ns *= 1.9;
                }
            }),
            &["vector_add/cpu/1000: somebody", "2 of 5", "4 must"],
        );
        check(
            noise_with(|row| row.p10_ns *= 1.0 + 0.4 * (row.run % 2) as f64),
            &["vector_add/cpu/1000: its processes differ by 20 %", "16 % is the most"],
        );
        let mut drifting = rows();
        drifting.iter_mut().filter(|row| row.run > 3).for_each(|row| {
            row.calibration_ns *= 1.07;
            row.p10_ns *= 1.07;
        });
        check(
            noise(&drifting, 5),
            &["cpu: the calibration kernel's time moved by 7 %", "5 % is"],
        );
    }

    #[test]
    fn cases_recorded_later_must_be_of_the_same_machine_state() {
        let mut new = vec![rows()[0].clone()];
        assert_eq!(another_state(&rows(), &new), None);
        new[0].calibration_ns *= 1.2;
        assert!(another_state(&rows(), &new).unwrap().contains("+20 %"));
        // All cases are replaced.
        let all: Vec<Row> = rows()
            .into_iter()
            .map(|row| Row {
                calibration_ns: 1.0,
                ..row
            })
            .collect();
        assert_eq!(another_state(&rows(), &all), None);
    }

    #[test]
    fn a_process_that_was_repeated_counts() {
        let mut rows = rows();
        rows[0].calibration_ns *= 1.9;
        assert_eq!(disturbed(&rows, 5).len(), 1);
        rows.push(example("cpu", 1000, 6, 10_000.0));
        assert!(disturbed(&rows, 5).is_empty());
    }
}
