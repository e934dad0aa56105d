//! From differences to verdicts, look by look.

#[cfg(test)]
mod tests;
mod view;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
pub(crate) use view::is_short;
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Judged {
    pub(crate) case: String,
    pub(crate) verdict: Verdict,
    /// Blocks it rests on.
    pub(crate) blocks: usize,
    /// Median over the blocks of the fastest tenth of the calls.
    pub(crate) base_ns: Option<f64>,
    pub(crate) head_ns: Option<f64>,
    /// The time that decided.
    pub(crate) quantile: String,
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
        .zip(cases)
        .map(|((recorded, &testable), case)| testable.then(|| views(case, recorded, look.blocks)))
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
        let p = |gate: usize| {
            let entry = index * GATES.len() + gate;
            (slower[entry], faster[entry])
        };
        let describe = |(gate, verdict, p): (usize, Verdict, f64)| Judged {
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
        judged[index] = match convict(views, p, look.level) {
            Conviction::Sure(conviction) => Some(describe(conviction)),
            // More blocks may tell.
            Conviction::InQuestion(_) if look.blocks < LAST.blocks => None,
            Conviction::InQuestion(conviction) => Some(questioned(views, conviction, describe)),
            Conviction::None if views.iter().all(|view| view.is_within(view.floor)) => {
                let (slower, faster) = p(0);
                Some(describe((0, Verdict::Pass, slower.min(faster))))
            }
            Conviction::None => None,
        };
    }
}

/// What the gates find in a case: the gate, the verdict, and its adjusted p.
enum Conviction {
    Sure((usize, Verdict, f64)),
    /// The base differs from itself by so much that it may be that.
    InQuestion((usize, Verdict, f64)),
    None,
}

/// The first gate's conviction that is not in question, slower before faster: what is slower in any way is not to be called faster. `p` gives
/// a gate's adjusted p for slower and for faster.
fn convict(views: &[View; GATES.len()], p: impl Fn(usize) -> (f64, f64), level: f64) -> Conviction {
    let slower = |(gate, view): (usize, &View)| {
        (p(gate).0 <= level && view.effect.estimate > view.floor).then_some((gate, Verdict::Slower, p(gate).0))
    };
    let faster = |(gate, view): (usize, &View)| {
        (p(gate).1 <= level && -view.effect.estimate > view.floor).then_some((gate, Verdict::Faster, p(gate).1))
    };
    let gates = || views.iter().enumerate();
    let all: Vec<(usize, Verdict, f64)> = gates().filter_map(slower).chain(gates().filter_map(faster)).collect();
    let is_sure = |(gate, ..): &&(usize, Verdict, f64)| !views[*gate].is_in_question();
    let is_slower = |(_, verdict, _): &(usize, Verdict, f64)| *verdict == Verdict::Slower;
    match (all.iter().find(is_sure), all.first()) {
        // Faster for sure, but perhaps slower in another way.
        (Some(sure), Some(first)) if is_slower(first) && !is_slower(sure) => Conviction::InQuestion(*first),
        (Some(sure), _) => Conviction::Sure(*sure),
        (None, Some(first)) => Conviction::InQuestion(*first),
        (None, None) => Conviction::None,
    }
}

/// A conviction that may be noise.
fn questioned(
    views: &[View; GATES.len()],
    (gate, verdict, p): (usize, Verdict, f64),
    describe: impl Fn((usize, Verdict, f64)) -> Judged,
) -> Judged {
    let note = format!(
        "would be {}, but the base differs from itself by {:+.1} %",
        verdict.word(),
        percent(views[gate].sentinel.estimate)
    );
    Judged {
        note: Some(note),
        ..describe((gate, Verdict::Noisy, p))
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
        quantile: GATES[0].name.to_owned(),
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
    let views = views(case, recorded, blocks);
    let describe = |(gate, verdict, p): (usize, Verdict, f64)| Judged {
        p_adjusted: Some(p),
        ..describe(case, recorded, blocks, &views[gate], gate, verdict, cases)
    };
    // The looks that the case was kept from have left their error to one at the end, adjusted by Bonferroni: the others were of
    // families of their own.
    let unspent: f64 = LOOKS
        .iter()
        .filter(|look| look.blocks > blocks)
        .map(|look| look.level)
        .sum();
    let tests = (cases * GATES.len()) as f64;
    let p = |gate: usize| {
        let view: &View = &views[gate];
        ((view.p_slower * tests).min(1.0), (view.p_faster * tests).min(1.0))
    };
    let measured = (blocks < LAST.blocks).then(|| format!("{blocks} of {} blocks measured", LAST.blocks));
    match convict(&views, p, unspent) {
        Conviction::Sure(conviction) if unspent > 0.0 => {
            let judged = describe(conviction);
            return Judged {
                note: judged.note.clone().or(measured),
                ..judged
            };
        }
        Conviction::InQuestion(conviction) if unspent > 0.0 => return questioned(&views, conviction, describe),
        _ => {}
    }
    let (slower, faster) = p(0);
    let is_passed = views
        .iter()
        .all(|view| view.is_within(view.floor.max(TOLERANCE.ln_1p())) && !view.is_suspicious());
    if is_passed {
        describe((0, Verdict::Pass, slower.min(faster)))
    } else {
        let judged = describe((0, Verdict::Inconclusive, slower.min(faster)));
        Judged {
            note: judged.note.clone().or(measured),
            ..judged
        }
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
        quantile: gate.name.to_owned(),
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
        note: recorded
            .counters_differ()
            .map(|counters| format!("the base's own calls differ: {counters}")),
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
