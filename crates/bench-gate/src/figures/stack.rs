//! What a whole consists of: the phases of a call, as parts of it.

use maud::html;

use super::{Figure, place, style::class, text_width, unit::Unit};
use crate::{
    table::Table,
    tags::{Tags, element},
};

const ROW: f64 = 22.0;
const BAR: f64 = 300.0;

/// A figure of bars, all as long, with the parts of each.
#[derive(Clone, Debug, Default)]
pub struct Stack {
    /// The name of its file, and its anchor.
    pub id: String,
    /// What it shows, in a few words.
    pub title: String,
    /// What a person should see in it.
    pub summary: String,
    /// The names of the parts, in order.
    pub parts: Vec<String>,
    /// The bars.
    pub rows: Vec<StackRow>,
    /// The unit of the parts.
    pub unit: Option<Unit>,
}

/// A bar.
#[derive(Clone, Debug, Default)]
pub struct StackRow {
    /// Its name.
    pub name: String,
    /// How much each part is; absent if it was not measured.
    pub parts: Vec<Option<f64>>,
    /// What it is of.
    pub tags: Tags,
}

impl StackRow {
    fn total(&self) -> f64 {
        self.parts.iter().flatten().sum()
    }
}

impl Stack {
    /// Draws it.
    pub fn draw(&self) -> Figure {
        let unit = self.unit.unwrap_or(Unit::Nanos);
        let names = self.rows.iter().map(|row| text_width(&row.name, 12.0));
        let left = names.fold(60.0, f64::max).min(200.0) + 12.0;
        let width = left + BAR + 80.0;
        let mut at = 0.0;
        let keys: Vec<(f64, &String)> = self
            .parts
            .iter()
            .map(|part| {
                let x = at;
                at += 20.0 + text_width(part, 12.0) + 12.0;
                (x, part)
            })
            .collect();
        let body = html! {
            @for (colour, (x, part)) in keys.iter().enumerate() {
                g class=(class(colour, 0)) {
                    rect class="dot" x=(place(*x + 4.0)) y="6" width="12" height="12" {}
                    text x=(place(*x + 20.0)) y="16" { (part) }
                }
            }
            @for (number, row) in self.rows.iter().enumerate() {
                @let y = 30.0 + number as f64 * ROW;
                g.slot transform={ "translate(0 " (y) ")" } { (element("g", "row", &row.tags, &html! {
                    text x=(place(left - 8.0)) y="13" text-anchor="end" { (row.name) }
                    @for (colour, (x, share, part)) in shares(row).into_iter().enumerate() {
                        @if share > 0.0 {
                            g class=(class(colour, 0)) {
                                rect class="dot" x=(place(left + x * BAR)) y="0" width=(place(share * BAR)) height="16" {}
                                title { (self.parts[colour]) ": " (unit.write(part)) }
                            }
                        }
                    }
                    text class="small" x=(place(left + BAR + 8.0)) y="13" { (unit.write(row.total())) }
                })) }
            }
        };
        Figure {
            id: self.id.clone(),
            title: self.title.clone(),
            summary: self.summary.clone(),
            table: self.table(unit),
            width: place(width.max(at)),
            height: 38.0 + self.rows.len() as f64 * ROW,
            min_width: width * 0.75,
            has_links: false,
            body,
        }
    }

    fn table(&self, unit: Unit) -> Table {
        let parts: Vec<String> = self.parts.iter().map(|part| format!(">{part}")).collect();
        let mut headings = vec!["case"];
        headings.extend(parts.iter().map(String::as_str));
        headings.push(">together");
        let mut table = Table::new(self.title.clone(), &headings);
        for row in &self.rows {
            let mut cells = vec![row.name.clone()];
            // What was not measured is not zero.
            let write = |part: &Option<f64>| part.map_or_else(|| "not measured".to_owned(), |part| unit.write(part));
            cells.extend(row.parts.iter().map(write));
            cells.push(unit.write(row.total()));
            table.push_tagged(row.tags.clone(), cells);
        }
        table
    }
}

/// Where each part begins and how long it is, of 1, and how much that is.
fn shares(row: &StackRow) -> Vec<(f64, f64, f64)> {
    let total = row.total();
    let mut at = 0.0;
    row.parts
        .iter()
        .map(|part| {
            let part = part.unwrap_or_default();
            let share = if total > 0.0 { part / total } else { 0.0 };
            at += share;
            (at - share, share, part)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_fill_the_bar_and_what_was_not_measured_is_said_so() {
        let row = StackRow {
            name: "vulkan/1000".to_owned(),
            parts: vec![Some(1000.0), None, Some(3000.0)],
            tags: Tags::new(),
        };
        assert_eq!(
            shares(&row),
            [(0.0, 0.25, 1000.0), (0.25, 0.0, 0.0), (0.25, 0.75, 3000.0)]
        );
        assert_eq!(shares(&StackRow::default()), []);
        let stack = Stack {
            parts: ["upload", "device", "readback"].map(str::to_owned).to_vec(),
            rows: vec![row],
            ..Stack::default()
        };
        assert_eq!(
            stack.draw().table.text(),
            "case         upload        device  readback  together\n\
             vulkan/1000    1 µs  not measured      3 µs      4 µs\n"
        );
    }
}
