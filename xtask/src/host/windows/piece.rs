//! The pieces that Wine 8 and Debian 12 lack: fetched from Debian and PyPI, or built here; each held against its SHA-256
//! before it is used. What is there already is not fetched again.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use xshell::{Shell, cmd};

use crate::{error::Error, files, host::console};

/// The wheel with Microsoft's `d3dcompiler_47.dll`: Wine's own does not know what wgpu's shaders need.
const COMPILER_WHEEL: &str = "kivy_deps.angle==0.5.0";
const COMPILER_SHA256: &str = "c8e25abd3d45dfb55966a74613258c39b4a83ea2ac77f2f80903499f4d5c03f0";

/// Packages of bookworm-backports with lavapipe 25: on 22.3, the one of bookworm, Wine's Direct3D 12 computes zeros without
/// an error. They are unpacked, not installed.
const DRIVER_PACKAGES: [(&str, &str, &str); 2] = [
    (
        "mesa-vulkan-drivers",
        "25.0.7-2~bpo12+1",
        "3899f1800424c60a05df5d6913076a526ca8fdbabec43672cd397563d1ca3263",
    ),
    (
        "libdrm2",
        "2.4.123-1~bpo12+1",
        "9cc2f341964286295124a32d3625edb76730500625e54a1e682761f883064d7b",
    ),
];
const DRIVER_SUITE: &str = "bookworm-backports";

/// `ProcessPrng`, which every Rust program imports on Windows and Wine 8 does not have.
const RANDOM_SOURCE: &str = include_str!("../../../data/windows/bcryptprimitives.c");

/// Where the pieces lie once they are there.
#[derive(Clone, Debug)]
pub(crate) struct Pieces {
    /// `d3dcompiler_47.dll` and `bcryptprimitives.dll`, for Wine's system32.
    pub(crate) dlls: [PathBuf; 2],
    /// Folder of lavapipe's libraries.
    pub(crate) driver_libraries: PathBuf,
    /// Lavapipe's manifest for the Vulkan loader.
    pub(crate) driver_manifest: PathBuf,
}

/// Brings together whatever is not there yet.
pub(crate) fn ensure(sh: &Shell, folder: &Path) -> Result<Pieces, Error> {
    let dlls = folder.join("dll");
    let pieces = Pieces {
        dlls: [dlls.join("d3dcompiler_47.dll"), dlls.join("bcryptprimitives.dll")],
        driver_libraries: folder.join("lavapipe/usr/lib/x86_64-linux-gnu"),
        driver_manifest: folder.join("lavapipe/lvp_icd.json"),
    };
    fs::create_dir_all(&dlls).map_err(Error::io("create", &dlls))?;
    compiler(sh, &pieces.dlls[0])?;
    random(sh, &pieces.dlls[1])?;
    driver(sh, folder, &pieces)?;
    Ok(pieces)
}

/// A folder that is empty, and gone afterwards.
fn scratch(folder: &Path) -> Result<tempfile::TempDir, Error> {
    tempfile::Builder::new()
        .prefix(".part-")
        .tempdir_in(folder)
        .map_err(Error::io("create a folder in", folder))
}

fn compiler(sh: &Shell, place: &Path) -> Result<(), Error> {
    if is(sh, place, COMPILER_SHA256) {
        return Ok(());
    }
    console::status("Fetching", &format!("d3dcompiler_47.dll of {COMPILER_WHEEL}"));
    let parts = scratch(place.parent().expect("below a folder"))?;
    let at = parts.path();
    let download = || {
        cmd!(
            sh,
            "python3 -m pip download --quiet --no-deps --only-binary=:all: --platform win_amd64 --python-version 3.12
             --implementation cp --dest {at} {COMPILER_WHEEL}"
        )
        .quiet()
        .ignore_stdout()
        .run()
    };
    attempt(COMPILER_WHEEL, download)?;
    let wheel = only_file(at)?;
    cmd!(sh, "python3 -m zipfile -e {wheel} {at}").quiet().run()?;
    let dll = find(at, "d3dcompiler_47.dll")?;
    expect(sh, &dll, COMPILER_SHA256, COMPILER_WHEEL)?;
    move_to(&dll, place)
}

