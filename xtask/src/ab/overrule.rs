//! What a comparison with the baseline's revision found, in the place of what the baseline said.

use bench_gate::assess::Assessment;

use crate::verdict::{CaseVerdict, Verdict};

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

#[cfg(test)]
mod tests {
    use bench_gate::assess::{Figures, Statistic};

    use super::*;
    use crate::case::CaseId;

    #[test]
    fn a_comparison_takes_the_place_of_what_the_baseline_doubts() {
        let case = |size| CaseId {
            op: "o".to_owned(),
            backend: "cpu".to_owned(),
            tasks: 1,
            size,
        };
        let mut verdicts: Vec<CaseVerdict> = [Verdict::Slower, Verdict::Pass, Verdict::Inconclusive, Verdict::Slower]
            .into_iter()
            .zip(1..)
            .map(|(verdict, size)| CaseVerdict::new(case(size), verdict))
            .collect();
        verdicts[0].change_percent = Some(9.0);
        let figures = Figures {
            statistic: Statistic::Median,
            base_ns: 100.0,
            head_ns: 101.0,
            change_percent: 1.0,
            low_percent: 0.0,
            high_percent: 2.0,
            p_adjusted: 0.5,
            control_percent: 0.0,
            deviation_percent: 1.0,
            floor_percent: 1.0,
            bound_percent: Some(5.0),
            detectable_percent: 2.0,
        };
        let assessments: Vec<Assessment> = [Verdict::Pass, Verdict::Slower, Verdict::Slower, Verdict::NotMeasured]
            .into_iter()
            .zip(1..)
            .map(|(verdict, size)| Assessment {
                case: case(size).to_string(),
                verdict,
                statistic: Statistic::Median,
                blocks: 16,
                figures: vec![figures.clone(); usize::from(verdict != Verdict::NotMeasured)],
                settle: None,
                accepted: None,
                counters: None,
                phases: Vec::new(),
                note: None,
            })
            .collect();
        apply(&mut verdicts, &assessments, "0123456789abcdef");
        let words: Vec<Verdict> = verdicts.iter().map(|verdict| verdict.verdict).collect();
        // A case that could not be compared keeps what the baseline said.
        assert_eq!(words, [Verdict::Pass, Verdict::Pass, Verdict::Slower, Verdict::Slower]);
        let note = "+9.0 % against the baseline; A/B with 0123456789ab in 16 blocks";
        assert_eq!(verdicts[0].note.as_deref(), Some(note));
        assert_eq!(verdicts[2].quantile.as_deref(), Some("median"));
    }
}
