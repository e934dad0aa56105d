//! What is asked of the user's repository. Nothing here writes to its index or its files.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use super::{WORKTREE, environment, error::Error};

/// A git repository with a work tree.
#[derive(Clone, Debug)]
pub struct Repository {
    /// Top folder of the work tree.
    top: PathBuf,
}

impl Repository {
    /// The repository around a folder.
    ///
    /// # Errors
    /// [`Error::NoRepository`], or git cannot be run.
    pub fn around(folder: &Path) -> Result<Self, Error> {
        let output = run(command(folder).args(["rev-parse", "--show-toplevel"]))?;
        if !output.status.success() {
            let message = String::from_utf8_lossy(&output.stderr);
            if message.contains("not a git repository") {
                return Err(Error::NoRepository(folder.to_owned()));
            }
            return Err(failed(folder, "rev-parse --show-toplevel", &output));
        }
        let top = PathBuf::from(text(&output));
        let top = top.canonicalize().map_err(Error::io("find", &top))?;
        Ok(Self { top: plain(top) })
    }

    /// Top folder of the work tree.
    #[must_use]
    pub fn top(&self) -> &Path {
        &self.top
    }

    /// Runs git in the top folder and returns what it printed.
    pub(super) fn read<S: AsRef<OsStr>>(&self, args: &[S]) -> Result<String, Error> {
        read(&self.top, args)
    }

    /// The same, `None` if git says no.
    fn asked<S: AsRef<OsStr>>(&self, args: &[S]) -> Result<Option<String>, Error> {
        let output = run(command(&self.top).args(args))?;
        Ok(output.status.success().then(|| text(&output)))
    }

    /// The commit that a revision names.
    ///
    /// # Errors
    /// [`Error::NoCommit`], with a hint if the clone is shallow.
    pub fn resolve(&self, revision: &str) -> Result<String, Error> {
        let commit = format!("{revision}^{{commit}}");
        let found = self.asked(&["rev-parse", "--verify", "--quiet", "--end-of-options", &commit])?;
        match found {
            Some(commit) if !commit.is_empty() => Ok(commit),
            _ => Err(Error::NoCommit {
                revision: revision.to_owned(),
                repository: self.top.clone(),
                hint: self.shallow_hint()?,
            }),
        }
    }

    /// What helps in a shallow clone; empty in a whole one.
    fn shallow_hint(&self) -> Result<String, Error> {
        let is_shallow = self.asked(&["rev-parse", "--is-shallow-repository"])?.as_deref() == Some("true");
        Ok(if is_shallow {
            "; this clone is shallow: `git fetch --unshallow` (in GitHub Actions, `fetch-depth: 0` of \
             actions/checkout) fetches the rest"
                .to_owned()
        } else {
            String::new()
        })
    }

    /// Where the branch of the work tree left the main branch; without changes since then, the commit before.
    ///
    /// # Errors
    /// [`Error::NoBase`] if no main branch is found or nothing lies before it.
    pub fn merge_base(&self) -> Result<String, Error> {
        for main in ["origin/HEAD", "origin/main", "main", "origin/master", "master"] {
            if let Some(base) = self
                .asked(&["merge-base", main, "HEAD"])?
                .filter(|base| !base.is_empty())
            {
                return self.or_before(base);
            }
        }
        Err(Error::NoBase(format!(
            "no main branch to compare with; name the base{}",
            self.shallow_hint()?
        )))
    }

    /// A commit, or the one before it if the work tree has nothing else: a comparison of equals says nothing.
    fn or_before(&self, base: String) -> Result<String, Error> {
        if !self.changed(&base, WORKTREE)?.is_empty() {
            return Ok(base);
        }
        let parent = format!("{base}^");
        match self.asked(&["rev-parse", "--verify", "--quiet", &parent])? {
            Some(parent) if !parent.is_empty() => Ok(parent),
            _ => Err(Error::NoBase(format!(
                "the work tree equals what it would be compared with, and no commit lies before it; name the base{}",
                self.shallow_hint()?
            ))),
        }
    }

