//! Tables in CSV whose columns are found by name, with the line of whatever is wrong.

use csv::StringRecord;

/// A line at fault, counted from 1, and what is wrong with it.
pub(crate) type Fault = (u64, String);

/// A table as read.
#[derive(Debug)]
pub(crate) struct Table {
    header: StringRecord,
    /// With the line each stands in.
    records: Vec<(u64, StringRecord)>,
}

impl Table {
    /// Reads a table that has `columns`, in any order: no other, and none missing. `first_line` is where `text` begins in
    /// its file; lines that begin with `#` are passed over.
    ///
    /// # Errors
    /// The line at fault in the file, and what is wrong with it.
    pub(crate) fn read(text: &str, first_line: u64, columns: &[&str]) -> Result<Self, Fault> {
        let lines: Vec<&str> = text.lines().collect();
        // The reader counts what it passes over before a record as a part of it.
        let in_file = |line: u64| {
            let from = line.saturating_sub(1) as usize;
            let rest = lines.iter().skip(from);
            let passed_over = rest.take_while(|line| line.is_empty() || line.starts_with('#')).count();
            first_line + (from + passed_over) as u64
        };
        let line_of = |error: &csv::Error| in_file(error.position().map_or(1, csv::Position::line));
        let mut reader = csv::ReaderBuilder::new()
            .comment(Some(b'#'))
            .from_reader(text.as_bytes());
        let header = reader
            .headers()
            .map_err(|error| (line_of(&error), error.to_string()))?
            .clone();
        if let Some(difference) = difference(columns, &header) {
            return Err((in_file(1), difference));
        }
        let mut records = Vec::new();
        for record in reader.records() {
            let record = record.map_err(|error| {
                let message = match error.kind() {
                    csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
                        format!("{len} fields where {expected_len} are expected; the file is cut off or damaged")
                    }
                    _ => error.to_string(),
                };
                (line_of(&error), message)
            })?;
            records.push((in_file(record.position().map_or(1, csv::Position::line)), record));
        }
        Ok(Self { header, records })
    }

    /// The rows, with their lines.
    pub(crate) fn rows(&self) -> impl Iterator<Item = (u64, Fields<'_>)> {
        let fields = |record| Fields {
            header: &self.header,
            record,
        };
        self.records.iter().map(move |(line, record)| (*line, fields(record)))
    }
}

/// Which columns are missing or unknown; `None` if they are the ones expected.
fn difference(columns: &[&str], header: &StringRecord) -> Option<String> {
    let missing = columns
        .iter()
        .filter(|column| !header.iter().any(|name| name == **column));
    let mut wrong: Vec<String> = missing.map(|column| format!("`{column}` is missing")).collect();
    for (index, name) in header.iter().enumerate() {
        if !columns.contains(&name) {
            wrong.push(format!("`{name}` is unknown"));
        } else if header.iter().take(index).any(|earlier| earlier == name) {
            wrong.push(format!("`{name}` is there twice"));
        }
    }
    (!wrong.is_empty()).then(|| format!("the columns are not those this program reads: {}", wrong.join(", ")))
}

/// One row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fields<'a> {
    header: &'a StringRecord,
    record: &'a StringRecord,
}

impl Fields<'_> {
    /// The field as it stands.
    pub(crate) fn text(&self, column: &str) -> &str {
        let index = self
            .header
            .iter()
            .position(|name| name == column)
            .expect("a column that was asked for");
        self.record.get(index).unwrap_or_default()
    }

    /// A name, which is not empty.
    pub(crate) fn name(&self, column: &str) -> Result<String, String> {
        match self.text(column) {
            "" => Err(format!("`{column}` is empty")),
            name => Ok(name.to_owned()),
        }
    }

    pub(crate) fn integer(&self, column: &str) -> Result<u64, String> {
        self.text(column)
            .parse()
            .map_err(|_| format!("`{column}` is not an integer: \"{}\"", self.text(column)))
    }

    /// A time in nanoseconds, between a tenth of one and eleven days.
    pub(crate) fn time_ns(&self, column: &str) -> Result<f64, String> {
        let value = self.text(column).parse().ok().filter(|ns| (0.1..=1e15).contains(ns));
        value.ok_or_else(|| format!("`{column}` is not a time in nanoseconds: \"{}\"", self.text(column)))
    }
}

/// The first line git left in a conflict.
///
/// # Errors
/// That line.
pub(crate) fn no_merge_marker(text: &str) -> Result<(), Fault> {
    let is_marker = |line: &str| {
        ["<<<<<<<", "=======", ">>>>>>>", "|||||||"]
            .iter()
            .any(|marker| line.starts_with(marker))
    };
    match (1..).zip(text.lines()).find(|(_, line)| is_marker(line)) {
        None => Ok(()),
        Some((line, _)) => Err((
            line,
            "merge conflict marker; resolve the conflict, or record the file again".to_owned(),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_found_by_name_in_any_order() {
        let table = Table::read("# of a machine\nsize,op\n7,add\n\n9,mul\n", 10, &["op", "size"]).unwrap();
        let rows: Vec<(u64, String, u64)> = table
            .rows()
            .map(|(line, row)| (line, row.name("op").unwrap(), row.integer("size").unwrap()))
            .collect();
        assert_eq!(rows, [(12, "add".to_owned(), 7), (14, "mul".to_owned(), 9)]);
    }

    #[test]
    fn other_columns_are_refused_by_name() {
        let check = |text: &str, expected: &str| {
            let (line, message) = Table::read(text, 5, &["op", "size"]).unwrap_err();
            assert!(line == 6 && message.ends_with(expected), "{line}: {message}");
        };
        check("# x\nop\n", ": `size` is missing");
        check("# x\nop,size,copies\n", ": `copies` is unknown");
        check("# x\nop,copies\n", ": `size` is missing, `copies` is unknown");
        check("# x\nop,size,op\n", ": `op` is there twice");
    }
}
