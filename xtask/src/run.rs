//! A finished run: what was asked for, what was measured, and the files it is kept in.

use std::{collections::BTreeMap, fmt::Write as _, path::Path};

use serde::{Deserialize, Serialize};

use crate::{
    case::{CaseId, Counters},
    error::Error,
    files,
    fingerprint::{Fingerprint, SCHEMA},
    noop::{self, Noop},
    quantile::{harrell_davis, median_interval},
    record::Record,
    report::Against,
    rows::{self, Row, Stage},
    screen::MOST_DISTURBANCE,
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
    /// Sizes asked for, as `20000` or `1000x256`.
    pub(crate) sizes: Vec<String>,
    /// The part of all that which this machine measures; `None` for all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) shard: Option<Shard>,
}

impl Plan {
    /// The sizes to be measured on a backend.
    pub(crate) fn sizes_on(&self, backend: &str) -> Vec<String> {
        let Some(shard) = self.shard else {
            return self.sizes.clone();
        };
        let part = shard.part(&self.backends, &self.sizes).into_iter();
        part.filter(|(b, _)| *b == backend)
            .map(|(_, size)| size.to_owned())
            .collect()
    }

    /// Whether a case was to be measured; if not, why.
    pub(crate) fn covers(&self, case: &CaseId) -> Result<(), String> {
        if let Some(skipped) = self.skipped.iter().find(|s| s.backend == case.backend) {
            return Err(skipped.reason.clone());
        }
        if !self.backends.contains(&case.backend) {
            return Err("backend not asked for".to_owned());
        }
        if self.ops.as_ref().is_some_and(|ops| !ops.contains(&case.op)) {
            return Err("operator not asked for".to_owned());
        }
        if !self.sizes.contains(&case.amount()) {
            return Err("size not asked for".to_owned());
        }
        if let Some(shard) = self.shard
            && !self.sizes_on(&case.backend).contains(&case.amount())
        {
            return Err(format!("not of shard {shard}"));
        }
        Ok(())
    }
}

/// One case in one process, with every call.
#[derive(Clone, Debug)]
pub(crate) struct Measured {
    pub(crate) stage: Stage,
    pub(crate) run: u64,
    pub(crate) record: Record,
}

