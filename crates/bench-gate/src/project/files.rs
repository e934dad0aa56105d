//! Copies of files and folders that keep what cargo goes by.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use super::error::Error;

/// Makes `to` the file or link that `from` is. A file with the same content is left alone; one that changes gets the
/// present time, whatever the time of `from`, as cargo compares times with those of its last build.
pub(super) fn renew(from: &Path, to: &Path) -> Result<(), Error> {
    let meta = from.symlink_metadata().map_err(Error::io("read", from))?;
    let there = to.symlink_metadata().ok();
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
    }
    if meta.is_symlink() {
        let target = fs::read_link(from).map_err(Error::io("read", from))?;
        if fs::read_link(to).is_ok_and(|there| there == target) {
            return Ok(());
        }
        discard(to)?;
        return link(&target, to, from.is_dir()).map_err(Error::io("link", to));
    }
    let is_same = there
        .as_ref()
        .is_some_and(|there| there.is_file() && there.len() == meta.len() && there.permissions() == meta.permissions());
    if is_same && fs::read(from).map_err(Error::io("read", from))? == fs::read(to).map_err(Error::io("read", to))? {
        return Ok(());
    }
    discard(to)?;
    fs::copy(from, to).map_err(Error::io("copy", from))?;
    let now = std::time::SystemTime::now();
    // Copies of files that may not be written cannot be opened for it; their time is that of the copy already.
    if let Ok(file) = fs::File::options().write(true).open(to) {
        file.set_modified(now).map_err(Error::io("write", to))?;
    }
    Ok(())
}

/// Removes a file, link or folder, if there is one.
pub(super) fn discard(path: &Path) -> Result<(), Error> {
    match path.symlink_metadata() {
        Err(_) => Ok(()),
        Ok(meta) if meta.is_dir() => fs::remove_dir_all(path).map_err(Error::io("remove", path)),
        // A link to a folder is a folder to Windows.
        Ok(_) => fs::remove_file(path)
            .or_else(|_| fs::remove_dir(path))
            .map_err(Error::io("remove", path)),
    }
}

/// A symbolic link.
pub(super) fn link(target: &Path, at: &Path, is_folder: bool) -> std::io::Result<()> {
    #[cfg(unix)]
    {
        let _ = is_folder;
        std::os::unix::fs::symlink(target, at)
    }
    #[cfg(windows)]
    {
        if is_folder {
            std::os::windows::fs::symlink_dir(target, at)
        } else {
            std::os::windows::fs::symlink_file(target, at)
        }
    }
}

/// Copies a file or a folder with the times of its files.
pub(super) fn copy_with_times(from: &Path, to: &Path) -> Result<(), Error> {
    let meta = from.symlink_metadata().map_err(Error::io("read", from))?;
    if meta.is_dir() {
        fs::create_dir_all(to).map_err(Error::io("create", to))?;
        for entry in fs::read_dir(from).map_err(Error::io("read", from))? {
            let entry = entry.map_err(Error::io("read", from))?;
            copy_with_times(&entry.path(), &to.join(entry.file_name()))?;
        }
        return Ok(());
    }
    if meta.is_symlink() {
        let target = fs::read_link(from).map_err(Error::io("read", from))?;
        return link(&target, to, from.is_dir()).map_err(Error::io("link", to));
    }
    fs::copy(from, to).map_err(Error::io("copy", from))?;
    let modified = meta.modified().map_err(Error::io("read", from))?;
    if let Ok(file) = fs::File::options().write(true).open(to) {
        file.set_modified(modified).map_err(Error::io("write", to))?;
    }
    Ok(())
}

/// Removes what is below `folder` and not in `keep`, whose paths are relative to it, but for git's file at its top.
pub(super) fn remove_others(folder: &Path, keep: &BTreeSet<PathBuf>) -> Result<(), Error> {
    fn walk(top: &Path, folder: &Path, keep: &BTreeSet<PathBuf>) -> Result<bool, Error> {
        let mut is_empty = true;
        for entry in fs::read_dir(folder).map_err(Error::io("read", folder))? {
            let entry = entry.map_err(Error::io("read", folder))?;
            let path = entry.path();
            let relative = path.strip_prefix(top).expect("it is below the folder").to_owned();
            let is_folder = entry.file_type().map_err(Error::io("read", &path))?.is_dir();
            if relative == Path::new(".git") || keep.contains(&relative) {
                is_empty = false;
            } else if is_folder {
                if walk(top, &path, keep)? {
                    fs::remove_dir(&path).map_err(Error::io("remove", &path))?;
                } else {
                    is_empty = false;
                }
            } else {
                discard(&path)?;
            }
        }
        Ok(is_empty)
    }
    if folder.exists() {
        walk(folder, folder, keep)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;

    #[test]
    fn a_changed_file_is_younger_than_the_build_before_it_and_an_equal_one_is_untouched() {
        let folder = tempfile::tempdir().unwrap();
        let [from, to] = ["from", "a/to"].map(|name| folder.path().join(name));
        let aged = |path: &Path, seconds: u64| {
            let time = SystemTime::now() - Duration::from_secs(seconds);
            fs::File::options()
                .write(true)
                .open(path)
                .unwrap()
                .set_modified(time)
                .unwrap();
        };
        let age = |path: &Path| {
            fs::metadata(path)
                .unwrap()
                .modified()
                .unwrap()
                .elapsed()
                .unwrap()
                .as_secs()
        };
        fs::write(&from, "one").unwrap();
        renew(&from, &to).unwrap();
        aged(&to, 500);
        renew(&from, &to).unwrap();
        assert!(age(&to) >= 499, "it is untouched");
        fs::write(&from, "two").unwrap();
        // Older than the build: cargo would take the old program for the new one.
        aged(&from, 5000);
        renew(&from, &to).unwrap();
        assert_eq!(fs::read_to_string(&to).unwrap(), "two");
        assert!(age(&to) < 400, "{}", age(&to));
    }

    #[test]
    fn what_is_not_to_be_kept_goes() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a/keep", "a/go", "b/c/go", ".git"] {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        remove_others(folder.path(), &BTreeSet::from([PathBuf::from("a/keep")])).unwrap();
        let is_there = |name: &str| folder.path().join(name).exists();
        assert_eq!(
            ["a/keep", "a/go", "b", ".git"].map(is_there),
            [true, false, false, true]
        );
    }
}
