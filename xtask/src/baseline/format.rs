//! The file of a baseline: what it is, who recorded it, the counters, the times, and an end that shows it is whole.
//!
//! Counters are exact and the same in every process: a case has one line of them, so that a change is a change of that
//! line. Times are a line for each case and process.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use super::{Baseline, Recording};
use crate::{
    case::{CaseId, Counters},
    rows::{Row, Stage, case},
    table::{self, Fault, Table},
};

/// The version of the format.
const SCHEMA: u32 = 3;

const CASE: [&str; 4] = ["op", "backend", "size", "tasks"];
const TIMES: [&str; 8] = [
    "run", "calls", "p10_ns", "p50_ns", "mean_ns", "p90_ns", "p95_ns", "p99_ns",
];
const COUNTERS_HERE: &str = "# counters: calls into wgpu of each call, exact";
const TIMES_HERE: &str = "# times: a line for each case and process";

fn counter_columns() -> Vec<&'static str> {
    [&CASE, Counters::NAMES].concat()
}

fn time_columns() -> Vec<&'static str> {
    [&CASE[..], &TIMES].concat()
}

/// Renders a baseline. Cases are in order, and so are their processes, however they came in.
pub(crate) fn render(baseline: &Baseline) -> String {
    let mut rows: Vec<&Row> = baseline.rows.iter().collect();
    rows.sort_by(|a, b| (&a.case, a.run).cmp(&(&b.case, b.run)));
    let counters: BTreeMap<&CaseId, &Counters> = rows.iter().map(|row| (&row.case, &row.counters)).collect();
    let json = |value: Result<String, serde_json::Error>| value.expect("plain data is always JSON");
    let mut text = format!(
        "# gpu-executor baseline, schema {SCHEMA}\n# fingerprint {}\n",
        json(serde_json::to_string(&baseline.fingerprint))
    );
    let mut line = |line: String| writeln!(text, "{line}").expect("a string takes everything");
    for recording in &baseline.recordings {
        line(format!("# recording {}", json(serde_json::to_string(recording))));
    }
    line(COUNTERS_HERE.to_owned());
    line(counter_columns().join(","));
    for (case, counters) in &counters {
        let values: Vec<String> = counters.named().map(|(_, value)| value.to_string()).collect();
        line(format!("{},{}", columns_of(case), values.join(",")));
    }
    line(TIMES_HERE.to_owned());
    line(time_columns().join(","));
    for row in &rows {
        let times_ns = [row.p10_ns, row.p50_ns, row.mean_ns, row.p90_ns, row.p95_ns, row.p99_ns];
        line(format!(
            "{},{},{},{}",
            columns_of(&row.case),
            row.run,
            row.calls,
            times_ns.map(rounded).join(",")
        ));
    }
    line(end(counters.len(), rows.len()));
    text
}

fn columns_of(case: &CaseId) -> String {
    format!("{},{},{},{}", case.op, case.backend, case.size, case.tasks)
}

fn end(cases: usize, rows: usize) -> String {
    format!("# end of {cases} cases, {rows} rows")
}

/// Nanoseconds to four digits, and no finer than a tenth: 0.05 % at most is lost, where 5 % is the least that counts.
fn rounded(ns: f64) -> String {
    let step = 10_f64.powf(ns.log10().floor() - 3.0).max(0.1);
    let value = (ns / step).round() * step;
    if step < 1.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.0}")
    }
}

