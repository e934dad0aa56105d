//! Builds the library's programs, which this one runs but does not depend on.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use cargo_metadata::Message;

use crate::{error::Error, host::workspace};

/// The library's programs, built with optimisation.
#[derive(Debug)]
pub(crate) struct Programs {
    pub(crate) bench: PathBuf,
    pub(crate) adapters: PathBuf,
}

/// Builds bench and listing; cargo says what it does on standard error.
pub(crate) fn programs() -> Result<Programs, Error> {
    let mut built = own(&["--bench", "executor", "--example", "adapters"])?;
    Ok(Programs {
        bench: take(&mut built, "executor")?,
        adapters: take(&mut built, "adapters")?,
    })
}

/// Builds the listing alone.
pub(crate) fn listing() -> Result<PathBuf, Error> {
    take(&mut own(&["--example", "adapters"])?, "adapters")
}

/// A program that cargo built.
#[derive(Debug)]
pub(crate) struct Built {
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    pub(crate) is_bench: bool,
}

fn take(built: &mut Vec<Built>, name: &str) -> Result<PathBuf, Error> {
    let at = built.iter().position(|built| built.name == name);
    let missing = || Error::Failed(format!("cargo built no program `{name}`"));
    at.map(|at| built.swap_remove(at).path).ok_or_else(missing)
}

fn own(targets: &[&str]) -> Result<Vec<Built>, Error> {
    let args = [
        &["build", "--release", "--locked", "--package", "gpu-executor"],
        targets,
    ]
    .concat();
    build(&workspace::root(), &workspace::target(), &args)
}

/// Runs cargo in `folder`, and returns the programs it built.
pub(crate) fn build(folder: &Path, target: &Path, args: &[&str]) -> Result<Vec<Built>, Error> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut child = Command::new(&cargo)
        .current_dir(folder)
        .env("CARGO_TARGET_DIR", target)
        .args(args)
        .arg("--message-format=json-render-diagnostics")
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| Error::Failed(format!("cannot run cargo: {error}")))?;
    let stdout = child.stdout.take().expect("standard output is piped");
    let mut built = Vec::new();
    for message in Message::parse_stream(std::io::BufReader::new(stdout)) {
        if let Message::CompilerArtifact(artifact) =
            message.map_err(|error| Error::Failed(format!("cannot read cargo's messages: {error}")))?
            && let Some(path) = artifact.executable
        {
            built.push(Built {
                is_bench: artifact.target.is_bench(),
                name: artifact.target.name,
                path: path.into_std_path_buf(),
            });
        }
    }
    let status = child
        .wait()
        .map_err(|error| Error::Failed(format!("cannot wait for cargo: {error}")))?;
    if status.success() {
        Ok(built)
    } else {
        Err(Error::Failed("it does not build; cargo's message is above".to_owned()))
    }
}
