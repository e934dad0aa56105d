//! How the cases of a machine came to take what they take: every baseline and kept run in order, with the steps between.

use std::collections::BTreeMap;

use bench_gate::{
    figures::{Axis, Lines, Point, Series, Unit, anchor, duration},
    html::{Content, Page, Section},
    stat::{
        change_points::{Settings, change_points},
        quantile::median,
    },
    table::Table,
};
use serde::{Deserialize, Serialize};

/// What one baseline or run has of each case: the fastest tenth of the calls, once for each process, in nanoseconds.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Recorded {
    /// The machine.
    pub(crate) fingerprint: String,
    /// The commit that changed the baseline, or of which the run was.
    pub(crate) commit: String,
    /// UTC.
    pub(crate) date: String,
    pub(crate) p10_ns: BTreeMap<String, Vec<f64>>,
}

/// Reads the times of a baseline of any schema: columns are found by name, and the rest is of no concern here.
///
/// # Errors
/// The line at fault, counted from 1, and what is wrong with it.
pub(crate) fn from_baseline(text: &str) -> Result<BTreeMap<String, Vec<f64>>, (u64, String)> {
    let mut columns: Option<Vec<&str>> = None;
    let mut times: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for (number, line) in (1..).zip(text.lines()) {
        if line.starts_with('#') || line.is_empty() {
            continue;
        }
        let fields: Vec<&str> = line.split(',').collect();
        if fields.contains(&"op") || fields.contains(&"case") {
            columns = fields.contains(&"p10_ns").then_some(fields);
            continue;
        }
        // Counters stand in a table of their own.
        let Some(columns) = &columns else { continue };
        let field = |name: &str| {
            let at = columns.iter().position(|column| *column == name);
            at.and_then(|at| fields.get(at))
                .ok_or_else(|| (number, format!("`{name}` is missing")))
        };
        let case = match field("case") {
            Ok(case) => (*case).to_owned(),
            Err(_) => {
                let tasks = match *field("tasks")? {
                    "1" => String::new(),
                    tasks => format!("{tasks}x"),
                };
                format!("{}/{}/{tasks}{}", field("op")?, field("backend")?, field("size")?)
            }
        };
        let p10 = field("p10_ns")?;
        let ns = p10.parse().ok().filter(|ns: &f64| ns.is_finite() && *ns > 0.0);
        times
            .entry(case)
            .or_default()
            .push(ns.ok_or_else(|| (number, format!("`p10_ns` is not a time: \"{p10}\"")))?);
    }
    match times.is_empty() {
        true => Err((1, "no row has a `p10_ns`".to_owned())),
        false => Ok(times),
    }
}

/// Reads a kept run's `benchmark.json`: commit and fingerprint are the last lines of each entry's `extra`.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn from_benchmark(text: &str, date: &str) -> Result<Recorded, (u64, String)> {
    #[derive(Deserialize)]
    struct Entry {
        name: String,
        value: f64,
        #[serde(default)]
        extra: String,
    }
    let entries: Vec<Entry> = serde_json::from_str(text).map_err(|error| (error.line() as u64, error.to_string()))?;
    let mut recorded = Recorded {
        date: date.to_owned(),
        ..Recorded::default()
    };
    for entry in entries {
        let case = entry.name.split(" (").next().unwrap_or_default();
        recorded.p10_ns.entry(case.to_owned()).or_default().push(entry.value);
        for line in entry.extra.lines() {
            if let Some(commit) = line.strip_prefix("commit ") {
                commit.clone_into(&mut recorded.commit);
            }
        }
        if let Some(last) = entry.extra.lines().last() {
            last.clone_into(&mut recorded.fingerprint);
        }
    }
    Ok(recorded)
}

/// A case over time.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Line {
    pub(crate) case: String,
    /// What it took in the first and in the last recording: medians of their processes.
    pub(crate) first_ns: f64,
    pub(crate) last_ns: f64,
    pub(crate) change_percent: f64,
    /// Recordings that have it.
    pub(crate) recordings: usize,
    pub(crate) steps: Vec<Step>,
    /// By recording: its number among all, and the median of its processes.
    #[serde(skip)]
    points: Vec<(usize, f64)>,
}

