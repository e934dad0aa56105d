//! Runs cargo and rustc for an audit, always from the workspace's root, where their configuration is.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    path::{Path, PathBuf},
    process::Command,
    str::FromStr as _,
    sync::atomic::{AtomicUsize, Ordering},
};

use cargo_metadata::{Metadata, MetadataCommand};
use cargo_platform::Cfg;

use crate::{
    error::Error,
    profile::{Features, Profile},
    tree,
};

/// What each target's `cfg` values are.
pub(super) type Cfgs = BTreeMap<String, Vec<Cfg>>;

/// The cargo that runs this program, in one workspace.
#[derive(Debug)]
pub(super) struct Cargo {
    program: OsString,
    /// The root of the audited workspace. Shadow copies are resolved from here too, with `--manifest-path`, because
    /// cargo looks for `.cargo/config.toml` from where it is started.
    folder: PathBuf,
    is_offline: bool,
}

impl Cargo {
    pub(super) fn new(folder: &Path, is_offline: bool) -> Self {
        Self {
            program: std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()),
            folder: folder.to_owned(),
            is_offline,
        }
    }

    /// The manifest of the workspace that a manifest belongs to.
    pub(super) fn workspace_root(&self, manifest: &Path) -> Result<PathBuf, Error> {
        let mut command = self.command("locate-project", manifest);
        command.args(["--workspace", "--message-format", "plain"]);
        Ok(PathBuf::from(text(&mut command)?.trim_end()))
    }

    /// Cargo's resolution of the workspace, for these targets together.
    pub(super) fn metadata(
        &self,
        manifest: &Path,
        features: &Features,
        targets: &[String],
        is_locked: bool,
    ) -> Result<Metadata, Error> {
        let mut options = features.flags();
        options.extend(is_locked.then(|| "--locked".to_owned()));
        for target in targets {
            options.extend(["--filter-platform".to_owned(), target.clone()]);
        }
        self.run_metadata(manifest, options)
    }

    /// The members alone: works where the dependencies cannot be had.
    pub(super) fn members(&self, manifest: &Path) -> Result<Metadata, Error> {
        self.run_metadata(manifest, vec!["--no-deps".to_owned()])
    }

    /// Left to `cargo_metadata` as a whole: what it parses itself is compiled beside this crate instead of in it.
    fn run_metadata(&self, manifest: &Path, mut options: Vec<String>) -> Result<Metadata, Error> {
        options.extend(self.is_offline.then(|| "--offline".to_owned()));
        let mut command = MetadataCommand::new();
        command.cargo_path(&self.program).current_dir(&self.folder);
        command.manifest_path(manifest).other_options(options);
        command.exec().map_err(|error| {
            let command = command.cargo_command();
            match error {
                cargo_metadata::Error::CargoMetadata { stderr } => failed(&command, "error", &stderr),
                other => unexpected(&command, &other.to_string()),
            }
        })
    }

    /// What is really built for one target.
    pub(super) fn tree(&self, manifest: &Path, profile: &Profile, target: &str) -> Result<tree::Tree, Error> {
        let mut command = self.command("tree", manifest);
        command.args(["--locked", "--workspace", "--target", target]);
        command.args(["--prefix", "depth", "--format", tree::FORMAT]);
        command.args(profile.features.flags());
        if !profile.dev {
            command.args(["--edges", "no-dev"]);
        }
        let output = text(&mut command)?;
        tree::Tree::parse(&output).map_err(|line| unexpected(&command, &format!("the line `{line}`")))
    }

    /// Moves one package of the lock. That it returns says nothing about where the package landed.
    pub(super) fn update_precise(&self, manifest: &Path, package: &str, to: &str) -> Result<(), Error> {
        let mut command = self.command("update", manifest);
        command.args(["--quiet", "--package", package, "--precise", to]);
        let Err(error) = output(&mut command) else {
            return Ok(());
        };
        // Without network, what has been downloaded before may still do.
        command.arg("--offline");
        output(&mut command).map(|_| ()).map_err(|_| error)
    }

    /// Resolves one package of the lock anew.
    pub(super) fn update(&self, manifest: &Path, package: &str) -> Result<(), Error> {
        let mut command = self.command("update", manifest);
        command.args(["--quiet", "--package", package]);
        output(&mut command).map(|_| ())
    }

    /// Has cargo fetch what the registry's index now says of a crate. Returns whether it could.
    pub(super) fn refresh_index(&self, name: &str) -> bool {
        let mut command = Command::new(&self.program);
        command.current_dir(&self.folder).args(["info", "--quiet"]);
        command.args(self.is_offline.then_some("--offline"));
        command.arg(name);
        output(&mut command).is_ok()
    }

    fn command(&self, verb: &str, manifest: &Path) -> Command {
        let mut command = Command::new(&self.program);
        command.current_dir(&self.folder).arg(verb);
        command.arg("--manifest-path").arg(manifest);
        command.args(self.is_offline.then_some("--offline"));
        command
    }

    /// `build.target` of the environment or of the configuration files from the workspace upwards, as cargo reads them.
    pub(super) fn build_targets(&self) -> Result<Vec<String>, Error> {
        if let Ok(target) = std::env::var("CARGO_BUILD_TARGET") {
            return Ok(vec![target]);
        }
        let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
        let home = home.or_else(|| Some(std::env::home_dir()?.join(".cargo")));
        let folders = self.folder.ancestors().map(|folder| folder.join(".cargo"));
        for folder in folders.chain(home) {
            let files = ["config", "config.toml"].map(|name| folder.join(name));
            let Some(file) = files.iter().find(|file| file.is_file()) else {
                continue;
            };
            let text = std::fs::read_to_string(file).map_err(Error::io("read", file))?;
            let table: toml::Table =
                toml::from_str(&text).map_err(|error| Error::toml(&file.display().to_string(), &text, &error))?;
            let words = |value: &toml::Value| -> Vec<String> {
                match value {
                    toml::Value::String(target) => vec![target.clone()],
                    toml::Value::Array(list) => list.iter().filter_map(|v| v.as_str().map(str::to_owned)).collect(),
                    _ => Vec::new(),
                }
            };
            if let Some(targets) = table.get("build").and_then(|build| build.get("target")) {
                // A JSON file is a target specification, of which `cargo metadata` knows nothing.
                return Ok(words(targets).into_iter().filter(|t| !t.ends_with(".json")).collect());
            }
        }
        Ok(Vec::new())
    }

    /// The target rustc builds for by default.
    pub(super) fn host(&self) -> Result<String, Error> {
        let mut command = self.rustc();
        command.arg("-vV");
        let output = text(&mut command)?;
        let host = output.lines().find_map(|line| line.strip_prefix("host: "));
        host.map(str::to_owned)
            .ok_or_else(|| unexpected(&command, "no line `host: `"))
    }

    /// The `cfg` values of every target.
    pub(super) fn cfgs(&self, profiles: &[Profile]) -> Result<Cfgs, Error> {
        let mut wanted: Vec<(&String, &Profile)> = Vec::new();
        for profile in profiles {
            for target in &profile.targets {
                if !wanted.iter().any(|(known, _)| *known == target) {
                    wanted.push((target, profile));
                }
            }
        }
        in_parallel(&wanted, |(target, profile)| {
            Ok(((*target).clone(), self.cfg(target, profile)?))
        })
        .into_iter()
        .collect()
    }

    fn cfg(&self, target: &str, profile: &Profile) -> Result<Vec<Cfg>, Error> {
        let mut command = self.rustc();
        command.args(["--print", "cfg", "--target", target]);
        let printed = match text(&mut command) {
            Ok(printed) => printed,
            Err(error) => {
                let mut list = self.rustc();
                list.args(["--print", "target-list"]);
                let is_known = text(&mut list)?.lines().any(|line| line == target);
                return Err(if is_known {
                    error
                } else {
                    Error::UnknownTarget {
                        target: target.to_owned(),
                        profile: Some(profile.name.clone()).filter(|name| !name.is_empty()),
                    }
                });
            }
        };
        let cfgs: Result<Vec<Cfg>, _> = printed.lines().map(Cfg::from_str).collect();
        cfgs.map_err(|error| unexpected(&command, &error.to_string()))
    }

    fn rustc(&self) -> Command {
        let mut command = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
        command.current_dir(&self.folder);
        command
    }
}

