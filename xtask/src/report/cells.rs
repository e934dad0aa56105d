//! The table of times, which text and Markdown share: its headings, and a row of it.

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

/// A time with three digits and the unit that fits.
pub(crate) fn duration(ns: f64) -> String {
    let (value, unit) = match ns {
        ns if ns < 1e3 => (ns, "ns"),
        ns if ns < 1e6 => (ns / 1e3, "µs"),
        ns if ns < 1e9 => (ns / 1e6, "ms"),
        ns => (ns / 1e9, "s"),
    };
    let decimals = match value {
        v if v < 9.995 => 2,
        v if v < 99.95 => 1,
        _ => 0,
    };
    format!("{value:.decimals$} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_three_digits() {
        let check = |ns, expected: &str| assert_eq!(duration(ns), expected);
        check(0.5, "0.50 ns");
        check(999.4, "999 ns");
        check(51_234.0, "51.2 µs");
        check(1_234_567.0, "1.23 ms");
        check(9_996_000.0, "10.0 ms");
        check(2.5e9, "2.50 s");
    }
}
