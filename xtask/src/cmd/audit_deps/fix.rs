//! Seeks a cure in the lock, proves it on a shadow copy, and writes it.

use std::{
    cell::RefCell,
    collections::HashMap,
    io::Write as _,
    path::{Path, PathBuf},
};

use super::{
    cargo::Cargo,
    except,
    locate::{self, Place},
    resolve::{self, Audited, Plan},
    shadow::Shadow,
};
use crate::{
    audit::{
        blocker::Blocker,
        cure::{self, Blocked, Cured, Outcome, Situation, Step},
        diamond::{Ground, Level},
        error::Error as AuditError,
        finding::{Finding, Meeting},
        graph::Graph,
        index::{self, Release},
        lock::{Lock, PackageId},
    },
    error::Error,
};

/// Everything a cure is sought with.
#[derive(Debug)]
pub(super) struct Fix<'a> {
    pub(super) cargo: &'a Cargo,
    pub(super) place: &'a Place,
    pub(super) plan: &'a Plan,
    pub(super) deny_warn: bool,
}

/// What came of it.
#[derive(Debug)]
pub(super) struct Fixed {
    pub(super) outcome: Outcome,
    /// The findings that remain.
    pub(super) after: Vec<Finding>,
    /// The proven text.
    lock: Lock,
}

/// A lock with its audit.
struct State {
    lock: Lock,
    findings: Vec<Finding>,
    contexts: Vec<resolve::Context>,
}

