//! The form for programs. Its schema is docs/split-audit.schema.json; a change of meaning raises `format_version`.

use serde::Serialize;

use super::{Report, name, rule, title};
use crate::{
    cure::Outcome,
    finding::{Finding, Level, Looked, Meeting, Side, What},
    lock::PackageId,
};

const FORMAT_VERSION: u32 = 2;

#[derive(Serialize)]
struct Document<'a> {
    format_version: u32,
    tool_version: &'static str,
    lock: &'a str,
    over_approximate: bool,
    crates: &'a [String],
    contexts: &'a [String],
    errors: usize,
    warnings: usize,
    infos: usize,
    findings: Vec<Row<'a>>,
    unexplained_errors: &'a [String],
    configuration_warnings: &'a [String],
    cure: Option<Cure<'a>>,
    after: Option<After>,
}

/// What remains once the lock is written.
#[derive(Serialize)]
struct After {
    errors: usize,
    warnings: usize,
    infos: usize,
}

#[derive(Serialize)]
struct Row<'a> {
    level: &'static str,
    rule: &'static str,
    message: String,
    #[serde(rename = "crate")]
    shared: &'a str,
    line: usize,
    contexts: &'a [String],
    exception: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    diamond: Option<Diamond<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    versions: Option<Vec<Package<'a>>>,
}

#[derive(Serialize)]
struct Diamond<'a> {
    parent: Package<'a>,
    child: Package<'a>,
    parent_uses: Package<'a>,
    child_uses: Package<'a>,
    link_requirement: Option<&'a str>,
    parent_requirement: Option<&'a str>,
    child_requirement: Option<&'a str>,
    kinds: &'a str,
    parent_is_member: bool,
    avoidable: Option<bool>,
    confirmed: Option<bool>,
    sibling: Option<Package<'a>>,
    holder: Package<'a>,
    exposure: Option<Vec<Evidence<'a>>>,
    sibling_exposure: Option<Vec<Evidence<'a>>>,
    meets_in: Option<&'a str>,
}

#[derive(Serialize)]
struct Evidence<'a> {
    file: &'a str,
    item: &'a str,
    names: &'a str,
}

#[derive(Serialize)]
struct Package<'a> {
    name: &'a str,
    version: String,
    source: Option<&'a str>,
}

#[derive(Serialize)]
struct Cure<'a> {
    cured: Vec<Cured<'a>>,
    blocked: Vec<Blocked<'a>>,
    diff: &'a str,
    applied: bool,
    backup: Option<&'a str>,
}

#[derive(Serialize)]
struct Cured<'a> {
    parent: Package<'a>,
    child: Package<'a>,
    #[serde(rename = "crate")]
    shared: &'a str,
    steps: Vec<String>,
    equivalent_command: Option<&'a str>,
    lost_features: &'a [String],
}

#[derive(Serialize)]
struct Blocked<'a> {
    parent: Package<'a>,
    child: Package<'a>,
    #[serde(rename = "crate")]
    shared: &'a str,
    blocker: &'a str,
    required_by: Option<String>,
    first_release: Option<String>,
    note: Option<&'a str>,
    tried: Vec<String>,
    manifest: Vec<Line<'a>>,
    /// Packages to be given to `cargo update -p` after the lines are written.
    then_update: Vec<&'a str>,
}

#[derive(Serialize)]
struct Line<'a> {
    /// Lines of one choice belong together.
    choice: usize,
    member: &'a str,
    place: &'a str,
    dependency: &'a str,
    line: &'a str,
}

pub(super) fn render(report: &Report<'_>) -> String {
    let document = Document {
        format_version: FORMAT_VERSION,
        tool_version: env!("CARGO_PKG_VERSION"),
        lock: &report.lock.label,
        over_approximate: report.is_lock_only,
        crates: report.crates,
        contexts: report.contexts,
        errors: report.n(report.findings, Level::Error),
        warnings: report.n(report.findings, Level::Warn),
        infos: report.n(report.findings, Level::Info),
        findings: report.findings.iter().map(|f| row(report, f)).collect(),
        unexplained_errors: report.broken,
        configuration_warnings: report.warnings,
        cure: report.cure.map(cure),
        after: report.after.map(|findings| After {
            errors: report.n(findings, Level::Error),
            warnings: report.n(findings, Level::Warn),
            infos: report.n(findings, Level::Info),
        }),
    };
    let mut text = serde_json::to_string_pretty(&document).expect("names and numbers always serialise");
    text.push('\n');
    text
}

