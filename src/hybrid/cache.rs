//! The tables kept between runs: a file for each set of devices, in the user's cache folder.

use std::{
    collections::BTreeMap,
    fs::File,
    path::PathBuf,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use super::table::{DecidedBy, Table};
use crate::{
    adapter::AdapterInfo,
    host, op,
    options::Options,
    store::{Store, plain},
    tuning::TUNING_ENV,
};

/// The number of the format, and of how calibration works. Whoever changes either raises it.
const REVISION: u32 = 2;

/// What the times are of. Nothing is used whose fingerprint differs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Fingerprint {
    revision: u32,
    version: String,
    processor: String,
    threads: usize,
    /// What the environment says of the way tasks reach an adapter: it changes the times.
    tuning: Option<String>,
    /// Of the program: settings, optimisation, kernels.
    build: String,
    adapters: Vec<AdapterInfo>,
}

/// The file.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    fingerprint: Fingerprint,
    operators: BTreeMap<String, Table>,
}

/// The tables of one set of devices.
#[derive(Debug)]
pub(super) struct Cache {
    store: Store,
    file: String,
    fingerprint: Fingerprint,
}

impl Fingerprint {
    pub(super) fn of(adapters: Vec<AdapterInfo>, options: &Options) -> Self {
        Self {
            revision: REVISION,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            processor: host::processor(),
            threads: rayon::current_num_threads().min(host::threads()),
            tuning: std::env::var(TUNING_ENV).ok(),
            build: build(options),
            adapters,
        }
    }

    /// In what a kept one differs, for people.
    fn difference(&self, kept: &Self) -> String {
        let adapters = |print: &Self| -> Vec<String> {
            let name = |a: &AdapterInfo| format!("{} {} {} {}", a.backend, a.name, a.driver, a.driver_version);
            print.adapters.iter().map(name).collect()
        };
        let was = |what: &str, was: &dyn std::fmt::Debug, is: &dyn std::fmt::Debug| {
            format!("{what} was {was:?} and is {is:?}")
        };
        if self.revision != kept.revision {
            was("the revision", &kept.revision, &self.revision)
        } else if self.version != kept.version {
            was("the version", &kept.version, &self.version)
        } else if (&self.processor, self.threads) != (&kept.processor, kept.threads) {
            was(
                "the processor",
                &(&kept.processor, kept.threads),
                &(&self.processor, self.threads),
            )
        } else if self.build != kept.build {
            was("the program", &kept.build, &self.build)
        } else if self.tuning != kept.tuning {
            was(TUNING_ENV, &kept.tuning, &self.tuning)
        } else if adapters(self) != adapters(kept) {
            was("the driver", &adapters(kept), &adapters(self))
        } else {
            "an adapter's limits have changed".to_owned()
        }
    }
}

/// The settings that change times, and a digest of the kernels.
fn build(options: &Options) -> String {
    let Options {
        int64,
        tuning,
        chunk_bytes,
        ..
    } = options;
    let profile = if cfg!(debug_assertions) { "debug" } else { "release" };
    let tuning = tuning.as_ref().map_or_else(String::new, ToString::to_string);
    format!(
        "{profile}, int64 {int64}, chunk {chunk_bytes}, tuning `{tuning}`, kernels {:016x}",
        op::kernels().fold(FNV_OFFSET, fnv)
    )
}

const FNV_OFFSET: u64 = 0xCBF2_9CE4_8422_2325;

/// FNV-1a, continued: the same in every version of the compiler.
///
/// Source: G. Fowler, L. C. Noll, K.-P. Vo and D. Eastlake, "The FNV Non-Cryptographic Hash Algorithm".
fn fnv(hash: u64, text: &str) -> u64 {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3);
    text.bytes().fold(hash, step)
}

