//! A stored baseline of a criterion project: times of every case in some fresh processes on one machine.

use std::{collections::BTreeMap, path::Path};

use serde::{Deserialize, Serialize};

use crate::{Error, assess::Times};

/// The version of the file.
const SCHEMA: &str = "# bench-gate baseline, schema 1";
const MACHINE: &str = "# machine ";
const RECORDING: &str = "# recording ";
const END: &str = "# end of ";

/// What a machine has that times depend on. Baselines of others are never compared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// Operating system, as `linux`.
    pub os: String,
    /// Instruction set, as `x86_64`.
    pub arch: String,
    /// The processor's name; empty where the system does not say.
    pub cpu: String,
    /// Cores that this process may use.
    pub cores: usize,
    /// The compiler's version.
    pub compiler: String,
}

impl Machine {
    /// A name for its file, the same for equal machines.
    #[must_use]
    pub fn id(&self) -> String {
        use sha2::Digest as _;
        let digest = sha2::Sha256::digest(json(self));
        let hash: String = digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        format!("{}-{}-{hash}", self.os, self.arch)
    }
}

/// How a baseline came about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recording {
    /// The commit that was measured.
    pub commit: String,
    /// When, in UTC.
    pub started: String,
    /// The command.
    pub command: String,
}

/// A case in one process.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The case's name.
    pub case: String,
    /// Number of the process, from 1.
    pub process: u64,
    /// Samples of the process: calls where the bench records them, else criterion's means of many calls.
    pub samples: u64,
    /// Tenth percentile, in nanoseconds.
    pub p10_ns: f64,
    /// Median, in nanoseconds.
    pub p50_ns: f64,
    /// 95th percentile, in nanoseconds.
    pub p95_ns: f64,
    /// Mean, in nanoseconds.
    pub mean_ns: f64,
}

/// A baseline.
#[derive(Clone, Debug, PartialEq)]
pub struct Baseline {
    /// Where it was recorded.
    pub machine: Machine,
    /// How it came about.
    pub recording: Recording,
    /// One for each case and process.
    pub rows: Vec<Row>,
}

/// Times of each case, one entry for each process.
#[must_use]
pub fn times(rows: &[Row]) -> BTreeMap<String, Vec<Times>> {
    let mut times: BTreeMap<String, Vec<Times>> = BTreeMap::new();
    for row in rows {
        // In the order of `Statistic::ALL`.
        let of_row = Times::of_windows(&[[row.p10_ns, row.p50_ns, row.mean_ns, row.p95_ns]]);
        times.entry(row.case.clone()).or_default().extend(of_row);
    }
    times
}

fn json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("plain data is always JSON")
}

impl Baseline {
    /// Renders the file.
    ///
    #[expect(clippy::missing_panics_doc, reason = "memory can be written to")]
    #[must_use]
    pub fn to_csv(&self) -> String {
        let mut writer = csv::Writer::from_writer(Vec::new());
        for row in &self.rows {
            writer.serialize(row).expect("memory can be written to");
        }
        let rows = writer.into_inner().expect("memory can be written to");
        format!(
            "{SCHEMA}\n{MACHINE}{}\n{RECORDING}{}\n{}{END}{} rows\n",
            json(&self.machine),
            json(&self.recording),
            String::from_utf8(rows).expect("text was written"),
            self.rows.len()
        )
    }