/// The rows of all that was measured. The quiet calls of each case count: those next to a calibration kernel that was about as fast as
/// the fastest hundredth of its times over all processes.
pub(crate) fn rows(measured: &[Measured]) -> Vec<Row> {
    let mut calibrations_ns: Vec<u64> = measured
        .iter()
        .flat_map(|m| m.record.slices())
        .map(|(_, calibration_ns)| calibration_ns)
        .collect();
    calibrations_ns.sort_unstable();
    let usual_ns = calibrations_ns
        .get(calibrations_ns.len() / 100)
        .copied()
        .unwrap_or_default();
    let limit_ns = usual_ns as f64 * MOST_DISTURBANCE;
    measured
        .iter()
        .map(|m| Row::new(&m.record, m.stage, m.run, limit_ns))
        .collect()
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
        if run.rows.is_empty() && !run.plan.backends.is_empty() {
            return Err(Error::Data {
                path: rows_path,
                line: 1,
                message: "the run measured nothing".to_owned(),
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

/// Renders `calls.csv`: every measured call.
pub(crate) fn calls_csv(measured: &[Measured]) -> String {
    let mut csv = String::from("op,backend,size,tasks,run,call,wall_ns\n");
    for Measured { run, record, .. } in measured {
        let CaseId {
            op,
            backend,
            size,
            tasks,
        } = &record.case;
        for (call, wall_ns) in record.samples_ns.iter().flatten().enumerate() {
            writeln!(csv, "{op},{backend},{size},{tasks},{run},{call},{wall_ns}").expect("a string takes everything");
        }
    }
    csv
}

/// Renders `slices.csv`: which of these calls were made between two runs of the calibration kernel, and how long the slower one took.
pub(crate) fn slices_csv(measured: &[Measured]) -> String {
    let mut csv = String::from("op,backend,size,tasks,run,first_call,calls,calibration_ns\n");
    for Measured { run, record, .. } in measured {
        let CaseId {
            op,
            backend,
            size,
            tasks,
        } = &record.case;
        let mut first = 0;
        for (calls, calibration_ns) in record.slices() {
            writeln!(
                csv,
                "{op},{backend},{size},{tasks},{run},{first},{calls},{calibration_ns}"
            )
            .expect("a string takes everything");
            first += calls;
        }
    }
    csv
}

/// Quantiles of all calls of a case, over all its processes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Quantiles {
    pub(crate) case: CaseId,
    pub(crate) runs: usize,
    pub(crate) calls: usize,
    pub(crate) p50_ns: f64,
    /// 95 % interval of the median; absent with too few samples.
    pub(crate) p50_interval_ns: Option<(f64, f64)>,
    pub(crate) p90_ns: f64,
    pub(crate) p95_ns: f64,
    /// Advisory below 1,000 calls.
    pub(crate) p99_ns: f64,
    /// Medians of the phases, in the order of their columns; absent where a phase was not measured.
    pub(crate) phases_ns: [Option<f64>; 4],
}

/// The quantiles of every case, in the order of the cases.
pub(crate) fn quantiles(measured: &[Measured]) -> Vec<Quantiles> {
    let mut cases: Vec<&CaseId> = measured.iter().map(|m| &m.record.case).collect();
    cases.sort();
    cases.dedup();
    cases
        .into_iter()
        .map(|case| {
            let of_case: Vec<&Record> = measured.iter().map(|m| &m.record).filter(|r| r.case == *case).collect();
            let runs: Vec<Vec<Vec<u64>>> = of_case.iter().map(|record| sorted_samples(record)).collect();
            let mut all: Vec<u64> = runs.iter().flatten().flatten().copied().collect();
            all.sort_unstable();
            Quantiles {
                case: case.clone(),
                runs: of_case.len(),
                calls: all.len(),
                p50_ns: harrell_davis(&all, 0.50),
                p50_interval_ns: median_interval(&runs),
                p90_ns: harrell_davis(&all, 0.90),
                p95_ns: harrell_davis(&all, 0.95),
                p99_ns: harrell_davis(&all, 0.99),
                phases_ns: phases(&of_case),
            }
        })
        .collect()
}

/// The median of each phase over all processes.
fn phases(records: &[&Record]) -> [Option<f64>; 4] {
    std::array::from_fn(|phase| {
        let mut all: Vec<u64> = records
            .iter()
            .flat_map(|record| record.phases_ns.named()[phase].1)
            .copied()
            .collect();
        all.sort_unstable();
        (!all.is_empty()).then(|| harrell_davis(&all, 0.50))
    })
}

fn sorted_samples(record: &Record) -> Vec<Vec<u64>> {
    let sorted = |sample: &Vec<u64>| {
        let mut sample = sample.clone();
        sample.sort_unstable();
        sample
    };
    record.samples_ns.iter().map(sorted).collect()
}

/// Renders `quantiles.csv`; an interval or a phase that is not known is left empty.
pub(crate) fn quantiles_csv(quantiles: &[Quantiles], rows: &[Row]) -> String {
    let mut csv = String::from("op,backend,size,tasks,runs,calls,p50_ns,p50_lo_ns,p50_hi_ns,p90_ns,p95_ns,p99_ns,");
    csv.push_str(&Counters::NAMES.join(","));
    csv.push_str(",upload_ns,queue_ns,device_ns,readback_ns\n");
    for q in quantiles {
        let CaseId {
            op,
            backend,
            size,
            tasks,
        } = &q.case;
        let ns = |value: f64| format!("{value:.1}");
        let (lo, hi) = q
            .p50_interval_ns
            .map_or_else(Default::default, |(lo, hi)| (ns(lo), ns(hi)));
        let counters = rows
            .iter()
            .find(|row| row.case == q.case)
            .map(|row| row.counters)
            .unwrap_or_default();
        let counters: Vec<String> = counters.named().map(|(_, value)| value.to_string()).collect();
        let phases = q.phases_ns.map(|median| median.map_or_else(String::new, ns));
        writeln!(
            csv,
            "{op},{backend},{size},{tasks},{},{},{},{lo},{hi},{},{},{},{},{}",
            q.runs,
            q.calls,
            ns(q.p50_ns),
            ns(q.p90_ns),
            ns(q.p95_ns),
            ns(q.p99_ns),
            counters.join(","),
            phases.join(",")
        )
        .expect("a string takes everything");
    }
    csv
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

    fn measured(run: u64, samples_ns: &[&[u64]]) -> Measured {
        let samples: Vec<String> = samples_ns.iter().map(|s| format!("{s:?}")).collect();
        let slice = |s: &&[u64]| format!(r#"[{{"calls":{},"calibration_ns":60000}}]"#, s.len());
        let slices: Vec<String> = samples_ns.iter().map(slice).collect();
        let json = format!(
            r#"{{"schema":2,"op":"vector_add","backend":"cpu","size":1000,"tasks":1,"id":"vector_add/cpu/1000",
            "counters":{{"submits":1,"passes":1,"dispatches":1,"copies":2,"buffers_created":0,
            "bind_groups_created":0,"pipelines_created":0,"bytes_up":8000,"bytes_down":4000,"maps":2,"pool_hits":1}},
            "samples_ns":[{}],"slices":[{}],"phases_ns":{{"upload":[20,30],"queue":[50],"device":[],"readback":[7]}}}}"#,
            samples.join(","),
            slices.join(",")
        );
        Measured {
            stage: Stage::Screen,
            run,
            record: crate::record::parse(json.as_bytes()).unwrap(),
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
        assert_eq!(shard.sizes_on("cpu"), ["1000", "20000", "1000x256"]);
        assert_eq!(shard.sizes_on("vulkan"), [""; 0]);
        assert_eq!(shard.covers(&case("cpu", 1000, 1)), Ok(()));
        assert_eq!(
            shard.covers(&case("vulkan", 1000, 1)),
            Err("not of shard 1/2".to_owned())
        );
    }

    #[test]
    fn every_call_has_a_line() {
        let csv = calls_csv(&[measured(1, &[&[10, 20], &[30]]), measured(2, &[&[40]])]);
        let expected = "op,backend,size,tasks,run,call,wall_ns\nvector_add,cpu,1000,1,1,0,10\n\
                        vector_add,cpu,1000,1,1,1,20\nvector_add,cpu,1000,1,1,2,30\nvector_add,cpu,1000,1,2,0,40\n";
        assert_eq!(csv, expected);
    }

    #[test]
    fn slices_say_which_calls_they_are() {
        let csv = slices_csv(&[measured(3, &[&[100, 110], &[120]])]);
        let expected = "op,backend,size,tasks,run,first_call,calls,calibration_ns\n\
                        vector_add,cpu,1000,1,3,0,2,60000\nvector_add,cpu,1000,1,3,2,1,60000\n";
        assert_eq!(csv, expected);
    }

    #[test]
    fn quantiles_are_over_all_processes_and_keep_the_columns_of_the_contract() {
        let runs = [
            measured(1, &[&[100; 50], &[100; 50], &[100; 50]]),
            measured(2, &[&[100; 50], &[100; 50]]),
        ];
        let rows = rows(&runs);
        let quantiles = quantiles(&runs);
        assert_eq!((quantiles.len(), quantiles[0].runs, quantiles[0].calls), (1, 2, 250));
        let expected = "op,backend,size,tasks,runs,calls,p50_ns,p50_lo_ns,p50_hi_ns,p90_ns,p95_ns,p99_ns,\
             submits,passes,dispatches,copies,buffers_created,bind_groups_created,pipelines_created,bytes_up,\
             bytes_down,maps,pool_hits,upload_ns,queue_ns,device_ns,readback_ns\n\
             vector_add,cpu,1000,1,2,250,100.0,100.0,100.0,100.0,100.0,100.0,\
             1,1,1,2,0,0,0,8000,4000,2,1,25.0,50.0,,7.0\n";
        assert_eq!(quantiles_csv(&quantiles, &rows), expected);
    }
}
