//! Builds bench programs of revisions: a commit in a git worktree that is gone afterwards, the work tree where it is. Programs of
//! commits are kept, so that none is built twice.

mod configuration;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use xshell::{Shell, cmd};

use crate::{
    ab::report::Side,
    error::Error,
    files,
    fingerprint::checksum,
    host::{build, console},
};

/// Cargo's lock.
const LOCK: &str = "Cargo.lock";

/// What names the work tree instead of a commit.
pub(crate) const WORKTREE: &str = "worktree";

/// Where revisions come from, and which of their programs is meant.
#[derive(Clone, Debug)]
pub(crate) struct Project {
    /// Folder of the manifest, in the work tree.
    pub(crate) folder: PathBuf,
    /// Folder of its workspace, where the lock lies.
    pub(crate) root: PathBuf,
    /// Cargo's target folder for the work tree. Commits have another one in common: cargo tells a package in a worktree from the same
    /// package here by the age of its files alone, and would take one's programs for the other's.
    pub(crate) target: PathBuf,
    /// Folder for worktrees and programs.
    pub(crate) store: PathBuf,
    pub(crate) package: Option<String>,
    pub(crate) bench: Option<String>,
    /// Whether it is this project, whose programs are built as `cargo xtask bench` builds them.
    pub(crate) is_own: bool,
}

impl Project {
    fn git(&self) -> Result<Shell, Error> {
        let sh = Shell::new()?;
        sh.change_dir(&self.folder);
        Ok(sh)
    }

    /// The commit a revision names; `worktree` names itself.
    pub(crate) fn resolve(&self, revision: &str) -> Result<String, Error> {
        if revision == WORKTREE {
            return Ok(WORKTREE.to_owned());
        }
        let sh = self.git()?;
        let commit = format!("{revision}^{{commit}}");
        let output = cmd!(sh, "git rev-parse --verify --quiet --end-of-options {commit}")
            .quiet()
            .ignore_status()
            .read()?;
        if output.is_empty() {
            return Err(Error::Usage(format!(
                "`{revision}` names no commit of the repository at {}, nor is it `{WORKTREE}`",
                self.folder.display()
            )));
        }
        Ok(output)
    }

    /// Where the branch of the work tree left the main branch; without changes since then, the commit before.
    pub(crate) fn merge_base(&self) -> Result<String, Error> {
        let sh = self.git()?;
        for main in ["origin/HEAD", "origin/main", "main", "origin/master", "master"] {
            let base = cmd!(sh, "git merge-base {main} HEAD")
                .quiet()
                .ignore_status()
                .ignore_stderr()
                .read()?;
            if !base.is_empty() {
                return self.or_before(base);
            }
        }
        Err(Error::Usage(
            "no main branch to compare with; name the base: `cargo xtask ab BASE`".to_owned(),
        ))
    }

    /// A commit, or the one before it if the work tree has nothing else: a comparison of equals says nothing.
    fn or_before(&self, base: String) -> Result<String, Error> {
        let sh = self.git()?;
        let mut diff = Command::new("git");
        diff.current_dir(&self.folder).args(["diff", "--quiet", &base]);
        let is_same = diff.status().map_err(Error::io("run", Path::new("git")))?.success();
        let others = cmd!(sh, "git ls-files --others --exclude-standard :/").quiet().read()?;
        if !is_same || !others.is_empty() {
            return Ok(base);
        }
        let parent = format!("{base}^");
        let parent = cmd!(sh, "git rev-parse --verify --quiet {parent}")
            .quiet()
            .ignore_status()
            .read()?;
        if parent.is_empty() {
            return Err(Error::Usage(
                "the work tree is what it would be compared with; name the base: `cargo xtask ab BASE`".to_owned(),
            ));
        }
        Ok(parent)
    }

    /// Commits after `good` up to `bad`, oldest first.
    pub(crate) fn commits_between(&self, good: &str, bad: &str) -> Result<Vec<String>, Error> {
        let sh = self.git()?;
        let mut ancestor = Command::new("git");
        ancestor
            .current_dir(&self.folder)
            .args(["merge-base", "--is-ancestor", good, bad]);
        if !ancestor.status().map_err(Error::io("run", Path::new("git")))?.success() {
            return Err(Error::Usage(format!(
                "{good} is no ancestor of {bad}: what lies between them is not all there is between their programs"
            )));
        }
        let range = format!("{good}..{bad}");
        let list = cmd!(sh, "git rev-list --first-parent --reverse {range}")
            .quiet()
            .read()?;
        Ok(list.lines().map(str::to_owned).collect())
    }

