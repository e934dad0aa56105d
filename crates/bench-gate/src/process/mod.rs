//! Bench programs: those that serve windows of calls on request, and any criterion program, which
//! measures one case per process.

mod criterion;
mod running;

use std::{io::Write as _, path::Path, process::Command, time::Duration};

use bench_recorder::wire::{Answer, Measure, PREFIX, PROTOCOL, Prepared, RECORD_ENV, Request, SERVE_ENV, Window};
pub use criterion::{Times, window};
use running::Running;

use crate::Error;

/// How to start a program.
#[derive(Clone, Copy)]
pub struct Start<'a> {
    /// Makes the command, without arguments: the program with its working folder and environment.
    pub command: &'a dyn Fn() -> Command,
    /// The core the whole process is bound to.
    pub core: Option<u32>,
    /// Folder for what it writes, which nobody else uses at the same time.
    pub folder: &'a Path,
    /// How long it may say nothing before it counts as hung.
    pub patience: Duration,
}

/// How a program can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It serves windows.
    Serving,
    /// It is a criterion program.
    Criterion,
}

/// Why a request came to nothing.
#[derive(Debug)]
pub enum Refusal {
    /// The program lives and says why it cannot do this; it may be able to do other things.
    Case(String),
    /// The program is gone, hangs, or does not make sense; a fresh one may be able to do other things.
    Program(Error),
    /// It is not the program's fault.
    Tool(Error),
}

/// Asks a program what it is and which cases it has.
///
/// # Errors
/// [`Error::Usage`] if it refuses what it was asked for; [`Error::Failed`] with the end of what it
/// complained of if it is none, crashes or hangs.
pub fn inspect(start: &Start<'_>) -> Result<(Kind, Vec<String>), Error> {
    let mut running = serving(start)?;
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
                _ => Ok((Kind::Criterion, criterion::listed(start)?)),
            };
        }
        cases.extend(criterion::listed_case(&line));
    }
    // A list that a crash cut short is none.
    if !running.ended().is_some_and(|status| status.success()) {
        return Err(running.gone("its list of benchmarks"));
    }
    if cases.is_empty() {
        return Err(Error::Failed(format!(
            "{} lists no benchmarks; is it a criterion program?",
            running.name
        )));
    }
    Ok((Kind::Criterion, cases))
}

/// The cases that a program lists as criterion does, whether or not it could serve them.
///
/// # Errors
/// As [`inspect`].
pub fn listed(start: &Start<'_>) -> Result<Vec<String>, Error> {
    criterion::listed(start)
}

fn serving(start: &Start<'_>) -> Result<Running, Error> {
    let mut command = (start.command)();
    command
        .args(["--bench", "--list"])
        .env(SERVE_ENV, "1")
        .env_remove(RECORD_ENV);
    Running::start(start, command)
}

/// An answer, if the line is one.
fn said(line: &str) -> Option<Result<Answer, String>> {
    let json = line.strip_prefix(PREFIX)?;
    Some(serde_json::from_str(json).map_err(|error| format!("makes no sense ({error}): {json}")))
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "for iterators over slices")]
fn is_time(ns: &f64) -> bool {
    *ns > 0.0 && ns.is_finite()
}

/// A process that serves windows.
#[derive(Debug)]
pub struct Serving(Running);

impl Serving {
    /// Starts it, and waits until it is ready.
    ///
    /// # Errors
    /// [`Error::Failed`] if it does not become ready.
    pub fn start(start: &Start<'_>) -> Result<Self, Error> {
        let mut serving = Self(serving(start)?);
        match serving.answer("its start") {
            Ok(Answer::Serving { protocol: PROTOCOL, .. }) => Ok(serving),
            Ok(other) => Err(Error::Failed(format!("{} does not serve: {other:?}", serving.0.name))),
            Err(Refusal::Case(message)) => Err(Error::Failed(message)),
            Err(Refusal::Program(error) | Refusal::Tool(error)) => Err(error),
        }
    }

    /// Has a case built, checked and warmed up.
    ///
    /// # Errors
    /// Why it came to nothing.
    pub fn prepare(&mut self, case: &str) -> Result<Prepared, Refusal> {
        match self.ask(&Request::Prepare { case: case.to_owned() }, case)? {
            Answer::Prepared(prepared) if is_time(&prepared.call_ns) => Ok(prepared),
            other => Err(self.nonsense(case, &other)),
        }
    }

    /// Has a window measured.
    ///
    /// # Errors
    /// Why it came to nothing.
    pub fn measure(&mut self, measure: Measure) -> Result<Window, Refusal> {
        let case = measure.case.clone();
        match self.ask(&Request::Measure(measure), &case)? {
            Answer::Measured(window) if !window.samples_ns.is_empty() && window.samples_ns.iter().all(is_time) => {
                Ok(window)
            }
            other => Err(self.nonsense(&case, &other)),
        }
    }

    fn ask(&mut self, request: &Request, case: &str) -> Result<Answer, Refusal> {
        self.0.begin();
        let request = serde_json::to_string(request).expect("plain data is always JSON");
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
