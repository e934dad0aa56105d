//! Files kept between runs: calibrations and compiled pipelines, in the user's cache folder.

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use crate::{adapter::AdapterInfo, env::CACHE_DIR_ENV, host, tuning::Tuning};

/// The number of the format, and of how calibration works. A change of either raises it.
const REVISION: u32 = 5;

/// A folder whose files may be missing, old or damaged: then they are made again.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    /// Absent if nothing is to be kept.
    folder: Option<PathBuf>,
}

/// A stored calibration, with what it is of.
#[derive(Serialize, Deserialize)]
struct Calibration {
    /// Absent in files of version 0.1.0's first days.
    #[serde(default)]
    revision: u32,
    version: String,
    adapter: AdapterInfo,
    threads: usize,
    /// What the environment tells wgpu.
    #[serde(default)]
    flags: String,
    tuning: Tuning,
    /// How many of its steps were made.
    #[serde(default)]
    steps: usize,
}

/// The folder that [`CACHE_DIR_ENV`] names, else the user's.
pub(crate) fn folder_from_env() -> Option<PathBuf> {
    match std::env::var_os(CACHE_DIR_ENV) {
        Some(folder) => Some(PathBuf::from(folder)),
        None => dirs::cache_dir().map(|caches| caches.join("gpu-executor")),
    }
}

impl Store {
    /// The folder given; none, or an empty path, keeps nothing.
    pub(crate) fn new(folder: Option<&Path>) -> Self {
        Self {
            folder: folder
                .filter(|folder| !folder.as_os_str().is_empty())
                .map(Path::to_owned),
        }
    }

    /// The calibration of this adapter, with this driver, and as many threads as this process has:
    /// how far it came, and what it found until there.
    pub(crate) fn tuning(&self, adapter: &AdapterInfo, flags: &str) -> Option<(Tuning, usize)> {
        let stored: Calibration = serde_json::from_slice(&self.read(&file_name(adapter))?).ok()?;
        let fits = stored.revision == REVISION
            && stored.adapter == *adapter
            && stored.threads == host::threads()
            && stored.flags == flags
            && stored.version == env!("CARGO_PKG_VERSION");
        fits.then_some((stored.tuning, stored.steps))
    }

    pub(crate) fn keep_tuning(&self, adapter: &AdapterInfo, flags: &str, tuning: Tuning, steps: usize) {
        let calibration = Calibration {
            revision: REVISION,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            adapter: adapter.clone(),
            threads: host::threads(),
            flags: flags.to_owned(),
            tuning,
            steps,
        };
        let json = serde_json::to_vec_pretty(&calibration).expect("a structure of names and numbers");
        self.keep(&file_name(adapter), &json);
    }

    /// Where a file is; `None` if nothing is kept.
    pub(crate) fn path(&self, name: &str) -> Option<PathBuf> {
        Some(self.folder.as_ref()?.join(name))
    }

    /// Opens a file to be locked; `None` if that is not possible.
    pub(crate) fn create(&self, name: &str) -> Option<fs::File> {
        let path = self.path(name)?;
        fs::create_dir_all(path.parent()?).ok()?;
        fs::File::create(path).ok()
    }

    /// The file's contents, if there is one.
    pub(crate) fn read(&self, name: &str) -> Option<Vec<u8>> {
        fs::read(self.folder.as_ref()?.join(name)).ok()
    }

    /// Moves a file aside, so that there is none of its name. `false` if that is not possible: it
    /// is read again and again then, and no worse.
    pub(crate) fn move_aside(&self, name: &str, to: &str) -> bool {
        let folder = self.folder.as_ref();
        folder.is_some_and(|folder| fs::rename(folder.join(name), folder.join(to)).is_ok())
    }

    /// Writes a file, beside its place and renamed, and says whether that was possible: if not, it
    /// costs the next process some time, and is no reason for this one to fail.
    pub(crate) fn keep(&self, name: &str, contents: &[u8]) -> bool {
        let Some(folder) = &self.folder else { return false };
        // Threads and processes may write the same file at once; whole files replace each other.
        static PARTS: AtomicU64 = AtomicU64::new(0);
        let number = PARTS.fetch_add(1, Ordering::Relaxed);
        let part = folder.join(format!("{name}.{}-{number}", std::process::id()));
        let written = fs::create_dir_all(folder)
            .and_then(|()| fs::File::create(&part))
            .and_then(|mut file| file.write_all(contents))
            .and_then(|()| replace(&part, &folder.join(name)));
        if written.is_err() {
            // Most likely it was never there.
            let _ = fs::remove_file(part);
        }
        written.is_ok()
    }
}

