//! Builds revisions one after the other: each in a tree and a target folder of its own, the dependencies of the
//! first one spared to the others.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use super::{
    Built, Program, Project, WORKTREE,
    cargo::{self, Artifacts, BUILD_DIR_ENV},
    error::Error,
    files, git, runner,
    selection::Selection,
    share,
    start::{self, ARGUMENT},
    store::{Slot, Store},
    surroundings,
    targets::{self, Targets},
    tree::Tree,
};

const LOCK: &str = "Cargo.lock";

/// What the first revision leaves to the others.
#[derive(Debug)]
struct First {
    target: PathBuf,
    of_registries: Vec<PathBuf>,
    lock: PathBuf,
}

/// Builds the revisions of a comparison.
pub struct Builder<'a> {
    project: &'a Project,
    store: &'a Store,
    selection: &'a Selection,
    is_stopped: &'a dyn Fn() -> bool,
    first: Option<First>,
}

impl std::fmt::Debug for Builder<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Builder")
            .field("project", self.project)
            .field("selection", self.selection)
            .finish_non_exhaustive()
    }
}

impl<'a> Builder<'a> {
    /// Builds what is selected, until `is_stopped`.
    #[must_use]
    pub fn new(
        project: &'a Project,
        store: &'a Store,
        selection: &'a Selection,
        is_stopped: &'a dyn Fn() -> bool,
    ) -> Self {
        Self {
            project,
            store,
            selection,
            is_stopped,
            first: None,
        }
    }

    /// Has a revision's programs built. Cargo says on standard error what it does.
    ///
    /// # Errors
    /// The revision lacks what is asked for, does not build, or somebody asked to stop.
    pub fn build(&mut self, revision: &str) -> Result<Built, Error> {
        let project = self.project;
        let commit = project.resolve(revision)?;
        let top = project.repository.top();
        let slot = self.slot(&commit)?;
        let tree = Tree::prepare(&project.repository, revision, &commit, &slot.tree)?;
        self.carry(&slot.tree)?;
        surroundings::copy_configuration(top, &slot.surroundings, &slot.tree)?;
        let manifests = manifests(&slot.tree)?;
        let outside = surroundings::link_outside(revision, top, &slot.surroundings, &slot.tree, &manifests)?;
        let mut notes: Vec<String> = outside
            .iter()
            .map(|path| {
                format!(
                    "{} lies outside of the repository: every revision uses it as it is now",
                    path.display()
                )
            })
            .collect();
        let within = project.folder.strip_prefix(top).unwrap_or(Path::new(""));
        let named = if self.selection.packages.is_empty() {
            &project.names
        } else {
            &self.selection.packages
        };
        let manifest = targets::manifest(revision, &slot.tree, within, named, &manifests)?;
        let folder = manifest.parent().map(Path::to_owned).unwrap_or_default();
        let toolchain = self.selection.toolchain.as_deref().or(project.toolchain.as_deref());
        let metadata = targets::metadata(revision, &manifest, toolchain)?;
        let workspace = git::plain(metadata.workspace_root.clone().into_std_path_buf());
        let targets = Targets::of(revision, &metadata, &folder, self.selection)?;
        notes.extend(targets.left_out.iter().cloned());
        self.lend_lock(&workspace)?;
        let compiler = cargo::compiler(&folder, toolchain)?;
        let before = fs::read(workspace.join(LOCK)).ok();
        let mut built = Built {
            revision: revision.to_owned(),
            commit,
            programs: Vec::new(),
            notes,
            missing: targets.missing.clone(),
            compiler,
            slot: slot.folder.clone(),
            top: slot.tree.clone(),
            workspace,
            target: slot.target.clone(),
            helpers: Vec::new(),
            out_dirs: Vec::new(),
            of_tree: Vec::new(),
            of_registries: Vec::new(),
            has_outsiders: false,
            _tree: tree,
        };
        if !targets.wanted.is_empty() {
            self.run(&mut built, &slot, &folder, &targets, toolchain)?;
            let after = fs::read(built.workspace.join(LOCK)).ok();
            if before.is_some() && before != after {
                built.notes.push(format!(
                    "the Cargo.lock of {revision} does not fit its Cargo.toml; cargo completed it, as `cargo bench` would"
                ));
            }
        }
        Ok(built)
    }