    /// The subject line of a commit.
    pub(crate) fn subject(&self, commit: &str) -> String {
        let Ok(sh) = self.git() else { return String::new() };
        cmd!(sh, "git log -1 --format=%s {commit}")
            .quiet()
            .ignore_stderr()
            .read()
            .unwrap_or_default()
    }

    /// Builds the program of a revision, or finds the one that was built before.
    pub(crate) fn side(&self, revision: &str) -> Result<Side, Error> {
        let commit = self.resolve(revision)?;
        let side = |program| Side {
            revision: revision.to_owned(),
            commit: commit.clone(),
            program,
        };
        if commit == WORKTREE {
            let built = self
                .build([&self.folder, &self.root], &self.target)
                .map_err(|error| unbuilt(revision, &error))?;
            let content = fs::read(&built).map_err(Error::io("read", &built))?;
            let kept = self.kept(&format!("{WORKTREE}-{:08x}", checksum(&content)))?;
            return Ok(side(keep(&built, &kept)?));
        }
        let kept = self.kept(&commit)?;
        if kept.exists() {
            return Ok(side(kept));
        }
        // The lock that it is lent may change what it is.
        let is_lent = !self.has_lock(&commit)?;
        console::status("Building", &format!("{revision} ({})", &commit[..commit.len().min(12)]));
        let tree = Tree::add(self, &commit)?;
        let built = self
            .build([&tree.folder, &tree.workspace], &self.store.join("build"))
            .map_err(|error| unbuilt(revision, &error))?;
        let lock = tree.workspace.join(LOCK);
        if is_lent && lock.exists() && self.lent().is_none() {
            fs::copy(&lock, self.store.join(LOCK)).map_err(Error::io("copy", &lock))?;
        }
        let kept = if is_lent { self.kept(&commit)? } else { kept };
        Ok(side(keep(&built, &kept)?))
    }

    /// Where the program of a commit is kept: other compilers, flags, targets and dependencies make other programs.
    fn kept(&self, name: &str) -> Result<PathBuf, Error> {
        let sh = self.git()?;
        let compiler = cmd!(sh, "rustc --version --verbose").quiet().read()?;
        // Worktrees lie below the work tree or beside it, where the same files are found.
        let variables = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.to_string_lossy().into_owned())));
        let configuration = configuration::of(variables, &self.store.join("trees"));
        let lent = match self.lent() {
            Some(lock) if !name.starts_with(WORKTREE) && !self.has_lock(name)? => files::read(&lock)?,
            _ => String::new(),
        };
        let target = (&self.folder, &self.package, &self.bench, compiler, configuration, lent);
        let sum = checksum(format!("{target:?}").as_bytes());
        Ok(self
            .store
            .join("programs")
            .join(format!("{name}-{sum:08x}{}", std::env::consts::EXE_SUFFIX)))
    }

    /// The lock for revisions that have none, so that their dependencies are the same: that of the work tree, which git may not
    /// know, or else of the first one built.
    fn lent(&self) -> Option<PathBuf> {
        [&self.root, &self.store]
            .map(|folder| folder.join(LOCK))
            .into_iter()
            .find(|lock| lock.exists())
    }

    /// Whether a commit has a lock of its own.
    fn has_lock(&self, commit: &str) -> Result<bool, Error> {
        let sh = self.git()?;
        let lock = format!("{commit}:{}", within(&self.top()?, &self.root)?.join(LOCK).display()).replace('\\', "/");
        let found = cmd!(sh, "git rev-parse --verify --quiet {lock}")
            .quiet()
            .ignore_status()
            .read()?;
        Ok(!found.is_empty())
    }

    /// The repository's folder.
    fn top(&self) -> Result<PathBuf, Error> {
        let sh = self.git()?;
        Ok(PathBuf::from(cmd!(sh, "git rev-parse --show-toplevel").quiet().read()?))
    }

    /// Builds in the folder of a package, whose workspace's lock counts.
    fn build(&self, [folder, workspace]: [&Path; 2], target: &Path) -> Result<PathBuf, Error> {
        let mut args: Vec<&str> = if self.is_own {
            vec!["build", "--release"]
        } else {
            vec!["bench", "--no-run"]
        };
        let lock = workspace.join(LOCK);
        if lock.exists() {
            args.push("--locked");
        } else if let Some(lent) = self.lent() {
            fs::copy(&lent, &lock).map_err(Error::io("copy", &lent))?;
        }
        if let Some(package) = &self.package {
            args.extend(["--package", package]);
        }
        match &self.bench {
            Some(bench) => args.extend(["--bench", bench]),
            None => args.push("--benches"),
        }
        let built = build::build(folder, target, &args)?;
        let benches: BTreeMap<String, PathBuf> = built
            .into_iter()
            .filter(|built| built.is_bench)
            .map(|built| (built.name, built.path))
            .collect();
        let names: Vec<String> = benches.keys().cloned().collect();
        let mut benches = benches.into_values();
        match (benches.next(), benches.next()) {
            (Some(bench), None) => Ok(bench),
            (None, _) => Err(Error::Failed("cargo built no bench".to_owned())),
            _ => Err(Error::Usage(format!(
                "there are several benches; name one with --bench: {}",
                names.join(", ")
            ))),
        }
    }

    /// Removes worktrees that a killed process left.
    pub(crate) fn tidy(&self) -> Result<(), Error> {
        let trees = self.store.join("trees");
        if trees.exists() {
            fs::remove_dir_all(&trees).map_err(Error::io("remove", &trees))?;
            let sh = self.git()?;
            let _ = cmd!(sh, "git worktree prune").quiet().ignore_stderr().run();
        }
        Ok(())
    }
}

