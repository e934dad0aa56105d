//! `cargo xtask audit-deps`: finds the version split that breaks a build, and proves the cure.

mod cargo;
#[cfg(test)]
mod certainty;
mod fix;
mod locate;
mod progress;
mod releases;
mod resolve;
mod shadow;
mod since;

use std::{
    mem::ManuallyDrop,
    path::{Path, PathBuf},
    process::ExitCode,
};

use self::{cargo::Cargo, locate::Place, progress::Progress, releases::Index, resolve::Plan};
use crate::{
    baseline,
    config::{self, Config},
    error::Error,
    family::Families,
    finding::{self, Level},
    graph::Graph,
    interop::Interop,
    lock::Lock,
    profile::{DEFAULT_TARGETS, Features, Profile},
    report::{self, Format, Report},
    rustc,
    source::Files,
    split::Judge,
    usage::Usage,
    why,
};

/// So many findings get a cure without `--fix`: each candidate is a resolution.
const UNASKED_CURES: usize = 3;

/// How an audit ended. The numbers are a contract with CI; other commands give other meanings to those above 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// No finding counts as an error; warnings and infos may be there.
    Clean = 0,
    /// At least one error.
    ErrorsFound = 3,
    /// `--apply` was asked for, and something the lock cannot cure remains.
    Blocked = 4,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// What an audit is asked, as command-line flags.
#[derive(Debug, clap::Args)]
pub struct Flags {
    /// A folder with a Cargo.toml, a Cargo.toml, or (with --lock-only) a Cargo.lock [default: .]
    path: Option<PathBuf>,
    /// The same as PATH
    #[arg(long, value_name = "PATH", conflicts_with = "path")]
    manifest_path: Option<PathBuf>,
    /// Read the lock alone: every target and feature at once, over-approximate
    #[arg(long, conflicts_with_all = ["target", "features", "all_features", "no_default_features", "profile", "no_dev", "fix", "apply"])]
    lock_only: bool,
    /// Audit this crate instead of the configured ones; repeatable [default: every duplicated crate but raw bindings]
    #[arg(long = "crate", value_name = "NAME", value_delimiter = ',')]
    crates: Vec<String>,
    /// Audit for this target; repeatable [default: `build.target` of cargo's
    /// configuration, or Windows, Linux, macOS and the host]
    #[arg(long, value_name = "TRIPLE", value_delimiter = ',')]
    target: Vec<String>,
    /// Features to turn on, as for cargo build
    #[arg(short = 'F', long, value_delimiter = ',')]
    features: Vec<String>,
    /// Turn on all features
    #[arg(long)]
    all_features: bool,
    /// Leave the default features off
    #[arg(long)]
    no_default_features: bool,
    /// Leave dev-dependencies out of account
    #[arg(long)]
    no_dev: bool,
    /// A profile of [workspace.metadata.split-audit], or TARGETS:FEATURES (`*`: all, `-default`: no default ones);
    /// repeatable [default: every configured one]
    #[arg(long, value_name = "PROFILE", conflicts_with_all = ["target", "features", "all_features", "no_default_features"])]
    profile: Vec<String>,
    /// Seek a change of the lock that cures the errors (or, where there are none, the warnings), prove it, show it
    #[arg(long)]
    fix: bool,
    /// As --fix, and write the lock
    #[arg(long)]
    apply: bool,
    /// Changes of the lock, and as many of manifests, to try for each finding; the nearest come first
    #[arg(long, value_name = "NUMBER", default_value_t = 24)]
    max_tries: usize,
    /// Do not seek cures for the first findings, as an audit does unasked
    #[arg(long, conflicts_with_all = ["fix", "apply"])]
    no_cure: bool,
    /// Read `cargo check --message-format=json` from this file, or `-` for a pipe: what the compiler blames on two versions
    /// is an error, and gets a cure
    #[arg(long, value_name = "FILE", conflicts_with = "lock_only")]
    from_rustc: Option<PathBuf>,
    /// Findings of this file are known, and count as infos; new ones fail
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    /// Write the errors and warnings there are into a file for --baseline
    #[arg(long, value_name = "FILE", conflicts_with = "baseline")]
    write_baseline: Option<PathBuf>,
    /// Say who pulls this package in, and by which requirement, instead of auditing
    #[arg(long, value_name = "CRATE[@VERSION]", conflicts_with_all = ["fix", "apply", "crates"])]
    why: Option<String>,
    /// Bring everybody who depends on this crate to this version of it, as far as that goes, and say who cannot and why;
    /// with --apply, write the lock
    #[arg(long, value_name = "CRATE@VERSION", conflicts_with_all = ["why", "fix", "lock_only", "from_rustc"])]
    unify: Option<String>,
    /// Name the commit of the lock, after this revision, that brought each split
    #[arg(long, value_name = "REVISION", conflicts_with_all = ["why", "unify"])]
    since: Option<String>,
    /// Raise warnings to errors
    #[arg(long, value_name = "LEVEL", value_parser = ["warn"])]
    deny: Option<String>,
    /// Form of the report
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Have cargo use no network
    #[arg(long)]
    offline: bool,
}

