//! Bench programs as arms of a comparison: those that serve windows of calls on demand, and any criterion program, which measures one
//! case per process.

mod criterion;
mod running;

use std::{collections::BTreeMap, io::Write as _, path::Path, time::Duration};

pub(crate) use criterion::{criterion, listed};
use running::Running;
use serde::Deserialize;

use crate::{ab::recording::Measured, error::Error};

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
    /// The program is gone, hangs, or does not make sense; a fresh one may be able to do other things.
    Program(Error),
    /// It is not the program's fault.
    Tool(Error),
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

/// An answer, if the line is one.
fn said(line: &str) -> Option<Result<Answer, String>> {
    let json = line.strip_prefix("gpu-executor-bench: ")?;
    Some(serde_json::from_str(json).map_err(|error| format!("makes no sense ({error}): {json}")))
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "for iterators over slices")]
fn is_time(ns: &f64) -> bool {
    *ns > 0.0 && ns.is_finite()
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
            Err(Refusal::Program(error) | Refusal::Tool(error)) => Err(error),
        }
    }

    /// Has a case built, checked and warmed up.
    pub(crate) fn prepare(&mut self, case: &str) -> Result<Prepared, Refusal> {
        match self.ask(&format!("prepare {case}"), case)? {
            Answer::Prepared(prepared) if [prepared.call_ns, prepared.calibration_ns].iter().all(is_time) => {
                Ok(prepared)
            }
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
            // Without the kernel's times nobody knows whether the machine was quiet.
            Answer::Measured(measured)
                if !measured.calibrations_ns.is_empty()
                    && measured.samples_ns.iter().chain(&measured.calibrations_ns).all(is_time) =>
            {
                Ok(measured)
            }
            other => Err(self.nonsense(case, &other)),
        }
    }

    fn ask(&mut self, request: &str, case: &str) -> Result<Answer, Refusal> {
        self.0.begin();
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
