//! Baselines: the rows of a good run, kept under the fingerprint of the machine they were taken on.

mod format;
mod noise;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

pub(crate) use format::render;
pub(crate) use noise::noise;
use serde::{Deserialize, Serialize};

use crate::{
    case::{CaseId, in_words},
    error::Error,
    files,
    fingerprint::Fingerprint,
    noop::Noop,
    report::Places,
    rows::{Row, Stage},
    run::Plan,
};

/// Processes a baseline is made of, and the fewest it may be made of.
pub(crate) const RUNS: u64 = 5;

/// A baseline file.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Baseline {
    pub(crate) fingerprint: Fingerprint,
    /// Who measured which of the runs; ascending.
    pub(crate) recordings: Vec<Recording>,
    pub(crate) rows: Vec<Row>,
}

/// The circumstances of one `--save-baseline`. Compiler, adapters and drivers are in the fingerprint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Recording {
    /// The first and the last of the processes it started.
    pub(crate) runs: (u64, u64),
    /// UTC.
    pub(crate) date: String,
    /// With `-dirty` if files beside the baselines differed from it.
    pub(crate) commit: String,
    pub(crate) versions: BTreeMap<String, String>,
    /// How tasks reached the adapter of each backend. Another way makes other calls into wgpu, so whoever compares takes the
    /// same.
    pub(crate) tuning: BTreeMap<String, String>,
    pub(crate) command: String,
    pub(crate) pace: String,
    /// What `--force` was needed for; nothing, as a rule.
    pub(crate) forced: Vec<String>,
}

impl Recording {
    fn has(&self, run: u64) -> bool {
        (self.runs.0..=self.runs.1).contains(&run)
    }
}

impl Baseline {
    /// A baseline in which what `plan` measured replaces the rows of its cases, and every other case stays as it is.
    ///
    /// # Errors
    /// A case whose processes differ in their counters, which are to be exact.
    pub(crate) fn updated(
        old: Option<Self>,
        fingerprint: &Fingerprint,
        plan: &Plan,
        rows: &[Row],
        forced: Vec<String>,
    ) -> Result<Self, Error> {
        for row in rows {
            let first = rows
                .iter()
                .find(|r| r.case == row.case)
                .expect("the row itself, at the least");
            let changes = first.counters.changes(&row.counters);
            if !changes.is_empty() {
                return Err(Error::Failed(format!(
                    "{}: two processes of the same program differ in their counters ({}); what is not exact cannot be a \
                     baseline",
                    row.case,
                    in_words(&changes)
                )));
            }
        }
        let (kept, recordings) = old.map_or_else(Default::default, |old| (old.rows, old.recordings));
        let mut kept: Vec<Row> = kept.into_iter().filter(|row| plan.covers(&row.case).is_err()).collect();
        let mut recordings: Vec<Recording> = recordings
            .into_iter()
            .filter(|recording| kept.iter().any(|row| recording.has(row.run)))
            .collect();
        // Rows of one number are one process: the new ones get numbers of their own.
        let last = kept.iter().map(|row| row.run).max().unwrap_or_default();
        let screened = rows.iter().filter(|row| row.stage == Stage::Screen);
        let new: Vec<Row> = screened
            .map(|row| Row {
                run: row.run + last,
                ..row.clone()
            })
            .collect();
        let numbers: BTreeSet<u64> = new.iter().map(|row| row.run).collect();
        if let (Some(&first), Some(&last)) = (numbers.first(), numbers.last()) {
            recordings.push(Recording {
                runs: (first, last),
                date: plan.started.clone(),
                commit: if plan.commit.is_empty() {
                    "unknown"
                } else {
                    &plan.commit
                }
                .to_owned(),
                versions: plan.versions.clone(),
                tuning: plan.tuning.clone(),
                command: plan.command.clone(),
                pace: plan.pace.clone(),
                forced,
            });
        }
        kept.extend(new);
        Ok(Self {
            fingerprint: fingerprint.clone(),
            recordings,
            rows: kept,
        })
    }
}

/// The commit that the rows of a case were recorded from: recordings of other cases may be of other commits.
pub(crate) fn commit<'a>(baseline: &'a Baseline, case: &CaseId) -> Option<&'a str> {
    let row = baseline.rows.iter().find(|row| row.case == *case)?;
    let recording = baseline.recordings.iter().find(|recording| recording.has(row.run))?;
    Some(&recording.commit)
}

/// How tasks reached the adapter of `backend` when it was measured last.
pub(crate) fn tuning<'a>(baseline: &'a Baseline, backend: &str) -> Option<&'a str> {
    let tunings = baseline.recordings.iter().rev();
    tunings
        .filter_map(|recording| recording.tuning.get(backend))
        .map(String::as_str)
        .next()
}

