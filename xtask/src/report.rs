//! A report: verdicts, what they rest on, and one file for each form in which they are told.

pub(crate) mod cells;
pub(crate) mod crossover;
pub(crate) mod github;
pub(crate) mod history;
mod json;
mod junit;
pub(crate) mod markdown;
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
            (all, noop) if all == noop => format!("{all} cases without a driver"),
            (all, noop) => format!("{all} cases, {noop} of them without a driver"),
        };
        Some(match self.changed().count() {
            0 => format!("counters: unchanged ({of})"),
            changed => format!(
                "counters: changed in {changed} of {of}; {}",
                accept(self.changed().all(|v| is_noop(&v)))
            ),
        })
    }

    /// The cases of the table of times, in which those without a driver stand only if they are gone.
    fn shown(&self) -> impl Iterator<Item = &CaseVerdict> {
        self.verdicts
            .iter()
            .filter(|v| !is_noop(v) || v.verdict == Verdict::Missing)
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
            sentences.push("*change of the fastest tenth of the calls, or of the statistic that it names".to_owned());
        }
        sentences.push(self.conclusion());
        sentences
    }

    /// The outcome in one sentence.
    fn conclusion(&self) -> String {
        match &self.against {
            Against::Baseline(name) => {
                // Counters that are as they were are not counted once more, but where there is nothing else.
                let has_times = !self.plan.backends.is_empty();
                let is_said =
                    |v: &&CaseVerdict| has_times && is_noop(v) && matches!(v.verdict, Verdict::Pass | Verdict::New);
                let cases: Vec<&CaseVerdict> = self.verdicts.iter().filter(|v| !is_said(v)).collect();
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
            Against::NotJudged if self.plan.backends.is_empty() => {
                format!("{}: {} cases without a driver", self.headline(), self.verdicts.len())
            }
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
pub(crate) fn counts(verdicts: &[&CaseVerdict]) -> String {
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
mod tests;
