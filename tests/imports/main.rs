//! Modules of the library import those below them and none above, and no two import each other.

#![allow(clippy::unwrap_used, reason = "tests have helpers")]

mod layers;

use std::path::Path;

use layers::{Imports, imports_of, read, wrong};

/// The modules of `src/`, from the bottom to the top. Those of one layer may import each other, as
/// long as there is no cycle.
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
            "context_lock",
            "host",
            "mapped",
            "options",
            "own_device",
            "selection",
            "store",
            "tuning",
        ],
    ),
    ("what an operator is", &["task"]),
    ("device", &["gpu"]),
    ("executor", &["executor", "in_place", "pending", "resident"]),
    ("operators", &["op"]),
    ("router", &["hybrid"]),
    ("test kit", &["testkit"]),
];

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
