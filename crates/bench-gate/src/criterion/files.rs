//! The files of criterion's measurements.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde::Deserialize;

/// What criterion measured of one case.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    /// The title that criterion's list has.
    pub title: String,
    /// The whole id.
    pub id: String,
    /// Iterations of each sample.
    pub iters: Vec<f64>,
    /// What each sample took altogether, in the measurement's unit.
    pub times: Vec<f64>,
}

#[derive(Deserialize)]
struct Benchmark {
    full_id: String,
    title: Option<String>,
}

#[derive(Deserialize)]
struct Sample {
    iters: Vec<f64>,
    times: Vec<f64>,
}

impl Measured {
    /// Whether this is the case of a title in criterion's list.
    #[must_use]
    pub fn is(&self, title: &str) -> bool {
        self.title == title
    }

    /// What an iteration took in each sample.
    #[must_use]
    pub fn each(&self) -> Vec<f64> {
        self.times
            .iter()
            .zip(&self.iters)
            .map(|(time, iters)| time / iters)
            .collect()
    }
}

/// The measurements below a folder. Criterion puts those of a run into folders named `new`, and a case may be named
/// so as well: only a folder with criterion's description of a case counts.
///
/// # Errors
/// A file cannot be read or is not what criterion writes; the error names it.
pub fn measured(home: &Path) -> io::Result<Vec<Measured>> {
    let mut found = Vec::new();
    let mut open = vec![home.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).map_err(|error| named(&folder, &error))? {
            let path = entry?.path();
            if !path.is_dir() {
                continue;
            }
            let description = path.join("benchmark.json");
            if path.ends_with("new") && description.is_file() {
                let benchmark: Benchmark = json(&description)?;
                let sample: Sample = json(&path.join("sample.json"))?;
                found.push(Measured {
                    title: benchmark.title.unwrap_or_else(|| benchmark.full_id.clone()),
                    id: benchmark.full_id,
                    iters: sample.iters,
                    times: sample.times,
                });
            }
            // A case below `new` lies in a folder of that name.
            open.push(path);
        }
    }
    found.sort_by(|a, b| a.title.cmp(&b.title));
    Ok(found)
}

fn json<T: serde::de::DeserializeOwned>(path: &PathBuf) -> io::Result<T> {
    let text = fs::read(path).map_err(|error| named(path, &error))?;
    serde_json::from_slice(&text).map_err(|error| named(path, &error.into()))
}

/// An error with the file it is about.
fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn save(home: &Path, folder: &str, title: &str, time: f64) {
        let folder = home.join(folder).join("new");
        fs::create_dir_all(&folder).unwrap();
        let benchmark = format!("{{\"group_id\":\"g\",\"full_id\":\"{title}\",\"title\":\"{title}\"}}");
        fs::write(folder.join("benchmark.json"), benchmark).unwrap();
        fs::write(
            folder.join("sample.json"),
            format!("{{\"iters\":[2.0],\"times\":[{time}]}}"),
        )
        .unwrap();
    }

    #[test]
    fn a_case_may_be_named_as_criterions_folders() {
        let home = tempfile::tempdir().unwrap();
        let home = home.path();
        save(home, "new", "new", 2.0);
        save(home, "new/new", "new/new", 4.0);
        save(home, "vec/new/100", "vec/new/100", 6.0);
        save(home, "vec/new", "vec/new", 8.0);
        save(home, "base", "base", 10.0);
        fs::create_dir_all(home.join("vec/report")).unwrap();
        fs::create_dir_all(home.join("other/new")).unwrap();
        let found = measured(home).unwrap();
        let found: Vec<(&str, f64)> = found.iter().map(|case| (case.title.as_str(), case.each()[0])).collect();
        assert_eq!(
            found,
            [
                ("base", 5.0),
                ("new", 1.0),
                ("new/new", 2.0),
                ("vec/new", 4.0),
                ("vec/new/100", 3.0)
            ]
        );
    }

    #[test]
    fn a_broken_file_is_named() {
        let home = tempfile::tempdir().unwrap();
        save(home.path(), "a", "a", 1.0);
        fs::write(home.path().join("a/new/sample.json"), "{").unwrap();
        let message = measured(home.path()).unwrap_err().to_string();
        assert!(message.contains("sample.json"), "{message}");
    }
}
