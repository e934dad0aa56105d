//! Tables and pictures of documents, made from the CSV files in `docs/data/`.
//!
//! A document marks the place of a table or of a picture:
//!
//! ```text
//! <!-- table: data/crossovers-h200.csv; rows operator; columns backend; cells elements -->
//! <!-- end -->
//! <!-- picture: data/curves-h200.csv; name pays; title When does it pay?; where operator=vector_add -->
//! <!-- end -->
//! ```
//!
//! The path is relative to the document. What stands between the two lines is written by `cargo xtask docs`.

mod data;
mod picture;
mod table;

use std::path::{Path, PathBuf};

use crate::error::Error;

const OPEN: &str = "<!-- ";
const CLOSE: &str = " -->";
const END: &str = "<!-- end -->";
/// Prose ends here, so that it can be read beside its source.
const WIDTH: usize = 100;

/// A document with its tables and pictures made anew.
#[derive(Debug)]
pub(crate) struct Rendered {
    pub(crate) text: String,
    /// Pictures with their paths, which are relative to the document.
    pub(crate) pictures: Vec<(PathBuf, String)>,
}

/// Makes the tables and pictures of a document. `read` is given paths relative to the document.
///
/// # Errors
/// [`Error::Data`] with the line of the marker, or with that of the CSV file.
pub(crate) fn render(
    document: &Path,
    text: &str,
    read: &dyn Fn(&Path) -> Result<String, Error>,
) -> Result<Rendered, Error> {
    let mut rendered = Rendered {
        text: String::new(),
        pictures: Vec::new(),
    };
    let mut lines = text.split_inclusive('\n').enumerate();
    let mut in_code = false;
    while let Some((number, line)) = lines.next() {
        rendered.text.push_str(line);
        in_code ^= line.starts_with("```");
        let Some(marker) = Marker::parse(line.trim_end()).filter(|_| !in_code) else {
            continue;
        };
        let wrong = |message: String| Error::Data {
            path: document.to_owned(),
            line: number as u64 + 1,
            message,
        };
        if !lines.any(|(_, line)| line.trim_end() == END) {
            return Err(wrong(format!("`{END}` is missing after this marker")));
        }
        let marker = marker.map_err(wrong)?;
        let path = Path::new(&marker.file);
        let csv = data::Csv::parse(path, &read(path)?)?;
        let (body, pictures) = match marker.kind {
            Kind::Table => (table::markdown(&csv, &marker).map_err(wrong)?, Vec::new()),
            Kind::Picture => picture::draw(&csv, &marker).map_err(wrong)?,
        };
        let source = wrapped(&csv.source(&marker.file), WIDTH);
        rendered.text.push_str(&format!("\n{body}\n{source}\n\n{END}\n"));
        rendered.pictures.extend(pictures);
    }
    Ok(rendered)
}

/// What stands at such a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Table,
    Picture,
}

/// A marker: what, of which file, and how.
#[derive(Debug)]
struct Marker {
    kind: Kind,
    file: String,
    clauses: Vec<(String, String)>,
}

/// What may follow the file.
const CLAUSES: [&str; 7] = ["show", "rows", "columns", "cells", "where", "name", "title"];

impl Marker {
    /// `None` if the line is no marker.
    fn parse(line: &str) -> Option<Result<Self, String>> {
        let inner = line.strip_prefix(OPEN)?.strip_suffix(CLOSE)?;
        let (kind, rest) = match inner.split_once(": ")? {
            ("table", rest) => (Kind::Table, rest),
            ("picture", rest) => (Kind::Picture, rest),
            _ => return None,
        };
        let mut parts = rest.split("; ");
        let file = parts.next().unwrap_or_default().to_owned();
        let clauses = parts.map(|part| match part.split_once(' ') {
            Some((word, value)) if CLAUSES.contains(&word) => Ok((word.to_owned(), value.to_owned())),
            _ => Err(format!("`{part}` is not one of {} with a value", CLAUSES.join(", "))),
        });
        Some(
            clauses
                .collect::<Result<_, _>>()
                .map(|clauses| Self { kind, file, clauses }),
        )
    }

    fn get(&self, word: &str) -> Option<&str> {
        let found = self.clauses.iter().find(|(clause, _)| clause == word);
        found.map(|(_, value)| value.as_str())
    }

