//! What is said of a case, and on what grounds.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{
    GATES, Views,
    gates::UNBOUNDED,
    input::{Accepted, BASE, CONTROL, Case, Counters, HEAD, Statistic, Three},
    view::{self, INTERVAL_ERROR, View},
};
use crate::{
    stat::{
        plan::{MIN_BLOCKS, Plan},
        power,
        quantile::median,
        signed_rank,
    },
    verdict::Verdict,
};

/// The verdict on one case.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Assessment {
    /// The case's name.
    pub case: String,
    /// The verdict.
    pub verdict: Verdict,
    /// The statistic that the verdict speaks of.
    pub statistic: Statistic,
    /// Blocks it rests on.
    pub blocks: usize,
    /// What each statistic shows; none with too few blocks.
    pub figures: Vec<Figures>,
    /// What would settle an inconclusive case.
    pub settle: Option<Settle>,
    /// The slowdown that is accepted.
    pub accepted: Option<Accepted>,
    /// How the head's counters differ from all that the base counted.
    pub counters: Option<String>,
    /// The phases that changed, the largest change first; of a case that became slower or faster.
    pub phases: Vec<Phase>,
    /// Why, where the figures do not say it.
    pub note: Option<String>,
}

/// What one statistic shows. Changes are those of the head against base and control, in per cent;
/// positive is slower.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// The statistic.
    pub statistic: Statistic,
    /// Median over blocks of the base's and control's mean, in nanoseconds.
    pub base_ns: f64,
    /// Median over blocks of the head, in nanoseconds.
    pub head_ns: f64,
    /// Hodges–Lehmann estimate.
    pub change_percent: f64,
    /// The ends of its 99 % interval.
    pub low_percent: f64,
    /// The upper end.
    pub high_percent: f64,
    /// The probability of such a change without one, adjusted for all cases, statistics and analyses
    /// in the direction of the change: at most 0.01 if it is confirmed.
    pub p_adjusted: f64,
    /// The control against the base.
    pub control_percent: f64,
    /// Standard deviation of a block's difference.
    pub deviation_percent: f64,
    /// Changes up to this may be layout alone, or are too small to matter.
    pub floor_percent: f64,
    /// A case passes if it surely is slower by less; none if the statistic holds up no pass.
    pub bound_percent: Option<f64>,
    /// The smallest slowdown that all blocks of the plan find with a probability of 95 %.
    pub detectable_percent: f64,
}

/// What would settle an inconclusive case.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settle {
    /// Blocks in all after which it passes or is slower, if the change is as estimated.
    pub blocks: usize,
    /// Which of the two.
    pub verdict: Verdict,
}

/// A phase of the calls that changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Phase {
    /// Its name.
    pub name: String,
    /// Its change, in per cent.
    pub change_percent: f64,
    /// Its change, in nanoseconds.
    pub change_ns: f64,
}

/// A natural logarithm as a change in per cent.
fn percent(logarithm: f64) -> f64 {
    100.0 * logarithm.exp_m1()
}

impl Assessment {
    pub(super) fn new(
        case: &Case,
        blocks: usize,
        verdict: Verdict,
        gate: usize,
        views: &Views,
        plan: &Plan,
        tests: usize,
    ) -> Self {
        let figures = |(gate, (view, slower, faster)): (usize, &(View, f64, f64))| {
            let level = plan.last().level / tests as f64;
            let floor = view.floor.max(view.layout.floor(level));
            let p = if view.effect.estimate < 0.0 { faster } else { slower };
            Figures {
                statistic: GATES[gate].statistic,
                base_ns: view.base_ns,
                head_ns: view.head_ns,
                change_percent: percent(view.effect.estimate),
                low_percent: percent(view.effect.low),
                high_percent: percent(view.effect.high),
                p_adjusted: *p,
                control_percent: percent(view.control.estimate),
                deviation_percent: percent(view.deviation),
                floor_percent: percent(floor),
                bound_percent: (GATES[gate].bound < UNBOUNDED).then(|| percent(view.bound + view.accepted)),
                detectable_percent: percent(
                    view.accepted + power::detectable(view.deviation, plan.last().blocks, level).max(floor),
                ),
            }
        };
        let view = &views[gate].0;
        let is_changed = matches!(verdict, Verdict::Slower | Verdict::Faster);
        Self {
            case: case.name.clone(),
            verdict,
            statistic: GATES[gate].statistic,
            blocks,
            figures: views.iter().enumerate().map(figures).collect(),
            settle: (verdict == Verdict::Inconclusive)
                .then(|| settle(view, blocks, plan, tests))
                .flatten(),
            accepted: case.accepted.clone(),
            counters: counters_changed(case),
            phases: if is_changed { phases(case, blocks) } else { Vec::new() },
            note: note(case, verdict, view),
        }
    }

    /// Of a case with too few blocks.
    pub(super) fn without_views(case: &Case) -> Self {
        let blocks = case.blocks.len();
        let (verdict, note) = match blocks {
            0 => (Verdict::NotMeasured, "no block was measured".to_owned()),
            _ => (
                Verdict::Inconclusive,
                format!("{blocks} of at least {MIN_BLOCKS} blocks measured"),
            ),
        };
        Self {
            case: case.name.clone(),
            verdict,
            statistic: GATES[0].statistic,
            blocks,
            figures: Vec::new(),
            settle: (blocks > 0).then_some(Settle {
                blocks: MIN_BLOCKS,
                verdict: Verdict::Pass,
            }),
            accepted: case.accepted.clone(),
            counters: counters_changed(case),
            phases: Vec::new(),
            note: Some(note),
        }
    }

