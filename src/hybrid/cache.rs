//! The tables kept between runs: a file for each set of devices, in the user's cache folder.

use std::{
    collections::BTreeMap,
    fs::File,
    path::PathBuf,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use super::{
    operators::Identity,
    table::{DecidedBy, Table},
};
use crate::{
    adapter::AdapterInfo,
    backend::Backend,
    env::{TUNING_ENV, flags},
    host,
    options::Options,
    store::{PROFILE, Store, place, plain},
};

/// The number of the format, and of how calibration works. A change of either raises it.
const REVISION: u32 = 4;

/// What the times are of. Nothing is used whose fingerprint differs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Fingerprint {
    revision: u32,
    version: String,
    processor: String,
    threads: usize,
    /// What the environment says of the way tasks reach an adapter: it changes the times.
    tuning: Option<String>,
    /// What it tells wgpu; files of revision 2 do not have it.
    #[serde(default)]
    flags: String,
    /// Of the program: settings, optimisation.
    build: String,
    adapters: Vec<AdapterInfo>,
}

/// The file.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    fingerprint: Fingerprint,
    /// Devices that tables are without.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    failures: Vec<Failure>,
    operators: BTreeMap<String, KeptTable>,
}

/// An operator's table, and of which kernel it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct KeptTable {
    #[serde(default)]
    kernel: String,
    #[serde(flatten)]
    table: Table,
}

/// A kernel's number, as it is kept.
pub(super) fn kept_kernel(operator: Identity) -> String {
    format!("{:016x}", operator.kernel)
}

/// A device that could not be used, and so is not tried by every process.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Failure {
    pub(super) backend: Backend,
    /// The operator that it fails at, or computes wrongly; absent if it cannot be opened.
    pub(super) operator: Option<String>,
    /// The operator's kernel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) kernel: Option<String>,
    pub(super) error: String,
    /// Seconds since 1970.
    pub(super) at: u64,
}

/// The number of seconds for which a device that could not be used is not tried again.
const DAY: u64 = 24 * 60 * 60;

/// Seconds since 1970.
pub(super) fn now() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |time| time.as_secs())
}

impl Failure {
    fn is_of(&self, operator: Identity, backend: Backend) -> bool {
        let is_its = |name: &str| name == operator.name && self.kernel == Some(kept_kernel(operator));
        self.backend == backend && self.operator.as_deref().is_none_or(is_its)
    }

    /// `3 hours ago`.
    pub(super) fn ago(&self) -> String {
        match now().saturating_sub(self.at) {
            seconds @ ..120 => format!("{seconds} seconds ago"),
            seconds @ 120..7200 => format!("{} minutes ago", seconds / 60),
            seconds => format!("{} hours ago", seconds / 3600),
        }
    }
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
            tuning: options.overrides.clone(),
            flags: flags(),
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
        } else if self.flags != kept.flags {
            was("what the environment tells wgpu", &kept.flags, &self.flags)
        } else if adapters(self) != adapters(kept) {
            was("the driver", &adapters(kept), &adapters(self))
        } else {
            "an adapter's limits have changed".to_owned()
        }
    }
}

/// The settings that change times.
fn build(options: &Options) -> String {
    let Options {
        int64,
        tuning,
        chunk_bytes,
        ..
    } = options;
    let profile = if cfg!(debug_assertions) { "debug" } else { "release" };
    let tuning = tuning.as_ref().map_or_else(String::new, ToString::to_string);
    format!("{profile}, int64 {int64}, chunk {chunk_bytes}, tuning `{tuning}`")
}

impl Kept {
    fn put(&mut self, operator: Identity, table: &Table) {
        let kept = KeptTable {
            kernel: kept_kernel(operator),
            table: table.clone(),
        };
        self.operators.insert(operator.name.to_owned(), kept);
    }
}

impl Cache {
    /// The file is named after the devices and the number of threads, so that what else changes
    /// replaces it.
    pub(super) fn new(store: Store, fingerprint: Fingerprint) -> Self {
        let names = fingerprint
            .adapters
            .iter()
            .map(|a| format!("{}-{}{}", a.backend, plain(&a.name), place(a)));
        let mut file = format!("hybrid-{}", names.collect::<Vec<_>>().join("-"));
        file.truncate(150);
        Self {
            file: format!("{file}-{}t{PROFILE}.json", fingerprint.threads),
            store,
            fingerprint,
        }
    }

    /// Where the file is; `None` if nothing is kept.
    pub(super) fn path(&self) -> Option<PathBuf> {
        self.store.path(&self.file)
    }

