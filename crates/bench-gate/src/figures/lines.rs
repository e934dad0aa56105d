//! Series of points with bands: curves over size, distributions, calls over time, blocks of a comparison, clocks, history.

use maud::{Markup, html};

use super::{
    Figure,
    frame::{Entry, Frame, legend, marker},
    place,
    scale::Scale,
    style::class,
    text_width,
    unit::Unit,
};
use crate::{
    table::Table,
    tags::{Tags, element},
};

/// Beyond so many points a series has no markers, and beyond so many rows a table is no help.
const MAX_MARKERS: usize = 40;
const MAX_ROWS: usize = 60;
/// How the legend draws a level.
const LEVEL_DASH: usize = 1;

/// A figure of series over a common axis.
#[derive(Clone, Debug)]
pub struct Lines {
    /// The name of its file, and its anchor.
    pub id: String,
    /// What it shows, in a few words.
    pub title: String,
    /// What a person should see in it.
    pub summary: String,
    /// Axis from left to right.
    pub x: Axis,
    /// Axis upwards.
    pub y: Axis,
    /// What is drawn.
    pub series: Vec<Series>,
    /// Places on the x axis, with intervals: where one line crosses another.
    pub marks: Vec<Mark>,
    /// Heights, with intervals: what many points amount to.
    pub levels: Vec<Level>,
    /// What the numbers of a band are called, `p95` or `least and most`; without it, nothing is said of bands.
    pub band: String,
    /// In pixels.
    pub height: f64,
}

/// An axis.
#[derive(Clone, Debug)]
pub struct Axis {
    /// What it measures.
    pub label: String,
    /// How its values are written.
    pub unit: Unit,
    /// Whether it is logarithmic.
    pub is_log: bool,
}

/// Points that belong together.
#[derive(Clone, Debug, Default)]
pub struct Series {
    /// Its name in the legend.
    pub name: String,
    /// In ascending order of `x`.
    pub points: Vec<Point>,
    /// Which colour it has, and which marker.
    pub colour: usize,
    /// How its line is dashed: the same colour twice is the same thing in two runs.
    pub dash: usize,
    /// Whether points are drawn without a line between them.
    pub is_loose: bool,
    /// What it is of.
    pub tags: Tags,
}

/// A point, with the band around it where there is one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    x: f64,
    y: f64,
    band: Option<(f64, f64)>,
}

impl Point {
    /// A point without a band.
    pub fn new(x: f64, y: f64) -> Self {
        Self { x, y, band: None }
    }

    /// The same point with a band from `low` to `high`.
    #[must_use]
    pub fn with_band(self, low: f64, high: f64) -> Self {
        Self {
            band: Some((low, high)),
            ..self
        }
    }
}

/// A place on the x axis.
#[derive(Clone, Debug)]
pub struct Mark {
    /// The colour of the series it belongs to.
    pub colour: usize,
    /// Where it is.
    pub x: f64,
    /// How certain that is.
    pub interval: Option<(f64, f64)>,
    /// What it is.
    pub label: String,
    /// What it is of.
    pub tags: Tags,
}

/// A height.
#[derive(Clone, Debug)]
pub struct Level {
    /// The colour of the series it belongs to.
    pub colour: usize,
    /// Where it is.
    pub y: f64,
    /// How certain that is.
    pub interval: Option<(f64, f64)>,
    /// What it is.
    pub label: String,
}

impl Default for Lines {
    fn default() -> Self {
        let axis = |label: &str, unit| Axis {
            label: label.to_owned(),
            unit,
            is_log: false,
        };
        Self {
            id: String::new(),
            title: String::new(),
            summary: String::new(),
            x: axis("", Unit::Count),
            y: axis("time per call", Unit::Nanos),
            series: Vec::new(),
            marks: Vec::new(),
            levels: Vec::new(),
            band: String::new(),
            height: 330.0,
        }
    }
}

/// The distribution of some values as points: what part of them is at most so much. No more than 201 points; of more than 200
/// values the slowest half per cent is left out, as one of them would take most of the picture.
pub fn ecdf(values: &[f64]) -> Vec<Point> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().saturating_sub(1 + sorted.len() / 200);
    let steps = last.clamp(1, 200);
    let at = |step: usize| {
        let rank = step * last / steps;
        Point::new(sorted[rank], (rank + 1) as f64 / sorted.len() as f64)
    };
    let mut points: Vec<Point> = (0..=steps).filter(|_| !sorted.is_empty()).map(at).collect();
    points.dedup();
    points
}

/// Values in their order, gathered into no more than `most` bins: the median of each, with its tenth and ninetieth percentile.
pub fn binned(values: &[f64], most: usize) -> Vec<Point> {
    let each = values.len().div_ceil(most.max(1)).max(1);
    let bins = values.chunks(each).enumerate();
    bins.map(|(at, bin)| {
        let mut sorted = bin.to_vec();
        sorted.sort_by(f64::total_cmp);
        let middle = (at * each) as f64 + bin.len() as f64 / 2.0;
        Point::new(middle, sorted[sorted.len() / 2]).with_band(
            sorted[sorted.len() / 10],
            sorted[(sorted.len() * 9 / 10).min(sorted.len() - 1)],
        )
    })
    .collect()
}

