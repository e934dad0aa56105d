//! `cargo xtask windows check`: does all of it compile for Windows?

use crate::{
    error::Error,
    exit::Exit,
    host::{
        console,
        windows::toolchain::{Abi, Toolchain},
    },
};

pub(super) fn run(toolchain: Toolchain) -> Result<Exit, Error> {
    let abis: &[Abi] = match toolchain {
        // Windows' own toolchain has one of them.
        Toolchain::Native => &[Abi::Msvc],
        Toolchain::Debian => &[Abi::Gnu, Abi::Msvc],
    };
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
