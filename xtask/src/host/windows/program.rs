//! Runs test programs within limits of time and memory, and counts what they passed.

use std::{
    fs::File,
    io::{Read as _, Seek as _},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use crate::{error::Error, host::interrupt};

/// How a program of libtest ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) ignored: u64,
    /// The most memory it was seen to have; absent where that is not known.
    pub(crate) most_bytes: Option<u64>,
}

impl Tally {
    pub(crate) fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.ignored += other.ignored;
        self.most_bytes = self.most_bytes.max(other.most_bytes);
    }
}

/// What a program may take before it is stopped.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) time: Duration,
    /// Seen on Linux only, where a program that takes all memory stops more than itself.
    pub(crate) bytes: u64,
}

/// How a program came to its end.
#[derive(Debug)]
enum End {
    Itself(ExitStatus),
    OutOfTime,
    OutOfMemory(u64),
    Interrupted,
}

/// Runs a test program to its end; `name` is what messages call it.
///
/// # Errors
/// [`Error::Failed`] with what it said, if a test failed, or if it ended before the last or not within the limits.
pub(crate) fn test(name: &str, command: &mut Command, limits: Limits) -> Result<Tally, Error> {
    let (end, most_bytes, text) = run(command, limits).map_err(|error| Error::Failed(format!("{name}: {error}")))?;
    let failed = |what: &str| Err(Error::Failed(format!("{name}: {what}\n{}", last_lines(&text))));
    let status = match end {
        End::Itself(status) => status,
        End::Interrupted => return Err(Error::Failed(format!("{name}: interrupted"))),
        End::OutOfTime => return failed(&format!("not ready after {} s, stopped", limits.time.as_secs())),
        End::OutOfMemory(bytes) => return failed(&format!("took {} MB of memory, stopped", bytes >> 20)),
    };
    match tally(&text) {
        Some(tally) if status.success() && tally.failed == 0 => Ok(Tally { most_bytes, ..tally }),
        Some(tally) => failed(&format!("{} of its tests failed", tally.failed)),
        None => failed(&format!("ended with {status} before its last test")),
    }
}

/// The end, the most memory seen, and everything it wrote.
fn run(command: &mut Command, limits: Limits) -> std::io::Result<(End, Option<u64>, String)> {
    // A file and no pipe: what the program leaves running would hold a pipe open.
    let mut output: File = tempfile::tempfile()?;
    let mut child = command
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output.try_clone()?)
        .spawn()?;
    let end = Instant::now() + limits.time;
    let mut most = None;
    let stopped = loop {
        if let Some(status) = child.try_wait()? {
            break End::Itself(status);
        }
        let bytes = memory(&child);
        most = most.max(bytes);
        if let Some(bytes) = bytes.filter(|&bytes| bytes > limits.bytes) {
            break End::OutOfMemory(bytes);
        }
        if interrupt::is_noted() {
            break End::Interrupted;
        }
        if Instant::now() > end {
            break End::OutOfTime;
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    if !matches!(stopped, End::Itself(_)) {
        child.kill()?;
        child.wait()?;
    }
    let mut bytes = Vec::new();
    output.rewind()?;
    output.read_to_end(&mut bytes)?;
    Ok((stopped, most, String::from_utf8_lossy(&bytes).into_owned()))
}

/// The memory that a process has now, without what is swapped out.
fn memory(child: &Child) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kilobytes << 10)
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
fn last_lines(text: &str) -> String {
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
        let within = |seconds: f64, script: &str, expected: &[&str]| {
            let mut command = Command::new("sh");
            command.args(["-c", script]);
            let limits = Limits {
                time: Duration::from_secs_f64(seconds),
                bytes: 50 << 20,
            };
            let message = test("dx12: results", &mut command, limits).unwrap_err().to_string();
            for part in expected {
                assert!(message.contains(part), "{script}: {message}");
            }
        };
        let check = |script: &str, expected: &[&str]| within(0.5, script, expected);
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
        check("echo at a_test; sleep 60", &["not ready", "stopped", "at a_test"]);
        if cfg!(target_os = "linux") {
            let hoards = "echo at b_test; x=$(head -c 100000000 /dev/zero | tr '\\0' x); sleep 60";
            within(60.0, hoards, &["MB of memory, stopped", "at b_test"]);
        }
    }
}
