//! Baselines: the rows of a good run, kept under the fingerprint of the machine they were taken on.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{
    error::Error,
    fingerprint::{Fingerprint, SCHEMA},
    rows::{self, Row},
};

/// A baseline file.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Baseline {
    pub(crate) fingerprint: Fingerprint,
    /// When, from which commit and with which command it was recorded.
    pub(crate) recorded: String,
    pub(crate) rows: Vec<Row>,
}

/// Where the baseline of a machine lies.
pub(crate) fn path(folder: &Path, fingerprint: &Fingerprint) -> PathBuf {
    folder.join(format!("{}.csv", fingerprint.id()))
}

/// Reads the baseline of a machine; `None` if there is none.
///
/// # Errors
/// [`Error::Data`] with file and line for a file that is not a whole baseline of this machine.
pub(crate) fn load(folder: &Path, fingerprint: &Fingerprint) -> Result<Option<Baseline>, Error> {
    let path = path(folder, fingerprint);
    if !path.try_exists().map_err(Error::io("look for", &path))? {
        return Ok(None);
    }
    let bytes = fs::read(&path).map_err(Error::io("read", &path))?;
    let bad = |(line, message): (u64, String)| Error::Data {
        path: path.clone(),
        line,
        message: format!("{message} (`cargo xtask bench --save-baseline` records it again)"),
    };
    let text = String::from_utf8(bytes).map_err(|error| {
        let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = 1 + good.iter().filter(|&&byte| byte == b'\n').count() as u64;
        bad((line, "not text in UTF-8".to_owned()))
    })?;
    let baseline = parse(&text).map_err(bad)?;
    if baseline.fingerprint != *fingerprint {
        return Err(bad((
            2,
            "this is the baseline of another machine under this one's name".to_owned(),
        )));
    }
    Ok(Some(baseline))
}

/// The machines that have a baseline, by the names of the files. Files that are damaged are left out: whoever needs one is
/// told by [`load`].
pub(crate) fn machines(folder: &Path) -> Result<Vec<(String, Fingerprint)>, Error> {
    if !folder.try_exists().map_err(Error::io("look for", folder))? {
        return Ok(Vec::new());
    }
    let mut machines = Vec::new();
    for entry in fs::read_dir(folder).map_err(Error::io("read", folder))? {
        let path = entry.map_err(Error::io("read", folder))?.path();
        if path.extension().is_some_and(|extension| extension == "csv")
            && let Ok(text) = fs::read_to_string(&path)
            && let Ok(baseline) = parse(&text)
        {
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            machines.push((name, baseline.fingerprint));
        }
    }
    machines.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(machines)
}

/// Renders a baseline: what it is, the rows by case, and an end that shows it is whole.
pub(crate) fn render(baseline: &Baseline) -> String {
    let mut rows = baseline.rows.clone();
    rows.sort_by(|a, b| (&a.case, a.stage, a.run).cmp(&(&b.case, b.stage, b.run)));
    let fingerprint = serde_json::to_string(&baseline.fingerprint).expect("plain data is always JSON");
    format!(
        "# gpu-executor baseline, schema {SCHEMA}\n# fingerprint {fingerprint}\n# recorded {}\n{}# end of {} rows\n",
        baseline.recorded,
        rows::to_csv(&rows),
        rows.len()
    )
}

