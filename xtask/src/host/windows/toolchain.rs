//! The compiler for Windows.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use cargo_metadata::Message;

use crate::{
    error::Error,
    host::{windows, workspace},
};

/// What Rust can be compiled for on Windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Abi {
    /// mingw's; links here, so that it can be run.
    Gnu,
    /// Microsoft's; without its linker and libraries it can only be checked.
    Msvc,
}

impl Abi {
    pub(crate) fn target(self) -> &'static str {
        match self {
            Self::Gnu => "x86_64-pc-windows-gnu",
            Self::Msvc => "x86_64-pc-windows-msvc",
        }
    }
}

/// A cargo that builds for Windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Toolchain {
    /// This is Windows: the cargo that runs us.
    Native,
    /// Debian's. It has no standard library for Windows but its sources, and builds it along.
    Debian,
}

const DEBIAN_CARGO: &str = "/usr/bin/cargo";
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";

/// A program that was built, and what of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Built {
    /// Folder of the package, from which its tests expect to be run.
    pub(crate) folder: PathBuf,
    /// The target's name: of a test file, a bench, an example; for unit tests the crate's.
    pub(crate) name: String,
    pub(crate) is_test: bool,
    pub(crate) path: PathBuf,
}

impl Toolchain {
    pub(crate) fn here() -> Self {
        if cfg!(windows) { Self::Native } else { Self::Debian }
    }

    /// The compiler's version.
    pub(crate) fn version(self) -> Result<String, Error> {
        let rustc = match self {
            Self::Native => "rustc",
            Self::Debian => DEBIAN_RUSTC,
        };
        let output = Command::new(rustc).arg("--version").output();
        let output = output.map_err(Error::io("run", Path::new(rustc)))?;
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// A cargo command; on Windows `abi` is whatever its toolchain has.
    pub(crate) fn cargo(self, abi: Abi, arguments: &[&str]) -> Command {
        let mut command = match self {
            Self::Native => {
                let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
                command.args(arguments).env("CARGO_TARGET_DIR", workspace::target());
                command
            }
            Self::Debian => {
                let mut command = Command::new(DEBIAN_CARGO);
                command
                    .args(arguments)
                    .args(["-Zbuild-std=std,panic_unwind", "--target", abi.target()]);
                command
                    // Else rustup's rustc answers, which has no sources of the standard library.
                    .env("RUSTC", DEBIAN_RUSTC)
                    .env("RUSTC_BOOTSTRAP", "1")
                    .env("CARGO_TARGET_DIR", windows::folder().join("build"))
                    // Nobody debugs these; without it linking takes a tenth of the space.
                    .env("CARGO_PROFILE_DEV_DEBUG", "0");
                // What the cargo that runs us has set for itself.
                for name in [
                    "CARGO",
                    "RUSTUP_TOOLCHAIN",
                    "LD_LIBRARY_PATH",
                    "RUSTFLAGS",
                    "RUSTC_WRAPPER",
                ] {
                    command.env_remove(name);
                }
                command
            }
        };
        command.arg("--locked").current_dir(workspace::root());
        command
    }

    /// Runs a cargo command and returns the programs it built.
    pub(crate) fn build(self, abi: Abi, arguments: &[&str]) -> Result<Vec<Built>, Error> {
        let mut child = self
            .cargo(abi, arguments)
            .arg("--message-format=json-render-diagnostics")
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| Error::Failed(format!("cannot run cargo: {error}")))?;
        let stdout = child.stdout.take().expect("standard output is piped");
        let mut built = Vec::new();
        for message in Message::parse_stream(std::io::BufReader::new(stdout)) {
            let message = message.map_err(|error| Error::Failed(format!("cannot read cargo's messages: {error}")))?;
            if let Message::CompilerArtifact(artifact) = message
                && let Some(path) = artifact.executable
            {
                let folder = artifact
                    .manifest_path
                    .parent()
                    .map(|folder| folder.to_owned().into_std_path_buf());
                built.push(Built {
                    folder: folder.unwrap_or_else(workspace::root),
                    name: artifact.target.name,
                    is_test: artifact.profile.test,
                    path: path.into_std_path_buf(),
                });
            }
        }
        let status = child
            .wait()
            .map_err(|error| Error::Failed(format!("cannot wait for cargo: {error}")))?;
        if status.success() {
            return Ok(built);
        }
        Err(Error::Failed(format!(
            "`cargo {}` for {} failed; cargo's message is above",
            arguments.join(" "),
            abi.target()
        )))
    }
}
