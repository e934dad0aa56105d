//! Wine's Windows: its folder, with the pieces in system32.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    error::Error,
    files,
    host::{
        console,
        windows::{display::Display, piece::Pieces, wine},
    },
};

/// Makes the folder, unless it is there for this Wine and these pieces.
pub(crate) fn ensure(folder: &Path, pieces: &Pieces, display: &Display) -> Result<PathBuf, Error> {
    let prefix = folder.join("prefix");
    let stamp = prefix.join("gpu-executor-ready");
    let wanted = format!("{}\n", wine::version()?);
    if !fs::read_to_string(&stamp).is_ok_and(|text| text == wanted) {
        console::status("Making", "Wine's folders");
        if prefix.exists() {
            fs::remove_dir_all(&prefix).map_err(Error::io("remove", &prefix))?;
        }
        let boot = wine::with_prefix(&mut Command::new(wine::LOADER), &prefix)
            .env("DISPLAY", &display.name)
            .args(["wineboot", "--init"])
            .output()
            .map_err(Error::io("run", Path::new(wine::LOADER)))?;
        if !boot.status.success() {
            return Err(Error::Failed(format!(
                "wineboot ended with {}: {}",
                boot.status,
                String::from_utf8_lossy(&boot.stderr).trim()
            )));
        }
        // Until its server is gone, the registry is not on the disk.
        wine::wait(&prefix)?;
        files::write(&stamp, wanted.as_bytes())?;
    }
    let system = prefix.join("drive_c/windows/system32");
    for dll in &pieces.dlls {
        let place = system.join(dll.file_name().expect("a file"));
        let content = fs::read(dll).map_err(Error::io("read", dll))?;
        if fs::read(&place).map_or(true, |there| there != content) {
            files::write(&place, &content)?;
        }
    }
    Ok(prefix)
}
