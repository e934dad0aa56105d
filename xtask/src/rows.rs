//! The rows a run consists of: one for each case and process. Baselines are made of the same rows.

use std::str::FromStr;

use crate::{
    case::{CaseId, Counters},
    table::{self, Fault, Fields, Table},
};

/// The columns before those of the counters, in order.
const COLUMNS: [&str; 13] = [
    "op", "backend", "size", "tasks", "stage", "run", "calls", "p10_ns", "p50_ns", "mean_ns", "p90_ns", "p95_ns",
    "p99_ns",
];

/// All columns, in order.
fn columns() -> Vec<&'static str> {
    [&COLUMNS[..], Counters::NAMES].concat()
}

/// Why a process was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// To measure every case.
    Screen,
    /// To measure a suspect once more, where it cannot be compared in turns.
    Confirm,
}

impl Stage {
    fn name(self) -> &'static str {
        match self {
            Self::Screen => "screen",
            Self::Confirm => "confirm",
        }
    }
}

impl FromStr for Stage {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        [Self::Screen, Self::Confirm]
            .into_iter()
            .find(|stage| stage.name() == name)
            .ok_or(())
    }
}

/// One case in one process.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    pub(crate) case: CaseId,
    pub(crate) stage: Stage,
    /// Number of the process within the run, from 1.
    pub(crate) run: u64,
    /// Calls; the quantiles are theirs.
    pub(crate) calls: u64,
    pub(crate) p10_ns: f64,
    pub(crate) p50_ns: f64,
    pub(crate) mean_ns: f64,
    pub(crate) p90_ns: f64,
    pub(crate) p95_ns: f64,
    pub(crate) p99_ns: f64,
    pub(crate) counters: Counters,
}

impl Row {
    fn fields(&self) -> Vec<String> {
        // A tenth of a nanosecond: finer than any clock, and short.
        let ns = |value: f64| format!("{value:.1}");
        let mut fields = vec![
            self.case.op.clone(),
            self.case.backend.clone(),
            self.case.size.to_string(),
            self.case.tasks.to_string(),
            self.stage.name().to_owned(),
            self.run.to_string(),
            self.calls.to_string(),
            ns(self.p10_ns),
            ns(self.p50_ns),
            ns(self.mean_ns),
            ns(self.p90_ns),
            ns(self.p95_ns),
            ns(self.p99_ns),
        ];
        fields.extend(self.counters.named().map(|(_, value)| value.to_string()));
        fields
    }

    /// Reads a row whose stage and counters are known.
    ///
    /// # Errors
    /// What is wrong with it, as a sentence.
    pub(crate) fn read(fields: Fields<'_>, stage: Stage, counters: Counters) -> Result<Self, String> {
        let row = Self {
            case: case(fields)?,
            stage,
            run: fields.integer("run")?,
            calls: fields.integer("calls")?,
            p10_ns: fields.time_ns("p10_ns")?,
            p50_ns: fields.time_ns("p50_ns")?,
            mean_ns: fields.time_ns("mean_ns")?,
            p90_ns: fields.time_ns("p90_ns")?,
            p95_ns: fields.time_ns("p95_ns")?,
            p99_ns: fields.time_ns("p99_ns")?,
            counters,
        };
        if row.calls == 0 {
            return Err("`calls` must be at least 1".to_owned());
        }
        let quantiles = [row.p10_ns, row.p50_ns, row.p90_ns, row.p95_ns, row.p99_ns];
        if !quantiles.is_sorted() {
            return Err("the quantiles are not in ascending order".to_owned());
        }
        Ok(row)
    }
}

/// Reads the case that a row is of.
///
/// # Errors
/// What is wrong with it, as a sentence.
pub(crate) fn case(fields: Fields<'_>) -> Result<CaseId, String> {
    let case = CaseId {
        op: fields.name("op")?,
        backend: fields.name("backend")?,
        size: fields.integer("size")?,
        tasks: fields.integer("tasks")?,
    };
    if case.size == 0 || case.tasks == 0 {
        return Err("`size` and `tasks` must be at least 1".to_owned());
    }
    Ok(case)
}

/// Renders rows with their header.
pub(crate) fn to_csv(rows: &[Row]) -> String {
    let mut csv = columns().join(",");
    csv.push('\n');
    for row in rows {
        csv.push_str(&row.fields().join(","));
        csv.push('\n');
    }
    csv
}