impl Lines {
    /// Draws it.
    pub fn draw(&self) -> Figure {
        let width = 520.0;
        let mut entries: Vec<Entry<'_>> = Vec::new();
        for Series { name, colour, dash, .. } in &self.series {
            entries.push(Entry {
                name,
                colour: *colour,
                dash: *dash,
                marker: *colour,
            });
        }
        // A single line is what the title says.
        if entries.len() == 1 && entries[0].name.is_empty() {
            entries.clear();
        }
        for Level { label, colour, .. } in &self.levels {
            entries.push(Entry {
                name: label,
                colour: *colour,
                dash: LEVEL_DASH,
                marker: *colour,
            });
        }
        let (legend, legend_height) = legend(&entries, width);
        let points = || self.series.iter().flat_map(|series| &series.points);
        let spans = |interval: Option<(f64, f64)>| interval.into_iter().flat_map(|(low, high)| [low, high]);
        let xs = points()
            .map(|point| point.x)
            .chain(self.marks.iter().map(|mark| mark.x));
        let ys = points()
            .flat_map(|point| spans(point.band).chain([point.y]))
            .chain(
                self.levels
                    .iter()
                    .flat_map(|level| spans(level.interval).chain([level.y])),
            )
            .chain((self.y.unit == Unit::Change).then_some(0.0));
        let share = self.y.unit == Unit::Share;
        let y_scale = if share {
            Scale::exactly(0.0, 1.0)
        } else {
            Scale::over(ys, self.y.is_log)
        };
        let frame = Frame {
            width,
            height: self.height + legend_height,
            x: (Scale::over(xs, self.x.is_log), self.x.unit, &self.x.label),
            y: (y_scale, self.y.unit, &self.y.label),
            top: legend_height,
        };
        let body = html! {
            (legend)
            (frame.draw())
            @if self.y.unit == Unit::Change {
                line class="zero" x1=(frame.left()) x2=(frame.right()) y1=(frame.py(0.0)) y2=(frame.py(0.0)) {}
            }
            @for level in &self.levels { (self.level(&frame, level)) }
            @for series in &self.series { (self.one(&frame, series)) }
            @for (at, mark) in self.marks.iter().enumerate() { (self.mark(&frame, mark, at)) }
        };
        Figure {
            id: self.id.clone(),
            title: self.title.clone(),
            summary: self.summary.clone(),
            table: self.table(),
            width,
            height: frame.height,
            min_width: width * 0.68,
            has_links: false,
            body,
        }
    }

    fn one(&self, frame: &Frame<'_>, series: &Series) -> Markup {
        let at = |x: f64, y: f64| format!("{} {}", frame.px(x), frame.py(y));
        let path = |points: &mut dyn Iterator<Item = (f64, f64)>| {
            let places: Vec<String> = points.map(|(x, y)| at(x, y)).collect();
            places.join(" L")
        };
        let banded: Vec<(f64, (f64, f64))> = series
            .points
            .iter()
            .filter_map(|point| Some((point.x, point.band?)))
            .collect();
        let body = html! {
            @if series.is_loose {
                @for (x, (low, high)) in &banded {
                    line class="bar" x1=(frame.px(*x)) x2=(frame.px(*x)) y1=(frame.py(*low)) y2=(frame.py(*high)) {}
                }
            } @else {
                @if banded.len() > 1 {
                    path class="band" d={
                        "M" (path(&mut banded.iter().map(|(x, (low, _))| (*x, *low))))
                        " L" (path(&mut banded.iter().rev().map(|(x, (_, high))| (*x, *high)))) " z"
                    } {}
                }
                path class="line" d={ "M" (path(&mut series.points.iter().map(|point| (point.x, point.y)))) } {}
            }
            @if series.is_loose || series.points.len() <= MAX_MARKERS {
                @for point in &series.points {
                    g {
                        (marker(series.colour, frame.px(point.x), frame.py(point.y)))
                        title { (series.name) ", " (self.x.unit.write(point.x)) ": " (self.y.unit.write(point.y)) }
                    }
                }
            }
        };
        element("g", &class(series.colour, series.dash), &series.tags, &body)
    }

    fn mark(&self, frame: &Frame<'_>, mark: &Mark, at: usize) -> Markup {
        let x = frame.px(mark.x);
        // Labels of several marks stand below each other, on the side where there is room.
        let y = place(frame.top + 14.0 + 15.0 * at as f64);
        let is_left = x + 6.0 + text_width(&mark.label, 12.0) > frame.right();
        let body = html! {
            @if let Some((low, high)) = mark.interval {
                rect class="band" x=(frame.px(low)) y=(frame.top)
                    width=(place((frame.px(high) - frame.px(low)).max(1.0))) height=(place(frame.bottom() - frame.top)) {}
            }
            line class="mark" x1=(x) x2=(x) y1=(frame.top) y2=(frame.bottom()) {}
            text class="name" x=(if is_left { x - 6.0 } else { x + 6.0 }) y=(y)
                text-anchor=(if is_left { "end" } else { "start" }) { (mark.label) }
        };
        element("g", &class(mark.colour, 0), &mark.tags, &body)
    }

