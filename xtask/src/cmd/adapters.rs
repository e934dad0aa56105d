//! `cargo xtask adapters`: what this machine can measure on.

use xshell::Shell;

use crate::{
    cmd::setup,
    error::Error,
    exit::Exit,
    host::{
        adapters::{Adapter, Listing, list},
        build, console,
    },
};

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  cargo xtask adapters\n  WGPU_ADAPTER_NAME=llvmpipe cargo xtask adapters")]
pub(crate) struct Flags {}

pub(crate) fn run(_: &Flags) -> Result<Exit, Error> {
    let listing = list(&build::listing()?)?;
    console::result(&table(&listing));
    if let Some(hint) = setup::hint(&Shell::new()?) {
        console::warning(&hint);
    }
    Ok(Exit::Pass)
}

/// One paragraph per adapter, the one that is measured marked.
fn table(listing: &Listing) -> String {
    let mut text = String::new();
    for adapter in &listing.adapters {
        let is_picked = listing.picked.iter().any(|picked| picked.print == adapter.print);
        text.push_str(&paragraph(adapter, is_picked));
    }
    for absent in &listing.absent {
        text.push_str(&format!("{}: not measured: {}\n", absent.backend, absent.reason));
    }
    text
}

fn paragraph(adapter: &Adapter, is_picked: bool) -> String {
    let print = &adapter.print;
    let mut text = format!(
        "{}: {}\n  {}, driver {} {}\n",
        print.backend, print.name, print.kind, print.driver, print.driver_version
    );
    if let Some(limits) = adapter.limits {
        let timestamps = if adapter.timestamps { "yes" } else { "no" };
        text.push_str(&format!(
            "  largest buffer {} MiB, largest binding {} MiB, {} workgroups a dimension, timestamps {timestamps}\n",
            limits.buffer_bytes >> 20,
            limits.storage_binding_bytes >> 20,
            limits.workgroups_per_dimension
        ));
    }
    match &adapter.unusable {
        Some(reason) => text.push_str(&format!("  cannot be used: {reason}\n")),
        None if is_picked => text.push_str("  measured by `cargo xtask bench`\n"),
        None => text.push_str("  not measured unless WGPU_ADAPTER_NAME names it\n"),
    }
    text
}
