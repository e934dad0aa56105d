//! Records every call of a criterion bench with exact counters of the bench's own, and measures one
//! case for a requested time over standard input and output, so that two revisions can take turns.
//!
//! A bench links to this crate, says which cases it has, and how one is built:
//!
//! ```
//! use bench_recorder::{Suite, calls};
//!
//! let cases = ["sort/1000", "sort/10000"].map(str::to_owned);
//! let suite = Suite::new(cases, |id, scale| {
//!     let size: f64 = id.strip_prefix("sort/").ok_or("unknown case")?.parse()?;
//!     let data: Vec<u64> = (0..(size * scale) as u64).rev().collect();
//!     Ok(calls(move || {
//!         let mut data = data.clone();
//!         data.sort_unstable_by_key(|n| n ^ 0x55);
//!         data
//!     }))
//! });
//! // Asked to serve windows of calls, it does nothing else.
//! suite.serve_if_asked().unwrap_or_else(|mut suite| {
//!     suite.record_each(10, |id, recorder| {
//!         // In criterion: bench_function(id, |b| b.iter_custom(|n| recorder.sample(n)))
//!         (0..10).for_each(|_| { recorder.sample(100); });
//!     })
//! });
//! ```
//!
//! `benches/sort.rs` of this crate is the same with criterion. `cargo bench` measures such a program
//! as any other; with `BENCH_RECORDER_DIR=folder` it writes a [`wire::Record`] of each case there, and with
//! `BENCH_RECORDER_SERVE=1` it answers [`wire::Request`]s, a line of JSON each.
//!
//! A [`Subject`] that is more than a function says what its calls count ([`Subject::counters`]), how
//! long their phases take ([`Subject::phases`]: a project names its own), and what its cold start took
//! ([`Subject::cold`]).

pub mod bind;
mod inject;
mod record;
mod subject;
mod suite;
pub mod wire;

use std::path::PathBuf;

pub use record::Recorder;
pub use subject::{Fault, Subject, calls};
pub use suite::Suite;

/// Why a case could not be recorded or served.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A case could not be built, or a call failed.
    #[error("{case}: {source}")]
    Call {
        /// The case's id.
        case: String,
        /// What the bench says.
        source: Fault,
    },
    /// Calls of one case differ in what they counted, so that nothing exact can be said of one.
    #[error("calls of one case differ in what they count: `{name}` counted {counted} in {calls} calls")]
    Unequal {
        /// The counter.
        name: String,
        /// Its sum over the calls.
        counted: u64,
        /// The calls.
        calls: u64,
    },
    /// A record could not be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The calling thread could not be bound.
    #[error("cannot bind the calling thread to cores {cores:?}: {source}")]
    Unbound {
        /// The cores.
        cores: Vec<u32>,
        /// What the system says.
        source: std::io::Error,
    },
    /// An injection that makes no sense.
    #[error(
        "{}: `{entry}` is neither of the form `add/cpu/1000=1.05` nor `add/cpu/1000=every12`",
        wire::INJECT_ENV
    )]
    Injection {
        /// The entry of the list.
        entry: String,
    },
}

impl Error {
    /// For `map_err`: what a bench said, with the case.
    fn call(case: &str) -> impl FnOnce(Fault) -> Self {
        let case = case.to_owned();
        move |source| Self::Call { case, source }
    }
}
