//! A table of a document.
//!
//! Names of columns say how their values are written: `x_ns` is a duration, `x_percent` a share, and `x_low` with `x_high` are
//! the interval of `x`, which stands behind it; where such an `x` is empty, the `note` of its row is written, or else that there is
//! none up to `up_to`. `operator` and `case` are written as code.

use bench_gate::{
    crossover::rounded,
    figures::{count, duration},
    table::Table,
};

use super::{Marker, data::Csv};

const LOW: &str = "_low";
const HIGH: &str = "_high";

/// The table that a marker asks for: all columns, those of `show`, or one value by `rows` and `columns`.
pub(super) fn markdown(csv: &Csv, marker: &Marker) -> Result<String, String> {
    let rows = csv.filtered(&marker.filters()?)?;
    let table = match marker.get("rows") {
        Some(key) => pivot(csv, &rows, key, marker.need("columns")?, marker.need("cells")?)?,
        None => list(csv, &rows, marker.get("show"))?,
    };
    Ok(table.markdown())
}

fn list(csv: &Csv, rows: &[&Vec<String>], show: Option<&str>) -> Result<Table, String> {
    let shown: Vec<Column> = match show {
        Some(show) => show
            .split(", ")
            .map(|name| Column::find(csv, name))
            .collect::<Result<_, _>>()?,
        None => {
            let names = csv.columns.iter().filter(|name| !is_bound(csv, name));
            names.map(|name| Column::find(csv, name)).collect::<Result<_, _>>()?
        }
    };
    let headings: Vec<String> = shown.iter().map(|column| column.heading(rows)).collect();
    let headings: Vec<&str> = headings.iter().map(String::as_str).collect();
    let mut table = Table::new("", &headings);
    for row in rows {
        table.push(shown.iter().map(|column| column.write(row)));
    }
    Ok(table)
}

/// A row for each value of one column, a column for each of another, in their order in the file.
fn pivot(csv: &Csv, rows: &[&Vec<String>], key: &str, columns: &str, cells: &str) -> Result<Table, String> {
    let (key, by, cell) = (
        Column::find(csv, key)?,
        Column::find(csv, columns)?,
        Column::find(csv, cells)?,
    );
    let distinct = |column: &Column| {
        let mut values: Vec<&str> = Vec::new();
        for row in rows {
            if !values.contains(&row[column.at].as_str()) {
                values.push(&row[column.at]);
            }
        }
        values
    };
    let across = distinct(&by);
    let headings = across.iter().map(|value| format!(">{value}"));
    let headings: Vec<String> = std::iter::once(key.words()).chain(headings).collect();
    let headings: Vec<&str> = headings.iter().map(String::as_str).collect();
    let mut table = Table::new("", &headings);
    for down in distinct(&key) {
        let written = across.iter().map(|across| {
            let found = rows.iter().find(|row| row[key.at] == down && row[by.at] == *across);
            found.map_or_else(String::new, |row| cell.write(row))
        });
        table.push(std::iter::once(key.value(down)).chain(written));
    }
    Ok(table)
}

/// Whether the column is a bound of another one.
fn is_bound(csv: &Csv, name: &str) -> bool {
    [LOW, HIGH].iter().any(|bound| {
        let (stem, unit) = split_unit(name);
        let of = stem.strip_suffix(bound).map(|stem| format!("{stem}{unit}"));
        of.is_some_and(|of| csv.columns.contains(&of))
    })
}

/// `time_ns` as `time` and `_ns`.
fn split_unit(name: &str) -> (&str, &str) {
    let unit = ["_ns", "_percent"]
        .into_iter()
        .find(|unit| name.ends_with(unit))
        .unwrap_or_default();
    (&name[..name.len() - unit.len()], unit)
}

/// A column, with those of its interval.
struct Column {
    name: String,
    at: usize,
    bounds: Option<(usize, usize)>,
    note: Option<usize>,
    up_to: Option<usize>,
}

