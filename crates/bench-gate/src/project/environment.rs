//! The environment of git, cargo and bench programs: the user's, without what git, cargo and rustup set for
//! the process that started this one.

use std::{collections::BTreeSet, ffi::OsStr, process::Command, sync::OnceLock};

/// Variables that cargo sets for the programs it runs, and rustup for the tools it starts. Handed on, they would
/// give every revision the toolchain and the package of whoever started this process.
const INHERITED: [&str; 14] = [
    "CARGO",
    "CARGO_CRATE_NAME",
    "CARGO_MANIFEST_DIR",
    "CARGO_MANIFEST_LINKS",
    "CARGO_MANIFEST_PATH",
    "CARGO_PRIMARY_PACKAGE",
    "CARGO_RUSTC_CURRENT_DIR",
    "CARGO_TARGET_TMPDIR",
    "OUT_DIR",
    "RUST_RECURSION_COUNT",
    "RUSTUP_TOOLCHAIN",
    "RUSTUP_TOOLCHAIN_SOURCE",
    // What criterion's own runner hands to a bench.
    "CARGO_CRITERION_PORT",
    "CRITERION_HOME",
];
const INHERITED_PREFIXES: [&str; 2] = ["CARGO_PKG_", "CARGO_BIN_"];

/// Git's local variables where git cannot be asked. Inside a hook they name the user's index.
const GIT_LOCAL: [&str; 15] = [
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_CONFIG",
    "GIT_CONFIG_PARAMETERS",
    "GIT_CONFIG_COUNT",
    "GIT_OBJECT_DIRECTORY",
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_GRAFT_FILE",
    "GIT_INDEX_FILE",
    "GIT_NO_REPLACE_OBJECTS",
    "GIT_REPLACE_REF_BASE",
    "GIT_PREFIX",
    "GIT_SHALLOW_FILE",
    "GIT_COMMON_DIR",
];

/// The names of git's local variables, as this machine's git lists them, beside those known here.
fn git_local() -> &'static BTreeSet<String> {
    static NAMES: OnceLock<BTreeSet<String>> = OnceLock::new();
    NAMES.get_or_init(|| {
        let asked = Command::new("git").args(["rev-parse", "--local-env-vars"]).output();
        let listed = asked.map_or_else(
            |_| String::new(),
            |output| String::from_utf8_lossy(&output.stdout).into_owned(),
        );
        let names = listed.lines().map(str::trim).filter(|name| name.starts_with("GIT_"));
        names.chain(GIT_LOCAL).map(str::to_owned).collect()
    })
}

/// Whether a variable must not reach git, cargo or a bench program.
fn is_foreign(name: &str) -> bool {
    INHERITED.contains(&name)
        || INHERITED_PREFIXES.iter().any(|start| name.starts_with(start))
        || git_local().contains(name)
}

/// A command whose environment is the user's own.
#[must_use]
pub fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(is_foreign) {
            command.env_remove(name);
        }
    }
    command
}

/// Cargo, as the user's PATH has it. Under rustup that is the proxy, which takes the toolchain of the folder it runs
/// in; the `CARGO` variable names the cargo of one toolchain, and counts only where there is no other.
#[must_use]
pub(super) fn cargo() -> Command {
    static PROGRAM: OnceLock<std::ffi::OsString> = OnceLock::new();
    let program = PROGRAM.get_or_init(|| {
        let is_there = Command::new("cargo").arg("--version").output().is_ok();
        match std::env::var_os("CARGO") {
            Some(cargo) if !is_there => cargo,
            _ => "cargo".into(),
        }
    });
    command(program)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_of_git_cargo_and_rustup_are_foreign_and_the_users_are_not() {
        for name in GIT_LOCAL.iter().chain(&INHERITED) {
            assert!(is_foreign(name), "{name}");
        }
        for name in ["CARGO_PKG_NAME", "CARGO_BIN_EXE_tool", "CARGO_BIN_NAME"] {
            assert!(is_foreign(name), "{name}");
        }
        let users = [
            "PATH",
            "HOME",
            "RUSTFLAGS",
            "RUSTC_WRAPPER",
            "CARGO_HOME",
            "CARGO_PROFILE_BENCH_LTO",
            "CARGO_NET_OFFLINE",
            "CARGO_REGISTRIES_X_TOKEN",
            "CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_LINKER",
            "CARGO_ENCODED_RUSTFLAGS",
            "RUSTUP_HOME",
            "GIT_SSH_COMMAND",
            "GIT_AUTHOR_NAME",
            "GIT_ASKPASS",
        ];
        for name in users {
            assert!(!is_foreign(name), "{name}");
        }
    }
}