fn package(id: &PackageId) -> Package<'_> {
    Package {
        name: &id.name,
        version: id.version.to_string(),
        source: id.source.as_deref(),
    }
}

fn row<'a>(report: &'a Report<'_>, finding: &'a Finding) -> Row<'a> {
    let (diamond, versions) = match &finding.what {
        What::Meeting(meeting) => (Some(to_diamond(meeting, report.is_lock_only)), None),
        What::Duplicate { versions, .. } => (None, Some(versions.iter().map(package).collect())),
    };
    Row {
        level: name(report.level(finding)),
        rule: rule(finding),
        message: title(finding),
        shared: finding.shared(),
        line: report.place(finding).line,
        contexts: &finding.contexts,
        exception: finding.excepted.as_deref(),
        since: finding.since.as_deref(),
        diamond,
        versions,
    }
}

/// The first items of a side; nothing where its source was not looked at.
fn evidence(side: &Side) -> Option<Vec<Evidence<'_>>> {
    let rows = side.evidence.iter().take(20).map(|e| Evidence {
        file: &e.file,
        item: &e.item,
        names: &e.names,
    });
    (side.looked == Looked::Yes).then(|| rows.collect())
}

fn to_diamond(m: &Meeting, is_lock_only: bool) -> Diamond<'_> {
    let known = |requirement| (!is_lock_only).then_some(requirement);
    Diamond {
        parent: package(&m.parent),
        child: package(&m.child),
        parent_uses: package(&m.parent_uses),
        child_uses: package(&m.child_uses),
        link_requirement: known(m.link_requirement.as_str()),
        parent_requirement: known(m.parent_requirement.as_str()),
        child_requirement: known(m.child_requirement.as_str()),
        kinds: &m.kinds,
        parent_is_member: m.is_parent_member,
        avoidable: m.is_avoidable,
        confirmed: m.is_confirmed,
        sibling: m.other.as_ref().map(|other| package(&other.package)),
        holder: package(&m.holder),
        exposure: evidence(&m.theirs),
        sibling_exposure: m.other.as_ref().and_then(evidence),
        meets_in: m.meets_in.as_deref(),
    }
}

fn cure(outcome: &Outcome) -> Cure<'_> {
    let cured = outcome.cured.iter().map(|cured| Cured {
        parent: package(&cured.meeting.parent),
        child: package(&cured.meeting.child),
        shared: &cured.meeting.child_uses.name,
        steps: cured.steps.iter().map(ToString::to_string).collect(),
        equivalent_command: cured.equivalent.as_deref(),
        lost_features: &cured.lost,
    });
    let blocked = outcome.blocked.iter().map(|blocked| {
        let b = &blocked.blocker;
        Blocked {
            parent: package(&blocked.meeting.parent),
            child: package(&blocked.meeting.child),
            shared: &blocked.meeting.child_uses.name,
            blocker: &b.sentence,
            required_by: b.required_by.as_ref().map(|(who, req)| format!("{who} ({req})")),
            first_release: b.first_release.as_ref().map(|(name, v)| format!("{name} {v}")),
            note: b.index_note.as_deref(),
            tried: blocked
                .tried
                .iter()
                .map(|(what, why)| format!("{what}: {why}"))
                .collect(),
            then_update: b.advice.iter().filter_map(|advice| advice.then.as_deref()).collect(),
            manifest: b
                .advice
                .iter()
                .enumerate()
                .flat_map(|(choice, advice)| advice.lines.iter().map(move |line| (choice, line)))
                .map(|(choice, line)| Line {
                    choice,
                    member: &line.member.name,
                    place: &line.place,
                    dependency: &line.dependency,
                    line: &line.line,
                })
                .collect(),
        }
    });
    Cure {
        cured: cured.collect(),
        blocked: blocked.collect(),
        diff: &outcome.diff,
        applied: outcome.backup.is_some(),
        backup: outcome.backup.as_deref(),
    }
}
