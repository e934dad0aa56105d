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

/// What a program complained of at the end.
fn complaints(folder: &Path) -> String {
    let text = fs::read(log(folder)).unwrap_or_default();
    let tail = complaint(&String::from_utf8_lossy(&text)).join("\n  ");
    if tail.is_empty() {
        String::new()
    } else {
        format!(":\n  {tail}")
    }
}

/// Lines of a complaint that is no panic, and of one with a backtrace.
const TAIL: usize = 8;
const MAX_PANIC: usize = 200;

/// The last panic from its first line on, whatever its message has of lines; else the last lines.
fn complaint(text: &str) -> Vec<&str> {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let is_panic = |line: &&str| line.starts_with("thread '") && line.contains("panicked at");
    match lines.iter().rposition(is_panic) {
        Some(panic) => lines[panic..lines.len().min(panic + MAX_PANIC)].to_vec(),
        None => lines[lines.len().saturating_sub(TAIL)..].to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_told_whole_and_of_other_complaints_the_end() {
        let numbered = |count: usize| (1..=count).map(|n| format!("line {n}\n")).collect::<String>();
        let panic = format!("thread 'main' (7) panicked at benches/a.rs:3:5:\n{}", numbered(50));
        let told = complaint(&panic);
        assert_eq!((told.len(), told[50]), (51, "line 50"));
        let twice = format!("{panic}{}", panic.replace("a.rs", "b.rs"));
        let told = complaint(&twice);
        assert!(told.len() == 51 && told[0].contains("b.rs"), "{told:?}");
        assert_eq!(complaint(&numbered(20)).first(), Some(&"line 13"));
        assert_eq!(complaint("\n\n"), Vec::<&str>::new());
        let endless = format!("thread 'main' panicked at a:\n{}", numbered(10_000));
        assert_eq!(complaint(&endless).len(), MAX_PANIC);
    }
}
