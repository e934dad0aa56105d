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
        toolchain.check(abi, &["check", "--workspace", "--all-targets"])?;
    }
    Ok(Exit::Pass)
}
