//! What CI reads of a comparison: JUnit's XML, annotations of GitHub Actions and points of history pages, in the forms a run's have.

use super::{Report, cells, phases};
use crate::{
    ab::judge::Judged,
    files,
    report::{
        github::{self, Annotation},
        history::Entry,
        xml::{self, Outcome, Suite, Test},
    },
    verdict::Verdict,
};

/// A suite of all cases: ids of other projects have parts of their own.
pub(super) fn junit(report: &Report<'_>) -> String {
    let plan = report.plan;
    let properties = [
        ("base", format!("{} {}", plan.base.revision, plan.base.commit)),
        ("head", format!("{} {}", plan.head.revision, plan.head.commit)),
        ("seed", plan.seed.to_string()),
        ("affinity", if plan.bound { "bound" } else { "free" }.to_owned()),
        ("command", plan.command.clone()),
    ];
    let suite = Suite {
        name: "ab".to_owned(),
        properties: properties.map(|(name, value)| (name.to_owned(), value)).into(),
        tests: report.verdicts.iter().map(|judged| test(report, judged)).collect(),
    };
    xml::render(&format!("ab: {}", report.headline()), &plan.started, &[suite])
}

fn test(report: &Report<'_>, judged: &Judged) -> Test {
    let outcome = match judged.verdict {
        _ if report.fails(judged) => Outcome::Failed,
        Verdict::Inconclusive | Verdict::Noisy | Verdict::Missing | Verdict::NotMeasured => Outcome::Skipped,
        _ => Outcome::Passed,
    };
    Test {
        name: judged.case.clone(),
        time_ns: judged.head_ns,
        outcome,
        kind: word(judged).word(),
        message: explanation(judged),
        details: figures(judged),
    }
}

/// The head's times; what was not measured has no point on the line.
pub(super) fn history(report: &Report<'_>) -> String {
    let entry = |judged: &Judged| {
        let mut extra = vec![word(judged).word().to_owned()];
        extra.extend(judged.change_percent.map(|percent| {
            format!(
                "{percent:+.1} % against {} in {} blocks",
                report.plan.base.revision, judged.blocks
            )
        }));
        extra.push(format!("commit {}", report.plan.head.commit));
        Some(Entry::new(
            &judged.case,
            &judged.quantile,
            judged.head_ns?,
            None,
            &extra,
        ))
    };
    files::json(&report.verdicts.iter().filter_map(entry).collect::<Vec<_>>())
}

/// A note for every case that needs a look, counters first.
pub(super) fn annotations(report: &Report<'_>) -> String {
    let level = |judged: &Judged| match word(judged) {
        _ if report.fails(judged) => Some("error"),
        Verdict::Inconclusive | Verdict::Noisy | Verdict::Missing | Verdict::CountersChanged => Some("warning"),
        Verdict::Faster => Some("notice"),
        _ => None,
    };
    let annotation = |judged: &Judged| {
        Some(Annotation {
            level: level(judged)?,
            verdict: word(judged),
            place: String::new(),
            case: judged.case.clone(),
            message: explanation(judged),
        })
    };
    let annotations: Vec<Annotation> = report.verdicts.iter().filter_map(annotation).collect();
    github::commands(&annotations, "ab")
}

/// The verdict in one word; other calls into wgpu come before times.
fn word(judged: &Judged) -> Verdict {
    match judged.counters {
        Some(_) => Verdict::CountersChanged,
        None => judged.verdict,
    }
}

fn explanation(judged: &Judged) -> String {
    let mut parts = Vec::new();
    parts.extend(
        judged
            .counters
            .as_ref()
            .map(|counters| format!("calls into wgpu changed: {counters}")),
    );
    parts.extend(judged.change_percent.map(|percent| {
        format!(
            "{} {percent:+.1} % in {} blocks, {}",
            judged.quantile,
            judged.blocks,
            judged.verdict.word()
        )
    }));
    parts.extend(phases(&judged.phases));
    parts.extend(judged.note.clone());
    parts.join("; ")
}

/// The figures of the table, a line each.
fn figures(judged: &Judged) -> String {
    let names = super::HEADINGS.iter().zip(cells(judged));
    let lines = names.skip(1).filter(|(_, cell)| !cell.is_empty());
    let lines: Vec<String> = lines.map(|(name, cell)| format!("{name}: {cell}")).collect();
    lines.join("\n")
}
