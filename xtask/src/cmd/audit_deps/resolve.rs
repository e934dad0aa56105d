//! Audits one workspace as cargo resolves it: the real one, or a shadow copy with another lock.

use std::{collections::HashMap, path::Path};

use cargo_metadata::Metadata;

use super::cargo::{Cargo, Cfgs, in_parallel};
use crate::{
    audit::{
        diamond::{self, Level},
        error::Error as AuditError,
        exposure::{self, Exposure},
        finding::{self, Finding, What},
        graph::Graph,
        interop::Interop,
        lock::{Lock, PackageId},
        profile::{Features, Profile},
        tree::Tree,
    },
    error::Error,
};

/// What to audit, the same for the workspace and for its shadow copies.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) crates: Vec<String>,
    pub(super) profiles: Vec<Profile>,
    pub(super) cfgs: Cfgs,
    pub(super) interop: Interop,
}

/// One target of one profile.
#[derive(Debug)]
pub(super) struct Context {
    pub(super) label: String,
    pub(super) graph: Graph,
}

/// What an audit of one resolution found.
#[derive(Debug)]
pub(super) struct Audited {
    pub(super) findings: Vec<Finding>,
    pub(super) contexts: Vec<Context>,
}

enum Job<'a> {
    Metadata(&'a Group<'a>),
    Tree(&'a Profile, &'a str),
}

enum Done {
    Metadata(Result<Box<Metadata>, Error>),
    Tree(Result<Tree, Error>),
}

/// Targets of all profiles with equal features: cargo resolves them in one run.
struct Group<'a> {
    features: &'a Features,
    targets: Vec<String>,
}

/// Resolves every profile with `--locked` and audits it.
pub(super) fn audit(
    cargo: &Cargo,
    manifest: &Path,
    lock: &Lock,
    plan: &Plan,
) -> Result<Audited, Error> {
    let groups = groups(&plan.profiles);
    let targets: Vec<(&Profile, &str)> = plan
        .profiles
        .iter()
        .flat_map(|profile| profile.targets.iter().map(move |t| (profile, t.as_str())))
        .collect();
    // A diamond of the resolution is one of the lock too. Where the lock has none, nothing can need confirmation;
    // where it has, `cargo tree` runs beside `cargo metadata` instead of after it.
    let of_lock = Graph::from_lock(lock);
    let may_need_trees = plan
        .crates
        .iter()
        .any(|name| !diamond::find(&of_lock, name).is_empty());
    let mut jobs: Vec<Job<'_>> = groups.iter().map(Job::Metadata).collect();
    if may_need_trees {
        jobs.extend(
            targets
                .iter()
                .map(|(profile, target)| Job::Tree(profile, target)),
        );
    }
    let done = in_parallel(&jobs, |job| match job {
        Job::Metadata(group) => Done::Metadata(
            cargo
                .metadata(manifest, group.features, &group.targets, true)
                .map(Box::new),
        ),
        Job::Tree(profile, target) => Done::Tree(cargo.tree(manifest, profile, target)),
    });
    let (mut resolutions, mut trees) = (Vec::new(), Vec::new());
    for done in done {
        match done {
            Done::Metadata(Ok(metadata)) => resolutions.push(metadata),
            Done::Metadata(Err(error)) => return Err(explain(cargo, manifest, plan, error)),
            Done::Tree(tree) => trees.push(tree),
        }
    }
    let mut trees = trees.into_iter();
    let (mut contexts, mut findings) = (Vec::new(), Vec::new());
    for (profile, target) in targets {
        let group = groups.iter().position(|g| *g.features == profile.features);
        let metadata = &resolutions[group.expect("every profile has its group")];
        check_features(metadata, profile)?;
        let graph = Graph::from_metadata(metadata, target, &plan.cfgs[target], profile.dev);
        let label = profile.context(target);
        let mut found = finding::audit(&graph, &plan.crates, &plan.interop, &label);
        if let Some(tree) = trees.next() {
            confirm(&mut found, &tree?);
        }
        findings.extend(found);
        contexts.push(Context { label, graph });
    }
    Ok(Audited {
        findings: finding::merge(findings),
        contexts,
    })
}