/// What stands under the flags in the help of a command of this name: exit codes and examples.
pub fn help(command: &str) -> String {
    format!(
        "Exit codes:\n  \
        0  no errors (warnings and infos included)\n  \
        1  the tool or cargo failed; nothing is said about the dependencies\n  \
        2  usage\n  \
        3  errors found\n  \
        4  --apply was asked for, and the lock cannot cure what remains; --unify leaves somebody out\n\n\
        Examples:\n  \
        {command}\n  \
        {command} --target x86_64-pc-windows-msvc --features dx12 --fix\n  \
        {command} --lock-only path/to/Cargo.lock\n  \
        {command} --why windows@0.58.0\n  \
        {command} --unify windows@0.58.0 --apply\n  \
        {command} --since origin/main"
    )
}

/// Cargo's colours, for clap.
pub fn styles() -> clap::builder::Styles {
    use anstyle::AnsiColor::{BrightCyan, BrightGreen, Cyan};
    clap::builder::Styles::styled()
        .header(BrightGreen.on_default().bold())
        .usage(BrightGreen.on_default().bold())
        .literal(BrightCyan.on_default().bold())
        .placeholder(Cyan.on_default())
}

/// Audits a workspace and prints the report. `command` is what the user typed, for messages that name it.
///
/// # Errors
/// What stopped the audit; [`Error::is_usage`] tells mistakes in the flags from failures.
pub fn run(flags: &Flags, command: &str) -> Result<Exit, Error> {
    audit(flags, command)
}

