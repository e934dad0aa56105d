//! Writes a lock so that nothing is lost.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
};

use crate::error::Error;

/// Beside the lock, under a name that no earlier backup has.
pub(super) fn write_backup(lock: &Path, text: &str) -> Result<PathBuf, Error> {
    for number in 1_u32.. {
        let backup = lock.with_file_name(format!("Cargo.lock.split-audit-{number}.bak"));
        let mut options = std::fs::OpenOptions::new();
        match options.write(true).create_new(true).open(&backup) {
            Ok(mut file) => {
                let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
                written.map_err(Error::io("write", &backup))?;
                return Ok(backup);
            }
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(Error::io("create", &backup)(error)),
        }
    }
    unreachable!("four billion backups")
}

/// Replaces a file in one step. `check` runs last before it.
pub(super) fn replace(path: &Path, text: &str, check: &dyn Fn() -> Result<(), Error>) -> Result<(), Error> {
    let folder = path.parent().unwrap_or(path);
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(Error::io("write into", folder))?;
    file.write_all(text.as_bytes())
        .and_then(|()| file.as_file().sync_all())
        .map_err(Error::io("write", path))?;
    // A temporary file is for its owner alone; a lock is as readable as it was.
    let permissions = std::fs::metadata(path).map_err(Error::io("read", path))?.permissions();
    file.as_file()
        .set_permissions(permissions)
        .map_err(Error::io("write", path))?;
    check()?;
    file.persist(path)
        .map_err(|error| Error::io("replace", path)(error.error))?;
    Ok(())
}
