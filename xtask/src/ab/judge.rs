//! From differences to verdicts, look by look.

mod view;

use std::collections::BTreeMap;

use serde::Serialize;
use view::{GATES, INTERVAL_ERROR, View, views};

use crate::{
    ab::{
        compare::{self, Blocks},
        recording::{Arm, Window},
    },
    stat::{
        detectable,
        hodges_lehmann::Effect,
        holm,
        looks::{LAST, LOOKS, Look},
    },
    verdict::Verdict,
};

/// A case passes if it is sure to be slower, and faster, by no more than this.
const TOLERANCE: f64 = 0.05;
/// Fewest blocks that an interval is made of.
const FEWEST_BLOCKS: usize = 8;

/// What is said of a case, and on what grounds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Judged {
    pub(crate) case: String,
    pub(crate) verdict: Verdict,
    /// Blocks it rests on.
    pub(crate) blocks: usize,
    /// Median over the blocks of the fastest tenth of the calls.
    pub(crate) base_ns: Option<f64>,
    pub(crate) head_ns: Option<f64>,
    /// The time that decided.
    pub(crate) quantile: &'static str,
    /// Hodges–Lehmann, in per cent; positive is slower.
    pub(crate) change_percent: Option<f64>,
    /// Its interval at 99 %.
    pub(crate) low_percent: Option<f64>,
    pub(crate) high_percent: Option<f64>,
    /// Of the signed-rank test in the direction of the change, adjusted for the number of cases.
    pub(crate) p_adjusted: Option<f64>,
    /// The smallest change that would have been found with a probability of 95 %, in all 40 blocks.
    pub(crate) detectable_percent: Option<f64>,
    /// How the second base differs from the first.
    pub(crate) sentinel_percent: Option<f64>,
    /// How the calls into wgpu differ.
    pub(crate) counters: Option<String>,
    /// The phases that moved, most of them first.
    pub(crate) phases: Vec<Phase>,
    pub(crate) note: Option<String>,
}

/// A phase of the calls that moved.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Phase {
    pub(crate) name: String,
    pub(crate) change_percent: f64,
    pub(crate) change_ns: f64,
}

/// The state of a comparison after the looks that its blocks allow.
#[derive(Clone, Debug)]
pub(crate) struct Judgement {
    pub(crate) cases: Vec<Judged>,
    /// Cases that need more blocks, with how many quiet ones each should have by the next look.
    pub(crate) open: BTreeMap<String, usize>,
}

/// Judges `cases` by what was recorded of them. Looks are taken in their order, so that the same windows give the same verdicts
/// whenever they are judged.
pub(crate) fn judge(cases: &[String], windows: &[Window]) -> Judgement {
    let all = compare::by_case(windows);
    let none = Blocks::default();
    let recorded: Vec<&Blocks<'_>> = cases
        .iter()
        .map(|case| all.get(case.as_str()).unwrap_or(&none))
        .collect();
    let mut judged: Vec<Option<Judged>> = vec![None; cases.len()];
    let mut next = LOOKS[0].blocks;
    for (number, look) in LOOKS.iter().enumerate() {
        let testable: Vec<bool> = recorded
            .iter()
            .zip(&judged)
            .map(|(recorded, judged)| judged.is_none() && recorded.len() >= look.blocks)
            .collect();
        if !testable.contains(&true) {
            break;
        }
        take_look(look, cases, &recorded, &testable, &mut judged);
        next = LOOKS.get(number + 1).map_or(LAST.blocks, |look| look.blocks);
    }
    let open = cases
        .iter()
        .zip(&judged)
        .zip(&recorded)
        .filter(|((_, judged), recorded)| judged.is_none() && recorded.len() < LAST.blocks)
        // A case that the machine kept from the last look goes on to that one first.
        .map(|((case, _), recorded)| {
            let due = LOOKS
                .iter()
                .map(|look| look.blocks)
                .find(|&blocks| blocks > recorded.len());
            (case.clone(), due.unwrap_or(next))
        })
        .collect();
    let cases = cases
        .iter()
        .zip(judged)
        .zip(&recorded)
        .map(|((case, judged), recorded)| judged.unwrap_or_else(|| conclude(case, recorded, cases.len())))
        .collect();
    Judgement { cases, open }
}

