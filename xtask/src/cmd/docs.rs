//! `cargo xtask docs`: tables and pictures of the documents, made from `docs/data/`.

use std::{
    fs,
    path::{Path, PathBuf},
};

use bench_gate::files;

use crate::{
    docs::render,
    error::Error,
    exit::Exit,
    host::{console, workspace},
};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cargo xtask docs           write the tables and pictures of README.md, CONTRIBUTING.md and docs/*.md
  cargo xtask docs --check   fail if one of them is not what the CSV files say

CONTRIBUTING.md says how a document marks the place of a table or of a picture.")]
pub(crate) struct Flags {
    /// Write nothing; fail if a table or a picture is out of date
    #[arg(long)]
    check: bool,
}

impl Flags {
    /// As CI runs it.
    pub(crate) fn check() -> Self {
        Self { check: true }
    }
}

pub(crate) fn run(flags: &Flags) -> Result<Exit, Error> {
    let root = workspace::root();
    let stale = stale(&root)?;
    if flags.check && !stale.is_empty() {
        let names: Vec<String> = stale.iter().map(|(path, _)| files::below(&root, path)).collect();
        return Err(Error::Failed(format!(
            "out of date: {}; `cargo xtask docs` writes them anew",
            names.join(", ")
        )));
    }
    for (path, text) in &stale {
        files::write(path, text.as_bytes())?;
        console::status("Wrote", &files::below(&root, path));
    }
    if stale.is_empty() {
        console::status("Unchanged", "tables and pictures of the documents");
    }
    Ok(Exit::Pass)
}

/// Documents and pictures that are not what the data say, as they should be.
fn stale(root: &Path) -> Result<Vec<(PathBuf, String)>, Error> {
    let mut stale = Vec::new();
    for document in documents(root)? {
        let folder = document.parent().unwrap_or(root);
        let text = files::read(&document)?;
        let rendered = render(&document, &text, &|path| Ok(files::read(&folder.join(path))?))?;
        let pictures = rendered.pictures.into_iter();
        let made = pictures.map(|(path, svg)| (folder.join(path), svg));
        for (path, made) in made.chain([(document.clone(), rendered.text)]) {
            if files::read(&path).ok().as_ref() != Some(&made) {
                stale.push((path, made));
            }
        }
    }
    Ok(stale)
}

/// README.md, CONTRIBUTING.md and the documents in `docs/`.
fn documents(root: &Path) -> Result<Vec<PathBuf>, Error> {
    let folder = root.join("docs");
    let entries = fs::read_dir(&folder).map_err(Error::io("read", &folder))?;
    let mut documents = vec![root.join("README.md"), root.join("CONTRIBUTING.md")];
    for entry in entries {
        let path = entry.map_err(Error::io("read", &folder))?.path();
        if path.extension().is_some_and(|extension| extension == "md") {
            documents.push(path);
        }
    }
    documents.sort();
    Ok(documents)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_that_is_out_of_date_is_found_and_written() {
        let root = tempfile::tempdir().unwrap();
        let path = |name: &str| root.path().join(name);
        fs::create_dir_all(path("docs/data")).unwrap();
        let csv = |value: u32| format!("# command: c\n# machine: m\n# commit: 1\na\n{value}\n");
        fs::write(path("docs/data/x.csv"), csv(1)).unwrap();
        fs::write(path("README.md"), "no marker\n").unwrap();
        fs::write(path("CONTRIBUTING.md"), "").unwrap();
        fs::write(path("docs/x.md"), "<!-- table: data/x.csv -->\n<!-- end -->\n").unwrap();
        let stale = || super::stale(root.path()).unwrap();
        let found = stale();
        assert_eq!(found.len(), 1);
        assert!(
            found[0].0.ends_with("x.md") && found[0].1.contains("| 1 |"),
            "{found:?}"
        );
        fs::write(&found[0].0, &found[0].1).unwrap();
        assert!(stale().is_empty());
        fs::write(path("docs/data/x.csv"), csv(2)).unwrap();
        assert_eq!(stale().len(), 1);
    }
}