fn audit(flags: &Flags, command: &str) -> Result<Exit, Error> {
    check_names(&flags.crates)?;
    let given = flags.path.as_ref().or(flags.manifest_path.as_ref());
    let place = locate::locate(given.map(PathBuf::as_path), flags.lock_only, flags.offline)?;
    if flags.lock_only {
        return audit_lock(flags, command, &place);
    }
    let cargo = Cargo::new(&place.root, flags.offline);
    let profiles = profiles(flags, &place, &cargo)?;
    let plan = Plan {
        crates: crates(flags, &place.config),
        cfgs: cargo.cfgs(&profiles)?,
        profiles,
        interop: Interop::built_in()?,
        families: Families::built_in()?,
        index: Index::default(),
        files: ManuallyDrop::new(Files::default()),
        usage: Usage::default(),
        complaints: complaints(flags.from_rustc.as_deref())?,
        progress: Progress::start(),
    };
    let mut audited = resolve::audit(&cargo, &place.manifest, &plan)?;
    if let Some(asked) = &flags.why {
        let graphs = audited.contexts.iter().map(|c| (c.label.as_str(), &c.graph));
        return explain(asked, graphs.collect());
    }
    if let Some(asked) = &flags.unify {
        return unify(
            flags,
            asked,
            &fix::Fix {
                cargo: &cargo,
                place: &place,
                plan: &plan,
                deny_warn: false,
                limit: 0,
                max_tries: 0,
                refused: &audited.refused,
            },
            &audited,
        );
    }
    let is_whole = flags.profile.is_empty() && flags.target.is_empty() && flags.crates.is_empty();
    let mut warnings = except(&mut audited.findings, &place.config, is_whole);
    warnings.extend(absent(flags, &place.lock));
    warnings.extend(place.config.hint.clone());
    let broken = audited.unexplained.iter().map(|c| {
        format!(
            "{} in {}: two versions of `{}`, but no dependency of it that was read exposes them; `--crate {}` shows all it has",
            c.place, c.package, c.shared, c.shared
        )
    });
    let broken: Vec<String> = broken.collect();
    warnings.extend(audited.refused.iter().cloned());
    warnings.extend(baseline(flags, &mut audited.findings)?);
    if let Some(revision) = &flags.since {
        since::find(&place, revision, &mut audited.findings)?;
    }
    let deny_warn = flags.deny.is_some();
    let contexts: Vec<String> = audited.contexts.iter().map(|c| c.label.clone()).collect();
    let wants_all = flags.fix || flags.apply;
    let has_more = audited.findings.iter().any(|f| f.level > Level::Info);
    let outcome = if wants_all || has_more && !flags.no_cure {
        let fix = fix::Fix {
            cargo: &cargo,
            place: &place,
            plan: &plan,
            deny_warn,
            limit: if wants_all { usize::MAX } else { UNASKED_CURES },
            max_tries: flags.max_tries,
            refused: &audited.refused,
        };
        let mut outcome = fix.seek(&audited)?;
        if flags.apply {
            fix.apply(&mut outcome)?;
        }
        Some(outcome)
    } else {
        None
    };
    let after = outcome.as_ref().filter(|fixed| fixed.outcome.backup.is_some());
    let report = Report {
        command,
        lock: &place.lock,
        is_lock_only: false,
        crates: &plan.crates,
        contexts: &contexts,
        findings: &audited.findings,
        broken: &broken,
        warnings: &warnings,
        deny_warn,
        cure: outcome.as_ref().map(|fixed| &fixed.outcome),
        after: after.map(|fixed| fixed.after.as_slice()),
    };
    anstream::print!("{}", report.render(flags.format));
    if let Some(fixed) = &outcome
        && flags.apply
        && !fixed.outcome.blocked.is_empty()
    {
        return Ok(Exit::Blocked);
    }
    Ok(verdict(&report))
}

fn verdict(report: &Report<'_>) -> Exit {
    if report.n(report.after.unwrap_or(report.findings), Level::Error) > 0 {
        Exit::ErrorsFound
    } else {
        Exit::Clean
    }
}

fn audit_lock(flags: &Flags, command: &str, place: &Place) -> Result<Exit, Error> {
    let graph = Graph::from_lock(&place.lock);
    let label = "every target and feature of the lock".to_owned();
    if let Some(asked) = &flags.why {
        return explain(asked, vec![(label.as_str(), &graph)]);
    }
    let crates = crates(flags, &place.config);
    let interop = Interop::built_in()?;
    let judge = Judge {
        graph: &graph,
        interop: &interop,
        apis: None,
        usage: &Usage::default(),
        releases: &|_| None,
        asked: &crates,
        has_complaints: false,
    };
    let mut findings = finding::merge(finding::audit(&judge, &crates, &label));
    let mut warnings = except(&mut findings, &place.config, flags.crates.is_empty());
    warnings.extend(absent(flags, &place.lock));
    warnings.extend(place.config.hint.clone());
    warnings.extend(dangling(&place.lock, &crates, &interop)?);
    warnings.extend(baseline(flags, &mut findings)?);
    if let Some(revision) = &flags.since {
        since::find(place, revision, &mut findings)?;
    }
    let report = Report {
        command,
        lock: &place.lock,
        is_lock_only: true,
        crates: &crates,
        contexts: &[],
        findings: &findings,
        broken: &[],
        warnings: &warnings,
        deny_warn: flags.deny.is_some(),
        cure: None,
        after: None,
    };
    anstream::print!("{}", report.render(flags.format));
    Ok(verdict(&report))
}

