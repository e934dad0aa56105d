//! What a run's processes recorded: rows of it, quantiles, and the files for people.

use std::fmt::Write as _;

use crate::{
    case::{CaseId, Counters},
    quantile::{harrell_davis, median_interval},
    record::Record,
    rows::{Row, Stage},
    screen::MOST_DISTURBANCE,
};

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
mod tests {
    use super::*;

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
