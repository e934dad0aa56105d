//! Counters of calls on wgpu's device without a driver. They are the same on every machine, so that one file holds them for all.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use crate::{
    case::{CaseId, Counters},
    error::Error,
    files,
    report::Places,
    rows::case,
    table::{self, Fault, Table},
    verdict::{CaseVerdict, Verdict},
};

/// What stands in a case's id for the backend, and names these cases on the command line.
pub(crate) const BACKEND: &str = "noop";
/// The file, among the baselines and in the folder of a run.
pub(crate) const FILE: &str = "noop.csv";

const HEADING: &str = "# gpu-executor counters without a driver (wgpu's noop), schema 1: calls into wgpu of each call, exact, the same on every machine";
/// Lines above the first case.
const HEAD: u64 = 2;

/// The counters of each case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Noop(BTreeMap<CaseId, Counters>);

fn columns() -> Vec<&'static str> {
    [&["op", "backend", "size", "tasks"], Counters::NAMES].concat()
}

fn end(cases: usize) -> String {
    format!("# end of {cases} cases")
}

impl Noop {
    pub(crate) fn new(cases: impl IntoIterator<Item = (CaseId, Counters)>) -> Self {
        Self(cases.into_iter().collect())
    }

    /// The file's text, which depends on nothing but the counters.
    pub(crate) fn render(&self) -> String {
        let mut lines = vec![HEADING.to_owned(), columns().join(",")];
        lines.extend(self.0.iter().map(|(case, counters)| {
            let values: Vec<String> = counters.named().map(|(_, value)| value.to_string()).collect();
            let CaseId {
                op,
                backend,
                size,
                tasks,
            } = case;
            format!("{op},{backend},{size},{tasks},{}", values.join(","))
        }));
        lines.push(end(self.0.len()));
        lines.join("\n") + "\n"
    }

    /// Reads what [`Noop::render`] wrote.
    ///
    /// # Errors
    /// The line at fault, and what is wrong with it.
    fn parse(text: &str) -> Result<Self, Fault> {
        table::no_merge_marker(text)?;
        if text.lines().next() != Some(HEADING) {
            return Err((1, format!("the line is not `{HEADING}`")));
        }
        let last = text.lines().count() as u64;
        if !text.ends_with('\n') {
            return Err((last, "the file is cut off within its last line".to_owned()));
        }
        let mut cases = BTreeMap::new();
        for (line, fields) in Table::read(text, 1, &columns())?.rows() {
            let entry = case(fields).and_then(|case| Ok((case, Counters::read(|name| fields.integer(name))?)));
            let (case, counters) = entry.map_err(|message| (line, message))?;
            if case.backend != BACKEND {
                return Err((line, format!("{case} is no case of {BACKEND}")));
            }
            if cases.insert(case.clone(), counters).is_some() {
                return Err((line, format!("second counters of {case}")));
            }
        }
        let end = end(cases.len());
        if text.lines().last() != Some(end.as_str()) {
            return Err((
                last,
                format!("the file does not close with `{end}`: it is cut off or was edited by hand"),
            ));
        }
        if cases.is_empty() {
            return Err((last, "the file has no case".to_owned()));
        }
        Ok(Self(cases))
    }

    /// Reads the file of a folder; `None` if there is none.
    ///
    /// # Errors
    /// [`Error::Data`] with file and line for one that is damaged.
    pub(crate) fn load(folder: &Path) -> Result<Option<Self>, Error> {
        let path = path(folder);
        if !path.try_exists().map_err(Error::io("look for", &path))? {
            return Ok(None);
        }
        let noop = Self::parse(&files::read(&path)?).map_err(|(line, message)| Error::Data {
            path,
            line,
            message: format!("{message}; among the baselines, {RECORD} records it again"),
        })?;
        Ok(Some(noop))
    }

    /// A verdict for every case that was counted or is recorded. None of them is ever in doubt. Without anything recorded all are new.
    pub(crate) fn judge(&self, recorded: Option<&Self>) -> Vec<CaseVerdict> {
        let old = recorded.map(|recorded| &recorded.0);
        let cases: BTreeSet<&CaseId> = self.0.keys().chain(old.into_iter().flat_map(BTreeMap::keys)).collect();
        // A case that comes or goes is as exact as a counter: it has, or had, none at all.
        let none = Counters::default();
        let changed = |case: &CaseId, old: &Counters, new, note: &str| CaseVerdict {
            counters: old.changes(new),
            note: Some(note.to_owned()),
            ..CaseVerdict::new(case.clone(), Verdict::CountersChanged)
        };
        let verdict = |case: &CaseId| match (old.and_then(|old| old.get(case)), self.0.get(case)) {
            (None, Some(new)) if old.is_some() => changed(case, &none, new, "not recorded yet"),
            (None, _) => CaseVerdict::new(case.clone(), Verdict::New),
            (Some(old), None) if !self.0.is_empty() => changed(case, old, &none, "no longer among the benches"),
            (Some(_), None) => CaseVerdict {
                note: Some("the run counted nothing without a driver".to_owned()),
                ..CaseVerdict::new(case.clone(), Verdict::Missing)
            },
            (Some(old), Some(new)) => {
                let counters = old.changes(new);
                let word = if counters.is_empty() {
                    Verdict::Pass
                } else {
                    Verdict::CountersChanged
                };
                CaseVerdict {
                    counters,
                    ..CaseVerdict::new(case.clone(), word)
                }
            }
        };
        cases.into_iter().map(verdict).collect()
    }

