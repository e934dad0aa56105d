//! What CI reads of a comparison: JUnit's XML, annotations of GitHub Actions and points of history pages, in the forms a run's have.

use super::{Report, cells, phases};
use bench_gate::assess::Assessment;

use crate::{
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
        (
            "affinity",
            plan.binding.map_or("by backend", |binding| binding.word()).to_owned(),
        ),
        ("command", plan.command.clone()),
    ];
    let suite = Suite {
        name: "ab".to_owned(),
        properties: properties.map(|(name, value)| (name.to_owned(), value)).into(),
        tests: report
            .verdicts
            .iter()
            .map(|assessment| test(report, assessment))
            .collect(),
    };
    xml::render(&format!("ab: {}", report.headline()), &plan.started, &[suite])
}

fn test(report: &Report<'_>, assessment: &Assessment) -> Test {
    let outcome = match assessment.verdict {
        _ if report.fails(assessment) => Outcome::Failed,
        Verdict::Inconclusive | Verdict::Noisy | Verdict::Missing | Verdict::NotMeasured => Outcome::Skipped,
        _ => Outcome::Passed,
    };
    Test {
        name: assessment.case.clone(),
        time_ns: assessment.deciding().map(|figures| figures.head_ns),
        outcome,
        kind: word(assessment).word(),
        message: explanation(assessment),
        details: figures(assessment),
    }
}

/// The head's times; what was not measured has no point on the line.
pub(super) fn history(report: &Report<'_>) -> String {
    let entry = |assessment: &Assessment| {
        let mut extra = vec![word(assessment).word().to_owned()];
        extra.extend(assessment.deciding().map(|figures| {
            let percent = figures.change_percent;
            format!(
                "{percent:+.1} % against {} in {} blocks",
                report.plan.base.revision, assessment.blocks
            )
        }));
        extra.push(format!("commit {}", report.plan.head.commit));
        Some(Entry::new(
            &assessment.case,
            assessment.statistic.name(),
            assessment.deciding()?.head_ns,
            None,
            &extra,
        ))
    };
    files::json(&report.verdicts.iter().filter_map(entry).collect::<Vec<_>>())
}

/// A note for every case that needs a look, counters first.
pub(super) fn annotations(report: &Report<'_>) -> String {
    let level = |assessment: &Assessment| match word(assessment) {
        _ if report.fails(assessment) => Some("error"),
        Verdict::Inconclusive | Verdict::Noisy | Verdict::Missing | Verdict::CountersChanged => Some("warning"),
        Verdict::Faster => Some("notice"),
        _ => None,
    };
    let annotation = |assessment: &Assessment| {
        Some(Annotation {
            level: level(assessment)?,
            verdict: word(assessment),
            place: String::new(),
            case: assessment.case.clone(),
            message: explanation(assessment),
        })
    };
    let annotations: Vec<Annotation> = report.verdicts.iter().filter_map(annotation).collect();
    github::commands(&annotations, "ab")
}

/// The verdict in one word; other calls into wgpu come before times.
fn word(assessment: &Assessment) -> Verdict {
    match assessment.counters {
        Some(_) => Verdict::CountersChanged,
        None => assessment.verdict,
    }
}

fn explanation(assessment: &Assessment) -> String {
    let mut parts = Vec::new();
    parts.extend(
        assessment
            .counters
            .as_ref()
            .map(|counters| format!("calls into wgpu changed: {counters}")),
    );
    parts.extend(assessment.deciding().map(|figures| {
        let percent = figures.change_percent;
        format!(
            "{} {percent:+.1} % in {} blocks, {}",
            assessment.statistic.name(),
            assessment.blocks,
            assessment.verdict.word()
        )
    }));
    parts.extend(phases(&assessment.phases));
    parts.extend(assessment.note.clone());
    parts.join("; ")
}

/// The figures of the table, a line each.
fn figures(assessment: &Assessment) -> String {
    let names = super::HEADINGS.iter().zip(cells(assessment));
    let lines = names.skip(1).filter(|(_, cell)| !cell.is_empty());
    let lines: Vec<String> = lines.map(|(name, cell)| format!("{name}: {cell}")).collect();
    lines.join("\n")
}
