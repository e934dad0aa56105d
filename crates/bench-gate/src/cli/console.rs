//! What is said to the person at the terminal: results to standard output, everything else to standard error, in
//! colours where cargo would use them.

use anstyle::{AnsiColor, Style};

const ERROR: Style = AnsiColor::Red.on_default().bold();
const WARNING: Style = AnsiColor::Yellow.on_default().bold();
const STATUS: Style = AnsiColor::Green.on_default().bold();

/// Makes standard output and error follow `CARGO_TERM_COLOR`, as cargo does.
pub(super) fn init() {
    let choice = match std::env::var("CARGO_TERM_COLOR").as_deref() {
        Ok("always") => anstream::ColorChoice::Always,
        Ok("never") => anstream::ColorChoice::Never,
        _ => anstream::ColorChoice::Auto,
    };
    choice.write_global();
}

pub(super) fn result(text: &str) {
    anstream::print!("{text}");
}

/// Says what is being done, as cargo does.
pub(super) fn status(verb: &str, what: &str) {
    anstream::eprintln!("{STATUS}{verb:>12}{STATUS:#} {what}");
}

/// Says what a person should know though it stops nothing.
pub(super) fn warning(text: &str) {
    anstream::eprintln!("{WARNING}warning{WARNING:#}: {text}");
}

/// Says why the command failed.
pub(super) fn error(text: &str) {
    anstream::eprintln!("{ERROR}error{ERROR:#}: {text}");
}