    fn slot(&self, commit: &str) -> Result<Slot, Error> {
        let top = self.project.repository.top();
        let selection = format!("{:?}", self.selection);
        let folder = self.project.folder.to_string_lossy();
        let within_store = self.store.folder();
        if within_store.starts_with(top) {
            return Err(Error::Lacks {
                revision: "the cache folder".to_owned(),
                message: format!(
                    "{} lies in the project, whose configuration would reach the other revision; set {} to another folder",
                    within_store.display(),
                    super::CACHE_ENV
                ),
            });
        }
        self.store
            .slot(&[commit, &folder, &selection], &surroundings::place(top))
    }

    /// Copies what git ignores and benches read.
    fn carry(&self, tree: &Path) -> Result<(), Error> {
        let top = self.project.repository.top();
        let mut open: Vec<PathBuf> = self.project.settings.carry.iter().map(PathBuf::from).collect();
        while let Some(place) = open.pop() {
            let from = top.join(&place);
            if from.is_dir() && !from.is_symlink() {
                for entry in fs::read_dir(&from).map_err(Error::io("read", &from))? {
                    open.push(place.join(entry.map_err(Error::io("read", &from))?.file_name()));
                }
            } else if from.symlink_metadata().is_ok() {
                files::renew(&from, &tree.join(&place))?;
            } else {
                return Err(Error::Settings {
                    manifest: self.project.workspace.join("Cargo.toml"),
                    message: format!("carry: there is no {}", from.display()),
                });
            }
        }
        Ok(())
    }

    /// Gives a revision without a lock that of the work tree, or of the revision built first, so that dependencies
    /// are the same.
    fn lend_lock(&self, workspace: &Path) -> Result<(), Error> {
        let lock = workspace.join(LOCK);
        if lock.exists() {
            return Ok(());
        }
        let users = self.project.workspace.join(LOCK);
        let of_first = self.first.as_ref().map(|first| first.lock.clone());
        let lent = Some(users).into_iter().chain(of_first).find(|path| path.is_file());
        match lent {
            Some(lent) => files::renew(&lent, &lock),
            None => Ok(()),
        }
    }

    fn run(
        &mut self,
        built: &mut Built,
        slot: &Slot,
        folder: &Path,
        targets: &Targets,
        toolchain: Option<&str>,
    ) -> Result<(), Error> {
        if let Some(first) = self.first.as_ref().filter(|_| !slot.target.exists()) {
            share::copy(&first.of_registries, &first.target, &slot.target)?;
        }
        let starts = tempfile::tempdir().map_err(Error::io("create a folder in", &std::env::temp_dir()))?;
        let args = self.arguments(targets);
        let triples = triples(folder, &built.compiler);
        let mut command = cargo::command(folder, toolchain);
        command
            .args(&args)
            .args(["--no-fail-fast", "--message-format", "json-render-diagnostics"]);
        command
            .arg("--target-dir")
            .arg(&slot.target)
            .env(BUILD_DIR_ENV, &slot.target);
        let runner = [
            &self.project.starter.to_string_lossy(),
            ARGUMENT,
            &starts.path().to_string_lossy(),
        ]
        .map(|word| toml::Value::String(word.to_owned()));
        for triple in &triples {
            command.arg("--config").arg(format!(
                "target.{triple}.runner={}",
                toml::Value::Array(runner.to_vec())
            ));
        }
        let (status, artifacts) = cargo::run(command, self.is_stopped)?;
        if !status.success() {
            return Err(self.unbuilt(built, folder, &args));
        }
        let (runner, note) = runner::configured(folder, triples.last().map_or("", String::as_str));
        built.notes.extend(note);
        let names = &targets.packages;
        built.programs = programs(&artifacts, &start::read(starts.path())?, names, &runner);
        built.programs.retain(|program| {
            targets
                .wanted
                .contains(&(program.package.clone(), program.target.clone()))
        });
        let Artifacts {
            helpers,
            out_dirs,
            of_tree,
            of_registries,
            manifests,
            ..
        } = artifacts;
        let is_outsider = |path: &PathBuf| path.starts_with(&built.slot) && !path.starts_with(&built.workspace);
        built.has_outsiders = manifests.iter().any(is_outsider);
        (built.helpers, built.out_dirs, built.of_tree, built.of_registries) =
            (helpers, out_dirs, of_tree, of_registries);
        self.first.get_or_insert_with(|| First {
            target: built.target.clone(),
            of_registries: built.of_registries.clone(),
            lock: built.workspace.join(LOCK),
        });
        Ok(())
    }

