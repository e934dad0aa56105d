//! Markdown for a job's summary: counters, then times, then what was measured on which machine.

use std::{borrow::Cow, fmt::Write as _};

use super::{
    Report,
    cells::{HEADINGS, cells},
};

pub(super) fn render(report: &Report<'_>) -> String {
    let mut md = format!("# Bench: {}\n\n", report.headline());
    if let Some(counters) = report.counters() {
        writeln!(md, "{}\n", escape(&counters)).expect("a string takes everything");
    }
    if report.changed().next().is_some() {
        md.push_str("| case | counter | before | now |\n|---|---|--:|--:|\n");
        for verdict in report.changed() {
            for change in &verdict.counters {
                let case = escape(&verdict.case.to_string()).into_owned();
                writeln!(md, "| {case} | {} | {} | {} |", change.name, change.old, change.new)
                    .expect("a string takes everything");
            }
        }
        md.push('\n');
    }
    let line = |row: [String; 6]| format!("| {} |\n", row.map(|cell| escape(&cell).into_owned()).join(" | "));
    if report.shown().next().is_some() {
        md.push_str(&line(HEADINGS.map(str::to_owned)));
        md.push_str("|---|--:|--:|--:|--:|---|\n");
        md.extend(report.shown().map(|verdict| line(cells(verdict))));
        md.push('\n');
    }
    for sentence in report.sentences().iter().chain(&report.circumstances()) {
        writeln!(md, "- {}", escape(sentence)).expect("a string takes everything");
    }
    md
}

/// What would end a cell or a line, open a tag or begin emphasis is shown as it is. Backticks keep their meaning.
pub(crate) fn escape(text: &str) -> Cow<'_, str> {
    const SPECIAL: [char; 6] = ['|', '<', '&', '*', '\n', '\r'];
    if !text.contains(SPECIAL) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::new();
    let mut is_code = false;
    for c in text.chars() {
        is_code ^= c == '`';
        match c {
            '\n' | '\r' => escaped.push(' '),
            // A bar ends a cell even within code.
            '|' => escaped.push_str("\\|"),
            '<' if !is_code => escaped.push_str("&lt;"),
            '&' if !is_code => escaped.push_str("&amp;"),
            '*' if !is_code => escaped.push_str("\\*"),
            c => escaped.push(c),
        }
    }
    Cow::Owned(escaped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_cell_is_taken_for_markdown() {
        let check = |text: &str, expected: &str| assert_eq!(escape(text), expected);
        check("vector_add/cpu/1000", "vector_add/cpu/1000");
        check("a | b\nc\r\nd", "a \\| b c  d");
        check("<script> & co", "&lt;script> &amp; co");
        check("change*", "change\\*");
        check("`a*b <c> | d` *", "`a*b <c> \\| d` \\*");
    }
}
