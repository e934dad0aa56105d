//! `cargo xtask windows check`: does all of it compile for Windows?

use crate::{
    error::Error,
    exit::Exit,
    host::{
        console,
        windows::toolchain::{Abi, Toolchain},
    },
};

/// Both where there are both: Windows' own toolchain has one.
pub(super) fn abis(toolchain: Toolchain) -> &'static [Abi] {
    match toolchain {
        Toolchain::Native => &[Abi::Msvc],
        Toolchain::Debian => &[Abi::Gnu, Abi::Msvc],
    }
}

pub(super) fn run(toolchain: Toolchain, abis: &[Abi]) -> Result<Exit, Error> {
    for &abi in abis {
        console::status("Check", &format!("library, benches and xtask for {}", abi.target()));
        let status = toolchain
            .cargo(abi, &["check", "--workspace", "--all-targets"])
            .status()
            .map_err(|error| Error::Failed(format!("cannot run cargo: {error}")))?;
        if !status.success() {
            return Err(Error::Failed(format!(
                "it does not compile for {}; the compiler's message is above",
                abi.target()
            )));
        }
    }
    Ok(Exit::Pass)
}