impl Fix<'_> {
    /// Cures one diamond after the other, errors first; warnings only where there are no errors.
    pub(super) fn seek(&self, audited: &Audited) -> Result<Fixed, Error> {
        let shadow = Shadow::new(self.cargo, self.place, audited)?;
        let index = Index {
            cargo: self.cargo,
            known: RefCell::default(),
        };
        let original = &self.place.lock;
        let mut outcome = Outcome::default();
        let mut state: Option<State> = None;
        loop {
            let (lock, findings, contexts) = match &state {
                None => (original, &audited.findings, &audited.contexts),
                Some(state) => (&state.lock, &state.findings, &state.contexts),
            };
            let selected = self.select(&audited.findings, findings);
            let is_open = |m: &&Meeting| !outcome.blocked.iter().any(|b| b.meeting.key() == m.key());
            let Some(meeting) = selected.into_iter().find(is_open) else {
                break;
            };
            let graphs: Vec<&Graph> = contexts.iter().map(|context| &context.graph).collect();
            let situation = Situation::new(meeting, &graphs);
            let mut tried = Vec::new();
            let releases = |name: &str| index.releases(name);
            let mut cured =
                self.first_that_holds(&shadow, (lock, findings), &situation, situation.redirects(), &mut tried)?;
            if cured.is_none() {
                let moves = situation.moves(&releases);
                cured = self.first_that_holds(&shadow, (lock, findings), &situation, moves, &mut tried)?;
            }
            match cured {
                Some((steps, next)) => {
                    outcome.cured.push(Cured {
                        meeting: meeting.clone(),
                        equivalent: cure::equivalent(&steps, &next.lock),
                        steps,
                    });
                    state = Some(next);
                }
                None => {
                    let graph = graphs
                        .iter()
                        .find(|graph| graph.packages.iter().any(|p| p.id == meeting.child))
                        .copied()
                        .unwrap_or(graphs[0]);
                    let mut blocker = Blocker::find(&situation, graph, &releases);
                    self.fit(&mut blocker, audited);
                    outcome.blocked.push(Blocked {
                        meeting: meeting.clone(),
                        tried,
                        blocker,
                    });
                }
            }
        }
        let (lock, after) = match state {
            Some(state) => (state.lock, state.findings),
            None => (original.clone(), audited.findings.clone()),
        };
        if lock.text != original.text {
            outcome.diff = cure::diff(&original.label, &original.text, &lock.text);
        }
        Ok(Fixed { outcome, after, lock })
    }

    /// Finds the lines that the advice is about: in the member's manifest, or in the root's where it inherits them.
    fn fit(&self, blocker: &mut Blocker, audited: &Audited) {
        let graphs = || audited.contexts.iter().map(|context| &context.graph);
        for advice in &mut blocker.advice {
            let mut packages = graphs().flat_map(|graph| &graph.packages);
            let member = packages.find(|p| p.id == advice.member);
            let own = member.and_then(|package| package.manifest.as_deref());
            for manifest in own.into_iter().chain([self.place.manifest.as_path()]) {
                let text = std::fs::read_to_string(manifest).unwrap_or_default();
                if advice.fit(&locate::label(manifest), &text) {
                    break;
                }
            }
        }
    }

    /// The diamonds to cure now. What counts is decided by the first audit, so that a cured error does not call
    /// warnings in.
    fn select<'f>(&self, first: &[Finding], now: &'f [Finding]) -> Vec<&'f Meeting> {
        let is_error =
            |finding: &Finding| finding.level == Level::Error || self.deny_warn && finding.level == Level::Warn;
        let has_errors = first.iter().any(|f| f.meeting().is_some() && is_error(f));
        let is_selected = |finding: &&Finding| {
            if has_errors {
                return is_error(finding);
            }
            // Raw bindings and splits by design are warned about for completeness; nobody needs them changed.
            finding.level == Level::Warn
                && finding
                    .meeting()
                    .is_some_and(|m| matches!(m.ground, Ground::Member | Ground::Unknown))
        };
        now.iter().filter(is_selected).filter_map(Finding::meeting).collect()
    }

    fn first_that_holds(
        &self,
        shadow: &Shadow,
        before: (&Lock, &[Finding]),
        situation: &Situation,
        candidates: Vec<cure::Candidate>,
        tried: &mut Vec<(String, String)>,
    ) -> Result<Option<(cure::Candidate, State)>, Error> {
        for steps in candidates {
            match self.try_candidate(shadow, before, &situation.meeting, &steps)? {
                Ok(state) => return Ok(Some((steps, state))),
                Err(why) => {
                    let shown: Vec<String> = steps.iter().map(Step::to_string).collect();
                    tried.push((shown.join(", then "), why));
                }
            }
        }
        Ok(None)
    }

    /// The outer error is a failure of this tool, the inner one the reason why the candidate is none.
    fn try_candidate(
        &self,
        shadow: &Shadow,
        (lock, findings): (&Lock, &[Finding]),
        meeting: &Meeting,
        steps: &[Step],
    ) -> Result<Result<State, String>, Error> {
        let mut now = lock.clone();
        for step in steps {
            shadow.write_lock(&now.text)?;
            let done = match step {
                Step::Precise { package, to } => {
                    let spec = format!("{}@{}", package.name, package.version);
                    self.cargo.update_precise(&shadow.manifest, &spec, &to.to_string())
                }
                Step::Redirect { from, old, new } => match now.redirected(from, old, new) {
                    Some(text) => self.settle(shadow, &text),
                    None => return Ok(Err(format!("the lock has no edge {from} → {old}"))),
                },
                Step::Align { from, new } => match now.find(from) {
                    None => return Ok(Err(format!("the lock has no {from}"))),
                    Some(package) => {
                        let mut targets = package.dependencies.iter().map(|e| &now.packages[e.to].id);
                        match targets.find(|id| id.name == new.name && *id != new).cloned() {
                            None => Ok(()),
                            Some(old) => match now.redirected(from, &old, new) {
                                Some(text) => self.settle(shadow, &text),
                                None => return Ok(Err(format!("the lock has no {new} any more"))),
                            },
                        }
                    }
                },
            };
            if let Err(error) = done {
                return Ok(Err(format!("cargo refuses: {}", reason(&error))));
            }
            now = shadow.read_lock()?;
        }
        if let Err(why) = cure::check_intended(lock, &now, steps) {
            return Ok(Err(why));
        }
        let mut audited = match resolve::audit(self.cargo, &shadow.manifest, self.plan) {
            Ok(audited) => audited,
            Err(error) => {
                return Ok(Err(format!("not accepted with --locked: {}", reason(&error))));
            }
        };
        except(&mut audited.findings, &self.place.config, false);
        if let Err(why) = is_better(findings, &audited.findings, meeting, self.deny_warn) {
            return Ok(Err(why));
        }
        Ok(Ok(State {
            lock: now,
            findings: audited.findings,
            contexts: audited.contexts,
        }))
    }

    /// Lets cargo read an edited lock without `--locked`: it drops what nobody needs any more, and it silently puts back
    /// an edge that no requirement admits, which [`cure::check_intended`] then finds.
    fn settle(&self, shadow: &Shadow, text: &str) -> Result<(), Error> {
        shadow.write_lock(text)?;
        let profile = &self.plan.profiles[0];
        self.cargo
            .metadata(&shadow.manifest, &profile.features, &profile.targets, false)
            .map(|_| ())
    }

    /// Writes the proven lock: backup beside it, atomic, checked once more in place, put back if that fails.
    pub(super) fn apply(&self, fixed: &mut Fixed) -> Result<(), Error> {
        if fixed.outcome.cured.is_empty() {
            return Ok(());
        }
        let original = &self.place.lock;
        // A link stays a link: what is replaced is the file it leads to.
        let path = std::fs::canonicalize(&self.place.lock_path).map_err(Error::io("find", &self.place.lock_path))?;
        let backup = write_backup(&path, &original.text)?;
        let unchanged = || -> Result<(), Error> {
            let now = std::fs::read_to_string(&path).map_err(Error::io("read", &path))?;
            if now == original.text {
                return Ok(());
            }
            // It would be a backup of something that was not replaced.
            std::fs::remove_file(&backup).map_err(Error::io("remove", &backup))?;
            Err(AuditError::LockChanged {
                lock: original.label.clone(),
            }
            .into())
        };
        replace(&path, &fixed.lock.text, &unchanged)?;
        let checked = resolve::audit(self.cargo, &self.place.manifest, self.plan)
            .map_err(|error| error.to_string())
            .and_then(|audited| {
                let mut findings = audited.findings;
                except(&mut findings, &self.place.config, false);
                match fixed.outcome.cured.iter().find(|cured| {
                    let still_there = |f: &Finding| {
                        f.level > Level::Info && f.meeting().is_some_and(|m| m.key() == cured.meeting.key())
                    };
                    findings.iter().any(still_there)
                }) {
                    Some(cured) => Err(format!("{} is still there", cured.meeting.child)),
                    None => Ok(()),
                }
            });
        if let Err(why) = checked {
            replace(&path, &original.text, &|| Ok(()))?;
            std::fs::remove_file(&backup).map_err(Error::io("remove", &backup))?;
            return Err(AuditError::Restored {
                lock: original.label.clone(),
                why,
            }
            .into());
        }
        let name = backup.file_name().unwrap_or_default();
        fixed.outcome.backup = Some(name.to_string_lossy().into_owned());
        Ok(())
    }
}

