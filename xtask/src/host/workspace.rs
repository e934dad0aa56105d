//! Where things lie.

use std::path::PathBuf;

use bench_gate::files;

use crate::error::Error;

/// The root of the workspace.
pub(crate) fn root() -> PathBuf {
    // Cargo sets the variable when it runs this program; the other is for a program that was copied elsewhere and
    // back into its tree.
    let xtask =
        std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    xtask.parent().map_or_else(|| PathBuf::from("."), PathBuf::from)
}

/// Cargo's target folder.
pub(crate) fn target() -> PathBuf {
    let given = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    // Cargo takes a relative one from the folder it is called in.
    given
        .and_then(|path| std::path::absolute(path).ok())
        .unwrap_or_else(|| root().join("target"))
}

/// Where runs are kept.
pub(crate) fn runs() -> PathBuf {
    target().join("bench")
}

/// The latest run.
///
/// # Errors
/// [`Error::Usage`] if there is none.
pub(crate) fn latest_run() -> Result<PathBuf, Error> {
    let latest = runs().join("latest");
    match files::read(&latest) {
        Ok(text) => Ok(PathBuf::from(text.trim_end())),
        Err(_) => Err(Error::Usage(format!(
            "{} names no run: make one with `cargo xtask bench`, or name a folder",
            latest.display()
        ))),
    }
}

/// Where baselines are kept unless told otherwise.
pub(crate) fn baselines() -> PathBuf {
    root().join("baselines")
}
