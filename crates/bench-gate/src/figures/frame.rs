//! The frame of a figure: axes with ticks and labels, and the legend.

use maud::{Markup, html};

use super::{place, scale::Scale, style::class, text_width, unit::Unit};

/// Room for the labels of the axes, in pixels.
const LEFT: f64 = 62.0;
const RIGHT: f64 = 14.0;
const BOTTOM: f64 = 42.0;
const LEGEND_LINE: f64 = 18.0;

/// Where values lie within the picture.
pub(super) struct Frame<'a> {
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) x: (Scale, Unit, &'a str),
    pub(super) y: (Scale, Unit, &'a str),
    /// Height of what stands above the axes.
    pub(super) top: f64,
}

/// An entry of the legend.
pub(super) struct Entry<'a> {
    pub(super) name: &'a str,
    pub(super) colour: usize,
    pub(super) dash: usize,
    pub(super) marker: usize,
}

impl Frame<'_> {
    pub(super) fn px(&self, x: f64) -> f64 {
        place(LEFT + self.x.0.at(x) * (self.width - LEFT - RIGHT))
    }

    pub(super) fn py(&self, y: f64) -> f64 {
        place(self.height - BOTTOM - self.y.0.at(y) * (self.height - BOTTOM - self.top))
    }

    pub(super) fn left(&self) -> f64 {
        LEFT
    }

    pub(super) fn right(&self) -> f64 {
        self.width - RIGHT
    }

    pub(super) fn bottom(&self) -> f64 {
        self.height - BOTTOM
    }

    /// Grid, axes and their labels.
    pub(super) fn draw(&self) -> Markup {
        let (x_scale, x_unit, x_label) = &self.x;
        let (y_scale, y_unit, y_label) = &self.y;
        let write = |unit: &Unit, value: f64| match unit {
            Unit::Count => super::unit::short(value),
            unit => unit.write(value),
        };
        html! {
            @for tick in y_scale.ticks(7) {
                line class="grid" x1=(LEFT) x2=(self.right()) y1=(self.py(tick)) y2=(self.py(tick)) {}
                text class="small" x=(LEFT - 6.0) y=(self.py(tick) + 4.0) text-anchor="end" { (write(y_unit, tick)) }
            }
            @for tick in x_scale.ticks(7) {
                line class="grid" x1=(self.px(tick)) x2=(self.px(tick)) y1=(self.top) y2=(self.bottom()) {}
                text class="small" x=(self.px(tick)) y=(self.bottom() + 15.0) text-anchor="middle" { (write(x_unit, tick)) }
            }
            path class="axis" d={ "M" (LEFT) " " (self.top) " V" (self.bottom()) " H" (self.right()) } {}
            text class="small" x=(self.right()) y=(self.height - 8.0) text-anchor="end" { (x_label) }
            text class="small" x="4" y=(self.height - 8.0) { "\u{2191} " (y_label) }
        }
    }
}

/// The legend in as many lines as it needs within a width, and their height.
pub(super) fn legend(entries: &[Entry<'_>], width: f64) -> (Markup, f64) {
    let mut at = (LEFT - 50.0, 0.0);
    let mut places = Vec::new();
    for entry in entries {
        let wide = 36.0 + text_width(entry.name, 12.0) + 14.0;
        if at.0 + wide > width && at.0 > LEFT {
            at = (LEFT - 50.0, at.1 + LEGEND_LINE);
        }
        places.push(at);
        at.0 += wide;
    }
    let height = if entries.is_empty() {
        8.0
    } else {
        at.1 + LEGEND_LINE + 8.0
    };
    let drawn = html! {
        @for (entry, (x, y)) in entries.iter().zip(places) {
            g class=(class(entry.colour, entry.dash)) {
                line class="line" x1=(place(x)) x2=(place(x + 26.0)) y1=(y + 11.0) y2=(y + 11.0) {}
                (marker(entry.marker, x + 13.0, y + 11.0))
                text x=(place(x + 32.0)) y=(y + 15.0) { (entry.name) }
            }
        }
    };
    (drawn, height)
}

/// A point in one of the shapes that tell series apart.
pub(super) fn marker(shape: usize, x: f64, y: f64) -> Markup {
    let (x, y) = (place(x), place(y));
    match shape % 4 {
        0 => html! { circle class="dot" cx=(x) cy=(y) r="4" {} },
        1 => html! { rect class="dot" x=(place(x - 3.5)) y=(place(y - 3.5)) width="7" height="7" {} },
        2 => html! { path class="dot" d={ "M" (x) " " (place(y - 5.0)) " l4.6 8 h-9.2 z" } {} },
        _ => html! { path class="dot" d={ "M" (x) " " (place(y - 5.0)) " l5 5 l-5 5 l-5 -5 z" } {} },
    }
}