/// Reads rows.
///
/// # Errors
/// The line at fault, counted from 1, and what is wrong with it.
pub(crate) fn from_csv(text: &str) -> Result<Vec<Row>, Fault> {
    table::no_merge_marker(text)?;
    let mut rows: Vec<Row> = Vec::new();
    for (line, fields) in Table::read(text, 1, &columns())?.rows() {
        let row = row(fields).map_err(|message| (line, message))?;
        if rows
            .iter()
            .any(|r| r.case == row.case && r.stage == row.stage && r.run == row.run)
        {
            return Err((line, format!("second row of {} in run {}", row.case, row.run)));
        }
        rows.push(row);
    }
    Ok(rows)
}

fn row(fields: Fields<'_>) -> Result<Row, String> {
    let stage = fields
        .text("stage")
        .parse()
        .map_err(|()| format!("`stage` is neither screen nor confirm: \"{}\"", fields.text("stage")))?;
    Row::read(fields, stage, Counters::read(|name| fields.integer(name))?)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn example(backend: &str, size: u64, run: u64, p50_ns: f64) -> Row {
        // As they are after being written and read.
        let tenths = |factor: f64| (p50_ns * factor * 10.0).round() / 10.0;
        Row {
            case: CaseId {
                op: "vector_add".to_owned(),
                backend: backend.to_owned(),
                size,
                tasks: 1,
            },
            stage: Stage::Screen,
            run,
            calls: 1000,
            p10_ns: tenths(0.9),
            p50_ns,
            mean_ns: tenths(1.05),
            p90_ns: tenths(1.1),
            p95_ns: tenths(1.2),
            p99_ns: tenths(1.5),
            counters: Counters {
                submits: 1,
                passes: 1,
                dispatches: 1,
                ..Counters::default()
            },
        }
    }

    #[test]
    fn rows_survive_being_written_and_read() {
        let mut rows = vec![example("cpu", 1000, 1, 100.0), example("cpu", 1000, 2, 110.0)];
        rows[1].stage = Stage::Confirm;
        assert_eq!(from_csv(&to_csv(&rows)).unwrap(), rows);
        let windows = to_csv(&rows).replace('\n', "\r\n");
        assert_eq!(from_csv(&windows).unwrap(), rows, "line ends of Windows");
    }

    #[test]
    fn a_bad_row_names_its_line_and_column() {
        let good = format!(
            "# comment\n{}",
            to_csv(&[example("cpu", 1000, 1, 100.0), example("gles", 1000, 1, 200.0)])
        );
        from_csv(&good).unwrap();
        let check = |from: &str, to: &str, line: u64, expected: &str| {
            assert!(good.contains(from), "{from}");
            let (at, message) = from_csv(&good.replacen(from, to, 1)).unwrap_err();
            assert_eq!(at, line, "{message}");
            assert!(message.contains(expected), "{message}");
        };
        check(
            "90.0,100.0",
            "90.0,12.5us",
            3,
            "`p50_ns` is not a time in nanoseconds: \"12.5us\"",
        );
        check("90.0,100.0", "90.0,NaN", 3, "p50_ns");
        check("90.0,100.0", "90.0,-1", 3, "p50_ns");
        check("90.0,100.0", "1e-300,100.0", 3, "p10_ns");
        check("90.0,100.0", "90.0,1e308", 3, "p50_ns");
        check("90.0,100.0", "90.0,80.0", 3, "ascending");
        check(
            "vector_add,gles,1000,1",
            "vector_add,gles,1e3,1",
            4,
            "`size` is not an integer: \"1e3\"",
        );
        check("vector_add,gles,1000,1", ",gles,1000,1", 4, "`op` is empty");
        check(
            "vector_add,gles",
            "vector_add,cpu",
            4,
            "second row of vector_add/cpu/1000 in run 1",
        );
        check("screen", "scren", 3, "`stage`");
        check("p50_ns", "p51_ns", 2, "columns");
        check("vector_add,gles", "<<<<<<< HEAD\nvector_add,gles", 4, "merge");
        check("vector_add,gles", "=======\nvector_add,gles", 4, "merge");
    }

    #[test]
    fn a_file_cut_off_anywhere_within_a_row_is_refused() {
        let whole = to_csv(&[example("cpu", 1000, 1, 100.0)]);
        let header = whole.lines().next().unwrap().len() + 1;
        for end in header + 1..whole.len() - 2 {
            assert!(
                from_csv(&whole[..end]).is_err(),
                "cut at {end}: {}",
                &whole[header..end]
            );
        }
    }
}
