//! Renders a comparison: a table for the terminal, Markdown, JSON.

use std::{collections::BTreeMap, fmt::Write as _};

use anstyle::Style;
use serde::{Deserialize, Serialize};

use crate::{
    ab::judge::{Judged, Phase},
    exit::Exit,
    files,
    fingerprint::SCHEMA,
    report::cells::duration,
    verdict::Verdict,
};

/// What is compared, and how.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Plan {
    pub(crate) schema: u32,
    /// UTC.
    pub(crate) started: String,
    /// The command line.
    pub(crate) command: String,
    /// The revisions as they were asked for, and the commits or checksums these were.
    pub(crate) base: Side,
    pub(crate) head: Side,
    pub(crate) cases: Vec<String>,
    /// Of the random order.
    pub(crate) seed: u64,
    /// Whether processes are bound to one core where they compute on the CPU.
    pub(crate) bound: bool,
    /// How tasks reach the adapters of the backends: the same for both revisions, where the library lets it be said.
    #[serde(default)]
    pub(crate) tuning: BTreeMap<String, String>,
    /// Whether both programs serve windows of calls; else criterion's own samples are compared.
    pub(crate) serving: bool,
}

/// One of the two revisions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Side {
    pub(crate) revision: String,
    /// The commit, or `worktree`.
    pub(crate) commit: String,
    /// The program that was measured.
    pub(crate) program: std::path::PathBuf,
}

/// A judged comparison.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Report<'a> {
    schema: u32,
    exit: u8,
    #[serde(flatten)]
    plan: &'a Plan,
    verdicts: &'a [Judged],
}

const HEADINGS: [&str; 7] = [
    "case",
    "base",
    "head",
    "change",
    "99 % interval",
    "found from",
    "verdict",
];

/// The exit code that verdicts amount to. Other calls into wgpu fail unless they are allowed.
pub(crate) fn exit(verdicts: &[Judged], allow_counters: bool, strict: bool) -> Exit {
    let any = |wanted: &[Verdict]| verdicts.iter().any(|v| wanted.contains(&v.verdict));
    let counters = !allow_counters && verdicts.iter().any(|v| v.counters.is_some());
    if counters || any(&[Verdict::Slower]) {
        Exit::Regression
    } else if strict
        && any(&[
            Verdict::Inconclusive,
            Verdict::Noisy,
            Verdict::Missing,
            Verdict::NotMeasured,
        ])
    {
        Exit::Inconclusive
    } else {
        Exit::Pass
    }
}

impl<'a> Report<'a> {
    pub(crate) fn new(plan: &'a Plan, verdicts: &'a [Judged], exit: Exit) -> Self {
        Self {
            schema: SCHEMA,
            exit: exit as u8,
            plan,
            verdicts,
        }
    }

    /// For a terminal; `style` colours a verdict's word. Counters come first: they are never noise.
    pub(crate) fn text(&self, style: impl Fn(Verdict) -> Style) -> String {
        let table: Vec<[String; 7]> = self.verdicts.iter().map(cells).collect();
        let width = |column: usize| {
            let cells = table.iter().map(|row| row[column].chars().count());
            cells
                .chain([HEADINGS[column].chars().count()])
                .max()
                .unwrap_or_default()
        };
        let widths: [usize; 6] = std::array::from_fn(width);
        let mut text = String::new();
        for judged in self.verdicts {
            if let Some(counters) = &judged.counters {
                line(
                    &mut text,
                    &format!("{}: calls into wgpu changed: {counters}", judged.case),
                );
            }
        }
        let mut row = |cells: [&str; 7], style: Style| {
            let mut row = format!("{:<w$}", cells[0], w = widths[0]);
            for (cell, w) in cells[1..6].iter().zip(&widths[1..]) {
                write!(row, "  {cell:>w$}").expect("a string takes everything");
            }
            line(&mut text, &format!("{row}  {style}{}{style:#}", cells[6]));
        };
        row(HEADINGS, Style::new());
        for (cells, judged) in table.iter().zip(self.verdicts) {
            row(cells.each_ref().map(String::as_str), style(judged.verdict));
        }
        for sentence in self.sentences() {
            line(&mut text, &sentence);
        }
        text
    }

