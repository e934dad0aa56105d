//! One case as a bench process recorded it, checked against what criterion saved of the same case.

use serde::Deserialize;

use crate::case::{CaseId, Counters};

/// The version of the record's format that this program reads.
const SCHEMA: u32 = 2;
/// Fewer slices than this tell of too few moments to stand for a process.
const FEWEST_SLICES: usize = 3;

/// A recorded case of one process.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(crate) struct Record {
    schema: u32,
    #[serde(flatten)]
    pub(crate) case: CaseId,
    /// Criterion's full id.
    pub(crate) id: String,
    /// Counters of each call.
    pub(crate) counters: Counters,
    /// Wall time of every call, by criterion sample.
    pub(crate) samples_ns: Vec<Vec<u64>>,
    /// The calls of each sample once more, as they were made between two runs of the calibration kernel.
    slices: Vec<Vec<Slice>>,
    /// Times of the phases of calls made beside the samples; a driver-less CPU has none.
    #[serde(default)]
    pub(crate) phases_ns: PhasesNs,
}

/// Calls in a row, with the calibration kernel before and after them.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
struct Slice {
    calls: usize,
    /// The slower of the two.
    calibration_ns: u64,
}

/// Calls that stand for what the code costs.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Quiet {
    /// Ascending, at least one.
    pub(crate) calls_ns: Vec<u64>,
    /// Median time of the calibration kernel next to them.
    pub(crate) calibration_ns: u64,
}

impl Record {
    /// Times of the calibration kernel next to each slice.
    pub(crate) fn calibrations_ns(&self) -> impl Iterator<Item = u64> {
        self.slices.iter().flatten().map(|slice| slice.calibration_ns)
    }

    /// The calls of slices whose calibration took no longer than `limit_ns`; all calls if there are hardly any such slices, which
    /// the calibration then tells. The calls themselves have no say in it.
    pub(crate) fn quiet(&self, limit_ns: f64) -> Quiet {
        let is_quiet = |slice: &Slice| slice.calibration_ns as f64 <= limit_ns;
        if self.slices.iter().flatten().filter(|slice| is_quiet(slice)).count() < FEWEST_SLICES {
            self.of_slices(|_| true)
        } else {
            self.of_slices(is_quiet)
        }
    }

    fn of_slices(&self, is_wanted: impl Fn(&Slice) -> bool) -> Quiet {
        let (mut calls_ns, mut calibrations_ns) = (Vec::new(), Vec::new());
        for (sample, slices) in self.samples_ns.iter().zip(&self.slices) {
            let mut rest = sample.as_slice();
            for slice in slices {
                let (calls, behind) = rest.split_at(slice.calls);
                rest = behind;
                if is_wanted(slice) {
                    calls_ns.extend_from_slice(calls);
                    calibrations_ns.push(slice.calibration_ns);
                }
            }
        }
        calls_ns.sort_unstable();
        calibrations_ns.sort_unstable();
        Quiet {
            calibration_ns: calibrations_ns[calibrations_ns.len() / 2],
            calls_ns,
        }
    }
}

/// What parts of a call took, call by call. A phase that was not measured is empty, not zero.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub(crate) struct PhasesNs {
    /// The host writes the inputs.
    pub(crate) upload: Vec<u64>,
    /// From there to the result being readable: commands recorded, submitted and done.
    pub(crate) queue: Vec<u64>,
    /// The kernel, by the device's own clock; a part of `queue`.
    pub(crate) device: Vec<u64>,
    /// The host reads the result.
    pub(crate) readback: Vec<u64>,
}

impl PhasesNs {
    /// Name and times of each phase, in the order of the columns.
    pub(crate) fn named(&self) -> [(&'static str, &[u64]); 4] {
        [
            ("upload_ns", &self.upload),
            ("queue_ns", &self.queue),
            ("device_ns", &self.device),
            ("readback_ns", &self.readback),
        ]
    }
}

/// What criterion saves in `sample.json`.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Sample {
    /// Calls per sample.
    pub(crate) iters: Vec<f64>,
    /// Total time of each sample, in nanoseconds.
    pub(crate) times: Vec<f64>,
}

/// Reads a record.
///
/// # Errors
/// What is wrong with it, as a sentence without the file's name.
pub(crate) fn parse(json: &[u8]) -> Result<Record, String> {
    let record: Record = serde_json::from_slice(json).map_err(|error| error.to_string())?;
    if record.schema != SCHEMA {
        return Err(format!("schema {}, this program reads schema {SCHEMA}", record.schema));
    }
    if record.samples_ns.is_empty() || record.samples_ns.iter().any(Vec::is_empty) {
        return Err(format!("{} has a sample without calls", record.id));
    }
    let sliced = |sample: usize| {
        record
            .slices
            .get(sample)
            .into_iter()
            .flatten()
            .map(|slice| slice.calls)
            .sum::<usize>()
    };
    if let Some(sample) = (0..record.samples_ns.len()).find(|&sample| sliced(sample) != record.samples_ns[sample].len())
    {
        return Err(format!(
            "{}: the slices of sample {sample} are not its calls",
            record.id
        ));
    }
    if record.calibrations_ns().any(|time_ns| time_ns == 0) {
        return Err(format!("{} has a calibration that took no time", record.id));
    }
    if record.id != record.case.to_string() {
        return Err(format!("id {} is not that of case {}", record.id, record.case));
    }
    Ok(record)
}

