//! Any criterion program, driven as it is: it lists its cases, and measures one of them per process.

use std::{collections::BTreeMap, fs};

use super::{Kind, Refusal, Start, running::Running};
use crate::{
    ab::recording::Measured,
    error::Error,
    host::{calibration, measure},
};

/// The case that a line of criterion's list names; before 0.5 it said `bench`.
pub(super) fn listed_case(line: &str) -> Option<String> {
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
    if !running.ended().is_some_and(|status| status.success()) {
        return Err(running.gone("its list of benchmarks"));
    }
    Ok((Kind::Criterion, cases))
}

/// Times of warm-up and measurement, in seconds: short, to be left alone for. Before 0.4, criterion knew whole ones only.
const TIMES: [[&str; 2]; 2] = [["0.05", "0.1"], ["1", "1"]];
/// Samples a window: short enough for the fastest tenth of them to fall into a quiet moment.
const SAMPLES: &str = "20";

/// Measures one case in one fresh criterion process, with the calibration kernel beside it. /// `whole_seconds` is set by a
/// program that takes no others, and holds for all of a comparison.
pub(crate) fn criterion(start: &Start<'_>, case: &str, whole_seconds: &mut bool) -> Result<Measured, Refusal> {
    let environment = without_serving(start);
    let start = &Start {
        environment: &environment,
        ..start.clone()
    };
    let nonsense = |message: String| Refusal::Program(Error::Failed(message));
    let run = |[warm_up, measurement]: [&str; 2]| -> Result<Measured, Refusal> {
        let home = start.folder.join("criterion");
        if home.exists() {
            fs::remove_dir_all(&home).map_err(|error| Refusal::Tool(Error::io("remove", &home)(error)))?;
        }
        let filter = format!("^{}$", escape(case));
        let process = || -> Result<(), Refusal> {
            let times = ["--warm-up-time", warm_up, "--measurement-time", measurement];
            let size = ["--sample-size", SAMPLES, "--nresamples", "1000"];
            let rest = ["--bench", "--noplot", &filter];
            let mut running =
                Running::start(start, &[&times[..], &size[..], &rest[..]].concat()).map_err(Refusal::Tool)?;
            let mut refusal = None;
            while let Some(line) = running.line(case).map_err(Refusal::Program)? {
                refusal = refusal.or(refuses_times(&line).then_some(line));
            }
            if running.ended().is_some_and(|status| status.success()) {
                return Ok(());
            }
            let error = running.gone(case);
            Err(
                match refusal.or(Some(error.to_string()).filter(|text| refuses_times(text))) {
                    Some(line) => Refusal::Case(line),
                    None => Refusal::Program(error),
                },
            )
        };
        let (ended, kernel_ns) = calibration::beside(start.bound, process);
        ended?;
        let samples = if home.exists() {
            measure::samples(&home).map_err(Refusal::Program)?
        } else {
            Vec::new()
        };
        let sample = samples.into_iter().find(|(id, _)| id == case).map(|(_, sample)| sample);
        let sample = sample.ok_or_else(|| nonsense(format!("{} measured no {case}", start.program.display())))?;
        let samples_ns: Vec<f64> = sample
            .times
            .iter()
            .zip(&sample.iters)
            .map(|(time, calls)| time / calls)
            .collect();
        if samples_ns.is_empty() || !samples_ns.iter().all(|ns| *ns > 0.0 && ns.is_finite()) {
            return Err(nonsense(format!(
                "criterion's samples of {case} are no times: {samples_ns:?}"
            )));
        }
        Ok(Measured {
            samples_ns,
            calibrations_ns: vec![quarter(kernel_ns)],
            ..Measured::default()
        })
    };
    match run(TIMES[usize::from(*whole_seconds)]) {
        Err(Refusal::Case(_)) if !*whole_seconds => {
            *whole_seconds = true;
            run(TIMES[1])
        }
        done => done,
    }
}

/// Whether a program says that it does not take the times: clap's words, or those of the library for numbers.
fn refuses_times(text: &str) -> bool {
    let text = text.to_lowercase();
    text.contains("invalid") && ["digit", "value", "argument"].iter().any(|word| text.contains(word))
}

/// The time that a quarter of the kernel's times are below: for so much of a window the machine was as quiet at the least, and from then are
/// the fastest samples.
fn quarter(mut times_ns: Vec<f64>) -> f64 {
    times_ns.sort_by(f64::total_cmp);
    times_ns[(times_ns.len() - 1) / 4]
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