/// Tests every testable case, and judges those of which enough is known.
fn take_look(
    look: &Look,
    cases: &[String],
    recorded: &[&Blocks<'_>],
    testable: &[bool],
    judged: &mut [Option<Judged>],
) {
    let views: Vec<Option<[View; GATES.len()]>> = recorded
        .iter()
        .zip(testable)
        .map(|(recorded, &testable)| testable.then(|| views(recorded, look.blocks)))
        .collect();
    // Cases judged before stay in the family: those convicted as rejected, the others as never to be.
    let family = |p: fn(&View) -> f64, convicted: Verdict| -> Vec<f64> {
        let of_case = |(view, judged): (&Option<[View; GATES.len()]>, &Option<Judged>)| match (view, judged) {
            (Some(views), _) => views.each_ref().map(p),
            (None, Some(judged)) if judged.verdict == convicted => [0.0; GATES.len()],
            (None, _) => [1.0; GATES.len()],
        };
        holm::adjust(&views.iter().zip(&*judged).flat_map(of_case).collect::<Vec<_>>())
    };
    let slower = family(|view| view.p_slower, Verdict::Slower);
    let faster = family(|view| view.p_faster, Verdict::Faster);
    for (index, views) in views.iter().enumerate() {
        let Some(views) = views else { continue };
        let mut conviction = None;
        for (gate, view) in views.iter().enumerate() {
            let entry = index * GATES.len() + gate;
            let change = if slower[entry] <= look.level && view.effect.estimate > view.floor {
                Some((Verdict::Slower, slower[entry]))
            } else if faster[entry] <= look.level && -view.effect.estimate > view.floor {
                Some((Verdict::Faster, faster[entry]))
            } else {
                None
            };
            conviction = conviction.or(change.map(|(verdict, p)| (gate, verdict, p)));
        }
        let describe = |gate: usize, verdict, p| Judged {
            p_adjusted: Some(p),
            ..describe(
                &cases[index],
                recorded[index],
                look.blocks,
                &views[gate],
                gate,
                verdict,
                cases.len(),
            )
        };
        judged[index] = match conviction {
            Some((gate, verdict, p)) if views[gate].sentinel_differs() => {
                let note = format!(
                    "would be {}, but the base differs from itself by {:+.1} %",
                    verdict.word(),
                    percent(views[gate].sentinel.estimate)
                );
                Some(Judged {
                    note: Some(note),
                    ..describe(gate, Verdict::Noisy, p)
                })
            }
            Some((gate, verdict, p)) => Some(describe(gate, verdict, p)),
            None if views.iter().all(|view| view.is_within(view.floor)) => {
                let entry = index * GATES.len();
                Some(describe(0, Verdict::Pass, slower[entry].min(faster[entry])))
            }
            None => None,
        };
    }
}

/// The verdict on a case that no look has decided.
fn conclude(case: &str, recorded: &Blocks<'_>, cases: usize) -> Judged {
    let blocks = recorded.len();
    let bare = |verdict, note: String| Judged {
        case: case.to_owned(),
        verdict,
        blocks,
        base_ns: None,
        head_ns: None,
        quantile: GATES[0].name,
        change_percent: None,
        low_percent: None,
        high_percent: None,
        p_adjusted: None,
        detectable_percent: None,
        sentinel_percent: None,
        counters: recorded.counters_changed(),
        phases: Vec::new(),
        note: Some(note),
    };
    if recorded.attempted == 0 {
        return bare(Verdict::NotMeasured, "no block was measured".to_owned());
    }
    if blocks < FEWEST_BLOCKS {
        let had_company = recorded.attempted >= 2 * FEWEST_BLOCKS;
        let verdict = if had_company {
            Verdict::Noisy
        } else {
            Verdict::Inconclusive
        };
        return bare(
            verdict,
            format!(
                "the machine was left alone in {blocks} of {} blocks, too few to tell",
                recorded.attempted
            ),
        );
    }
    let views = views(recorded, blocks);
    let describe = |verdict, note: Option<String>| Judged {
        note,
        ..describe(case, recorded, blocks, &views[0], 0, verdict, cases)
    };
    if views
        .iter()
        .all(|view| view.is_within(view.floor.max(TOLERANCE.ln_1p())))
    {
        describe(Verdict::Pass, None)
    } else if blocks < LAST.blocks {
        let note = format!("{blocks} of {} blocks measured", LAST.blocks);
        describe(Verdict::Inconclusive, Some(note))
    } else {
        describe(Verdict::Inconclusive, None)
    }
}

fn describe(
    case: &str,
    recorded: &Blocks<'_>,
    blocks: usize,
    view: &View,
    gate: usize,
    verdict: Verdict,
    cases: usize,
) -> Judged {
    let gate = &GATES[gate];
    let least = detectable::effect(view.deviation, LAST.blocks, LAST.level, cases * GATES.len());
    let is_changed = matches!(verdict, Verdict::Slower | Verdict::Faster);
    Judged {
        case: case.to_owned(),
        verdict,
        blocks,
        base_ns: recorded.typical_ns(Arm::Base, gate.time, blocks),
        head_ns: recorded.typical_ns(Arm::Head, gate.time, blocks),
        quantile: gate.name,
        change_percent: Some(percent(view.effect.estimate)),
        low_percent: Some(percent(view.effect.low)),
        high_percent: Some(percent(view.effect.high)),
        p_adjusted: None,
        detectable_percent: Some(percent(least.max(view.floor))),
        sentinel_percent: Some(percent(view.sentinel.estimate)),
        counters: recorded.counters_changed(),
        phases: if is_changed {
            phases(recorded, blocks)
        } else {
            Vec::new()
        },
        note: None,
    }
}

/// The phases whose interval leaves out zero, by how much of the call they changed.
fn phases(recorded: &Blocks<'_>, blocks: usize) -> Vec<Phase> {
    let moved = |name: &str| {
        let time = |window: &Window| window.phases_ns.get(name).copied().filter(|ns| *ns > 0.0);
        let differences: Vec<f64> = recorded.differences(time, blocks).iter().map(|d| d.head).collect();
        if differences.len() < FEWEST_BLOCKS {
            return None;
        }
        let effect = Effect::of(&differences, INTERVAL_ERROR);
        (effect.low > 0.0 || effect.high < 0.0).then_some(())?;
        let base_ns = recorded.typical_ns(Arm::Base, time, blocks)?;
        Some(Phase {
            name: name.to_owned(),
            change_percent: percent(effect.estimate),
            change_ns: base_ns * effect.estimate.exp_m1(),
        })
    };
    let mut phases: Vec<Phase> = recorded.phases().into_iter().filter_map(moved).collect();
    phases.sort_by(|a, b| b.change_ns.abs().total_cmp(&a.change_ns.abs()));
    phases
}

/// A natural logarithm as a change in per cent.
fn percent(logarithm: f64) -> f64 {
    100.0 * logarithm.exp_m1()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ab::recording::tests::window, stat::random::SplitMix64};

    /// Noise of about `deviation`, as a natural logarithm.
    fn noise(random: &mut SplitMix64, deviation: f64) -> f64 {
        let uniform = |random: &mut SplitMix64| (random.next() >> 11) as f64 / (1_u64 << 53) as f64;
        deviation * ((0..12).map(|_| uniform(random)).sum::<f64>() - 6.0)
    }

    /// Blocks of one case whose head is `effect` slower.
    fn blocks(random: &mut SplitMix64, case: &str, n: u64, effect: f64, deviation: f64) -> Vec<Window> {
        let mut windows = Vec::new();
        for block in 1..=n {
            for arm in Arm::ALL {
                let shift = if arm == Arm::Head { effect } else { 0.0 };
                let ns = 100_000.0 * (shift + noise(random, deviation)).exp();
                windows.push(window(case, block, 1, arm, ns));
            }
        }
        windows
    }

    fn one(windows: &[Window]) -> (Judged, bool) {
        let judgement = judge(&["a".to_owned()], windows);
        (judgement.cases[0].clone(), !judgement.open.is_empty())
    }

    #[test]
    fn a_clear_change_is_called_at_the_first_look_in_either_direction() {
        let mut random = SplitMix64(1);
        let check = |effect: f64, expected: Verdict, random: &mut SplitMix64| {
            let (judged, open) = one(&blocks(random, "a", 16, effect, 0.01));
            assert_eq!((judged.verdict, open), (expected, false), "{effect}: {judged:?}");
            assert!(
                (judged.change_percent.unwrap() - 100.0 * effect.exp_m1()).abs() < 1.5,
                "{judged:?}"
            );
        };
        check(0.10, Verdict::Slower, &mut random);
        check(-0.10, Verdict::Faster, &mut random);
        check(0.0, Verdict::Pass, &mut random);
        check(0.01, Verdict::Pass, &mut random);
    }

    #[test]
    fn what_is_not_decided_needs_more_blocks_until_the_last_look() {
        let mut random = SplitMix64(2);
        let wide = |n: u64, random: &mut SplitMix64| judge(&["a".to_owned()], &blocks(random, "a", n, 0.0, 0.08)).open;
        let due = |blocks: usize| BTreeMap::from([("a".to_owned(), blocks)]);
        assert_eq!(wide(0, &mut random), due(16));
        assert_eq!(wide(15, &mut random), due(16));
        assert_eq!(wide(16, &mut random), due(24));
        assert_eq!(wide(24, &mut random), due(40));
        assert_eq!(wide(40, &mut random), BTreeMap::new());
        let (judged, _) = one(&blocks(&mut random, "a", 40, 0.0, 0.2));
        assert_eq!(judged.verdict, Verdict::Inconclusive, "{judged:?}");
        assert!(judged.detectable_percent.unwrap() > 10.0, "{judged:?}");
        let (judged, open) = one(&blocks(&mut random, "a", 5, 0.5, 0.01));
        assert_eq!(
            (judged.verdict, open),
            (Verdict::Inconclusive, true),
            "five blocks convict nobody: {judged:?}"
        );
        assert_eq!(one(&[]).0.verdict, Verdict::NotMeasured);
    }

    #[test]
    fn a_base_that_differs_from_itself_convicts_nobody() {
        let mut random = SplitMix64(3);
        let mut windows = blocks(&mut random, "a", 16, 0.10, 0.005);
        for window in windows.iter_mut().filter(|window| window.arm == Arm::Again) {
            window.p10_ns *= 1.04;
        }
        let (judged, _) = one(&windows);
        assert_eq!(judged.verdict, Verdict::Noisy, "{judged:?}");
        assert!(judged.note.unwrap().contains("differs from itself by +"));
    }

    #[test]
    fn a_machine_that_is_never_quiet_is_called_noisy() {
        let mut random = SplitMix64(4);
        let mut windows = blocks(&mut random, "a", 30, 0.10, 0.005);
        for window in windows.iter_mut().filter(|window| window.block > 4) {
            window.samples = 0;
        }
        let (judged, open) = one(&windows);
        assert_eq!((judged.verdict, open), (Verdict::Noisy, true));
        assert!(judged.note.unwrap().contains("4 of 30 blocks"));
    }

    #[test]
    fn a_median_that_moves_alone_is_found() {
        let mut random = SplitMix64(5);
        let mut windows = blocks(&mut random, "a", 16, 0.0, 0.005);
        for window in windows.iter_mut().filter(|window| window.arm == Arm::Head) {
            window.p50_ns *= 1.5;
        }
        let (judged, _) = one(&windows);
        assert_eq!(
            (judged.verdict, judged.quantile),
            (Verdict::Slower, "median"),
            "{judged:?}"
        );
    }

    #[test]
    fn the_phase_that_moved_is_named() {
        let mut random = SplitMix64(6);
        let mut windows = blocks(&mut random, "a", 16, 0.10, 0.002);
        for window in &mut windows {
            let device = if window.arm == Arm::Head { 80_000.0 } else { 70_000.0 };
            window.phases_ns = [
                ("device".to_owned(), device * noise(&mut random, 0.002).exp()),
                ("upload".to_owned(), 10_000.0 * noise(&mut random, 0.002).exp()),
            ]
            .into();
        }
        let (judged, _) = one(&windows);
        assert_eq!(judged.phases[0].name, "device", "{judged:?}");
        assert!((judged.phases[0].change_ns - 10_000.0).abs() < 500.0, "{judged:?}");
    }

    /// 400 suites of 12 unchanged cases with noise of 2 %, and as many of one case that is 5 % slower.
    #[test]
    fn unchanged_code_is_convicted_in_less_than_one_suite_in_a_hundred_and_five_per_cent_are_found() {
        let mut random = SplitMix64(7);
        let names: Vec<String> = (0..12).map(|i| format!("case {i}")).collect();
        let (mut slower, mut faster, mut found) = (0, 0, 0);
        for suite in 0..400 {
            let mut windows = Vec::new();
            for (index, name) in names.iter().enumerate() {
                let effect = if suite >= 200 && index == 0 {
                    0.05_f64.ln_1p()
                } else {
                    0.0
                };
                windows.extend(blocks(&mut random, name, 40, effect, 0.02));
            }
            let judgement = judge(&names, &windows);
            let skipped = usize::from(suite >= 200);
            let any = |word| judgement.cases[skipped..].iter().any(|judged| judged.verdict == word);
            slower += usize::from(any(Verdict::Slower));
            faster += usize::from(any(Verdict::Faster));
            found += usize::from(suite >= 200 && judgement.cases[0].verdict == Verdict::Slower);
        }
        assert!(slower <= 4 && faster <= 4, "{slower} slower, {faster} faster of 400");
        assert!(found >= 190, "{found} of 200");
    }
}