/// Beside the lock, under a name that no earlier backup has.
fn write_backup(lock: &Path, text: &str) -> Result<PathBuf, Error> {
    for number in 1_u32.. {
        let backup = lock.with_file_name(format!("Cargo.lock.audit-deps-{number}.bak"));
        let mut options = std::fs::OpenOptions::new();
        match options.write(true).create_new(true).open(&backup) {
            Ok(mut file) => {
                let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
                written.map_err(Error::io("write", &backup))?;
                return Ok(backup);
            }
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(Error::io("create", &backup)(error)),
        }
    }
    unreachable!("four billion backups")
}

/// Replaces a file in one step. `check` runs last before it.
fn replace(path: &Path, text: &str, check: &dyn Fn() -> Result<(), Error>) -> Result<(), Error> {
    let folder = path.parent().unwrap_or(path);
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(Error::io("write into", folder))?;
    file.write_all(text.as_bytes())
        .and_then(|()| file.as_file().sync_all())
        .map_err(Error::io("write", path))?;
    // A temporary file is for its owner alone; a lock is as readable as it was.
    let permissions = std::fs::metadata(path).map_err(Error::io("read", path))?.permissions();
    file.as_file()
        .set_permissions(permissions)
        .map_err(Error::io("write", path))?;
    check()?;
    file.persist(path)
        .map_err(|error| Error::io("replace", path)(error.error))?;
    Ok(())
}

