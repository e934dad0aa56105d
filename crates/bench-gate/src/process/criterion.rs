//! Any criterion program, driven as it is: it lists its cases, and measures one of them per process.

use std::fs;

use bench_recorder::wire::{RECORD_ENV, SERVE_ENV, Window};

use super::{Refusal, Start, running::Running};
use crate::{Error, criterion};

/// What a program is told that is to behave as any criterion program.
fn running(start: &Start<'_>, args: &[&str]) -> Result<Running, Error> {
    let mut command = (start.command)();
    command.args(args).env_remove(SERVE_ENV).env_remove(RECORD_ENV);
    Running::start(start, command)
}

/// The cases criterion lists.
pub(super) fn listed(start: &Start<'_>) -> Result<Vec<String>, Error> {
    let mut running = running(start, &["--bench", "--list"])?;
    let mut cases = Vec::new();
    while let Some(line) = running.line("its list of benchmarks")? {
        cases.extend(criterion::listed(&line).map(str::to_owned));
    }
    if !running.ended().is_some_and(|status| status.success()) {
        return Err(running.gone("its list of benchmarks"));
    }
    Ok(cases)
}

/// Times of warm-up and measurement that a program takes, in seconds. Before 0.4, criterion knew whole
/// ones only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Times {
    /// 0.05 and 0.1.
    #[default]
    Short,
    /// 1 and 1.
    Whole,
}

/// Samples of a window.
const SAMPLES: &str = "20";

/// Measures one case in one fresh criterion process. `times` is set by a program that takes whole
/// seconds only, and holds for all of a comparison.
///
/// # Errors
/// Why it came to nothing.
pub fn window(start: &Start<'_>, case: &str, times: &mut Times) -> Result<Window, Refusal> {
    match measured(start, case, *times) {
        Err(Refusal::Case(_)) if *times == Times::Short => {
            *times = Times::Whole;
            measured(start, case, *times)
        }
        done => done,
    }
}

fn measured(start: &Start<'_>, case: &str, times: Times) -> Result<Window, Refusal> {
    for filter in criterion::filters(case) {
        if let Some(window) = filtered(start, case, &filter, times)? {
            return Ok(window);
        }
    }
    let name = (start.command)().get_program().to_string_lossy().into_owned();
    Err(Refusal::Case(format!(
        "{name} lists it, and measured nothing of that name"
    )))
}

/// Measures what a filter matches; `None` if the case is not among it.
fn filtered(start: &Start<'_>, case: &str, filter: &str, times: Times) -> Result<Option<Window>, Refusal> {
    let home = start.folder.join("criterion");
    if home.exists() {
        fs::remove_dir_all(&home).map_err(|error| Refusal::Tool(Error::io("remove", &home)(error)))?;
    }
    let [warm_up, measurement] = match times {
        Times::Short => ["0.05", "0.1"],
        Times::Whole => ["1", "1"],
    };
    let times = ["--warm-up-time", warm_up, "--measurement-time", measurement];
    let size = ["--sample-size", SAMPLES, "--nresamples", "1000"];
    let rest = ["--bench", "--noplot", filter];
    let mut running = running(start, &[&times[..], &size[..], &rest[..]].concat()).map_err(Refusal::Tool)?;
    let (mut refusal, mut other_unit) = (None, None);
    while let Some(line) = running.line(case).map_err(Refusal::Program)? {
        other_unit = other_unit.or(criterion::unit(&line).filter(|unit| !criterion::is_time(unit)));
        refusal = refusal.or(refuses_times(&line).then_some(line));
    }
    if !running.ended().is_some_and(|status| status.success()) {
        let error = running.gone(case);
        let refusal = refusal.or(Some(error.to_string()).filter(|text| refuses_times(text)));
        return Err(refusal.map_or(Refusal::Program(error), Refusal::Case));
    }
    if let Some(unit) = other_unit {
        let what = match unit.as_str() {
            "" => "values without a unit".to_owned(),
            unit => format!("`{unit}`"),
        };
        return Err(Refusal::Case(format!(
            "it measures {what} and not time, and nothing says whether less or more of that is better"
        )));
    }
    let nonsense = |message: String| Refusal::Program(Error::Failed(message));
    if !home.exists() {
        return Ok(None);
    }
    let measured = criterion::measured(&home).map_err(|error| nonsense(error.to_string()))?;
    let Some(measured) = measured.into_iter().find(|measured| measured.is(case)) else {
        return Ok(None);
    };
    let samples_ns = measured.each();
    if samples_ns.is_empty() || !samples_ns.iter().all(super::is_time) {
        return Err(nonsense(format!(
            "criterion's samples of {case} are no times: {samples_ns:?}"
        )));
    }
    Ok(Some(Window {
        samples_ns,
        ..Window::default()
    }))
}

/// Whether a program says that it does not take the times: clap's words, or those of the library for numbers.
fn refuses_times(text: &str) -> bool {
    let text = text.to_lowercase();
    text.contains("invalid") && ["digit", "value", "argument"].iter().any(|word| text.contains(word))
}