fn text(command: &mut Command) -> Result<String, Error> {
    let output = output(command)?;
    String::from_utf8(output).map_err(|error| unexpected(command, &error.to_string()))
}

fn output(command: &mut Command) -> Result<Vec<u8>, Error> {
    let program = PathBuf::from(command.get_program());
    let output = command.output().map_err(Error::io("run", &program))?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    Err(failed(command, &output.status.to_string(), &stderr))
}

fn failed(command: &Command, status: &str, stderr: &str) -> Error {
    let lines = stderr.trim_end().lines().map(|line| format!("  {line}"));
    Error::Cargo {
        command: shown(command),
        status: status.to_owned(),
        stderr: lines.collect::<Vec<String>>().join("\n"),
        advice: if stderr.contains("points to the same source") {
            "a `[patch.crates-io]` entry brings another source, never another version, so cargo refuses it; remove it, and \
             choose the version in the lock: `cargo update -p NAME@OLD --precise NEW`, or `NAME = \"=NEW\"` under \
             `[dependencies]`"
        } else {
            "where crates or git dependencies cannot be had, `--lock-only` reads the lock alone (over-approximate)"
        }
        .to_owned(),
    }
}

fn unexpected(command: &Command, what: &str) -> Error {
    Error::CargoOutput {
        command: shown(command),
        what: what.to_owned(),
    }
}

/// The command as a person would type it.
fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let name = program.file_stem().unwrap_or(program.as_os_str());
    let words = std::iter::once(name).chain(command.get_args());
    let words: Vec<_> = words.map(|word| word.to_string_lossy()).collect();
    words.join(" ")
}

/// Runs a function over items on as many threads as there are cores; results in the order of the items.
pub(super) fn in_parallel<I: Sync, T: Send>(items: &[I], run: impl Fn(&I) -> T + Sync) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let n_threads = std::thread::available_parallelism().map_or(2, usize::from);
    let work = || {
        let mut done = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(index) else {
                return done;
            };
            done.push((index, run(item)));
        }
    };
    let mut results: Vec<(usize, T)> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..n_threads.min(items.len())).map(|_| scope.spawn(work)).collect();
        let joined = threads
            .into_iter()
            .map(|thread| thread.join().expect("workers do not panic"));
        joined.flatten().collect()
    });
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}