/// Renames a file to a place where one may be. Windows refuses while another process or thread has
/// that open, as it does to replace it itself; that is soon over.
fn replace(part: &Path, place: &Path) -> io::Result<()> {
    let end = Instant::now() + Duration::from_millis(500);
    loop {
        match fs::rename(part, place) {
            Err(error) if cfg!(windows) && error.kind() == io::ErrorKind::PermissionDenied && Instant::now() < end => {
                std::thread::sleep(Duration::from_millis(1));
            }
            renamed => return renamed,
        }
    }
}

/// A name as part of a file's: words in small letters.
pub(crate) fn plain(text: &str) -> String {
    let words = text
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("-").to_ascii_lowercase()
}

/// The suffix of files with times of an unoptimised program.
pub(crate) const PROFILE: &str = if cfg!(debug_assertions) { "-debug" } else { "" };

/// What tells equal adapters apart, for the names of files; empty where nothing is known.
pub(crate) fn place(adapter: &AdapterInfo) -> String {
    let pci = adapter.pci.map(|pci| format!("-{}", plain(&pci.to_string())));
    pci.unwrap_or_default()
}

/// The name of an adapter's calibration: readable, and another one for another number of threads.
fn file_name(adapter: &AdapterInfo) -> String {
    let mut name = format!(
        "{}-{}-{}",
        adapter.backend,
        plain(&adapter.name),
        plain(&adapter.driver_version)
    );
    name.truncate(150);
    format!("{name}{}-{}t{PROFILE}.json", place(adapter), host::threads())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{adapter::Adapter, tuning::Transfer};

    #[test]
    fn a_calibration_is_found_again_for_its_adapter_only() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(Some(&folder.path().join("new")));
        let adapter = Adapter::cpu().info().clone();
        let tuning = Tuning {
            spin_us: 3,
            ..Tuning::plain(Transfer::DIRECT)
        };
        assert_eq!(store.tuning(&adapter, ""), None);
        store.keep_tuning(&adapter, "", tuning, 2);
        assert_eq!(store.tuning(&adapter, ""), Some((tuning, 2)), "as far as it came");
        let newer = AdapterInfo {
            timestamps: true,
            ..adapter.clone()
        };
        assert_eq!(store.tuning(&newer, ""), None, "same file, another adapter");
        let files: Vec<_> = fs::read_dir(folder.path().join("new")).unwrap().collect();
        assert_eq!(files.len(), 1, "nothing is left beside it");
        let file = files[0].as_ref().unwrap().path();
        let json = fs::read_to_string(&file).unwrap();
        let revision = format!("\"revision\": {REVISION}");
        let others = [
            (revision.as_str(), "\"revision\": 1"),
            (revision.as_str(), "\"unknown\": 0"),
            ("\"flags\": \"", "\"flags\": \"WGPU_VALIDATION=1 "),
        ];
        for (what, other) in others {
            assert!(json.contains(what), "{json}");
            fs::write(&file, json.replace(what, other)).unwrap();
            assert_eq!(store.tuning(&adapter, ""), None, "{other}");
        }
        fs::write(&file, b"{").unwrap();
        assert_eq!(store.tuning(&adapter, ""), None, "damaged");
    }

    #[test]
    fn equal_adapters_in_different_places_have_a_calibration_each() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(Some(folder.path()));
        let at = |place: &str| AdapterInfo {
            pci: Some(place.parse().unwrap()),
            ..Adapter::cpu().info().clone()
        };
        let (first, second) = (at("0000:18:00.0"), at("0000:2a:00.0"));
        let tuned = |spin_us| Tuning {
            spin_us,
            ..Tuning::plain(Transfer::DIRECT)
        };
        store.keep_tuning(&first, "", tuned(1), 7);
        assert_eq!(store.tuning(&second, ""), None);
        store.keep_tuning(&second, "", tuned(2), 7);
        assert_eq!(store.tuning(&first, ""), Some((tuned(1), 7)));
        assert_eq!(store.tuning(&second, ""), Some((tuned(2), 7)));
    }

    #[test]
    fn writers_at_the_same_time_leave_one_whole_file() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(Some(folder.path()));
        std::thread::scope(|scope| {
            for byte in 0..4_u8 {
                let store = &store;
                scope.spawn(move || (0..50).for_each(|_| assert!(store.keep("x", &[byte; 5000]))));
            }
        });
        let kept = store.read("x").unwrap();
        assert_eq!(kept, vec![kept[0]; 5000]);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_folder_that_cannot_be_written_keeps_nothing() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for folder in ["", file.path().to_str().unwrap()] {
            let store = Store::new(Some(Path::new(folder)));
            assert!(!store.keep("x", b"y"));
            assert_eq!(store.read("x"), None);
        }
    }
}