/// Where the baseline of a machine lies.
pub(crate) fn path(folder: &Path, fingerprint: &Fingerprint) -> PathBuf {
    folder.join(format!("{}.csv", fingerprint.id()))
}

/// Where the repository's reader finds the cases of a baseline, and those without a driver.
pub(crate) fn places(folder: &Path, root: &Path, baseline: Option<&Baseline>, noop: Option<&Noop>) -> Vec<Places> {
    let of_baseline = baseline.map(|baseline| Places {
        file: files::below(root, &path(folder, &baseline.fingerprint)),
        lines: format::counter_lines(baseline),
    });
    let of_noop = noop.map(|noop| noop.places(folder, root));
    of_baseline.into_iter().chain(of_noop).collect()
}

/// Reads the baseline of a machine; `None` if there is none.
///
/// # Errors
/// [`Error::Data`] with file and line for a file that is not a whole baseline of this machine.
pub(crate) fn load(folder: &Path, fingerprint: &Fingerprint) -> Result<Option<Baseline>, Error> {
    let path = path(folder, fingerprint);
    if !path.try_exists().map_err(Error::io("look for", &path))? {
        return Ok(None);
    }
    let bytes = fs::read(&path).map_err(Error::io("read", &path))?;
    let bad = |(line, message): (u64, String)| Error::Data {
        path: path.clone(),
        line,
        message: format!("{message} (`cargo xtask bench --save-baseline` records it again)"),
    };
    let text = String::from_utf8(bytes).map_err(|error| {
        let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = 1 + good.iter().filter(|&&byte| byte == b'\n').count() as u64;
        bad((line, "not text in UTF-8".to_owned()))
    })?;
    let baseline = format::parse(&text).map_err(bad)?;
    if baseline.fingerprint != *fingerprint {
        return Err(bad((
            2,
            "this is the baseline of another machine under this one's name".to_owned(),
        )));
    }
    Ok(Some(baseline))
}