    /// The figures of the statistic that the verdict speaks of.
    pub fn deciding(&self) -> Option<&Figures> {
        self.figures.iter().find(|figures| figures.statistic == self.statistic)
    }

    /// Whether the case is judged: a confirmed change, or a pass.
    pub fn is_judged(&self) -> bool {
        matches!(self.verdict, Verdict::Slower | Verdict::Faster | Verdict::Pass)
    }

    /// The verdict with its grounds, for people: one line. `block_seconds` is how long a block of the
    /// undecided cases takes.
    pub fn sentence(&self, block_seconds: f64) -> String {
        let mut text = format!("{}: {}", self.case, self.verdict.word());
        let mut write = |more: String| text.push_str(&more);
        if let Some(figures) = self.deciding() {
            if figures.statistic != Statistic::Fast {
                write(format!(" ({})", figures.statistic.name()));
            }
            write(format!(
                ", {:+.1} % ({:+.1} to {:+.1})",
                figures.change_percent, figures.low_percent, figures.high_percent
            ));
            if self.verdict == Verdict::Inconclusive {
                let exceeded = figures.bound_percent.filter(|bound| figures.high_percent >= *bound);
                let grounds = exceeded.map_or_else(
                    || "looks slower, which so few blocks do not confirm".to_owned(),
                    |bound| format!("a slowdown above {bound:.0} % is not excluded"),
                );
                write(format!(": {grounds}"));
            }
            write(format!(", {} blocks", self.blocks));
        }
        if let Some(accepted) = &self.accepted {
            write(format!(
                "; up to {:+.1} % accepted until {} ({})",
                accepted.percent, accepted.until, accepted.reason
            ));
        }
        if let Some(note) = &self.note {
            write(format!("; {note}"));
        }
        if let Some(settle) = self.settle {
            write(format!(
                "; {} blocks would tell ({:.0} s more)",
                settle.blocks,
                (settle.blocks.saturating_sub(self.blocks)) as f64 * block_seconds
            ));
        }
        text
    }
}

/// Blocks after which the case passes or is slower, if the change is as estimated.
fn settle(view: &View, blocks: usize, plan: &Plan, tests: usize) -> Option<Settle> {
    let estimate = view.effect.estimate - view.accepted;
    // Wide enough for the estimate to come out higher, as it does once in twenty times.
    let width = (view.effect.high - view.effect.estimate) * (1.0 + power::Z_POWER / view::z());
    let room = view.bound - estimate;
    let pass = (room > 0.0 && !view.is_suspicious()).then(|| {
        let needed = blocks as f64 * (width / room).powi(2);
        (needed.ceil() as usize, Verdict::Pass)
    });
    let level = plan.last().level / tests as f64;
    let is_large = estimate > view.floor.max(view.layout.floor(level));
    let slower = is_large
        .then(|| power::blocks_to_find(estimate, view.deviation, level))
        .flatten()
        .map(|needed| (needed, Verdict::Slower));
    let (needed, verdict) = pass.into_iter().chain(slower).min_by_key(|(needed, _)| *needed)?;
    Some(Settle {
        blocks: needed.max(blocks + 1),
        verdict,
    })
}

fn note(case: &Case, verdict: Verdict, view: &View) -> Option<String> {
    if verdict == Verdict::Noisy {
        return Some(format!(
            "the control differs from the base by {:+.1} %, and they run the same program",
            percent(view.control.estimate)
        ));
    }
    let mut base = case.counters[0].iter();
    let first = base.next()?;
    let differs = base
        .map(|other| changes(first, other))
        .find(|changes| !changes.is_empty());
    differs.map(|changes| format!("the base's own counters differ: {changes}"))
}

/// How the head's counters differ from all that the base counted, in any window.
fn counters_changed(case: &Case) -> Option<String> {
    let [base, head] = &case.counters;
    let changed = |new: &Counters| nearest(base, new).filter(|changes| !changes.is_empty());
    head.iter().find_map(changed)
}

/// The changes from the first of `base`, or none if any of them has the same counters.
fn nearest(base: &BTreeSet<Counters>, new: &Counters) -> Option<String> {
    let all: Vec<String> = base.iter().map(|old| changes(old, new)).collect();
    let is_changed = all.iter().all(|changes| !changes.is_empty());
    is_changed.then(|| all.first().cloned()).flatten()
}

/// The counters that both have and that differ.
fn changes(old: &Counters, new: &Counters) -> String {
    let changed = old.iter().filter_map(|(name, old)| {
        let new = new.get(name).filter(|new| *new != old)?;
        Some(format!("{name} {old} → {new}"))
    });
    changed.collect::<Vec<_>>().join(", ")
}

/// The phases whose interval leaves out zero.
fn phases(case: &Case, blocks: usize) -> Vec<Phase> {
    let changed = |(name, measured): (&String, &Vec<Three>)| {
        let measured = &measured[..measured.len().min(blocks)];
        if measured.len() < MIN_BLOCKS {
            return None;
        }
        let base = |block: &Three| f64::midpoint(block[BASE], block[CONTROL]);
        let differences: Vec<f64> = measured.iter().map(|block| block[HEAD] - base(block)).collect();
        let effect = signed_rank::effect(&differences, INTERVAL_ERROR);
        let base_ns = median(&measured.iter().map(base).collect::<Vec<_>>()).exp();
        (effect.low > 0.0 || effect.high < 0.0).then(|| Phase {
            name: name.clone(),
            change_percent: percent(effect.estimate),
            change_ns: base_ns * effect.estimate.exp_m1(),
        })
    };
    let mut phases: Vec<Phase> = case.phases.iter().filter_map(changed).collect();
    phases.sort_by(|a, b| b.change_ns.abs().total_cmp(&a.change_ns.abs()));
    phases
}