fn groups(profiles: &[Profile]) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for profile in profiles {
        let known = groups.iter().position(|g| *g.features == profile.features);
        let index = known.unwrap_or_else(|| {
            groups.push(Group {
                features: &profile.features,
                targets: Vec::new(),
            });
            groups.len() - 1
        });
        for target in &profile.targets {
            if !groups[index].targets.contains(target) {
                groups[index].targets.push(target.clone());
            }
        }
    }
    groups
}

fn confirm(findings: &mut [Finding], tree: &Tree) {
    for finding in findings {
        if let What::Diamond(meeting) = &mut finding.what {
            let is_confirmed = tree.confirms(meeting);
            meeting.is_confirmed = Some(is_confirmed);
            if !is_confirmed {
                finding.level = Level::Info;
            }
        }
    }
}

/// Puts a feature that nobody declares, which cargo calls by many names, into words of our own.
fn explain(cargo: &Cargo, manifest: &Path, plan: &Plan, error: Error) -> Error {
    let Ok(members) = cargo.members(manifest) else {
        return error;
    };
    let unknown = plan
        .profiles
        .iter()
        .find_map(|profile| check_features(&members, profile).err());
    unknown.unwrap_or(error)
}

fn check_features(metadata: &Metadata, profile: &Profile) -> Result<(), Error> {
    let members: Vec<_> = metadata
        .packages
        .iter()
        .filter(|package| metadata.workspace_members.contains(&package.id))
        .collect();
    for feature in &profile.features.named {
        let (of, name) = match feature.split_once('/') {
            Some((of, name)) => (Some(of), name),
            None => (None, feature.as_str()),
        };
        // `package/feature` may also name a dependency; cargo knows those better.
        if of.is_some_and(|of| !members.iter().any(|package| *package.name == of)) {
            continue;
        }
        let is_declared = members.iter().any(|package| {
            of.is_none_or(|of| *package.name == of) && package.features.contains_key(name)
        });
        if !is_declared {
            let mut known: Vec<&str> = members
                .iter()
                .flat_map(|package| package.features.keys().map(String::as_str))
                .collect();
            known.sort_unstable();
            known.dedup();
            return Err(AuditError::UnknownFeature {
                feature: feature.clone(),
                known: if known.is_empty() {
                    "none".to_owned()
                } else {
                    known.join(", ")
                },
                profile: Some(profile.name.clone()).filter(|name| !name.is_empty()),
            }
            .into());
        }
    }
    Ok(())
}

/// Adds to each diamond what the source of B says.
pub(super) fn add_exposure(findings: &mut [Finding], contexts: &[Context]) {
    let mut wanted: Vec<(PackageId, PackageId)> = Vec::new();
    for finding in findings.iter().filter(|f| f.level > Level::Info) {
        if let What::Diamond(m) = &finding.what {
            let pair = (m.child.clone(), m.child_uses.clone());
            if !wanted.contains(&pair) {
                wanted.push(pair);
            }
        }
    }
    let looked = in_parallel(&wanted, |(child, uses)| exposure_of(child, uses, contexts));
    let known: HashMap<_, _> = wanted.into_iter().zip(looked).collect();
    for finding in findings {
        if let What::Diamond(m) = &mut finding.what
            && let Some(exposure) = known.get(&(m.child.clone(), m.child_uses.clone()))
        {
            m.exposure = exposure.clone();
        }
    }
}

fn exposure_of(child: &PackageId, uses: &PackageId, contexts: &[Context]) -> Exposure {
    contexts
        .iter()
        .find_map(|context| {
            let graph = &context.graph;
            let index = graph.packages.iter().position(|p| p.id == *child)?;
            let edge = graph.edges[index]
                .iter()
                .find(|edge| graph.packages[edge.to].id == *uses)?;
            let package = &graph.packages[index];
            let (manifest, library) = (package.manifest.as_ref()?, package.library.as_ref()?);
            Some(exposure::look(
                manifest.parent()?,
                library,
                &edge.extern_name,
                &|path| std::fs::read_to_string(path).ok(),
            ))
        })
        .unwrap_or(Exposure::NotLooked)
}
