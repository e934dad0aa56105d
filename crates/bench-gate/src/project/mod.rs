//! From a revision of any criterion project to the programs that `cargo bench` would run in it: built from the
//! revision's own files, with its own configuration and toolchain, to be started where and as cargo starts them.

mod build;
mod cargo;
mod cases;
mod environment;
mod error;
mod files;
mod git;
mod runner;
mod same;
mod selection;
mod share;
mod start;
mod store;
mod surroundings;
mod targets;
mod tree;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Command,
};

pub use build::Builder;
pub use cases::{Common, Listed, Pairs, Place, pair};
pub use environment::command as clean_command;
pub use error::Error;
pub use git::Repository;
pub use same::difference;
pub use selection::{Selection, Settings};
pub use start::note_if_runner;
pub use store::{CACHE_ENV, Store};

/// What names the work tree instead of a commit.
pub const WORKTREE: &str = "worktree";

/// A criterion project in the user's folders.
#[derive(Clone, Debug)]
pub struct Project {
    /// Folder of the manifest.
    folder: PathBuf,
    /// Folder of its workspace.
    workspace: PathBuf,
    /// Names of the packages of the folder.
    names: Vec<String>,
    repository: Repository,
    settings: Settings,
    /// The toolchain that rustup is told to use in the folder, whatever its files say.
    toolchain: Option<String>,
    /// This program, or another one that calls [`note_if_runner`] first.
    starter: PathBuf,
}

impl Project {
    /// The project of a manifest, or the one that the current folder lies in.
    ///
    /// # Errors
    /// There is no manifest or no repository, or cargo does not take the manifest.
    pub fn find(manifest: Option<&Path>) -> Result<Self, Error> {
        let manifest = match manifest {
            Some(manifest) => std::path::absolute(manifest).map_err(Error::io("find", manifest))?,
            None => above(&std::env::current_dir().map_err(Error::io("find", Path::new(".")))?)?,
        };
        let manifest = if manifest.is_dir() {
            manifest.join("Cargo.toml")
        } else {
            manifest
        };
        let real = manifest
            .canonicalize()
            .map_err(|_| Error::NoProject(manifest.clone()))?;
        let manifest = git::plain(real);
        let folder = manifest.parent().map(Path::to_owned).unwrap_or_default();
        let metadata = targets::metadata("the work tree", &manifest, None)?;
        let workspace = git::plain(metadata.workspace_root.clone().into_std_path_buf());
        let repository = Repository::around(&folder)?;
        if !workspace.starts_with(repository.top()) {
            return Err(Error::Lacks {
                revision: "the work tree".to_owned(),
                message: format!(
                    "its workspace ({}) lies outside of its repository ({}), so that a commit does not hold all of it",
                    workspace.display(),
                    repository.top().display()
                ),
            });
        }
        let of_folder = metadata
            .packages
            .iter()
            .filter(|package| package.manifest_path.as_std_path() == manifest);
        Ok(Self {
            names: of_folder.map(|package| package.name.to_string()).collect(),
            settings: Settings::read(&workspace.join("Cargo.toml"), &metadata)?,
            toolchain: overridden_toolchain(&folder),
            starter: std::env::current_exe().map_err(Error::io("find", Path::new("this program")))?,
            folder,
            workspace,
            repository,
        })
    }

    /// Its repository.
    #[must_use]
    pub fn repository(&self) -> &Repository {
        &self.repository
    }

    /// Folder of its manifest.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Folder of its workspace.
    #[must_use]
    pub fn workspace(&self) -> &Path {
        &self.workspace
    }

    /// `[workspace.metadata.bench-gate]`.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The target folder of the work tree, for reports: nothing is built in it.
    ///
    /// # Errors
    /// Cargo does not take the manifest any more.
    pub fn target(&self) -> Result<PathBuf, Error> {
        let metadata = targets::metadata("the work tree", &self.folder.join("Cargo.toml"), None)?;
        Ok(metadata.target_directory.into_std_path_buf())
    }

    /// The commit that a revision names; `worktree` names itself.
    ///
    /// # Errors
    /// [`Error::NoCommit`].
    pub fn resolve(&self, revision: &str) -> Result<String, Error> {
        if revision == WORKTREE {
            return Ok(WORKTREE.to_owned());
        }
        self.repository.resolve(revision)
    }
}

/// The nearest manifest in a folder or above it.
fn above(folder: &Path) -> Result<PathBuf, Error> {
    let mut manifests = folder.ancestors().map(|folder| folder.join("Cargo.toml"));
    manifests
        .find(|path| path.is_file())
        .ok_or_else(|| Error::NoProject(folder.to_owned()))
}

