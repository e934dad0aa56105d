//! How `cargo bench` starts a program. Cargo is given this program as the runner of the host, and starts it in the
//! place of each bench, in the bench's working folder and with its environment. What it writes down is what the
//! bench is started with later, whatever version of cargo the revision asks for.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use serde::{Deserialize, Serialize};

use super::error::Error;

/// First argument of the runner; the second is the folder to write to, the rest is the bench's command line.
pub(super) const ARGUMENT: &str = "__bench-gate-start";

/// One start.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Start {
    pub(super) program: PathBuf,
    pub(super) folder: PathBuf,
    pub(super) environment: BTreeMap<String, String>,
}

/// Writes a start down if cargo started this program as a runner, which then has to end with the code.
///
/// Every program that builds revisions calls this first in `main`.
#[must_use]
pub fn note_if_runner() -> Option<ExitCode> {
    let mut args = std::env::args_os().skip(1);
    if args.next()? != ARGUMENT {
        return None;
    }
    let noted = match (args.next(), args.next()) {
        (Some(folder), Some(program)) => note(Path::new(&folder), program),
        _ => Err(std::io::Error::other("a folder and a program are expected")),
    };
    Some(if noted.is_ok() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn note(folder: &Path, program: OsString) -> std::io::Result<()> {
    let start = Start {
        program: program.into(),
        folder: std::env::current_dir()?,
        environment: std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect(),
    };
    let json = serde_json::to_vec(&start).map_err(std::io::Error::other)?;
    fs::write(folder.join(format!("{}.json", std::process::id())), json)
}

/// Reads the starts in a folder.
pub(super) fn read(folder: &Path) -> Result<Vec<Start>, Error> {
    let mut starts = Vec::new();
    for entry in fs::read_dir(folder).map_err(Error::io("read", folder))? {
        let path = entry.map_err(Error::io("read", folder))?.path();
        let text = fs::read(&path).map_err(Error::io("read", &path))?;
        let start = serde_json::from_slice(&text).map_err(std::io::Error::from);
        starts.push(start.map_err(Error::io("understand", &path))?);
    }
    Ok(starts)
}

impl Start {
    /// The variables that cargo set or changed: nothing else of the environment is kept, which may hold secrets.
    pub(super) fn set_by_cargo(&self) -> BTreeMap<String, String> {
        let differs = |name: &str, value: &str| std::env::var_os(name).is_none_or(|ours| ours != *value);
        let set = self.environment.iter().filter(|(name, value)| differs(name, value));
        let ours = |name: &str| name == super::cargo::BUILD_DIR_ENV;
        set.filter(|(name, _)| !ours(name))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect()
    }
}
