//! What a validation found, in Markdown.

use std::collections::BTreeMap;

use super::{CaseRates, Kind, Rates, TOOLS};
use crate::stat::{power, proportion::Count, quantile::median};

/// The tables: false alarms, injected changes, noise. `measured` are rates of suites that were
/// measured, `relabelled` those of suites that were made of them.
pub fn table(measured: &BTreeMap<Kind, Rates>, relabelled: &BTreeMap<Kind, Rates>) -> String {
    let mut lines = Vec::new();
    let named = measured
        .iter()
        .map(|of| ("measured", of))
        .chain(relabelled.iter().map(|of| ("relabelled", of)));
    let named: Vec<(&str, (&Kind, &Rates))> = named.collect();
    head(&mut lines, "unchanged code: suites with a false alarm");
    for (source, (kind, rates)) in named.iter().filter(|(_, (kind, _))| kind.is_same()) {
        for (direction, counts) in [("slower", rates.suites_slower), ("faster", rates.suites_faster)] {
            lines.push(row(&format!("{source}, {}: `{direction}`", kind.name()), counts));
        }
        let cases = |of: fn(&CaseRates, usize) -> Count| std::array::from_fn(|tool| rates.all(|case| of(case, tool)));
        lines.push(row(
            &format!("{source}, {}: cases `slower`", kind.name()),
            cases(|case, tool| case.slower[tool]),
        ));
        lines.push(row(
            &format!("{source}, {}: cases `faster`", kind.name()),
            cases(|case, tool| case.faster[tool]),
        ));
    }
    lines.push(String::new());
    head(&mut lines, "injected (what the case shows): found");
    for (source, (kind, rates)) in named.iter().filter(|(_, (kind, _))| !kind.is_same()) {
        let found = std::array::from_fn(|tool| rates.all(|case| case.found[tool]));
        lines.push(row(&format!("**{source}, {}, all cases**", kind.name()), found));
        for (name, case) in &rates.cases {
            let shown = 100.0 * median_or_zero(&case.blocks_differ).exp_m1();
            lines.push(row(&format!("{}: {name} ({shown:+.1} %)", kind.name()), case.found));
        }
    }
    for (kind, rates) in measured {
        lines.push(String::new());
        lines.extend(noise(*kind, rates));
    }
    lines.join("\n") + "\n"
}

fn head(lines: &mut Vec<String>, what: &str) {
    lines.push(format!("| {what} | {} |", TOOLS.join(" | ")));
    lines.push(format!("|---|{}", "--:|".repeat(TOOLS.len())));
}

/// A row with the interval of this gate's rate; of the other tools the counts alone.
fn row(name: &str, counts: [Count; TOOLS.len()]) -> String {
    let [ours, others @ ..] = counts;
    let others = others.map(|count| format!("{} of {}", count.found, count.n));
    format!("| {name} | {ours} | {} |", others.join(" | "))
}

fn median_or_zero(values: &[f64]) -> f64 {
    if values.is_empty() { 0.0 } else { median(values) }
}

/// What the cases of one kind differ by, and how many were judged.
fn noise(kind: Kind, rates: &Rates) -> Vec<String> {
    let mut lines = vec![
        format!(
            "| {}: case | takes | sd of control − base | sd of a block | change: median (from, to) | blocks | judged |",
            kind.name()
        ),
        "|---|--:|--:|--:|--:|--:|--:|".to_owned(),
    ];
    for (name, case) in &rates.cases {
        let mut changes = case.changes_percent.clone();
        changes.sort_by(f64::total_cmp);
        let change = match (changes.first(), changes.last()) {
            (Some(first), Some(last)) => format!("{:+.1} % ({first:+.1}, {last:+.1})", median(&changes)),
            _ => "–".to_owned(),
        };
        lines.push(format!(
            "| {name} | {:.1} µs | {:.2} % | {:.2} % | {change} | {:.1} | {} of {} |",
            median_or_zero(&case.base_ns) / 1e3,
            100.0 * power::deviation(&case.controls_differ),
            100.0 * case.deviation(),
            case.blocks as f64 / case.judged.n.max(1) as f64,
            case.judged.found,
            case.judged.n,
        ));
    }
    lines.push(String::new());
    lines.push(format!("Judged in all: {}.", rates.all(|case| case.judged)));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates(found: usize, n: usize) -> Rates {
        let count = |found| Count { found, n };
        let case = CaseRates {
            found: [found, 0, 1, 2].map(count),
            judged: count(n),
            blocks: 16 * n,
            changes_percent: vec![1.0, 3.0, 2.0],
            base_ns: vec![12_300.0],
            blocks_differ: vec![0.01, 0.02, 0.03],
            controls_differ: vec![0.0, 0.01, 0.02],
            ..CaseRates::default()
        };
        Rates {
            suites_slower: [found, 0, 1, 2].map(count),
            suites_faster: [0; 4].map(count),
            cases: [("op/size".to_owned(), case)].into(),
        }
    }

    #[test]
    fn every_count_stands_with_its_interval() {
        let measured = BTreeMap::from([(Kind::Unchanged, rates(0, 30)), (Kind::Injected(3), rates(58, 60))]);
        let relabelled = BTreeMap::from([(Kind::Unchanged, rates(1, 400))]);
        let table = table(&measured, &relabelled);
        let expected = [
            "| measured, unchanged: `slower` | 0 of 30 (0 to 11.6 %) | 0 of 30 | 1 of 30 | 2 of 30 |",
            "| relabelled, unchanged: `slower` | 1 of 400 (0.0 to 1.4 %) | 0 of 400 | 1 of 400 | 2 of 400 |",
            "| **measured, injected+3, all cases** | 58 of 60 (88.5 to 99.6 %) | 0 of 60 | 1 of 60 | 2 of 60 |",
            "| injected+3: op/size (+2.0 %) | 58 of 60 (88.5 to 99.6 %) | 0 of 60 | 1 of 60 | 2 of 60 |",
            "| op/size | 12.3 µs | 0.74 % | 0.74 % | +2.0 % (+1.0, +3.0) | 16.0 | 30 of 30 |",
            "Judged in all: 30 of 30 (88.4 to 100 %).",
        ];
        for line in expected {
            assert!(table.lines().any(|found| found == line), "{line}\n{table}");
        }
    }
}