    /// The operator's table, if one is kept that can be used.
    pub(super) fn table(&self, identity: Identity) -> Option<Table> {
        let operator = identity.name;
        let mut kept = self.read();
        let KeptTable { kernel, mut table } = kept.operators.remove(operator)?;
        if kernel != kept_kernel(identity) {
            log::info!("{}: {operator} was measured with another kernel", self.name());
            table.times.clear();
            if table.decided_by == DecidedBy::Times {
                return None;
            }
        }
        if !table.is_sound() {
            log::warn!("{}: the table of {operator} cannot be used", self.name());
            return None;
        }
        let is_measured = |backend: Backend| table.times.iter().any(|times| times.backend == backend);
        let has_failed = |backend| kept.failures.iter().any(|failure| failure.is_of(identity, backend));
        let backends = self.fingerprint.adapters.iter().map(|adapter| adapter.backend);
        let absent = backends.filter(|&backend| !is_measured(backend) && !has_failed(backend));
        match absent.map(Backend::name).next() {
            Some(name) if table.decided_by == DecidedBy::Times => {
                log::info!("{}: {operator} was measured without {name}", self.name());
                None
            }
            _ => {
                for failure in kept
                    .failures
                    .iter()
                    .filter(|f| f.is_of(identity, f.backend) && !is_measured(f.backend))
                {
                    log::warn!(
                        "{}: {operator} is not run on it, as it failed {} ({}); `Hybrid::rebuild` has it tried again",
                        failure.backend,
                        failure.ago(),
                        failure.error
                    );
                }
                Some(table)
            }
        }
    }

    /// How a device failed at an operator, or to open, less than a day ago.
    pub(super) fn failure(&self, operator: Identity, backend: Backend) -> Option<Failure> {
        let failures = self.read().failures;
        failures.into_iter().find(|failure| failure.is_of(operator, backend))
    }

    /// Forgets how a device failed: operators that were measured without it are measured again.
    pub(super) fn forget(&self, backend: Backend) {
        self.change(|kept| {
            let before = kept.failures.len();
            kept.failures.retain(|failure| failure.backend != backend);
            kept.failures.len() < before
        });
    }

    /// Keeps what was measured, and the devices that it is without.
    pub(super) fn keep_measured(&self, operator: Identity, table: &Table, failures: &[Failure]) {
        self.change(|kept| {
            kept.failures.extend_from_slice(failures);
            kept.put(operator, table);
            true
        });
    }

    /// Keeps an operator's table beside the others', or none.
    pub(super) fn keep(&self, operator: Identity, table: Option<&Table>) {
        self.change(|kept| {
            match table {
                Some(table) => kept.put(operator, table),
                None => drop(kept.operators.remove(operator.name)),
            }
            true
        });
    }

    /// Writes the stored file, if the change reports one.
    fn change(&self, change: impl FnOnce(&mut Kept) -> bool) {
        // What another process writes in between would be lost. The process that calibrates holds
        // the other lock meanwhile.
        let lock = self.locked("write", Duration::from_millis(200));
        let mut kept = self.read();
        if !change(&mut kept) {
            return;
        }
        let json = serde_json::to_vec_pretty(&kept).expect("a structure of names and numbers");
        if !self.store.keep(&self.file, &json) && self.path().is_some() {
            log::warn!("{}: cannot be written; the next process calibrates again", self.name());
        }
        drop(lock);
    }

    /// The stored file, as far as it belongs to these devices as they are now. Thresholds that a
    /// person set outlive the times.
    fn read(&self) -> Kept {
        let empty = Kept {
            fingerprint: self.fingerprint.clone(),
            failures: Vec::new(),
            operators: BTreeMap::new(),
        };
        let Some(json) = self.store.read(&self.file) else {
            return empty;
        };
        match serde_json::from_slice::<Kept>(&json) {
            Ok(mut kept) if kept.fingerprint == self.fingerprint => {
                let now = now();
                // A clock that was set back does not make it a longer day.
                kept.failures
                    .retain(|failure| (failure.at..failure.at.saturating_add(DAY)).contains(&now));
                kept
            }
            Ok(kept) => {
                log::info!("{}: {}", self.name(), self.fingerprint.difference(&kept.fingerprint));
                let mut operators = kept.operators;
                operators.retain(|_, kept| kept.table.decided_by == DecidedBy::Thresholds);
                operators.values_mut().for_each(|kept| kept.table.times.clear());
                Kept { operators, ..empty }
            }
            // Another revision may have any format.
            Err(_) if revision(&json).is_some_and(|revision| revision != u64::from(REVISION)) => {
                // Thresholds in it may be a person's work.
                self.set_aside("old", "it is of another revision");
                empty
            }
            Err(error) => {
                // It may be a person's work with a comma too many.
                self.set_aside("damaged", &error.to_string());
                empty
            }
        }
    }

    /// Gives the file another name, so that it is neither read again nor written over.
    fn set_aside(&self, extension: &str, reason: &str) {
        let end = if self.store.move_aside(&self.file, &format!("{}.{extension}", self.file)) {
            format!("it is kept with `.{extension}` behind its name")
        } else {
            "and its name cannot be changed".to_owned()
        };
        log::warn!("{}: {reason}; {end}", self.name());
    }

    fn name(&self) -> String {
        self.path()
            .map_or_else(|| self.file.clone(), |path| path.display().to_string())
    }

    /// Waits until no other process calibrates these devices: two would disturb each other. Gives
    /// up after `most`, and at once where files cannot be locked.
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
