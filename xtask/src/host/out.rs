//! Where a run's files go: beside their place until all of them are there.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{error::Error, files};

/// The folder of a run that is being made.
#[derive(Debug)]
pub(crate) struct Out {
    /// The folder to write into.
    pub(crate) partial: PathBuf,
    place: PathBuf,
    /// The file that says which run is the latest.
    latest: PathBuf,
}

impl Out {
    /// Makes an empty folder for the run; `runs` is where runs go unless `out` says otherwise. Only there an older run is
    /// replaced: clocks are set back, and no run is lost for that.
    pub(crate) fn prepare(runs: &Path, out: Option<&Path>, started: &str) -> Result<Self, Error> {
        let place = match out {
            Some(out) => std::path::absolute(out).map_err(Error::io("find", out))?,
            // Windows has no colons in file names.
            None => files::free(&runs.join(started.replace(':', "-"))),
        };
        let is_run = ["fingerprint.json", "run.json", "runs.csv"]
            .iter()
            .all(|name| place.join(name).is_file());
        let is_free = fs::read_dir(&place).map_or(!place.exists(), |mut entries| entries.next().is_none());
        if !is_run && !is_free {
            return Err(Error::Usage(format!(
                "--out {}: exists and is no run of this program",
                place.display()
            )));
        }
        let name = place.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let partial = place.with_file_name(format!(".partial-{name}"));
        // What a killed run left behind is of no use to anyone. Elsewhere only our own name is ours to remove.
        remove_partial_runs(runs)?;
        if partial.exists() {
            fs::remove_dir_all(&partial).map_err(Error::io("remove", &partial))?;
        }
        fs::create_dir_all(&partial).map_err(Error::io("create", &partial))?;
        Ok(Self {
            partial,
            place,
            latest: runs.join("latest"),
        })
    }

    /// Moves the complete run to its place, and returns that.
    pub(crate) fn publish(&self) -> Result<&Path, Error> {
        let raw = self.partial.join("raw");
        // What was put together from other runs has none.
        if raw.exists() {
            fs::remove_dir_all(&raw).map_err(Error::io("remove", &raw))?;
        }
        if fs::read_dir(&self.place).is_ok_and(|mut entries| entries.next().is_some()) {
            fs::remove_dir_all(&self.place).map_err(Error::io("replace", &self.place))?;
        }
        if fs::rename(&self.partial, &self.place).is_err() {
            // A mount point cannot be replaced, only filled.
            fs::create_dir_all(&self.place).map_err(Error::io("create", &self.place))?;
            for entry in fs::read_dir(&self.partial).map_err(Error::io("read", &self.partial))? {
                let entry = entry.map_err(Error::io("read", &self.partial))?;
                let content = fs::read(entry.path()).map_err(Error::io("read", &entry.path()))?;
                files::write(&self.place.join(entry.file_name()), &content)?;
            }
            fs::remove_dir_all(&self.partial).map_err(Error::io("remove", &self.partial))?;
        }
        files::write(&self.latest, format!("{}\n", self.place.display()).as_bytes())?;
        Ok(&self.place)
    }
}

fn remove_partial_runs(folder: &Path) -> Result<(), Error> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Ok(());
    };
    for entry in entries.filter_map(Result::ok) {
        if entry.file_name().to_string_lossy().starts_with(".partial-") && entry.path().is_dir() {
            fs::remove_dir_all(entry.path()).map_err(Error::io("remove", &entry.path()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finished_run(runs: &Path, out: Option<&Path>, started: &str) -> PathBuf {
        let out = Out::prepare(runs, out, started).unwrap();
        fs::create_dir_all(out.partial.join("raw")).unwrap();
        for name in ["fingerprint.json", "run.json", "runs.csv"] {
            files::write(&out.partial.join(name), started.as_bytes()).unwrap();
        }
        out.publish().unwrap().to_owned()
    }

    #[test]
    fn a_run_appears_when_it_is_complete_and_latest_says_which() {
        let folder = tempfile::tempdir().unwrap();
        let out = Out::prepare(folder.path(), None, "2026-01-02T03:04:05Z").unwrap();
        assert!(!out.place.exists());
        drop(out);
        let place = finished_run(folder.path(), None, "2026-01-02T03:04:05Z");
        assert_eq!(place.file_name().unwrap(), "2026-01-02T03-04-05Z");
        assert_eq!(
            files::read(&folder.path().join("latest")).unwrap().trim(),
            place.to_str().unwrap()
        );
        assert!(!place.join("raw").exists());
    }

    /// Windows' own limit is 260 characters.
    #[test]
    fn a_path_may_be_longer_than_windows_likes() {
        let folder = tempfile::tempdir().unwrap();
        let runs = (0..4).fold(folder.path().to_owned(), |path, _| path.join("a".repeat(100)));
        for expected in ["first", "first-2"] {
            let place = finished_run(&runs, None, "first");
            assert!(place.as_os_str().len() > 400 && place.ends_with(expected));
            assert_eq!(files::read(&place.join("runs.csv")).unwrap(), "first");
        }
        assert!(files::read(&runs.join("latest")).unwrap().contains("first-2"));
    }

    #[test]
    fn what_a_killed_run_left_is_no_run_and_goes_away() {
        let folder = tempfile::tempdir().unwrap();
        let killed = Out::prepare(folder.path(), None, "first").unwrap();
        files::write(&killed.partial.join("quantiles.csv"), b"half a fi").unwrap();
        assert!(!killed.place.exists() && !killed.latest.exists());
        finished_run(folder.path(), None, "second");
        assert!(!killed.partial.exists());
    }

    #[test]
    fn a_run_of_the_same_second_replaces_none() {
        let folder = tempfile::tempdir().unwrap();
        let first = finished_run(folder.path(), None, "2026-01-02T03:04:05Z");
        files::write(&first.join("mark"), b"first").unwrap();
        let second = finished_run(folder.path(), None, "2026-01-02T03:04:05Z");
        assert_eq!(second.file_name().unwrap(), "2026-01-02T03-04-05Z-2");
        assert_eq!(files::read(&first.join("mark")).unwrap(), "first");
    }

    #[test]
    fn another_programs_folders_stay() {
        let folder = tempfile::tempdir().unwrap();
        let other = folder.path().join(".partial-other");
        fs::create_dir(&other).unwrap();
        finished_run(&folder.path().join("runs"), Some(&folder.path().join("mine")), "first");
        assert!(other.exists());
    }

    #[test]
    fn an_older_run_is_replaced_and_anything_else_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("mine");
        finished_run(folder.path(), Some(&place), "first");
        finished_run(folder.path(), Some(&place), "second");
        assert_eq!(files::read(&place.join("fingerprint.json")).unwrap(), "second");
        let precious = folder.path().join("precious");
        files::write(&precious.join("thesis.tex"), b"x").unwrap();
        let error = Out::prepare(folder.path(), Some(&precious), "third").err().unwrap();
        assert!(
            matches!(&error, Error::Usage(_)) && error.to_string().contains("precious"),
            "{error}"
        );
        assert!(precious.join("thesis.tex").exists());
    }
}
