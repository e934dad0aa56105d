//! From blocks to verdicts. docs/gate-statistics.md says what the rules rest on.

mod assessment;
mod gates;
mod input;
pub mod screen;
pub mod validation;
mod view;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use self::view::View;
pub use self::{
    assessment::{Assessment, Figures, Phase, Settle},
    gates::{GATES, Gate},
    input::{Accepted, BASE, Block, CONTROL, Case, Counters, HEAD, Statistic, Three, Times},
};
use crate::{
    stat::{
        holm,
        plan::{MIN_BLOCKS, Plan},
    },
    verdict::Verdict,
};

/// Error that is spent on calling anything slower, over all cases, statistics and analyses; as much
/// again on calling anything faster.
pub const LEVEL: f64 = 0.01;

/// A comparison after the analyses that its blocks allow.
#[derive(Clone, Debug)]
pub struct Assessed {
    /// The cases, in the order given.
    pub cases: Vec<Assessment>,
    /// Cases that need more blocks, with how many each should have by the next analysis.
    pub open: BTreeMap<String, usize>,
}

/// What the statistics of a case show, one view each, and the p-values adjusted for all cases and
/// statistics: at most [`LEVEL`] if the change is confirmed, whichever analysis it is.
type Views = Vec<(View, f64, f64)>;

/// Assesses `cases`. Analyses are taken in their order, so that the same blocks give the same
/// verdicts whenever they are assessed.
pub fn assess(cases: &[Case], plan: &Plan) -> Assessed {
    let mut decided: Vec<Option<Assessment>> = vec![None; cases.len()];
    let mut next = plan.last().blocks;
    for interim in plan.interims() {
        let due = |(case, decided): (&Case, &Option<Assessment>)| {
            (decided.is_none() && case.blocks.len() >= interim.blocks).then_some((interim.blocks, interim.level))
        };
        let due: Vec<Option<(usize, f64)>> = cases.iter().zip(&decided).map(due).collect();
        if due.iter().all(Option::is_none) {
            next = next.min(interim.blocks);
            continue;
        }
        analyse(cases, &due, &mut decided, plan, false);
    }
    let is_open =
        |(case, decided): &(&Case, &Option<Assessment>)| decided.is_none() && case.blocks.len() < plan.last().blocks;
    let until = |(case, _): (&Case, &Option<Assessment>)| {
        let mut later = plan.interims().iter().map(|interim| interim.blocks);
        let due = later.find(|&blocks| blocks > case.blocks.len());
        (case.name.clone(), due.unwrap_or(next))
    };
    let open = cases.iter().zip(&decided).filter(is_open).map(until).collect();
    // The last analysis of what is left: with the error that its other analyses would have spent.
    let left = |(case, decided): (&Case, &Option<Assessment>)| {
        let blocks = case.blocks.len().min(plan.last().blocks);
        (decided.is_none() && blocks >= MIN_BLOCKS).then(|| (blocks, plan.unspent(blocks)))
    };
    let left: Vec<Option<(usize, f64)>> = cases.iter().zip(&decided).map(left).collect();
    analyse(cases, &left, &mut decided, plan, true);
    let cases = cases
        .iter()
        .zip(decided)
        .map(|(case, decided)| decided.unwrap_or_else(|| Assessment::without_views(case)))
        .collect();
    Assessed { cases, open }
}

/// Tests every case that is due, with the blocks and the error given, and decides those of which
/// enough is known; all of them if `is_last`.
fn analyse(
    cases: &[Case],
    due: &[Option<(usize, f64)>],
    decided: &mut [Option<Assessment>],
    plan: &Plan,
    is_last: bool,
) {
    let views: Vec<Option<Vec<View>>> = cases
        .iter()
        .zip(due)
        .map(|(case, due)| due.map(|(blocks, _)| GATES.iter().map(|gate| View::new(case, gate, blocks)).collect()))
        .collect();
    // Cases that were decided before stay in the family: confirmed ones as rejected, all others as
    // never to be.
    let family = |p: fn(&View) -> f64, confirmed: Verdict| -> Vec<f64> {
        let of_case = |index: usize| match (&views[index], due[index], &decided[index]) {
            // An error that is spent leaves nothing to reject.
            (Some(views), Some((_, level)), _) => views.iter().map(|view| (p(view) * LEVEL / level).min(1.0)).collect(),
            (_, _, Some(decided)) if decided.verdict == confirmed => vec![0.0; GATES.len()],
            _ => vec![1.0; GATES.len()],
        };
        holm::adjust(&(0..cases.len()).flat_map(of_case).collect::<Vec<_>>())
    };
    let slower = family(|view| view.p_slower, Verdict::Slower);
    let faster = family(|view| view.p_faster, Verdict::Faster);
    let tests = cases.len() * GATES.len();
    for (index, views) in views.into_iter().enumerate() {
        let (Some(views), Some((blocks, _))) = (views, due[index]) else {
            continue;
        };
        let with_p = |(gate, view)| {
            let entry = index * GATES.len() + gate;
            (view, slower[entry], faster[entry])
        };
        let views: Views = views.into_iter().enumerate().map(with_p).collect();
        let is_last = is_last || blocks >= plan.last().blocks;
        if let Some((verdict, gate)) = decide(&views, is_last) {
            decided[index] = Some(Assessment::new(
                &cases[index],
                blocks,
                verdict,
                gate,
                &views,
                plan,
                tests,
            ));
        }
    }
}

/// The verdict, and the number of the statistic that it speaks of; `None` if more blocks may tell.
fn decide(views: &Views, is_last: bool) -> Option<(Verdict, usize)> {
    let place = |is_such: &dyn Fn(&(View, f64, f64)) -> bool| views.iter().position(is_such);
    let is_slower = |(view, p, _): &(View, f64, f64)| *p <= LEVEL && view.may_be_slower();
    let is_faster = |(view, _, p): &(View, f64, f64)| *p <= LEVEL && view.may_be_faster();
    if let Some(gate) = place(&|of| is_slower(of) && !of.0.is_in_question()) {
        return Some((Verdict::Slower, gate));
    }
    if let Some(gate) = place(&|of| is_slower(of)) {
        return is_last.then_some((Verdict::Noisy, gate));
    }
    let is_bounded = views.iter().all(|(view, ..)| view.is_bounded());
    if let Some(gate) = place(&|of| is_faster(of) && !of.0.is_in_question()) {
        if is_bounded {
            return Some((Verdict::Faster, gate));
        }
    } else if let Some(gate) = place(&|of| is_faster(of)) {
        return is_last.then_some((Verdict::Noisy, gate));
    }
    let is_unsettled = |view: &View| {
        if is_last {
            view.is_suspicious()
        } else {
            view.is_promising()
        }
    };
    if is_bounded && !views.iter().any(|(view, ..)| is_unsettled(view)) {
        return Some((Verdict::Pass, 0));
    }
    let excess = |gate: &usize| {
        let view = &views[*gate].0;
        (view.effect.high - view.accepted) / view.bound
    };
    let suspicious = place(&|(view, ..)| view.is_suspicious());
    let widest = (0..views.len()).max_by(|a, b| excess(a).total_cmp(&excess(b)));
    is_last.then_some((Verdict::Inconclusive, suspicious.or(widest).unwrap_or_default()))
}
