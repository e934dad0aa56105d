//! Renders a comparison: a table for the terminal, Markdown, JSON, and what CI reads.

mod ci;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use anstyle::Style;
use serde::{Deserialize, Serialize};

use bench_gate::{
    assess::{Assessment, Figures, Phase, Statistic},
    binding::Binding,
    gpu,
    record::{Variant, Window},
    stat::quantile::median,
};

use crate::{
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
    /// What is bound to the core of a block; `None` for what suits each backend.
    #[serde(default)]
    pub(crate) binding: Option<Binding>,
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
    /// How `cargo bench` starts it, where it was built here; found out again when a comparison goes on.
    #[serde(skip)]
    pub(crate) start: Option<bench_gate::project::Program>,
}

impl Side {
    /// A program that was built elsewhere: its path may have its revision behind an equals sign.
    pub(crate) fn elsewhere(program: &std::path::Path) -> Result<Self, crate::error::Error> {
        use crate::{error::Error, host::build};

        let path = build::path_of(program);
        if !path.is_file() {
            return Err(Error::Usage(format!("--program: {} is no file", path.display())));
        }
        let text = program.to_string_lossy();
        let revision = text
            .rsplit_once('=')
            .map_or_else(|| path.display().to_string(), |(_, revision)| revision.to_owned());
        Ok(Self {
            commit: revision.clone(),
            revision,
            program: std::path::absolute(&path).map_err(Error::io("find", &path))?,
            start: None,
        })
    }
}

/// A comparison that was assessed.
#[derive(Clone, Debug)]
pub(crate) struct Report<'a> {
    plan: &'a Plan,
    verdicts: &'a [Assessment],
    rules: Rules,
    exit: Exit,
    /// Cases that the head cannot run though the base can.
    failed: BTreeSet<String>,
    /// What the windows tell besides: cold starts, clocks.
    remarks: Vec<String>,
    /// How long a block of the undecided cases takes.
    block_seconds: f64,
}

/// What `ab.json` says of a comparison that was part of a run.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Kept {
    pub(crate) base: Side,
    pub(crate) verdicts: Vec<Assessment>,
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
    fn failure(self, assessment: &Assessment) -> Option<Exit> {
        match assessment.verdict {
            Verdict::Slower => Some(Exit::Regression),
            _ if assessment.counters.is_some() && !self.allow_counters => Some(Exit::Regression),
            Verdict::Inconclusive | Verdict::Noisy | Verdict::Missing | Verdict::NotMeasured => {
                self.strict.then_some(Exit::Inconclusive)
            }
            _ => None,
        }
    }

    /// The exit code that verdicts amount to. A comparison in which nothing was judged does not pass.
    pub(crate) fn exit(self, verdicts: &[Assessment]) -> Exit {
        let failures: Vec<Exit> = verdicts
            .iter()
            .filter_map(|assessment| self.failure(assessment))
            .collect();
        let mut on_both = verdicts
            .iter()
            .filter(|assessment| assessment.verdict != Verdict::Missing)
            .peekable();
        let none_judged = on_both.peek().is_some() && !on_both.any(Assessment::is_judged);
        if failures.contains(&Exit::Regression) {
            Exit::Regression
        } else if none_judged {
            Exit::Inconclusive
        } else {
            failures.first().copied().unwrap_or(Exit::Pass)
        }
    }
}

impl<'a> Report<'a> {
    pub(crate) fn new(plan: &'a Plan, verdicts: &'a [Assessment], rules: Rules, exit: Exit) -> Self {
        Self {
            plan,
            verdicts,
            rules,
            exit,
            failed: BTreeSet::new(),
            remarks: Vec::new(),
            block_seconds: 0.0,
        }
    }

    /// With what was measured: cases that the head cannot run though the base can fail whatever the rules.
    pub(crate) fn with(self, failed: &BTreeSet<String>, windows: &[Window], block_seconds: f64) -> Self {
        Self {
            failed: failed.clone(),
            remarks: remarks(windows),
            block_seconds,
            ..self
        }
    }

