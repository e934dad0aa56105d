//! What travels between a bench process and whoever reads it: lines on standard input and output, and
//! files of recorded cases. Both sides use these types.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The version of requests and answers, in the greeting.
pub const PROTOCOL: u32 = 2;
/// The version of a record.
pub const SCHEMA: u32 = 3;

/// An answer is a line of standard output that begins so; every other line is somebody else's.
pub const PREFIX: &str = "bench-recorder: ";

/// Environment variable: serve windows of calls on request instead of measuring everything.
pub const SERVE_ENV: &str = "BENCH_RECORDER_SERVE";
/// Environment variable: the folder that records are written into.
pub const RECORD_ENV: &str = "BENCH_RECORDER_DIR";
/// Environment variable: slowdowns of real work that are injected, for validation of what should find
/// them. A comma list of `ID=1.05` (so many times the work that the id says) and `ID=every12` (every
/// twelfth call does its work twice).
pub const INJECT_ENV: &str = "BENCH_RECORDER_INJECT";

/// Counts by name: exact, so that two programs that do the same have the same.
pub type Counters = BTreeMap<String, u64>;

/// What a process is asked for, one line of JSON each.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Request {
    /// Build a case, and find out how long a call takes. Nothing is bound meanwhile.
    Prepare {
        /// The case's id.
        case: String,
    },
    /// Measure a case that is prepared.
    Measure(Measure),
}

/// A window of calls.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measure {
    /// The case's id.
    pub case: String,
    /// How long to measure, in nanoseconds. One sample is taken in any case.
    pub time_ns: u64,
    /// Calls per sample: more than one where a call is as short as the clock's ticks.
    pub batch: u64,
    /// Samples at the most.
    pub max_samples: u64,
    /// The core that the calling thread is bound to meanwhile; its other threads stay as they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub core: Option<u32>,
}

/// What a process says, one line of JSON each, behind [`PREFIX`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// It is ready, and these are its cases. Others can be asked for by their ids.
    Serving {
        /// [`PROTOCOL`].
        protocol: u32,
        /// Ids.
        cases: Vec<String>,
    },
    /// The case is built.
    Prepared(Prepared),
    /// A window.
    Measured(Window),
    /// The request cannot be met, and why.
    Failed(String),
}

/// A case that can be measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Prepared {
    /// About how long a call takes, in nanoseconds.
    pub call_ns: f64,
    /// What the cold start took, part by part, in nanoseconds: parts that the bench names, such as
    /// `device`, then its `first` and `second` call.
    #[serde(default)]
    pub cold_ns: BTreeMap<String, u64>,
    /// Threads of the process; `None` where the system does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threads: Option<u64>,
}

/// Calls within some hundredths of a second.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Window {
    /// Time per call of every sample, in nanoseconds; none is left out.
    pub samples_ns: Vec<f64>,
    /// Counters of each call.
    #[serde(default)]
    pub counters: Counters,
    /// Times of the phases of a few calls more, by name; one that was not measured is missing.
    #[serde(default)]
    pub phases_ns: BTreeMap<String, Vec<u64>>,
}

/// A case that criterion measured, as it is recorded: a JSON file each.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Criterion's full id.
    pub id: String,
    /// Counters of each call.
    pub counters: Counters,
    /// Wall time of every call, by criterion sample: their counts and sums are criterion's.
    pub samples_ns: Vec<Vec<u64>>,
    /// Times of the phases of calls between the samples, by name.
    pub phases_ns: BTreeMap<String, Vec<u64>>,
    /// What the cold start took, as in [`Prepared`].
    pub cold_ns: BTreeMap<String, u64>,
}