/// Reads what [`render`] wrote.
fn parse(text: &str) -> Result<Baseline, (u64, String)> {
    let mut lines = text.lines();
    let mut header = |line: u64, prefix: &str| {
        lines
            .next()
            .and_then(|text| text.strip_prefix(prefix))
            .map(|rest| rest.trim().to_owned())
            .ok_or_else(|| (line, format!("the line does not begin with `{}`", prefix.trim_end())))
    };
    let schema = header(1, "# gpu-executor baseline, schema ")?;
    if schema != SCHEMA.to_string() {
        return Err((1, format!("schema {schema}, this program reads schema {SCHEMA}")));
    }
    let json = header(2, "# fingerprint ")?;
    let fingerprint = serde_json::from_str(&json).map_err(|error| (2, format!("not a fingerprint: {error}")))?;
    let recorded = header(3, "# recorded ")?;
    let rows = rows::from_csv(text)?;
    let last = text.lines().count() as u64;
    let end = format!("# end of {} rows", rows.len());
    if !text.ends_with('\n') || text.lines().last() != Some(end.as_str()) {
        return Err((
            last,
            format!("the file does not close with `{end}`: it is cut off or was edited by hand"),
        ));
    }
    Ok(Baseline {
        fingerprint,
        recorded,
        rows,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files;
    use crate::{fingerprint::tests::example as fingerprint, rows::tests::example as row};

    fn example() -> Baseline {
        Baseline {
            fingerprint: fingerprint(),
            recorded: "2026-01-02T03:04:05Z by `cargo xtask bench --save-baseline`, commit 0123456".to_owned(),
            rows: (1..=5).map(|run| row("cpu", 1000, run, 100.0)).collect(),
        }
    }

    #[test]
    fn a_baseline_survives_being_written_and_read() {
        let text = render(&example());
        assert_eq!(parse(&text).unwrap(), example());
        assert_eq!(
            parse(&text.replace('\n', "\r\n")).unwrap(),
            example(),
            "line ends of Windows"
        );
    }

    #[test]
    fn rows_are_in_order_whatever_order_they_came_in() {
        let mut shuffled = example();
        shuffled.rows.reverse();
        assert_eq!(render(&shuffled), render(&example()));
    }

    #[test]
    fn a_bad_baseline_names_file_and_line() {
        let folder = tempfile::tempdir().unwrap();
        let machine = fingerprint();
        let path = path(folder.path(), &machine);
        let text = render(&example());
        let check = |text: &str, line: u64, expected: &str| {
            files::write(&path, text.as_bytes()).unwrap();
            let message = load(folder.path(), &machine).unwrap_err().to_string();
            assert!(message.contains(&format!(".csv:{line}: ")), "{message}");
            assert!(
                message.contains(expected) && message.contains("--save-baseline"),
                "{message}"
            );
        };
        check(&text.replace("schema 1\n", "schema 7\n"), 1, "schema 7");
        check("", 1, "does not begin");
        check(
            &text.replace("\"logical_cores\":2", "\"logical_cores\":4"),
            2,
            "another machine",
        );
        check(&text.replace("\"linux\"", "linux"), 2, "fingerprint");
        check(&text.replacen("90.0,100.0", "90.0,x", 1), 5, "p50_ns");
        check(&text.replacen("screen,2", "screen,1", 1), 6, "second row");
        check(&text.replacen("vector", "<<<<<<< ours\nvector", 1), 5, "merge");
        // Cut off between two rows, where every line that is left is good.
        let lines: Vec<&str> = text.lines().take(7).collect();
        check(&format!("{}\n", lines.join("\n")), 7, "cut off");
        check(text.trim_end(), 10, "cut off");
        fs::write(&path, [text.as_bytes(), b"\n\xFF"].concat()).unwrap();
        assert!(
            load(folder.path(), &machine)
                .unwrap_err()
                .to_string()
                .contains(".csv:12: not text")
        );
        assert_eq!(load(&folder.path().join("none"), &machine).unwrap(), None);
    }

    #[test]
    fn the_machines_with_a_baseline_are_known() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(machines(&folder.path().join("none")).unwrap(), []);
        files::write(&path(folder.path(), &fingerprint()), render(&example()).as_bytes()).unwrap();
        files::write(&folder.path().join("README.md"), b"x").unwrap();
        files::write(&folder.path().join("damaged.csv"), b"x").unwrap();
        assert_eq!(machines(folder.path()).unwrap(), [(fingerprint().id(), fingerprint())]);
    }
}
