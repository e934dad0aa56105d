//! What a comparison came to: in words, as Markdown, as JSON, and as an exit code.

use std::{collections::BTreeSet, fmt::Write as _};

use serde::Serialize;

use crate::{assess::Assessment, exit::Exit, project::Built, table::duration, verdict::Verdict};

/// A revision as reports name it.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Side {
    pub(super) revision: String,
    pub(super) commit: String,
    pub(super) compiler: String,
}

impl Side {
    fn of(built: &Built) -> Self {
        let first = built.compiler.lines().next().unwrap_or_default();
        Self {
            revision: built.revision.clone(),
            commit: built.commit.clone(),
            compiler: first.to_owned(),
        }
    }

    /// The revision, and the commit where that says more.
    fn name(&self) -> String {
        let short = &self.commit[..self.commit.len().min(12)];
        if self.revision == self.commit || self.revision == short {
            short.to_owned()
        } else {
            format!("{} ({short})", self.revision)
        }
    }
}

/// What machines read.
#[derive(Serialize)]
pub(super) struct Verdicts<'a> {
    schema: u32,
    headline: String,
    exit: u8,
    #[serde(flatten)]
    outcome: &'a Outcome,
}

/// What a comparison came to.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Outcome {
    pub(super) base: Side,
    pub(super) head: Side,
    /// Both run the same programs on the same data: nothing was measured.
    pub(super) is_same: bool,
    pub(super) assessments: Vec<Assessment>,
    /// Cases that the head could not run though the base could.
    pub(super) failed: BTreeSet<String>,
    pub(super) new: Vec<String>,
    pub(super) removed: Vec<String>,
    /// What base and head call a case.
    pub(super) renamed: Vec<(String, String)>,
    pub(super) notes: Vec<String>,
    pub(super) block_seconds: f64,
}

impl Outcome {
    pub(super) fn new(base: &Built, head: &Built) -> Self {
        Self {
            base: Side::of(base),
            head: Side::of(head),
            is_same: false,
            assessments: Vec::new(),
            failed: BTreeSet::new(),
            new: Vec::new(),
            removed: Vec::new(),
            renamed: Vec::new(),
            notes: Vec::new(),
            block_seconds: 0.0,
        }
    }