/// Whether the diamond is gone and nothing as bad took its place. A new warning is a fair price for an error, unless
/// warnings are denied.
fn is_better(before: &[Finding], after: &[Finding], cured: &Meeting, deny_warn: bool) -> Result<(), String> {
    let names = |m: &Meeting| {
        let names = [&m.parent, &m.child, &m.child_uses].map(|id: &PackageId| id.name.as_str());
        names.join(" → ")
    };
    let count = |findings: &[Finding], least: Level| {
        let mut counts: HashMap<String, usize> = HashMap::new();
        for finding in findings.iter().filter(|f| f.level >= least) {
            if let Some(meeting) = finding.meeting() {
                *counts.entry(names(meeting)).or_default() += 1;
            }
        }
        counts
    };
    let n = |counts: &HashMap<String, usize>, names: &str| counts.get(names).copied().unwrap_or(0);
    let of_cured = names(cured);
    let (all_before, all_after) = (count(before, Level::Warn), count(after, Level::Warn));
    if n(&all_after, &of_cured) >= n(&all_before, &of_cured) {
        return Err("the two versions still meet".to_owned());
    }
    let was_error = before
        .iter()
        .any(|f| f.level == Level::Error && f.meeting().is_some_and(|m| m.key() == cured.key()));
    let least = if was_error && !deny_warn {
        Level::Error
    } else {
        Level::Warn
    };
    let (before, after) = (count(before, least), count(after, least));
    match after.iter().find(|(names, n_after)| n(&before, names) < **n_after) {
        Some((names, _)) => Err(format!("another split appears: {names}")),
        None => Ok(()),
    }
}

/// The first line of cargo's reason, for a list of what was tried.
fn reason(error: &Error) -> String {
    match error {
        Error::Audit(AuditError::Cargo { stderr, .. }) => {
            let line = stderr.lines().find(|line| line.trim_start().starts_with("error"));
            line.unwrap_or(stderr).trim().trim_start_matches("error: ").to_owned()
        }
        other => other.to_string(),
    }
}

/// What the registry has, looked up once per crate.
struct Index<'a> {
    cargo: &'a Cargo,
    known: RefCell<HashMap<String, Option<Vec<Release>>>>,
}

impl Index<'_> {
    fn releases(&self, name: &str) -> Option<Vec<Release>> {
        if let Some(known) = self.known.borrow().get(name) {
            return known.clone();
        }
        // Where the registry cannot be reached, what cargo has on disk is the best there is.
        self.cargo.refresh_index(name);
        let releases = newest_cache_file(name).and_then(|path| std::fs::read(path).ok());
        let releases = releases.map(|file| index::parse(&file)).filter(|list| !list.is_empty());
        self.known.borrow_mut().insert(name.to_owned(), releases.clone());
        releases
    }
}

/// Cargo keeps one folder per registry; a crate in several of them is read from the one written last.
fn newest_cache_file(name: &str) -> Option<PathBuf> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(std::env::home_dir()?.join(".cargo")))?;
    let registries = std::fs::read_dir(home.join("registry/index")).ok()?;
    let files = registries
        .flatten()
        .map(|registry| registry.path().join(".cache").join(index::path(name)));
    files
        .filter_map(|file| Some((std::fs::metadata(&file).ok()?.modified().ok()?, file)))
        .max()
        .map(|(_, file)| file)
}