/// The machines that have a baseline, by the names of the files. Files that are damaged are left out: whoever needs one is
/// told by [`load`].
pub(crate) fn machines(folder: &Path) -> Result<Vec<(String, Fingerprint)>, Error> {
    if !folder.try_exists().map_err(Error::io("look for", folder))? {
        return Ok(Vec::new());
    }
    let mut machines = Vec::new();
    for entry in fs::read_dir(folder).map_err(Error::io("read", folder))? {
        let path = entry.map_err(Error::io("read", folder))?.path();
        if path.extension().is_some_and(|extension| extension == "csv")
            && let Ok(text) = fs::read_to_string(&path)
            && let Ok(baseline) = format::parse(&text)
        {
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            machines.push((name, baseline.fingerprint));
        }
    }
    machines.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(machines)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{fingerprint::tests::example as fingerprint, rows::tests::example as row, run::tests::plan};

    /// Two cases in five processes each.
    pub(super) fn example() -> Baseline {
        let rows: Vec<Row> = (1..=5)
            .flat_map(|run| [row("cpu", 1000, run, 100.0), row("vulkan", 1000, run, 2000.0)])
            .collect();
        Baseline::updated(None, &fingerprint(), &plan(), &rows, Vec::new()).unwrap()
    }

    /// The rows of a case.
    fn of(baseline: &Baseline, backend: &str) -> Vec<Row> {
        let rows = baseline.rows.iter().filter(|row| row.case.backend == backend);
        rows.cloned().collect()
    }

    #[test]
    fn a_recording_replaces_what_it_measured_and_nothing_else() {
        let mut later = plan();
        later.backends = vec!["vulkan".to_owned()];
        later.started = "2026-02-03T04:05:06Z".to_owned();
        later.commit = String::new();
        let new: Vec<Row> = (1..=5).map(|run| row("vulkan", 1000, run, 3000.0)).collect();
        let updated = Baseline::updated(Some(example()), &fingerprint(), &later, &new, Vec::new()).unwrap();
        assert_eq!(of(&updated, "cpu"), of(&example(), "cpu"));
        let vulkan: Vec<(u64, f64)> = of(&updated, "vulkan").iter().map(|row| (row.run, row.p50_ns)).collect();
        assert_eq!(vulkan, [6, 7, 8, 9, 10].map(|run| (run, 3000.0)));
        let who: Vec<_> = updated
            .recordings
            .iter()
            .map(|r| (r.runs, r.date.as_str(), r.commit.as_str()))
            .collect();
        assert_eq!(
            who,
            [
                ((1, 5), "2026-01-02T03:04:05Z", "0123456"),
                ((6, 10), "2026-02-03T04:05:06Z", "unknown")
            ]
        );
        let commit = |backend: &str| commit(&updated, &of(&updated, backend)[0].case).map(str::to_owned);
        assert_eq!(
            [commit("cpu"), commit("vulkan")],
            ["0123456", "unknown"].map(|c| Some(c.to_owned()))
        );
        // Nothing is left of a recording whose rows are all replaced.
        later.backends = vec!["cpu".to_owned(), "vulkan".to_owned()];
        let again = Baseline::updated(Some(updated), &fingerprint(), &later, &new, Vec::new()).unwrap();
        assert_eq!((again.recordings.len(), again.recordings[0].runs), (1, (1, 5)));
        assert!(
            of(&again, "cpu").is_empty(),
            "it was to be measured, and is no longer there"
        );
    }

    #[test]
    fn counters_that_are_not_exact_are_no_baseline() {
        let mut rows = vec![row("cpu", 1000, 1, 100.0), row("cpu", 1000, 2, 100.0)];
        rows[1].counters.maps = 9;
        let error = Baseline::updated(None, &fingerprint(), &plan(), &rows, Vec::new()).unwrap_err();
        assert!(
            error.to_string().contains("vector_add/cpu/1000") && error.to_string().contains("maps 0 → 9"),
            "{error}"
        );
    }

    #[test]
    fn a_bad_baseline_names_file_and_line() {
        let folder = tempfile::tempdir().unwrap();
        let machine = fingerprint();
        let path = path(folder.path(), &machine);
        let text = render(&example());
        let check = |text: &str, line: u64, expected: &str| {
            files::write(&path, text.as_bytes()).unwrap();
            let message = load(folder.path(), &machine).unwrap_err().to_string();
            assert!(message.contains(&format!(".csv:{line}: ")), "{message}");
            assert!(
                message.contains(expected) && message.contains("--save-baseline"),
                "{message}"
            );
        };
        check(
            &text.replace("schema 3\n", "schema 2\n"),
            1,
            "schema 2, this program reads schema 3",
        );
        check("", 1, "does not begin");
        check(
            &text.replace("\"logical_cores\":2", "\"logical_cores\":4"),
            2,
            "another machine",
        );
        check(&text.replace("\"linux\"", "linux"), 2, "fingerprint");
        check(&text.replacen("90.0,100.0", "90.0,x", 1), 10, "p50_ns");
        check(&text.replacen("cpu,1000,1,2,", "cpu,1000,1,1,", 1), 11, "second row");
        check(&text.replacen("vector", "<<<<<<< ours\nvector", 1), 6, "merge");
        check(text.trim_end(), 20, "cut off");
        fs::write(&path, [text.as_bytes(), b"\n\xFF"].concat()).unwrap();
        assert!(
            load(folder.path(), &machine)
                .unwrap_err()
                .to_string()
                .contains(".csv:22: not text")
        );
        assert_eq!(load(&folder.path().join("none"), &machine).unwrap(), None);
    }

    /// Those that are committed can be read, and say that a known commit was measured on a quiet machine.
    #[test]
    fn committed_baselines_are_ones_to_hold_others_against() {
        let folder = crate::host::workspace::baselines();
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "csv") || path.ends_with(crate::noop::FILE) {
                continue;
            }
            let place = path.display();
            let baseline =
                format::parse(&files::read(&path).unwrap()).unwrap_or_else(|fault| panic!("{place}: {fault:?}"));
            assert_eq!(path, super::path(&folder, &baseline.fingerprint));
            for recording in &baseline.recordings {
                assert!(recording.forced.is_empty(), "{place}: {recording:?}");
                assert!(
                    !recording.commit.ends_with("-dirty") && recording.commit != "unknown",
                    "{place}: {recording:?}"
                );
            }
        }
    }

    #[test]
    fn only_what_lies_in_the_repository_has_a_place_there() {
        let root = std::path::absolute("repository").unwrap();
        let places = |folder: &Path| super::places(folder, &root, Some(&example()), None).remove(0);
        let inside = places(&root.join("baselines"));
        assert_eq!(inside.file, format!("baselines/{}.csv", fingerprint().id()));
        assert_eq!(inside.lines.len(), 2);
        assert_eq!(places(&root.with_file_name("elsewhere")).file, "");
        assert_eq!(super::places(&root, &root, None, None), []);
    }

    #[test]
    fn the_machines_with_a_baseline_are_known() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(machines(&folder.path().join("none")).unwrap(), []);
        files::write(&path(folder.path(), &fingerprint()), render(&example()).as_bytes()).unwrap();
        files::write(&folder.path().join("README.md"), b"x").unwrap();
        files::write(&folder.path().join("damaged.csv"), b"x").unwrap();
        assert_eq!(machines(folder.path()).unwrap(), [(fingerprint().id(), fingerprint())]);
    }
}