/// A change of the level.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Step {
    /// The first commit with the new level,
    pub(crate) commit: String,
    /// and when it was recorded.
    pub(crate) date: String,
    pub(crate) change_percent: f64,
    /// The probability of so large a step by chance.
    pub(crate) p: f64,
    /// Between processes of one program: that is the machine's, not the code's.
    pub(crate) within_a_recording: bool,
}

/// The history of one machine.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct History {
    pub(crate) fingerprint: String,
    /// Commit and date of each recording.
    pub(crate) recordings: Vec<(String, String)>,
    pub(crate) cases: Vec<Line>,
}

/// The histories of all machines, from recordings in the order of time. Cases whose name holds `part` are told of.
pub(crate) fn histories(recorded: &[Recorded], part: &str, settings: &Settings) -> Vec<History> {
    let mut machines: BTreeMap<&str, Vec<&Recorded>> = BTreeMap::new();
    for one in recorded {
        machines.entry(&one.fingerprint).or_default().push(one);
    }
    machines
        .into_iter()
        .map(|(fingerprint, of_machine)| {
            let mut cases: Vec<&String> = of_machine.iter().flat_map(|one| one.p10_ns.keys()).collect();
            cases.sort();
            cases.dedup();
            let cases = cases.into_iter().filter(|case| case.contains(part));
            History {
                fingerprint: fingerprint.to_owned(),
                recordings: of_machine
                    .iter()
                    .map(|one| (one.commit.clone(), one.date.clone()))
                    .collect(),
                cases: cases.map(|case| line(case, &of_machine, settings)).collect(),
            }
        })
        .collect()
}

fn line(case: &str, recorded: &[&Recorded], settings: &Settings) -> Line {
    // Each process is a value: a step between two recordings has as many on either side.
    let values: Vec<(usize, f64)> = recorded
        .iter()
        .enumerate()
        .filter_map(|(number, one)| Some((number, one.p10_ns.get(case)?)))
        .flat_map(|(number, values)| values.iter().map(move |value| (number, *value)))
        .collect();
    let logs: Vec<f64> = values.iter().map(|(_, ns)| ns.ln()).collect();
    let found = change_points(&logs, settings);
    let mut cuts: Vec<usize> = found.iter().map(|point| point.at).collect();
    cuts.extend([0, logs.len()]);
    cuts.sort_unstable();
    let level = |from: usize, to: usize| median(&logs[from..to]);
    let steps = found.iter().zip(cuts.windows(3)).map(|(point, cut)| {
        let (number, _) = values[point.at];
        Step {
            commit: recorded[number].commit.clone(),
            date: recorded[number].date.clone(),
            change_percent: (level(cut[1], cut[2]) - level(cut[0], cut[1])).exp_m1() * 100.0,
            p: point.p,
            within_a_recording: values[point.at - 1].0 == number,
        }
    });
    let steps = steps.collect();
    let points: Vec<(usize, f64)> = recorded
        .iter()
        .enumerate()
        .filter_map(|(number, one)| Some((number, median(one.p10_ns.get(case)?))))
        .collect();
    let (first_ns, last_ns) = (points[0].1, points[points.len() - 1].1);
    Line {
        case: case.to_owned(),
        first_ns,
        last_ns,
        change_percent: (last_ns / first_ns - 1.0) * 100.0,
        recordings: points.len(),
        steps,
        points,
    }
}

impl History {
    /// A row for each case.
    pub(crate) fn table(&self) -> Table {
        let mut table = Table::new(
            "Fastest tenth of the calls, first and last recording, and the steps between",
            &["case", ">recordings", ">first", ">last", ">change", "steps"],
        );
        for line in &self.cases {
            let steps: Vec<String> = line.steps.iter().map(Step::word).collect();
            table.push([
                line.case.clone(),
                line.recordings.to_string(),
                duration(line.first_ns),
                duration(line.last_ns),
                percent(line.change_percent),
                match (steps.is_empty(), line.recordings) {
                    (_, 1) => "one recording".to_owned(),
                    (true, _) => "none found".to_owned(),
                    (false, _) => steps.join("; "),
                },
            ]);
        }
        table
    }

