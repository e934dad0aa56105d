//! What one gate sees in a run, and says of its cases.

use std::collections::{BTreeMap, BTreeSet};

use super::percent;
use crate::{
    case::CaseId,
    quantile::median,
    rows::{Row, Stage},
    screen::{self, Difference, Gate, Times},
    verdict::Verdict,
};

/// When the calibration kernel has moved by more than this, up or down, suspects must be off by as much more.
const MOST_CALIBRATION_SHIFT: f64 = 0.05;

/// The cases that look slower or faster to a gate.
pub(super) fn suspects_of(gate: &Gate, baseline: &[Row], rows: &[Row]) -> Vec<(CaseId, Difference)> {
    let old = screen::times(baseline, Stage::Screen, gate);
    let new = screen::times(rows, Stage::Screen, gate);
    let suspect = |(case, times): (CaseId, Times)| {
        let difference = screen::screen(old.get(&case)?, &times, floor(gate, baseline, &case))?;
        (difference.is_slower() || difference.is_faster()).then_some((case, difference))
    };
    new.into_iter().filter_map(suspect).collect()
}

/// One gate's view of a run.
pub(super) struct View<'a> {
    gate: &'a Gate,
    old: BTreeMap<CaseId, Times>,
    screened: BTreeMap<CaseId, Times>,
    /// Differences of the suspects that were measured again.
    confirmed: BTreeMap<CaseId, Difference>,
    suspects: Vec<CaseId>,
    /// Cases that were measured again, disturbed or not.
    again: BTreeSet<CaseId>,
    floors: BTreeMap<CaseId, f64>,
}

/// The floor of a case: what the baseline's time of it makes of the gate's.
fn floor(gate: &Gate, baseline: &[Row], case: &CaseId) -> f64 {
    let times_ns: Vec<f64> = baseline
        .iter()
        .filter(|row| row.case == *case)
        .map(gate.time_ns)
        .collect();
    gate.floor_at(median(&times_ns))
}

impl<'a> View<'a> {
    pub(super) fn new(gate: &'a Gate, baseline: &[Row], rows: &[Row], all: &[Row]) -> Self {
        let old = screen::times(baseline, Stage::Screen, gate);
        let screened = screen::times(rows, Stage::Screen, gate);
        let suspects: Vec<CaseId> = suspects_of(gate, baseline, rows)
            .into_iter()
            .map(|(case, _)| case)
            .collect();
        let again = screen::times(rows, Stage::Confirm, gate);
        let confirmable: Vec<(&CaseId, &Times, &Times)> = suspects
            .iter()
            .filter_map(|case| Some((case, old.get(case)?, again.get(case)?)))
            .collect();
        let floors: BTreeMap<CaseId, f64> = old
            .keys()
            .map(|case| (case.clone(), floor(gate, baseline, case)))
            .collect();
        let triples: Vec<(&[f64], &[f64], f64)> = confirmable
            .iter()
            .map(|(case, o, n)| (o.as_slice(), n.as_slice(), floors[*case]))
            .collect();
        let differences = screen::confirm(&triples);
        let confirmed = confirmable
            .iter()
            .zip(differences)
            .filter_map(|((case, _, _), d)| Some(((*case).clone(), d?)))
            .collect();
        Self {
            gate,
            screened,
            old,
            confirmed,
            suspects,
            again: all
                .iter()
                .filter(|row| row.stage == Stage::Confirm)
                .map(|row| row.case.clone())
                .collect(),
            floors,
        }
    }

    /// What this gate says of a case; `None` if the baseline has too few runs of it.
    pub(super) fn opinion(&self, case: &CaseId, shift: f64) -> Option<Opinion> {
        let floor = *self.floors.get(case)?;
        let screened = screen::screen(self.old.get(case)?, self.screened.get(case)?, floor)?;
        let opinion = |verdict, difference, note: Option<String>| {
            Some(Opinion {
                verdict,
                difference,
                gate: self.gate.name,
                note,
            })
        };
        let moved = || {
            format!(
                "the calibration kernel moved by {:+.1} %: another machine state",
                percent(shift)
            )
        };
        if !self.suspects.contains(case) {
            // What the calibration divides away may as well be the code's.
            let is_hidden =
                shift.abs() > MOST_CALIBRATION_SHIFT && (screened.effect + shift).abs() > screened.threshold;
            let (verdict, note) = if is_hidden {
                (Verdict::Noisy, Some(moved()))
            } else {
                (Verdict::Pass, None)
            };
            return opinion(verdict, screened, note);
        }
        let at_first = format!("{:+.1} % at first", percent(screened.effect));
        let Some(confirmed) = self.confirmed.get(case) else {
            let again = if self.again.contains(case) {
                "disturbed whenever it was measured again"
            } else {
                "not measured again"
            };
            return opinion(Verdict::Inconclusive, screened, Some(format!("{at_first}, {again}")));
        };
        let is_changed = confirmed.is_slower() || confirmed.is_faster();
        if is_changed
            && shift.abs() > MOST_CALIBRATION_SHIFT
            && confirmed.effect.abs() <= confirmed.threshold + shift.abs()
        {
            return opinion(Verdict::Noisy, *confirmed, Some(moved()));
        }
        if confirmed.is_slower() {
            opinion(Verdict::Slower, *confirmed, None)
        } else if confirmed.is_faster() {
            let note = "faster, or the machine was slower when the baseline was recorded: a comparison tells";
            opinion(Verdict::Inconclusive, *confirmed, Some(note.to_owned()))
        } else if confirmed.effect.abs() <= floor || confirmed.effect.signum() != screened.effect.signum() {
            opinion(
                Verdict::Pass,
                *confirmed,
                Some(format!("{at_first}, gone in fresh processes")),
            )
        } else {
            let note = format!("{at_first}, within the noise of fresh processes");
            opinion(Verdict::Inconclusive, *confirmed, Some(note))
        }
    }
}

/// What one gate says of a case.
pub(super) struct Opinion {
    pub(super) verdict: Verdict,
    pub(super) difference: Difference,
    pub(super) gate: &'static str,
    pub(super) note: Option<String>,
}