fn random(sh: &Shell, place: &Path) -> Result<(), Error> {
    let source = place.with_extension("c");
    if place.is_file() && fs::read_to_string(&source).is_ok_and(|text| text == RANDOM_SOURCE) {
        return Ok(());
    }
    let parts = scratch(place.parent().expect("below a folder"))?;
    let dll = parts.path().join("bcryptprimitives.dll");
    let text = parts.path().join("bcryptprimitives.c");
    files::write(&text, RANDOM_SOURCE.as_bytes())?;
    cmd!(
        sh,
        "x86_64-w64-mingw32-gcc -Wall -Werror -O1 -s -shared -Wl,--no-insert-timestamp -o {dll} {text} -ladvapi32"
    )
    .quiet()
    .run()?;
    move_to(&dll, place)?;
    // Last: it says that the library beside it was made from it.
    move_to(&text, &source)
}

fn driver(sh: &Shell, folder: &Path, pieces: &Pieces) -> Result<(), Error> {
    let stamp = folder.join("lavapipe/unpacked");
    let wanted: String = DRIVER_PACKAGES
        .iter()
        .map(|(name, version, sha256)| format!("{name} {version} {sha256}\n"))
        .collect();
    if fs::read_to_string(&stamp).is_ok_and(|text| text == wanted) {
        return Ok(());
    }
    console::status(
        "Fetching",
        &format!("lavapipe {} of {DRIVER_SUITE}", DRIVER_PACKAGES[0].1),
    );
    let parts = scratch(folder)?;
    let apt = Apt::new(sh, parts.path())?;
    let unpacked = parts.path().join("lavapipe");
    for (name, version, sha256) in DRIVER_PACKAGES {
        let package = apt.download(sh, name, version)?;
        expect(sh, &package, sha256, &format!("{name} {version}"))?;
        cmd!(sh, "dpkg -x {package} {unpacked}").quiet().run()?;
    }
    let library = pieces.driver_libraries.join("libvulkan_lvp.so");
    let manifest = serde_json::json!({
        "file_format_version": "1.0.0",
        "ICD": { "library_path": library, "api_version": "1.4.305" }
    });
    files::write(&unpacked.join("lvp_icd.json"), files::json(&manifest).as_bytes())?;
    files::write(&unpacked.join("unpacked"), wanted.as_bytes())?;
    move_to(&unpacked, &folder.join("lavapipe"))
}

/// Apt with a state of its own, so that nothing of the machine's changes and no root is needed.
struct Apt {
    folder: PathBuf,
}

impl Apt {
    /// Reads the package list of [`DRIVER_SUITE`] from the mirror that this machine already uses.
    fn new(sh: &Shell, parts: &Path) -> Result<Self, Error> {
        let format = "$(CODENAME) $(REPO_URI)";
        let targets = cmd!(sh, "apt-get indextargets --format {format}").quiet().read()?;
        let mirror = targets.lines().find_map(|line| line.strip_prefix("bookworm "));
        let mirror = mirror.ok_or_else(|| {
            Error::Failed(
                "apt has no source of Debian bookworm here, and so none of its backports; \
                 Wine's Direct3D 12 needs their lavapipe"
                    .to_owned(),
            )
        })?;
        let apt = Self {
            folder: parts.join("apt"),
        };
        let source = format!(
            "Types: deb\nURIs: {mirror}\nSuites: {DRIVER_SUITE}\nComponents: main\n\
             Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n"
        );
        files::write(&apt.folder.join("backports.sources"), source.as_bytes())?;
        files::write(&apt.folder.join("status"), b"")?;
        // Without the option a list that could not be fetched is a warning.
        let update = || {
            let update = apt
                .command(sh)
                .args(["update", "-qq", "-o", "APT::Update::Error-Mode=any"]);
            update.run()
        };
        attempt(&format!("the list of {DRIVER_SUITE}"), update)?;
        Ok(apt)
    }

    fn download(&self, sh: &Shell, name: &str, version: &str) -> Result<PathBuf, Error> {
        let place = self.folder.join(name);
        fs::create_dir_all(&place).map_err(Error::io("create", &place))?;
        let _there = sh.push_dir(&place);
        let package = format!("{name}={version}");
        attempt(&package, || self.command(sh).args(["download", "-qq", &package]).run())?;
        only_file(&place)
    }

    fn command<'a>(&self, sh: &'a Shell) -> xshell::Cmd<'a> {
        let folder = self.folder.display();
        let options = [
            format!("Dir::State={folder}"),
            format!("Dir::State::status={folder}/status"),
            format!("Dir::State::lists={folder}/lists"),
            format!("Dir::Cache={folder}/cache"),
            format!("Dir::Etc::sourcelist={folder}/backports.sources"),
            "Dir::Etc::sourceparts=/dev/null".to_owned(),
            // Root's apt would hand the download to a user who may not write here, and warn.
            "APT::Sandbox::User=root".to_owned(),
        ];
        let options = options.iter().flat_map(|option| ["-o", option.as_str()]);
        cmd!(sh, "apt-get").args(options).quiet().ignore_stdout()
    }
}

