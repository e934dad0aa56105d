//! Windows programs, built and run where there is no Windows: Debian's compiler and mingw build them, Wine runs them, with
//! the pieces that Wine lacks. On Windows itself none of this is used.
//!
//! Everything but Debian's packages lies below `target/windows/`.

pub(crate) mod display;
pub(crate) mod passed;
pub(crate) mod piece;
pub(crate) mod prefix;
pub(crate) mod program;
pub(crate) mod toolchain;
pub(crate) mod wine;

use std::path::PathBuf;

use xshell::{Shell, cmd};

use crate::{
    error::Error,
    host::{machine, workspace},
};

/// Debian's packages of all this, beside those of the software adapters.
pub(crate) const PACKAGES: [&str; 7] = [
    "rustc-web",
    "cargo-web",
    "rust-web-src",
    "gcc-mingw-w64-x86-64",
    "wine",
    "wine64",
    "xvfb",
];

/// Where it all lies.
pub(crate) fn folder() -> PathBuf {
    workspace::target().join("windows")
}

/// What else of this machine a result under Wine may depend on: its processor, and Debian's packages below Wine.
pub(crate) fn below(sh: &Shell) -> Result<String, Error> {
    const PACKAGES: [&str; 6] = ["libc6", "libgl1-mesa-dri", "libllvm15", "libvulkan1", "libwine", "xvfb"];
    // A package that is not installed has no version, which is as good.
    let versions = cmd!(sh, "dpkg-query --show {PACKAGES...}")
        .quiet()
        .ignore_status()
        .ignore_stderr();
    let versions: Vec<String> = versions.read()?.lines().map(|line| line.replace('\t', " ")).collect();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    Ok(format!("{cores} of {}; {}", machine::cpu(sh), versions.join(", ")))
}
