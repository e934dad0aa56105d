//! What can go wrong before anything is measured, with the way out.

use std::path::{Path, PathBuf};

/// Why a revision could not be made ready to be measured.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or folder could not be read or written.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was being done.
        action: &'static str,
        /// To which file or folder.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A program did not start.
    #[error("cannot run `{program}`; is it installed and on the PATH?")]
    Start {
        /// Its name.
        program: String,
        /// The system's reason.
        source: std::io::Error,
    },
    /// git failed.
    #[error("`git {command}` failed in {}: {message}", folder.display())]
    Git {
        /// The arguments.
        command: String,
        /// Where it ran.
        folder: PathBuf,
        /// What it wrote to standard error.
        message: String,
    },
    /// The folder is in no git repository.
    #[error("{} is in no git repository, so there are no revisions to compare", .0.display())]
    NoRepository(PathBuf),
    /// No manifest was found.
    #[error("there is no Cargo.toml in {} or above it; go to the project, or name it with --manifest-path", .0.display())]
    NoProject(PathBuf),
    /// A revision names no commit.
    #[error("`{revision}` names no commit of the repository at {}, nor is it `worktree`{hint}", repository.display())]
    NoCommit {
        /// As it was asked for.
        revision: String,
        /// The repository's folder.
        repository: PathBuf,
        /// What may help, beginning with `; `; may be empty.
        hint: String,
    },
    /// Nothing says what to compare with.
    #[error("{0}")]
    NoBase(String),
    /// `good` is not before `bad`.
    #[error("{good} is not an ancestor of {bad}: the commits between them are not all that differs")]
    NoAncestor {
        /// The earlier one.
        good: String,
        /// The later one.
        bad: String,
    },
    /// The revision lacks something that the command line names.
    #[error("{revision} cannot be measured: {message}")]
    Lacks {
        /// As it was asked for.
        revision: String,
        /// What is missing, where, and the way out.
        message: String,
    },
    /// Cargo failed in the revision's tree.
    #[error("{revision} does not build: `{command}` failed in its package folder ({}); cargo's message is above{hint}", folder.display())]
    Build {
        /// As it was asked for.
        revision: String,
        /// The command as a person would type it.
        command: String,
        /// Where it ran.
        folder: PathBuf,
        /// What may help, beginning with `; `; may be empty.
        hint: String,
    },
    /// The settings in the manifest are wrong.
    #[error("{}: [workspace.metadata.bench-gate]: {message}", manifest.display())]
    Settings {
        /// The manifest.
        manifest: PathBuf,
        /// Setting and reason.
        message: String,
    },
    /// Another process holds the lock.
    #[error(transparent)]
    Lock(#[from] crate::Error),
    /// Somebody asked to stop.
    #[error("interrupted")]
    Interrupted,
}

impl Error {
    /// For `map_err`: an I/O error with what was being done to which path.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }

    /// Whether the command line is at fault, which a person must change.
    #[must_use]
    pub fn is_usage(&self) -> bool {
        matches!(
            self,
            Self::NoRepository(_)
                | Self::NoProject(_)
                | Self::NoCommit { .. }
                | Self::NoBase(_)
                | Self::NoAncestor { .. }
                | Self::Lacks { .. }
                | Self::Settings { .. }
        )
    }
}
