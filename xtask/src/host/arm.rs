//! Bench programs as arms of a comparison: those that serve windows of calls on demand, and any criterion program, which measures one
//! case per process.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc,
    time::{Duration, Instant},
};

use serde::Deserialize;

use crate::{
    ab::recording::Measured,
    error::Error,
    host::{affinity, calibration, measure, quiet_display},
};

/// The protocol this program speaks.
const PROTOCOL: u32 = 1;

/// How to start a program.
#[derive(Clone, Debug)]
pub(crate) struct Start<'a> {
    pub(crate) program: &'a Path,
    /// What the program is told by its environment.
    pub(crate) environment: &'a BTreeMap<String, String>,
    /// How tasks reach the adapter; `None` to leave that to the program.
    pub(crate) tuning: Option<&'a str>,
    pub(crate) bound: bool,
    /// Folder for what it writes, which nobody else uses at the same time.
    pub(crate) folder: &'a Path,
    /// How long it may say nothing before it counts as hung.
    pub(crate) patience: Duration,
}

/// How a program can be measured.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Kind {
    /// It serves windows.
    Serving,
    /// It is a criterion program.
    Criterion,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Answer {
    Serving { protocol: u32, cases: Vec<String> },
    Prepared(Prepared),
    Measured(Measured),
    Failed(String),
}

/// What is known of a case before it is measured.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) struct Prepared {
    pub(crate) call_ns: f64,
    pub(crate) calibration_ns: f64,
}

/// Why a request came to nothing.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// The program lives and says why it cannot do this; it may be able to do other things.
    Case(String),
    /// The program is gone, hangs, or does not make sense.
    Program(Error),
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

/// A running program and the lines it says.
#[derive(Debug)]
struct Running {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: mpsc::Receiver<String>,
    folder: PathBuf,
    name: String,
    patience: Duration,
}

