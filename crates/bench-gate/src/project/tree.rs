//! The tree of a revision: its files as git has them, outside of the project's folders, where neither the
//! configuration of another revision nor the user's changes reach it.
//!
//! A tree is known to git while it is built and measured, so that build scripts and benches that ask git get their
//! answers. Afterwards git forgets it, and the files stay for the next time.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use super::{WORKTREE, error::Error, files, git, git::Repository};

/// A tree, known to git until this is dropped.
#[derive(Debug)]
pub(super) struct Tree {
    /// The repository's top folder within it.
    pub(super) top: PathBuf,
}

impl Tree {
    /// Checks a commit out at `top`, or copies the work tree there.
    pub(super) fn prepare(repository: &Repository, revision: &str, commit: &str, top: &Path) -> Result<Self, Error> {
        let tree = Self { top: top.to_owned() };
        if commit == WORKTREE {
            tree.snapshot(repository)?;
        } else {
            tree.check_out(repository, revision, commit)?;
        }
        Ok(tree)
    }

    fn check_out(&self, repository: &Repository, revision: &str, commit: &str) -> Result<(), Error> {
        self.attach(repository, commit)?;
        let top = &self.top;
        // With the times of files in the index, git writes only those that differ.
        git::run(git::command(top).args(["update-index", "-q", "--refresh"]))?;
        git::read(top, &["reset", "--quiet", "--hard"])?;
        git::read(top, &["clean", "-ffdxq"])?;
        self.submodules(repository.top(), revision, top, Path::new(""))
    }

    /// Has git know the tree, with the commit in its index and without touching its files.
    fn attach(&self, repository: &Repository, commit: &str) -> Result<(), Error> {
        let top = &self.top;
        detach(top);
        fs::create_dir_all(top).map_err(Error::io("create", top))?;
        let beside = top.with_extension("attach");
        files::discard(&beside)?;
        let path = beside.to_string_lossy();
        repository.read(&[
            "worktree",
            "add",
            "--quiet",
            "--force",
            "--detach",
            "--no-checkout",
            &path,
            commit,
        ])?;
        let (from, to) = (beside.join(".git"), top.join(".git"));
        let admin = admin(&from).ok_or_else(|| Error::Git {
            command: "worktree add".to_owned(),
            folder: repository.top().to_owned(),
            message: format!("{} names no folder of git's", from.display()),
        })?;
        fs::rename(&from, &to).map_err(Error::io("move", &from))?;
        let pointer = admin.join("gitdir");
        fs::write(&pointer, format!("{}\n", to.display())).map_err(Error::io("write", &pointer))?;
        files::discard(&beside)?;
        git::read(top, &["read-tree", commit])?;
        Ok(())
    }

    /// Copies the files that git knows or would add, so that what is edited later is not measured.
    fn snapshot(&self, repository: &Repository) -> Result<(), Error> {
        // Before the first commit there is nothing to attach to.
        if let Ok(commit) = repository.resolve("HEAD") {
            self.attach(repository, &commit)?;
        }
        let mut kept = BTreeSet::new();
        list(repository.top(), Path::new(""), &mut kept)?;
        fs::create_dir_all(&self.top).map_err(Error::io("create", &self.top))?;
        files::remove_others(&self.top, &kept)?;
        for file in &kept {
            files::renew(&repository.top().join(file), &self.top.join(file))?;
        }
        Ok(())
    }

