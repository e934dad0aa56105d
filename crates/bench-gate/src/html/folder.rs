//! A folder that a run or a comparison left, read for a report: whatever of it is there.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use serde::Deserialize;
use serde_json::Value;

use super::Tone;
use crate::error::Error;

/// What a folder tells.
#[derive(Clone, Debug, Default)]
pub struct Folder {
    /// How the run is called where there are several: the folder's name.
    pub name: String,
    /// The command line.
    pub command: String,
    /// UTC.
    pub started: String,
    /// Names and values of what else is known of the run.
    pub facts: Vec<(String, String)>,
    /// How it ended; empty if nothing was judged.
    pub headline: String,
    /// The cases, in the order in which they were first told of.
    pub cases: Vec<Case>,
}

/// What is known of a case.
#[derive(Clone, Debug, Default)]
pub struct Case {
    /// Its id.
    pub id: String,
    /// Quantiles, where a run measured it.
    pub times: Option<Times>,
    /// Medians of the phases of a call, by name in the order of the file, in nanoseconds; one that was not measured is missing.
    pub phases_ns: Vec<(String, f64)>,
    /// What the cold start took, part by part, in nanoseconds: each process's.
    pub cold_ns: BTreeMap<String, Vec<f64>>,
    /// What is said of it.
    pub verdict: Option<CaseVerdict>,
    /// Wall times of its calls by process, in nanoseconds, in their order.
    pub calls_ns: BTreeMap<u64, Vec<f64>>,
    /// Windows of a comparison.
    pub windows: Vec<Window>,
}

/// Quantiles of all calls of a case, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Times {
    /// Processes.
    pub runs: u64,
    /// Calls.
    pub calls: u64,
    /// The median,
    pub p50_ns: f64,
    /// its 95 % interval,
    pub p50_interval_ns: Option<(f64, f64)>,
    /// and the 95th percentile.
    pub p95_ns: f64,
}

/// What is said of a case, and on what grounds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CaseVerdict {
    /// In reports' words: `counters changed`.
    pub word: String,
    /// Change in per cent, positive where it is slower.
    pub change: Option<f64>,
    /// Where it lies.
    pub interval: Option<(f64, f64)>,
    /// Counters that changed: name, before, now; or in one sentence.
    pub counters: Vec<String>,
    /// Why.
    pub note: Option<String>,
}

impl Case {
    /// Whether there is something to tell beside the name: a case that was counted alone, and is as it was, has nothing.
    #[must_use]
    pub fn is_told(&self) -> bool {
        let is_changed = |verdict: &CaseVerdict| !verdict.counters.is_empty() || verdict.change.is_some();
        self.times.is_some() || !self.windows.is_empty() || self.verdict.as_ref().is_some_and(is_changed)
    }
}

impl CaseVerdict {
    /// How bad the verdict is.
    pub fn tone(&self) -> Tone {
        match self.word.as_str() {
            "slower" | "counters changed" => Tone::Worse,
            "faster" => Tone::Better,
            "inconclusive" | "noisy" | "missing" => Tone::Doubtful,
            _ => Tone::Same,
        }
    }
}

/// A window of a comparison.
#[derive(Clone, Debug, Deserialize)]
pub struct Window {
    case: String,
    /// Number of the block.
    pub block: u64,
    /// `base`, `head` or `control`.
    #[serde(alias = "arm")]
    pub variant: String,
    /// Fastest tenth of its calls, in nanoseconds; 0 if it has none.
    pub p10_ns: f64,
    /// Clocks of the GPUs behind it.
    #[serde(default)]
    pub gpus: Vec<Clock>,
}

/// The clock of a GPU.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Clock {
    /// Of the multiprocessors, in MHz.
    pub sm_mhz: f64,
}

