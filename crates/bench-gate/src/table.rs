//! A table as data, with one writer for each form.

use maud::{Markup, html};

use crate::tags::{Tags, element};

/// Rows of cells under headings. Every row has as many cells as there are headings.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    /// What the table shows, in a sentence.
    pub caption: String,
    /// The columns, in order.
    pub columns: Vec<Column>,
    /// The rows.
    pub rows: Vec<Row>,
}

/// A row.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// In the order of the columns.
    pub cells: Vec<Cell>,
    /// What it is of: a page filters by it.
    pub tags: Tags,
}

/// A column: its heading, and to which side its cells are aligned.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    heading: String,
    is_number: bool,
}

/// A cell: what it says, and where it leads to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cell {
    /// What a person reads.
    pub text: String,
    /// The id of the element it links to, within the same page.
    pub target: Option<String>,
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self {
            text: text.into(),
            target: None,
        }
    }
}

impl Cell {
    /// A cell that links to the element of that id within the same page.
    pub fn link(text: impl Into<String>, target: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            target: Some(target.into()),
        }
    }
}

impl Table {
    /// A table without rows. A heading that begins with `>` is that of a column of numbers, which are aligned to the right.
    pub fn new(caption: impl Into<String>, headings: &[&str]) -> Self {
        let column = |heading: &&str| Column {
            heading: heading.trim_start_matches('>').to_owned(),
            is_number: heading.starts_with('>'),
        };
        Self {
            caption: caption.into(),
            columns: headings.iter().map(column).collect(),
            rows: Vec::new(),
        }
    }

    /// Adds a row.
    ///
    /// # Panics
    /// If it has another number of cells than there are columns.
    pub fn push<C: Into<Cell>>(&mut self, cells: impl IntoIterator<Item = C>) {
        self.push_tagged(Tags::new(), cells);
    }

    /// Adds a row that a page can filter.
    ///
    /// # Panics
    /// If it has another number of cells than there are columns.
    pub fn push_tagged<C: Into<Cell>>(&mut self, tags: Tags, cells: impl IntoIterator<Item = C>) {
        let cells: Vec<Cell> = cells.into_iter().map(Into::into).collect();
        assert_eq!(cells.len(), self.columns.len(), "a row has a cell for each column");
        self.rows.push(Row { cells, tags });
    }

    /// The same table without the columns in which no row has anything.
    #[must_use]
    pub fn without_empty_columns(mut self) -> Self {
        let is_used = |at: usize| self.rows.iter().any(|row| !row.cells[at].text.is_empty());
        let used: Vec<bool> = (0..self.columns.len()).map(is_used).collect();
        let mut keep = used.iter();
        self.columns.retain(|_| keep.next() == Some(&true));
        for row in &mut self.rows {
            let mut keep = used.iter();
            row.cells.retain(|_| keep.next() == Some(&true));
        }
        self
    }