/// Makes sure that the recorded calls are the ones criterion measured: as many samples, each with as many calls and
/// the same total.
///
/// # Errors
/// What differs, as a sentence.
pub(crate) fn check(record: &Record, sample: &Sample) -> Result<(), String> {
    let id = &record.id;
    let (recorded, measured) = (record.samples_ns.len(), sample.iters.len());
    if recorded != measured || sample.times.len() != measured {
        return Err(format!("{id}: {recorded} samples recorded, criterion has {measured}"));
    }
    for (index, calls) in record.samples_ns.iter().enumerate() {
        let total: u64 = calls.iter().sum();
        if calls.len() as f64 != sample.iters[index] || total as f64 != sample.times[index] {
            return Err(format!(
                "{id}: sample {index} has {} calls of {total} ns in all recorded, criterion has {} calls of {} ns",
                calls.len(),
                sample.iters[index],
                sample.times[index]
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{"schema":2,"op":"vector_add","backend":"cpu","size":1000,"tasks":1,
        "id":"vector_add/cpu/1000","adapter":{"name":"host"},
        "counters":{"submits":1,"passes":1,"dispatches":1,"copies":2,"buffers_created":0,"bind_groups_created":0,
        "pipelines_created":0,"bytes_up":8000,"bytes_down":4000,"maps":2,"pool_hits":1},"samples_ns":[[10,20],[30]],
        "slices":[[{"calls":1,"calibration_ns":50},{"calls":1,"calibration_ns":90}],[{"calls":1,"calibration_ns":51}]],
        "phases_ns":{"upload":[3,4],"queue":[5,6],"device":[],"readback":[7,8]}}"#;

    fn sample(iters: &[f64], times: &[f64]) -> Sample {
        Sample {
            iters: iters.to_vec(),
            times: times.to_vec(),
        }
    }

    #[test]
    fn a_record_of_the_bench_is_read() {
        let record = parse(GOOD.as_bytes()).unwrap();
        assert_eq!(record.case.to_string(), "vector_add/cpu/1000");
        assert_eq!((record.counters.maps, record.samples_ns.len()), (2, 2));
        assert_eq!(record.phases_ns.named()[1], ("queue_ns", &[5, 6][..]));
        assert!(record.phases_ns.device.is_empty(), "not measured is not zero");
    }

    #[test]
    fn a_bad_record_is_refused() {
        let check = |from: &str, to: &str, expected: &str| {
            assert!(GOOD.contains(from));
            let error = parse(GOOD.replace(from, to).as_bytes()).unwrap_err();
            assert!(error.contains(expected), "{error}");
        };
        check(r#""schema":2"#, r#""schema":3"#, "schema 3");
        check("[30]", "[]", "without calls");
        check("[[10,20],[30]]", "[]", "without calls");
        check("[30]", "[-1]", "-1");
        check(r#"[{"calls":1,"calibration_ns":51}]"#, "[]", "slices of sample 1");
        check(
            r#"[{"calls":1,"calibration_ns":51}]"#,
            r#"[{"calls":2,"calibration_ns":51}]"#,
            "slices of sample 1",
        );
        check(r#",[{"calls":1,"calibration_ns":51}]"#, "", "slices of sample 1");
        check(r#""calibration_ns":51"#, r#""calibration_ns":0"#, "took no time");
        check("cpu/1000", "cpu/2000", "vector_add/cpu/2000");
        check("]}}", "]", "EOF");
    }

    #[test]
    fn calls_beside_a_slow_calibration_do_not_count() {
        let slice = |calls, calibration_ns| Slice { calls, calibration_ns };
        let record = Record {
            samples_ns: vec![vec![11, 12, 99], vec![10, 98, 13]],
            slices: vec![
                vec![slice(2, 50), slice(1, 90)],
                vec![slice(1, 52), slice(1, 80), slice(1, 51)],
            ],
            ..parse(GOOD.as_bytes()).unwrap()
        };
        let quiet = record.quiet(54.0);
        assert_eq!((quiet.calls_ns, quiet.calibration_ns), (vec![10, 11, 12, 13], 51));
        // Two quiet slices of five are too few: all of it counts, and the calibration tells that it was disturbed.
        let quiet = record.quiet(51.0);
        assert_eq!((quiet.calls_ns.len(), quiet.calibration_ns), (6, 52));
    }

    #[test]
    fn recorded_calls_must_be_criterions() {
        let record = parse(GOOD.as_bytes()).unwrap();
        check(&record, &sample(&[2.0, 1.0], &[30.0, 30.0])).unwrap();
        let wrong = [
            sample(&[2.0], &[30.0]),
            sample(&[2.0, 1.0], &[30.0, 31.0]),
            sample(&[1.0, 2.0], &[30.0, 30.0]),
            sample(&[2.0, 1.0], &[30.0]),
        ];
        for sample in wrong {
            check(&record, &sample).unwrap_err();
        }
    }
}