    /// The arguments that a person would type.
    fn arguments(&self, targets: &Targets) -> Vec<String> {
        let selection = self.selection;
        let mut args = vec!["bench".to_owned()];
        for package in &selection.packages {
            // One that this revision lacks is named in the notes.
            if targets.wanted.iter().any(|(name, _)| name == package) {
                args.extend(["--package".to_owned(), package.clone()]);
            }
        }
        if selection.workspace {
            args.push("--workspace".to_owned());
            args.extend(
                selection
                    .exclude
                    .iter()
                    .flat_map(|name| ["--exclude".to_owned(), name.clone()]),
            );
        }
        let mut names: Vec<&String> = targets.wanted.iter().map(|(_, target)| target).collect();
        names.sort();
        names.dedup();
        args.extend(names.into_iter().flat_map(|name| ["--bench".to_owned(), name.clone()]));
        args.extend(selection.feature_flags());
        args.extend(
            selection
                .profile
                .iter()
                .flat_map(|profile| ["--profile".to_owned(), profile.clone()]),
        );
        args
    }

    fn unbuilt(&self, built: &Built, folder: &Path, args: &[String]) -> Error {
        let mut hint = String::new();
        if built.commit != WORKTREE && built.top.join(".gitmodules").exists() {
            hint.push_str("; if it needs its submodules, `git submodule update --init --recursive` fetches them");
        }
        Error::Build {
            revision: built.revision.clone(),
            command: format!("cargo {}", args.join(" ")),
            folder: folder.to_owned(),
            hint,
        }
    }
}

/// Targets whose runner cargo asks for: the host, and those that the configuration builds for. The last one counts.
fn triples(folder: &Path, compiler: &str) -> Vec<String> {
    let mut triples: Vec<String> = cargo::host(compiler).map(str::to_owned).into_iter().collect();
    triples.extend(runner::built_for(folder));
    triples
}

/// Joins what cargo built with how it started it.
fn programs(
    artifacts: &Artifacts,
    starts: &[start::Start],
    names: &BTreeMap<String, String>,
    runner: &[String],
) -> Vec<Program> {
    let by_file = |file: &Path| {
        starts
            .iter()
            .find(|start| same_path(&start.program, &start.folder, file))
    };
    let mut programs: Vec<Program> = artifacts
        .benches
        .iter()
        .filter_map(|((id, target), file)| {
            let start = by_file(file)?;
            Some(Program {
                package: names.get(id)?.clone(),
                target: target.clone(),
                file: file.clone(),
                folder: start.folder.clone(),
                runner: runner.to_vec(),
                environment: start.set_by_cargo(),
            })
        })
        .collect();
    programs.sort_by(|a, b| (&a.package, &a.target).cmp(&(&b.package, &b.target)));
    programs
}

/// Cargo gives a runner the path from the working folder, or the whole one.
fn same_path(given: &Path, folder: &Path, file: &Path) -> bool {
    let given = folder.join(given);
    given == file || matches!((given.canonicalize(), file.canonicalize()), (Ok(a), Ok(b)) if a == b)
}

/// Manifests of a tree that git knows, or, in a copy of the work tree, all that are there.
fn manifests(tree: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut found = Vec::new();
    let mut open = vec![tree.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).map_err(Error::io("read", &folder))? {
            let entry = entry.map_err(Error::io("read", &folder))?;
            let kind = entry.file_type().map_err(Error::io("read", &folder))?;
            if kind.is_dir() && entry.file_name() != ".git" {
                open.push(entry.path());
            } else if entry.file_name() == "Cargo.toml" {
                found.push(entry.path());
            }
        }
    }
    found.sort();
    Ok(found)
}