    /// For a terminal: aligned, with a line feed after each row and no spaces at the end of one.
    pub fn text(&self) -> String {
        let width = |at: usize| {
            let cells = self.rows.iter().map(|row| row.cells[at].text.chars().count());
            cells.chain([self.columns[at].heading.chars().count()]).max()
        };
        let widths: Vec<usize> = (0..self.columns.len()).filter_map(width).collect();
        let mut text = String::new();
        let headings: Vec<&str> = self.columns.iter().map(|column| column.heading.as_str()).collect();
        let rows = self
            .rows
            .iter()
            .map(|row| row.cells.iter().map(|cell| cell.text.as_str()).collect());
        for row in std::iter::once(headings).chain(rows) {
            let mut line = String::new();
            for ((cell, column), width) in row.into_iter().zip(&self.columns).zip(&widths) {
                line.push_str(&match column.is_number {
                    true => format!("{cell:>width$}  "),
                    false => format!("{cell:<width$}  "),
                });
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }

    /// For a page of Markdown, without the caption.
    pub fn markdown(&self) -> String {
        let escape = |text: &str| text.replace('\\', "\\\\").replace('|', "\\|").replace('\n', " ");
        let mut md = String::from("|");
        for column in &self.columns {
            md.push_str(&format!(" {} |", escape(&column.heading)));
        }
        md.push_str("\n|");
        for column in &self.columns {
            md.push_str(if column.is_number { "--:|" } else { "---|" });
        }
        md.push('\n');
        for row in &self.rows {
            md.push('|');
            for cell in &row.cells {
                md.push_str(&format!(" {} |", escape(&cell.text)));
            }
            md.push('\n');
        }
        md
    }

    /// For a page of HTML.
    pub fn html(&self) -> Markup {
        html! {
            div.scroll tabindex="0" role="group" aria-label=(self.caption) {
                table {
                    caption { (self.caption) }
                    thead { tr {
                        @for column in &self.columns {
                            th scope="col" class=[column.is_number.then_some("number")] { (column.heading) }
                        }
                    } }
                    tbody {
                        @for row in &self.rows {
                            (element("tr", "", &row.tags, &html! {
                                @for (cell, column) in row.cells.iter().zip(&self.columns) {
                                    td class=[column.is_number.then_some("number")] {
                                        @match &cell.target {
                                            Some(target) => a href={ "#" (target) } { (cell.text) },
                                            None => (cell.text),
                                        }
                                    }
                                }
                            }))
                        }
                    }
                }
            }
        }
    }
}

/// A time in nanoseconds with three digits and the unit that fits, as tables have it: zeros stay, so that columns
/// align.
#[must_use]
pub fn duration(ns: f64) -> String {
    let (value, unit) = match ns {
        ns if ns < 1e3 => (ns, "ns"),
        ns if ns < 1e6 => (ns / 1e3, "µs"),
        ns if ns < 1e9 => (ns / 1e6, "ms"),
        ns => (ns / 1e9, "s"),
    };
    let decimals = match value {
        v if v < 9.995 => 2,
        v if v < 99.95 => 1,
        _ => 0,
    };
    format!("{value:.decimals$} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Table {
        let mut table = Table::new("Sizes", &["case", ">time"]);
        table.push([Cell::link("a|b", "case-a"), "9 ns".into()]);
        table.push(["longer <one>", "1.25 ms"]);
        table
    }

    #[test]
    fn each_form_has_every_cell_in_its_own_escaping() {
        assert_eq!(
            example().text(),
            "case             time\na|b              9 ns\nlonger <one>  1.25 ms\n"
        );
        assert_eq!(
            example().markdown(),
            "| case | time |\n|---|--:|\n| a\\|b | 9 ns |\n| longer <one> | 1.25 ms |\n"
        );
        let html = example().html().into_string();
        assert!(html.contains("<td><a href=\"#case-a\">a|b</a></td>"), "{html}");
        assert!(html.contains("longer &lt;one&gt;"), "{html}");
    }

    #[test]
    fn a_column_without_anything_goes() {
        let mut table = Table::new("x", &["a", ">b", "c"]);
        table.push(["1", "", "3"]);
        table.push(["", "", "4"]);
        assert_eq!(table.without_empty_columns().text(), "a  c\n1  3\n   4\n");
    }

    #[test]
    #[should_panic(expected = "a cell for each column")]
    fn a_row_of_another_length_is_a_bug() {
        example().push(["alone"]);
    }

    #[test]
    fn times_have_three_digits() {
        let check = |ns, expected: &str| assert_eq!(duration(ns), expected);
        check(0.5, "0.50 ns");
        check(12.34, "12.3 ns");
        check(999.4, "999 ns");
        check(51_234.0, "51.2 µs");
        check(1_234_567.0, "1.23 ms");
        check(9_996_000.0, "10.0 ms");
        check(2.5e9, "2.50 s");
    }
}
