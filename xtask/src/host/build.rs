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

/// Builds the peers, in their own workspace.
pub(crate) fn peers() -> Result<PathBuf, Error> {
    let folder = workspace::root().join("benches/peers");
    take(
        &mut cargo_build(&folder, &workspace::target().join("peers"), &[])?,
        "peers",
    )
}

/// Builds the CUDA program; the inner error says why there is none.
pub(crate) fn cuda() -> Result<Result<PathBuf, String>, Error> {
    let homes = ["CUDA_HOME", "CUDA_PATH"].into_iter().filter_map(std::env::var_os);
    let found = homes
        .map(|home| PathBuf::from(home).join("bin/nvcc"))
        .find(|nvcc| nvcc.is_file());
    let nvcc = found.unwrap_or_else(|| "nvcc".into());
    let is_there = Command::new(&nvcc)
        .arg("--version")
        .stdout(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !is_there {
        return Ok(Err("no nvcc, neither below CUDA_HOME nor on the PATH".to_owned()));
    }
    let program = workspace::target().join("peers/vector_add");
    let source = workspace::root().join("benches/peers/cuda/vector_add.cu");
    let status = Command::new(&nvcc)
        .args(["-O3", "-arch=native", "-cudart", "static", "-o"])
        .args([&program, &source])
        .status()
        .map_err(Error::io("run", &nvcc))?;
    if status.success() {
        Ok(Ok(program))
    } else {
        Err(Error::Failed(format!(
            "{} does not build; nvcc's message is above",
            source.display()
        )))
    }
}

fn build(targets: &[&str]) -> Result<Vec<(String, PathBuf)>, Error> {
    let arguments = [&["--package", "gpu-executor"], targets].concat();
    cargo_build(&workspace::root(), &workspace::target(), &arguments)
}

fn cargo_build(folder: &Path, target: &Path, arguments: &[&str]) -> Result<Vec<(String, PathBuf)>, Error> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut child = Command::new(&cargo)
        .current_dir(folder)
        .env("CARGO_TARGET_DIR", target)
        .args(["build", "--release", "--locked"])
        .args(arguments)
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
        Err(Error::Failed(format!(
            "{} does not build; cargo's message is above",
            folder.display()
        )))
    }
}
