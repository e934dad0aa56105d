//! `--since`: which commit of the lock brought a split.

use std::{collections::HashMap, path::Path, process::Command};

use super::locate::Place;
use crate::{
    error::Error,
    finding::{Finding, Level, Meeting},
    lock::Lock,
};

/// A commit that changed the lock.
struct Commit {
    id: String,
    /// Its short name, day and subject.
    shown: String,
}

/// Notes for every error and warning with which commit after `revision` it came.
pub(super) fn find(place: &Place, revision: &str, findings: &mut [Finding]) -> Result<(), Error> {
    let folder = &place.root;
    let name = place.lock_path.file_name().unwrap_or_default().to_string_lossy();
    let range = format!("{revision}..HEAD");
    // The newest first, along the way that merges went.
    let log = git(
        folder,
        &[
            "log",
            "--first-parent",
            "--format=%H %h of %as: %s",
            &range,
            "--",
            &name,
        ],
    )?;
    let commits: Vec<Commit> = log
        .lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(id, shown)| Commit {
            id: id.to_owned(),
            shown: shown.to_owned(),
        })
        .collect();
    let mut locks: HashMap<String, Option<Lock>> = HashMap::new();
    let mut has = |commit: &str, meeting: &Meeting| -> Result<bool, Error> {
        if !locks.contains_key(commit) {
            // There may have been no lock, or one that does not read.
            let text = git(folder, &["show", &format!("{commit}:./{name}")]);
            let lock = text.ok().and_then(|text| Lock::parse(&name, &text).ok());
            locks.insert(commit.to_owned(), lock);
        }
        Ok(locks[commit].as_ref().is_some_and(|lock| is_split(lock, meeting)))
    };
    for finding in findings.iter_mut().filter(|f| f.level > Level::Info) {
        let Some(meeting) = finding.meeting().cloned() else {
            continue;
        };
        let mut since = "the lock here brings it, and is not committed".to_owned();
        // HEAD's lock is that of the newest commit, or that of the revision itself.
        let head = commits.first().map_or(revision, |commit| &commit.id);
        if has(head, &meeting)? {
            since = format!("it is older than {revision}");
            for (index, commit) in commits.iter().enumerate() {
                let before = commits.get(index + 1).map_or(revision, |older| &older.id);
                if !has(before, &meeting)? {
                    since = format!("brought by commit {}", commit.shown);
                    break;
                }
            }
        }
        finding.since = Some(since);
    }
    Ok(())
}

/// Whether the two versions met in this lock, whatever the versions of those around them.
fn is_split(lock: &Lock, meeting: &Meeting) -> bool {
    let shared = &meeting.child_uses.name;
    let versions = |holder: &str| -> Vec<usize> {
        let packages = lock.packages.iter().filter(|p| p.id.name == holder);
        let edges = packages.flat_map(|p| &p.dependencies);
        edges
            .map(|e| e.to)
            .filter(|to| lock.packages[*to].id.name == *shared)
            .collect()
    };
    let own = meeting.other.as_ref().map_or(&meeting.parent, |other| &other.holder);
    let (own, theirs) = (versions(&own.name), versions(&meeting.holder.name));
    own.iter().any(|a| theirs.iter().any(|b| a != b))
}

fn git(folder: &Path, arguments: &[&str]) -> Result<String, Error> {
    let mut command = Command::new("git");
    command.arg("-C").arg(folder).args(arguments);
    // In a hook git names its own repository and index, which need not be those of the folder.
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("GIT_") {
            command.env_remove(name);
        }
    }
    let output = command.output().map_err(Error::io("run", Path::new("git")))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(Error::Usage {
        flag: "--since",
        what: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
    })
}
