//! What a run's processes recorded: rows of it, quantiles, and the files for people.

use std::{collections::BTreeMap, fmt::Write as _};

use bench_gate::{measure::survey::Visit, record::Clock, stat::quantile::harrell_davis};

use crate::{
    case::{CaseId, Counters},
    error::Error,
    quantile::median_interval,
    rows::{Row, Stage},
};

/// One case in one process, with every call.
#[derive(Clone, Debug)]
pub(crate) struct Measured {
    pub(crate) stage: Stage,
    pub(crate) run: u64,
    pub(crate) case: CaseId,
    /// Calls of each window, in tenths of a nanosecond: means of ten where one is as short as the clock's ticks.
    windows: Vec<Vec<u64>>,
    pub(crate) counters: Counters,
    phases_ns: BTreeMap<String, Vec<u64>>,
    pub(crate) cold_ns: BTreeMap<String, u64>,
    pub(crate) core: Option<u32>,
    pub(crate) clocks: Vec<Clock>,
}

/// The names of the phases, in the order of their columns.
const PHASES: [&str; 4] = ["upload", "queue", "device", "readback"];
/// The parts of the cold start, likewise.
const COLD: [&str; 4] = ["device", "tuning", "first", "second"];

impl Measured {
    /// What a process measured of a case.
    pub(crate) fn new(stage: Stage, visit: Visit) -> Result<Self, Error> {
        let case: CaseId = visit.case.parse().map_err(Error::Failed)?;
        let counters = visit
            .windows
            .first()
            .map(|window| window.counters.clone())
            .unwrap_or_default();
        let mut phases_ns: BTreeMap<String, Vec<u64>> = BTreeMap::new();
        for (name, times) in visit.windows.iter().flat_map(|window| &window.phases_ns) {
            phases_ns.entry(name.clone()).or_default().extend(times);
        }
        let tenths = |samples: &Vec<f64>| samples.iter().map(|ns| (ns * 10.0).round() as u64).collect();
        Ok(Self {
            stage,
            run: visit.run,
            case,
            windows: visit.windows.iter().map(|window| tenths(&window.samples_ns)).collect(),
            counters: Counters::read(|name| Ok::<u64, Error>(counters.get(name).copied().unwrap_or_default()))?,
            phases_ns,
            cold_ns: visit.cold_ns,
            core: visit.core,
            clocks: visit.clocks,
        })
    }

    fn row(&self) -> Row {
        let sorted = sorted(self.windows.iter().flatten());
        let quantile = |p| harrell_davis(&sorted, p) / 10.0;
        Row {
            case: self.case.clone(),
            stage: self.stage,
            run: self.run,
            calls: sorted.len() as u64,
            p10_ns: quantile(0.10),
            p50_ns: quantile(0.50),
            mean_ns: sorted.iter().sum::<u64>() as f64 / sorted.len() as f64 / 10.0,
            p90_ns: quantile(0.90),
            p95_ns: quantile(0.95),
            p99_ns: quantile(0.99),
            counters: self.counters,
        }
    }
}

fn sorted<'a>(times: impl Iterator<Item = &'a u64>) -> Vec<u64> {
    let mut times: Vec<u64> = times.copied().collect();
    times.sort_unstable();
    times
}

/// The rows of all that was measured.
pub(crate) fn rows(measured: &[Measured]) -> Vec<Row> {
    measured.iter().map(Measured::row).collect()
}

/// Renders `calls.csv`: every measured call.
pub(crate) fn calls_csv(measured: &[Measured]) -> String {
    let mut csv = String::from("op,backend,size,tasks,run,call,wall_ns\n");
    for Measured { run, case, windows, .. } in measured {
        let CaseId {
            op,
            backend,
            size,
            tasks,
        } = case;
        for (call, tenths) in windows.iter().flatten().enumerate() {
            let wall_ns = *tenths as f64 / 10.0;
            writeln!(csv, "{op},{backend},{size},{tasks},{run},{call},{wall_ns}").expect("a string takes everything");
        }
    }
    csv
}

