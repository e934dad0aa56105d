//! What criterion programs of any version print and write: functions of text and of files, nothing is run here.

mod files;

pub use files::{Measured, measured};

/// Titles are cut at so many bytes.
const MAX_TITLE_BYTES: usize = 100;
/// What follows a title that was cut.
const CUT: &str = "...";

/// The title of the case that a line of criterion's list names. Before 0.5 it said `bench`.
#[must_use]
pub fn listed(line: &str) -> Option<&str> {
    [": benchmark", ": bench"].iter().find_map(|end| line.strip_suffix(end))
}

/// A regular expression for criterion's command line that matches the case of a title, and as few others as can be:
/// criterion filters by whole ids, while its list has titles, which are cut at 100 bytes and numbered where ids are
/// equal. Which of those that match is meant is told by [`Measured::is`].
#[must_use]
pub fn filter(title: &str) -> String {
    let id = unnumbered(title);
    match cut(id) {
        Some(start) => format!("^{}", escape(start)),
        None => format!("^{}$", escape(id)),
    }
}

/// A title without the number that tells it from equal ones. An id may end like that as well; the filter then
/// matches nothing, and [`filters`] has the other.
fn unnumbered(title: &str) -> &str {
    match title.rsplit_once(" #") {
        Some((id, number)) if number.parse::<u32>().is_ok_and(|number| number > 1) => id,
        _ => title,
    }
}

/// The start of an id whose title was cut.
fn cut(title: &str) -> Option<&str> {
    let start = title.strip_suffix(CUT)?;
    // Cut at 100 bytes, or up to three before that, where a character ends.
    (MAX_TITLE_BYTES - 3..=MAX_TITLE_BYTES)
        .contains(&start.len())
        .then_some(start)
}

/// The filters to try for a title, one after the other, until the case is measured.
#[must_use]
pub fn filters(title: &str) -> Vec<String> {
    let mut filters = vec![filter(title)];
    let literal = format!("^{}$", escape(title));
    if !filters.contains(&literal) {
        filters.push(literal);
    }
    filters
}

/// Makes a regular expression that only this text matches.
fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        if "\\.+*?()|[]{}^$#&-~".contains(c) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

/// The unit of a report line of criterion's, as `time:   [1.2 µs 1.3 µs 1.4 µs]`, which is that of the bench's
/// measurement: all of what stands behind the first value, and empty where nothing does.
#[must_use]
pub fn unit(line: &str) -> Option<String> {
    let (_, rest) = line.split_once("time:")?;
    let inner = rest.trim_start().strip_prefix('[')?;
    let inner = inner.split_once(']').map_or(inner, |(inner, _)| inner);
    // The change since another run has a sign: `time: [-1.2% +0.1% +1.4%]`.
    if inner.trim_start().starts_with(['+', '-', '\u{2212}']) {
        return None;
    }
    let words: Vec<&str> = inner.split_whitespace().collect();
    // Three values, each with as many words behind it.
    let each = words.len() / 3;
    (each > 0 && words.len() == 3 * each).then(|| words[1..each].join(" "))
}

/// Whether a unit is one of the clock's, so that values are nanoseconds.
#[must_use]
pub fn is_time(unit: &str) -> bool {
    ["ps", "ns", "us", "\u{b5}s", "\u{3bc}s", "ms", "s"].contains(&unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_any_criterion_is_read() {
        let check = |line: &str, expected: Option<&str>| assert_eq!(listed(line), expected, "{line}");
        check("req/req: bench", Some("req/req"));
        check("u64[0]/std::fmt: benchmark", Some("u64[0]/std::fmt"));
        check("", None);
        check("5 benchmarks", None);
    }

    #[test]
    fn a_filter_matches_its_case_whatever_was_done_to_its_title() {
        let check = |title: &str, expected: &str| assert_eq!(filter(title), expected);
        check("hash (fast)/4x4", "^hash \\(fast\\)/4x4$");
        check("vector_add/cpu/1000", "^vector_add/cpu/1000$");
        check("equal #2", "^equal$");
        check("plain #1", "^plain \\#1$");
        let long = "x".repeat(100);
        check(&format!("{long}..."), &format!("^{long}"));
        check(&format!("{long}... #3"), &format!("^{long}"));
        check(&format!("{}...", "é".repeat(50)), &format!("^{}", "é".repeat(50)));
        // A title that ends so and was not cut.
        check("wait...", "^wait\\.\\.\\.$");
        assert_eq!(filters("issue #7"), ["^issue$", "^issue \\#7$"]);
        assert_eq!(filters("o/1"), ["^o/1$"]);
    }

    #[test]
    fn the_unit_of_a_measurement_is_read_and_times_are_known() {
        let check = |line: &str, expected: Option<&str>| assert_eq!(unit(line).as_deref(), expected, "{line}");
        check(
            "fib 20                  time:   [26.029 µs 26.251 µs 26.505 µs]",
            Some("µs"),
        );
        check(
            "                        time:   [1.2 bytes 1.3 bytes 1.4 bytes]",
            Some("bytes"),
        );
        check("time:   [12 13 14]", Some(""));
        check("time:   [1,2 kB 1,3 kB 1,4 kB]", Some("kB"));
        check(
            "time:   [1.2 page faults 1.3 page faults 1.4 page faults]",
            Some("page faults"),
        );
        check("time:   [0.5% 0.6% 0.7%]", Some(""));
        check("time:   []", None);
        check("                        thrpt:  [1.2 MiB/s 1.3 MiB/s 1.4 MiB/s]", None);
        check("change: time:   [-1.2% +0.1% +1.4%]", None);
        check("Benchmarking time: Warming up", None);
        for time in ["ps", "ns", "us", "µs", "μs", "ms", "s"] {
            assert!(is_time(time), "{time}");
        }
        for other in ["bytes", "cycles", "instructions", "m", "S", "", "s per call"] {
            assert!(!is_time(other), "{other}");
        }
    }
}
