//! The form for people: what, where in the lock, why, what to do; as rustc's diagnostics.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};

use super::{Report, help, name, notes, title};
use crate::{
    cure::{Blocked, Outcome},
    finding::{Finding, Level},
};

pub(super) fn render(report: &Report<'_>) -> String {
    let mut out = String::new();
    for finding in report.findings {
        let level = report.level(finding);
        let place = report.place(finding);
        heading(&mut out, level, &title(finding));
        let width = place.line.to_string().len();
        let pad = " ".repeat(width);
        let bar = AnsiColor::Blue.on_default().bold();
        let _ = writeln!(out, "{pad}{bar}-->{bar:#} {}:{}", report.lock.label, place.line);
        if level > Level::Info {
            let _ = writeln!(out, "{pad} {bar}|{bar:#}");
            let _ = writeln!(out, "{bar}{} |{bar:#} {}", place.line, place.text);
            let _ = writeln!(out, "{pad} {bar}|{bar:#}");
        }
        for note in notes(finding, report.is_lock_only) {
            let _ = writeln!(out, "{pad} {bar}={bar:#} note: {note}");
        }
        if let Some(help) = help(finding, report.command).filter(|_| report.cure.is_none()) {
            let _ = writeln!(out, "{pad} {bar}={bar:#} help: {help}");
        }
        out.push('\n');
    }
    for broken in report.broken {
        heading(&mut out, Level::Error, broken);
        out.push('\n');
    }
    for warning in report.warnings {
        let level = if report.deny_warn { Level::Error } else { Level::Warn };
        heading(&mut out, level, warning);
        out.push('\n');
    }
    if let Some(outcome) = report.cure {
        cure(&mut out, outcome);
    }
    summary(&mut out, report, report.findings);
    if let Some(after) = report.after {
        out.push_str("after the change, ");
        summary(&mut out, report, after);
    }
    out
}

fn heading(out: &mut String, level: Level, title: &str) {
    let style = style(level);
    let bold = Style::new().bold();
    let _ = writeln!(out, "{style}{}{style:#}{bold}: {title}{bold:#}", name(level));
}

fn style(level: Level) -> Style {
    let colour = match level {
        Level::Error => AnsiColor::Red,
        Level::Warn => AnsiColor::Yellow,
        Level::Info => AnsiColor::Cyan,
    };
    colour.on_default().bold()
}

fn cure(out: &mut String, outcome: &Outcome) {
    let green = AnsiColor::Green.on_default().bold();
    for cured in &outcome.cured {
        let m = &cured.meeting;
        let _ = writeln!(
            out,
            "{green}cure{green:#}: {} and {} on one `{}`",
            m.parent, m.child, m.child_uses.name
        );
        for step in &cured.steps {
            let _ = writeln!(out, "  = step: {step}");
        }
        for lost in &cured.lost {
            let _ = writeln!(out, "  = note: {lost}");
        }
        if let Some(command) = &cured.equivalent {
            let _ = writeln!(out, "  = the same by command: {command}");
        }
        let _ = writeln!(
            out,
            "  = proven: cargo accepts the lock with `--locked`, every profile is audited again, no other edge changed\n"
        );
    }
    for blocked in &outcome.blocked {
        blocker(out, blocked);
    }
    if !outcome.diff.is_empty() {
        let _ = writeln!(out, "{}", outcome.diff);
    }
    match &outcome.backup {
        Some(backup) => {
            let _ = writeln!(out, "written; the lock as it was is {backup}\n");
        }
        None if outcome.is_cut => {
            let _ = writeln!(
                out,
                "nothing is written yet; `--fix` seeks cures for the other findings, `--apply` writes them\n"
            );
        }
        None if !outcome.cured.is_empty() => {
            let _ = writeln!(out, "nothing is written yet; `--apply` writes it\n");
        }
        None => {}
    }
}

fn blocker(out: &mut String, blocked: &Blocked) {
    let red = AnsiColor::Red.on_default().bold();
    let (m, b) = (&blocked.meeting, &blocked.blocker);
    let verdict = if blocked.n_untried > 0 {
        "no change of the lock that was tried brings"
    } else {
        "the lock cannot bring"
    };
    let _ = writeln!(
        out,
        "{red}blocked{red:#}: {verdict} {} and {} on one `{}`",
        m.parent, m.child, m.child_uses.name
    );
    if blocked.n_untried > 0 {
        let _ = writeln!(
            out,
            "  = note: {} changes of the lock were not tried; a higher `--max-tries` tries them",
            blocked.n_untried
        );
    }
    let _ = writeln!(out, "  = blocker: {}", b.sentence);
    if let Some((member, requirement)) = &b.required_by {
        let _ = writeln!(out, "  = required by: {member} ({requirement})");
    }
    if blocked.n_admissible > 0 {
        let _ = writeln!(
            out,
            "  = tried: {} admissible releases were looked at",
            blocked.n_admissible
        );
    }
    for (candidate, why) in &blocked.tried {
        let _ = writeln!(out, "  = tried: {candidate}: {why}");
    }
    if let Some((name, version)) = &b.first_release {
        let _ = writeln!(out, "  = first release that helps: {name} {version}");
    }
    if let Some(note) = &b.index_note {
        let _ = writeln!(out, "  = note: {note}");
    }
    for (index, advice) in b.advice.iter().enumerate() {
        let mut word = if index == 0 { "write" } else { "or write" };
        for line in &advice.lines {
            let _ = writeln!(
                out,
                "  = help: {word} at {}, for `{}`: {}",
                line.place, line.dependency, line.line
            );
            word = "and write";
        }
    }
    for then in b.advice.iter().filter_map(|advice| advice.then.as_ref()) {
        let _ = writeln!(out, "  = help: and run `cargo update -p {then}`");
    }
    if !b.advice.is_empty() {
        let _ = writeln!(
            out,
            "  = tried: each of these on a copy: cargo resolves it, and an audit of all it splits finds nothing that could break"
        );
    }
    out.push('\n');
}

fn summary(out: &mut String, report: &Report<'_>, findings: &[Finding]) {
    let [errors, warnings, infos] = [Level::Error, Level::Warn, Level::Info].map(|level| report.n(findings, level));
    let verdict = match (errors, warnings) {
        (0, 0) => "clean",
        (0, _) => "no errors found",
        _ => "errors found",
    };
    let style = if errors > 0 {
        style(Level::Error)
    } else if warnings > 0 {
        style(Level::Warn)
    } else {
        AnsiColor::Green.on_default().bold()
    };
    let _ = writeln!(
        out,
        "split-audit: {style}{verdict}{style:#}: {errors} error(s), {warnings} warning(s), {infos} info; crates: {}",
        if report.crates.is_empty() {
            "every duplicated one".to_owned()
        } else {
            report.crates.join(", ")
        }
    );
    if report.is_lock_only {
        let _ = writeln!(
            out,
            "  read: {} alone, every target and feature at once: over-approximate, not confirmed with cargo",
            report.lock.label
        );
    }
    for context in report.contexts {
        let _ = writeln!(out, "  audited: {context}");
    }
}