    fn need(&self, word: &str) -> Result<&str, String> {
        self.get(word).ok_or_else(|| format!("`; {word} …` is missing"))
    }

    /// Every `where COLUMN=VALUE`.
    fn filters(&self) -> Result<Vec<(&str, &str)>, String> {
        let wheres = self.clauses.iter().filter(|(clause, _)| clause == "where");
        wheres
            .map(|(_, value)| {
                value
                    .split_once('=')
                    .ok_or_else(|| format!("`where {value}` is not COLUMN=VALUE"))
            })
            .collect()
    }
}

/// The text with line breaks in place of spaces, so that no line is longer unless one word is.
fn wrapped(text: &str, width: usize) -> String {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last_mut().expect("there is a first line");
        if line.is_empty() {
            line.push_str(word);
        } else if line.chars().count() + 1 + word.chars().count() <= width {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const CSV: &str = "# command: cargo xtask scan\n# machine: one GPU\n# commit: abc1234\n\
        operator,backend,elements,elements_low,elements_high\n\
        add,vulkan,957000,836000,1240000\n\
        add,gles,,,\n\
        mul,vulkan,557,551,565\n";

    fn rendered(document: &str) -> Result<String, String> {
        let read = |path: &Path| match path.to_str() {
            Some("data/a.csv") => Ok(CSV.to_owned()),
            _ => Err(Error::Failed(format!("no {}", path.display()))),
        };
        match render(Path::new("docs/x.md"), document, &read) {
            Ok(rendered) => Ok(rendered.text),
            Err(error) => Err(error.to_string()),
        }
    }

    const TABLE: &str = "\n| operator | vulkan | gles |\n|---|--:|--:|\n\
        | `add` | 957,000 (836,000 to 1,240,000) |  |\n| `mul` | 557 (551 to 565) |  |\n\n\
        From [a.csv](data/a.csv): `cargo xtask scan`; one GPU; commit abc1234.\n\n";

    #[test]
    fn a_table_takes_the_place_between_its_marks_whatever_stood_there() {
        let mark = "<!-- table: data/a.csv; rows operator; columns backend; cells elements -->\n";
        for old in ["", "anything\n\nold\n"] {
            let document = format!("# T\n\n{mark}{old}<!-- end -->\nafter\n");
            let expected = format!("# T\n\n{mark}{TABLE}<!-- end -->\nafter\n");
            assert_eq!(rendered(&document).unwrap(), expected);
            // Once more, nothing changes.
            assert_eq!(rendered(&expected).unwrap(), expected);
        }
    }

    #[test]
    fn a_document_without_marks_stays_as_it_is() {
        for document in ["", "text", "<!-- a comment -->\n", "```text\n<!-- table: x -->\n```\n"] {
            assert_eq!(rendered(document).unwrap(), document);
        }
    }

    #[test]
    fn a_wrong_mark_is_told_with_its_line() {
        let check = |mark: &str, expected: &str| {
            let error = rendered(&format!("\n{mark}\n<!-- end -->\n")).unwrap_err();
            assert!(
                error.starts_with("docs/x.md:2: ") && error.contains(expected),
                "{error}"
            );
        };
        check("<!-- table: data/a.csv; sort x -->", "`sort x`");
        check(
            "<!-- table: data/a.csv; rows operator; columns backend -->",
            "`; cells …`",
        );
        check("<!-- table: data/a.csv; show operator, size -->", "no column `size`");
        check("<!-- table: data/a.csv; where operator -->", "COLUMN=VALUE");
        check("<!-- table: data/a.csv; where operator=div -->", "no row");
        check("<!-- picture: data/a.csv; title T -->", "`; name …`");
        check("<!-- picture: data/a.csv; name n; title T -->", "no column `cpu_ns`");
        let error = rendered("<!-- table: data/a.csv -->\ntext\n").unwrap_err();
        assert!(error.starts_with("docs/x.md:1: `<!-- end -->` is missing"), "{error}");
        assert_eq!(
            rendered("<!-- table: b.csv -->\n<!-- end -->\n").unwrap_err(),
            "no b.csv"
        );
    }

    #[test]
    fn lines_are_wrapped_between_words() {
        assert_eq!(wrapped("a bc def", 4), "a bc\ndef");
        assert_eq!(wrapped("abcdef g", 4), "abcdef\ng");
        assert_eq!(wrapped("", 4), "");
    }
}