impl Folder {
    /// Reads a folder of a run or of a comparison.
    ///
    /// # Errors
    /// [`Error::Usage`] if it has none of their files, [`Error::Data`] if one is damaged.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let name = path.canonicalize().map_err(Error::io("find", path))?;
        let mut folder = Self {
            name: name.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            ..Self::default()
        };
        let mut found = false;
        for (file, read) in FILES {
            let file = path.join(file);
            match fs::read_to_string(&file) {
                Ok(text) => read(&mut folder, &file, &text)?,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(Error::io("read", &file)(error)),
            }
            found = true;
        }
        // A comparison of equal programs has no case, and says so.
        if !found || folder.cases.is_empty() && folder.headline.is_empty() {
            return Err(Error::Usage(format!(
                "{}: no case of a run or comparison is in this folder (looked for quantiles.csv, verdicts.json, windows.jsonl)",
                path.display()
            )));
        }
        Ok(folder)
    }

    /// A case by its id.
    pub fn case(&self, id: &str) -> Option<&Case> {
        self.cases.iter().find(|case| case.id == id)
    }

    fn case_mut(&mut self, id: &str) -> &mut Case {
        let at = self.cases.iter().position(|case| case.id == id).unwrap_or_else(|| {
            self.cases.push(Case {
                id: id.to_owned(),
                ..Case::default()
            });
            self.cases.len() - 1
        });
        &mut self.cases[at]
    }

    fn facts(&mut self, path: &Path, text: &str) -> Result<(), Error> {
        let value: Value = serde_json::from_str(text).map_err(|error| json_error(path, &error))?;
        for (name, value) in value.as_object().into_iter().flatten() {
            match name.as_str() {
                "command" => self.command = string(value),
                "started" => self.started = string(value),
                // The first two are long and not asked for; verdicts.json names the revisions better.
                "programs" | "selection" | "commits" | "schema" => {}
                _ => self
                    .facts
                    .extend(Some((name.replace('_', " "), string(value))).filter(|(_, value)| !value.is_empty())),
            }
        }
        Ok(())
    }

    fn quantiles(&mut self, path: &Path, text: &str) -> Result<(), Error> {
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let headers = reader.headers().map_err(|error| csv_error(path, &error))?.clone();
        let phases: Vec<(usize, &str)> = headers
            .iter()
            .enumerate()
            .filter(|(_, name)| {
                name.ends_with("_ns") && !name.starts_with('p') && !name.starts_with("cold_") && *name != "mean_ns"
            })
            .map(|(at, name)| (at, name.trim_end_matches("_ns")))
            .collect();
        for record in reader.records() {
            let record = record.map_err(|error| csv_error(path, &error))?;
            let row = Row {
                path,
                headers: &headers,
                record: &record,
            };
            let times = Times {
                runs: row.number("runs")? as u64,
                calls: row.number("calls")? as u64,
                p50_ns: row.number("p50_ns")?,
                p50_interval_ns: row.optional("p50_lo_ns")?.zip(row.optional("p50_hi_ns")?),
                p95_ns: row.number("p95_ns")?,
            };
            let named = |at: usize, name: &str| -> Result<Option<(String, f64)>, Error> {
                Ok(row.parse(at)?.map(|value| (name.to_owned(), value)))
            };
            let mut phases_ns = Vec::new();
            for (at, name) in &phases {
                phases_ns.extend(named(*at, name)?);
            }
            let case = self.case_mut(&row.id()?);
            (case.times, case.phases_ns) = (Some(times), phases_ns);
        }
        Ok(())
    }

    fn cold(&mut self, path: &Path, text: &str) -> Result<(), Error> {
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let headers = reader.headers().map_err(|error| csv_error(path, &error))?.clone();
        for record in reader.records() {
            let record = record.map_err(|error| csv_error(path, &error))?;
            let row = Row {
                path,
                headers: &headers,
                record: &record,
            };
            let ns = row.number("ns")?;
            let part = row
                .text("part")
                .ok_or_else(|| row.wrong("`part` is missing".to_owned()))?;
            self.case_mut(&row.id()?)
                .cold_ns
                .entry(part.to_owned())
                .or_default()
                .push(ns);
        }
        Ok(())
    }

    fn calls(&mut self, path: &Path, text: &str) -> Result<(), Error> {
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let headers = reader.headers().map_err(|error| csv_error(path, &error))?.clone();
        let mut record = csv::StringRecord::new();
        while reader
            .read_record(&mut record)
            .map_err(|error| csv_error(path, &error))?
        {
            let row = Row {
                path,
                headers: &headers,
                record: &record,
            };
            let (run, wall_ns) = (row.number("run")? as u64, row.number("wall_ns")?);
            self.case_mut(&row.id()?).calls_ns.entry(run).or_default().push(wall_ns);
        }
        Ok(())
    }

    fn verdicts(&mut self, path: &Path, text: &str) -> Result<(), Error> {
        let value: Value = serde_json::from_str(text).map_err(|error| json_error(path, &error))?;
        self.headline = string(&value["headline"]);
        // What a comparison says beside its cases, and of which revisions it is.
        for (name, shown) in [
            ("base", "base"),
            ("head", "head"),
            ("new", "new cases"),
            ("removed", "removed cases"),
            ("notes", "notes"),
        ] {
            let text = string(&value[name]);
            if !text.is_empty() {
                self.facts.retain(|(known, _)| known != shown);
                self.facts.push((shown.to_owned(), text));
            }
        }
        let cases = ["cases", "verdicts", "assessments"]
            .iter()
            .find_map(|name| value[name].as_array());
        for case in cases.into_iter().flatten() {
            let id = [&case["id"], &case["case"]].into_iter().find_map(Value::as_str);
            let id = id.ok_or_else(|| Error::Data {
                path: path.to_owned(),
                line: 1,
                message: "a case without `id`".to_owned(),
            })?;
            // A comparison has figures of several statistics, and says which one the verdict speaks of.
            let figures = case["figures"]
                .as_array()
                .and_then(|figures| figures.iter().find(|figures| figures["statistic"] == case["statistic"]));
            let figures = figures.unwrap_or(case);
            let counters = match &case["counters"] {
                Value::Array(changes) => changes
                    .iter()
                    .map(|change| {
                        format!(
                            "{} {} \u{2192} {}",
                            string(&change["name"]),
                            change["old"],
                            change["new"]
                        )
                    })
                    .collect(),
                Value::String(sentence) => vec![sentence.clone()],
                _ => Vec::new(),
            };
            let verdict = CaseVerdict {
                word: string(&case["verdict"]).replace('-', " "),
                change: figures["change_percent"].as_f64(),
                interval: figures["low_percent"].as_f64().zip(figures["high_percent"].as_f64()),
                counters,
                note: case["note"].as_str().map(str::to_owned),
            };
            self.case_mut(id).verdict = Some(verdict);
        }
        Ok(())
    }

    fn windows(&mut self, path: &Path, text: &str) -> Result<(), Error> {
        for (number, line) in (1..).zip(text.split_inclusive('\n')) {
            // A last line that was cut off is no window.
            let Some(line) = line.strip_suffix('\n') else { break };
            let mut window: Window = serde_json::from_str(line).map_err(|error| Error::Data {
                path: path.to_owned(),
                line: number,
                message: error.to_string(),
            })?;
            if window.variant == "again" {
                window.variant = "control".to_owned();
            }
            let id = window.case.clone();
            self.case_mut(&id).windows.push(window);
        }
        Ok(())
    }
}

