//! A report: verdicts, what they rest on, and one file for each form in which they are told.

pub(crate) mod cells;
pub(crate) mod crossover;
pub(crate) mod github;
pub(crate) mod history;
mod json;
mod junit;
mod markdown;
mod text;
pub(crate) mod xml;

use std::collections::BTreeMap;

use anstyle::Style;
use crossover::Crossover;
use serde::Serialize;

use crate::{
    case::{CaseId, in_words},
    exit::Exit,
    fingerprint::{Affinity, Fingerprint},
    noop,
    run::Plan,
    verdict::{CaseVerdict, Strictness, Verdict},
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

/// Where a reader finds what a case was held against.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Places {
    /// The baseline's file as seen from the repository's root; empty if it does not lie below that.
    pub(crate) file: String,
    /// The line with each case's counters.
    pub(crate) lines: BTreeMap<CaseId, u64>,
}

/// Verdicts with what they rest on, wherever they come from.
#[derive(Clone, Debug)]
pub(crate) struct Report<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) fingerprint: &'a Fingerprint,
    pub(crate) against: Against,
    pub(crate) places: Vec<Places>,
    pub(crate) strictness: Strictness,
    pub(crate) verdicts: Vec<CaseVerdict>,
    pub(crate) crossovers: Vec<Crossover>,
    pub(crate) exit: Exit,
}

