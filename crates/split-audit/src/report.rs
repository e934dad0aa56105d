//! The whole of what an audit says, and its four forms.

mod github;
mod json;
mod sarif;
mod text;

use crate::{
    api::Evidence,
    cure::{Outcome, Unified},
    finding::{Finding, Ground, Level, Looked, Meeting, Side, What},
    lock::{Lock, PackageId},
};

/// Output forms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// For people, in the form of rustc's diagnostics
    Text,
    /// For programs; the schema is docs/split-audit.schema.json
    Json,
    /// SARIF 2.1.0, for code scanning
    Sarif,
    /// Annotations of GitHub Actions
    Github,
}

/// What one run found.
#[derive(Debug)]
pub(crate) struct Report<'a> {
    /// The command the user has: `cargo split-audit`, or the name another program gives it.
    pub(crate) command: &'a str,
    pub(crate) lock: &'a Lock,
    /// Read from the lock alone, over-approximate.
    pub(crate) is_lock_only: bool,
    pub(crate) crates: &'a [String],
    pub(crate) contexts: &'a [String],
    pub(crate) findings: &'a [Finding],
    /// What the compiler complained about, and no finding explains.
    pub(crate) broken: &'a [String],
    /// About the configuration.
    pub(crate) warnings: &'a [String],
    /// `--deny warn`.
    pub(crate) deny_warn: bool,
    pub(crate) cure: Option<&'a Outcome>,
    /// What remains, where a lock was written.
    pub(crate) after: Option<&'a [Finding]>,
}

/// Where in the lock a finding is: counted from 1, with the line's text.
struct Place<'a> {
    line: usize,
    text: &'a str,
}

impl Report<'_> {
    /// The level a finding counts as.
    pub(crate) fn level(&self, finding: &Finding) -> Level {
        match finding.level {
            Level::Warn if self.deny_warn => Level::Error,
            level => level,
        }
    }

    /// How many of these findings count as this level, with the warnings about the configuration.
    pub(crate) fn n(&self, findings: &[Finding], level: Level) -> usize {
        let of_findings = findings.iter().filter(|f| self.level(f) == level).count();
        let warnings_count_here = match level {
            Level::Warn => !self.deny_warn,
            Level::Error => self.deny_warn,
            Level::Info => false,
        };
        let n_broken = if level == Level::Error { self.broken.len() } else { 0 };
        of_findings + n_broken + if warnings_count_here { self.warnings.len() } else { 0 }
    }

    /// The report in one of its forms. Colours are for the terminal to keep or drop.
    pub(crate) fn render(&self, format: Format) -> String {
        match format {
            Format::Text => text::render(self),
            Format::Json => json::render(self),
            Format::Sarif => sarif::render(self),
            Format::Github => github::render(self),
        }
    }

    fn place(&self, finding: &Finding) -> Place<'_> {
        let line = match &finding.what {
            What::Meeting(m) => self
                .lock
                .edge(&m.holder, &m.child_uses)
                .map(|edge| edge.line)
                .or_else(|| self.lock.find(&m.child).map(|package| package.line)),
            What::Duplicate { versions, .. } => versions
                .first()
                .and_then(|id| self.lock.find(id))
                .map(|package| package.line),
        };
        let line = line.unwrap_or(1);
        Place {
            line,
            text: self.lock.text.lines().nth(line - 1).unwrap_or_default(),
        }
    }
}

fn name(level: Level) -> &'static str {
    match level {
        Level::Error => "error",
        Level::Warn => "warning",
        Level::Info => "info",
    }
}

/// The stable name of what a finding is, for programs.
fn rule(finding: &Finding) -> &'static str {
    match &finding.what {
        What::Meeting(m) => match m.ground {
            Ground::Facade { .. } => "split-facade",
            Ground::Pinned { .. } => "split-interop",
            _ => "split",
        },
        What::Duplicate { .. } => "duplicate",
    }
}

