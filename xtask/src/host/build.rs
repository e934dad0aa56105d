//! Builds the library's programs, which this one runs but does not depend on.

use std::{
    path::PathBuf,
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
    let mut built = build(&["--bench", "executor", "--example", "adapters"])?;
    Ok(Programs {
        bench: take(&mut built, "executor")?,
        adapters: take(&mut built, "adapters")?,
    })
}

/// Builds the listing alone.
pub(crate) fn listing() -> Result<PathBuf, Error> {
    take(&mut build(&["--example", "adapters"])?, "adapters")
}

fn take(built: &mut Vec<(String, PathBuf)>, name: &str) -> Result<PathBuf, Error> {
    let at = built.iter().position(|(target, _)| target == name);
    let missing = || Error::Failed(format!("cargo built no program `{name}`"));
    at.map(|at| built.swap_remove(at).1).ok_or_else(missing)
}

fn build(targets: &[&str]) -> Result<Vec<(String, PathBuf)>, Error> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let root = workspace::root();
    let mut child = Command::new(&cargo)
        .current_dir(&root)
        .env("CARGO_TARGET_DIR", workspace::target())
        .args(["build", "--release", "--locked", "--package", "gpu-executor"])
        .args(targets)
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
            built.push((artifact.target.name, path.into_std_path_buf()));
        }
    }
    let status = child
        .wait()
        .map_err(|error| Error::Failed(format!("cannot wait for cargo: {error}")))?;
    if status.success() {
        Ok(built)
    } else {
        Err(Error::Failed(
            "the library does not build; cargo's message is above".to_owned(),
        ))
    }
}
