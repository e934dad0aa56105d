//! A running bench program: started, listened to, and stopped whatever happens.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    sync::mpsc,
    time::{Duration, Instant},
};

use super::Start;
use crate::{Error, binding, lines::lines};

/// A running program and the lines it says.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) child: Child,
    pub(super) stdin: Option<ChildStdin>,
    lines: mpsc::Receiver<String>,
    folder: PathBuf,
    pub(super) name: String,
    patience: Duration,
    /// When the answer to the present request is due.
    deadline: Instant,
}

/// Lines that may wait to be read; who says more waits as well.
const MOST_LINES: usize = 1000;
/// How long a program may take to end that has closed its standard output.
const GRACE: Duration = Duration::from_secs(5);

impl Running {
    /// Starts a command that has its arguments.
    pub(super) fn start(start: &Start<'_>, mut command: Command) -> Result<Self, Error> {
        fs::create_dir_all(start.folder).map_err(Error::io("create", start.folder))?;
        let log = log(start.folder);
        let log = fs::File::create(&log).map_err(Error::io("create", &log))?;
        command
            .env("CRITERION_HOME", start.folder.join("criterion"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log);
        let program = PathBuf::from(command.get_program());
        let mut child = binding::spawn(&mut command, start.core).map_err(Error::io("run", &program))?;
        let stdout = child.stdout.take().expect("standard output is piped");
        let (sender, said) = mpsc::sync_channel(MOST_LINES);
        std::thread::spawn(move || {
            for line in lines(stdout) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Ok(Self {
            stdin: child.stdin.take(),
            child,
            lines: said,
            folder: start.folder.to_owned(),
            name: program.display().to_string(),
            patience: start.patience,
            deadline: Instant::now() + start.patience,
        })
    }

    /// From now on the program has its time for another answer, however much else it says.
    pub(super) fn begin(&mut self) {
        self.deadline = Instant::now() + self.patience;
    }

    /// The next line; `None` if there are no more.
    pub(super) fn line(&mut self, at: &str) -> Result<Option<String>, Error> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        match self.lines.recv_timeout(left) {
            Ok(line) if !left.is_zero() => Ok(Some(line)),
            Err(mpsc::RecvTimeoutError::Disconnected) => Ok(None),
            _ => Err(Error::Failed(format!(
                "{} gave no answer within {:?} at {at} and was stopped (--patience){}",
                self.name,
                self.patience,
                complaints(&self.folder)
            ))),
        }
    }

    /// Says how it ended, when it ended though it should not have.
    pub(super) fn gone(&mut self, at: &str) -> Error {
        let how = match self.ended() {
            Some(status) => format!("ended with {status}"),
            None => "closed its standard output without an answer".to_owned(),
        };
        Error::Failed(format!("{} {how} at {at}{}", self.name, complaints(&self.folder)))
    }

    /// How it ended after its last line; `None` if it goes on for longer than programs take to end.
    pub(super) fn ended(&mut self) -> Option<ExitStatus> {
        let deadline = Instant::now() + GRACE.min(self.patience);
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => return Some(status),
                Ok(None) if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(2)),
                _ => return None,
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // A program that serves ends when this pipe closes; one that hangs does not.
        drop(self.stdin.take());
        let deadline = Instant::now() + Duration::from_millis(500);
        while Instant::now() < deadline {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn log(folder: &Path) -> PathBuf {
    folder.join("stderr.txt")
}

/// The end of what a program complained of.
fn complaints(folder: &Path) -> String {
    let text = fs::read_to_string(log(folder)).unwrap_or_default();
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let tail = lines[lines.len().saturating_sub(8)..].join("\n  ");
    if tail.is_empty() {
        String::new()
    } else {
        format!(":\n  {tail}")
    }
}
