//! `cargo xtask windows test`: all tests as Windows programs.

use std::{
    sync::Mutex,
    time::{Duration, Instant},
};

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
            self,
            passed::Passed,
            piece,
            program::{self, Limits, Tally},
            toolchain::{Abi, Built, Toolchain},
            wine,
        },
        workspace,
    },
};

/// The backends that Windows has, each of which must be there.
pub(super) const BACKENDS: [&str; 3] = ["dx12", "vulkan", "gles"];

/// What one test program may take.
const LIMITS: Limits = Limits {
    time: Duration::from_secs(20 * 60),
    bytes: 8 << 30,
};

/// Test programs, by package, that run cargo, of which there is none in Wine; on Windows they run.
const NEED_CARGO: [&str; 8] = [
    "split-audit/formats",
    "split-audit/published",
    "split-audit/splits",
    "split-audit/team",
    "split-audit/worlds",
    "bench-gate/criterion_versions",
    "bench-gate/gate",
    "bench-gate/programs",
];

/// Tests that run cargo or git, likewise.
const NEED_PROGRAMS: [&str; 3] = [
    "command::certainty::every_certain_edge_is_one_that_cargo_tree_prints",
    "cmd::bench::recheck::tests::no_other_commit_takes_the_place_of_one_that_is_not_known",
    "cmd::validate_gate::rebuilt::tests::a_function_more_is_all_that_a_commit_adds",
];

/// Test programs whose stand-ins are shell scripts: there are no tests in them outside of Unix.
const UNIX_ONLY: [&str; 10] = [
    "ab",
    "ab_faults",
    "action",
    "appeal",
    "baseline",
    "bench",
    "bisect",
    "merge",
    "peers",
    "workflows",
];

#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct Flags {
    /// Only the library's tests on these backends, of dx12, vulkan, gles [default: all, and xtask's tests]
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = clap::builder::PossibleValuesParser::new(BACKENDS))]
    backend: Option<Vec<String>>,
    /// Run test programs that have passed under this Wine, too
    #[arg(long)]
    again: bool,
}

/// Builds the tests, unless they are.
pub(super) fn build(toolchain: Toolchain) -> Result<Vec<Built>, Error> {
    console::status("Building", "tests for Windows");
    toolchain.build(Abi::Gnu, &["test", "--no-run", "--workspace"])
}

pub(super) fn run(sh: &Shell, toolchain: Toolchain, flags: &Flags) -> Result<Exit, Error> {
    let built = build(toolchain)?;
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
    for backend in BACKENDS.into_iter().filter(wanted) {
        let adapter = adapter(&listing, backend)?;
        console::status("Testing", &format!("library on {backend}: {adapter}"));
        let passed = passed(sh, &place, &adapter)?;
        let tests = Tests {
            place: &place,
            backend: Some(backend),
            passed: passed.as_ref(),
            again: flags.again,
        };
        say(&format!("library on {backend}"), tests.run(&library)?, &adapter);
    }
    if flags.backend.is_none() {
        console::status("Testing", "xtask");
        let tests = Tests {
            place: &place,
            backend: None,
            // Its tests read files of the repository, which may be others.
            passed: None,
            again: flags.again,
        };
        let tally = tests.run(&xtask)?;
        let left_out = match place {
            Place::Here => String::new(),
            Place::Wine(_) => format!(
                "not run, as Wine has no cargo and no git: {}, {}",
                NEED_CARGO.join(", "),
                NEED_PROGRAMS.join(", ")
            ),
        };
        say("xtask", tally, &left_out);
    }
    Ok(Exit::Pass)
}

/// Says at once what passed: what comes next may fail.
fn say(what: &str, tally: Tally, rest: &str) {
    let mut notes = String::new();
    if tally.ignored > 0 {
        notes += &format!(", {} ignored", tally.ignored);
    }
    if let Some(bytes) = tally.most_bytes {
        notes += &format!(", {} MB at most", bytes >> 20);
    }
    console::result(&format!("{what:<17} {:>3} tests passed{notes}  {rest}\n", tally.passed));
}

/// What passed before on an adapter; `None` on Windows, where drivers change behind every name.
fn passed(sh: &Shell, place: &Place, adapter: &str) -> Result<Option<Passed>, Error> {
    let Place::Wine(wine) = place else { return Ok(None) };
    let under = format!("{}; {}; {adapter}", wine.contents(sh)?, windows::below(sh)?);
    Ok(Some(Passed::new(windows::folder().join("passed"), under)))
}

/// How test programs are run.
struct Tests<'a> {
    place: &'a Place,
    /// For the library's: beside the CPU.
    backend: Option<&'a str>,
    passed: Option<&'a Passed>,
    again: bool,
}

