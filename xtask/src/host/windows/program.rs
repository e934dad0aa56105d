//! Runs test programs with a time limit, and counts what they passed.

use std::{
    fs::File,
    io::{Read as _, Seek as _},
    process::{Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use crate::error::Error;

/// How a program of libtest ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) ignored: u64,
}

/// Runs a test program to its end; `name` is what messages call it.
///
/// # Errors
/// [`Error::Failed`] with what it said, if a test failed, or if it ended before the last or not within `limit`.
pub(crate) fn test(name: &str, command: &mut Command, limit: Duration) -> Result<Tally, Error> {
    let (status, text) = run(command, limit).map_err(|error| Error::Failed(format!("{name}: {error}")))?;
    let failed = |what: &str| Err(Error::Failed(format!("{name}: {what}\n{}", end(&text))));
    let Some(status) = status else {
        return failed(&format!("not ready after {} s, stopped", limit.as_secs()));
    };
    match tally(&text) {
        Some(tally) if status.success() && tally.failed == 0 => Ok(tally),
        Some(tally) => failed(&format!("{} of its tests failed", tally.failed)),
        None => failed(&format!("ended with {status} before its last test")),
    }
}

/// The status, absent if the program was stopped, and everything it wrote.
fn run(command: &mut Command, limit: Duration) -> std::io::Result<(Option<ExitStatus>, String)> {
    // A file and no pipe: what the program leaves running would hold a pipe open.
    let mut output: File = tempfile::tempfile()?;
    let mut child = command
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output.try_clone()?)
        .spawn()?;
    let end = Instant::now() + limit;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break Some(status);
        }
        if Instant::now() > end {
            child.kill()?;
            child.wait()?;
            break None;
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    let mut bytes = Vec::new();
    output.rewind()?;
    output.read_to_end(&mut bytes)?;
    Ok((status, String::from_utf8_lossy(&bytes).into_owned()))
}

/// Reads libtest's last line: `test result: ok. 9 passed; 0 failed; 1 ignored; …`.
fn tally(text: &str) -> Option<Tally> {
    let line = text
        .lines()
        .find_map(|line| line.trim().strip_prefix("test result: "))?;
    let (_, counts) = line.split_once(". ")?;
    let mut tally = Tally::default();
    for count in counts.split("; ") {
        match count.split_once(' ') {
            Some((number, "passed")) => tally.passed = number.parse().ok()?,
            Some((number, "failed")) => tally.failed = number.parse().ok()?,
            Some((number, "ignored")) => tally.ignored = number.parse().ok()?,
            _ => {}
        }
    }
    Some(tally)
}

/// The part of a program's output that says what went wrong: it comes last.
fn end(text: &str) -> String {
    let lines: Vec<&str> = text.lines().filter(|line| !line.ends_with("... ok")).collect();
    lines[lines.len().saturating_sub(60)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tally_is_read_from_the_line_that_libtest_closes_with() {
        let check = |text: &str, expected: Option<(u64, u64, u64)>| {
            let tally = tally(text).map(|t| (t.passed, t.failed, t.ignored));
            assert_eq!(tally, expected, "{text}");
        };
        let rest = "0 measured; 0 filtered out; finished in 0.10s";
        check(
            &format!("running 9 tests\r\n\r\ntest result: ok. 9 passed; 0 failed; 1 ignored; {rest}\r\n"),
            Some((9, 0, 1)),
        );
        check(
            &format!("test result: FAILED. 8 passed; 1 failed; 0 ignored; {rest}"),
            Some((8, 1, 0)),
        );
        check("running 9 tests\ntest a ... ok\n", None);
        check("", None);
    }

    #[cfg(unix)]
    #[test]
    fn a_program_that_fails_ends_early_or_hangs_is_a_failure_that_says_so() {
        let check = |script: &str, expected: &[&str]| {
            let mut command = Command::new("sh");
            command.args(["-c", script]);
            let message = test("dx12: results", &mut command, Duration::from_millis(500))
                .unwrap_err()
                .to_string();
            for part in expected {
                assert!(message.contains(part), "{script}: {message}");
            }
        };
        let result = "test result: FAILED. 8 passed; 1 failed; 0 ignored";
        check(
            &format!("echo 'wrong at 3'; echo '{result}'; exit 101"),
            &["dx12: results", "1 of its tests failed", "wrong at 3"],
        );
        check("echo running; exit 0", &["before its last test", "running"]);
        check(
            "echo 'test result: ok. 1 passed; 0 failed'; exit 3",
            &["0 of its tests failed"],
        );
        check("echo at a_test; sleep 60", &["stopped", "at a_test"]);
    }
}
