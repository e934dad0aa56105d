//! A peer's process: commands in, one line of answer each.

use std::{
    fs::File,
    io::{Read as _, Seek as _, Write as _},
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc,
    time::Duration,
};

use crate::{
    error::Error,
    host::{affinity, lines::lines, quiet_display},
};

/// How long an answer may take.
const LIMIT: Duration = Duration::from_secs(120);

/// A running peer; it is stopped when this is dropped.
#[derive(Debug)]
pub(crate) struct Process {
    /// For messages.
    name: String,
    /// What it said of itself when it started: its adapter, and whatever else decides how fast it is.
    pub(crate) about: String,
    child: Child,
    stdin: ChildStdin,
    answers: mpsc::Receiver<String>,
    stderr: File,
}

/// What a peer says to something it may not be able to do.
#[derive(Debug, PartialEq)]
pub(crate) enum Answer {
    Ready,
    /// Why it cannot.
    Absent(String),
}

impl Process {
    /// Starts `program` with the arguments, and `cache` in the place of the user's folder of calibrations and pipelines.
    ///
    /// # Errors
    /// As [`Process::ask`].
    pub(crate) fn start(
        program: &Path,
        arguments: &[&str],
        cache: &Path,
        bound: bool,
    ) -> Result<(Self, Answer), Error> {
        let stderr = tempfile::tempfile().map_err(Error::io("create a file in", &std::env::temp_dir()))?;
        let again = stderr.try_clone().map_err(Error::io("open", &std::env::temp_dir()))?;
        let mut command = Command::new(program);
        command
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(again)
            .env("GPU_EXECUTOR_CACHE_DIR", cache);
        quiet_display(&mut command);
        let mut child = if bound {
            affinity::on_one_core(|| command.spawn())
                .ok_or_else(|| Error::Failed("this system cannot bind a process to one core; pass --free".to_owned()))?
        } else {
            command.spawn()
        }
        .map_err(Error::io("run", program))?;
        let stdin = child.stdin.take().expect("standard input is piped");
        let stdout = child.stdout.take().expect("standard output is piped");
        let (sender, answers) = mpsc::channel();
        std::thread::spawn(move || {
            for line in lines(stdout) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        let mut process = Self {
            name: arguments.join(" "),
            about: String::new(),
            child,
            stdin,
            answers,
            stderr,
        };
        let line = process.answer("its start")?;
        let answer = match (line.strip_prefix("absent "), line.strip_prefix("peer ")) {
            (Some(reason), _) => Answer::Absent(reason.to_owned()),
            (None, Some(about)) => {
                about.clone_into(&mut process.about);
                Answer::Ready
            }
            (None, None) => return Err(process.odd("its start", &line)),
        };
        Ok((process, answer))
    }

    /// Gives the peer new work, for which nobody is open yet.
    pub(crate) fn work(&mut self, size: &str) -> Result<(), Error> {
        let line = self.ask(&format!("work {size}"))?;
        if line == "ready" {
            Ok(())
        } else {
            Err(self.odd("work", &line))
        }
    }

    /// Opens a method, which includes a call with a right result.
    pub(crate) fn open(&mut self, method: &str) -> Result<Answer, Error> {
        let line = self.ask(&format!("open {method}"))?;
        match line.strip_prefix("absent ") {
            Some(reason) => Ok(Answer::Absent(reason.to_owned())),
            None if line == "ready" => Ok(Answer::Ready),
            None => Err(self.odd("open", &line)),
        }
    }

    /// Has `warm` calls made, and then `n` timed; returns their wall times in nanoseconds.
    pub(crate) fn calls(&mut self, method: &str, warm: usize, n: usize) -> Result<Vec<u64>, Error> {
        let line = self.ask(&format!("calls {method} {warm} {n}"))?;
        let times: Option<Vec<u64>> = line
            .strip_prefix("nanos ")
            .map(|times| times.split(' ').map_while(|time| time.parse().ok()).collect());
        match times {
            Some(times) if times.len() == n => Ok(times),
            _ => Err(self.odd("calls", &line)),
        }
    }

    /// Has one more call made and its result compared with the CPU's.
    pub(crate) fn check(&mut self, method: &str) -> Result<(), Error> {
        let line = self.ask(&format!("check {method}"))?;
        if line == "right" {
            Ok(())
        } else {
            Err(self.odd("check", &line))
        }
    }

    /// Sends a command and waits for the answer.
    ///
    /// # Errors
    /// [`Error::Failed`] with the end of its standard error if it has ended, or with the command if it says nothing.
    fn ask(&mut self, command: &str) -> Result<String, Error> {
        let sent = writeln!(self.stdin, "{command}").and_then(|()| self.stdin.flush());
        // A process that has ended says why below.
        drop(sent);
        self.answer(command)
    }

    fn answer(&mut self, command: &str) -> Result<String, Error> {
        match self.answers.recv_timeout(LIMIT) {
            Ok(line) => Ok(line),
            Err(mpsc::RecvTimeoutError::Timeout) => Err(Error::Failed(format!(
                "the peer `{}` said nothing for {LIMIT:?} at `{command}`",
                self.name
            ))),
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                let status = self
                    .child
                    .wait()
                    .map_or_else(|error| error.to_string(), |status| status.to_string());
                let mut stderr = String::new();
                let read = self
                    .stderr
                    .rewind()
                    .and_then(|()| self.stderr.read_to_string(&mut stderr));
                drop(read);
                Err(Error::Failed(format!(
                    "the peer `{}` ended with {status} at `{command}`:\n  {}",
                    self.name,
                    stderr
                        .trim()
                        .lines()
                        .rev()
                        .take(12)
                        .collect::<Vec<_>>()
                        .into_iter()
                        .rev()
                        .collect::<Vec<_>>()
                        .join("\n  ")
                )))
            }
        }
    }

    fn odd(&self, command: &str, line: &str) -> Error {
        Error::Failed(format!("the peer `{}` answers `{line}` to `{command}`", self.name))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It has nothing to lose.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;

    fn start(script: &str) -> Result<(Process, Answer), Error> {
        Process::start(Path::new("/bin/sh"), &["-c", script], &std::env::temp_dir(), false)
    }

    #[test]
    fn a_peer_is_asked_and_answers() {
        let (mut peer, answer) = start("echo peer x; while read c m rest; do case $c in work) echo ready;; open) [ $m = run ] && echo ready || echo absent no $m;; calls) echo nanos 5 6;; check) echo right;; esac; done").unwrap();
        assert_eq!((answer, peer.about.as_str()), (Answer::Ready, "x"));
        peer.work("256").unwrap();
        assert_eq!(peer.open("run").unwrap(), Answer::Ready);
        assert_eq!(peer.open("fly").unwrap(), Answer::Absent("no fly".to_owned()));
        assert_eq!(peer.calls("run", 1, 2).unwrap(), [5, 6]);
        peer.check("run").unwrap();
        assert!(peer.calls("run", 1, 3).unwrap_err().to_string().contains("nanos 5 6"));
    }

    #[test]
    fn a_peer_that_cannot_or_fails_says_why() {
        let (_, answer) = start("echo absent no device").unwrap();
        assert_eq!(answer, Answer::Absent("no device".to_owned()));
        let check = |error: Error, parts: &[&str]| {
            let message = error.to_string();
            assert!(parts.iter().all(|part| message.contains(part)), "{message}");
        };
        check(start("echo hello").unwrap_err(), &["hello"]);
        check(
            start("echo broken >&2; exit 3").unwrap_err(),
            &["broken", "3", "its start"],
        );
        let (mut peer, _) = start("echo peer x; read c; echo 'wrong result' >&2; exit 1").unwrap();
        check(peer.check("run").unwrap_err(), &["wrong result", "check run"]);
    }
}
