//! Heads that do the same as the base and lie elsewhere: programs of commits that add a function which nothing calls, as what changes a
//! program nearly always moves what it does not change.

use std::{fs, path::Path};

use xshell::{Shell, cmd};

use crate::{ab::report::Side, error::Error, host::revision::Revisions};

/// How many there are: one place of the code says nothing of the next.
const PROGRAMS: usize = 5;
/// Lines of the smallest function; each is some 60 bytes of code.
const LINES: usize = 23;

const LIBRARY: &str = "src/lib.rs";
const BENCH: &str = "benches/executor/main.rs";
/// Where the bench takes the function's address, without which linkers would leave the function out.
const MAIN: &str = "fn main() -> ExitCode {\n";

/// Programs of the base's commit and a function more, built as `cargo xtask ab` builds any commit; suites take them in turns.
pub(super) fn heads(base: &Side, dir: &Path) -> Result<Vec<Side>, Error> {
    let revisions = Revisions::own()?;
    let mut builder = revisions.builder();
    let read = |side: &Side| fs::read(&side.program).map_err(Error::io("read", &side.program));
    let head = |times| {
        let commit = commit(revisions.project().folder(), &base.commit, times)?;
        let side = super::kept(&revisions, &mut builder, &commit, dir)?;
        if read(&side)? == read(base)? {
            let message = format!("{} makes the same program as {}", side.commit, base.commit);
            return Err(Error::Failed(message));
        }
        Ok(side)
    };
    (1..=PROGRAMS).map(head).collect()
}

/// Makes a commit that adds a function to another one, the longer the larger `times` is. No branch leads to it and no file is touched; the
/// same commit comes of the same one.
fn commit(folder: &Path, base: &str, times: usize) -> Result<String, Error> {
    let sh = Shell::new()?;
    sh.change_dir(folder);
    // The index of the work tree is somebody's.
    let scratch = tempfile::tempdir().map_err(Error::io("create", Path::new("a temporary folder")))?;
    sh.set_var("GIT_INDEX_FILE", scratch.path().join("index"));
    for who in ["AUTHOR", "COMMITTER"] {
        sh.set_var(format!("GIT_{who}_NAME"), "validate-gate");
        sh.set_var(format!("GIT_{who}_EMAIL"), "validate-gate");
        sh.set_var(format!("GIT_{who}_DATE"), "2026-01-01T00:00:00Z");
    }
    let file = |path: &str| -> Result<String, Error> { Ok(cmd!(sh, "git show {base}:{path}").quiet().read()? + "\n") };
    let bench = file(BENCH)?;
    if !bench.contains(MAIN) {
        return Err(Error::Failed(format!("{base}:{BENCH} has no `{}`", MAIN.trim_end())));
    }
    let address = "    std::hint::black_box(gpu_executor::unrelated as fn(u64) -> u64);\n";
    let changed = [
        (LIBRARY, file(LIBRARY)? + &function(LINES * times)),
        (BENCH, bench.replacen(MAIN, &format!("{MAIN}{address}"), 1)),
    ];
    cmd!(sh, "git read-tree {base}").quiet().run()?;
    for (path, text) in changed {
        let blob = cmd!(sh, "git hash-object -w --stdin").stdin(text).quiet().read()?;
        cmd!(sh, "git update-index --cacheinfo 100644,{blob},{path}")
            .quiet()
            .run()?;
    }
    let tree = cmd!(sh, "git write-tree").quiet().read()?;
    let commit = cmd!(sh, "git commit-tree {tree} -p {base} -m unrelated")
        .quiet()
        .read()?;
    Ok(commit)
}

/// A function of so many lines that no compiler makes shorter.
fn function(lines: usize) -> String {
    let line = |number: usize| {
        format!(
            "    if number % {} == {number} {{ number = std::hint::black_box(number ^ {number}); }}\n",
            number + 7
        )
    };
    let lines: String = (0..lines).map(line).collect();
    format!("\n#[doc(hidden)]\n#[inline(never)]\npub fn unrelated(mut number: u64) -> u64 {{\n{lines}    number\n}}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_more_is_all_that_a_commit_adds() {
        let dir = tempfile::tempdir().unwrap();
        let sh = Shell::new().unwrap();
        sh.change_dir(dir.path());
        sh.write_file(LIBRARY, "pub fn related() {}\n").unwrap();
        sh.write_file(BENCH, format!("{MAIN}    todo!()\n}}\n")).unwrap();
        let git = |args: &[&str]| {
            let name = ["-c", "user.name=n", "-c", "user.email=e"];
            cmd!(sh, "git {name...} {args...}")
                .quiet()
                .ignore_stderr()
                .read()
                .unwrap()
        };
        git(&["init", "--quiet", "--initial-branch", "main"]);
        git(&["add", "."]);
        git(&["commit", "--quiet", "--message", "first"]);
        let base = git(&["rev-parse", "HEAD"]);
        let make = |base: &str, times| commit(dir.path(), base, times);
        let made = make(&base, 2).unwrap();
        assert_eq!(make(&base, 2).unwrap(), made);
        assert_ne!(make(&base, 3).unwrap(), made);
        assert_eq!(
            git(&["diff", "--name-only", &base, &made]),
            format!("{BENCH}\n{LIBRARY}")
        );
        let removed = git(&["diff", "--numstat", &base, &made]);
        assert!(
            removed.lines().all(|line| line.split('\t').nth(1) == Some("0")),
            "{removed}"
        );
        let bench = git(&["show", &format!("{made}:{BENCH}")]);
        assert!(bench.contains("unrelated as fn"), "{bench}");
        assert_eq!(
            (git(&["status", "--porcelain"]), git(&["rev-parse", "HEAD"])),
            (String::new(), base.clone())
        );
        assert_eq!(git(&["branch", "--contains", &made]), "");

        sh.write_file(BENCH, "fn other() {}\n").unwrap();
        git(&["commit", "--quiet", "--all", "--message", "second"]);
        let message = make("HEAD", 1).unwrap_err().to_string();
        assert!(message.contains("has no `fn main"), "{message}");
    }
}
