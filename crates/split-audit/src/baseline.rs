//! Findings that a team knows: a file with one of them per line, so that only new ones fail.

use std::collections::BTreeSet;

use crate::{
    finding::{Finding, Level},
    report::identity,
};

const HEAD: &str = "# Known splits, one per line; new ones fail. Written by `--write-baseline`.\n";

/// The file for these findings.
pub(crate) fn render(findings: &[Finding]) -> String {
    let known = findings
        .iter()
        .filter(|f| f.level > Level::Info)
        .filter_map(Finding::meeting);
    let lines: BTreeSet<String> = known.map(identity).collect();
    lines
        .into_iter()
        .fold(HEAD.to_owned(), |text, line| text + &line + "\n")
}

/// Lowers what the file knows to infos. Returns the lines that no finding is behind any more.
pub(crate) fn lower(findings: &mut [Finding], label: &str, text: &str) -> Vec<String> {
    let known: BTreeSet<&str> = text
        .lines()
        .map(str::trim)
        .filter(|l| !l.is_empty() && !l.starts_with('#'))
        .collect();
    let mut met: BTreeSet<String> = BTreeSet::new();
    for finding in findings.iter_mut().filter(|f| f.level > Level::Info) {
        let Some(name) = finding.meeting().map(identity) else {
            continue;
        };
        if known.contains(name.as_str()) {
            finding.level = Level::Info;
            finding.excepted = Some(format!("known in {label}"));
            met.insert(name);
        }
    }
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.level));
    known
        .into_iter()
        .filter(|line| !met.contains(*line))
        .map(str::to_owned)
        .collect()
}