    /// Files that differ between two revisions, from the top folder, with `/`. `worktree` counts what git does
    /// not know yet and does not ignore.
    ///
    /// # Errors
    /// Git failed.
    pub fn changed(&self, base: &str, head: &str) -> Result<Vec<String>, Error> {
        if base == head {
            return Ok(Vec::new());
        }
        let mut args = vec![
            "-c",
            "core.quotePath=false",
            "diff",
            "--name-only",
            "--no-renames",
            "--no-ext-diff",
            "-z",
        ];
        // Git compares the work tree with a commit, whichever is older.
        let commits = [base, head].into_iter().filter(|revision| *revision != WORKTREE);
        args.extend(commits);
        args.push("--");
        let mut files = entries(&self.read(&args)?);
        if [base, head].contains(&WORKTREE) {
            files.extend(entries(&self.read(&[
                "ls-files",
                "-z",
                "--others",
                "--exclude-standard",
            ])?));
        }
        files.sort();
        files.dedup();
        Ok(files)
    }

    /// Commits after `good` up to `bad`, oldest first, along first parents.
    ///
    /// # Errors
    /// [`Error::NoAncestor`].
    pub fn commits_between(&self, good: &str, bad: &str) -> Result<Vec<String>, Error> {
        if [good, bad].contains(&WORKTREE) {
            return Err(Error::Lacks {
                revision: WORKTREE.to_owned(),
                message: "a bisection goes through commits; commit it first, or name HEAD".to_owned(),
            });
        }
        if self.asked(&["merge-base", "--is-ancestor", good, bad])?.is_none() {
            return Err(Error::NoAncestor {
                good: good.to_owned(),
                bad: bad.to_owned(),
            });
        }
        let range = format!("{good}..{bad}");
        let list = self.read(&["rev-list", "--first-parent", "--reverse", &range])?;
        Ok(list.lines().map(str::to_owned).collect())
    }

    /// The subject line of a commit; empty for the work tree.
    #[must_use]
    pub fn subject(&self, commit: &str) -> String {
        let subject = self.asked(&["log", "-1", "--format=%s", commit, "--"]);
        subject.ok().flatten().unwrap_or_default()
    }
}

/// Git in a folder, without hooks.
pub(super) fn command(folder: &Path) -> Command {
    let mut command = environment::command("git");
    let hooks = if cfg!(windows) {
        "core.hooksPath=NUL"
    } else {
        "core.hooksPath=/dev/null"
    };
    command
        .current_dir(folder)
        .args([
            "-c",
            hooks,
            "-c",
            "core.fsmonitor=false",
            "-c",
            "advice.detachedHead=false",
        ])
        .env("GIT_OPTIONAL_LOCKS", "0")
        .env("LC_ALL", "C");
    command
}

/// Runs git and returns what it printed.
pub(super) fn read<S: AsRef<OsStr>>(folder: &Path, args: &[S]) -> Result<String, Error> {
    let output = run(command(folder).args(args))?;
    if output.status.success() {
        return Ok(text(&output));
    }
    let said: Vec<String> = args
        .iter()
        .map(|arg| arg.as_ref().to_string_lossy().into_owned())
        .collect();
    Err(failed(folder, &said.join(" "), &output))
}

pub(super) fn run(command: &mut Command) -> Result<Output, Error> {
    command.output().map_err(|source| Error::Start {
        program: "git".to_owned(),
        source,
    })
}

pub(super) fn failed(folder: &Path, command: &str, output: &Output) -> Error {
    Error::Git {
        command: command.to_owned(),
        folder: folder.to_owned(),
        message: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
    }
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
}

/// The entries of a list that git ended with NUL.
pub(super) fn entries(list: &str) -> Vec<String> {
    list.split('\0')
        .filter(|entry| !entry.is_empty())
        .map(str::to_owned)
        .collect()
}

/// A path without Windows' `\\?\`, which cargo and git do not take everywhere.
pub(super) fn plain(path: PathBuf) -> PathBuf {
    match path.to_str().and_then(|path| path.strip_prefix(r"\\?\")) {
        Some(rest) if !rest.starts_with("UNC") => PathBuf::from(rest),
        _ => path,
    }
}
