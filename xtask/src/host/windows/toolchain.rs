//! The compiler for Windows.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use cargo_metadata::{Message, diagnostic::DiagnosticLevel};

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
const MINGW_CC: &str = "/usr/bin/x86_64-w64-mingw32-gcc";

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
                command.args(arguments).env("CARGO_TARGET_DIR", target());
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
                    .env("CARGO_TARGET_DIR", target())
                    // Nobody debugs or changes these: without all that, they take a tenth of the space and less time.
                    .env("CARGO_PROFILE_DEV_DEBUG", "0")
                    .env("CARGO_INCREMENTAL", "0");
                for option in ["gpu-executor.debug=0", "xtask.debug=0"] {
                    command.args(["--config", &format!("profile.dev.package.{option}")]);
                }
                if abi == Abi::Msvc {
                    // For the little C of dependencies, which is compiled even where nothing is linked.
                    command
                        .env("CC_x86_64_pc_windows_msvc", MINGW_CC)
                        .env("AR_x86_64_pc_windows_msvc", archiver());
                }
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

    /// Runs a cargo command, for which the compiler's warnings are errors, as they are where Windows is at hand.
    pub(crate) fn check(self, abi: Abi, arguments: &[&str]) -> Result<(), Error> {
        #[cfg(unix)]
        if abi == Abi::Msvc {
            const MINGW_AR: &str = "/usr/bin/x86_64-w64-mingw32-ar";
            let place = archiver();
            if !place.exists() {
                let folder = place.parent().expect("below a folder");
                std::fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
                std::os::unix::fs::symlink(MINGW_AR, &place).map_err(Error::io("create", &place))?;
            }
        }
        let mut warnings = 0;
        self.messages(abi, arguments, |message| {
            if let Message::CompilerMessage(message) = message {
                let message = message.message;
                if matches!(message.level, DiagnosticLevel::Warning) && message.code.is_some() {
                    warnings += 1;
                }
                if let Some(text) = message.rendered {
                    anstream::eprint!("{text}");
                }
            }
        })?;
        if warnings == 0 {
            return Ok(());
        }
        Err(Error::Failed(format!(
            "{warnings} warnings for {}, which are errors here; they are above",
            abi.target()
        )))
    }

    /// Runs a cargo command and returns the programs it built.
    pub(crate) fn build(self, abi: Abi, arguments: &[&str]) -> Result<Vec<Built>, Error> {
        let mut built = Vec::new();
        self.messages(abi, arguments, |message| match message {
            Message::CompilerArtifact(artifact) => {
                let folder = artifact.manifest_path.parent();
                let folder = folder.map(|folder| folder.to_owned().into_std_path_buf());
                if let Some(path) = artifact.executable {
                    built.push(Built {
                        folder: folder.unwrap_or_else(workspace::root),
                        name: artifact.target.name,
                        is_test: artifact.profile.test,
                        path: path.into_std_path_buf(),
                    });
                }
            }
            Message::CompilerMessage(message) => {
                if let Some(text) = message.message.rendered {
                    anstream::eprint!("{text}");
                }
            }
            _ => {}
        })?;
        Ok(built)
    }

    /// Runs a cargo command, and hands on each of its messages.
    fn messages(self, abi: Abi, arguments: &[&str], mut each: impl FnMut(Message)) -> Result<(), Error> {
        let mut child = self
            .cargo(abi, arguments)
            .arg("--message-format=json-diagnostic-rendered-ansi")
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| Error::Failed(format!("cannot run cargo: {error}")))?;
        let stdout = child.stdout.take().expect("standard output is piped");
        for message in Message::parse_stream(std::io::BufReader::new(stdout)) {
            each(message.map_err(|error| Error::Failed(format!("cannot read cargo's messages: {error}")))?);
        }
        let status = child
            .wait()
            .map_err(|error| Error::Failed(format!("cannot wait for cargo: {error}")))?;
        if status.success() {
            return Ok(());
        }
        Err(Error::Failed(format!(
            "`cargo {}` for {} failed; cargo's message is above",
            arguments.join(" "),
            abi.target()
        )))
    }
}

/// Where programs for Windows are built. On Windows as well this is not cargo's usual folder: the tests of a workspace come with xtask's
/// program, built anew as dependencies have more features then, and Windows replaces no program that runs, as this one does.
pub(crate) fn target() -> PathBuf {
    windows::folder().join("build")
}

/// mingw's archiver under the name by which crates that compile C know how to call it.
fn archiver() -> PathBuf {
    windows::folder().join("msvc/llvm-ar")
}
