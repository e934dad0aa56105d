//! What can go wrong in an audit. A failure is never "clean": each of these ends with exit code 1 or 2.

use std::path::{Path, PathBuf};

use crate::lock::Lines;

/// Why an audit could not be done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[expect(missing_docs, reason = "fields are what the message shows")]
pub enum Error {
    /// A file or folder could not be read or written, or a program not started.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        action: &'static str,
        path: PathBuf,
        source: std::io::Error,
    },
    /// A path that does not exist, or is neither a manifest, nor a lock, nor a folder with them.
    #[error(
        "{path}: no manifest or lock here; give a folder with a Cargo.toml, a Cargo.toml, or a Cargo.lock with `--lock-only`"
    )]
    NoManifest { path: String },
    /// A TOML file that does not parse, or whose values are not what they should be.
    #[error("{file}:{line}: {what}")]
    Toml { file: String, line: usize, what: String },
    /// There is nothing to audit without a lock.
    #[error("{lock}: no such file, and an audit never creates one; `cargo generate-lockfile` does")]
    NoLock { lock: String },
    /// The lock is newer than this tool.
    #[error(
        "{lock}:{line}: lock format {found} is newer than {known}, the newest this tool reads; update the toolchain and this tool, or write the lock with an older cargo"
    )]
    LockTooNew {
        lock: String,
        line: usize,
        found: u32,
        known: u32,
    },
    /// An unfinished merge.
    #[error(
        "{lock}:{line}: merge marker `{marker}`; finish the merge, then `cargo update --workspace` repairs the lock"
    )]
    LockMergeMarker { lock: String, line: usize, marker: String },
    /// A lock without packages is a truncated one.
    #[error("{lock}: holds no package; restore it, or write it with `cargo generate-lockfile`")]
    LockEmpty { lock: String },
    /// Anything else wrong in a lock.
    #[error("{lock}:{line}: {what}")]
    Lock { lock: String, line: usize, what: String },
    /// A target that rustc does not know.
    #[error("`--target {target}`: rustc does not know it; `rustc --print target-list` lists those it does{}", from(.profile))]
    UnknownTarget { target: String, profile: Option<String> },
    /// A feature that no workspace member declares.
    #[error("`--features {feature}`: no member of the workspace declares it; declared: {known}{}", from(.profile))]
    UnknownFeature {
        feature: String,
        known: String,
        profile: Option<String>,
    },
    /// A profile that is neither configured nor of the form TARGETS:FEATURES.
    #[error(
        "`--profile {name}`: not configured in {manifest} under `[workspace.metadata.split-audit.profiles]`; configured: {known}; on the command line, write TARGETS:FEATURES"
    )]
    UnknownProfile {
        name: String,
        manifest: String,
        known: String,
    },
    /// Flags that do not go together, or a value that cannot be meant.
    #[error("`{flag}`: {what}")]
    Usage { flag: &'static str, what: String },
    /// A row of the data file, an exception or other configuration that makes no sense.
    #[error("{file}: {what}")]
    Config { file: String, what: String },
    /// Cargo ended with an error; its own words follow.
    #[error("`{command}` failed ({status}):\n{stderr}\nnothing was audited; {advice}")]
    Cargo {
        command: String,
        status: String,
        stderr: String,
        advice: String,
    },
    /// Cargo answered in a form that is not understood.
    #[error("`{command}`: unexpected output: {what}")]
    CargoOutput { command: String, what: String },
    /// Somebody else wrote the lock while a cure was being sought.
    #[error("{lock}: changed while the cure was being proven, nothing was written; run the command again")]
    LockChanged { lock: String },
    /// The lock was written, the last check failed, and the backup was put back.
    #[error("{lock}: the cured lock did not pass the final check, the original was restored: {why}")]
    Restored { lock: String, why: String },
}

fn from(profile: &Option<String>) -> String {
    profile
        .as_ref()
        .map(|name| format!(" (profile `{name}`)"))
        .unwrap_or_default()
}

impl Error {
    /// For `map_err`: an I/O error with what was being done to which path.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }

    /// A `toml` error with the line it is at.
    pub(crate) fn toml(file: &str, text: &str, error: &toml::de::Error) -> Self {
        let line = error
            .span()
            .map_or(1, |span| Lines::new(text).at(span.start.min(text.len())));
        Self::Toml {
            file: file.to_owned(),
            line,
            what: error.message().trim().replace('\n', ", "),
        }
    }

    /// Whether the mistake is in the command line: exit code 2 rather than 1.
    pub fn is_usage(&self) -> bool {
        matches!(
            self,
            Self::UnknownTarget { .. } | Self::UnknownFeature { .. } | Self::UnknownProfile { .. } | Self::Usage { .. }
        )
    }
}