/// Renders `cold.csv`: what the cold start of each case took in each process, part by part; of a process's first case the device as well.
pub(crate) fn cold_csv(measured: &[Measured]) -> String {
    let mut csv = String::from("op,backend,size,tasks,run,core,part,ns\n");
    for Measured {
        run,
        case,
        cold_ns,
        core,
        ..
    } in measured
    {
        let CaseId {
            op,
            backend,
            size,
            tasks,
        } = case;
        let core = core.map_or_else(String::new, |core| core.to_string());
        for (part, ns) in cold_ns {
            writeln!(csv, "{op},{backend},{size},{tasks},{run},{core},{part},{ns}").expect("a string takes everything");
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
    /// Medians over the processes of the parts of the cold start, likewise.
    pub(crate) cold_ns: [Option<f64>; 4],
}

/// The quantiles of every case, in the order of the cases.
pub(crate) fn quantiles(measured: &[Measured]) -> Vec<Quantiles> {
    let mut cases: Vec<&CaseId> = measured.iter().map(|m| &m.case).collect();
    cases.sort();
    cases.dedup();
    cases
        .into_iter()
        .map(|case| {
            let of_case: Vec<&Measured> = measured.iter().filter(|m| m.case == *case).collect();
            let runs: Vec<Vec<Vec<u64>>> = of_case.iter().map(|measured| parts(measured)).collect();
            let all = sorted(runs.iter().flatten().flatten());
            let quantile = |p| harrell_davis(&all, p) / 10.0;
            Quantiles {
                case: case.clone(),
                runs: of_case.len(),
                calls: all.len(),
                p50_ns: quantile(0.50),
                p50_interval_ns: median_interval(&runs).map(|(low, high)| (low / 10.0, high / 10.0)),
                p90_ns: quantile(0.90),
                p95_ns: quantile(0.95),
                p99_ns: quantile(0.99),
                phases_ns: phases(&of_case),
                cold_ns: COLD.map(|part| median_of(of_case.iter().filter_map(|measured| measured.cold_ns.get(part)))),
            }
        })
        .collect()
}

/// The median of each phase over all processes.
fn phases(measured: &[&Measured]) -> [Option<f64>; 4] {
    PHASES.map(|name| {
        median_of(
            measured
                .iter()
                .filter_map(|measured| measured.phases_ns.get(name))
                .flatten(),
        )
    })
}

fn median_of<'a>(times: impl Iterator<Item = &'a u64>) -> Option<f64> {
    let times = sorted(times);
    (!times.is_empty()).then(|| harrell_davis(&times, 0.50))
}

/// Calls that follow each other, ascending within a part: what the bootstrap resamples.
fn parts(measured: &Measured) -> Vec<Vec<u64>> {
    const PARTS: usize = 5;
    let of_window = |window: &Vec<u64>| {
        let parts = window.chunks(window.len().div_ceil(PARTS));
        parts.map(|part| sorted(part.iter())).collect::<Vec<_>>()
    };
    measured.windows.iter().flat_map(of_window).collect()
}

/// Renders `quantiles.csv`; an interval or a phase that is not known is left empty.
pub(crate) fn quantiles_csv(quantiles: &[Quantiles], rows: &[Row]) -> String {
    let mut csv = String::from("op,backend,size,tasks,runs,calls,p50_ns,p50_lo_ns,p50_hi_ns,p90_ns,p95_ns,p99_ns,");
    csv.push_str(&Counters::NAMES.join(","));
    csv.push_str(",upload_ns,queue_ns,device_ns,readback_ns");
    COLD.iter().for_each(|part| csv.push_str(&format!(",cold_{part}_ns")));
    csv.push('\n');
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
        let [phases, cold] = [q.phases_ns, q.cold_ns].map(|medians| medians.map(|m| m.map_or_else(String::new, ns)));
        writeln!(
            csv,
            "{op},{backend},{size},{tasks},{},{},{},{lo},{hi},{},{},{},{},{},{}",
            q.runs,
            q.calls,
            ns(q.p50_ns),
            ns(q.p90_ns),
            ns(q.p95_ns),
            ns(q.p99_ns),
            counters.join(","),
            phases.join(","),
            cold.join(",")
        )
        .expect("a string takes everything");
    }
    csv
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(run: u64, windows: &[&[f64]]) -> Measured {
        let window = |samples: &&[f64]| bench_recorder::wire::Window {
            samples_ns: samples.to_vec(),
            counters: [
                ("submits", 1),
                ("passes", 1),
                ("dispatches", 1),
                ("copies", 2),
                ("bytes_up", 8000),
                ("bytes_down", 4000),
                ("maps", 2),
                ("pool_hits", 1),
            ]
            .map(|(name, n)| (name.to_owned(), n))
            .into(),
            phases_ns: [("upload", vec![25]), ("queue", vec![50]), ("readback", vec![7])]
                .map(|(name, times)| (name.to_owned(), times))
                .into(),
        };
        let visit = Visit {
            case: "vector_add/cpu/1000".to_owned(),
            run,
            core: Some(1),
            cold_ns: [("first".to_owned(), 900)].into(),
            windows: windows.iter().map(window).collect(),
            clocks: Vec::new(),
        };
        Measured::new(Stage::Screen, visit).unwrap()
    }

    #[test]
    fn every_call_has_a_line() {
        let all = [measured(1, &[&[10.0, 20.0], &[30.5]]), measured(2, &[&[40.0]])];
        let expected = "op,backend,size,tasks,run,call,wall_ns\nvector_add,cpu,1000,1,1,0,10\n\
                        vector_add,cpu,1000,1,1,1,20\nvector_add,cpu,1000,1,1,2,30.5\nvector_add,cpu,1000,1,2,0,40\n";
        assert_eq!(calls_csv(&all), expected);
        let cold = "op,backend,size,tasks,run,core,part,ns\nvector_add,cpu,1000,1,1,1,first,900\n\
                    vector_add,cpu,1000,1,2,1,first,900\n";
        assert_eq!(cold_csv(&all), cold);
        let row = &rows(&all)[0];
        assert!(
            row.calls == 3 && (row.mean_ns - 60.5 / 3.0).abs() < 1e-9 && row.p10_ns < row.p50_ns,
            "{row:?}"
        );
    }

    #[test]
    fn quantiles_are_over_all_processes_and_keep_the_columns_of_the_contract() {
        let runs = [
            measured(1, &[&[100.0; 50], &[100.0; 50], &[100.0; 50]]),
            measured(2, &[&[100.0; 50], &[100.0; 50]]),
        ];
        let rows = rows(&runs);
        let quantiles = quantiles(&runs);
        assert_eq!((quantiles.len(), quantiles[0].runs, quantiles[0].calls), (1, 2, 250));
        let expected = "op,backend,size,tasks,runs,calls,p50_ns,p50_lo_ns,p50_hi_ns,p90_ns,p95_ns,p99_ns,\
             submits,passes,dispatches,copies,buffers_created,bind_groups_created,pipelines_created,bytes_up,\
             bytes_down,maps,pool_hits,upload_ns,queue_ns,device_ns,readback_ns,cold_device_ns,cold_tuning_ns,cold_first_ns,\
             cold_second_ns\n\
             vector_add,cpu,1000,1,2,250,100.0,100.0,100.0,100.0,100.0,100.0,\
             1,1,1,2,0,0,0,8000,4000,2,1,25.0,50.0,,7.0,,,900.0,\n";
        assert_eq!(quantiles_csv(&quantiles, &rows), expected);
    }
}