    /// A figure for each operator and backend.
    pub(crate) fn section(&self) -> Section {
        let mut groups: BTreeMap<String, Vec<&Line>> = BTreeMap::new();
        for line in &self.cases {
            let group = line
                .case
                .rsplit_once('/')
                .map_or(line.case.as_str(), |(group, _)| group);
            groups.entry(group.to_owned()).or_default().push(line);
        }
        let mut content = vec![Content::Table(self.table())];
        content.extend(groups.iter().filter(|(_, lines)| lines.iter().any(|line| line.recordings > 1)).map(|(group, lines)| {
            let series = lines.iter().enumerate().map(|(number, line)| Series {
                name: line.case.rsplit_once('/').map_or(line.case.clone(), |(_, amount)| amount.to_owned()),
                points: line
                    .points
                    .iter()
                    .map(|(at, ns)| Point::new((at + 1) as f64, (ns / line.first_ns - 1.0) * 100.0))
                    .collect(),
                colour: number,
                // Colours repeat after six.
                dash: number / 6,
                ..Series::default()
            });
            let lines = Lines {
                id: anchor("history", &format!("{}-{group}", self.fingerprint)),
                title: format!("{group}: change since the first recording"),
                summary: "Medians over the processes of each recording, by its number; the table above names commits.".to_owned(),
                x: Axis {
                    label: "recording".to_owned(),
                    unit: Unit::Ordinal,
                    is_log: false,
                },
                y: Axis {
                    label: "change of the fastest tenth".to_owned(),
                    unit: Unit::Change,
                    is_log: false,
                },
                series: series.collect(),
                ..Lines::default()
            };
            Content::from(lines.draw())
        }));
        let mut recordings = Table::new("Recordings", &[">number", "commit", "date"]);
        for (number, (commit, date)) in (1..).zip(&self.recordings) {
            recordings.push([number.to_string(), commit.clone(), date.clone()]);
        }
        content.push(Content::Table(recordings));
        Section {
            id: anchor("machine", &self.fingerprint),
            title: self.fingerprint.clone(),
            content,
            ..Section::default()
        }
    }
}

impl Step {
    /// `+1 % at 0123456 (2026-01-02)`.
    fn word(&self) -> String {
        let day = self.date.get(..10).unwrap_or(&self.date);
        let within = if self.within_a_recording {
            ", within a recording: the machine"
        } else {
            ""
        };
        format!("{} at {} ({day}{within})", percent(self.change_percent), self.commit)
    }
}

fn percent(change: f64) -> String {
    Unit::Change.write((change * 10.0).round() / 10.0)
}

