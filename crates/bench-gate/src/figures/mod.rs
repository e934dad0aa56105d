//! Figures: pure functions from small views of what was measured to SVG.
//!
//! A figure is written once and shown in two ways: within a page, whose style sheet follows the reader's light or dark theme, and
//! as a file of its own with one theme written into it. Colour never tells alone: series differ in their markers and dashes too,
//! and every figure has its numbers as a table.

mod forest;
mod frame;
mod lines;
mod png;
mod scale;
mod stack;
mod style;
mod unit;

pub use forest::{Forest, ForestRow};
pub use lines::{Axis, Level, Lines, Mark, Point, Series, binned, ecdf};
pub use png::{PngError, png};
pub use stack::{Stack, StackRow};
pub use style::{Theme, css};
pub use unit::{Unit, count, duration, short};

use maud::{Markup, PreEscaped, html};

use crate::table::Table;
#[cfg(test)]
use crate::tags::Tags;

/// A drawn figure.
#[derive(Clone, Debug)]
pub struct Figure {
    /// The name of its file, and its anchor within a page.
    pub id: String,
    /// What it shows, in a few words.
    pub title: String,
    /// What a person should see in it, in a sentence: read to those who do not see it.
    pub summary: String,
    /// Its numbers.
    pub table: Table,
    width: f64,
    height: f64,
    /// Narrower than this it is scrolled, not shrunk: letters are to be read on a phone.
    min_width: f64,
    /// Whether there are links within.
    has_links: bool,
    body: Markup,
}

impl Figure {
    /// A file of its own with one theme.
    pub fn svg(&self, theme: Theme) -> String {
        let style = css(theme);
        let (width, height) = (self.width, self.height);
        let svg = html! {
            svg xmlns="http://www.w3.org/2000/svg" class="figure" viewBox={ "0 0 " (width) " " (height) }
                width=(width) height=(height) role="img" aria-label=(self.title) {
                title { (self.title) }
                desc { (self.summary) }
                style { (PreEscaped(style)) }
                rect class="paper" width=(width) height=(height) {}
                (self.body)
            }
        };
        svg.into_string() + "\n"
    }

    /// Within a page, with the table of its numbers below.
    pub fn html(&self) -> Markup {
        let label = format!("{}-title", self.id);
        // What is an image to a screen reader has nothing within it to go to.
        let role = if self.has_links { "group" } else { "img" };
        html! {
            figure id=(self.id) {
                figcaption {
                    strong id=(label) { (self.title) }
                    " " span.summary { (self.summary) }
                }
                div.scroll tabindex="0" role="group" aria-label={ (self.title) ", picture" } {
                    svg.figure style={ "min-width:" (self.min_width.round()) "px" } viewBox={ "0 0 " (self.width) " " (self.height) } role=(role) aria-label={ (self.title) ". " (self.summary) } {
                        (self.body)
                    }
                }
                details.numbers { summary { "Numbers: " (self.title) } (self.table.html()) }
            }
        }
    }
}

/// A text as an anchor: what stands in it, with hyphens for all that is neither letter nor digit.
pub fn anchor(prefix: &str, text: &str) -> String {
    let mut anchor = format!("{prefix}-");
    for c in text.chars() {
        if c.is_ascii_alphanumeric() || c == '_' {
            anchor.push(c);
        } else if !anchor.ends_with('-') {
            anchor.push('-');
        }
    }
    anchor
}

/// A coordinate: a tenth of a pixel is finer than anyone sees, and short.
fn place(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

/// How wide a text is about, in pixels of this size of letters: none is measured, so that figures need no font.
fn text_width(text: &str, size: f64) -> f64 {
    text.chars().count() as f64 * size * 0.56
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anchors_are_readable_and_safe() {
        assert_eq!(
            anchor("case", "vector_add/vulkan/1000x256"),
            "case-vector_add-vulkan-1000x256"
        );
        assert_eq!(anchor("case", "a \"b\" <c>"), "case-a-b-c-");
    }

    #[test]
    fn a_files_svg_is_well_formed_whatever_the_names_are() {
        let nasty = "a<b>&\"c\"'".to_owned();
        let series = Series {
            name: nasty.clone(),
            points: vec![Point::new(1.0, 2.0), Point::new(10.0, 3.0).with_band(2.0, 4.0)],
            tags: vec![("back end".to_owned(), nasty.clone())],
            ..Series::default()
        };
        let lines = Lines {
            id: "x".to_owned(),
            title: nasty.clone(),
            summary: nasty.clone(),
            series: vec![series],
            marks: vec![Mark {
                colour: 0,
                x: 5.0,
                interval: Some((2.0, 7.0)),
                label: nasty.clone(),
                tags: Tags::new(),
            }],
            ..Lines::default()
        };
        for theme in [Theme::Light, Theme::Dark] {
            let svg = lines.draw().svg(theme);
            let parsed = roxmltree::Document::parse(&svg).unwrap();
            let title = parsed
                .descendants()
                .find(|node| node.has_tag_name("title") || node.tag_name().name() == "title");
            assert_eq!(title.and_then(|node| node.text()), Some(nasty.as_str()));
            assert!(
                parsed
                    .descendants()
                    .any(|node| node.attribute("data-back-end") == Some(nasty.as_str()))
            );
        }
    }
}
