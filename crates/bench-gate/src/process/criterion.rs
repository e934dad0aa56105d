//! Any criterion program, driven as it is: it lists its cases, and measures one of them per process.

use std::{fs, path::Path};

use bench_recorder::wire::{RECORD_ENV, SERVE_ENV, Window};

use super::{Refusal, Start, running::Running};
use crate::Error;

/// The case that a line of criterion's list names; before 0.5 it said `bench`.
pub(super) fn listed_case(line: &str) -> Option<String> {
    [": benchmark", ": bench"]
        .iter()
        .find_map(|end| line.strip_suffix(end))
        .map(str::to_owned)
}

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
        cases.extend(listed_case(&line));
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
    let home = start.folder.join("criterion");
    if home.exists() {
        fs::remove_dir_all(&home).map_err(|error| Refusal::Tool(Error::io("remove", &home)(error)))?;
    }
    let [warm_up, measurement] = match times {
        Times::Short => ["0.05", "0.1"],
        Times::Whole => ["1", "1"],
    };
    let filter = format!("^{}$", escape(case));
    let times = ["--warm-up-time", warm_up, "--measurement-time", measurement];
    let size = ["--sample-size", SAMPLES, "--nresamples", "1000"];
    let rest = ["--bench", "--noplot", &filter];
    let mut running = running(start, &[&times[..], &size[..], &rest[..]].concat()).map_err(Refusal::Tool)?;
    let mut refusal = None;
    while let Some(line) = running.line(case).map_err(Refusal::Program)? {
        refusal = refusal.or(refuses_times(&line).then_some(line));
    }
    if !running.ended().is_some_and(|status| status.success()) {
        let error = running.gone(case);
        let refusal = refusal.or(Some(error.to_string()).filter(|text| refuses_times(text)));
        return Err(refusal.map_or(Refusal::Program(error), Refusal::Case));
    }
    let nonsense = |message: String| Refusal::Program(Error::Failed(message));
    let samples = if home.exists() {
        samples(&home).map_err(Refusal::Program)?
    } else {
        Vec::new()
    };
    let sample = samples.into_iter().find(|(id, _)| id == case).map(|(_, sample)| sample);
    let sample = sample.ok_or_else(|| nonsense(format!("{} measured no {case}", running.name)))?;
    let each = sample.times.iter().zip(&sample.iters).map(|(time, calls)| time / calls);
    let samples_ns: Vec<f64> = each.collect();
    if samples_ns.is_empty() || !samples_ns.iter().all(super::is_time) {
        return Err(nonsense(format!(
            "criterion's samples of {case} are no times: {samples_ns:?}"
        )));
    }
    Ok(Window {
        samples_ns,
        ..Window::default()
    })
}

/// What criterion saves in `sample.json`.
#[derive(Clone, Debug, serde::Deserialize)]
struct Sample {
    /// Calls per sample.
    iters: Vec<f64>,
    /// Total time of each sample, in nanoseconds.
    times: Vec<f64>,
}

/// Criterion's measurements below a folder, with their full ids: folder names are cut short and changed,
/// ids are not.
fn samples(folder: &Path) -> Result<Vec<(String, Sample)>, Error> {
    #[derive(serde::Deserialize)]
    struct Benchmark {
        full_id: String,
    }
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).map_err(Error::io("read", &folder))? {
            let path = entry.map_err(Error::io("read", &folder))?.path();
            if path.is_dir() && path.file_name().is_some_and(|name| name == "new") {
                let benchmark: Benchmark = crate::files::read_json(&path.join("benchmark.json"))?;
                found.push((benchmark.full_id, crate::files::read_json(&path.join("sample.json"))?));
            } else if path.is_dir() {
                folders.push(path);
            }
        }
    }
    Ok(found)
}

/// Whether a program says that it does not take the times: clap's words, or those of the library for numbers.
fn refuses_times(text: &str) -> bool {
    let text = text.to_lowercase();
    text.contains("invalid") && ["digit", "value", "argument"].iter().any(|word| text.contains(word))
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
