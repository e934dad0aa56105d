//! Cases with their change and its interval, the largest first: what a person looks at before anything else.

use maud::{Markup, html};

use super::{Figure, place, scale::Scale, text_width, unit::Unit};
use crate::{
    table::{Cell, Table},
    tags::{Tags, element},
};

/// Height of a row, and of the axis above the rows.
const ROW: f64 = 20.0;
const TOP: f64 = 44.0;
/// Changes beyond this are drawn at the edge, in per cent: one case ten times as slow must not hide the others.
const MAX_SHOWN: f64 = 100.0;

/// A figure of changes.
#[derive(Clone, Debug, Default)]
pub struct Forest {
    /// The name of its file, and its anchor.
    pub id: String,
    /// What it shows, in a few words.
    pub title: String,
    /// What a person should see in it.
    pub summary: String,
    /// In any order; they are drawn with the largest slowdown first.
    pub rows: Vec<ForestRow>,
    /// What the interval is: `99 % interval`.
    pub interval: String,
}

/// A case.
#[derive(Clone, Debug, Default)]
pub struct ForestRow {
    /// Its name.
    pub name: String,
    /// The anchor of what is told of it.
    pub target: Option<String>,
    /// Change in per cent, positive where it is slower; absent if nothing could be compared.
    pub change: Option<f64>,
    /// Where the change lies, in per cent.
    pub interval: Option<(f64, f64)>,
    /// The verdict's word.
    pub word: String,
    /// Whether that is bad (`Some(true)`), good (`Some(false)`) or neither.
    pub is_worse: Option<bool>,
    /// What it is of.
    pub tags: Tags,
}

impl Forest {
    /// Draws it.
    pub fn draw(&self) -> Figure {
        let mut rows: Vec<&ForestRow> = self.rows.iter().collect();
        rows.sort_by(|a, b| {
            let change = |row: &ForestRow| row.change.unwrap_or(f64::NEG_INFINITY);
            change(b).total_cmp(&change(a)).then_with(|| a.name.cmp(&b.name))
        });
        let widest =
            |text: fn(&ForestRow) -> &str| rows.iter().map(|row| text_width(text(row), 12.0)).fold(0.0, f64::max);
        let names = widest(|row| &row.name).clamp(80.0, 260.0);
        let words = widest(|row| &row.word).clamp(40.0, 120.0);
        let left = names + 16.0;
        let width = left + 230.0 + 66.0 + words + 12.0;
        let right = left + 230.0;
        let bounded = |value: f64| value.clamp(-MAX_SHOWN, MAX_SHOWN);
        let values = rows.iter().flat_map(|row| {
            let (low, high) = row.interval.unzip();
            [row.change, low, high].into_iter().flatten().map(bounded)
        });
        // Half a per cent either way at the least, so that noise does not fill the picture.
        let scale = Scale::over(values.chain([-0.5, 0.5]), false);
        let px = |value: f64| place(left + scale.at(bounded(value)) * (right - left));
        let height = TOP + rows.len() as f64 * ROW + 8.0;
        let body = html! {
            text class="small" x=(left) y="14" { "\u{2190} faster" }
            text class="small" x=(right) y="14" text-anchor="end" { "slower \u{2192}" }
            @for tick in scale.ticks(5) {
                text class="small" x=(px(tick)) y="32" text-anchor="middle" { (Unit::Change.write(tick)) }
            }
            @for (at, row) in rows.iter().enumerate() {
                (self.row(row, TOP + at as f64 * ROW, &scale, &px, (left, right, names)))
            }
        };
        Figure {
            id: self.id.clone(),
            title: self.title.clone(),
            summary: self.summary.clone(),
            table: self.table(&rows),
            width: place(width),
            height,
            min_width: width * 0.85,
            has_links: rows.iter().any(|row| row.target.is_some()),
            body,
        }
    }

