//! What a comparison with the baseline's revision found, in the place of what the baseline said.

use crate::{
    ab::judge::Judged,
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
pub(crate) fn apply(verdicts: &mut [CaseVerdict], judged: &[Judged], revision: &str) {
    for verdict in verdicts {
        let Some(judged) = judged.iter().find(|judged| judged.case == verdict.case.to_string()) else {
            continue;
        };
        // What the baseline does not doubt, or counters say, is none of its business.
        if !is_in_doubt(verdict.verdict) {
            continue;
        }
        // A comparison that does not tell leaves the matter as it was.
        if judged.change_percent.is_none() || judged.verdict == Verdict::Inconclusive {
            continue;
        }
        let at_first = verdict
            .change_percent
            .map_or_else(String::new, |percent| format!("{percent:+.1} % against the baseline; "));
        let phases: Vec<String> = judged
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
            judged.blocks
        ));
        verdict.verdict = judged.verdict;
        verdict.quantile = Some(judged.quantile.clone());
        verdict.change_percent = judged.change_percent;
        verdict.detectable_percent = judged.detectable_percent;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::CaseId;

    #[test]
    fn a_comparison_overrules_the_baseline_only_where_it_has_something_to_say() {
        let case = |size| CaseId {
            op: "o".to_owned(),
            backend: "cpu".to_owned(),
            tasks: 1,
            size,
        };
        let mut verdicts: Vec<CaseVerdict> = [1, 2, 3, 4]
            .map(|size| CaseVerdict::new(case(size), Verdict::Slower))
            .into();
        verdicts[0].change_percent = Some(9.0);
        let judged = |size: u64, verdict, change_percent| Judged {
            case: case(size).to_string(),
            verdict,
            blocks: 16,
            base_ns: None,
            head_ns: None,
            quantile: "fastest tenth".to_owned(),
            change_percent,
            low_percent: None,
            high_percent: None,
            p_adjusted: None,
            detectable_percent: None,
            sentinel_percent: None,
            counters: None,
            phases: Vec::new(),
            note: None,
        };
        let all = [
            judged(1, Verdict::Pass, Some(0.1)),
            judged(2, Verdict::NotMeasured, None),
            judged(3, Verdict::Inconclusive, Some(4.0)),
        ];
        apply(&mut verdicts, &all, "0123456789abcdef");
        let words: Vec<Verdict> = verdicts.iter().map(|verdict| verdict.verdict).collect();
        assert_eq!(
            words,
            [Verdict::Pass, Verdict::Slower, Verdict::Slower, Verdict::Slower]
        );
        assert_eq!(
            verdicts[0].note.as_deref(),
            Some("+9.0 % against the baseline; A/B with 0123456789ab in 16 blocks")
        );
    }
}
