//! What is said to the person at the terminal: results to standard output, everything else to standard error, in
//! colours where cargo would use them (`NO_COLOR`, `CARGO_TERM_COLOR` and pipes turn them off).

use anstyle::{AnsiColor, Style};

use crate::verdict::Verdict;

const ERROR: Style = AnsiColor::Red.on_default().bold();
const WARNING: Style = AnsiColor::Yellow.on_default().bold();
const STATUS: Style = AnsiColor::Green.on_default().bold();

/// Makes standard output and error follow `CARGO_TERM_COLOR`, as cargo does.
pub fn init() {
    let choice = match std::env::var("CARGO_TERM_COLOR").as_deref() {
        Ok("always") => anstream::ColorChoice::Always,
        Ok("never") => anstream::ColorChoice::Never,
        _ => anstream::ColorChoice::Auto,
    };
    choice.write_global();
}

/// Prints a result.
pub fn result(text: &str) {
    anstream::print!("{text}");
}

/// Says what is being done, as cargo does: `   Measuring vulkan`.
pub fn status(verb: &str, what: &str) {
    anstream::eprintln!("{STATUS}{verb:>12}{STATUS:#} {what}");
}

/// Says what a person should know though it stops nothing.
pub fn warning(text: &str) {
    anstream::eprintln!("{WARNING}warning{WARNING:#}: {text}");
}

/// Says why the command failed.
pub fn error(error: &dyn std::fmt::Display) {
    anstream::eprintln!("{ERROR}error{ERROR:#}: {error}");
}

/// The style of a verdict's word.
#[must_use]
pub fn style(verdict: Verdict) -> Style {
    match verdict {
        Verdict::CountersChanged | Verdict::Slower => ERROR,
        Verdict::Inconclusive | Verdict::Noisy | Verdict::Missing => WARNING,
        Verdict::Faster | Verdict::Pass => STATUS,
        Verdict::New | Verdict::NotMeasured => Style::new(),
    }
}