fn title(finding: &Finding) -> String {
    match &finding.what {
        What::Meeting(m) => {
            let own = m.other.as_ref().map_or_else(
                || format!("its own {}", m.parent_uses.version),
                |other| format!("the {} of {}", m.parent_uses.version, other.package),
            );
            format!(
                "two versions of `{}` meet in {}: {own} and the {} of {}",
                m.child_uses.name, m.parent, m.child_uses.version, m.child
            )
        }
        What::Duplicate { name, versions } => {
            let shown: Vec<String> = versions.iter().map(|id| id.version.to_string()).collect();
            format!("`{name}` is there as {}, apart from each other", shown.join(", "))
        }
    }
}

/// The facts of a diamond, one sentence each.
fn notes(finding: &Finding, is_lock_only: bool) -> Vec<String> {
    let mut notes = Vec::new();
    if let What::Meeting(m) = &finding.what {
        notes.extend(uses(m, is_lock_only));
        if m.parent_uses.version == m.child_uses.version {
            notes.push(format!(
                "the versions are equal, the sources are not: {} and {}",
                source(m.parent_uses.source.as_deref()),
                source(m.child_uses.source.as_deref())
            ));
        }
        notes.push(ground(m));
        for side in m.other.iter().chain([&m.theirs]) {
            notes.extend(exposure(m, side));
        }
        if let Some(file) = &m.meets_in {
            notes.push(format!("both are used in {file} of {}", m.parent.name));
        }
        if m.is_confirmed == Some(false) {
            notes.push(
                "`cargo tree` does not show these three edges together: the features that would \
                 turn them on are off"
                    .to_owned(),
            );
        }
    }
    notes.extend(finding.since.clone());
    if let Some(reason) = &finding.excepted {
        notes.push(format!("excepted: {reason}"));
    }
    if !is_lock_only {
        notes.push(format!("seen for {}", finding.contexts.join("; ")));
    }
    notes
}

/// Who uses which version, and by which requirement.
fn uses(m: &Meeting, is_lock_only: bool) -> [String; 2] {
    let required = |requirement: &str| match is_lock_only {
        true => String::new(),
        false => format!(" (requires {requirement})"),
    };
    let by_way = |side: &Side| match side.holder == side.package {
        true => String::new(),
        false => format!("by way of {}, ", side.holder),
    };
    let of_side = |side: &Side, kinds: &str, x: &PackageId, requirement: &str| {
        let kind = if is_lock_only {
            String::new()
        } else {
            format!(", its {kinds} dependency{},", required(&side.requirement))
        };
        format!(
            "{}{kind} uses {}{x}{}",
            side.package,
            by_way(side),
            required(requirement)
        )
    };
    let first = match &m.other {
        None => format!("{} uses {}{}", m.parent, m.parent_uses, required(&m.parent_requirement)),
        Some(other) => of_side(other, &m.kinds, &m.parent_uses, &m.parent_requirement),
    };
    [first, of_side(&m.theirs, &m.kinds, &m.child_uses, &m.child_requirement)]
}

fn source(source: Option<&str>) -> &str {
    source.unwrap_or("a path")
}

fn ground(m: &Meeting) -> String {
    match &m.ground {
        Ground::Pinned { source } => format!(
            "{} and {} pass its types to each other: {source}",
            m.parent.name, m.child.name
        ),
        Ground::Facade { source } => {
            format!("{} re-exports {}: {source}", m.child.name, m.child_uses.name)
        }
        Ground::Implements { place } => format!(
            "{} does not compile: {place} where the trait has the other version",
            m.parent
        ),
        Ground::Compiler { place } => format!("{} does not compile: {place}", m.parent),
        Ground::Uses => format!(
            "{} uses items of {} that name {}, and was published with one version of it",
            m.parent.name, m.child.name, m.child_uses.name
        ),
        Ground::RawBindings => format!(
            "{} declares foreign functions and plain data only; two versions get along",
            m.child_uses.name
        ),
        Ground::Member => format!(
            "{} is part of this workspace; it breaks only where its own code passes types of one version to the other",
            m.parent.name
        ),
        Ground::ParentHasBoth => format!("{} depends on both versions, as if on purpose", m.parent),
        Ground::SplitByDesign => format!(
            "the published requirements of {} split in every lock of its day, so it was released with the split",
            m.parent
        ),
        Ground::Unknown => format!(
            "{} and {} are not known to pass its types to each other",
            m.parent.name, m.child.name
        ),
    }
}