/// What the compiler said, from a file or standard input.
fn complaints(from: Option<&Path>) -> Result<Vec<rustc::Complaint>, Error> {
    let Some(path) = from else { return Ok(Vec::new()) };
    let text = if path == Path::new("-") {
        std::io::read_to_string(std::io::stdin()).map_err(Error::io("read", path))?
    } else {
        std::fs::read_to_string(path).map_err(Error::io("read", path))?
    };
    Ok(rustc::parse(&text))
}

/// `--baseline` and `--write-baseline`. Returns what is to be said of known findings that are gone.
fn baseline(flags: &Flags, findings: &mut [finding::Finding]) -> Result<Vec<String>, Error> {
    if let Some(path) = &flags.write_baseline {
        std::fs::write(path, baseline::render(findings)).map_err(Error::io("write", path))?;
    }
    let Some(path) = &flags.baseline else {
        return Ok(Vec::new());
    };
    let text = std::fs::read_to_string(path).map_err(Error::io("read", path))?;
    let label = locate::label(path);
    let gone = baseline::lower(findings, &label, &text);
    Ok(gone
        .into_iter()
        .map(|line| format!("{label}: `{line}` is gone; remove the line"))
        .collect())
}

/// What is to be said of edges that lead nowhere; where one concerns an audited crate, nothing can be said at all.
fn dangling(lock: &Lock, crates: &[String], interop: &Interop) -> Result<Vec<String>, Error> {
    let mut warnings = Vec::new();
    for edge in &lock.dangling {
        let what = format!(
            "the dependency `{}` of {} is no package of this lock",
            edge.entry, edge.package
        );
        let name = edge.entry.split(' ').next().unwrap_or_default();
        let is_audited = |known: &str| match crates {
            [] => interop.is_shared(known),
            _ => crates.iter().any(|audited| audited == known),
        };
        if is_audited(name) || is_audited(&edge.package.name) {
            return Err(Error::Lock {
                lock: lock.label.clone(),
                line: edge.line,
                what: format!("{what}; restore the lock or let cargo repair it"),
            });
        }
        warnings.push(format!(
            "{}:{}: {what}; cargo will resolve it anew",
            lock.label, edge.line
        ));
    }
    Ok(warnings)
}

fn except(findings: &mut [finding::Finding], config: &Config, is_whole: bool) -> Vec<String> {
    let today = jiff::Zoned::now().date();
    config::except(findings, &config.exceptions, today, is_whole)
}

/// A version or a path in place of a name would match nothing, and so look clean.
fn check_names(crates: &[String]) -> Result<(), Error> {
    let is_name = |name: &str| {
        let mut letters = name.chars();
        !name.is_empty() && letters.all(|c| c.is_alphanumeric() || c == '-' || c == '_')
    };
    match crates.iter().find(|name| !is_name(name)) {
        None => Ok(()),
        Some(name) => Err(Error::Usage {
            flag: "--crate",
            what: format!("`{name}` is no crate's name; every version of a crate is audited"),
        }),
    }
}

/// The crates asked for by flag that are not in the lock at all: perhaps misspelt.
fn absent(flags: &Flags, lock: &Lock) -> Vec<String> {
    let is_absent = |name: &&String| lock.packages.iter().all(|package| package.id.name != **name);
    let missing = flags.crates.iter().filter(is_absent);
    let shown =
        missing.map(|name| format!("the lock has no package `{name}`, so nothing was audited for `--crate {name}`"));
    shown.collect()
}

fn crates(flags: &Flags, config: &Config) -> Vec<String> {
    let given = [&flags.crates, &config.crates]
        .into_iter()
        .find(|list| !list.is_empty());
    given.cloned().unwrap_or_default()
}

