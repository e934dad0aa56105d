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
        let at_first = verdict
            .change_percent
            .map_or_else(String::new, |percent| format!("{percent:+.1} % against the baseline; "));
        if !matches!(judged.verdict, Verdict::Pass | Verdict::Slower | Verdict::Faster) {
            // A comparison that does not tell leaves the matter as it was, unless it is sure that the change is another one.
            if let Some((low, high)) = contradiction(verdict, judged) {
                verdict.verdict = Verdict::Inconclusive;
                verdict.note = Some(format!(
                    "{at_first}A/B has it between {low:+.1} and {high:+.1} %, and cannot tell more"
                ));
            }
            continue;
        }
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

/// The interval of a comparison that has no verdict, if it is short of the change that the baseline convicts, and takes none at all
/// for possible as well. One that finds a change of that direction, be it larger or smaller, acquits of nothing.
fn contradiction(verdict: &CaseVerdict, judged: &Judged) -> Option<(f64, f64)> {
    if judged.verdict != Verdict::Inconclusive || verdict.quantile.as_ref() != Some(&judged.quantile) {
        return None;
    }
    let (low, high) = (judged.low_percent?, judged.high_percent?);
    let claimed = verdict.change_percent?;
    let is_another = match verdict.verdict {
        Verdict::Slower => low <= 0.0 && high < claimed,
        Verdict::Faster => high >= 0.0 && low > claimed,
        _ => false,
    };
    is_another.then_some((low, high))
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
        let mut verdicts: Vec<CaseVerdict> = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]
            .map(|size| CaseVerdict::new(case(size), Verdict::Slower))
            .into();
        for verdict in &mut verdicts {
            verdict.quantile = Some("fastest tenth".to_owned());
        }
        verdicts[0].change_percent = Some(9.0);
        verdicts[4].change_percent = Some(40.0);
        for verdict in &mut verdicts[5..] {
            verdict.change_percent = Some(30.0);
        }
        verdicts[8].quantile = Some("median".to_owned());
        verdicts[9].verdict = Verdict::Faster;
        verdicts[9].change_percent = Some(-5.0);
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
        let unsure = |size, low, high| Judged {
            low_percent: Some(low),
            high_percent: Some(high),
            ..judged(size, Verdict::Inconclusive, Some(f64::midpoint(low, high)))
        };
        let all = [
            judged(1, Verdict::Pass, Some(0.1)),
            judged(2, Verdict::NotMeasured, None),
            judged(3, Verdict::Inconclusive, Some(4.0)),
            // Confirmed, but the second base was off: no acquittal.
            judged(5, Verdict::Noisy, Some(40.0)),
            unsure(6, -5.5, 3.0),
            // Slower still than the baseline has it, or slower if by less.
            unsure(7, 31.0, 60.0),
            unsure(8, 6.0, 16.0),
            // The quantile that the baseline convicts is the other one.
            unsure(9, -5.5, 3.0),
            unsure(10, -5.5, 3.0),
        ];
        apply(&mut verdicts, &all, "0123456789abcdef");
        let words: Vec<Verdict> = verdicts.iter().map(|verdict| verdict.verdict).collect();
        assert_eq!(
            words,
            [
                Verdict::Pass,
                Verdict::Slower,
                Verdict::Slower,
                Verdict::Slower,
                Verdict::Slower,
                Verdict::Inconclusive,
                Verdict::Slower,
                Verdict::Slower,
                Verdict::Slower,
                Verdict::Faster
            ]
        );
        assert_eq!(
            verdicts[0].note.as_deref(),
            Some("+9.0 % against the baseline; A/B with 0123456789ab in 16 blocks")
        );
    }
}
