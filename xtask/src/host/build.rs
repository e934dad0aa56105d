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

impl Programs {
    /// Programs that were built elsewhere: the bench's path may have its revision behind an equals sign.
    pub(crate) fn elsewhere(bench: &Path, adapters: Option<&Path>) -> Result<Self, Error> {
        let bench = path_of(bench);
        let beside = bench.with_file_name(format!("adapters{}", std::env::consts::EXE_SUFFIX));
        let adapters = adapters.map_or(beside, Path::to_owned);
        for program in [&bench, &adapters] {
            if !program.is_file() {
                return Err(Error::Usage(format!(
                    "--program, --adapters: {} is no file",
                    program.display()
                )));
            }
        }
        let absolute = |path: &Path| std::path::absolute(path).map_err(Error::io("find", path));
        Ok(Self {
            bench: absolute(&bench)?,
            adapters: absolute(&adapters)?,
        })
    }
}

/// A path without the revision behind it.
pub(crate) fn path_of(program: &Path) -> PathBuf {
    let text = program.to_string_lossy();
    text.rsplit_once('=')
        .map_or_else(|| program.to_owned(), |(path, _)| PathBuf::from(path))
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
}

fn take(built: &mut Vec<Built>, name: &str) -> Result<PathBuf, Error> {
    let at = built.iter().position(|built| built.name == name);
    let missing = || Error::Failed(format!("cargo built no program `{name}`"));
    at.map(|at| built.swap_remove(at).path).ok_or_else(missing)
}

/// Builds the peers, in their own workspace.
pub(crate) fn peers() -> Result<PathBuf, Error> {
    let folder = workspace::root().join("benches/peers");
    take(
        &mut build(
            &folder,
            &workspace::target().join("peers"),
            &["build", "--release", "--locked"],
        )?,
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
        Err(Error::Failed(format!(
            "{} does not build; cargo's message is above",
            folder.display()
        )))
    }
}
