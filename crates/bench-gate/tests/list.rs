//! The list of foreign cases in `docs/gate-your-project.md` names tests that there are.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn every_test_of_the_list_exists() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    rust_files(&here.join("tests"), &mut files);
    rust_files(&here.join("src"), &mut files);
    let mut tests = BTreeSet::new();
    for file in files {
        let text = fs::read_to_string(file).unwrap();
        let mut is_test = false;
        for line in text.lines().map(str::trim) {
            if line == "#[test]" {
                is_test = true;
            } else if let Some(rest) = line.strip_prefix("fn ").filter(|_| is_test) {
                tests.insert(rest.split('(').next().unwrap().to_owned());
                is_test = false;
            }
        }
    }
    let page = fs::read_to_string(here.join("../../docs/gate-your-project.md")).unwrap();
    let (_, list) = page.split_once("## Cases that went wrong once").unwrap();
    let list = list.split("\n## ").next().unwrap();
    let rows: Vec<&str> = list
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| case"))
        .collect();
    assert!(rows.len() >= 25, "{}", rows.len());
    for row in rows {
        let named: Vec<&str> = row
            .trim_end_matches('|')
            .rsplit('|')
            .next()
            .unwrap()
            .split(',')
            .collect();
        for test in named {
            let test = test.trim().trim_matches('`');
            assert!(tests.contains(test), "{row}: there is no test `{test}`");
        }
    }
}
