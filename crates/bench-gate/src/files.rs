//! Files that appear whole or not at all.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
};

use crate::error::Error;

/// Writes a file beside its place and moves it there, so that whoever reads it finds the old content or the new.
///
/// # Errors
/// [`Error::Io`] with the path.
pub fn write(path: &Path, content: &[u8]) -> Result<(), Error> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
    let mut builder = tempfile::Builder::new();
    builder.prefix(".part-");
    // A temporary file is its owner's alone; these are for everyone whom the umask allows.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut part = builder
        .tempfile_in(folder)
        .map_err(Error::io("create a file in", folder))?;
    part.write_all(content)
        .and_then(|()| part.as_file().sync_all())
        .map_err(Error::io("write", path))?;
    part.persist(path)
        .map_err(|error| Error::io("write", path)(error.error))?;
    Ok(())
}

/// Renders plain data for people and programs.
///
/// # Panics
/// If the value is not plain data: a map whose keys are no strings.
pub fn json<T: serde::Serialize>(value: &T) -> String {
    let mut json = serde_json::to_string_pretty(value).expect("plain data is always JSON");
    json.push('\n');
    json
}

/// A path as seen from a folder, with slashes; empty if it does not lie below that.
pub fn below(folder: &Path, path: &Path) -> String {
    let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let path = absolute(path);
    let below = path.strip_prefix(absolute(folder));
    below.map_or_else(|_| String::new(), |path| path.to_string_lossy().replace('\\', "/"))
}

/// Reads a text file.
///
/// # Errors
/// [`Error::Io`] with the path.
pub fn read(path: &Path) -> Result<String, Error> {
    fs::read_to_string(path).map_err(Error::io("read", path))
}

/// Reads plain data.
///
/// # Errors
/// [`Error::Io`] with the path, [`Error::Data`] with path and line.
pub fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, Error> {
    serde_json::from_str(&read(path)?).map_err(|error| Error::Data {
        path: path.to_owned(),
        line: error.line() as u64,
        message: error.to_string(),
    })
}

/// The place of one of several files of a kind: `ab.json`, `ab-2.json`, and so on.
pub fn numbered(first: &Path, number: u32) -> PathBuf {
    let stem = first.file_stem().unwrap_or_default().to_string_lossy();
    match number {
        1 => first.to_owned(),
        _ => first.with_file_name(format!("{stem}-{number}.json")),
    }
}

/// A folder that is not there: two things may begin within a second, and clocks are set back.
///
/// # Panics
/// If all numbers are taken.
pub fn free(folder: &Path) -> PathBuf {
    let numbered = |number: u32| match number {
        1 => folder.to_owned(),
        _ => PathBuf::from(format!("{}-{number}", folder.display())),
    };
    (1..)
        .map(numbered)
        .find(|folder| !folder.exists())
        .expect("numbers do not end")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_taken_gets_a_number() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("now");
        for expected in ["now", "now-2", "now-3"] {
            let free = free(&place);
            assert_eq!(free, folder.path().join(expected));
            fs::create_dir(free).unwrap();
        }
    }

    #[test]
    fn a_file_is_replaced_and_nothing_is_left_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/data.csv");
        write(&path, b"one").unwrap();
        write(&path, b"two").unwrap();
        assert_eq!(read(&path).unwrap(), "two");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn a_place_that_cannot_be_written_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        write(&file, b"x").unwrap();
        let message = write(&file.join("below"), b"x").unwrap_err().to_string();
        assert!(message.contains("file"), "{message}");
    }
}
