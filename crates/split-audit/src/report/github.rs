//! Annotations of GitHub Actions, one workflow command per finding.

use std::fmt::Write as _;

use super::{Report, help, notes, title};
use crate::finding::Level;

pub(super) fn render(report: &Report<'_>) -> String {
    let mut out = String::new();
    for finding in report.findings {
        let place = report.place(finding);
        let mut message = vec![title(finding)];
        message.extend(notes(finding, report.is_lock_only));
        message.extend(help(finding, report.command).map(|help| format!("help: {help}")));
        let _ = writeln!(
            out,
            "::{} file={},line={},title={}::{}",
            command(report.level(finding)),
            property(&report.lock.label),
            place.line,
            property(&format!("split-audit: {}", finding.shared())),
            data(&message.join("\n"))
        );
    }
    for warning in report.warnings {
        let level = if report.deny_warn { Level::Error } else { Level::Warn };
        let _ = writeln!(out, "::{} title=split-audit::{}", command(level), data(warning));
    }
    out
}

fn command(level: Level) -> &'static str {
    match level {
        Level::Error => "error",
        Level::Warn => "warning",
        Level::Info => "notice",
    }
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
