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

use crate::host::workspace;

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
