//! One measurement at a time: two would disturb each other, and mix their files.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{Read as _, Seek as _, Write as _},
    path::Path,
};

use crate::error::Error;

/// Held as long as this process measures; the system lets go of it when the process ends, however it ends.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "the lock is the open file")] File);

impl Lock {
    /// Takes the lock of `folder`.
    ///
    /// # Errors
    /// [`Error::Failed`] with the other process's number if it is taken.
    pub fn take(folder: &Path) -> Result<Self, Error> {
        std::fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
        let path = folder.join(".lock");
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(&path)
            .map_err(Error::io("open", &path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut owner = String::new();
                // Windows does not let a locked file be read; the message is as good without a number.
                let _ = file.read_to_string(&mut owner);
                let owner = if owner.is_empty() {
                    String::new()
                } else {
                    format!(" (process {})", owner.trim())
                };
                return Err(Error::Failed(format!(
                    "another measurement is running here{owner}; two at once would disturb each other, wait for it to end"
                )));
            }
            Err(TryLockError::Error(error)) => return Err(Error::io("lock", &path)(error)),
        }
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| write!(file, "{}", std::process::id()))
            .map_err(Error::io("write", &path))?;
        Ok(Self(file))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_run_is_told_of_the_first_and_may_follow_it() {
        let folder = tempfile::tempdir().unwrap();
        let first = Lock::take(folder.path()).unwrap();
        let message = Lock::take(folder.path()).unwrap_err().to_string();
        let number = std::process::id().to_string();
        assert!(cfg!(windows) || message.contains(&number), "{message}");
        assert!(message.contains("another measurement is running"), "{message}");
        drop(first);
        // A process that another test has forked and not yet executed holds on to every open file for a moment.
        let freed = (0..250).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(20));
            Lock::take(folder.path()).is_ok()
        });
        assert!(freed, "the lock outlives its owner");
    }
}
