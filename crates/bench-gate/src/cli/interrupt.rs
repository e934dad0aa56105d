//! Ctrl-C and polite requests to end, so that what was begun can be cleaned up.

use std::sync::atomic::{AtomicBool, Ordering};

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// From now on an interruption is noted instead of ending this process at once. A second one ends it.
pub(super) fn note() {
    let handler = || {
        if INTERRUPTED.swap(true, Ordering::SeqCst) {
            std::process::exit(130);
        }
    };
    // A second call in one process finds the handler in place.
    let _ = ctrlc::set_handler(handler);
}

/// Whether somebody asked to stop.
pub(super) fn is_noted() -> bool {
    INTERRUPTED.load(Ordering::SeqCst)
}