impl Column {
    fn find(csv: &Csv, name: &str) -> Result<Self, String> {
        let (stem, unit) = split_unit(name);
        let bound = |bound: &str| csv.column(&format!("{stem}{bound}{unit}")).ok();
        let bounds = bound(LOW).zip(bound(HIGH));
        let beside = |name: &str| bounds.and_then(|_| csv.column(name).ok());
        Ok(Self {
            name: name.to_owned(),
            at: csv.column(name)?,
            bounds,
            note: beside("note"),
            up_to: beside("up_to"),
        })
    }

    fn words(&self) -> String {
        split_unit(&self.name).0.replace('_', " ")
    }

    /// A heading; that of numbers is aligned to the right.
    fn heading(&self, rows: &[&Vec<String>]) -> String {
        let is_number = |value: &str| value.parse::<f64>().is_ok();
        let mut values = rows
            .iter()
            .map(|row| row[self.at].as_str())
            .filter(|value| !value.is_empty());
        let side = if values.clone().next().is_some() && values.all(is_number) {
            ">"
        } else {
            ""
        };
        format!("{side}{}", self.words())
    }

    fn value(&self, value: &str) -> String {
        let unit = split_unit(&self.name).1;
        let Ok(number) = value.parse::<f64>() else {
            return match self.name.as_str() {
                "operator" | "case" if !value.contains(' ') => format!("`{value}`"),
                _ => value.to_owned(),
            };
        };
        match unit {
            "_ns" => duration(number),
            "_percent" => format!("{value} %"),
            // Digits behind the point are those that were measured.
            _ if value.contains('.') => value.to_owned(),
            // No more digits than are known.
            _ if self.bounds.is_some() => count(rounded(number) as f64),
            _ => count(number),
        }
    }

    fn write(&self, row: &[String]) -> String {
        let of = |column: Option<usize>| column.map(|at| row[at].as_str()).filter(|text| !text.is_empty());
        if row[self.at].is_empty() {
            let none = of(self.up_to).and_then(|up_to| Some(format!("none up to {}", count(up_to.parse().ok()?))));
            return of(self.note).map(str::to_owned).or(none).unwrap_or_default();
        }
        let value = self.value(&row[self.at]);
        match self.bounds.map(|(low, high)| (&row[low], &row[high])) {
            Some((low, high)) if !low.is_empty() && !high.is_empty() => {
                format!("{value} ({} to {})", self.value(low), self.value(high))
            }
            _ => value,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn names_of_columns_say_how_values_are_written() {
        let text = "# command: c\n# machine: m\n# commit: 1\n\
            case,time_ns,time_low_ns,time_high_ns,ratio,n,found_percent,up_to,note\n\
            a,30300,29000,31000,1.20,1048576,99.5,7,\n\
            two words,,,,0.8,7,,1000,\n\
            b,,,,1,8,,9,only once\n";
        let csv = Csv::parse(Path::new("x"), text).unwrap();
        let check = |marker: &str, expected: &str| {
            let marker = Marker::parse(&format!("<!-- table: x{marker} -->")).unwrap().unwrap();
            assert_eq!(markdown(&csv, &marker).unwrap(), expected);
        };
        check(
            "",
            "| case | time | ratio | n | found | up to | note |\n|---|--:|--:|--:|--:|--:|---|\n\
             | `a` | 30.3 µs (29 µs to 31 µs) | 1.20 | 1,048,576 | 99.5 % | 7 |  |\n\
             | two words | none up to 1,000 | 0.8 | 7 |  | 1,000 |  |\n\
             | `b` | only once | 1 | 8 |  | 9 | only once |\n",
        );
        check(
            "; show n, case; where case=a",
            "| n | case |\n|--:|---|\n| 1,048,576 | `a` |\n",
        );
        check(
            "; rows n; columns case; cells time_ns; where ratio=1.20",
            "| n | a |\n|---|--:|\n| 1,048,576 | 30.3 µs (29 µs to 31 µs) |\n",
        );
    }
}
