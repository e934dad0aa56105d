//! What a comparison with the baseline's revision found, in the place of what the baseline said.

use bench_gate::assess::Assessment;

use crate::{
    verdict::{CaseVerdict, Verdict},
};

/// Whether a baseline's verdict is worth a comparison.
pub(crate) fn is_in_doubt(verdict: Verdict) -> bool {
    matches!(
        verdict,
        Verdict::Slower | Verdict::Faster | Verdict::Inconclusive | Verdict::Noisy
    )
}

/// Puts the comparison's verdicts in the place of the baseline's.
pub(crate) fn apply(verdicts: &mut [CaseVerdict], assessments: &[Assessment], revision: &str) {
    for verdict in verdicts {
        let Some(assessment) = assessments.iter().find(|of| of.case == verdict.case.to_string()) else {
            continue;
        };
        // What the baseline does not doubt, or counters say, is none of its business.
        if !is_in_doubt(verdict.verdict) {
            continue;
        }
        let Some(figures) = assessment.deciding() else { continue };
        let at_first = verdict
            .change_percent
            .map_or_else(String::new, |percent| format!("{percent:+.1} % against the baseline; "));
        let phases: Vec<String> = assessment
            .phases
            .iter()
            .map(|p| format!("{} {:+.1} %", p.name, p.change_percent))
            .collect();
        let moved = if phases.is_empty() {
            String::new()
        } else {
            format!(": {}", phases.join(", "))
        };
        let revision = revision.get(..12).unwrap_or(revision);
        verdict.note = Some(format!(
            "{at_first}A/B with {revision} in {} blocks{moved}",
            assessment.blocks
        ));
        verdict.verdict = assessment.verdict;
        verdict.quantile = Some(assessment.statistic.name().to_owned());
        verdict.change_percent = Some(figures.change_percent);
        verdict.detectable_percent = Some(figures.detectable_percent);
    }
}

