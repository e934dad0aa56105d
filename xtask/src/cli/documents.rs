//! Commands that documents tell people to type exist, with every flag.

use std::{fs, path::PathBuf};

use clap::{Parser as _, error::ErrorKind};

use super::Cli;
use crate::host::workspace;

/// The documents that tell people what to type.
fn documents() -> Vec<PathBuf> {
    let root = workspace::root();
    let in_folder = |folder: &str| {
        let entries = fs::read_dir(root.join(folder)).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        paths
            .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
            .collect::<Vec<_>>()
    };
    let mut documents = in_folder("");
    documents.extend(in_folder("docs"));
    documents.push(root.join("baselines/README.md"));
    documents.push(root.join("tests/report-browser/README.md"));
    // What was once typed need not be there any more.
    documents.retain(|path| !path.ends_with("CHANGELOG.md"));
    documents.sort();
    documents
}

/// The commands of a document that begin with `program`: each up to the end of its line or of its backticks.
fn commands<'a>(text: &'a str, program: &'a str) -> impl Iterator<Item = (usize, &'a str)> {
    text.lines().enumerate().flat_map(move |(number, line)| {
        line.match_indices(program).map(move |(at, _)| {
            let rest = &line[at + program.len()..];
            let end = rest
                .find(['`', '#', '|', '>', ';', '&', ')', '…', ','])
                .unwrap_or(rest.len());
            // Two spaces begin the explanation beside a command.
            let command = rest[..end].split("  ").next().unwrap_or_default();
            (number + 1, command.trim_end_matches(['.', ':', ' ']))
        })
    })
}

#[test]
fn every_command_of_a_document_is_one() {
    let mut count = 0;
    for path in documents() {
        let text = fs::read_to_string(&path).unwrap();
        for (line, command) in commands(&text, "cargo xtask ") {
            // Asked for help behind all its flags, it reads these and does nothing.
            let words = command.split_whitespace().map(|word| word.trim_matches(['"', '\'']));
            let words: Vec<&str> = std::iter::once("cargo xtask").chain(words).collect();
            if words.len() == 1 || !words[1].starts_with(|c: char| c.is_ascii_lowercase()) {
                continue;
            }
            let parsed = Cli::try_parse_from(words.iter().copied().chain(["--help"]));
            let error = parsed.unwrap_err();
            assert_eq!(
                error.kind(),
                ErrorKind::DisplayHelp,
                "{}:{line}: cargo xtask {command}: {error}",
                path.display()
            );
            count += 1;
        }
    }
    assert!(count >= 30, "only {count} commands were found");
}

#[test]
fn every_example_of_a_document_is_one() {
    let root = workspace::root();
    let mut count = 0;
    for path in documents() {
        let text = fs::read_to_string(&path).unwrap();
        for (line, command) in commands(&text, "cargo run --release --example ") {
            let name = command.split_whitespace().next().unwrap_or_default();
            let places = [
                format!("examples/{name}.rs"),
                format!("examples/{name}/main.rs"),
                format!("examples/own-operator/examples/{name}.rs"),
            ];
            let exists = places.iter().any(|file| root.join(file).is_file());
            assert!(exists, "{}:{line}: there is no example `{name}`", path.display());
            count += 1;
        }
    }
    assert!(count >= 3, "only {count} examples were found");
}

#[test]
fn a_command_ends_where_its_line_or_its_quotation_does() {
    let check = |text: &str, expected: &str| {
        let found: Vec<&str> = commands(text, "cargo xtask ").map(|(_, command)| command).collect();
        assert_eq!(found, [expected], "{text}");
    };
    check("run `cargo xtask bench --quick`, then", "bench --quick");
    check("cargo xtask ci               # what must pass", "ci");
    check("  cargo xtask scan --op a   every one", "scan --op a");
    check("| `cargo xtask gate RUN` | again |", "gate RUN");
}