    fn row(
        &self,
        row: &ForestRow,
        y: f64,
        scale: &Scale,
        px: &dyn Fn(f64) -> f64,
        (left, right, names): (f64, f64, f64),
    ) -> Markup {
        let class = match row.is_worse {
            Some(true) => "row worse",
            Some(false) => "row better",
            None => "row same",
        };
        let name = shortened(&row.name, names);
        let middle = ROW / 2.0;
        let body = html! {
            // The grid is the rows' own, so that rows can go and the others move up.
            @for tick in scale.ticks(5) {
                line class=(if tick == 0.0 { "zero" } else { "grid" }) x1=(px(tick)) x2=(px(tick)) y1="0" y2=(ROW) {}
            }
            @match &row.target {
                Some(target) => a href={ "#" (target) } { text x=(left - 8.0) y="14" text-anchor="end" { (name) } },
                None => text x=(left - 8.0) y="14" text-anchor="end" { (name) },
            }
            @if let Some((low, high)) = row.interval {
                line class="bar" x1=(px(low)) x2=(px(high)) y1=(middle) y2=(middle) {}
            }
            @if let Some(change) = row.change {
                circle class="dot" cx=(px(change)) cy=(middle) r="4" {}
                text x=(right + 60.0) y="14" text-anchor="end" { (Unit::Change.write(tenths(change))) }
            }
            text class="word" x=(right + 70.0) y="14" { (row.word) }
            title { (row.name) ": " (row.word) }
        };
        html! { g.slot transform={ "translate(0 " (y) ")" } { (element("g", class, &row.tags, &body)) } }
    }

    fn table(&self, rows: &[&ForestRow]) -> Table {
        let interval = format!(">{}", self.interval);
        let mut table = Table::new(self.title.clone(), &["case", ">change", &interval, "verdict"]);
        for row in rows {
            let write = |value: f64| Unit::Change.write(tenths(value));
            let name = Cell {
                text: row.name.clone(),
                target: row.target.clone(),
            };
            let interval = row
                .interval
                .map(|(low, high)| format!("{} to {}", write(low), write(high)));
            table.push_tagged(
                row.tags.clone(),
                [
                    name,
                    row.change.map_or_else(String::new, write).into(),
                    interval.unwrap_or_default().into(),
                    row.word.clone().into(),
                ],
            );
        }
        table
    }
}

/// No change is known better.
fn tenths(change: f64) -> f64 {
    (change * 10.0).round() / 10.0
}

/// The end of a name is what tells it from others.
fn shortened(name: &str, width: f64) -> String {
    let most = (width / (12.0 * 0.56)).round() as usize;
    let letters: Vec<char> = name.chars().collect();
    match letters.len() <= most {
        true => name.to_owned(),
        false => format!(
            "\u{2026}{}",
            letters[letters.len() + 1 - most..].iter().collect::<String>()
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::Theme;

    fn row(name: &str, change: Option<f64>, interval: Option<(f64, f64)>) -> ForestRow {
        ForestRow {
            name: name.to_owned(),
            change,
            interval,
            word: "pass".to_owned(),
            ..ForestRow::default()
        }
    }

    #[test]
    fn the_largest_slowdown_comes_first_and_what_is_unknown_last() {
        let forest = Forest {
            interval: "95 % interval".to_owned(),
            rows: vec![
                row("unknown", None, None),
                row("faster", Some(-2.04), Some((-3.0, -1.0))),
                row("slow", Some(900.0), Some((850.0, 1000.0))),
            ],
            ..Forest::default()
        };
        let figure = forest.draw();
        assert_eq!(
            figure.table.text(),
            "case     change      95 % interval  verdict\n\
             slow     +900 %  +850 % to +1000 %  pass\n\
             faster     \u{2212}2 %       \u{2212}3 % to \u{2212}1 %  pass\n\
             unknown                             pass\n"
        );
        // Nothing is drawn outside of the picture.
        let svg = figure.svg(Theme::Light);
        let parsed = roxmltree::Document::parse(&svg).unwrap();
        let dots: Vec<f64> = parsed
            .descendants()
            .filter_map(|node| node.attribute("cx")?.parse().ok())
            .collect();
        assert_eq!(dots.len(), 2);
        assert!(dots.iter().all(|x| (0.0..=figure.width).contains(x)), "{dots:?}");
    }

    #[test]
    fn a_long_name_keeps_its_end() {
        assert_eq!(shortened("short", 200.0), "short");
        let long = shortened(&format!("{}/1000x256", "a".repeat(100)), 134.4);
        assert!(
            long.starts_with('\u{2026}') && long.ends_with("/1000x256") && long.chars().count() == 20,
            "{long}"
        );
    }
}
