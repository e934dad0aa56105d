//! The report as a person sees it: opened in a browser, by `tests/report-browser`.

use std::{fs, path::Path};

use xshell::{Shell, cmd};

use crate::{
    cmd::setup::{self, Fetcher, NODE, NPM},
    error::Error,
    host::{console, workspace},
};

const CHROMIUM: Fetcher = (&["chromium", "--version"], "chromium");
/// What the checker consists of.
const FILES: [&str; 3] = ["check.mjs", "package.json", "package-lock.json"];

/// Opens the latest run's report, and has everything checked that a program can see. Where node or chromium is missing, they are
/// installed if `with_setup` says so and the system has apt; else it is said that nothing was checked.
pub(crate) fn check(sh: &Shell, with_setup: bool) -> Result<(), Error> {
    let lacking = setup::lacking(sh, &[NODE, NPM, CHROMIUM]);
    let is_installed = with_setup && setup::is_possible();
    if !lacking.is_empty() && !is_installed {
        console::warning(&format!(
            "the report was not opened in a browser: {} missing here",
            lacking.join(", ")
        ));
        return Ok(());
    }
    if !lacking.is_empty() {
        setup::install(sh, &lacking)?;
    }
    let folder = workspace::target().join("report-browser");
    fs::create_dir_all(&folder).map_err(Error::io("create", &folder))?;
    let sources = workspace::root().join("tests/report-browser");
    for file in FILES {
        let (from, to) = (sources.join(file), folder.join(file));
        fs::copy(&from, &to).map_err(Error::io("copy", &from))?;
    }
    let pushed = sh.push_dir(&folder);
    cmd!(sh, "npm ci --ignore-scripts --no-audit --no-fund --silent")
        .quiet()
        .run()?;
    drop(pushed);
    // A comparison has figures that a run has not.
    for (name, runs) in [
        ("run", workspace::latest_run()?),
        ("comparison", sources.join("comparison")),
    ] {
        let page = folder.join(format!("{name}.html"));
        super::write(&[runs], &page)?;
        open(sh, &folder, &page)?;
    }
    Ok(())
}

fn open(sh: &Shell, folder: &Path, page: &Path) -> Result<(), Error> {
    let pictures = page.with_extension("pictures");
    fs::create_dir_all(&pictures).map_err(Error::io("create", &pictures))?;
    let _in = sh.push_dir(folder);
    cmd!(sh, "node check.mjs {page} {pictures}").quiet().run()?;
    Ok(())
}