/// What `rustup override set` says of a folder. A tree elsewhere would not have it.
fn overridden_toolchain(folder: &Path) -> Option<String> {
    let mut command = environment::command("rustup");
    let output = command
        .current_dir(folder)
        .args(["show", "active-toolchain", "--verbose"])
        .output()
        .ok()?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    said.contains("directory override")
        .then(|| said.split_whitespace().next().map(str::to_owned))
        .flatten()
}

/// A revision, built. Its tree and its target folder stay as they are for as long as this exists.
#[derive(Debug)]
pub struct Built {
    /// As it was asked for.
    pub revision: String,
    /// The commit, or `worktree`.
    pub commit: String,
    /// Its criterion benches, by package and target.
    pub programs: Vec<Program>,
    /// What a person should know though it stops nothing, each a sentence.
    pub notes: Vec<String>,
    /// What was asked for by name and cannot be measured in it, with the reason.
    pub missing: BTreeMap<String, String>,
    /// What the compiler says of itself.
    pub compiler: String,
    /// The revision's folder, in which all of its paths lie.
    slot: PathBuf,
    /// The repository's top folder in it.
    top: PathBuf,
    /// The workspace in it.
    workspace: PathBuf,
    target: PathBuf,
    helpers: Vec<PathBuf>,
    out_dirs: Vec<PathBuf>,
    of_tree: Vec<PathBuf>,
    of_registries: Vec<PathBuf>,
    /// Whether it has packages by path that lie in its folder and outside of the workspace. Cargo hashes those by their
    /// whole path, so that no two trees have equal programs.
    has_outsiders: bool,
    _tree: tree::Tree,
}

/// Makes sure that each package and bench target that was asked for by name can be measured in one of the revisions at
/// least: a name that was mistyped would otherwise pass for ever.
///
/// # Errors
/// [`Error::Lacks`] with what there is.
pub fn names_are_known(built: &[&Built]) -> Result<(), Error> {
    let Some((first, others)) = built.split_first() else {
        return Ok(());
    };
    let in_all = |name: &&String| others.iter().all(|built| built.missing.contains_key(*name));
    let Some(name) = first.missing.keys().find(in_all) else {
        return Ok(());
    };
    let revisions: Vec<&str> = built.iter().map(|built| built.revision.as_str()).collect();
    // The last revision is what a person has before them.
    let why = &built[built.len() - 1].missing[name];
    Err(Error::Lacks {
        revision: name.clone(),
        message: format!("not in {}; {why}", revisions.join(" nor in ")),
    })
}

/// Makes sure that there is something to measure in one of the revisions at least.
///
/// # Errors
/// [`Error::Lacks`] with what was left out.
pub fn have_benches(built: &[&Built]) -> Result<(), Error> {
    names_are_known(built)?;
    let Some(last) = built
        .last()
        .filter(|_| built.iter().all(|built| built.programs.is_empty()))
    else {
        return Ok(());
    };
    let mut message = "no criterion bench is chosen (a bench target with `harness = false`)".to_owned();
    for note in &last.notes {
        message.push_str("; ");
        message.push_str(note);
    }
    message.push_str("; `--workspace` takes the benches of all members");
    let revisions: Vec<&str> = built.iter().map(|built| built.revision.as_str()).collect();
    Err(Error::Lacks {
        revision: revisions.join(" and "),
        message,
    })
}

impl Built {
    /// SHA-256 of each program.
    ///
    /// # Errors
    /// A program cannot be read.
    pub fn sums(&self) -> Result<Vec<String>, Error> {
        use sha2::Digest as _;
        let sum = |program: &Program| {
            let content = std::fs::read(&program.file).map_err(Error::io("read", &program.file))?;
            Ok(sha2::Sha256::digest(content)
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect())
        };
        self.programs.iter().map(sum).collect()
    }
}

/// A bench program of a revision, and how `cargo bench` starts it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Program {
    /// Its package.
    pub package: String,
    /// Its bench target.
    pub target: String,
    /// The executable.
    pub file: PathBuf,
    /// Its working folder: that of its package.
    pub folder: PathBuf,
    /// The runner that the project's configuration names, with its arguments; mostly empty.
    pub runner: Vec<String>,
    /// What cargo tells it, beside what it inherits.
    pub environment: BTreeMap<String, String>,
}

impl Program {
    /// A command that starts it as `cargo bench` would, without arguments.
    #[must_use]
    pub fn command(&self) -> Command {
        let mut command = match self.runner.split_first() {
            Some((runner, args)) => {
                let mut command = environment::command(runner);
                command.args(args).arg(&self.file);
                command
            }
            None => environment::command(&self.file),
        };
        command.current_dir(&self.folder).envs(&self.environment);
        command
    }
}
