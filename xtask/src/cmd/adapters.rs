//! `cargo xtask adapters`: what this machine can measure on.

use xshell::Shell;

use crate::{
    cmd::{
        bench::{Backends, backends},
        setup,
    },
    error::Error,
    exit::Exit,
    host::{
        adapters::{Adapter, Listing, list},
        build, console,
    },
};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cargo xtask adapters
  cargo xtask adapters --setup --expect vulkan,gles    in CI, before anything is measured
  WGPU_ADAPTER_NAME=llvmpipe cargo xtask adapters")]
pub(crate) struct Flags {
    /// Install what is missing for the software adapters first
    #[arg(long)]
    setup: bool,
    /// Fail unless each of these backends has a usable adapter
    #[arg(long, value_name = "LIST", value_parser = backends)]
    expect: Option<Backends>,
}

pub(crate) fn run(flags: &Flags) -> Result<Exit, Error> {
    let sh = Shell::new()?;
    if flags.setup {
        setup::ensure(&sh)?;
    }
    let listing = list(&build::listing()?)?;
    console::result(&table(&listing));
    if !flags.setup
        && let Some(hint) = setup::hint(&sh)
    {
        console::warning(&hint);
    }
    if let Some(Backends(expected)) = &flags.expect {
        let missing = missing(&listing, expected);
        if !missing.is_empty() {
            return Err(Error::Failed(format!("--expect: {}", missing.join("; "))));
        }
    }
    Ok(Exit::Pass)
}

/// The backends of `expected` without a usable adapter, each with the reason.
fn missing(listing: &Listing, expected: &[String]) -> Vec<String> {
    let is_there = |backend: &str| listing.picked.iter().any(|adapter| adapter.print.backend == backend);
    let reason = |backend: &str| {
        let absent = listing.absent.iter().find(|absent| absent.backend == backend);
        absent.map_or("not part of this system", |absent| absent.reason.as_str())
    };
    expected
        .iter()
        .filter(|backend| !is_there(backend))
        .map(|backend| format!("{backend} has no usable adapter: {}", reason(backend)))
        .collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backend_that_is_expected_and_absent_is_named_with_the_reason() {
        let adapter = r#"{"backend":"vulkan","name":"llvmpipe","kind":"software","driver":"llvmpipe","driver_version":"",
            "timestamps":true,"limits":null,"unusable":null}"#;
        let listing: Listing = serde_json::from_str(&format!(
            r#"{{"adapters":[{adapter}],"picked":[{adapter}],"absent":[{{"backend":"gles","reason":"no driver"}}]}}"#
        ))
        .unwrap();
        let check = |expected: &[&str], missing_ones: &[&str]| {
            let expected: Vec<String> = expected.iter().map(|&b| b.to_owned()).collect();
            assert_eq!(missing(&listing, &expected), missing_ones);
        };
        check(&["vulkan"], &[]);
        check(
            &["vulkan", "gles", "dx12"],
            &[
                "gles has no usable adapter: no driver",
                "dx12 has no usable adapter: not part of this system",
            ],
        );
    }
}
