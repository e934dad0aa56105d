//! Which crates are known to pass each other's types, from `data/interop.csv`.

use serde::Deserialize;

use crate::error::Error;

const TABLE: &str = include_str!("../data/interop.csv");

/// The pinned pairs.
#[derive(Debug)]
pub(crate) struct Interop {
    rows: Vec<Row>,
}

/// `parent` hands a type of `shared` to `child`, or gets one from it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Row {
    /// A crate, or `*` where `child` is a facade of `shared`: every crate that uses both is concerned.
    parent: String,
    child: String,
    shared: String,
    /// Where it can be read that they do.
    pub(crate) source: String,
}

impl Row {
    pub(crate) fn is_facade(&self) -> bool {
        self.parent == "*"
    }
}

impl Interop {
    /// The table that is part of the program.
    ///
    /// # Errors
    /// A row that is no row, or lacks its source.
    pub(crate) fn built_in() -> Result<Self, Error> {
        Self::parse("data/interop.csv", TABLE)
    }

    fn parse(file: &str, text: &str) -> Result<Self, Error> {
        let mut reader = csv::ReaderBuilder::new()
            .comment(Some(b'#'))
            .from_reader(text.as_bytes());
        let mut rows = Vec::new();
        for row in reader.deserialize::<Row>() {
            let row = row.map_err(|error| Error::Config {
                file: file.to_owned(),
                what: error.to_string(),
            })?;
            if row.source.trim().is_empty() {
                return Err(Error::Config {
                    file: file.to_owned(),
                    what: format!("the row {},{},{} names no source", row.parent, row.child, row.shared),
                });
            }
            rows.push(row);
        }
        Ok(Self { rows })
    }

    /// Whether some row is about this crate's items: it is warned about without evidence, too.
    pub(crate) fn is_shared(&self, name: &str) -> bool {
        self.rows.iter().any(|row| row.shared == name) || ["windows", "gpu-allocator"].contains(&name)
    }

    /// The row that covers `parent → child : shared`.
    pub(crate) fn row(&self, parent: &str, child: &str, shared: &str) -> Option<&Row> {
        self.rows
            .iter()
            .find(|row| (row.is_facade() || row.parent == parent) && row.child == child && row.shared == shared)
    }
}

/// Whether a crate only declares foreign functions and plain data, so that two versions of it get along.
pub(crate) fn is_raw_bindings(name: &str) -> bool {
    name.ends_with("-sys")
        || name.ends_with("_sys")
        || ["libc", "winapi", "windows-targets", "windows-link"].contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_table_covers_the_pairs_that_broke_builds() {
        let interop = Interop::built_in().unwrap();
        for (parent, child, shared, expected) in [
            ("wgpu-hal", "gpu-allocator", "windows", true),
            ("anything", "windows", "windows-core", true),
            ("anything", "windows", "windows-result", true),
            ("anything", "windows", "windows-strings", true),
            ("nu-command", "sysinfo", "windows", false),
            ("wgpu-hal", "gpu-allocator", "hashbrown", false),
        ] {
            let found = interop.row(parent, child, shared).is_some();
            assert_eq!(found, expected, "{parent} -> {child} : {shared}");
        }
    }

    #[test]
    fn a_row_without_source_is_refused() {
        let error = Interop::parse("t.csv", "parent,child,shared,source\na,b,c,\n").unwrap_err();
        assert_eq!(error.to_string(), "t.csv: the row a,b,c names no source");
    }
}
