//! Modules of the tools import those before them in these lists and none behind.

#![allow(clippy::unwrap_used, reason = "tests have helpers")]

#[path = "../../tests/imports/layers.rs"]
mod layers;

use std::path::Path;

use layers::{Imports, read, wrong};

struct Crate {
    folder: &'static str,
    /// From the bottom to the top.
    modules: &'static [&'static str],
    /// Imports that still run up: a line here may go, and none may come.
    up: &'static [(&'static str, &'static str)],
}

const CRATES: &[Crate] = &[
    Crate {
        folder: "crates/bench-recorder",
        modules: &["bind", "wire", "subject", "inject", "record", "suite"],
        up: &[],
    },
    Crate {
        folder: "crates/bench-gate",
        modules: &[
            "error",
            "exit",
            "verdict",
            "stat",
            "binding",
            "interrupt",
            "lines",
            "criterion",
            "crossover",
            "tags",
            "files",
            "lock",
            "console",
            "progress",
            "assess",
            "record",
            "stored",
            "bisection",
            "gpu",
            "process",
            "measure",
            "project",
            "table",
            "figures",
            "html",
            "cli",
        ],
        up: &[],
    },
    Crate {
        folder: "crates/split-audit",
        modules: &[
            "lock",
            "error",
            "cfg",
            "profile",
            "requirement",
            "index",
            "interop",
            "graph",
            "source",
            "features",
            "api",
            "proof",
            "usage",
            "finding",
            "split",
            "cure",
            "family",
            "why",
            "blocker",
            "report",
            "activation",
            "baseline",
            "manifest",
            "config",
            "tree",
            "rustc",
            "command",
        ],
        up: &[("lock", "error"), ("finding", "split")],
    },
    Crate {
        folder: "xtask",
        modules: &[
            "error",
            "case",
            "verdict",
            "table",
            "rows",
            "shard",
            "quantile",
            "fingerprint",
            "curves",
            "history",
            "scan_file",
            "compare",
            "scan",
            "docs",
            "report",
            "noop",
            "run",
            "peers",
            "baseline",
            "judge",
            "merge",
            "ab",
            "host",
            "cmd",
            "cli",
        ],
        up: &[
            ("noop", "host"),
            ("ab", "host"),
            ("report", "noop"),
            ("report", "run"),
            ("cmd", "cli"),
        ],
    },
];

#[test]
fn imports_go_down() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for Crate { folder, modules, up } in CRATES {
        let mut imports = Imports::new();
        read(&root.join(folder).join("src"), None, &mut imports);
        // The programs themselves, and the file of unit tests.
        imports.retain(|module, _| !["main", "bin"].contains(&module.as_str()));
        for (from, to) in *up {
            let removed = imports.get_mut(*from).is_some_and(|imported| imported.remove(*to));
            assert!(
                removed,
                "{folder}: `{from}` no longer imports `{to}`: take the line away"
            );
        }
        let layers: Vec<(&str, &[&str])> = modules
            .iter()
            .map(|module| (*module, std::slice::from_ref(module)))
            .collect();
        let known: Vec<&str> = modules.to_vec();
        for imported in imports.values_mut() {
            // Types at the root of the crate are of no module.
            imported.retain(|other| known.contains(&other.as_str()));
        }
        let wrong = wrong(&layers, &imports);
        assert!(wrong.is_empty(), "{folder}:\n{}", wrong.join("\n"));
    }
}