/// What reads a file.
type Read = fn(&mut Folder, &Path, &str) -> Result<(), Error>;

/// The files, in the order in which they are read: cases come in that of the first one.
const FILES: [(&str, Read); 8] = [
    ("run.json", Folder::facts),
    ("fingerprint.json", Folder::facts),
    ("plan.json", Folder::facts),
    ("quantiles.csv", Folder::quantiles),
    ("verdicts.json", Folder::verdicts),
    ("windows.jsonl", Folder::windows),
    ("calls.csv", Folder::calls),
    ("cold.csv", Folder::cold),
];

/// A row of a file whose columns are found by name.
struct Row<'a> {
    path: &'a Path,
    headers: &'a csv::StringRecord,
    record: &'a csv::StringRecord,
}

impl Row<'_> {
    fn text(&self, name: &str) -> Option<&str> {
        let at = self.headers.iter().position(|header| header == name)?;
        self.record.get(at)
    }

    fn wrong(&self, message: String) -> Error {
        Error::Data {
            path: self.path.to_owned(),
            line: self.record.position().map_or(1, csv::Position::line),
            message,
        }
    }

    fn parse(&self, at: usize) -> Result<Option<f64>, Error> {
        match self.record.get(at).unwrap_or_default() {
            "" => Ok(None),
            text => {
                let parsed = text.parse().ok().filter(|value: &f64| value.is_finite());
                let name = self.headers.get(at).unwrap_or_default();
                parsed
                    .map(Some)
                    .ok_or_else(|| self.wrong(format!("`{name}` is not a number: \"{text}\"")))
            }
        }
    }

    fn optional(&self, name: &str) -> Result<Option<f64>, Error> {
        match self.headers.iter().position(|header| header == name) {
            Some(at) => self.parse(at),
            None => Ok(None),
        }
    }

    fn number(&self, name: &str) -> Result<f64, Error> {
        self.optional(name)?
            .ok_or_else(|| self.wrong(format!("`{name}` is missing")))
    }

    /// The case's id, whole or in its parts.
    fn id(&self) -> Result<String, Error> {
        if let Some(id) = self.text("case").or_else(|| self.text("id")) {
            return Ok(id.to_owned());
        }
        let part = |name: &str| {
            self.text(name)
                .ok_or_else(|| self.wrong(format!("`{name}` is missing")))
        };
        let tasks = match part("tasks")? {
            "1" => String::new(),
            tasks => format!("{tasks}x"),
        };
        Ok(format!("{}/{}/{tasks}{}", part("op")?, part("backend")?, part("size")?))
    }
}