impl Running {
    fn start(start: &Start<'_>, args: &[&str]) -> Result<Self, Error> {
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
    fn line(&mut self, at: &str) -> Result<Option<String>, Error> {
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
    fn gone(&mut self, at: &str) -> Error {
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

/// Asks a program what it is and which cases it has.
pub(crate) fn inspect(start: &Start<'_>) -> Result<(Kind, Vec<String>), Error> {
    let mut running = Running::start(start, &["--bench", "--list"])?;
    let mut cases = Vec::new();
    while let Some(line) = running.line("its start")? {
        if let Some(answer) = said(&line) {
            return match answer.map_err(|error| Error::Failed(format!("{}: {error}", running.name)))? {
                Answer::Serving {
                    protocol: PROTOCOL,
                    cases,
                } => Ok((Kind::Serving, cases)),
                Answer::Failed(message) => Err(Error::Usage(message)),
                // Another protocol than ours is as good as none.
                _ => listed(start),
            };
        }
        cases.extend(listed_case(&line));
    }
    if cases.is_empty() {
        return Err(match running.child.wait() {
            Ok(status) if status.success() => Error::Failed(format!(
                "{} lists no benchmarks; is it a criterion program?",
                running.name
            )),
            _ => running.gone("its list of benchmarks"),
        });
    }
    Ok((Kind::Criterion, cases))
}

/// The case that a line of criterion's list names; before 0.5 it said `bench`.
fn listed_case(line: &str) -> Option<String> {
    [": benchmark", ": bench"]
        .iter()
        .find_map(|end| line.strip_suffix(end))
        .map(str::to_owned)
}

/// What a program is told that is to behave as any criterion program.
fn without_serving(start: &Start<'_>) -> BTreeMap<String, String> {
    let mut environment = start.environment.clone();
    environment.remove("GPU_EXECUTOR_BENCH_SERVE");
    environment
}

/// The cases criterion lists.
pub(crate) fn listed(start: &Start<'_>) -> Result<(Kind, Vec<String>), Error> {
    let environment = without_serving(start);
    let start = Start {
        environment: &environment,
        ..start.clone()
    };
    let mut running = Running::start(&start, &["--bench", "--list"])?;
    let mut cases = Vec::new();
    while let Some(line) = running.line("its list of benchmarks")? {
        cases.extend(listed_case(&line));
    }
    Ok((Kind::Criterion, cases))
}

/// An answer, if the line is one.
fn said(line: &str) -> Option<Result<Answer, String>> {
    let json = line.strip_prefix("gpu-executor-bench: ")?;
    Some(serde_json::from_str(json).map_err(|error| format!("makes no sense ({error}): {json}")))
}

/// A process that serves windows.
#[derive(Debug)]
pub(crate) struct Serving(Running);

impl Serving {
    pub(crate) fn start(start: &Start<'_>) -> Result<Self, Error> {
        let mut serving = Self(Running::start(start, &["--bench", "--list"])?);
        match serving.answer("its start") {
            Ok(Answer::Serving { .. }) => Ok(serving),
            Ok(other) => Err(Error::Failed(format!("{} does not serve: {other:?}", serving.0.name))),
            Err(Refusal::Case(message)) => Err(Error::Failed(message)),
            Err(Refusal::Program(error)) => Err(error),
        }
    }

    /// Has a case built, checked and warmed up.
    pub(crate) fn prepare(&mut self, case: &str) -> Result<Prepared, Refusal> {
        match self.ask(&format!("prepare {case}"), case)? {
            Answer::Prepared(prepared) if prepared.call_ns > 0.0 => Ok(prepared),
            other => Err(self.nonsense(case, &other)),
        }
    }

    /// Has a window measured: quiet calls of `keep`, or what there was of them in eight times as long.
    pub(crate) fn measure(
        &mut self,
        case: &str,
        keep: Duration,
        batch: u64,
        limit_ns: f64,
    ) -> Result<Measured, Refusal> {
        let request = format!("measure {case} {} {batch} {}", keep.as_millis(), limit_ns as u64);
        match self.ask(&request, case)? {
            Answer::Measured(measured) if measured.samples_ns.iter().all(|ns| *ns > 0.0 && ns.is_finite()) => {
                Ok(measured)
            }
            other => Err(self.nonsense(case, &other)),
        }
    }

    fn ask(&mut self, request: &str, case: &str) -> Result<Answer, Refusal> {
        let stdin = self.0.stdin.as_mut().expect("open until it is dropped");
        if writeln!(stdin, "{request}").and_then(|()| stdin.flush()).is_err() {
            return Err(Refusal::Program(self.0.gone(case)));
        }
        self.answer(case)
    }

    fn answer(&mut self, at: &str) -> Result<Answer, Refusal> {
        loop {
            let Some(line) = self.0.line(at).map_err(Refusal::Program)? else {
                return Err(Refusal::Program(self.0.gone(at)));
            };
            // Drivers write what they like to standard output.
            match said(&line) {
                None => {}
                Some(Ok(Answer::Failed(message))) => return Err(Refusal::Case(message)),
                Some(Ok(answer)) => return Ok(answer),
                Some(Err(message)) => {
                    return Err(Refusal::Program(Error::Failed(format!(
                        "{} at {at}: {message}",
                        self.0.name
                    ))));
                }
            }
        }
    }

    fn nonsense(&self, case: &str, answer: &Answer) -> Refusal {
        let answer: String = format!("{answer:?}").chars().take(200).collect();
        Refusal::Program(Error::Failed(format!(
            "{} at {case} gave an answer that makes no sense: {answer}",
            self.0.name
        )))
    }
}

/// Measures one case in one fresh criterion process: 10 samples in a fifth of a second.
pub(crate) fn criterion(start: &Start<'_>, case: &str) -> Result<Measured, Refusal> {
    let environment = without_serving(start);
    let start = &Start {
        environment: &environment,
        ..start.clone()
    };
    let run = || -> Result<Measured, Error> {
        let home = start.folder.join("criterion");
        if home.exists() {
            fs::remove_dir_all(&home).map_err(Error::io("remove", &home))?;
        }
        let filter = format!("^{}$", escape(case));
        let before_ns = calibration::time_ns(start.bound);
        let mut ended = None;
        // Before 0.4, criterion knew whole seconds only.
        for [warm_up, measurement] in [["0.1", "0.2"], ["1", "1"]] {
            let times = ["--warm-up-time", warm_up, "--measurement-time", measurement];
            let rest = [
                "--sample-size",
                "10",
                "--nresamples",
                "1000",
                "--bench",
                "--noplot",
                &filter,
            ];
            let mut running = Running::start(start, &[&times[..], &rest[..]].concat())?;
            while running.line(case)?.is_some() {}
            let status = running.child.wait().map_err(Error::io("wait for", start.program))?;
            if status.success() {
                ended = None;
                break;
            }
            ended = Some(running.gone(case));
        }
        if let Some(error) = ended {
            return Err(error);
        }
        let after_ns = calibration::time_ns(start.bound);
        let samples = if home.exists() {
            measure::samples(&home)?
        } else {
            Vec::new()
        };
        let sample = samples.into_iter().find(|(id, _)| id == case).map(|(_, sample)| sample);
        let sample = sample.ok_or_else(|| Error::Failed(format!("{} measured no {case}", start.program.display())))?;
        let samples_ns: Vec<f64> = sample
            .times
            .iter()
            .zip(&sample.iters)
            .map(|(time, calls)| time / calls)
            .collect();
        if samples_ns.is_empty() || !samples_ns.iter().all(|ns| *ns > 0.0 && ns.is_finite()) {
            return Err(Error::Failed(format!(
                "criterion's samples of {case} are no times: {samples_ns:?}"
            )));
        }
        Ok(Measured {
            samples_ns,
            calibrations_ns: vec![before_ns, after_ns],
            ..Measured::default()
        })
    };
    run().map_err(Refusal::Program)
}

/// Makes a regular expression that only this text matches.
fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        if "\\.+*?()|[]{}^$#&-~ ".contains(c) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_any_criterion_is_read() {
        let check = |line: &str, expected: Option<&str>| assert_eq!(listed_case(line).as_deref(), expected, "{line}");
        check("req/req: bench", Some("req/req"));
        check("u64[0]/std::fmt: benchmark", Some("u64[0]/std::fmt"));
        check("", None);
        check("5 benchmarks", None);
    }

    #[test]
    fn a_filter_matches_its_case_alone() {
        assert_eq!(escape("hash (fast)/4x4"), "hash\\ \\(fast\\)/4x4");
        assert_eq!(escape("vector_add/cpu/1000"), "vector_add/cpu/1000");
    }
}
