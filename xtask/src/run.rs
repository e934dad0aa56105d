//! A finished run: what was asked for, what was measured, and the files it is kept in.

mod measured;

use std::{collections::BTreeMap, path::Path};

pub(crate) use measured::{Measured, calls_csv, cold_csv, quantiles, quantiles_csv, rows};

use serde::{Deserialize, Serialize};

use crate::{
    case::CaseId,
    error::Error,
    files,
    fingerprint::{Fingerprint, SCHEMA},
    noop::{self, Noop},
    report::Against,
    rows::{self, Row},
    shard::Shard,
};

/// A backend that was asked for and not measured, and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Skipped {
    pub(crate) backend: String,
    pub(crate) reason: String,
}

/// What was asked for, and under which circumstances.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Plan {
    pub(crate) schema: u32,
    /// UTC.
    pub(crate) started: String,
    /// Commit, with `-dirty` if the tree was changed; empty outside of a repository.
    pub(crate) commit: String,
    /// Versions of what was measured and of what measured it: gpu-executor, wgpu, criterion.
    #[serde(default)]
    pub(crate) versions: BTreeMap<String, String>,
    /// The command line.
    pub(crate) command: String,
    /// `quick` or `default`.
    pub(crate) pace: String,
    /// Processes per backend.
    pub(crate) runs: u64,
    /// Backends measured; none where only calls without a driver were counted.
    pub(crate) backends: Vec<String>,
    /// Backends not measured.
    pub(crate) skipped: Vec<Skipped>,
    /// How tasks reached the adapter of each backend, as the library's `GPU_EXECUTOR_TUNING` has it.
    #[serde(default)]
    pub(crate) tuning: BTreeMap<String, String>,
    /// Operators asked for; `None` for all.
    pub(crate) ops: Option<Vec<String>>,
    /// Sizes asked for, as `20000` or `1000x256`; none for those that the bench program has.
    pub(crate) sizes: Vec<String>,
    /// Ids of the cases that were to be measured.
    #[serde(default)]
    pub(crate) cases: Vec<String>,
    /// The part of all that which this machine measures; `None` for all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) shard: Option<Shard>,
}

impl Plan {
    /// Whether a case was to be measured; if not, why.
    pub(crate) fn covers(&self, case: &CaseId) -> Result<(), String> {
        if let Some(skipped) = self.skipped.iter().find(|s| s.backend == case.backend) {
            return Err(skipped.reason.clone());
        }
        if self.cases.contains(&case.to_string()) {
            return Ok(());
        }
        if !self.backends.contains(&case.backend) {
            return Err("backend not asked for".to_owned());
        }
        if self.ops.as_ref().is_some_and(|ops| !ops.contains(&case.op)) {
            return Err("operator not asked for".to_owned());
        }
        if !self.sizes.is_empty() && !self.sizes.contains(&case.amount()) {
            return Err("size not asked for".to_owned());
        }
        match self.shard {
            Some(shard) => Err(format!("not of shard {shard}")),
            // Everything was asked for, and the program does not have it.
            None => Ok(()),
        }
    }
}

/// A run as far as judging needs it.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    pub(crate) plan: Plan,
    pub(crate) fingerprint: Fingerprint,
    pub(crate) rows: Vec<Row>,
    /// Counters without a driver; none in runs that did not count them.
    pub(crate) noop: Option<Noop>,
}

impl Run {
    /// What the run is held against: the baseline of its machine, or if it has nothing but counters without a driver, those.
    pub(crate) fn against(&self, has_baseline: bool, has_noop: bool) -> Against {
        let name = match self.plan.backends.is_empty() {
            true => has_noop.then(|| noop::BACKEND.to_owned()),
            false => has_baseline.then(|| self.fingerprint.id()),
        };
        name.map_or(Against::NoBaseline, Against::Baseline)
    }

    /// Reads a finished run.
    ///
    /// # Errors
    /// What is missing or wrong, with its file.
    pub(crate) fn load(folder: &Path) -> Result<Self, Error> {
        let rows_path = folder.join("runs.csv");
        let rows = rows::from_csv(&files::read(&rows_path)?).map_err(|(line, message)| Error::Data {
            path: rows_path.clone(),
            line,
            message,
        })?;
        let run = Self {
            plan: json(&folder.join("run.json"))?,
            fingerprint: json(&folder.join("fingerprint.json"))?,
            rows,
            noop: Noop::load(folder)?,
        };
        if run.plan.schema != SCHEMA || run.fingerprint.schema != SCHEMA {
            return Err(Error::Data {
                path: folder.join("run.json"),
                line: 1,
                message: format!(
                    "the run has schema {}, this program reads schema {SCHEMA}",
                    run.plan.schema
                ),
            });
        }
        // One without backends was made to count calls without a driver.
        let nothing = match run.plan.backends.is_empty() {
            true => run
                .noop
                .is_none()
                .then(|| (noop::path(folder), "the run counted nothing")),
            false => run.rows.is_empty().then_some((rows_path, "the run measured nothing")),
        };
        if let Some((path, message)) = nothing {
            return Err(Error::Data {
                path,
                line: 1,
                message: message.to_owned(),
            });
        }
        Ok(run)
    }
}

fn json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, Error> {
    serde_json::from_str(&files::read(path)?).map_err(|error| Error::Data {
        path: path.to_owned(),
        line: error.line() as u64,
        message: error.to_string(),
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn plan() -> Plan {
        Plan {
            schema: SCHEMA,
            started: "2026-01-02T03:04:05Z".to_owned(),
            commit: "0123456".to_owned(),
            versions: [("wgpu".to_owned(), "30.0.1".to_owned())].into(),
            tuning: [("vulkan".to_owned(), "spin=0".to_owned())].into(),
            command: "cargo xtask bench".to_owned(),
            pace: "default".to_owned(),
            runs: 1,
            backends: vec!["cpu".to_owned(), "vulkan".to_owned()],
            skipped: vec![Skipped {
                backend: "gles".to_owned(),
                reason: "no driver".to_owned(),
            }],
            ops: None,
            sizes: vec!["1000".to_owned(), "20000".to_owned(), "1000x256".to_owned()],
            cases: Vec::new(),
            shard: None,
        }
    }

    fn case(backend: &str, size: u64, tasks: u64) -> CaseId {
        CaseId {
            op: "vector_add".to_owned(),
            backend: backend.to_owned(),
            size,
            tasks,
        }
    }

    #[test]
    fn a_plan_says_why_a_case_was_not_measured() {
        let check = |case: CaseId, expected: Result<(), &str>| {
            assert_eq!(plan().covers(&case), expected.map_err(str::to_owned), "{case}");
        };
        check(case("cpu", 1000, 1), Ok(()));
        check(case("vulkan", 256, 1000), Ok(()));
        check(case("gles", 1000, 1), Err("no driver"));
        check(case("metal", 1000, 1), Err("backend not asked for"));
        check(case("cpu", 1001, 1), Err("size not asked for"));
        check(case("cpu", 256, 1), Err("size not asked for"));
        let mut other = plan();
        other.ops = Some(vec!["sha256".to_owned()]);
        assert_eq!(
            other.covers(&case("cpu", 1000, 1)),
            Err("operator not asked for".to_owned())
        );
        let mut shard = plan();
        shard.shard = Some("1/2".parse().unwrap());
        shard.cases = vec!["vector_add/cpu/1000".to_owned()];
        assert_eq!(shard.covers(&case("cpu", 1000, 1)), Ok(()));
        assert_eq!(
            shard.covers(&case("vulkan", 1000, 1)),
            Err("not of shard 1/2".to_owned())
        );
    }
}
