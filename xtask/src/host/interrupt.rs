//! Ctrl-C, so that what was begun can be cleaned up.

use std::sync::atomic::{AtomicBool, Ordering};

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// From now on an interruption, or a polite request to end, is noted instead of ending this process at once. Processes it started
/// get it as well and end, so that whoever waits for them goes on. A second one ends this process.
pub(crate) fn note() {
    let handler = || {
        if INTERRUPTED.swap(true, Ordering::SeqCst) {
            std::process::exit(130);
        }
    };
    // A second call in one process finds the handler in place.
    let _ = ctrlc::set_handler(handler);
}

/// Whether somebody asked to stop.
pub(crate) fn is_noted() -> bool {
    INTERRUPTED.load(Ordering::SeqCst)
}
