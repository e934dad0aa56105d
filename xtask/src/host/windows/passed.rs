//! Which test programs have passed before: one that is the same to the byte, under the same Wine and driver, is not run again.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::{error::Error, files, host::windows::program::Tally};

/// The programs that passed, in a folder.
#[derive(Debug)]
pub(crate) struct Passed {
    folder: PathBuf,
    /// Everything else that a result depends on.
    under: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    under: String,
    sha256: String,
    passed: u64,
    ignored: u64,
}

impl Passed {
    pub(crate) fn new(folder: PathBuf, under: String) -> Self {
        Self { folder, under }
    }

    /// What a program passed when it was this one.
    pub(crate) fn tally(&self, name: &str, sha256: &str) -> Option<Tally> {
        let text = std::fs::read_to_string(self.place(name)).ok()?;
        let entry: Entry = serde_json::from_str(&text).ok()?;
        (entry.under == self.under && entry.sha256 == sha256).then(|| Tally {
            passed: entry.passed,
            ignored: entry.ignored,
            ..Tally::default()
        })
    }

    /// Notes that a program passed.
    pub(crate) fn keep(&self, name: &str, sha256: &str, tally: Tally) -> Result<(), Error> {
        let entry = Entry {
            under: self.under.clone(),
            sha256: sha256.to_owned(),
            passed: tally.passed,
            ignored: tally.ignored,
        };
        Ok(files::write(&self.place(name), files::json(&entry).as_bytes())?)
    }

    /// Forgets a program, before it is run.
    pub(crate) fn forget(&self, name: &str) {
        // There may be none.
        let _ = std::fs::remove_file(self.place(name));
    }

    fn place(&self, name: &str) -> PathBuf {
        self.folder
            .join(Path::new(&name.replace(": ", "-")).with_extension("json"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_program_under_the_same_wine_has_passed() {
        let folder = tempfile::tempdir().unwrap();
        let on = |under: &str| Passed::new(folder.path().join("passed"), under.to_owned());
        let passed = on("wine-8.0 lavapipe 25");
        let name = "dx12: results";
        assert_eq!(passed.tally(name, "ab"), None);
        let tally = Tally {
            passed: 9,
            ignored: 1,
            ..Tally::default()
        };
        passed.keep(name, "ab", tally).unwrap();
        assert_eq!(passed.tally(name, "ab"), Some(tally));
        assert_eq!(passed.tally(name, "ac"), None);
        assert_eq!(passed.tally("vulkan: results", "ab"), None);
        assert_eq!(on("wine-9.0 lavapipe 25").tally(name, "ab"), None);
        files::write(&passed.place(name), b"{").unwrap();
        assert_eq!(passed.tally(name, "ab"), None);
        passed.keep(name, "ab", tally).unwrap();
        passed.forget(name);
        assert_eq!(passed.tally(name, "ab"), None);
        passed.forget(name);
    }
}
