//! Renders a comparison: a table for the terminal, Markdown, JSON, and what CI reads.

mod ci;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use anstyle::Style;
use serde::{Deserialize, Serialize};

use crate::{
    ab::judge::{Judged, Phase},
    exit::Exit,
    files,
    report::{cells::duration, markdown::escape},
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
#[derive(Clone, Debug)]
pub(crate) struct Report<'a> {
    plan: &'a Plan,
    verdicts: &'a [Judged],
    rules: Rules,
    exit: Exit,
    /// Cases that the head cannot run though the base can.
    failed: BTreeSet<String>,
}

/// What `ab.json` says of a comparison that was part of a run.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Kept {
    pub(crate) base: Side,
    pub(crate) verdicts: Vec<Judged>,
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

/// What fails a comparison beside a case that is slower.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rules {
    /// Other calls into wgpu are meant.
    pub(crate) allow_counters: bool,
    /// What cannot be told fails.
    pub(crate) strict: bool,
}

impl Rules {
    /// How the comparison ends because of a case; `None` if that does not fail it.
    fn failure(self, judged: &Judged) -> Option<Exit> {
        match judged.verdict {
            Verdict::Slower => Some(Exit::Regression),
            _ if judged.counters.is_some() && !self.allow_counters => Some(Exit::Regression),
            Verdict::Inconclusive | Verdict::Noisy | Verdict::Missing | Verdict::NotMeasured => {
                self.strict.then_some(Exit::Inconclusive)
            }
            _ => None,
        }
    }

    /// The exit code that verdicts amount to.
    pub(crate) fn exit(self, verdicts: &[Judged]) -> Exit {
        let failures: Vec<Exit> = verdicts.iter().filter_map(|judged| self.failure(judged)).collect();
        if failures.contains(&Exit::Regression) {
            Exit::Regression
        } else {
            failures.first().copied().unwrap_or(Exit::Pass)
        }
    }
}

impl<'a> Report<'a> {
    pub(crate) fn new(plan: &'a Plan, verdicts: &'a [Judged], rules: Rules, exit: Exit) -> Self {
        Self {
            plan,
            verdicts,
            rules,
            exit,
            failed: BTreeSet::new(),
        }
    }

    /// With cases that the head cannot run though the base can: they fail whatever the rules.
    pub(crate) fn with_failed(self, failed: BTreeSet<String>) -> Self {
        Self { failed, ..self }
    }

    fn fails(&self, judged: &Judged) -> bool {
        self.failed.contains(&judged.case) || self.rules.failure(judged).is_some()
    }

    /// The files that tell of the verdicts, by their names in the comparison's folder.
    pub(crate) fn files(&self) -> [(&'static str, String); 4] {
        [
            ("verdicts.json", self.json()),
            ("summary.md", self.markdown()),
            ("junit.xml", ci::junit(self)),
            ("benchmark.json", ci::history(self)),
        ]
    }

    /// Annotations of GitHub Actions.
    pub(crate) fn annotations(&self) -> String {
        ci::annotations(self)
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
        let changed = |judged: &Judged| {
            let counters = judged.counters.as_ref()?;
            Some(format!("- {}: calls into wgpu changed: {counters}", judged.case))
        };
        let changed: Vec<String> = self.verdicts.iter().filter_map(changed).collect();
        for item in &changed {
            line(&mut md, &escape(item));
        }
        if !changed.is_empty() {
            md.push('\n');
        }
        line(&mut md, &format!("| {} |", HEADINGS.join(" | ")));
        line(&mut md, "|---|--:|--:|--:|--:|--:|---|");
        for judged in self.verdicts {
            // Any text may be a case of another project.
            let cells = cells(judged).map(|cell| escape(&cell).into_owned());
            line(&mut md, &format!("| {} |", cells.join(" | ")));
        }
        md.push('\n');
        for sentence in self.sentences() {
            line(&mut md, &escape(&format!("- {sentence}")));
        }
        line(&mut md, &format!("- `{}` at {}", self.plan.command, self.plan.started));
        md
    }

    /// For `verdicts.json`; `docs/ab.schema.json` documents it.
    pub(crate) fn json(&self) -> String {
        #[derive(Serialize)]
        struct Comparison<'a> {
            headline: &'static str,
            exit: u8,
            #[serde(flatten)]
            plan: &'a Plan,
            verdicts: Vec<Case<'a>>,
        }
        #[derive(Serialize)]
        struct Case<'a> {
            #[serde(flatten)]
            judged: &'a Judged,
            fails: bool,
        }
        let case = |judged| Case {
            judged,
            fails: self.fails(judged),
        };
        files::json(&Comparison {
            headline: self.headline(),
            exit: self.exit as u8,
            plan: self.plan,
            verdicts: self.verdicts.iter().map(case).collect(),
        })
    }

    fn headline(&self) -> &'static str {
        match self.exit {
            Exit::Regression => "regression",
            Exit::Inconclusive => "inconclusive",
            Exit::ToolFailed => "failed",
            _ if self.verdicts.iter().all(|v| v.verdict == Verdict::NotMeasured) => "nothing measured",
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
    let word = match judged.quantile.as_str() {
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