    /// Where the repository's reader finds the cases.
    pub(crate) fn places(&self, folder: &Path, root: &Path) -> Places {
        Places {
            file: files::below(root, &path(folder)),
            lines: self.0.keys().cloned().zip(HEAD + 1..).collect(),
        }
    }
}

/// What records these counters alone.
pub(crate) const RECORD: &str = "`cargo xtask bench --save-baseline --backend noop`";

/// Where they lie among the baselines, or in the folder of a run.
pub(crate) fn path(folder: &Path) -> PathBuf {
    folder.join(FILE)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn example(dispatches: u64) -> Noop {
        let case = |size| CaseId {
            op: "vector_add".to_owned(),
            backend: BACKEND.to_owned(),
            tasks: 1,
            size,
        };
        let counters = Counters {
            submits: 1,
            dispatches,
            ..Counters::default()
        };
        Noop::new([(case(100), counters), (case(1000), counters)])
    }

    #[test]
    fn counters_survive_being_written_and_read_and_a_changed_one_is_one_line() {
        let text = example(1).render();
        assert_eq!(Noop::parse(&text).unwrap(), example(1));
        assert_eq!(
            Noop::parse(&text.replace('\n', "\r\n")).unwrap(),
            example(1),
            "line ends of Windows"
        );
        let mut other = example(1);
        let (case, _) = other.0.pop_last().unwrap();
        other.0.insert(
            case.clone(),
            Counters {
                dispatches: 2,
                ..example(1).0[&case]
            },
        );
        let changed = other.render();
        let differing: Vec<(u64, &str)> = (1..)
            .zip(text.lines().zip(changed.lines()))
            .filter(|(_, (old, new))| old != new)
            .map(|(line, (_, new))| (line, new))
            .collect();
        assert_eq!(differing, [(4, "vector_add,noop,1000,1,1,0,2,0,0,0,0,0,0,0,0")]);
        let places = other.places(Path::new("root/baselines"), Path::new("root"));
        assert_eq!((places.file.as_str(), places.lines[&case]), ("baselines/noop.csv", 4));
    }

    #[test]
    fn a_damaged_file_names_its_line() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Noop::load(folder.path()).unwrap(), None);
        let text = example(1).render();
        let check = |text: &str, line: u64, expected: &str| {
            files::write(&path(folder.path()), text.as_bytes()).unwrap();
            let message = Noop::load(folder.path()).unwrap_err().to_string();
            assert!(message.contains(&format!("noop.csv:{line}: ")), "{message}");
            assert!(message.contains(expected) && message.contains(RECORD), "{message}");
        };
        check("", 1, "the line is not");
        check(&text.replace("schema 1", "schema 0"), 1, "the line is not");
        check(&text.replace(",maps", ",mops"), 2, "`maps` is missing");
        check(
            &text.replacen("noop,100,", "cpu,100,", 1),
            3,
            "vector_add/cpu/100 is no case of noop",
        );
        check(
            &text.replacen("noop,1000,", "noop,100,", 1),
            4,
            "second counters of vector_add/noop/100",
        );
        check(&text.replacen("noop,1000,1,1,", "noop,1000,1,x,", 1), 4, "`submits`");
        check(&text.replacen("vector", ">>>>>>> theirs\nvector", 1), 3, "merge");
        check(text.trim_end(), 5, "cut off");
        check(&text.replace("# end of 2 cases\n", ""), 4, "cut off");
        check(&Noop::default().render(), 3, "no case");
    }

    #[test]
    fn every_case_of_either_side_has_a_verdict() {
        let words = |new: &Noop, old: Option<&Noop>| -> Vec<Verdict> {
            new.judge(old).into_iter().map(|verdict| verdict.verdict).collect()
        };
        assert_eq!(words(&example(1), Some(&example(1))), [Verdict::Pass; 2]);
        assert_eq!(words(&example(2), Some(&example(1))), [Verdict::CountersChanged; 2]);
        assert_eq!(words(&example(1), None), [Verdict::New; 2]);
        let mut fewer = example(1);
        fewer.0.pop_first();
        let changed = [Verdict::CountersChanged, Verdict::Pass];
        assert_eq!(words(&fewer, Some(&example(1))), changed);
        assert_eq!(words(&example(1), Some(&fewer)), changed);
        let gone = &fewer.judge(Some(&example(1)))[0];
        assert_eq!(crate::case::in_words(&gone.counters), "submits 1 → 0, dispatches 1 → 0");
        assert_eq!(words(&Noop::default(), Some(&example(1))), [Verdict::Missing; 2]);
    }

    #[test]
    fn the_committed_counters_are_as_they_would_be_written() {
        let folder = crate::host::workspace::baselines();
        let text = files::read(&path(&folder)).unwrap().replace("\r\n", "\n");
        let noop = Noop::parse(&text).unwrap_or_else(|fault| panic!("{fault:?}"));
        assert!(!noop.0.is_empty());
        assert_eq!(noop.render(), text);
    }
}