/// Reads what [`render`] wrote. Columns may stand in any order; none may be missing, and none may be more.
///
/// # Errors
/// The line at fault, and what is wrong with it.
pub(super) fn parse(text: &str) -> Result<Baseline, Fault> {
    let Parts {
        fingerprint,
        recordings,
        counters: counters_at,
        times: times_at,
    } = parts(text)?;
    let section = |(from, to): (usize, usize)| {
        let lines = text.lines().skip(from).take(to - from);
        lines.flat_map(|line| [line, "\n"]).collect::<String>()
    };
    let counters = counters(&section(counters_at), counters_at.0 as u64 + 1)?;
    let mut rows: Vec<Row> = Vec::new();
    let mut seen = BTreeSet::new();
    for (line, fields) in Table::read(&section(times_at), times_at.0 as u64 + 1, &time_columns())?.rows() {
        let row = case(fields)
            .and_then(|case| match counters.get(&case) {
                Some((_, counters)) => Row::read(fields, Stage::Screen, *counters),
                None => Err(format!("{case} has times and no counters")),
            })
            .map_err(|message| (line, message))?;
        if !seen.insert((row.case.clone(), row.run)) {
            return Err((line, format!("second row of {} in run {}", row.case, row.run)));
        }
        if !recordings.iter().any(|recording| recording.has(row.run)) {
            return Err((line, format!("run {} belongs to no recording", row.run)));
        }
        rows.push(row);
    }
    if let Some((case, (line, _))) = counters
        .iter()
        .find(|(case, _)| !rows.iter().any(|row| row.case == **case))
    {
        return Err((*line, format!("{case} has counters and no times")));
    }
    let last = text.lines().count() as u64;
    let end = end(counters.len(), rows.len());
    if !text.ends_with('\n') || text.lines().last() != Some(end.as_str()) {
        return Err((
            last,
            format!("the file does not close with `{end}`: it is cut off or was edited by hand"),
        ));
    }
    Ok(Baseline {
        fingerprint,
        recordings,
        rows,
    })
}

/// What stands above the tables, and where these are: from line to line, counted from 0, the last not included.
struct Parts {
    fingerprint: crate::fingerprint::Fingerprint,
    recordings: Vec<Recording>,
    counters: (usize, usize),
    times: (usize, usize),
}

fn parts(text: &str) -> Result<Parts, Fault> {
    let lines: Vec<&str> = text.lines().collect();
    let header = |index: usize, prefix: &str| {
        lines
            .get(index)
            .and_then(|line| line.strip_prefix(prefix))
            .map(str::trim)
            .ok_or_else(|| {
                (
                    index as u64 + 1,
                    format!("the line does not begin with `{}`", prefix.trim_end()),
                )
            })
    };
    let schema = header(0, "# gpu-executor baseline, schema ")?;
    if schema != SCHEMA.to_string() {
        return Err((1, format!("schema {schema}, this program reads schema {SCHEMA}")));
    }
    table::no_merge_marker(text)?;
    let fingerprint = serde_json::from_str(header(1, "# fingerprint ")?)
        .map_err(|error| (2, format!("not a fingerprint: {error}")))?;
    let mut recordings = Vec::new();
    let mut index = 2;
    while let Ok(json) = header(index, "# recording ") {
        let recording =
            serde_json::from_str(json).map_err(|error| (index as u64 + 1, format!("not a recording: {error}")))?;
        recordings.push(recording);
        index += 1;
    }
    if recordings.is_empty() {
        header(2, "# recording ")?;
    }
    header(index, COUNTERS_HERE)?;
    let times = lines.iter().position(|line| *line == TIMES_HERE);
    let times = times.ok_or_else(|| {
        (
            lines.len() as u64,
            format!("there is no `{TIMES_HERE}`: the file is cut off or was edited by hand"),
        )
    })?;
    Ok(Parts {
        fingerprint,
        recordings,
        counters: (index + 1, times),
        times: (times + 1, lines.len()),
    })
}

/// The counters of each case, with the line they stand in.
fn counters(section: &str, first_line: u64) -> Result<BTreeMap<CaseId, (u64, Counters)>, Fault> {
    let mut found = BTreeMap::new();
    for (line, fields) in Table::read(section, first_line, &counter_columns())?.rows() {
        let entry = case(fields).and_then(|case| Ok((case, Counters::read(|name| fields.integer(name))?)));
        let (case, counters) = entry.map_err(|message| (line, message))?;
        if found.insert(case.clone(), (line, counters)).is_some() {
            return Err((line, format!("second counters of {case}")));
        }
    }
    Ok(found)
}

