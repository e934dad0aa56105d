//! `benchmark.json`: what github-action-benchmark reads as `customSmallerIsBetter` and draws over time.
//!
//! The value is the fastest tenth of the calls, since medians of shared machines move by 20 % between runs of one
//! program; the range is half the distance between the fastest and the slowest process.

use serde::Serialize;

use super::Report;
use crate::files;

/// A point on a line.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Entry {
    name: String,
    unit: &'static str,
    value: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    range: Option<String>,
    extra: String,
}

impl Entry {
    /// The time of a case; `extra` has a line for each thing that is told besides.
    pub(crate) fn new(case: &str, quantile: &str, ns: f64, spread_ns: Option<f64>, extra: &[String]) -> Self {
        let tenths = |ns: f64| (ns * 10.0).round() / 10.0;
        Self {
            name: format!("{case} ({quantile})"),
            unit: "ns",
            value: tenths(ns),
            range: spread_ns.map(|ns| format!("± {:.1}", tenths(ns))),
            extra: extra.join("\n"),
        }
    }
}

pub(super) fn render(report: &Report<'_>) -> String {
    // What was not measured has no point on the line: a gap is no zero.
    let measured = report.verdicts.iter().filter_map(|v| Some((v, v.p10_ns?)));
    let entries: Vec<Entry> = measured
        .map(|(verdict, p10_ns)| {
            let mut extra = vec![verdict.verdict.word().to_owned()];
            extra.extend(verdict.p50_ns.map(|ns| format!("median {ns:.1} ns")));
            extra.push(format!("{} calls in {} process(es)", verdict.calls, verdict.processes));
            extra.push(format!("commit {}", report.plan.commit));
            extra.push(report.fingerprint.id());
            let case = verdict.case.to_string();
            Entry::new(&case, "fastest tenth", p10_ns, verdict.p10_spread_ns, &extra)
        })
        .collect();
    files::json(&entries)
}

#[cfg(test)]
mod tests {
    use crate::report::tests::with_report;

    #[test]
    fn entries_are_what_the_action_reads() {
        with_report(|report| {
            let entries: serde_json::Value = serde_json::from_str(&super::render(report)).unwrap();
            let entries = entries.as_array().unwrap();
            assert_eq!(entries.len(), 5, "all but the one that was not measured");
            for entry in entries {
                let entry = entry.as_object().unwrap();
                assert!(entry["name"].is_string() && entry["unit"] == "ns" && entry["extra"].is_string());
                assert!(entry["value"].as_f64().unwrap() > 0.0);
                let known = ["name", "unit", "value", "range", "extra"];
                assert!(entry.keys().all(|key| known.contains(&key.as_str())), "{entry:?}");
            }
            assert_eq!(entries[0]["range"], "± 10250.0");
            assert!(entries[4].get("range").is_none(), "one process has no range");
        });
    }
}
