//! What can go wrong, said with the file, flag or program at fault and the way out.

use std::path::{Path, PathBuf};

/// Why a command could not do its work.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// A file or folder could not be read or written.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        action: &'static str,
        path: PathBuf,
        source: std::io::Error,
    },
    /// A file is not what it should be.
    #[error("{}:{line}: {message}", path.display())]
    Data { path: PathBuf, line: u64, message: String },
    /// A program that this one runs did not start or did not end with 0.
    #[error("{0}")]
    Command(#[from] xshell::Error),
    /// An audit of dependencies could not be done.
    #[error(transparent)]
    Audit(#[from] split_audit::Error),
    /// Anything that only its own words describe.
    #[error("{0}")]
    Failed(String),
    /// What was asked for cannot be, which a person must change.
    #[error("{0}")]
    Usage(String),
}

impl Error {
    /// For `map_err`: an I/O error with what was being done to which path.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }
}

impl From<bench_gate::project::Error> for Error {
    fn from(error: bench_gate::project::Error) -> Self {
        let text = bench_gate::error::with_sources(&error);
        if error.is_usage() {
            Self::Usage(text)
        } else {
            Self::Failed(text)
        }
    }
}

impl From<bench_gate::Error> for Error {
    fn from(error: bench_gate::Error) -> Self {
        use bench_gate::Error as Gate;
        match error {
            Gate::Io { action, path, source } => Self::Io { action, path, source },
            Gate::Data { path, line, message } => Self::Data { path, line, message },
            Gate::Failed(message) => Self::Failed(message),
            Gate::Usage(message) => Self::Usage(message),
        }
    }
}