fn csv_error(path: &Path, error: &csv::Error) -> Error {
    Error::Data {
        path: path.to_owned(),
        line: error.position().map_or(1, csv::Position::line),
        message: error.to_string(),
    }
}

fn json_error(path: &Path, error: &serde_json::Error) -> Error {
    Error::Data {
        path: path.to_owned(),
        line: error.line() as u64,
        message: error.to_string(),
    }
}

/// A value as a person reads it.
fn string(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(values) => {
            let values: Vec<String> = values.iter().map(string).collect();
            values.join(", ")
        }
        Value::Object(fields) => {
            let fields: Vec<String> = fields
                .iter()
                .map(|(name, value)| format!("{name} {}", string(value)))
                .collect();
            fields.join(", ")
        }
        other => other.to_string(),
    }
}

/// Folders of several runs, each under a name of its own.
///
/// # Errors
/// As [`Folder::read`].
pub fn read_all(paths: &[PathBuf]) -> Result<Vec<Folder>, Error> {
    let mut folders: Vec<Folder> = Vec::new();
    for path in paths {
        let mut folder = Folder::read(path)?;
        let same = folders.iter().filter(|known| known.name == folder.name).count();
        if same > 0 {
            folder.name = path.display().to_string();
        }
        folders.push(folder);
    }
    Ok(folders)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::html) const QUANTILES: &str = "\
op,backend,size,tasks,runs,calls,p50_ns,p50_lo_ns,p50_hi_ns,p90_ns,p95_ns,p99_ns,submits,upload_ns,queue_ns,device_ns,cold_first_ns
add,cpu,1000,1,1,900,130.0,,,140.0,150.0,160.0,0,,,,
add,vulkan,1000,256,2,800,35500.0,35000.0,36000.0,40000.0,41000.0,50000.0,1,1000.0,30000.0,,8500000.0
";
    const COLD: &str = "op,backend,size,tasks,run,core,part,ns\nadd,vulkan,1000,256,1,,first,9000000\nadd,vulkan,1000,256,2,,first,8000000\n";
    pub(in crate::html) const CALLS: &str = "\
op,backend,size,tasks,run,call,wall_ns
add,cpu,1000,1,1,0,130
add,cpu,1000,1,1,1,140
add,vulkan,1000,256,1,0,35500
add,vulkan,1000,256,2,0,36500
";
    pub(in crate::html) const VERDICTS: &str = r#"{"headline": "regression", "cases": [
{"id": "add/cpu/1000", "verdict": "pass", "change_percent": 0.5, "counters": [], "note": null},
{"id": "add/vulkan/256x1000", "verdict": "counters-changed", "counters": [{"name": "dispatches", "old": 1, "new": 2}]},
{"case": "other", "verdict": "slower", "statistic": "p50", "figures": [
  {"statistic": "p10", "change_percent": 1.0, "low_percent": 0.0, "high_percent": 2.0},
  {"statistic": "p50", "change_percent": 8.0, "low_percent": 7.0, "high_percent": 9.0}]}]}"#;
    pub(in crate::html) const WINDOWS: &str = "\
{\"case\":\"other\",\"block\":1,\"round\":1,\"variant\":\"base\",\"p10_ns\":100.0,\"gpus\":[{\"sm_mhz\":1980}]}
{\"case\":\"other\",\"block\":1,\"round\":1,\"arm\":\"again\",\"p10_ns\":101.0}
{\"case\":\"other\",\"block\":1,\"round\":1,\"arm\":\"head\",\"p10_ns\":108.0}
{\"case\":\"other\",\"blo";

    pub(in crate::html) fn folder(files: &[(&str, &str)]) -> Result<Folder, Error> {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("run-1");
        fs::create_dir(&path).unwrap();
        for (name, text) in files {
            fs::write(path.join(name), text).unwrap();
        }
        Folder::read(&path)
    }

    #[test]
    fn whatever_is_there_is_read() {
        let folder = folder(&[
            (
                "run.json",
                r#"{"schema": 1, "command": "cargo xtask bench", "started": "2026", "backends": ["cpu", "vulkan"]}"#,
            ),
            ("quantiles.csv", QUANTILES),
            ("calls.csv", CALLS),
            ("cold.csv", COLD),
            ("verdicts.json", VERDICTS),
            ("windows.jsonl", WINDOWS),
        ])
        .unwrap();
        assert_eq!(
            (folder.name.as_str(), folder.command.as_str()),
            ("run-1", "cargo xtask bench")
        );
        assert_eq!(folder.facts, [("backends".to_owned(), "cpu, vulkan".to_owned())]);
        let ids: Vec<&str> = folder.cases.iter().map(|case| case.id.as_str()).collect();
        assert_eq!(ids, ["add/cpu/1000", "add/vulkan/256x1000", "other"]);
        let cpu = folder.case("add/cpu/1000").unwrap();
        assert_eq!(cpu.calls_ns, [(1, vec![130.0, 140.0])].into());
        assert!(cpu.phases_ns.is_empty(), "what was not measured is not zero");
        let vulkan = folder.case("add/vulkan/256x1000").unwrap();
        let named = |name: &str, value| (name.to_owned(), value);
        assert_eq!(vulkan.phases_ns, [named("upload", 1000.0), named("queue", 30_000.0)]);
        assert_eq!(vulkan.cold_ns, [("first".to_owned(), vec![9e6, 8e6])].into());
        assert_eq!(vulkan.times.unwrap().p50_interval_ns, Some((35_000.0, 36_000.0)));
        let verdict = vulkan.verdict.as_ref().unwrap();
        assert_eq!(
            (verdict.word.as_str(), verdict.tone()),
            ("counters changed", Tone::Worse)
        );
        assert_eq!(verdict.counters, ["dispatches 1 \u{2192} 2"]);
        let other = folder.case("other").unwrap();
        assert_eq!(
            other.verdict.as_ref().unwrap().interval,
            Some((7.0, 9.0)),
            "of the statistic that decided"
        );
        let variants: Vec<&str> = other.windows.iter().map(|window| window.variant.as_str()).collect();
        assert_eq!(variants, ["base", "control", "head"]);
    }

    #[test]
    fn what_is_damaged_is_named_with_its_line() {
        let check = |name: &str, text: &str, expected: &str| {
            let message = folder(&[(name, text)]).unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
        };
        check(
            "quantiles.csv",
            &QUANTILES.replace("35500.0", "fast"),
            "quantiles.csv:3: `p50_ns` is not a number: \"fast\"",
        );
        check(
            "quantiles.csv",
            &QUANTILES.replace("p95_ns", "p96_ns"),
            "quantiles.csv:2: `p95_ns` is missing",
        );
        check(
            "calls.csv",
            &CALLS.replace("wall_ns", "wall"),
            "calls.csv:2: `wall_ns` is missing",
        );
        check("windows.jsonl", "{}\n", "windows.jsonl:1: ");
        check("verdicts.json", "{\n]", "verdicts.json:2: ");
        check("verdicts.json", r#"{"cases": [{}]}"#, "without `id`");
        check("notes.txt", "x", "no case of a run");
        check("run.json", r#"{"command": "x"}"#, "no case of a run");
    }
}