/// What the source of a side says.
fn exposure(m: &Meeting, side: &Side) -> Option<String> {
    let shared = &m.child_uses.name;
    match side.looked {
        Looked::No => return None,
        Looked::NoNeed => {
            return Some(format!(
                "the source of {} does not name {} together with the other {shared}",
                m.parent.name, side.package.name
            ));
        }
        Looked::Yes => {}
    }
    if side.evidence.is_empty() {
        return Some(format!(
            "no public item of {} that could be read names {shared}",
            side.package.name
        ));
    }
    let shown: Vec<String> = most_telling(side)
        .into_iter()
        .map(|e| format!("{}: {} ({})", e.file, e.item, e.names))
        .collect();
    let more = side.evidence.len().saturating_sub(shown.len());
    let more = if more > 0 {
        format!(", and {more} more")
    } else {
        String::new()
    };
    Some(format!(
        "{} exposes it, in {}{more}",
        side.package.name,
        shown.join(", ")
    ))
}

/// Enough items to convince.
fn most_telling(side: &Side) -> Vec<&Evidence> {
    side.evidence.iter().take(3).collect()
}

/// What a reader can do about a diamond, before any cure was sought.
fn help(finding: &Finding, command: &str) -> Option<String> {
    let m = finding.meeting().filter(|_| finding.level > Level::Info)?;
    match m.is_avoidable {
        Some(true) => Some(format!(
            "avoidable: {} of {} also admits {}; `{command} --fix` proves a change of the lock",
            m.child_requirement, m.holder, m.parent_uses.version
        )),
        Some(false) => Some(format!(
            "{} of {} does not admit {}; `{command} --fix` seeks another way and names what blocks it",
            m.child_requirement, m.holder, m.parent_uses.version
        )),
        None => None,
    }
}

/// What a meeting is called from run to run: without the line, so that it stays the same one when the lock moves around it.
pub(crate) fn identity(m: &Meeting) -> String {
    let sibling = m
        .other
        .as_ref()
        .map_or_else(String::new, |other| format!("+{}", other.package));
    format!("{}>{}{sibling}:{}/{}", m.parent, m.child, m.parent_uses, m.child_uses)
}

/// What `--unify` came to, for people.
pub(crate) fn unified(asked: &str, unified: &Unified) -> String {
    let mut out = String::new();
    for step in &unified.steps {
        out.push_str(&format!("step: {step}\n"));
    }
    for (who, why) in &unified.cannot {
        out.push_str(&format!("cannot: {who}: {why}\n"));
    }
    for help in &unified.help {
        out.push_str(&format!("help: {help}\n"));
    }
    for names in &unified.appears {
        out.push_str(&format!("another split appears, so nothing is written: {names}\n"));
    }
    if !unified.diff.is_empty() {
        out.push_str(&format!("\n{}\n", unified.diff));
    }
    let verdict = match (unified.cannot.len(), unified.steps.len()) {
        (0, 0) => "everybody has it already".to_owned(),
        (0, _) => "everybody can have it".to_owned(),
        (n, _) => format!("{n} cannot have it"),
    };
    let written = match &unified.backup {
        Some(backup) => format!("; written, the lock as it was is {backup}"),
        None if unified.steps.is_empty() => String::new(),
        None => "; nothing is written yet, `--apply` writes it".to_owned(),
    };
    out.push_str(&format!("{asked}: {verdict}{written}\n"));
    out
}
