//! What GitHub Actions shows: annotations beside the job, and its summary.

use std::io::Write as _;

use crate::console;

/// Says it where this is GitHub Actions.
pub(super) fn say(annotations: &str, summary: &str) {
    if std::env::var_os("GITHUB_ACTIONS").is_none() {
        return;
    }
    console::result(annotations);
    let Some(path) = std::env::var_os("GITHUB_STEP_SUMMARY") else {
        return;
    };
    let file = std::fs::OpenOptions::new().create(true).append(true).open(&path);
    if let Err(error) = file.and_then(|mut file| file.write_all(summary.as_bytes())) {
        console::warning(&format!("cannot write {}: {error}", path.display()));
    }
}
