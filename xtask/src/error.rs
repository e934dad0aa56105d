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
    /// A program that this one runs did not start or did not end with 0.
    #[error("{0}")]
    Command(#[from] xshell::Error),
    /// An audit of dependencies could not be done.
    #[error(transparent)]
    Audit(#[from] crate::audit::error::Error),
}

impl Error {
    /// For `map_err`: an I/O error with what was being done to which path.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io {
            action,
            path,
            source,
        }
    }

    /// Prints the error to standard error, coloured as cargo's are.
    #[expect(
        clippy::print_stderr,
        reason = "this is where errors leave the program"
    )]
    pub(crate) fn print(&self) {
        let style = clap_style_error();
        anstream::eprintln!("{style}error{style:#}: {self}");
    }
}

fn clap_style_error() -> anstyle::Style {
    anstyle::AnsiColor::Red.on_default().bold()
}