/// The page of all machines.
pub(crate) fn page(histories: &[History], command: &str) -> Page {
    Page {
        title: "History".to_owned(),
        summary: vec![
            "Baselines over the commits that changed them, and runs that were kept. Steps are found by E-divisive."
                .to_owned(),
        ],
        sections: histories.iter().map(History::section).collect(),
        command: command.to_owned(),
        ..Page::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorded(number: usize, p10_ns: &[f64]) -> Recorded {
        Recorded {
            fingerprint: "machine".to_owned(),
            commit: format!("c{number}"),
            date: format!("2026-01-0{}T00:00:00Z", number + 1),
            p10_ns: [("add/cpu/1000".to_owned(), p10_ns.to_vec())].into(),
        }
    }

    /// Processes of one program, within 0.2 %.
    const PROCESSES: [f64; 6] = [0.999, 1.001, 1.0, 1.002, 0.998, 1.0];

    #[test]
    fn five_changes_of_one_per_cent_show_as_what_they_are() {
        let all: Vec<Recorded> = (0..6)
            .map(|number| recorded(number, &PROCESSES.map(|part| part * 1e4 * 1.01_f64.powi(number as i32))))
            .collect();
        let histories = histories(&all, "", &Settings::default());
        let line = &histories[0].cases[0];
        let commits: Vec<&str> = line.steps.iter().map(|step| step.commit.as_str()).collect();
        assert_eq!(commits, ["c1", "c2", "c3", "c4", "c5"]);
        assert!(
            line.steps
                .iter()
                .all(|step| (step.change_percent - 1.0).abs() < 1e-6 && !step.within_a_recording)
        );
        assert!((line.change_percent - 5.101).abs() < 0.001, "{line:?}");
        let text = histories[0].table().text();
        assert!(
            text.contains("+1 % at c1 (2026-01-02); +1 % at c2 (2026-01-03)"),
            "{text}"
        );
    }

    #[test]
    fn what_stays_the_same_has_no_steps_and_a_machine_that_changes_is_named() {
        let same: Vec<Recorded> = (0..4).map(|number| recorded(number, &PROCESSES)).collect();
        assert_eq!(histories(&same, "", &Settings::default())[0].cases[0].steps, []);
        let mut moved = PROCESSES.map(|part| part * 2.0).to_vec();
        moved.splice(0..0, PROCESSES);
        let text = histories(&[recorded(0, &moved)], "", &Settings::default())[0].cases[0].steps[0].word();
        assert_eq!(text, "+100 % at c0 (2026-01-01, within a recording: the machine)");
        assert_eq!(histories(&same, "vulkan", &Settings::default())[0].cases, []);
    }

    #[test]
    fn baselines_of_any_schema_are_read() {
        let old = "# x\nop,backend,size,tasks,run,calls,p10_ns,p50_ns\nadd,cpu,1000,1,1,9,100.0,110.0\nadd,cpu,1000,1,2,9,101.0,110.0\n";
        let counters = "op,backend,size,tasks,submits\nadd,cpu,1000,1,1\n";
        let expected = BTreeMap::from([("add/cpu/1000".to_owned(), vec![100.0, 101.0])]);
        assert_eq!(from_baseline(old).unwrap(), expected);
        assert_eq!(from_baseline(&format!("{counters}{old}# end\n")).unwrap(), expected);
        let batch = old.replace("1000,1,", "1000,256,");
        assert!(from_baseline(&batch).unwrap().contains_key("add/cpu/256x1000"));
        let new = "case,p10_ns\nadd/cpu/1000,100.0\nadd/cpu/1000,101.0\n";
        assert_eq!(from_baseline(new).unwrap(), expected);
        assert_eq!(from_baseline(counters).unwrap_err().1, "no row has a `p10_ns`");
        assert_eq!(
            from_baseline(&old.replace("101.0", "fast")).unwrap_err(),
            (4, "`p10_ns` is not a time: \"fast\"".to_owned())
        );
        assert_eq!(
            from_baseline(&old.replace(",101.0,110.0", "")).unwrap_err(),
            (4, "`p10_ns` is missing".to_owned())
        );
    }

    #[test]
    fn a_kept_run_is_read() {
        let json = r#"[{"name": "add/cpu/1000 (fastest tenth)", "unit": "ns", "value": 100.5, "extra": "pass\ncommit 0123\nmachine"}]"#;
        let run = from_benchmark(json, "2026-01-02").unwrap();
        assert_eq!((run.commit.as_str(), run.fingerprint.as_str()), ("0123", "machine"));
        assert_eq!(run.p10_ns["add/cpu/1000"], [100.5]);
        assert_eq!(from_benchmark("[\n{}]", "").unwrap_err().0, 2);
    }

    #[test]
    fn a_page_has_a_figure_for_each_backend() {
        let all: Vec<Recorded> = (0..3).map(|number| recorded(number, &PROCESSES)).collect();
        let page = page(&histories(&all, "", &Settings::default()), "cargo xtask history");
        let ids: Vec<&str> = page.figures().map(|figure| figure.id.as_str()).collect();
        assert_eq!(ids, ["history-machine-add-cpu"]);
    }
}
