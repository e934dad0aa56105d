//! Shows which case is measured and how much time is left; nothing where standard error is not a terminal.

use indicatif::{ProgressBar, ProgressStyle};

/// Progress over a known number of cases.
#[derive(Debug)]
pub(crate) struct Progress(ProgressBar);

impl Progress {
    pub(crate) fn new(cases: usize) -> Self {
        let style = ProgressStyle::with_template("{prefix:>12.green.bold} [{bar:27}] {pos}/{len}, {eta} left: {msg}")
            .expect("the template is right")
            .progress_chars("=> ");
        let bar = ProgressBar::new(cases as u64)
            .with_style(style)
            .with_prefix("Measuring");
        bar.enable_steady_tick(std::time::Duration::from_secs(1));
        Self(bar)
    }

    /// A case begins; the ones before it are done.
    pub(crate) fn begin(&self, done: usize, case: &str) {
        self.0.set_position(done as u64);
        self.0.set_message(case.to_owned());
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