fn unbuilt(revision: &str, error: &Error) -> Error {
    let text = format!("{revision} cannot be measured: {error}");
    match error {
        Error::Usage(_) => Error::Usage(text),
        _ => Error::Failed(text),
    }
}

/// Copies a program to where it is kept: the next build would overwrite it.
fn keep(built: &Path, kept: &Path) -> Result<PathBuf, Error> {
    if !kept.exists() {
        let folder = kept.parent().expect("programs have a folder");
        fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
        let part = kept.with_extension("part");
        fs::copy(built, &part).map_err(Error::io("copy", built))?;
        fs::rename(&part, kept).map_err(Error::io("write", kept))?;
    }
    Ok(kept.to_owned())
}

/// A folder's place in its repository.
fn within(top: &Path, folder: &Path) -> Result<PathBuf, Error> {
    let real = |path: &Path| path.canonicalize().map_err(Error::io("find", path));
    let (top, folder) = (real(top)?, real(folder)?);
    Ok(folder.strip_prefix(&top).unwrap_or(Path::new("")).to_owned())
}

/// A git worktree that is removed when this is dropped.
#[derive(Debug)]
struct Tree {
    /// Folder of the manifest within it.
    folder: PathBuf,
    /// Folder of the workspace within it.
    workspace: PathBuf,
    root: PathBuf,
    repository: PathBuf,
}

impl Tree {
    fn add(project: &Project, commit: &str) -> Result<Self, Error> {
        let sh = project.git()?;
        let top = project.top()?;
        let root = project.store.join("trees").join(&commit[..commit.len().min(12)]);
        let tree = Self {
            folder: root.join(within(&top, &project.folder)?),
            workspace: root.join(within(&top, &project.root)?),
            root,
            repository: top,
        };
        // Made before git is asked, so that whatever it leaves behind is removed as well.
        let root = &tree.root;
        cmd!(sh, "git worktree add --quiet --force --detach {root} {commit}")
            .quiet()
            .run()?;
        Ok(tree)
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let git = |args: &[&std::ffi::OsStr]| {
            let mut command = Command::new("git");
            command
                .current_dir(&self.repository)
                .args(args)
                .stderr(std::process::Stdio::null());
            command.status().is_ok_and(|status| status.success())
        };
        let removed = git(&[
            "worktree".as_ref(),
            "remove".as_ref(),
            "--force".as_ref(),
            self.root.as_os_str(),
        ]);
        if !removed {
            let _ = fs::remove_dir_all(&self.root);
            git(&["worktree".as_ref(), "prune".as_ref()]);
        }
        if let Some(trees) = self.root.parent() {
            // Not if there are others.
            let _ = fs::remove_dir(trees);
        }
    }
}