    /// Checks submodules out from the user's copies of their repositories, at the commits that the tree names.
    fn submodules(&self, users: &Path, revision: &str, folder: &Path, within: &Path) -> Result<(), Error> {
        let listed = if within.as_os_str().is_empty() {
            git::read(folder, &["ls-files", "-z", "--stage"])?
        } else {
            let index = self.index_of(within);
            read_with_index(&users.join(within), &index, &["ls-files", "-z", "--stage"])?
        };
        for entry in git::entries(&listed) {
            let Some((meta, path)) = entry.split_once('\t') else {
                continue;
            };
            let mut fields = meta.split(' ');
            let (Some("160000"), Some(commit)) = (fields.next(), fields.next()) else {
                continue;
            };
            let path = within.join(path);
            let users_copy = users.join(&path);
            // A submodule that is not checked out in the project is not needed to build it.
            if !users_copy.join(".git").exists() {
                continue;
            }
            let object = format!("{commit}^{{commit}}");
            let is_there = git::run(git::command(&users_copy).args(["cat-file", "-e", &object]))?;
            if !is_there.status.success() {
                return Err(Error::Lacks {
                    revision: revision.to_owned(),
                    message: format!(
                        "commit {commit} of the submodule {path} is not here; `git -C {path} fetch --all` may have it",
                        path = path.display()
                    ),
                });
            }
            let to = self.top.join(&path);
            fs::create_dir_all(&to).map_err(Error::io("create", &to))?;
            let index = self.index_of(&path);
            let checked_out = |args: &[&str]| {
                let mut command = git::command(&users_copy);
                command
                    .env("GIT_INDEX_FILE", &index)
                    .env("GIT_WORK_TREE", &to)
                    .env("GIT_DIR", git_dir(&users_copy))
                    .args(args);
                git::run(command.current_dir(&to))
            };
            for args in [
                &["read-tree", commit][..],
                &["update-index", "-q", "--refresh"],
                &["checkout-index", "--all", "--force"],
            ] {
                let output = checked_out(args)?;
                // Refreshing reports files that are not there yet as a failure.
                if !output.status.success() && args[0] != "update-index" {
                    return Err(git::failed(&to, &args.join(" "), &output));
                }
            }
            self.submodules(users, revision, &to, &path)?;
        }
        Ok(())
    }

    /// Where the index of a submodule lies, beside the tree.
    fn index_of(&self, submodule: &Path) -> PathBuf {
        let name = submodule.to_string_lossy().replace(['/', '\\'], "%");
        self.top.with_extension(format!("index-{name}"))
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        detach(&self.top);
    }
}

fn git_dir(folder: &Path) -> PathBuf {
    let read = git::read(folder, &["rev-parse", "--absolute-git-dir"]);
    read.map_or_else(|_| folder.join(".git"), PathBuf::from)
}

fn read_with_index(folder: &Path, index: &Path, args: &[&str]) -> Result<String, Error> {
    let output = git::run(git::command(folder).env("GIT_INDEX_FILE", index).args(args))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(git::failed(folder, &args.join(" "), &output))
    }
}

/// Files below `folder` of `top` that git knows or would add, those of submodules as well.
fn list(top: &Path, folder: &Path, kept: &mut BTreeSet<PathBuf>) -> Result<(), Error> {
    let args = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
    for entry in git::entries(&git::read(&top.join(folder), &args)?) {
        let file = folder.join(entry);
        match top.join(&file).symlink_metadata() {
            // Git knows it still, and it is deleted.
            Err(_) => {}
            Ok(meta) if meta.is_dir() => {
                // A repository within this one; its folder is empty where it is not checked out.
                if top.join(&file).join(".git").exists() {
                    list(top, &file, kept)?;
                }
            }
            Ok(_) => {
                kept.insert(file);
            }
        }
    }
    Ok(())
}

/// The folder in which git keeps what it knows of a worktree, named by the worktree's `.git` file.
fn admin(file: &Path) -> Option<PathBuf> {
    let text = fs::read_to_string(file).ok()?;
    let path = PathBuf::from(text.trim().strip_prefix("gitdir: ")?);
    path.join("gitdir").is_file().then_some(path)
}

/// Has git forget a tree, without a look at the user's other worktrees: `git worktree prune` would drop those on a
/// disk that is not there at the moment.
pub(super) fn detach(top: &Path) {
    let file = top.join(".git");
    if !file.is_file() {
        return;
    }
    if let Some(admin) = admin(&file) {
        let points_here = fs::read_to_string(admin.join("gitdir")).is_ok_and(|text| Path::new(text.trim()) == file);
        if points_here && admin.parent().is_some_and(|parent| parent.ends_with("worktrees")) {
            let _ = fs::remove_dir_all(&admin);
            if let Some(worktrees) = admin.parent() {
                // Not if there are others.
                let _ = fs::remove_dir(worktrees);
            }
        }
    }
    let _ = fs::remove_file(&file);
}
