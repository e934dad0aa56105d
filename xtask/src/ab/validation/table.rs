//! What a validation found, in Markdown.

use std::{collections::BTreeMap, fmt::Write as _};

use super::{Counts, Kind, Suite, TOOLS, count, noise};
use crate::{
    ab::{compare, judge::judge},
    quantile::median,
    stat::random::SplitMix64,
};

/// The change that a planted case really shows over all suites of a kind, in per cent: the median of its blocks. Time does not
/// always grow as the elements do.
fn really_percent(suites: &[Suite], kind: Kind, case: &str) -> f64 {
    let mut differences = Vec::new();
    for suite in suites.iter().filter(|suite| suite.kind == kind) {
        let recorded = compare::by_case(&suite.windows);
        let blocks = recorded
            .get(case)
            .map(|blocks| blocks.differences(|w| Some(w.p10_ns), usize::MAX));
        differences.extend(blocks.unwrap_or_default().iter().map(|d| d.head));
    }
    if differences.is_empty() {
        0.0
    } else {
        100.0 * median(&differences).exp_m1()
    }
}

/// A row for each planted case of a kind.
fn planted_rows(suites: &[Suite], kind: Kind, percent: i32, random: &mut SplitMix64) -> Vec<String> {
    let of_kind: Vec<&Suite> = suites.iter().filter(|suite| suite.kind == kind).collect();
    let mut cases: Vec<&String> = of_kind.iter().flat_map(|suite| &suite.cases).collect();
    cases.sort();
    cases.dedup();
    let row = |case: &String| {
        let mut counts = Counts::default();
        for suite in of_kind.iter().filter(|suite| suite.cases.contains(case)) {
            counts.add(suite, Some(case), random);
        }
        let really = really_percent(suites, kind, case);
        format!(
            "| {percent:+} %: {case} ({really:+.1} %) | {} |",
            found(percent, &counts)
        )
    };
    cases.into_iter().map(row).collect()
}

/// By how much programs of other commits differ that do the same: a table of the cases.
fn rebuilt_rows(suites: &[Suite]) -> Vec<String> {
    let mut cases: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for suite in suites.iter().filter(|suite| suite.kind == Kind::Rebuilt) {
        for judged in judge(&suite.cases, &suite.windows).cases {
            cases.entry(judged.case).or_default().extend(judged.change_percent);
        }
    }
    cases.retain(|_, effects| !effects.is_empty());
    if cases.is_empty() {
        return Vec::new();
    }
    let row = |(case, mut effects): (String, Vec<f64>)| {
        effects.sort_by(f64::total_cmp);
        format!(
            "| {case} | {:+.1} % | {:+.1} to {:+.1} % | {} |",
            median(&effects),
            effects[0],
            effects[effects.len() - 1],
            effects.len(),
        )
    };
    let head = [
        "",
        "| another build: effect | median | from, to | suites |",
        "|---|--:|--:|--:|",
    ];
    head.map(str::to_owned)
        .into_iter()
        .chain(cases.into_iter().map(row))
        .collect()
}

/// For each tool, how many of the planted cases it found.
fn found(percent: i32, counts: &Counts) -> String {
    let found = if percent > 0 { counts.slower } else { counts.faster };
    found.map(|n| format!("{n} of {}", counts.cases)).join(" | ")
}

/// The table, in Markdown; `pseudo` are relabelled suites, with what was added to their heads in per cent.
pub(crate) fn table(suites: &[Suite], pseudo: &[(i32, Counts)]) -> String {
    let mut md = String::new();
    let mut line = |text: String| writeln!(md, "{text}").expect("a string takes everything");
    let heading = |what: &str| format!("| {what} | {} |", TOOLS.join(" | "));
    line(heading("unchanged code: suites with a false alarm"));
    line("|---|--:|--:|--:|--:|".to_owned());
    let counts = count(suites);
    let rows = |name: &str, counts: &Counts| {
        let cells = |alarms: [usize; 4]| alarms.map(|n| format!("{n} of {}", counts.suites)).join(" | ");
        [
            format!("| {name}: false \"slower\" | {} |", cells(counts.suites_slower)),
            format!("| {name}: false \"faster\" | {} |", cells(counts.suites_faster)),
        ]
    };
    for (kind, name) in [
        (Kind::Unchanged, "measured"),
        (Kind::Rebuilt, "measured, another build"),
    ] {
        let of_kind = counts.get(&kind).map(|counts| rows(name, counts));
        of_kind.into_iter().flatten().for_each(&mut line);
    }
    for (_, counts) in pseudo.iter().filter(|(percent, _)| *percent == 0) {
        rows("relabelled", counts).into_iter().for_each(&mut line);
    }
    line(String::new());
    line(heading(
        "planted change (what the case really shows): where it is found",
    ));
    line("|---|--:|--:|--:|--:|".to_owned());
    let mut random = SplitMix64(3);
    for (kind, counts) in &counts {
        if let Kind::Planted(percent) = kind {
            line(format!(
                "| **{percent:+} %, all cases** | {} |",
                found(*percent, counts)
            ));
            planted_rows(suites, *kind, *percent, &mut random)
                .into_iter()
                .for_each(&mut line);
        }
    }
    for (percent, counts) in pseudo.iter().filter(|(percent, _)| *percent != 0) {
        line(format!(
            "| relabelled, {percent:+} % added to the head's times (cases above 10 µs) | {} |",
            found(*percent, counts)
        ));
    }
    line(String::new());
    for (kind, counts) in &counts {
        line(format!(
            "- {}: {} suites, {} cases, {} judged, {} inconclusive, {} noisy, {:.1} blocks a case, effects up to {:.1} %",
            kind.name(),
            counts.suites,
            counts.cases,
            counts.judged,
            counts.inconclusive,
            counts.noisy,
            counts.blocks as f64 / counts.cases.max(1) as f64,
            counts.most_percent,
        ));
    }
    rebuilt_rows(suites).into_iter().for_each(&mut line);
    noise::rows(suites).into_iter().for_each(&mut line);
    md
}
