//! How much the times of unchanged code differ, and where that comes from.

use std::collections::BTreeMap;

use super::Suite;
use crate::{
    ab::{
        compare,
        recording::{Arm, Window},
    },
    quantile::median,
    stat::detectable,
};

/// Differences of one case, as natural logarithms, and its times.
#[derive(Debug, Default)]
struct Noise {
    base_ns: Vec<f64>,
    /// The second window of a process against its first.
    windows: Vec<f64>,
    /// A second process of the base against the first.
    processes: Vec<f64>,
    /// What is tested.
    blocks: Vec<f64>,
    /// Blocks that were measured, whether or not every arm was left alone in them.
    tried: usize,
}

/// A table of the fastest tenth of the calls of every case of unchanged code, the head of which is the base.
pub(super) fn rows(suites: &[Suite]) -> Vec<String> {
    let same: Vec<&Suite> = suites.iter().filter(|suite| suite.kind.is_same()).collect();
    if same.is_empty() {
        return Vec::new();
    }
    let p10 = |window: &Window| Some(window.p10_ns);
    let mut cases: BTreeMap<&str, Noise> = BTreeMap::new();
    for suite in &same {
        for (case, blocks) in compare::by_case(&suite.windows) {
            let noise = cases.entry(case).or_default();
            noise.tried += blocks.attempted;
            noise.base_ns.extend(blocks.typical_ns(Arm::Base, p10, usize::MAX));
            let pairs = blocks
                .processes()
                .filter_map(|windows| Some((windows.first()?, windows.get(1)?)));
            noise
                .windows
                .extend(pairs.map(|(first, second)| (second.p10_ns / first.p10_ns).ln()));
            for difference in blocks.differences(p10, usize::MAX) {
                noise.processes.push(difference.again);
                noise.blocks.push(difference.head);
            }
        }
    }
    let windows = || same.iter().flat_map(|suite| &suite.windows);
    let (all, disturbed) = (
        windows().count(),
        windows().filter(|window| window.samples == 0).count(),
    );
    let percent = |differences: &[f64]| format!("{:.2} %", 100.0 * detectable::deviation(differences));
    let row = |(case, noise): (&str, Noise)| {
        format!(
            "| {case} | {:.1} µs | {} | {} | {} | {} of {} |",
            median(&noise.base_ns) / 1e3,
            percent(&noise.windows),
            percent(&noise.processes),
            percent(&noise.blocks),
            noise.blocks.len(),
            noise.tried,
        )
    };
    let head = [
        String::new(),
        "| unchanged code, standard deviations | takes | two windows of a process | two processes | a block | blocks left alone |".to_owned(),
        "|---|--:|--:|--:|--:|--:|".to_owned(),
    ];
    let foot = [
        String::new(),
        format!("In {disturbed} of {all} windows no slice was left alone."),
    ];
    let rows = cases
        .into_iter()
        .filter(|(_, noise)| !noise.base_ns.is_empty())
        .map(row);
    head.into_iter().chain(rows).chain(foot).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ab::{recording::tests::window, validation::Kind};

    #[test]
    fn what_processes_differ_by_is_told_from_what_their_windows_do() {
        // Of a process's two windows the second is 1 % slower; every second process of the base is 3 % slower than the other, one in four of
        // the head 2 %.
        let mut windows = Vec::new();
        for block in 1..=40_u64 {
            for (arm, slower) in
                Arm::ALL
                    .into_iter()
                    .zip([0.0, 0.02 * f64::from(block % 4 == 0), 0.03 * f64::from(block % 2 == 0)])
            {
                for (round, later) in [(1, 0.0), (2, 0.01)] {
                    windows.push(window(
                        "a",
                        block,
                        round,
                        arm,
                        20_000.0 * (1.0 + slower) * (1.0 + later),
                    ));
                }
            }
        }
        windows.push(Window {
            samples: 0,
            ..window("a", 1, 3, Arm::Base, 0.0)
        });
        let suite = |kind| Suite {
            kind,
            cases: vec!["a".to_owned()],
            windows: windows.clone(),
        };
        let rows = rows(&[suite(Kind::Unchanged), suite(Kind::Planted(5))]);
        // Half of the processes differ by ln 1.03 and half by nothing; ln 1.03 over 1.349 is 2.19 %.
        assert_eq!(rows[3], "| a | 20.2 µs | 0.00 % | 2.19 % | 0.37 % | 40 of 40 |");
        assert_eq!(rows[5], "In 1 of 241 windows no slice was left alone.");
        assert!(super::rows(&[suite(Kind::Planted(5))]).is_empty());
    }
}