    pub(super) fn verdicts(&self, exit: Exit) -> Verdicts<'_> {
        Verdicts {
            schema: 1,
            headline: self.headline(exit),
            exit: exit as u8,
            outcome: self,
        }
    }

    fn count(&self, verdict: Verdict) -> usize {
        self.assessments
            .iter()
            .filter(|assessment| assessment.verdict == verdict)
            .count()
    }

    fn is_judged(assessment: &Assessment) -> bool {
        matches!(
            assessment.verdict,
            Verdict::Pass | Verdict::Slower | Verdict::Faster | Verdict::CountersChanged
        )
    }

    /// 3 with a regression, 1 with a case that only the head cannot run, 4 where nothing could be judged, or not all
    /// of it if that is to count.
    pub(super) fn exit(&self, strict: bool) -> Exit {
        if self.count(Verdict::Slower) + self.count(Verdict::CountersChanged) > 0 {
            return Exit::Regression;
        }
        if !self.failed.is_empty() {
            return Exit::ToolFailed;
        }
        let judged = self
            .assessments
            .iter()
            .filter(|assessment| Self::is_judged(assessment))
            .count();
        let is_undecided = judged < self.assessments.len() && (judged == 0 || strict);
        if is_undecided || strict && !self.removed.is_empty() {
            return Exit::Inconclusive;
        }
        Exit::Pass
    }

    /// One line that says it all.
    pub(super) fn headline(&self, exit: Exit) -> String {
        if self.is_same {
            return format!(
                "pass: {} and {} run the same programs on the same data; nothing was measured",
                self.base.name(),
                self.head.name()
            );
        }
        let mut counts: Vec<String> = Vec::new();
        for verdict in [
            Verdict::CountersChanged,
            Verdict::Slower,
            Verdict::Faster,
            Verdict::Pass,
            Verdict::Inconclusive,
            Verdict::Noisy,
            Verdict::NotMeasured,
        ] {
            let count = self.count(verdict);
            if count > 0 {
                counts.push(format!("{count} {}", verdict.word()));
            }
        }
        for (word, cases) in [("new", &self.new), ("removed", &self.removed)] {
            if !cases.is_empty() {
                counts.push(format!("{} {word}", cases.len()));
            }
        }
        let word = match exit {
            Exit::Regression => "regression",
            Exit::Inconclusive => "undecided",
            Exit::ToolFailed => "failed",
            _ if self.assessments.is_empty() => "nothing to compare",
            _ => "pass",
        };
        if counts.is_empty() {
            word.to_owned()
        } else {
            format!("{word}: {}", counts.join(", "))
        }
    }

    /// What is printed.
    pub(super) fn text(&self, exit: Exit) -> String {
        let mut text = format!("{} against {}\n", self.head.name(), self.base.name());
        if self.base.compiler != self.head.compiler {
            let _ = writeln!(
                text,
                "compilers differ: {} and {}",
                self.base.compiler, self.head.compiler
            );
        }
        for assessment in &self.assessments {
            let _ = writeln!(text, "  {}", assessment.sentence(self.block_seconds));
        }
        for (old, new) in &self.renamed {
            let _ = writeln!(text, "  {new} was called {old}");
        }
        for (word, cases) in [("new", &self.new), ("removed", &self.removed)] {
            for case in cases {
                let _ = writeln!(text, "  {case}: {word}");
            }
        }
        let _ = writeln!(text, "{}", self.headline(exit));
        text
    }

    /// The job's summary, and the comment on a pull request.
    pub(super) fn markdown(&self, exit: Exit) -> String {
        // A panic's text has several lines, and a row of a table one.
        let escape = |text: &str| text.replace('|', "\\|").replace('<', "&lt;").replace('\n', "<br>");
        let mut text = format!("### bench-gate: {}\n\n", escape(&self.headline(exit)));
        let _ = writeln!(text, "`{}` against `{}`\n", self.head.name(), self.base.name());
        if self.base.compiler != self.head.compiler {
            let _ = writeln!(
                text,
                "Compilers differ: {} and {}.\n",
                self.base.compiler, self.head.compiler
            );
        }
        if !self.assessments.is_empty() {
            text.push_str("| case | base | head | change | verdict |\n|---|--:|--:|--:|---|\n");
        }
        for assessment in &self.assessments {
            let figures = assessment.deciding();
            let time = |ns: Option<f64>| ns.map_or_else(String::new, duration);
            let _ = writeln!(
                text,
                "| {} | {} | {} | {} | {} |",
                escape(&assessment.case),
                time(figures.map(|figures| figures.base_ns)),
                time(figures.map(|figures| figures.head_ns)),
                figures.map_or_else(String::new, |figures| format!(
                    "{:+.1} % ({:+.1} … {:+.1})",
                    figures.change_percent, figures.low_percent, figures.high_percent
                )),
                escape(&verdict(assessment)),
            );
        }
        text.push('\n');
        for (old, new) in &self.renamed {
            let _ = writeln!(text, "- `{new}` was called `{old}`");
        }
        for (word, cases) in [("New", &self.new), ("Removed", &self.removed)] {
            for case in cases {
                let _ = writeln!(text, "- {word}: {}", escape(case));
            }
        }
        for note in &self.notes {
            let _ = writeln!(text, "- {}", escape(note));
        }
        text
    }

    /// Annotations of GitHub Actions.
    pub(super) fn annotations(&self) -> String {
        let mut text = String::new();
        for assessment in &self.assessments {
            let level = match assessment.verdict {
                Verdict::Slower | Verdict::CountersChanged => "error",
                Verdict::NotMeasured if self.failed.contains(&assessment.case) => "error",
                Verdict::Faster => "notice",
                _ => continue,
            };
            let escape = |text: &str| text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
            let title = escape(&format!("{}: {}", assessment.verdict.word(), assessment.case));
            let title = title.replace(':', "%3A").replace(',', "%2C");
            let _ = writeln!(
                text,
                "::{level} title={title}::{}",
                escape(&assessment.sentence(self.block_seconds))
            );
        }
        text
    }
}

fn verdict(assessment: &Assessment) -> String {
    match &assessment.note {
        Some(note) => format!("{} ({note})", assessment.verdict.word()),
        None => assessment.verdict.word().to_owned(),
    }
}
