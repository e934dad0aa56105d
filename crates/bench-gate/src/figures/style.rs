//! Colours, and the style sheet of every figure.

use std::fmt::Write as _;

/// On what the figure is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Theme {
    /// Dark on white: screens, paper.
    Light,
    /// Light on dark.
    Dark,
}

/// Colours of one theme.
struct Palette {
    paper: &'static str,
    ink: &'static str,
    /// Labels of axes: at least 4.5 : 1 against the paper.
    faint: &'static str,
    grid: &'static str,
    worse: &'static str,
    better: &'static str,
    /// Series, told apart by the usual kinds of colour blindness (after Okabe and Ito); 3 : 1 and more against the paper.
    series: [&'static str; SERIES],
}

/// Colours before they repeat.
pub(super) const SERIES: usize = 6;

const LIGHT: Palette = Palette {
    paper: "#ffffff",
    ink: "#1b1f24",
    faint: "#57606a",
    grid: "#e3e6ea",
    worse: "#b3261e",
    better: "#0f6b3c",
    series: ["#0060a8", "#c2410c", "#007a5a", "#8e3a8e", "#8a6100", "#4b5563"],
};

const DARK: Palette = Palette {
    paper: "#14171c",
    ink: "#e8eaed",
    faint: "#a3abb6",
    grid: "#2b3038",
    worse: "#ff8a80",
    better: "#6fd69b",
    series: ["#6cb6ff", "#ff9d5c", "#4fd1a5", "#dd9bdd", "#e3c04c", "#b4bcc8"],
};

/// Lengths of strokes and gaps: the first is whole.
const DASHES: [&str; 3] = ["none", "6 3", "2 3"];

/// The rules of all figures' classes in one theme. Nothing in it needs more of CSS than class selectors, so that every
/// renderer of SVG reads it.
pub fn css(theme: Theme) -> String {
    let Palette {
        paper,
        ink,
        faint,
        grid,
        worse,
        better,
        series,
    } = match theme {
        Theme::Light => LIGHT,
        Theme::Dark => DARK,
    };
    let mut css = format!(
        "\
.figure text {{ font-family: system-ui, 'DejaVu Sans', Verdana, sans-serif; font-size: 12px; fill: {ink}; }}
.figure .small {{ font-size: 11px; fill: {faint}; }}
.figure .paper {{ fill: {paper}; }}
.figure .grid {{ stroke: {grid}; stroke-width: 1; }}
.figure .zero {{ stroke: {faint}; stroke-width: 1; }}
.figure .axis {{ stroke: {faint}; stroke-width: 1; fill: none; }}
.figure .line {{ fill: none; stroke-width: 2; stroke-linejoin: round; }}
.figure .band {{ stroke: none; opacity: 0.18; }}
.figure .bar {{ stroke-width: 1.5; }}
.figure .mark {{ stroke-width: 1.5; stroke-dasharray: 4 3; }}
.figure .dot {{ stroke: {paper}; stroke-width: 1; }}
.figure .worse .dot, .figure .worse .word {{ fill: {worse}; }}
.figure .worse .bar {{ stroke: {worse}; }}
.figure .better .dot, .figure .better .word {{ fill: {better}; }}
.figure .better .bar {{ stroke: {better}; }}
.figure .same .dot, .figure .same .word {{ fill: {faint}; }}
.figure .same .bar {{ stroke: {faint}; }}
"
    );
    for (number, colour) in series.iter().enumerate() {
        writeln!(
            css,
            ".figure .s{number} .line, .figure .s{number} .bar, .figure .s{number} .mark {{ stroke: {colour}; }}\n\
             .figure .s{number} .band, .figure .s{number} .dot, .figure .s{number} .name {{ fill: {colour}; }}"
        )
        .expect("a string takes everything");
    }
    for (number, dash) in DASHES.iter().enumerate() {
        writeln!(css, ".figure .d{number} .line {{ stroke-dasharray: {dash}; }}").expect("a string takes everything");
    }
    css
}

/// The classes of a series.
pub(super) fn class(colour: usize, dash: usize) -> String {
    format!("s{} d{}", colour % SERIES, dash % DASHES.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Contrast of two colours by WCAG 2.1, <https://www.w3.org/TR/WCAG21/#dfn-contrast-ratio>.
    fn contrast(a: &str, b: &str) -> f64 {
        let luminance = |colour: &str| -> f64 {
            let channel = |at: usize| {
                let value = f64::from(u8::from_str_radix(&colour[at..at + 2], 16).unwrap()) / 255.0;
                if value <= 0.03928 {
                    value / 12.92
                } else {
                    ((value + 0.055) / 1.055).powf(2.4)
                }
            };
            0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
        };
        let (a, b) = (luminance(a) + 0.05, luminance(b) + 0.05);
        (a / b).max(b / a)
    }

    #[test]
    fn text_and_lines_stand_out_from_the_paper() {
        assert!((contrast("#ffffff", "#000000") - 21.0).abs() < 1e-9);
        for palette in [LIGHT, DARK] {
            // Names of series are written in their colours.
            for colour in [palette.ink, palette.faint, palette.worse, palette.better]
                .iter()
                .chain(&palette.series)
            {
                let contrast = contrast(palette.paper, colour);
                assert!(contrast >= 4.5, "{colour} on {}: {contrast}", palette.paper);
            }
        }
    }

    #[test]
    fn a_sheet_has_every_series() {
        for theme in [Theme::Light, Theme::Dark] {
            let css = css(theme);
            for number in 0..SERIES {
                assert!(css.contains(&format!(".s{number} .line")), "{css}");
            }
        }
    }
}
