//! A CSV file with the command, the machine and the commit that its figures come from.

use std::path::Path;

use crate::error::Error;

/// What the lines before the heading must say.
const KEYS: [&str; 3] = ["command", "machine", "commit"];

const NOT_KEPT: &str = "not kept";

/// A file of `docs/data/`.
#[derive(Debug)]
pub(super) struct Csv {
    facts: Vec<(String, String)>,
    pub(super) columns: Vec<String>,
    pub(super) rows: Vec<Vec<String>>,
}

impl Csv {
    /// Reads `# key: value` lines, a heading, and rows as long as it.
    ///
    /// # Errors
    /// [`Error::Data`] with path and line.
    pub(super) fn parse(path: &Path, text: &str) -> Result<Self, Error> {
        let wrong = |line: u64, message: String| Error::Data {
            path: path.to_owned(),
            line,
            message,
        };
        let comments = text.lines().take_while(|line| line.starts_with('#'));
        let facts: Vec<(String, String)> = comments
            .filter_map(|line| line.trim_start_matches(['#', ' ']).split_once(": "))
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect();
        if let Some(missing) = KEYS.iter().find(|key| facts.iter().all(|(fact, _)| fact != *key)) {
            return Err(wrong(1, format!("no line `# {missing}: …` before the heading")));
        }
        let mut reader = csv::ReaderBuilder::new()
            .comment(Some(b'#'))
            .from_reader(text.as_bytes());
        let at = |error: &csv::Error| error.position().map_or(1, csv::Position::line);
        let columns = reader.headers().map_err(|error| wrong(at(&error), error.to_string()))?;
        let columns = columns.iter().map(str::to_owned).collect();
        let rows = reader.records().map(|record| match record {
            Ok(record) => Ok(record.iter().map(str::to_owned).collect()),
            Err(error) => Err(wrong(at(&error), error.to_string())),
        });
        Ok(Self {
            facts,
            columns,
            rows: rows.collect::<Result<_, _>>()?,
        })
    }

    /// Where the figures come from, in one sentence of Markdown; `file` as the document links to it.
    pub(super) fn source(&self, file: &str) -> String {
        let of = |key: &str| {
            let values = self.facts.iter().filter(|(fact, _)| fact == key);
            values.map(|(_, value)| value.as_str()).collect::<Vec<_>>()
        };
        // Figures whose program is gone say so in the place of the command.
        let commands = of("command")
            .into_iter()
            .map(|command| match command.starts_with(NOT_KEPT) {
                true => command.to_owned(),
                false => format!("`{command}`"),
            });
        let commands: Vec<String> = commands.collect();
        let name = file.rsplit('/').next().unwrap_or(file);
        format!(
            "From [{name}]({file}): {}; {}; commit {}.",
            commands.join(", "),
            of("machine").join("; "),
            of("commit").join(", ")
        )
    }

    /// The place of a column.
    pub(super) fn column(&self, name: &str) -> Result<usize, String> {
        let found = self.columns.iter().position(|column| column == name);
        found.ok_or_else(|| format!("no column `{name}`; there are {}", self.columns.join(", ")))
    }

    /// The rows that have these values.
    pub(super) fn filtered(&self, filters: &[(&str, &str)]) -> Result<Vec<&Vec<String>>, String> {
        let mut rows: Vec<&Vec<String>> = self.rows.iter().collect();
        for (column, value) in filters {
            let at = self.column(column)?;
            rows.retain(|row| row[at] == *value);
        }
        if rows.is_empty() {
            return Err("no row is left to be shown".to_owned());
        }
        Ok(rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "# command: c\n# machine: m\n# commit: 1\n";

    #[test]
    fn a_damaged_file_is_told_with_its_line() {
        let check = |text: &str, expected: &str| {
            let error = Csv::parse(Path::new("a.csv"), text).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error}");
        };
        check("a,b\n1,2\n", "a.csv:1: no line `# command: …`");
        check("# command: c\n# machine: m\na\n", "a.csv:1: no line `# commit: …`");
        check(&format!("{HEAD}a,b\n1,2\n1\n"), "a.csv:6: ");
    }

    #[test]
    fn a_source_names_every_command_and_commit() {
        let csv = Csv::parse(
            Path::new("x"),
            &format!("{HEAD}# command: not kept; d e\n# note: n\na\n1\n"),
        )
        .unwrap();
        assert_eq!(
            csv.source("../data/x.csv"),
            "From [x.csv](../data/x.csv): `c`, not kept; d e; m; commit 1."
        );
        assert_eq!(csv.columns, ["a"]);
        assert_eq!(csv.rows, [["1"]]);
    }
}
