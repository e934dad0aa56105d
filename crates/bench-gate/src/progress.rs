//! Shows which case is measured and how much time is left: a bar at a terminal, else a line now and then.

use std::{
    cell::Cell,
    io::IsTerminal as _,
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressStyle};

use crate::console;

/// Lines are no closer than this where standard error is not a terminal.
const BETWEEN_LINES: Duration = Duration::from_secs(10);

/// Progress over a known number of cases.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
    begun: Cell<u64>,
    last_line: Cell<Instant>,
}

impl Progress {
    /// Progress over `cases` cases in each of `runs` runs.
    #[expect(clippy::missing_panics_doc, reason = "the template is a constant")]
    #[must_use]
    pub fn new(cases: usize, runs: u64) -> Self {
        let style = ProgressStyle::with_template("{prefix:>12.green.bold} [{bar:27}] {pos}/{len}, {eta} left: {msg}")
            .expect("the template is right")
            .progress_chars("=> ");
        let bar = ProgressBar::new(cases as u64 * runs)
            .with_style(style)
            .with_prefix("Measuring");
        bar.enable_steady_tick(Duration::from_secs(1));
        Self {
            bar,
            begun: Cell::new(0),
            last_line: Cell::new(Instant::now()),
        }
    }

    /// A case begins, so the ones begun before it are done.
    pub fn begin(&self, case: &str) {
        self.bar.set_position(self.begun.replace(self.begun.get() + 1));
        self.bar.set_message(case.to_owned());
    }

    /// Says where it is, if standard error is not a terminal and nothing was said for a while.
    pub fn line(&self, text: &str) {
        if !std::io::stderr().is_terminal() && self.last_line.get().elapsed() >= BETWEEN_LINES {
            self.last_line.set(Instant::now());
            console::status("Measuring", text);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
