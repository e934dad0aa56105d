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
    Ok((Kind::Criterion, cases))
}

/// Times of warm-up and measurement, in seconds: short, to be left alone for. Before 0.4, criterion knew whole ones only.
const TIMES: [[&str; 2]; 2] = [["0.05", "0.1"], ["1", "1"]];
/// Samples a window: short enough for the fastest tenth of them to fall into a quiet moment.
const SAMPLES: &str = "20";

/// Measures one case in one fresh criterion process, with the calibration kernel beside it.
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
        // The outer error is one that the other times would meet as well.
        let process = |[warm_up, measurement]: [&str; 2]| -> Result<Result<(), Error>, Error> {
            let times = ["--warm-up-time", warm_up, "--measurement-time", measurement];
            let size = ["--sample-size", SAMPLES, "--nresamples", "1000"];
            let rest = ["--bench", "--noplot", &filter];
            let mut running = Running::start(start, &[&times[..], &size[..], &rest[..]].concat())?;
            while running.line(case)?.is_some() {}
            let status = running.child.wait().map_err(Error::io("wait for", start.program))?;
            Ok(if status.success() {
                Ok(())
            } else {
                Err(running.gone(case))
            })
        };
        let (ended, kernel_ns) = calibration::beside(start.bound, || match process(TIMES[0])? {
            Ok(()) => Ok(()),
            Err(_) => process(TIMES[1])?,
        });
        ended?;
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
            calibrations_ns: vec![quarter(kernel_ns)],
            ..Measured::default()
        })
    };
    run().map_err(Refusal::Program)
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
