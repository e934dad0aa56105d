//! A table for the terminal, below what is said of the counters.

use std::fmt::Write as _;

use anstyle::Style;

use super::{
    Report,
    cells::{HEADINGS, cells},
};
use crate::{case::in_words, verdict::Verdict};

pub(super) fn render(report: &Report<'_>, style: impl Fn(Verdict) -> Style) -> String {
    let mut text = String::new();
    if let Some(counters) = report.counters() {
        let word = match report.changed().next() {
            Some(_) => style(Verdict::CountersChanged),
            None => Style::new(),
        };
        writeln!(text, "{word}{counters}{word:#}").expect("a string takes everything");
        for verdict in report.changed() {
            writeln!(text, "  {}: {}", verdict.case, in_words(&verdict.counters)).expect("a string takes everything");
        }
    }
    let table: Vec<[String; 6]> = report.shown().map(cells).collect();
    let width = |column: usize| {
        let cells = table.iter().map(|row| row[column].chars().count());
        cells.chain([HEADINGS[column].len()]).max().unwrap_or_default()
    };
    let widths: [usize; 5] = std::array::from_fn(width);
    let line = |text: &mut String, row: [&str; 6], verdict: Style| {
        write!(text, "{:<w$}", row[0], w = widths[0]).expect("a string takes everything");
        for (cell, w) in row[1..5].iter().zip(&widths[1..]) {
            write!(text, "  {cell:>w$}").expect("a string takes everything");
        }
        writeln!(text, "  {verdict}{}{verdict:#}", row[5]).expect("a string takes everything");
    };
    if !table.is_empty() {
        line(&mut text, HEADINGS, Style::new());
    }
    for (row, verdict) in table.iter().zip(report.shown()) {
        line(&mut text, row.each_ref().map(String::as_str), style(verdict.verdict));
    }
    for sentence in report.sentences() {
        writeln!(text, "{sentence}").expect("a string takes everything");
    }
    text
}
