//! A running bench program: started, listened to, and stopped whatever happens.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc,
    time::{Duration, Instant},
};

use super::Start;
use crate::{
    error::Error,
    host::{affinity, measure, quiet_display},
};

/// A running program and the lines it says.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) child: Child,
    pub(super) stdin: Option<ChildStdin>,
    lines: mpsc::Receiver<String>,
    folder: PathBuf,
    pub(super) name: String,
    patience: Duration,
}

impl Running {
    pub(super) fn start(start: &Start<'_>, args: &[&str]) -> Result<Self, Error> {
        let mut command = command(start, args)?;
        let spawned = if start.bound {
            affinity::on_one_core(|| command.spawn()).ok_or_else(affinity::impossible)?
        } else {
            command.spawn()
        };
        let mut child = spawned.map_err(Error::io("run", start.program))?;
        let stdout = child.stdout.take().expect("standard output is piped");
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Ok(Self {
            stdin: child.stdin.take(),
            child,
            lines,
            folder: start.folder.to_owned(),
            name: start.program.display().to_string(),
            patience: start.patience,
        })
    }

    /// The next line; `None` if there are no more.
    pub(super) fn line(&mut self, at: &str) -> Result<Option<String>, Error> {
        match self.lines.recv_timeout(self.patience) {
            Ok(line) => Ok(Some(line)),
            Err(mpsc::RecvTimeoutError::Disconnected) => Ok(None),
            Err(mpsc::RecvTimeoutError::Timeout) => Err(Error::Failed(format!(
                "{} said nothing for {:?} at {at} and was stopped{}",
                self.name,
                self.patience,
                complaints(&self.folder)
            ))),
        }
    }

    /// Says how it ended, when it ended though it should not have.
    pub(super) fn gone(&mut self, at: &str) -> Error {
        let status = self
            .child
            .wait()
            .map_or_else(|error| error.to_string(), |status| status.to_string());
        Error::Failed(format!(
            "{} ended with {status} at {at}{}",
            self.name,
            complaints(&self.folder)
        ))
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

fn command(start: &Start<'_>, args: &[&str]) -> Result<Command, Error> {
    fs::create_dir_all(start.folder).map_err(Error::io("create", start.folder))?;
    let log = log(start.folder);
    let log = fs::File::create(&log).map_err(Error::io("create", &log))?;
    let mut command = Command::new(start.program);
    command
        .args(args)
        .env("CRITERION_HOME", start.folder.join("criterion"))
        // As `cargo xtask bench` has it: the heap keeps what was freed.
        .env("MALLOC_TRIM_THRESHOLD_", "2147483648")
        .env("MALLOC_MMAP_THRESHOLD_", "33554432")
        .env_remove("GPU_EXECUTOR_BENCH_RECORD")
        .env_remove("GPU_EXECUTOR_BENCH_OPS")
        .env_remove("GPU_EXECUTOR_BENCH_PLANT")
        .envs(start.environment)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(log);
    if let Some(tuning) = start.tuning {
        command.env(measure::TUNING_ENV, tuning);
    }
    quiet_display(&mut command);
    Ok(command)
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
