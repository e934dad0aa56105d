//! Renders verdicts: a table for the terminal, Markdown for `summary.md`, JSON for programs.

use std::fmt::Write as _;

use anstyle::Style;
use serde::Serialize;

use crate::{
    exit::Exit,
    files,
    fingerprint::{Affinity, Fingerprint, SCHEMA},
    run::{Plan, Run},
    verdict::{CaseVerdict, Verdict},
};

/// What a run was held against.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Against {
    /// The baseline of this name.
    Baseline(String),
    /// There is none for this machine.
    NoBaseline,
    /// `--no-gate` or `--save-baseline`: nothing was to be judged.
    NotJudged,
}

/// A judged run.
#[derive(Clone, Debug)]
pub(crate) struct Report<'a> {
    pub(crate) run: &'a Run,
    pub(crate) against: Against,
    pub(crate) verdicts: Vec<CaseVerdict>,
    pub(crate) exit: Exit,
}

const HEADINGS: [&str; 6] = ["case", "median", "baseline", "change*", "noticed from", "verdict"];

impl Report<'_> {
    /// For a terminal; `style` colours a verdict's word.
    pub(crate) fn text(&self, style: impl Fn(Verdict) -> Style) -> String {
        let table: Vec<[String; 6]> = self.verdicts.iter().map(cells).collect();
        let width = |column: usize| {
            let cells = table.iter().map(|row| row[column].chars().count());
            cells.chain([HEADINGS[column].len()]).max().unwrap_or_default()
        };
        let widths: [usize; 5] = std::array::from_fn(width);
        let mut text = String::new();
        let line = |text: &mut String, row: [&str; 6], verdict: Style| {
            write!(text, "{:<w$}", row[0], w = widths[0]).expect("a string takes everything");
            for (cell, w) in row[1..5].iter().zip(&widths[1..]) {
                write!(text, "  {cell:>w$}").expect("a string takes everything");
            }
            writeln!(text, "  {verdict}{}{verdict:#}", row[5]).expect("a string takes everything");
        };
        line(&mut text, HEADINGS, Style::new());
        for (row, verdict) in table.iter().zip(&self.verdicts) {
            line(&mut text, row.each_ref().map(String::as_str), style(verdict.verdict));
        }
        for sentence in self.sentences() {
            writeln!(text, "{sentence}").expect("a string takes everything");
        }
        text
    }

    /// For `summary.md`.
    pub(crate) fn markdown(&self) -> String {
        let mut md = format!("# Bench: {}\n\n", self.headline());
        writeln!(md, "| {} |", HEADINGS.join(" | ")).expect("a string takes everything");
        md.push_str("|---|--:|--:|--:|--:|---|\n");
        for verdict in &self.verdicts {
            writeln!(md, "| {} |", cells(verdict).join(" | ")).expect("a string takes everything");
        }
        md.push('\n');
        for sentence in self.sentences() {
            writeln!(md, "- {sentence}").expect("a string takes everything");
        }
        let Plan {
            started,
            commit,
            command,
            pace,
            runs,
            ..
        } = &self.run.plan;
        writeln!(
            md,
            "- `{command}` at {started}, commit {commit}, pace {pace}, {runs} process(es) per backend"
        )
        .expect("a string takes everything");
        for line in machine(&self.run.fingerprint) {
            writeln!(md, "- {line}").expect("a string takes everything");
        }
        md
    }

    /// For `verdicts.json`.
    pub(crate) fn json(&self) -> String {
        #[derive(Serialize)]
        struct Verdicts<'a> {
            schema: u32,
            fingerprint: String,
            against: &'a Against,
            exit: u8,
            cases: &'a [CaseVerdict],
        }
        let verdicts = Verdicts {
            schema: SCHEMA,
            fingerprint: self.run.fingerprint.id(),
            against: &self.against,
            exit: self.exit as u8,
            cases: &self.verdicts,
        };
        files::json(&verdicts)
    }

    /// The outcome in a few words.
    fn headline(&self) -> &'static str {
        match (self.exit, &self.against) {
            (Exit::Regression, _) => "regression",
            (Exit::Inconclusive, _) => "inconclusive",
            (_, Against::NotJudged) => "measured, not judged",
            (_, Against::NoBaseline) => "measured, no baseline to judge by",
            _ if self.verdicts.iter().any(|v| v.verdict < Verdict::Faster) => "pass, with doubts",
            _ => "pass",
        }
    }

    /// What follows the table: which cases fail, what was not measured, and what the figures mean.
    fn sentences(&self) -> Vec<String> {
        let mut sentences = Vec::new();
        for skipped in &self.run.plan.skipped {
            sentences.push(format!("{}: not measured: {}", skipped.backend, skipped.reason));
        }
        for verdict in self.verdicts.iter().filter(|v| v.verdict == Verdict::Slower) {
            let (change, from) = (
                verdict.change_percent.unwrap_or_default(),
                verdict.detectable_percent.unwrap_or_default(),
            );
            let (case, quantile) = (&verdict.case, verdict.quantile.as_deref().unwrap_or_default());
            sentences.push(format!(
                "{case}: {quantile} slower by {change:.1} %, confirmed in fresh processes (noticed from {from:.1} %)"
            ));
        }
        for verdict in self.verdicts.iter().filter(|v| v.verdict == Verdict::CountersChanged) {
            let note = verdict.note.as_deref().unwrap_or_default();
            sentences.push(format!(
                "{}: calls into wgpu changed: {note}; if that is meant, record the baseline again",
                verdict.case
            ));
        }
        let software = self
            .run
            .fingerprint
            .adapters
            .iter()
            .any(|a| a.kind == "software" && a.backend != "cpu");
        if software {
            sentences.push(
                "software adapters compute on the CPU: their figures show this program's overhead, not a GPU's speed"
                    .to_owned(),
            );
        }
        if self.verdicts.iter().any(|v| v.change_percent.is_some()) {
            sentences.push(
                "*calibrated change of the fastest tenth of the calls, or of the median where it says so; medians carry the machine's noise as well"
                    .to_owned(),
            );
        }
        sentences.push(match &self.against {
            Against::Baseline(name) => {
                format!(
                    "{}: {}, against baseline {name}",
                    self.headline(),
                    counts(&self.verdicts)
                )
            }
            Against::NoBaseline => format!(
                "no baseline for this machine ({}); `cargo xtask bench --save-baseline` records one",
                self.run.fingerprint.id()
            ),
            Against::NotJudged => format!("{}: {} cases", self.headline(), self.verdicts.len()),
        });
        sentences
    }
}