    fn level(&self, frame: &Frame<'_>, level: &Level) -> Markup {
        let y = frame.py(level.y);
        html! {
            g class=(class(level.colour, 0)) {
                @if let Some((low, high)) = level.interval {
                    rect class="band" x=(frame.left()) y=(frame.py(high)) width=(place(frame.right() - frame.left()))
                        height=(place((frame.py(low) - frame.py(high)).max(1.0))) {}
                }
                line class="mark" x1=(frame.left()) x2=(frame.right()) y1=(y) y2=(y) {}
            }
        }
    }

    fn table(&self) -> Table {
        let x = if self.x.label.is_empty() { "x" } else { &self.x.label };
        let (x, y) = (format!(">{x}"), format!(">{}", self.y.label));
        let band = format!(">{}", self.band);
        let has_bands = !self.band.is_empty();
        let mut headings = vec!["series", &x, &y];
        headings.extend(has_bands.then_some(band.as_str()));
        let mut table = Table::new(self.title.clone(), &headings);
        for series in &self.series {
            // Of many points as many as a person may read, the first and the last among them.
            let every = series.points.len().div_ceil(MAX_ROWS).max(1);
            let last = series.points.len().saturating_sub(1);
            let chosen = series
                .points
                .iter()
                .enumerate()
                .filter(|(at, _)| at % every == 0 || *at == last);
            for (_, point) in chosen {
                let mut row = vec![
                    series.name.clone(),
                    self.x.unit.write(point.x),
                    self.y.unit.write(point.y),
                ];
                if has_bands {
                    let (low, high) = point.band.unwrap_or((f64::NAN, f64::NAN));
                    let write = |value: f64| self.y.unit.write(value);
                    row.push(match point.band {
                        None => String::new(),
                        // A band that begins at the line tells its other end.
                        Some(_) if low.to_bits() == point.y.to_bits() => write(high),
                        Some(_) => format!("{} to {}", write(low), write(high)),
                    });
                }
                table.push_tagged(series.tags.clone(), row);
            }
        }
        let write = |unit: Unit, value: f64, interval: Option<(f64, f64)>| match interval {
            None => unit.write(value),
            Some((low, high)) => format!("{} ({} to {})", unit.write(value), unit.write(low), unit.write(high)),
        };
        let empty = |count: usize| vec![String::new(); count];
        for mark in &self.marks {
            let mut row = vec![mark.label.clone(), write(self.x.unit, mark.x, mark.interval)];
            row.extend(empty(headings.len() - 2));
            table.push_tagged(mark.tags.clone(), row);
        }
        for level in &self.levels {
            let mut row = vec![
                level.label.clone(),
                String::new(),
                write(self.y.unit, level.y, level.interval),
            ];
            row.extend(empty(headings.len() - 3));
            table.push(row);
        }
        table
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_distribution_begins_and_ends_with_its_values() {
        assert_eq!(ecdf(&[]), []);
        assert_eq!(ecdf(&[7.0]), [Point::new(7.0, 1.0)]);
        assert_eq!(ecdf(&[3.0, 1.0]), [Point::new(1.0, 0.5), Point::new(3.0, 1.0)]);
        let many: Vec<f64> = (1..=10_000).map(f64::from).collect();
        let points = ecdf(&many);
        assert_eq!(points.len(), 201);
        assert_eq!((points[0].x, points[200]), (1.0, Point::new(9_950.0, 0.995)));
        assert!((points[100].y - 0.5).abs() < 0.003, "{:?}", points[100]);
    }

    #[test]
    fn bins_hold_all_values_in_their_order() {
        assert_eq!(binned(&[], 10), []);
        let values: Vec<f64> = (0..1000).map(|at| f64::from(at % 10)).collect();
        let bins = binned(&values, 300);
        assert_eq!(bins.len(), 250);
        assert_eq!(bins[0], Point::new(2.0, 2.0).with_band(0.0, 3.0));
        assert!(
            bins.iter()
                .all(|bin| bin.band.is_some_and(|(low, high)| low <= bin.y && bin.y <= high))
        );
    }

    #[test]
    fn the_table_says_what_the_picture_shows() {
        let lines = Lines {
            title: "t".to_owned(),
            band: "p95".to_owned(),
            x: Axis {
                label: "elements".to_owned(),
                unit: Unit::Count,
                is_log: true,
            },
            series: vec![Series {
                name: "vulkan".to_owned(),
                points: vec![Point::new(1000.0, 35_500.0).with_band(35_500.0, 40_000.0)],
                ..Series::default()
            }],
            marks: vec![Mark {
                colour: 0,
                x: 733_000.0,
                interval: Some((618_000.0, 861_000.0)),
                label: "vulkan pays".to_owned(),
                tags: Tags::new(),
            }],
            ..Lines::default()
        };
        let text = lines.draw().table.text();
        assert_eq!(
            text,
            "series                           elements  time per call    p95\n\
             vulkan                              1,000        35.5 µs  40 µs\n\
             vulkan pays  733,000 (618,000 to 861,000)\n"
        );
    }
}
