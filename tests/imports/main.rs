//! Modules of the library import those below them and none above, and no two import each other.

#![allow(clippy::unwrap_used, reason = "tests have helpers")]

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

/// The modules of `src/`, from the bottom to the top. Those of one layer may import each other, as long as there is no cycle.
const LAYERS: &[(&str, &[&str])] = &[
    (
        "words",
        &["backend", "counters", "egl", "env", "no_egl", "phases", "plan"],
    ),
    ("errors", &["error"]),
    (
        "host and adapters",
        &[
            "adapter",
            "host",
            "mapped",
            "options",
            "own_device",
            "selection",
            "store",
            "tuning",
            "turns",
        ],
    ),
    ("what an operator is", &["task"]),
    ("device", &["gpu"]),
    ("executor", &["executor", "in_place", "pending", "resident"]),
    ("operators", &["op"]),
    ("router", &["hybrid"]),
    ("test kit", &["testkit"]),
];

/// Which modules import which, by `crate::` in what is not a test, a comment or documentation.
type Imports = BTreeMap<String, BTreeSet<String>>;

fn imports_of(text: &str) -> BTreeSet<String> {
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

fn read(folder: &Path, module: Option<&str>, imports: &mut Imports) {
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

/// What is wrong with the imports.
fn wrong(layers: &[(&str, &[&str])], imports: &Imports) -> Vec<String> {
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

#[test]
fn imports_go_down() {
    let mut imports = Imports::new();
    read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), None, &mut imports);
    assert!(imports["hybrid"].contains("executor"), "imports are found: {imports:?}");
    let wrong = wrong(LAYERS, &imports);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn an_import_that_goes_up_and_a_cycle_are_told() {
    let layers: &[(&str, &[&str])] = &[("low", &["a", "b"]), ("high", &["c", "d"])];
    let check = |imports: &[(&str, &str)], expected: &[&str]| {
        let imports = imports
            .iter()
            .map(|(module, text)| ((*module).to_owned(), imports_of(text)));
        assert_eq!(wrong(layers, &imports.collect()), expected);
    };
    check(
        &[
            ("a", ""),
            ("b", "use crate::a::X;"),
            ("c", "use crate::{a::{self, X}, b, d};"),
            ("d", ""),
        ],
        &[],
    );
    check(
        &[("a", "use crate::c;"), ("c", "")],
        &["`a` (low) imports `c` (high), which is above it"],
    );
    check(
        &[("a", "use crate::b;"), ("b", "fn f() { crate::a::f() }")],
        &["a cycle: a, b"],
    );
    check(
        &[
            ("a", "use crate::{\n    b::{X, Y},\n    e,\n};"),
            ("b", "//! crate::a\n// use crate::a;\npub(in crate::a) fn f() {}"),
        ],
        &["`a` imports `e`, which is in no layer"],
    );
    check(
        &[("a", "fn f() {}\n#[cfg(test)]\nmod tests {\n    use crate::c;\n}")],
        &[],
    );
    check(&[("e", "")], &["`e` is in no layer"]);
}