/// How many cases have which verdict.
fn counts(verdicts: &[CaseVerdict]) -> String {
    let mut words: Vec<Verdict> = verdicts.iter().map(|v| v.verdict).collect();
    words.sort();
    words.dedup();
    let count = |word: Verdict| verdicts.iter().filter(|v| v.verdict == word).count();
    let counted: Vec<String> = words
        .into_iter()
        .map(|word| format!("{} {}", count(word), word.word()))
        .collect();
    counted.join(", ")
}

fn cells(verdict: &CaseVerdict) -> [String; 6] {
    let time = |ns: Option<f64>| ns.map_or_else(String::new, duration);
    let word = match (&verdict.note, verdict.verdict) {
        // Their notes stand below the table, in full.
        (Some(_), Verdict::CountersChanged) | (None, _) => verdict.verdict.word().to_owned(),
        (Some(note), word) => format!("{} ({note})", word.word()),
    };
    [
        verdict.case.to_string(),
        time(verdict.p50_ns),
        time(verdict.baseline_p50_ns),
        match (verdict.change_percent, verdict.quantile.as_deref()) {
            (Some(percent), Some("median")) => format!("median {percent:+.1} %"),
            (Some(percent), _) => format!("{percent:+.1} %"),
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

/// The machine, for a person.
fn machine(fingerprint: &Fingerprint) -> Vec<String> {
    let Fingerprint {
        os,
        arch,
        cpu,
        logical_cores,
        affinity,
        compiler,
        adapters,
        ..
    } = fingerprint;
    let affinity = match affinity {
        Affinity::Bound => "software adapters and CPU bound to one core",
        Affinity::Free => "not bound to a core",
    };
    let mut lines = vec![format!(
        "{os} {arch}, {cpu}, {logical_cores} cores, {affinity}, {compiler}"
    )];
    for a in adapters.iter().filter(|a| a.backend != "cpu") {
        lines.push(format!(
            "{}: {} ({}), {} {}",
            a.backend, a.name, a.kind, a.driver, a.driver_version
        ));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{case::CaseId, fingerprint::tests::example as fingerprint, run::tests::plan};

    fn verdict(backend: &str, verdict: Verdict, change: Option<f64>, note: Option<&str>) -> CaseVerdict {
        CaseVerdict {
            case: CaseId {
                op: "vector_add".to_owned(),
                backend: backend.to_owned(),
                size: 20_000,
                tasks: 1,
            },
            verdict,
            baseline_p50_ns: change.map(|_| 51_234.0),
            p50_ns: Some(1_234_567.0),
            quantile: change.map(|_| if backend == "metal" { "median" } else { "fastest tenth" }.to_owned()),
            change_percent: change,
            detectable_percent: change.map(|_| 7.25),
            note: note.map(str::to_owned),
        }
    }

    fn with_report(check: impl Fn(&Report<'_>)) {
        let run = Run {
            plan: plan(),
            fingerprint: fingerprint(),
            rows: Vec::new(),
        };
        check(&Report {
            run: &run,
            against: Against::Baseline("machine".to_owned()),
            verdicts: vec![
                verdict("cpu", Verdict::Pass, Some(-0.4), None),
                verdict("gles", Verdict::NotMeasured, None, Some("no driver")),
                verdict("vulkan", Verdict::CountersChanged, None, Some("dispatches 1 → 2")),
                verdict("metal", Verdict::Slower, Some(12.34), None),
            ],
            exit: Exit::Regression,
        });
    }

    /// Compares with a file in `testdata/`, or writes it if `UPDATE_GOLDEN` is set.
    fn golden(name: &str, text: &str) {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("testdata")
            .join(name);
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            crate::files::write(&path, text.as_bytes()).unwrap();
        }
        let expected = crate::files::read(&path).unwrap().replace("\r\n", "\n");
        assert_eq!(text, expected, "{name} differs; UPDATE_GOLDEN=1 writes it anew");
    }

    #[test]
    fn reports_look_as_they_should() {
        with_report(|report| {
            golden("report.txt", &report.text(|_| Style::new()));
            golden("summary.md", &report.markdown());
            golden("verdicts.json", &report.json());
        });
    }

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