impl Tests<'_> {
    /// Runs the programs; after a failure no further one begins.
    fn run(&self, programs: &[&Built]) -> Result<Tally, Error> {
        // A program runs one test at a time under Wine, so that there is a core for the next program.
        let lanes = match self.place {
            Place::Here => 1,
            Place::Wine(_) => std::thread::available_parallelism().map_or(1, usize::from),
        };
        let needs_cargo = |built: &Built| {
            let package = built.folder.file_name().unwrap_or_default().to_string_lossy();
            NEED_CARGO.contains(&format!("{package}/{}", built.name).as_str())
        };
        let programs = programs
            .iter()
            .filter(|built| matches!(self.place, Place::Here) || !needs_cargo(built));
        let left = Mutex::new(programs);
        let next = || left.lock().expect("nobody panics with it").next();
        let sum = Mutex::new(Ok(Tally::default()));
        std::thread::scope(|scope| {
            for _ in 0..lanes {
                scope.spawn(|| {
                    while sum.lock().expect("nobody panics with it").is_ok()
                        && let Some(built) = next()
                    {
                        let tally = self.one(built);
                        let mut sum = sum.lock().expect("nobody panics with it");
                        match (sum.as_mut(), tally) {
                            (Ok(sum), Ok(tally)) => sum.add(tally),
                            (Ok(_), Err(error)) => *sum = Err(error),
                            // The first is what is told.
                            (Err(_), _) => {}
                        }
                    }
                });
            }
        });
        sum.into_inner().expect("nobody panics with it")
    }

    fn one(&self, built: &Built) -> Result<Tally, Error> {
        let name = [self.backend.unwrap_or("xtask"), &built.name].join(": ");
        let Some(passed) = self.passed else {
            return self.test(&name, built);
        };
        let sha256 = piece::checksum(&Shell::new()?, &built.path)?;
        if !self.again
            && let Some(tally) = passed.tally(&name, &sha256)
        {
            console::status(
                "Passed",
                &format!("{name}, {} tests, when it was last run", tally.passed),
            );
            return Ok(tally);
        }
        passed.forget(&name);
        let tally = self.test(&name, built)?;
        passed.keep(&name, &sha256, tally)?;
        Ok(tally)
    }

    fn test(&self, name: &str, built: &Built) -> Result<Tally, Error> {
        let mut command = self.place.command(&built.path);
        if let Place::Wine(_) = self.place {
            command.arg("--exact");
            for test in NEED_PROGRAMS {
                command.args(["--skip", test]);
            }
            // Each device has its threads, and the CPU for its driver; other programs run beside this one.
            command.args(["--test-threads", "1"]);
        }
        // As cargo does; and with `CI`, tests that find no adapter fail.
        command
            .current_dir(&built.folder)
            .env("CARGO_MANIFEST_DIR", &built.folder)
            .env("CI", "true");
        if let Some(backend) = self.backend {
            command.env("GPU_EXECUTOR_BACKENDS", format!("cpu,{backend}"));
        }
        let start = Instant::now();
        let tally = program::test(name, &mut command, LIMITS)?;
        if tally.passed == 0 && (self.backend.is_some() || !UNIX_ONLY.contains(&built.name.as_str())) {
            return Err(Error::Failed(format!("{name}: there were no tests to run")));
        }
        let seconds = start.elapsed().as_secs();
        console::status("Passed", &format!("{name}, {} tests in {seconds} s", tally.passed));
        Ok(tally)
    }
}

/// The adapters that Windows programs see.
pub(super) fn listing(place: &Place, built: &[Built]) -> Result<Listing, Error> {
    let program = built.iter().find(|built| built.name == "adapters" && !built.is_test);
    let program = program.ok_or_else(|| Error::Failed("cargo built no program `adapters`".to_owned()))?;
    let mut listing = adapters::list(&place.script(&program.path)?)?;
    if let Place::Wine(_) = place {
        label(&mut listing)?;
    }
    Ok(listing)
}

/// Wine gives its Direct3D the name of a GPU, and Mesa's drivers are below all of it.
fn label(listing: &mut Listing) -> Result<(), Error> {
    let wine = wine::version()?;
    for adapter in listing
        .picked
        .iter_mut()
        .filter(|adapter| adapter.print.backend != "cpu")
    {
        adapter.print.kind = "software".to_owned();
        adapter.print.driver = format!("{} under {wine}", adapter.print.driver);
    }
    Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_without_tests_on_windows_are_those_that_say_so() {
        let folders = ["xtask/tests", "crates/bench-gate/tests", "crates/split-audit/tests"];
        let mut found: Vec<String> = folders
            .into_iter()
            .flat_map(|folder| std::fs::read_dir(workspace::root().join(folder)).unwrap())
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
            .filter(|path| std::fs::read_to_string(path).unwrap().contains("#![cfg(unix)]"))
            .map(|path| path.file_stem().unwrap().display().to_string())
            .collect();
        found.sort();
        assert_eq!(found, UNIX_ONLY);
    }
}