/// Fetches, and again if the network fails; what fails thrice is named.
fn attempt(what: &str, fetch: impl Fn() -> xshell::Result<()>) -> Result<(), Error> {
    let mut pauses = [2, 10].into_iter();
    loop {
        match (fetch(), pauses.next()) {
            (Ok(()), _) => return Ok(()),
            (Err(error), Some(seconds)) => {
                console::warning(&format!("{what}: {error}; once more in {seconds} s"));
                std::thread::sleep(Duration::from_secs(seconds));
            }
            (Err(error), None) => {
                return Err(Error::Failed(format!(
                    "{what}: cannot be fetched ({error}); Windows programs are not run without it. \
                     `cargo xtask ci --no-windows` leaves them out"
                )));
            }
        }
    }
}

/// Whether a file has the checksum.
fn is(sh: &Shell, path: &Path, sha256: &str) -> bool {
    path.is_file() && checksum(sh, path).is_ok_and(|actual| actual == sha256)
}

/// Refuses a file that is not the one expected.
fn expect(sh: &Shell, path: &Path, sha256: &str, what: &str) -> Result<(), Error> {
    let actual = checksum(sh, path)?;
    if actual == sha256 {
        return Ok(());
    }
    Err(Error::Failed(format!(
        "{what}: its SHA-256 is {actual} where {sha256} is expected; it is not used"
    )))
}

/// A file's SHA-256.
pub(crate) fn checksum(sh: &Shell, path: &Path) -> Result<String, Error> {
    let line = cmd!(sh, "sha256sum --binary {path}").quiet().read()?;
    // A backslash stands before the sum of a file whose name has one.
    let sum = line.trim_start_matches('\\').split(' ').next().unwrap_or_default();
    Ok(sum.to_owned())
}

/// The one file in a folder.
fn only_file(folder: &Path) -> Result<PathBuf, Error> {
    let entries = fs::read_dir(folder).map_err(Error::io("read", folder))?;
    let mut paths = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.is_file());
    match (paths.next(), paths.next()) {
        (Some(path), None) => Ok(path),
        _ => Err(Error::Failed(format!(
            "{}: one file is expected there",
            folder.display()
        ))),
    }
}

/// A file by its name, anywhere below a folder.
fn find(folder: &Path, name: &str) -> Result<PathBuf, Error> {
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).map_err(Error::io("read", &folder))? {
            let path = entry.map_err(Error::io("read", &folder))?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.file_name().is_some_and(|n| n == name) {
                return Ok(path);
            }
        }
    }
    Err(Error::Failed(format!("{}: there is no {name} in it", folder.display())))
}

/// Puts a file or folder where an older one may be.
fn move_to(from: &Path, to: &Path) -> Result<(), Error> {
    if to.is_dir() {
        fs::remove_dir_all(to).map_err(Error::io("remove", to))?;
    }
    fs::rename(from, to).map_err(Error::io("move a file to", to))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_file_with_another_checksum_is_refused() {
        let sh = Shell::new().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("piece.dll");
        fs::write(&path, "abc").unwrap();
        // The example of FIPS 180-2.
        let sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        expect(&sh, &path, sha256, "piece").unwrap();
        assert!(is(&sh, &path, sha256));
        fs::write(&path, "abd").unwrap();
        assert!(!is(&sh, &path, sha256));
        let message = expect(&sh, &path, sha256, "piece 1.0").unwrap_err().to_string();
        assert!(message.contains("piece 1.0") && message.contains(sha256), "{message}");
        assert!(!is(&sh, &folder.path().join("none"), sha256));
    }

    #[test]
    fn a_piece_is_found_in_what_was_unpacked() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b/piece.dll");
        files::write(&path, b"x").unwrap();
        assert_eq!(find(folder.path(), "piece.dll").unwrap(), path);
        assert!(
            find(folder.path(), "other.dll")
                .unwrap_err()
                .to_string()
                .contains("other.dll")
        );
        assert_eq!(only_file(path.parent().unwrap()).unwrap(), path);
        only_file(folder.path()).unwrap_err();
    }
}
