//! Wine, set up and with a display: runs Windows programs.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use xshell::Shell;

use crate::{
    error::Error,
    files,
    host::{
        interrupt,
        lock::Lock,
        windows::{
            self,
            display::Display,
            piece::{self, Pieces},
            prefix,
        },
    },
};

/// The one of Debian's package wine64; `wine`, which would start it, looks for a 32-bit one first and complains.
pub(crate) const LOADER: &str = "/usr/lib/wine/wine64";
const SERVER: &str = "/usr/lib/wine/wineserver64";

/// Wine, until it is dropped.
#[derive(Debug)]
pub(crate) struct Wine {
    prefix: PathBuf,
    pieces: Pieces,
    display: Display,
    _lock: Lock,
}

impl Wine {
    /// Sets up what is not there yet.
    pub(crate) fn start(sh: &Shell) -> Result<Self, Error> {
        // From here on there is something to end.
        interrupt::note();
        let folder = windows::folder();
        let lock = Lock::take(&folder).map_err(|error| match error {
            bench_gate::Error::Failed(_) => {
                Error::Failed("another `cargo xtask windows` is running here; wait for it to end".into())
            }
            other => other.into(),
        })?;
        let pieces = piece::ensure(sh, &folder)?;
        // A server that a killed run left behind has no display any more, and nor have the programs it starts.
        kill(&folder.join("prefix"));
        let display = Display::start()?;
        let prefix = prefix::ensure(&folder, &pieces, &display)?;
        Ok(Self {
            prefix,
            pieces,
            display,
            _lock: lock,
        })
    }

    /// What there is of Wine and of the driver below it, as far as a result may depend on it.
    pub(crate) fn contents(&self, sh: &Shell) -> Result<String, Error> {
        let libraries = ["libvulkan_lvp.so", "libdrm.so.2"].map(|name| self.pieces.driver_libraries.join(name));
        let files = self.pieces.dlls.iter().chain(&libraries);
        let sums: Vec<String> = files.map(|file| piece::checksum(sh, file)).collect::<Result<_, _>>()?;
        Ok(format!("{}; {}; {FIXED:?}", version()?, sums.join(" ")))
    }

    /// A command that runs a Windows program. Of this process's environment it knows nothing that a result could depend on.
    pub(crate) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(LOADER);
        let known = ["HOME", "USER", "PATH", "TMPDIR", "RUST_BACKTRACE"];
        command.env_clear().envs(
            known
                .into_iter()
                .filter_map(|name| Some((name, std::env::var_os(name)?))),
        );
        with_prefix(&mut command, &self.prefix).arg(program);
        for (name, value) in self.variables() {
            command.env(name, value);
        }
        command
    }

    /// A script that does the same, for whoever wants one program to start.
    pub(crate) fn script(&self, program: &Path) -> Result<PathBuf, Error> {
        let mut text = String::from("#!/bin/sh\nexport");
        let prefix = ("WINEPREFIX", self.prefix.display().to_string());
        let fixed = FIXED.map(|(name, value)| (name, value.to_owned()));
        for (name, value) in fixed.into_iter().chain([prefix]).chain(self.variables()) {
            text.push_str(&format!(" {name}={}", quoted(&value)));
        }
        text.push_str(&format!(
            "\nexec {LOADER} {} \"$@\"\n",
            quoted(&program.display().to_string())
        ));
        let path = program.with_extension("sh");
        files::write(&path, text.as_bytes())?;
        executable(&path)?;
        Ok(path)
    }

    /// What a program needs beside the prefix: display, and the driver below Wine's Direct3D.
    fn variables(&self) -> [(&'static str, String); 4] {
        let manifest = self.pieces.driver_manifest.display().to_string();
        [
            ("DISPLAY", self.display.name.clone()),
            ("VK_DRIVER_FILES", manifest.clone()),
            // For loaders that do not know the other yet.
            ("VK_ICD_FILENAMES", manifest),
            ("LD_LIBRARY_PATH", self.pieces.driver_libraries.display().to_string()),
        ]
    }
}

impl Drop for Wine {
    fn drop(&mut self) {
        kill(&self.prefix);
    }
}

/// Ends everything that runs in the prefix; there may be nothing.
fn kill(prefix: &Path) {
    if prefix.exists() {
        let mut kill = Command::new(SERVER);
        let _ = with_prefix(&mut kill, prefix)
            .arg("--kill")
            .stderr(Stdio::null())
            .status();
        let _ = wait(prefix);
    }
}

/// What every program of Wine is told.
pub(crate) const FIXED: [(&str, &str); 3] = [
    // Else Wine's Direct3D makes one set of Vulkan's descriptors for each kind of descriptor in a heap, and lavapipe makes
    // each as large as its layout allows, a million, however small the heap: ten gigabytes for one device.
    ("VKD3D_CONFIG", "virtual_heaps"),
    // Native: Microsoft's. The other two would ask for Mono and Gecko.
    ("WINEDLLOVERRIDES", "d3dcompiler_47=n;mscoree,mshtml="),
    ("WINEDEBUG", "-all"),
];

pub(crate) fn with_prefix<'a>(command: &'a mut Command, prefix: &Path) -> &'a mut Command {
    command.env("WINEPREFIX", prefix).envs(FIXED).stdin(Stdio::null())
}

/// Wine's version: `wine-8.0 (Debian 8.0~repack-4)`.
pub(crate) fn version() -> Result<String, Error> {
    let output = Command::new(LOADER).arg("--version").output();
    let output = output.map_err(Error::io("run", Path::new(LOADER)))?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Waits until everything that runs in the prefix has ended.
pub(crate) fn wait(prefix: &Path) -> Result<(), Error> {
    let waited = with_prefix(&mut Command::new(SERVER), prefix).arg("--wait").status();
    waited.map_err(Error::io("run", Path::new(SERVER)))?;
    Ok(())
}

/// For the shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(unix)]
fn executable(path: &Path) -> Result<(), Error> {
    let permissions = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(path, permissions).map_err(Error::io("change", path))
}

#[cfg(not(unix))]
fn executable(_: &Path) -> Result<(), Error> {
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_script_keeps_blanks_and_quotes() {
        let echo = |text: &str| {
            let script = format!("printf %s {}", quoted(text));
            let output = Command::new("sh").args(["-c", &script]).output().unwrap();
            String::from_utf8(output.stdout).unwrap()
        };
        for text in ["a b", "it's", "$HOME \"x\" `y` \\z", ""] {
            assert_eq!(echo(text), text);
        }
    }
}
