//! What tests of the command line share.

use std::process::Output;

/// Holds a command's exit code, and parts of what it wrote, against what is expected.
#[track_caller]
pub(crate) fn check(output: &Output, code: i32, expected: &[&str]) {
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(output.status.code(), Some(code), "{text}");
    for part in expected {
        assert!(text.contains(part), "`{part}` is not in:\n{text}");
    }
}
