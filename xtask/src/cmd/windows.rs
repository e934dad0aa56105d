//! `cargo xtask windows`: the Windows half of this project, compiled, linked and run; on Linux under Wine.

mod bench;
mod check;
mod test;

use std::path::{Path, PathBuf};

use xshell::Shell;

use crate::{
    cmd::{ci::Steps, setup},
    error::Error,
    exit::Exit,
    host::{
        console,
        windows::{
            self,
            toolchain::{Abi, Toolchain},
            wine::Wine,
        },
        workspace,
    },
};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cargo xtask windows check --setup    install compiler and Wine (Debian), type-check for -gnu and -msvc
  cargo xtask windows test             run all tests as .exe on DX12, Vulkan and GLES
  cargo xtask windows bench            run the benches likewise; times taken under Wine are no DX12 times

On Windows the same commands run cargo as it is.")]
pub(crate) struct Flags {
    #[command(subcommand)]
    action: Action,
    /// Install the packages that are missing first (Debian)
    #[arg(long, global = true)]
    setup: bool,
}

#[derive(Clone, Debug, clap::Subcommand)]
enum Action {
    /// Type-check library, benches and xtask for Windows, with its two ABIs
    Check,
    /// Run the tests as Windows programs, the library's once per backend
    Test(test::Flags),
    /// Run the benches as Windows programs, for their results; times are labelled as Wine's
    Bench(bench::Flags),
}

pub(crate) fn run(flags: &Flags) -> Result<Exit, Error> {
    let sh = Shell::new()?;
    sh.change_dir(workspace::root());
    ready(&sh, flags.setup)?;
    let toolchain = Toolchain::here();
    match &flags.action {
        Action::Check => check::run(toolchain, check::abis(toolchain)),
        Action::Test(flags) => test::run(&sh, toolchain, flags),
        Action::Bench(flags) => bench::run(&sh, toolchain, flags),
    }
}

/// What `cargo xtask ci` runs of it: everything once.
pub(crate) fn ci(sh: &Shell, steps: &mut Steps) -> Result<(), Error> {
    let toolchain = Toolchain::here();
    steps.time("Windows' set-up", || ready(sh, true))?;
    // The tests are built for the other.
    steps.time("Windows' check", || check::run(toolchain, &[Abi::Msvc]))?;
    steps.time("Windows' build", || test::build(toolchain))?;
    steps.time("Windows' tests", || test::run(sh, toolchain, &test::Flags::default()))?;
    steps.time("Windows' bench", || bench::run(sh, toolchain, &bench::Flags::default()))?;
    Ok(())
}

/// Makes sure that what is needed is installed.
fn ready(sh: &Shell, install: bool) -> Result<(), Error> {
    if cfg!(windows) {
        return Ok(());
    }
    let missing = setup::missing(sh, &windows::PACKAGES).filter(|_| is_debian_12());
    let Some(mut missing) = missing else {
        return Err(Error::Failed(
            "Windows programs are built and run here with packages of Debian 12 only; on Windows, `cargo xtask windows` \
             works without them. `cargo xtask ci --no-windows` leaves them out"
                .to_owned(),
        ));
    };
    missing.extend(setup::lacking(sh, &[setup::PIP]));
    if missing.is_empty() {
        return Ok(());
    }
    if install {
        return setup::install(sh, &missing).map_err(|error| {
            Error::Failed(format!(
                "{}: cannot be installed ({error}), and no Windows program is built or run without; \
                 `cargo xtask ci --no-windows` leaves them out",
                missing.join(", ")
            ))
        });
    }
    Err(Error::Failed(format!(
        "not installed: {}; `--setup` installs them",
        missing.join(", ")
    )))
}

/// Other systems have other compilers and another Wine, whose places and gaps are not known here.
fn is_debian_12() -> bool {
    let release = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    release.lines().any(|line| line == "VERSION_CODENAME=bookworm")
}

/// Where Windows programs run.
enum Place {
    /// This is Windows.
    Here,
    Wine(Wine),
}

impl Place {
    fn start(sh: &Shell) -> Result<Self, Error> {
        if cfg!(windows) {
            return Ok(Self::Here);
        }
        let wine = Wine::start(sh)?;
        console::status("Running", &format!("on {}", windows::wine::version()?));
        Ok(Self::Wine(wine))
    }

    fn command(&self, program: &Path) -> std::process::Command {
        match self {
            Self::Here => std::process::Command::new(program),
            Self::Wine(wine) => wine.command(program),
        }
    }

    /// One program that starts the other, given without its arguments.
    fn script(&self, program: &Path) -> Result<PathBuf, Error> {
        match self {
            Self::Here => Ok(program.to_owned()),
            Self::Wine(wine) => wine.script(program),
        }
    }
}
