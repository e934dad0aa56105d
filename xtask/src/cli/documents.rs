//! Commands that documents tell people to type exist, with every flag; documents are short, and their lines are.

use std::{fs, path::PathBuf};

use clap::{Args as _, Command, CommandFactory as _, error::ErrorKind};

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

/// These, and what belongs to one crate.
fn documents_and_readmes() -> Vec<PathBuf> {
    let root = workspace::root();
    let of_crates = fs::read_dir(root.join("crates")).unwrap();
    let readmes = of_crates.map(|entry| entry.unwrap().path().join("README.md"));
    let readmes = readmes.chain([root.join("examples/own-operator/README.md")]);
    documents()
        .into_iter()
        .chain(readmes.filter(|path| path.is_file()))
        .collect()
}

/// The commands of a document that begin with `program`, with their lines: each up to the end of its line, or to the backtick that
/// ends it.
fn commands(text: &str, program: &str) -> Vec<(usize, String)> {
    let found = text.match_indices(program).map(|(at, _)| {
        let line = text[..at].matches('\n').count() + 1;
        let rest = &text[at + program.len()..];
        // Code within a sentence may go on in the next line.
        let end = match text[..at].ends_with('`') {
            true => rest.find(['`', '#', '|', '>', ';', '&', ')', '…', ',']),
            false => rest.find(['\n', '`', '#', '|', '>', ';', '&', ')', '…', ',']),
        };
        // Two spaces begin the explanation beside a command.
        let command = rest[..end.unwrap_or(rest.len())].split("  ").next().unwrap_or_default();
        (
            line,
            command.replace('\n', " ").trim_end_matches(['.', ':', ' ']).to_owned(),
        )
    });
    found.collect()
}

/// Every program that documents name, as the shell has it.
fn programs() -> [Command; 3] {
    let split_audit = Command::new("cargo split-audit");
    [
        Cli::command(),
        bench_gate::cli::command(),
        split_audit::Flags::augment_args(split_audit),
    ]
}

/// Whether these words are a command with its flags. Asked for help behind all of them, a program reads these and does nothing.
fn check(program: &Command, command: &str) -> Result<(), String> {
    let words = command.split_whitespace().map(|word| word.trim_matches(['"', '\'']));
    let words = std::iter::once(program.get_name()).chain(words).chain(["--help"]);
    match program.clone().try_get_matches_from(words) {
        Err(error) if error.kind() == ErrorKind::DisplayHelp => Ok(()),
        Err(error) => Err(error.to_string()),
        Ok(_) => Err("`--help` was taken for a value".to_owned()),
    }
}

#[test]
fn every_command_of_a_document_is_one() {
    for program in programs() {
        let name = format!("{} ", program.get_name());
        let mut count = 0;
        for path in documents_and_readmes() {
            let text = fs::read_to_string(&path).unwrap();
            for (line, command) in commands(&text, &name) {
                // "`cargo bench-gate` for any project" is prose behind the name.
                if !command.starts_with(|c: char| c.is_ascii_lowercase() || c == '-') {
                    continue;
                }
                if let Err(error) = check(&program, &command) {
                    panic!("{}:{line}: {name}{command}: {error}", path.display());
                }
                count += 1;
            }
        }
        assert!(count >= 2, "only {count} commands of {name}were found");
    }
}

#[test]
fn a_command_or_a_flag_that_is_none_is_found() {
    let [xtask, gate, audit] = programs();
    for (program, right, wrong) in [
        (&xtask, "bench --quick", "bench --fast"),
        (&xtask, "ab main HEAD", "compare-revisions main"),
        (&gate, "ab main", "ab --baseline x"),
        (&audit, "--fix", "--repair"),
    ] {
        assert_eq!(check(program, right), Ok(()));
        assert!(check(program, wrong).is_err(), "{wrong}");
    }
}

#[test]
fn rust_code_of_documents_is_compiled_and_run_by_the_librarys_doctests() {
    let root = workspace::root();
    let library = fs::read_to_string(root.join("src/lib.rs")).unwrap();
    for path in documents() {
        let name = path
            .strip_prefix(&root)
            .unwrap()
            .display()
            .to_string()
            .replace('\\', "/");
        if fs::read_to_string(&path).unwrap().contains("\n```rust") {
            let included = format!("include_str!(\"../{name}\")");
            assert!(library.contains(&included), "src/lib.rs does not have {included}");
        }
    }
}

/// How many lines a document has at the most.
fn max_lines(path: &std::path::Path) -> usize {
    match path.file_name().and_then(|name| name.to_str()) {
        Some("README.md") => 150,
        _ => 250,
    }
}

#[test]
fn documents_and_their_lines_are_short() {
    for path in documents_and_readmes() {
        let text = fs::read_to_string(&path).unwrap();
        let lines = text.lines().count();
        assert!(lines <= max_lines(&path), "{} has {lines} lines", path.display());
        // Tables, their markers, and the output of programs are as wide as they are.
        let mut is_output = false;
        for (number, line) in text.lines().enumerate() {
            is_output ^= line.trim_start().starts_with("```");
            let width = line.chars().count();
            assert!(
                width <= 100 || is_output || line.starts_with('|') || line.starts_with("<!-- "),
                "{}:{}: {width} columns",
                path.display(),
                number + 1
            );
        }
    }
}

#[test]
fn every_example_of_a_document_is_one() {
    let root = workspace::root();
    let mut count = 0;
    for path in documents_and_readmes() {
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
        let found: Vec<String> = commands(text, "cargo xtask ")
            .into_iter()
            .map(|(_, command)| command)
            .collect();
        assert_eq!(found, [expected], "{text}");
    };
    check("run `cargo xtask bench --quick`, then", "bench --quick");
    check("cargo xtask ci               # what must pass", "ci");
    check("  cargo xtask scan --op a   every one", "scan --op a");
    check("| `cargo xtask gate RUN` | again |", "gate RUN");
    check("see `cargo xtask bench\n--quick` there", "bench --quick");
}