/// The line in which each case's counters stand in what [`render`] makes of a baseline.
pub(super) fn counter_lines(baseline: &Baseline) -> BTreeMap<CaseId, u64> {
    // The schema, the fingerprint, the recordings, the headings of the table, and then the first case.
    let first = 2 + baseline.recordings.len() as u64 + 2 + 1;
    let cases: BTreeSet<&CaseId> = baseline.rows.iter().map(|row| &row.case).collect();
    cases.into_iter().cloned().zip(first..).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::baseline::tests::example;

    #[test]
    fn a_baseline_survives_being_written_and_read() {
        let text = render(&example());
        let mut read = parse(&text).unwrap();
        assert_eq!(render(&read), text);
        read.rows.sort_by_key(|row| (row.run, row.case.clone()));
        assert_eq!(read, example());
        parse(&text.replace('\n', "\r\n")).expect("line ends of Windows");
    }

    #[test]
    fn rows_are_in_order_whatever_order_they_came_in() {
        let mut shuffled = example();
        shuffled.rows.reverse();
        assert_eq!(render(&shuffled), render(&example()));
    }

    #[test]
    fn a_changed_counter_changes_one_line() {
        let mut changed = example();
        for row in changed.rows.iter_mut().filter(|row| row.case.backend == "vulkan") {
            row.counters.dispatches = 2;
        }
        let (before, after) = (render(&example()), render(&changed));
        let differing: Vec<(u64, &str)> = (1..)
            .zip(before.lines().zip(after.lines()))
            .filter(|(_, (old, new))| old != new)
            .map(|(line, (_, new))| (line, new))
            .collect();
        assert_eq!(differing.len(), 1, "{differing:?}");
        let (line, text) = differing[0];
        assert!(text.starts_with("vector_add,vulkan,1000,1,"), "{text}");
        let case = changed.rows.iter().find(|row| row.case.backend == "vulkan").unwrap();
        assert_eq!(counter_lines(&changed)[&case.case], line);
    }

    #[test]
    fn columns_may_stand_in_any_order_and_none_may_be_missing_or_more() {
        let text = render(&example());
        let swapped = text
            .replace("run,calls,", "calls,run,")
            .replace(",1,1000,90.0", ",1000,1,90.0");
        for run in 2..=5 {
            assert!(text.contains(&format!(",1,{run},1000,90.0")));
        }
        let swapped = (2..=5).fold(swapped, |text, run| {
            text.replace(&format!(",1,{run},1000,"), &format!(",1,1000,{run},"))
        });
        let swapped = swapped.replace("vulkan,1000,1,1,1000,", "vulkan,1000,1,1000,1,");
        assert_eq!(parse(&swapped).unwrap().rows, parse(&text).unwrap().rows);
        let check = |from: &str, to: &str, line: u64, expected: &str| {
            assert!(text.contains(from), "{from}");
            let (at, message) = parse(&text.replacen(from, to, 1)).unwrap_err();
            assert!(at == line && message.contains(expected), "{at}: {message}");
        };
        check(",maps", ",mops", 5, "`maps` is missing");
        check("run,calls", "run,cells", 9, "`calls` is missing, `cells` is unknown");
    }

    #[test]
    fn the_tables_belong_together() {
        let text = render(&example());
        let check = |from: &str, to: &str, line: u64, expected: &str| {
            assert!(text.contains(from), "{from}");
            let (at, message) = parse(&text.replacen(from, to, 1)).unwrap_err();
            assert!(at == line && message.contains(expected), "{at}: {message}");
        };
        check(
            "vector_add,cpu,1000",
            "vector_add,cpu,2000",
            10,
            "has times and no counters",
        );
        check(
            "vector_add,cpu,1000",
            "vector_add,vulkan,1000",
            7,
            "second counters of vector_add/vulkan/1000",
        );
        check("\"runs\":[1,5]", "\"runs\":[1,4]", 14, "run 5 belongs to no recording");
        check("\"date\"", "\"dote\"", 3, "not a recording");
        check("# recording", "# record", 3, "does not begin with `# recording`");
        check(TIMES_HERE, "# tames", 20, "cut off");
    }

    #[test]
    fn a_file_cut_off_anywhere_is_refused() {
        let text = render(&example());
        for end in 0..text.len() {
            assert!(parse(&text[..end]).is_err(), "cut at {end}: {}", &text[..end]);
        }
    }

    #[test]
    fn times_have_four_digits_and_tenths_at_most() {
        let check = |ns, expected: &str| assert_eq!(rounded(ns), expected);
        check(0.14, "0.1");
        check(0.06, "0.1");
        check(130.04, "130.0");
        check(999.96, "1000.0");
        check(2455.4, "2455");
        check(34_183.7, "34180");
        check(142_350.1, "142400");
        check(99_996.0, "100000");
        check(4_003_499.9, "4003000");
    }
}
