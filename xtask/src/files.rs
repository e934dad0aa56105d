//! Files that appear whole or not at all.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
};

use crate::error::Error;

/// Writes a file beside its place and moves it there, so that whoever reads it finds the old content or the new.
pub(crate) fn write(path: &Path, content: &[u8]) -> Result<(), Error> {
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
pub(crate) fn json<T: serde::Serialize>(value: &T) -> String {
    let mut json = serde_json::to_string_pretty(value).expect("plain data is always JSON");
    json.push('\n');
    json
}

/// Reads a text file.
pub(crate) fn read(path: &Path) -> Result<String, Error> {
    fs::read_to_string(path).map_err(Error::io("read", path))
}

/// The place of one of several files of a kind: `ab.json`, `ab-2.json`, and so on.
pub(crate) fn numbered(first: &Path, number: u32) -> PathBuf {
    let stem = first.file_stem().unwrap_or_default().to_string_lossy();
    match number {
        1 => first.to_owned(),
        _ => first.with_file_name(format!("{stem}-{number}.json")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