    /// For `summary.md`.
    pub(crate) fn markdown(&self) -> String {
        let mut md = format!("# A/B: {}\n\n", self.headline());
        line(&mut md, &format!("| {} |", HEADINGS.join(" | ")));
        line(&mut md, "|---|--:|--:|--:|--:|--:|---|");
        for judged in self.verdicts {
            line(&mut md, &format!("| {} |", cells(judged).join(" | ")));
        }
        md.push('\n');
        for judged in self.verdicts {
            if let Some(counters) = &judged.counters {
                line(
                    &mut md,
                    &format!("- {}: calls into wgpu changed: {counters}", judged.case),
                );
            }
        }
        for sentence in self.sentences() {
            line(&mut md, &format!("- {sentence}"));
        }
        line(&mut md, &format!("- `{}` at {}", self.plan.command, self.plan.started));
        md
    }

    /// For `verdicts.json`.
    pub(crate) fn json(&self) -> String {
        files::json(self)
    }

    fn headline(&self) -> &'static str {
        match self.exit {
            3 => "regression",
            4 => "inconclusive",
            _ if self.verdicts.iter().any(|v| v.verdict < Verdict::Faster) => "pass, with doubts",
            _ => "pass",
        }
    }

    fn sentences(&self) -> Vec<String> {
        let mut sentences = Vec::new();
        for judged in self.verdicts {
            if let Some(phases) = phases(&judged.phases) {
                sentences.push(format!("{}: {phases}", judged.case));
            }
            if let Some(note) = &judged.note {
                sentences.push(format!("{}: {}: {note}", judged.case, judged.verdict.word()));
            }
        }
        let Plan {
            base,
            head,
            seed,
            serving,
            ..
        } = self.plan;
        if !serving {
            sentences.push(
                "samples are criterion's, each a mean of many calls: quantiles of single calls are not known"
                    .to_owned(),
            );
        }
        let mut words: Vec<Verdict> = self.verdicts.iter().map(|v| v.verdict).collect();
        words.sort();
        words.dedup();
        let count = |word: &Verdict| self.verdicts.iter().filter(|v| v.verdict == *word).count();
        let counts: Vec<String> = words
            .iter()
            .map(|word| format!("{} {}", count(word), word.word()))
            .collect();
        sentences.push(format!(
            "{}: {}: {} ({}) against {} ({}), seed {seed}",
            self.headline(),
            counts.join(", "),
            head.revision,
            short(&head.commit),
            base.revision,
            short(&base.commit),
        ));
        sentences
    }
}

fn line(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}

fn short(commit: &str) -> &str {
    commit.get(..12).unwrap_or(commit)
}

/// Which phases moved, as a sentence.
fn phases(phases: &[Phase]) -> Option<String> {
    let moved = |phase: &Phase| {
        let sign = if phase.change_ns < 0.0 { '−' } else { '+' };
        format!(
            "{} {:+.1} % ({sign}{})",
            phase.name,
            phase.change_percent,
            duration(phase.change_ns.abs())
        )
    };
    let moved: Vec<String> = phases.iter().map(moved).collect();
    (!moved.is_empty()).then(|| format!("what moved is {}", moved.join(", ")))
}

fn cells(judged: &Judged) -> [String; 7] {
    let time = |ns: Option<f64>| ns.map_or_else(String::new, duration);
    let signed = |percent: Option<f64>| percent.map_or_else(String::new, |percent| format!("{percent:+.1} %"));
    let interval = match (judged.low_percent, judged.high_percent) {
        (Some(low), Some(high)) => format!("{low:+.1} … {high:+.1}"),
        _ => String::new(),
    };
    let word = match judged.quantile {
        _ if judged.change_percent.is_none() => judged.verdict.word().to_owned(),
        "fastest tenth" => format!("{} ({} blocks)", judged.verdict.word(), judged.blocks),
        quantile => format!("{} by its {quantile} ({} blocks)", judged.verdict.word(), judged.blocks),
    };
    [
        judged.case.clone(),
        time(judged.base_ns),
        time(judged.head_ns),
        signed(judged.change_percent),
        interval,
        judged
            .detectable_percent
            .map_or_else(String::new, |percent| format!("{percent:.1} %")),
        word,
    ]
}
