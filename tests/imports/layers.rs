//! Reads which modules of a crate import which, and compares that with layers.
//!
//! `xtask/tests/imports.rs` reads this file as well, for the other crates.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

/// Which modules import which, by `crate::` outside of tests, comments and documentation.
pub(crate) type Imports = BTreeMap<String, BTreeSet<String>>;

pub(crate) fn imports_of(text: &str) -> BTreeSet<String> {
    let code: String = text
        .split("#[cfg(test)]\nmod tests")
        .next()
        .unwrap()
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .flat_map(|line| [line, "\n"])
        .collect();
    let mut found = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        // `pub(in crate::hybrid)` says who may see something.
        if code[..at].ends_with("in ") || code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_') {
            continue;
        }
        let rest = &code[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            None => found.extend(name(rest)),
            Some(list) => {
                let (mut depth, mut is_begin) = (0, true);
                for (at, c) in list.char_indices() {
                    match c {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        ',' if depth == 0 => is_begin = true,
                        c if c.is_whitespace() => {}
                        _ if is_begin => {
                            is_begin = false;
                            found.extend(name(&list[at..]));
                        }
                        _ => {}
                    }
                }
            }
        }
    }
    found
}

fn name(text: &str) -> Option<String> {
    let name: String = text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    (!name.is_empty()).then_some(name)
}

pub(crate) fn read(folder: &Path, module: Option<&str>, imports: &mut Imports) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let module = module.unwrap_or(&stem);
        if path.is_dir() {
            read(&path, Some(module), imports);
        } else if stem != "lib" && stem != "tests" {
            let text = std::fs::read_to_string(&path).unwrap();
            let mut of_file = imports_of(&text);
            of_file.remove(module);
            imports.entry(module.to_owned()).or_default().extend(of_file);
        }
    }
}

/// The wrong imports, in words.
pub(crate) fn wrong(layers: &[(&str, &[&str])], imports: &Imports) -> Vec<String> {
    let layer = |module: &str| layers.iter().position(|(_, modules)| modules.contains(&module));
    let mut wrong = Vec::new();
    for (module, imported) in imports {
        let Some(from) = layer(module) else {
            wrong.push(format!("`{module}` is in no layer"));
            continue;
        };
        for other in imported {
            match layer(other) {
                None => wrong.push(format!("`{module}` imports `{other}`, which is in no layer")),
                Some(to) if to > from => wrong.push(format!(
                    "`{module}` ({}) imports `{other}` ({}), which is above it",
                    layers[from].0, layers[to].0
                )),
                Some(_) => {}
            }
        }
    }
    // What imports nothing that is left is taken away, until nothing is left but cycles.
    let mut left = imports.clone();
    loop {
        let names: BTreeSet<String> = left.keys().cloned().collect();
        let before = left.len();
        left.retain(|_, imported| imported.iter().any(|other| names.contains(other)));
        if left.len() == before {
            break;
        }
    }
    if !left.is_empty() {
        let names: Vec<_> = left.keys().map(String::as_str).collect();
        wrong.push(format!("a cycle: {}", names.join(", ")));
    }
    wrong
}