    /// Reads a file.
    ///
    /// # Errors
    /// [`Error::Data`] with the line of what is wrong; a file that was cut off is.
    pub fn from_csv(path: &Path, text: &str) -> Result<Self, Error> {
        let bad = |line: u64, message: String| Error::Data {
            path: path.to_owned(),
            line,
            message,
        };
        let lines: Vec<&str> = text.lines().collect();
        let head = |at: usize, start: &str| {
            let line = lines.get(at).copied().unwrap_or_default();
            line.strip_prefix(start)
                .ok_or_else(|| bad(at as u64 + 1, format!("`{start}` is expected here")))
        };
        head(0, SCHEMA)?;
        let machine = serde_json::from_str(head(1, MACHINE)?).map_err(|error| bad(2, error.to_string()))?;
        let recording = serde_json::from_str(head(2, RECORDING)?).map_err(|error| bad(3, error.to_string()))?;
        let last = lines.len().saturating_sub(1);
        let count = lines
            .last()
            .and_then(|line| line.strip_prefix(END)?.strip_suffix(" rows")?.parse::<usize>().ok());
        let count = count.ok_or_else(|| {
            bad(
                lines.len() as u64,
                "the last line is missing; the file was cut off".to_owned(),
            )
        })?;
        let table = lines.get(3..last).unwrap_or_default().join("\n");
        let mut reader = csv::Reader::from_reader(table.as_bytes());
        let mut rows: Vec<Row> = Vec::new();
        for (at, row) in (5..).zip(reader.deserialize::<Row>()) {
            let row = row.map_err(|error| bad(at, error.to_string()))?;
            let is_time = |ns: f64| ns > 0.0 && ns.is_finite();
            if ![row.p10_ns, row.p50_ns, row.p95_ns, row.mean_ns]
                .into_iter()
                .all(is_time)
            {
                return Err(bad(at, format!("{}: a time is not above zero", row.case)));
            }
            rows.push(row);
        }
        if rows.len() != count {
            return Err(bad(
                lines.len() as u64,
                format!("{count} rows are expected, and there are {}", rows.len()),
            ));
        }
        Ok(Self {
            machine,
            recording,
            rows,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn baseline() -> Baseline {
        let row = |case: &str, process: u64| Row {
            case: case.to_owned(),
            process,
            samples: 20,
            p10_ns: 1.25,
            p50_ns: 1.5,
            p95_ns: 2.0,
            mean_ns: 1.6,
        };
        Baseline {
            machine: Machine {
                os: "linux".to_owned(),
                arch: "x86_64".to_owned(),
                cpu: "test".to_owned(),
                cores: 2,
                compiler: "rustc 1.95.0".to_owned(),
            },
            recording: Recording {
                commit: "0123456789ab".to_owned(),
                started: "2026-01-02T03:04:05Z".to_owned(),
                command: "cargo bench-gate record".to_owned(),
            },
            rows: vec![row("plain", 1), row("a, \"quoted\" name", 1), row("plain", 2)],
        }
    }

    #[test]
    fn a_baseline_survives_being_written_and_read() {
        let baseline = baseline();
        assert_eq!(
            Baseline::from_csv(Path::new("b.csv"), &baseline.to_csv()).unwrap(),
            baseline
        );
        assert_eq!(times(&baseline.rows)["plain"].len(), 2);
    }

    #[test]
    fn a_damaged_baseline_names_its_line() {
        let whole = baseline().to_csv();
        let check = |from: &str, to: &str, expected: &str| {
            let damaged = whole.replace(from, to);
            assert_ne!(damaged, whole, "{from}");
            let message = Baseline::from_csv(Path::new("b.csv"), &damaged)
                .unwrap_err()
                .to_string();
            assert!(message.contains(expected), "{message}");
        };
        check("schema 1", "schema 9", "b.csv:1: ");
        check("\"cores\":2", "\"cores\":x", "b.csv:2: ");
        check("\"commit\"", "\"comit\"", "b.csv:3: ");
        check("plain,1,20,1.25", "plain,1,20,fast", "b.csv:5: ");
        check(
            "plain,2,20,1.25",
            "plain,2,20,-1.25",
            "b.csv:7: plain: a time is not above zero",
        );
        check("# end of 3 rows\n", "", "b.csv:7: the last line is missing");
        check("end of 3", "end of 4", "b.csv:8: 4 rows are expected, and there are 3");
        // Wherever it is cut, it is refused.
        for end in (0..whole.len() - 1).filter(|end| whole.is_char_boundary(*end)) {
            assert!(Baseline::from_csv(Path::new("b.csv"), &whole[..end]).is_err(), "{end}");
        }
    }

    #[test]
    fn another_machine_has_another_name() {
        let machine = baseline().machine;
        assert_eq!(machine.id(), machine.clone().id());
        assert_ne!(
            machine.id(),
            Machine {
                cores: 3,
                ..machine.clone()
            }
            .id()
        );
        assert!(machine.id().starts_with("linux-x86_64-"));
    }
}
