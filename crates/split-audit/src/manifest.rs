//! Where a manifest declares a dependency, and how that line reads with another version.

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use crate::lock::Lines;

/// A line of a manifest, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// Counted from 1.
    pub(crate) number: usize,
    /// The whole line with the new version in it.
    pub(crate) rewritten: String,
    /// The whole manifest with that line.
    pub(crate) text: String,
}

/// The line that carries the version of a dependency, in any of the manifest's dependency tables.
///
/// Nothing where there is none: the dependency is inherited from the workspace, or has no version.
pub(crate) fn with_version(manifest: &str, dependency: &str, version: &str) -> Option<Line> {
    let table = DeTable::parse(manifest).ok()?;
    let span = version_span(table.get_ref(), dependency)?;
    let lines = Lines::new(manifest);
    let number = lines.at(span.start);
    let start = manifest[..span.start].rfind('\n').map_or(0, |at| at + 1);
    let end = manifest[span.end..]
        .find('\n')
        .map_or(manifest.len(), |at| span.end + at);
    let rewritten = format!(
        "{}\"{version}\"{}",
        &manifest[start..span.start],
        &manifest[span.end..end]
    );
    Some(Line {
        number,
        rewritten: rewritten.trim().to_owned(),
        text: format!("{}\"{version}\"{}", &manifest[..span.start], &manifest[span.end..]),
    })
}

/// Lines that are new in a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Patched {
    /// Each with its number.
    pub(crate) lines: Vec<(usize, String)>,
    /// The whole manifest with them.
    pub(crate) text: String,
}

/// The manifest with a patch of crates.io.
pub(crate) fn with_patch(manifest: &str, name: &str, specification: &str) -> Patched {
    const HEAD: &str = "[patch.crates-io]";
    let entry = format!("{name} = {specification}");
    let mut lines: Vec<&str> = manifest.lines().collect();
    let new: Vec<(usize, String)> = match lines.iter().position(|line| line.trim() == HEAD) {
        Some(at) => vec![(at + 2, entry)],
        None => {
            let end = lines.len();
            vec![(end + 1, String::new()), (end + 2, HEAD.to_owned()), (end + 3, entry)]
        }
    };
    for (number, line) in &new {
        lines.insert(number - 1, line);
    }
    Patched {
        text: lines.join("\n") + "\n",
        lines: new.iter().filter(|(_, line)| !line.is_empty()).cloned().collect(),
    }
}

/// A lock's `git+URL?rev=…#commit` as a manifest writes it: the same repository, and the same branch, tag or commit.
pub(crate) fn git_source(source: &str) -> Option<String> {
    let (address, commit) = source.strip_prefix("git+")?.split_once('#')?;
    let (url, query) = address.split_once('?').unwrap_or((address, ""));
    let kept = query
        .split_once('=')
        .filter(|(key, _)| ["rev", "branch", "tag"].contains(key));
    let (key, value) = kept.unwrap_or(("rev", commit));
    Some(format!("{{ git = \"{url}\", {key} = \"{value}\" }}"))
}

fn version_span(table: &DeTable<'_>, dependency: &str) -> Option<std::ops::Range<usize>> {
    for (key, value) in table {
        let DeValue::Table(inner) = value.get_ref() else {
            continue;
        };
        let found = if key.get_ref().ends_with("dependencies") {
            inner
                .iter()
                .find_map(|(name, value)| span_of(name.get_ref(), value, dependency))
        } else {
            // `[target.….dependencies]` and `[workspace.dependencies]`.
            version_span(inner, dependency)
        };
        if found.is_some() {
            return found;
        }
    }
    None
}

fn span_of(name: &str, value: &Spanned<DeValue<'_>>, dependency: &str) -> Option<std::ops::Range<usize>> {
    match value.get_ref() {
        DeValue::String(_) => (name == dependency).then(|| value.span()),
        DeValue::Table(table) => {
            let package = table.get("package").and_then(|p| p.get_ref().as_str());
            let version = table.get("version")?;
            (package.unwrap_or(name) == dependency).then(|| version.span())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_is_a_table_or_a_line_of_the_one_there_is() {
        let cases = [
            ("[package]\n", "[package]\n\n[patch.crates-io]\na = 1\n", vec![3, 4]),
            (
                "[patch.crates-io]\nb = 1\n[x]\n",
                "[patch.crates-io]\na = 1\nb = 1\n[x]\n",
                vec![2],
            ),
        ];
        for (text, expected, numbers) in cases {
            let patched = with_patch(text, "a", "1");
            assert_eq!(patched.text, expected);
            let lines: Vec<usize> = patched.lines.iter().map(|(number, _)| *number).collect();
            assert_eq!(lines, numbers);
            for (number, line) in &patched.lines {
                assert_eq!(patched.text.lines().nth(number - 1), Some(line.as_str()));
            }
        }
    }

    #[test]
    fn a_git_source_keeps_its_branch_tag_or_commit() {
        let cases = [
            (
                "git+https://h/r?rev=abc#abcdef",
                Some("{ git = \"https://h/r\", rev = \"abc\" }"),
            ),
            (
                "git+https://h/r?branch=b#abcdef",
                Some("{ git = \"https://h/r\", branch = \"b\" }"),
            ),
            (
                "git+https://h/r#abcdef",
                Some("{ git = \"https://h/r\", rev = \"abcdef\" }"),
            ),
            ("registry+https://h/r", None),
        ];
        for (source, expected) in cases {
            assert_eq!(git_source(source).as_deref(), expected, "{source}");
        }
    }

    #[test]
    fn a_dependency_is_found_however_it_is_written() {
        let cases = [
            ("[dependencies]\na = \"1\"\n", 2, "a = \"2.0\""),
            (
                "[target.'cfg(windows)'.dev-dependencies]\na = { version = \"=1\", features = [\"f\"] } # why\n",
                2,
                "a = { version = \"2.0\", features = [\"f\"] } # why",
            ),
            (
                "[dependencies]\nb = { version = '1', package = 'a' }",
                2,
                "b = { version = \"2.0\", package = 'a' }",
            ),
            (
                "[workspace.dependencies]\nb = '1'\n[workspace.dependencies.a]\nversion = '1'\n",
                4,
                "version = \"2.0\"",
            ),
        ];
        for (manifest, number, rewritten) in cases {
            let found = with_version(manifest, "a", "2.0").unwrap();
            assert_eq!(
                (found.number, found.rewritten.as_str()),
                (number, rewritten),
                "{manifest}"
            );
            assert_eq!(
                with_version(&found.text, "a", "2.0").unwrap().text,
                found.text,
                "{manifest}"
            );
        }
        for manifest in [
            "[dependencies]\na = { workspace = true }",
            "[features]\na = []",
            "not toml",
        ] {
            assert_eq!(with_version(manifest, "a", "2.0"), None, "{manifest}");
        }
    }
}
