//! The table of times, which text and Markdown share: its headings, and a row of it.

pub(crate) use bench_gate::table::duration;

use crate::verdict::CaseVerdict;

pub(super) const HEADINGS: [&str; 6] = ["case", "median", "baseline", "change*", "noticed from", "verdict"];

/// A case's row of the table.
pub(super) fn cells(verdict: &CaseVerdict) -> [String; 6] {
    let time = |ns: Option<f64>| ns.map_or_else(String::new, duration);
    let word = match (&verdict.note, verdict.verdict) {
        (None, word) => word.word().to_owned(),
        (Some(note), word) => format!("{} ({note})", word.word()),
    };
    [
        verdict.case.to_string(),
        time(verdict.p50_ns),
        time(verdict.baseline_p50_ns),
        match (verdict.change_percent, verdict.quantile.as_deref()) {
            (Some(percent), None | Some("fastest tenth")) => format!("{percent:+.1} %"),
            (Some(percent), Some(statistic)) => format!("{statistic} {percent:+.1} %"),
            (None, _) => String::new(),
        },
        verdict
            .detectable_percent
            .map_or_else(String::new, |percent| format!("{percent:.1} %")),
        word,
    ]
}
