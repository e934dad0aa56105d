//! `cargo xtask setup`: the system packages that the software adapters need.

use std::path::Path;

use xshell::{Shell, cmd};

use crate::{error::Error, exit::Exit};

/// What Mesa's Vulkan and OpenGL drivers on the CPU consist of, by Debian's names.
const PACKAGES: [&str; 4] = ["mesa-vulkan-drivers", "libvulkan1", "libegl1", "libgl1-mesa-dri"];

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  cargo xtask setup --dry-run")]
pub(crate) struct Flags {
    /// Only say what would be installed
    #[arg(long)]
    dry_run: bool,
}

pub(crate) fn run(flags: &Flags) -> Result<Exit, Error> {
    let sh = Shell::new()?;
    let Some(missing) = missing(&sh, &PACKAGES) else {
        anstream::println!("setup: {}", advice());
        return Ok(Exit::Pass);
    };
    if missing.is_empty() {
        anstream::println!("setup: nothing to do, {} are installed", PACKAGES.join(", "));
    } else if flags.dry_run {
        anstream::println!("setup: would install {}", missing.join(", "));
    } else {
        install(&sh, &missing)?;
    }
    Ok(Exit::Pass)
}

/// Installs whatever is missing, for commands that offer `--setup`.
pub(crate) fn ensure(sh: &Shell) -> Result<(), Error> {
    match missing(sh, &PACKAGES) {
        None => anstream::eprintln!("setup: {}", advice()),
        Some(missing) if missing.is_empty() => {}
        Some(missing) => install(sh, &missing)?,
    }
    Ok(())
}

/// What a person can do about missing software adapters, when `--setup` was not given; nothing when all is there.
pub(crate) fn hint(sh: &Shell) -> Option<String> {
    let missing = missing(sh, &PACKAGES).filter(|missing| !missing.is_empty())?;
    Some(format!(
        "not installed: {}; `cargo xtask setup` installs them",
        missing.join(", ")
    ))
}

/// Whether this system is one that [`ensure`] can set up.
pub(crate) fn is_possible() -> bool {
    Path::new("/usr/bin/dpkg-query").exists() && Path::new("/usr/bin/apt-get").exists()
}

/// Those of `packages` that are not installed; `None` where packages have no Debian names.
pub(crate) fn missing<'a>(sh: &Shell, packages: &[&'a str]) -> Option<Vec<&'a str>> {
    if !is_possible() {
        return None;
    }
    let is_installed = |package: &str| {
        let format = "--showformat=${db:Status-Status}\n";
        cmd!(sh, "dpkg-query --show {format} {package}")
            .quiet()
            .ignore_status()
            .ignore_stderr()
            .read()
            .is_ok_and(|status| status.lines().any(|line| line == "installed"))
    };
    Some(packages.iter().copied().filter(|p| !is_installed(p)).collect())
}

/// A program that fetches from npm or PyPI: how it says that it is there, and Debian's package of it. There are others.
pub(crate) type Fetcher = (&'static [&'static str], &'static str);

pub(crate) const NODE: Fetcher = (&["node", "--version"], "nodejs");
pub(crate) const NPM: Fetcher = (&["npm", "--version"], "npm");
pub(crate) const PIP: Fetcher = (&["python3", "-m", "pip", "--version"], "python3-pip");

/// The packages of those programs that are not there.
pub(crate) fn lacking(sh: &Shell, fetchers: &[Fetcher]) -> Vec<&'static str> {
    let is_there = |words: &[&str]| {
        let (program, arguments) = words.split_first().expect("a program and its arguments");
        let command = cmd!(sh, "{program} {arguments...}");
        command.quiet().ignore_stdout().ignore_stderr().run().is_ok()
    };
    let lacking = fetchers.iter().filter(|(words, _)| !is_there(words));
    lacking.map(|(_, package)| *package).collect()
}

/// Installs packages by their Debian names, with sudo when not root.
pub(crate) fn install(sh: &Shell, missing: &[&str]) -> Result<(), Error> {
    let is_root = cmd!(sh, "id -u").quiet().read()? == "0";
    let sudo: &[&str] = if is_root { &[] } else { &["sudo"] };
    anstream::eprintln!(
        "setup: installing {} with {}apt-get",
        missing.join(", "),
        if is_root { "" } else { "sudo " }
    );
    let env: &[&str] = &["env", "DEBIAN_FRONTEND=noninteractive"];
    let command = |arguments: &[&str]| {
        let mut words = sudo.iter().chain(env).chain(arguments);
        let program = words.next().expect("env is always there");
        cmd!(sh, "{program}").args(words)
    };
    // Networks fail for a moment; and a fresh machine may be installing something by itself.
    let patience = ["-o", "Acquire::Retries=3", "-o", "DPkg::Lock::Timeout=300"];
    // The package lists of a fresh machine are empty or stale; a failure here shows in the install.
    let update = command(&["apt-get", "update", "-qq"]).args(patience).ignore_status();
    update.quiet().run()?;
    command(&["apt-get", "install", "-y", "-qq", "--no-install-recommends"])
        .args(patience)
        .args(missing)
        .quiet()
        .ignore_stdout()
        .run()?;
    Ok(())
}

fn advice() -> &'static str {
    if cfg!(target_os = "macos") {
        "macOS has Metal, nothing to install"
    } else if cfg!(windows) {
        "Windows has DX12 (WARP where there is no GPU), nothing to install; \
         for Vulkan and GLES install your GPU's driver, or Mesa's for Windows"
    } else {
        "no apt here; install Mesa's Vulkan and OpenGL drivers: \
         mesa-vulkan-drivers vulkan-loader mesa-libEGL mesa-dri-drivers (Fedora), \
         vulkan-swrast mesa (Arch), mesa-vulkan-swrast vulkan-loader mesa-egl mesa-dri-gallium (Alpine)"
    }
}