    fn fails(&self, assessment: &Assessment) -> bool {
        self.failed.contains(&assessment.case) || self.rules.failure(assessment).is_some()
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
        for assessment in self.verdicts {
            if let Some(counters) = &assessment.counters {
                line(
                    &mut text,
                    &format!("{}: calls into wgpu changed: {counters}", assessment.case),
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
        for (cells, assessment) in table.iter().zip(self.verdicts) {
            row(cells.each_ref().map(String::as_str), style(assessment.verdict));
        }
        for sentence in self.sentences() {
            line(&mut text, &sentence);
        }
        text
    }

    /// For `summary.md`.
    pub(crate) fn markdown(&self) -> String {
        let mut md = format!("# A/B: {}\n\n", self.headline());
        let changed = |assessment: &Assessment| {
            let counters = assessment.counters.as_ref()?;
            Some(format!("- {}: calls into wgpu changed: {counters}", assessment.case))
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
        for assessment in self.verdicts {
            // Any text may be a case of another project.
            let cells = cells(assessment).map(|cell| escape(&cell).into_owned());
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
            assessment: &'a Assessment,
            fails: bool,
        }
        let case = |assessment| Case {
            assessment,
            fails: self.fails(assessment),
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
        for assessment in self.verdicts {
            if let Some(phases) = phases(&assessment.phases) {
                sentences.push(format!("{}: {phases}", assessment.case));
            }
            let is_plain = assessment.note.is_none() && assessment.settle.is_none() && assessment.accepted.is_none();
            if !is_plain || assessment.verdict == Verdict::Inconclusive {
                sentences.push(assessment.sentence(self.block_seconds));
            }
        }
        sentences.extend(self.remarks.iter().cloned());
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

/// Cold starts of both programs, and the clocks of GPUs.
fn remarks(windows: &[Window]) -> Vec<String> {
    let mut parts: BTreeMap<&str, [Vec<f64>; 2]> = BTreeMap::new();
    // Of the case that opened the device: what comes later in a process is warm.
    for window in windows.iter().filter(|window| window.cold_ns.contains_key("device")) {
        for (name, ns) in &window.cold_ns {
            parts.entry(name).or_default()[usize::from(window.variant == Variant::Head)].push(*ns as f64);
        }
    }
    let part = |name: &&str| {
        let [base, head] = parts.get(*name)?;
        let is_there = !base.is_empty() && !head.is_empty();
        is_there.then(|| format!("{name} {} → {}", duration(median(base)), duration(median(head))))
    };
    let cold: Vec<String> = ["device", "tuning", "first", "second"]
        .iter()
        .filter_map(part)
        .collect();
    let cold = (!cold.is_empty()).then(|| format!("cold start, medians of base → head: {}", cold.join(", ")));
    cold.into_iter()
        .chain(gpu::sentence(windows.iter().flat_map(|window| &window.gpus)))
        .collect()
}

fn cells(assessment: &Assessment) -> [String; 7] {
    let figures = assessment.deciding();
    let cell = |of: &dyn Fn(&Figures) -> String| figures.map_or_else(String::new, of);
    let word = assessment.verdict.word();
    let word = match figures {
        None => word.to_owned(),
        Some(_) if assessment.statistic == Statistic::Fast => format!("{word} ({} blocks)", assessment.blocks),
        Some(_) => format!(
            "{word} by its {} ({} blocks)",
            assessment.statistic.name(),
            assessment.blocks
        ),
    };
    [
        assessment.case.clone(),
        cell(&|f| duration(f.base_ns)),
        cell(&|f| duration(f.head_ns)),
        cell(&|f| format!("{:+.1} %", f.change_percent)),
        cell(&|f| format!("{:+.1} … {:+.1}", f.low_percent, f.high_percent)),
        cell(&|f| format!("{:.1} %", f.detectable_percent)),
        word,
    ]
}
