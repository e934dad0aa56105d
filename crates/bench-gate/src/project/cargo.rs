//! Runs cargo in a revision's tree, and collects what it built.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::BufReader,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use cargo_metadata::{Message, TargetKind, camino::Utf8PathBuf};

use super::{environment, error::Error};

/// Where cargo puts what is no result, if not into the target folder.
pub(super) const BUILD_DIR_ENV: &str = "CARGO_BUILD_BUILD_DIR";

/// What cargo built or found fresh.
#[derive(Debug, Default)]
pub(super) struct Artifacts {
    /// Bench programs by package id and target.
    pub(super) benches: BTreeMap<(String, String), PathBuf>,
    /// Programs and libraries of packages in the tree that a bench may start or load.
    pub(super) helpers: Vec<PathBuf>,
    /// `OUT_DIR` of packages in the tree, by package id.
    pub(super) out_dirs: Vec<PathBuf>,
    /// Files of any kind made from packages in the tree.
    pub(super) of_tree: Vec<PathBuf>,
    /// Manifests of packages that lie in folders of their own.
    pub(super) manifests: BTreeSet<PathBuf>,
    /// Files and `OUT_DIR`s of packages of registries and other repositories.
    pub(super) of_registries: Vec<PathBuf>,
}

/// Cargo in a folder, with the toolchain of that folder unless another one is asked for.
pub(super) fn command(folder: &Path, toolchain: Option<&str>) -> Command {
    let mut command = environment::cargo();
    command.current_dir(folder).stdin(Stdio::null());
    if let Some(toolchain) = toolchain {
        command.env("RUSTUP_TOOLCHAIN", toolchain);
    }
    command
}

/// Runs cargo to its end, or until `is_stopped`.
pub(super) fn run(mut command: Command, is_stopped: &dyn Fn() -> bool) -> Result<(ExitStatus, Artifacts), Error> {
    let start = |source| Error::Start {
        program: "cargo".to_owned(),
        source,
    };
    alone(&mut command);
    let mut child = command.stdout(Stdio::piped()).spawn().map_err(start)?;
    let stdout = child.stdout.take().expect("standard output is piped");
    // Read by a thread, so that an interruption is seen while cargo says nothing.
    let reader = std::thread::spawn(move || {
        let mut artifacts = Artifacts::default();
        for message in Message::parse_stream(BufReader::new(stdout)).map_while(Result::ok) {
            artifacts.take(message);
        }
        artifacts
    });
    let status = loop {
        match child.try_wait().map_err(start)? {
            Some(status) => break status,
            None if is_stopped() => {
                stop(&mut child);
                let _ = child.wait();
                return Err(Error::Interrupted);
            }
            None => std::thread::sleep(Duration::from_millis(20)),
        }
    };
    // A terminal interrupts cargo and this process at once, and cargo may be the first to end.
    if !status.success() && is_stopped() {
        return Err(Error::Interrupted);
    }
    let artifacts = reader.join().unwrap_or_default();
    Ok((status, artifacts))
}

/// Puts cargo and the compilers it starts into a group of processes that can be stopped together.
fn alone(command: &mut Command) {
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(command, 0);
    #[cfg(not(unix))]
    let _ = command;
}

fn stop(child: &mut Child) {
    #[cfg(unix)]
    if let Some(group) = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw) {
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::TERM);
        return;
    }
    let _ = child.kill();
}

impl Artifacts {
    fn take(&mut self, message: Message) {
        match message {
            Message::CompilerArtifact(artifact) => {
                let files = artifact.filenames.into_iter().map(Utf8PathBuf::into_std_path_buf);
                if !is_of_tree(&artifact.package_id.repr) {
                    self.of_registries.extend(files);
                    return;
                }
                self.manifests.insert(artifact.manifest_path.into_std_path_buf());
                let files: Vec<PathBuf> = files.collect();
                self.of_tree.extend(files.iter().cloned());
                let kind = &artifact.target.kind;
                let executable = artifact.executable.map(Utf8PathBuf::into_std_path_buf);
                if let Some(bench) = executable.clone().filter(|_| kind.contains(&TargetKind::Bench)) {
                    self.of_tree.push(bench.clone());
                    self.benches
                        .insert((artifact.package_id.repr, artifact.target.name), bench);
                } else if kind.contains(&TargetKind::Bin) {
                    self.helpers.extend(executable);
                } else if kind
                    .iter()
                    .any(|kind| matches!(kind, TargetKind::CDyLib | TargetKind::DyLib))
                {
                    self.helpers.extend(
                        files
                            .into_iter()
                            .filter(|file| file.extension().is_none_or(|e| e != "rlib" && e != "rmeta")),
                    );
                }
            }
            Message::BuildScriptExecuted(script) => {
                let folder = script.out_dir.into_std_path_buf();
                if is_of_tree(&script.package_id.repr) {
                    self.out_dirs.push(folder);
                } else {
                    self.of_registries.push(folder);
                }
            }
            _ => {}
        }
    }
}

/// Whether a package lies in a folder of its own rather than in cargo's copy of a registry or repository.
fn is_of_tree(package_id: &str) -> bool {
    package_id.contains("path+file:")
}

/// What cargo's compiler says of itself in a folder: version and host.
pub(super) fn compiler(folder: &Path, toolchain: Option<&str>) -> Result<String, Error> {
    let mut command = environment::command("rustc");
    if let Some(toolchain) = toolchain {
        command.env("RUSTUP_TOOLCHAIN", toolchain);
    }
    let output = command
        .current_dir(folder)
        .args(["--version", "--verbose"])
        .output()
        .map_err(|source| Error::Start {
            program: "rustc".to_owned(),
            source,
        })?;
    if !output.status.success() {
        let message = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(Error::Lacks {
            revision: folder.display().to_string(),
            message: format!("rustc does not run there: {message}"),
        });
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The host in what the compiler says of itself.
pub(super) fn host(compiler: &str) -> Option<&str> {
    compiler.lines().find_map(|line| line.strip_prefix("host: "))
}