impl Report<'_> {
    /// For a terminal; `style` colours a verdict's word.
    pub(crate) fn text(&self, style: impl Fn(Verdict) -> Style) -> String {
        text::render(self, style)
    }

    /// For a job's summary.
    pub(crate) fn markdown(&self) -> String {
        markdown::render(self)
    }

    /// Annotations of GitHub Actions.
    pub(crate) fn annotations(&self) -> String {
        github::render(self)
    }

    /// The files that tell of the verdicts, by their names in the run's folder.
    pub(crate) fn files(&self) -> [(&'static str, String); 4] {
        [
            ("verdicts.json", json::render(self)),
            ("summary.md", self.markdown()),
            ("junit.xml", junit::render(self)),
            ("benchmark.json", history::render(self)),
        ]
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

    /// What is said of the counters, before any time: they are exact.
    fn counters(&self) -> Option<String> {
        let has_counterpart =
            |v: &&CaseVerdict| !matches!(v.verdict, Verdict::New | Verdict::Missing | Verdict::NotMeasured);
        let compared = || self.verdicts.iter().filter(has_counterpart);
        let of = match (compared().count(), compared().filter(is_noop).count()) {
            (0, _) => return None,
            (all, 0) => format!("{all} cases"),
            (all, noop) => format!("{all} cases, {noop} of them without a driver (noop)"),
        };
        Some(match self.changed().count() {
            0 => format!("counters: as they were in all of {of}"),
            changed => format!(
                "counters: changed in {changed} of {of}; {}",
                accept(self.changed().all(|v| is_noop(&v)))
            ),
        })
    }

    /// The cases of the table: those without a driver have no times, and stand there only if something is to be said of them.
    fn shown(&self) -> impl Iterator<Item = &CaseVerdict> {
        let is_silent = |v: &&CaseVerdict| is_noop(v) && matches!(v.verdict, Verdict::Pass | Verdict::New);
        self.verdicts.iter().filter(move |v| !is_silent(v))
    }

    /// The cases whose counters changed.
    fn changed(&self) -> impl Iterator<Item = &CaseVerdict> {
        self.verdicts.iter().filter(|v| !v.counters.is_empty())
    }

    /// What follows the table: which cases fail, what was not measured, and what the figures mean.
    fn sentences(&self) -> Vec<String> {
        let mut sentences = Vec::new();
        for skipped in &self.plan.skipped {
            sentences.push(format!("{}: not measured: {}", skipped.backend, skipped.reason));
        }
        for verdict in self.verdicts.iter().filter(|v| v.verdict == Verdict::Slower) {
            sentences.push(format!("{}: {}", verdict.case, explanation(verdict)));
        }
        sentences.extend(self.crossovers.iter().map(ToString::to_string));
        let adapters = &self.fingerprint.adapters;
        let is_measured = |backend: &String| self.plan.backends.contains(backend);
        if adapters
            .iter()
            .any(|a| a.kind == "software" && a.backend != "cpu" && is_measured(&a.backend))
        {
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
        sentences.push(self.conclusion());
        sentences
    }

    /// The outcome in one sentence.
    fn conclusion(&self) -> String {
        match &self.against {
            Against::Baseline(name) => {
                // Of a run without times all of it is counters.
                let cases: Vec<&CaseVerdict> = match self.shown().next() {
                    Some(_) => self.shown().collect(),
                    None => self.verdicts.iter().collect(),
                };
                format!("{}: {}, against baseline {name}", self.headline(), counts(&cases))
            }
            Against::NoBaseline if self.plan.backends.is_empty() => {
                format!(
                    "no baseline for counters without a driver; {} records one",
                    noop::RECORD
                )
            }
            Against::NoBaseline => format!(
                "{}no baseline for this machine ({}); `cargo xtask bench --save-baseline` records one",
                if self.exit == Exit::Regression {
                    "regression; "
                } else {
                    ""
                },
                self.fingerprint.id()
            ),
            Against::NotJudged if self.plan.backends.is_empty() => format!(
                "{}: {} cases without a driver (noop)",
                self.headline(),
                self.verdicts.len()
            ),
            Against::NotJudged => format!("{}: {} cases", self.headline(), self.shown().count()),
        }
    }

    /// Who measured what, when, on which machine.
    fn circumstances(&self) -> Vec<String> {
        let Plan {
            started,
            commit,
            versions,
            command,
            pace,
            runs,
            ..
        } = self.plan;
        let versions: Vec<String> = versions
            .iter()
            .map(|(name, version)| format!("{name} {version}"))
            .collect();
        let mut lines = vec![format!(
            "`{command}` at {started}, commit {commit}, pace {pace}, {runs} process(es) per backend"
        )];
        if !versions.is_empty() {
            lines.push(versions.join(", "));
        }
        lines.extend(machine(self.fingerprint));
        lines
    }
}

/// How a changed counter becomes the one to compare with; those without a driver need no quiet machine.
fn accept(is_noop: bool) -> String {
    let command = if is_noop {
        noop::RECORD
    } else {
        "`cargo xtask bench --save-baseline`"
    };
    format!("if that is meant, {command} accepts it, and the baseline's diff shows it")
}

/// Whether a case was counted without a driver.
fn is_noop(verdict: &&CaseVerdict) -> bool {
    verdict.case.backend == noop::BACKEND
}

/// Why a case has its verdict, in a sentence without the case.
fn explanation(verdict: &CaseVerdict) -> String {
    match verdict.verdict {
        Verdict::CountersChanged => {
            let accept = accept(is_noop(&verdict));
            format!("calls into wgpu changed: {}; {accept}", in_words(&verdict.counters))
        }
        Verdict::Slower | Verdict::Faster => {
            let quantile = verdict.quantile.as_deref().unwrap_or("time");
            let change = verdict.change_percent.unwrap_or_default().abs();
            let noticed = verdict
                .detectable_percent
                .map_or_else(String::new, |from| format!(" (noticed from {from:.1} %)"));
            // Which phases moved, where the case was compared with the baseline's revision.
            let note = verdict
                .note
                .as_ref()
                .map_or_else(String::new, |note| format!("; {note}"));
            format!(
                "{quantile} {} by {change:.1} %, confirmed in fresh processes{noticed}{note}",
                verdict.verdict.word()
            )
        }
        word => match &verdict.note {
            Some(note) => note.clone(),
            None => word.word().to_owned(),
        },
    }
}

/// How many cases have which verdict.
fn counts(verdicts: &[&CaseVerdict]) -> String {
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
    use crate::{case::CounterChange, fingerprint::tests::example as fingerprint, run::tests::plan, verdict::Timing};

    pub(super) fn verdict(backend: &str, verdict: Verdict) -> CaseVerdict {
        let case = CaseId {
            op: "vector_add".to_owned(),
            backend: backend.to_owned(),
            size: 20_000,
            tasks: 1,
        };
        CaseVerdict {
            processes: 6,
            calls: 12_000,
            p10_ns: Some(1_201_234.5),
            p10_spread_ns: Some(10_250.0),
            p50_ns: Some(1_234_567.0),
            ..CaseVerdict::new(case, verdict)
        }
    }

    /// Everything a report can say, against one baseline.
    fn verdicts() -> Vec<CaseVerdict> {
        let judged = |backend: &str, word, percent: f64, quantile: &str| CaseVerdict {
            baseline_p50_ns: Some(51_234.0),
            quantile: Some(quantile.to_owned()),
            change_percent: Some(percent),
            detectable_percent: Some(7.25),
            ..verdict(backend, word)
        };
        let change = |name, old, new| CounterChange { name, old, new };
        let mut verdicts = vec![
            judged("cpu", Verdict::Pass, -0.4, "fastest tenth"),
            CaseVerdict {
                note: Some("no driver <here> | \"there\" & nowhere".to_owned()),
                ..CaseVerdict::new(verdict("gles", Verdict::NotMeasured).case, Verdict::NotMeasured)
            },
            CaseVerdict {
                counters: vec![change("passes", 1, 2), change("dispatches", 1, 2)],
                baseline_p50_ns: Some(51_234.0),
                ..verdict("vulkan", Verdict::CountersChanged)
            },
            judged("metal", Verdict::Slower, 12.34, "median"),
            judged("dx12", Verdict::Faster, -9.87, "fastest tenth"),
        ];
        let mut doubt = judged("vulkan", Verdict::Inconclusive, 8.1, "fastest tenth");
        doubt.case.tasks = 1000;
        doubt.case.size = 256;
        doubt.note = Some("+8.1 % at first, disturbed whenever it was measured again".to_owned());
        doubt.p10_spread_ns = None;
        verdicts.push(doubt);
        verdicts
    }

    pub(super) fn with_report(check: impl Fn(&Report<'_>)) {
        let (plan, fingerprint, verdicts) = (plan(), fingerprint(), verdicts());
        let places = Places {
            file: "baselines/machine.csv".to_owned(),
            lines: (6..).zip(&verdicts).map(|(line, v)| (v.case.clone(), line)).collect(),
        };
        check(&Report {
            plan: &plan,
            fingerprint: &fingerprint,
            against: Against::Baseline("machine".to_owned()),
            places: vec![places],
            strictness: Strictness {
                timing: Timing::Enforced,
                strict: false,
            },
            verdicts,
            crossovers: crossover::tests::examples(),
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
            golden("annotations.txt", &report.annotations());
            for (name, content) in report.files() {
                golden(name, &content);
            }
        });
    }

    #[test]
    fn counters_stand_before_times() {
        with_report(|report| {
            for text in [report.text(|_| Style::new()), report.markdown()] {
                let position = |part: &str| text.find(part).unwrap_or_else(|| panic!("{part} is not in\n{text}"));
                assert!(position("dispatches") < position("1.23 ms"), "{text}");
                assert!(
                    position("counters: changed in 1 of 5 cases") < position("noticed from"),
                    "{text}"
                );
            }
        });
    }

    #[test]
    fn counters_that_are_the_same_are_said_to_be_and_those_of_no_baseline_are_not_spoken_of() {
        with_report(|report| {
            let mut report = report.clone();
            report.verdicts.retain(|v| v.counters.is_empty());
            assert_eq!(report.counters().unwrap(), "counters: as they were in all of 4 cases");
            // Counters without a driver have a baseline on every machine; nothing else has one here.
            report.against = Against::NoBaseline;
            report.verdicts.iter_mut().for_each(|v| v.verdict = Verdict::New);
            assert_eq!(report.counters(), None);
            let noop = verdict("noop", Verdict::Pass);
            report.verdicts.push(CaseVerdict::new(noop.case, Verdict::Pass));
            let said = "counters: as they were in all of 1 cases, 1 of them without a driver (noop)";
            assert_eq!(report.counters().unwrap(), said);
            assert!(!report.text(|_| Style::new()).contains("/noop/"), "it has no times");
        });
    }
}