/// The profiles the flags ask for. A cure is proven against the configured ones too, whatever was asked for.
fn profiles(flags: &Flags, place: &Place, cargo: &Cargo) -> Result<Vec<Profile>, Error> {
    let configured = &place.config.profiles;
    let mut profiles = Vec::new();
    for text in &flags.profile {
        let named = configured.iter().find(|profile| profile.name == *text);
        let profile = match named {
            Some(profile) => profile.clone(),
            None => Profile::parse(text, !flags.no_dev)?.ok_or_else(|| {
                let known: Vec<&str> = configured.iter().map(|p| p.name.as_str()).collect();
                Error::UnknownProfile {
                    name: text.clone(),
                    manifest: place.manifest_label.clone(),
                    known: if known.is_empty() {
                        "none".to_owned()
                    } else {
                        known.join(", ")
                    },
                }
            })?,
        };
        profiles.push(profile);
    }
    let features = Features {
        all: flags.all_features,
        no_default: flags.no_default_features,
        named: flags
            .features
            .iter()
            .flat_map(|list| list.split_whitespace())
            .map(str::to_owned)
            .collect(),
    };
    let has_own = !flags.target.is_empty() || features != Features::default() || flags.no_dev;
    if profiles.is_empty() && (has_own || configured.is_empty()) {
        let targets = if flags.target.is_empty() {
            default_targets(cargo)?
        } else {
            flags.target.clone()
        };
        profiles.push(Profile {
            name: String::new(),
            targets,
            features,
            dev: !flags.no_dev,
        });
    }
    if profiles.is_empty() || flags.fix || flags.apply {
        for profile in configured {
            if !profiles.contains(profile) {
                profiles.push(profile.clone());
            }
        }
    }
    Ok(profiles)
}

/// What `build.target` of cargo's configuration names; without it, where programs mostly run, and this machine.
fn default_targets(cargo: &Cargo) -> Result<Vec<String>, Error> {
    let configured = cargo.build_targets()?;
    if !configured.is_empty() {
        return Ok(configured);
    }
    let mut targets = DEFAULT_TARGETS.map(str::to_owned).to_vec();
    let host = cargo.host()?;
    if !targets.contains(&host) {
        targets.push(host);
    }
    Ok(targets)
}

/// `--unify`.
fn unify(flags: &Flags, asked: &str, fix: &fix::Fix<'_>, audited: &resolve::Audited) -> Result<Exit, Error> {
    let usage = |what: String| Error::Usage { flag: "--unify", what };
    let wanted = asked.split_once('@');
    let wanted = wanted.and_then(|(name, version)| Some((name, semver::Version::parse(version).ok()?)));
    let (name, version) = wanted.ok_or_else(|| {
        usage(format!(
            "`{asked}` is not CRATE@VERSION with three numbers, as windows@0.58.0"
        ))
    })?;
    if fix.place.lock.packages.iter().all(|package| package.id.name != name) {
        return Err(usage(format!("the lock has no package `{name}`")));
    }
    let unified = fix.unify(audited, name, &version, flags.apply)?;
    anstream::print!("{}", report::unified(asked, &unified));
    Ok(if unified.cannot.is_empty() && unified.appears.is_empty() {
        Exit::Clean
    } else {
        Exit::Blocked
    })
}

/// `--why`.
fn explain(asked: &str, graphs: Vec<(&str, &Graph)>) -> Result<Exit, Error> {
    let (name, version) = match asked.split_once('@') {
        Some((name, version)) => (name, Some(version)),
        None => (asked, None),
    };
    let usage = |what: String| Error::Usage { flag: "--why", what };
    let mut there: Vec<String> = Vec::new();
    let mut out = String::new();
    for (label, graph) in graphs {
        for (index, package) in graph.packages.iter().enumerate() {
            if package.id.name != name {
                continue;
            }
            let found = package.id.version.to_string();
            if version.is_none_or(|wanted| wanted == found) {
                out.push_str(&format!("{} for {label}\n", package.id));
                for path in why::paths(graph, index) {
                    out.push_str(&why::render(graph, &path));
                    out.push_str("\n\n");
                }
            }
            if !there.contains(&found) {
                there.push(found);
            }
        }
    }
    if out.is_empty() {
        let what = if there.is_empty() {
            format!("no package `{name}` in the audited graphs")
        } else {
            format!("`{name}` is there as {}, not as asked: {asked}", there.join(", "))
        };
        return Err(usage(what));
    }
    anstream::print!("{out}");
    Ok(Exit::Clean)
}

/// Reads and parses a lock.
fn read_lock(path: &std::path::Path, label: &str) -> Result<Lock, Error> {
    let text = std::fs::read_to_string(path).map_err(Error::io("read", path))?;
    Lock::parse(label, &text)
}