impl Cache {
    /// The file is named after the devices and the number of threads, so that what else changes replaces it.
    pub(super) fn new(store: Store, fingerprint: Fingerprint) -> Self {
        let names = fingerprint
            .adapters
            .iter()
            .map(|a| format!("{}-{}", a.backend, plain(&a.name)));
        let mut file = format!("hybrid-{}", names.collect::<Vec<_>>().join("-"));
        file.truncate(150);
        Self {
            file: format!(
                "{file}-{}t{}.json",
                fingerprint.threads,
                if cfg!(debug_assertions) { "-debug" } else { "" }
            ),
            store,
            fingerprint,
        }
    }

    /// Where the file is; `None` if nothing is kept.
    pub(super) fn path(&self) -> Option<PathBuf> {
        self.store.path(&self.file)
    }

    /// The operator's table, if one is kept that can be used.
    pub(super) fn table(&self, operator: &str) -> Option<Table> {
        let table = self.read().operators.remove(operator)?;
        if !table.is_sound() {
            log::warn!("{}: the table of {operator} cannot be used", self.name());
            return None;
        }
        Some(table)
    }

    /// Keeps an operator's table beside the others', or none.
    pub(super) fn keep(&self, operator: &str, table: Option<&Table>) {
        // What another process writes in between would be lost. Whoever calibrates has the other lock meanwhile.
        let lock = self.locked("write", Duration::from_millis(200));
        let mut kept = self.read();
        match table {
            Some(table) => drop(kept.operators.insert(operator.to_owned(), table.clone())),
            None => drop(kept.operators.remove(operator)),
        }
        let json = serde_json::to_vec_pretty(&kept).expect("a structure of names and numbers");
        if !self.store.keep(&self.file, &json) && self.path().is_some() {
            log::warn!("{}: cannot be written; the next process calibrates again", self.name());
        }
        drop(lock);
    }

    /// What is kept, as far as it is of these devices as they are now. Thresholds that a person set outlive the times.
    fn read(&self) -> Kept {
        let empty = Kept {
            fingerprint: self.fingerprint.clone(),
            operators: BTreeMap::new(),
        };
        let Some(json) = self.store.read(&self.file) else {
            return empty;
        };
        match serde_json::from_slice::<Kept>(&json) {
            Ok(kept) if kept.fingerprint == self.fingerprint => kept,
            Ok(kept) => {
                log::info!("{}: {}", self.name(), self.fingerprint.difference(&kept.fingerprint));
                let mut operators = kept.operators;
                operators.retain(|_, table| table.decided_by == DecidedBy::Thresholds);
                operators.values_mut().for_each(|table| table.times.clear());
                Kept { operators, ..empty }
            }
            // Another revision may have any format.
            Err(_) if revision(&json).is_some_and(|revision| revision != u64::from(REVISION)) => {
                log::info!("{}: of another revision", self.name());
                empty
            }
            Err(error) => {
                // It may be a person's work with a comma too many.
                self.store.keep(&format!("{}.damaged", self.file), &json);
                log::warn!(
                    "{}: {error}; a copy is kept with `.damaged` behind its name",
                    self.name()
                );
                empty
            }
        }
    }

    fn name(&self) -> String {
        self.path()
            .map_or_else(|| self.file.clone(), |path| path.display().to_string())
    }

    /// Waits until no other process calibrates these devices: two would disturb each other. Gives up after `most`, and at once
    /// where files cannot be locked.
    pub(super) fn lock(&self, most: Duration) -> Option<File> {
        self.locked("calibration", most)
    }

    fn locked(&self, what: &str, most: Duration) -> Option<File> {
        let file = self.store.create(&format!("{}.{what}.lock", self.file))?;
        let begin = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Some(file),
                Err(std::fs::TryLockError::WouldBlock) if begin.elapsed() < most => {
                    std::thread::sleep(Duration::from_millis(5));
                }
                Err(_) => return None,
            }
        }
    }
}

/// The revision of a file whose format is not known.
fn revision(json: &[u8]) -> Option<u64> {
    let value: serde_json::Value = serde_json::from_slice(json).ok()?;
    value.get("fingerprint")?.get("revision")?.as_u64()
}
