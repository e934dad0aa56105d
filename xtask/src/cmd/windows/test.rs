//! `cargo xtask windows test`: all tests as Windows programs.

use std::time::Duration;

use xshell::Shell;

use super::Place;
use crate::{
    error::Error,
    exit::Exit,
    fingerprint::line,
    host::{
        adapters::{self, Listing},
        console,
        windows::{
            program::{self, Tally},
            toolchain::{Abi, Built, Toolchain},
        },
        workspace,
    },
};

/// The backends that Windows has, each of which must be there.
pub(super) const BACKENDS: [&str; 3] = ["dx12", "vulkan", "gles"];

/// How long one test program may take: the slowest takes four minutes under Wine on two cores.
const LIMIT: Duration = Duration::from_secs(20 * 60);

/// Tests that run cargo or rustc, of which there are none in Wine; on Windows they run.
const NEED_CARGO: [&str; 3] = [
    "audit_deps",
    "audit_deps_formats",
    "every_certain_edge_is_one_that_cargo_tree_prints",
];

/// Tests with several devices at a time, each of which takes up to 10 GB on Wine's Direct3D 12; on Windows they run.
const NEED_MEMORY: [&str; 4] = [
    "a_lost_device_is_an_error_and_a_new_executor_works",
    "a_device_lost_while_threads_use_it_is_an_error_in_each",
    "a_wait_that_takes_too_long_is_an_error_and_later_calls_are_right",
    "executors_on_one_adapter_do_not_get_in_each_others_way",
];

#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct Flags {
    /// Only the library's tests on these backends, of dx12, vulkan, gles [default: all, and xtask's tests]
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = clap::builder::PossibleValuesParser::new(BACKENDS))]
    backend: Option<Vec<String>>,
}

pub(super) fn run(sh: &Shell, toolchain: Toolchain, flags: &Flags) -> Result<Exit, Error> {
    console::status("Building", "tests for Windows");
    let built = toolchain.build(Abi::Gnu, &["test", "--no-run", "--workspace"])?;
    let place = Place::start(sh)?;
    let root = workspace::root();
    let (library, xtask): (Vec<&Built>, Vec<&Built>) = built
        .iter()
        .filter(|built| built.is_test)
        .partition(|built| built.folder == root);
    let listing = listing(&place, &built)?;
    let wanted = |backend: &&str| {
        flags
            .backend
            .as_ref()
            .is_none_or(|list| list.iter().any(|b| b == backend))
    };
    let mut lines = Vec::new();
    for backend in BACKENDS.into_iter().filter(wanted) {
        let adapter = adapter(&listing, backend)?;
        console::status("Testing", &format!("library on {backend}: {adapter}"));
        lines.push((
            format!("library on {backend}"),
            all(&place, &library, Some(backend))?,
            adapter,
        ));
    }
    if flags.backend.is_none() {
        console::status("Testing", "xtask");
        let tally = all(&place, &xtask, None)?;
        let left_out = match place {
            Place::Here => String::new(),
            Place::Wine(_) => format!("not run, as there is no cargo in Wine: {}", NEED_CARGO.join(", ")),
        };
        lines.push(("xtask".to_owned(), tally, left_out));
    }
    for (what, Tally { passed, ignored, .. }, rest) in lines {
        let ignored = if ignored > 0 {
            format!(", {ignored} ignored")
        } else {
            String::new()
        };
        console::result(&format!("{what:<17} {passed:>3} tests passed{ignored}  {rest}\n"));
    }
    Ok(Exit::Pass)
}

/// Runs the programs, the library's with one backend and the CPU; any failure ends it.
fn all(place: &Place, programs: &[&Built], backend: Option<&str>) -> Result<Tally, Error> {
    let mut sum = Tally::default();
    for built in programs {
        let mut command = place.command(&built.path);
        if let Place::Wine(_) = place {
            if NEED_CARGO.contains(&built.name.as_str()) {
                continue;
            }
            for test in NEED_CARGO {
                command.args(["--skip", test]);
            }
            for test in NEED_MEMORY.iter().filter(|_| backend == Some("dx12")) {
                command.args(["--skip", test]);
            }
            // Each device on Wine's Direct3D takes gigabytes.
            command.args(["--test-threads", "1"]);
        }
        // As cargo does; and with `CI`, tests that find no adapter fail.
        command
            .current_dir(&built.folder)
            .env("CARGO_MANIFEST_DIR", &built.folder)
            .env("CI", "true");
        if let Some(backend) = backend {
            command.env("GPU_EXECUTOR_BACKENDS", format!("cpu,{backend}"));
        }
        let name = [backend.unwrap_or("xtask"), &built.name].join(": ");
        let Tally {
            passed,
            failed,
            ignored,
        } = program::test(&name, &mut command, LIMIT)?;
        sum.passed += passed;
        sum.failed += failed;
        sum.ignored += ignored;
    }
    if sum.passed == 0 {
        return Err(Error::Failed("there were no tests to run".to_owned()));
    }
    Ok(sum)
}

/// The adapters that Windows programs see.
pub(super) fn listing(place: &Place, built: &[Built]) -> Result<Listing, Error> {
    let program = built.iter().find(|built| built.name == "adapters" && !built.is_test);
    let program = program.ok_or_else(|| Error::Failed("cargo built no program `adapters`".to_owned()))?;
    adapters::list(&place.script(&program.path)?)
}

/// The adapter of a backend, in words.
fn adapter(listing: &Listing, backend: &str) -> Result<String, Error> {
    let picked = listing.picked.iter().find(|adapter| adapter.print.backend == backend);
    let reason = || {
        listing
            .absent
            .iter()
            .find(|absent| absent.backend == backend)
            .map(|absent| absent.reason.as_str())
    };
    match picked {
        Some(adapter) => Ok(line(&adapter.print)),
        None => Err(Error::Failed(format!(
            "{backend}: {}",
            reason().unwrap_or("there is no adapter")
        ))),
    }
}
