//! Audits one workspace as cargo resolves it: the real one, or a shadow copy with another lock.

use std::{collections::BTreeSet, mem::ManuallyDrop, path::Path};

use cargo_metadata::Metadata;

use super::{
    cargo::{Cargo, Cfgs, in_parallel},
    progress::Progress,
    releases::Index,
};
use crate::{
    activation::Activation,
    api::Apis,
    error::Error,
    family::Families,
    features,
    finding::{self, Finding, Level, Meeting, What},
    graph::Graph,
    interop::Interop,
    profile::{Features, Profile},
    rustc::{self, Complaint},
    source::{Files, Sources},
    split::Judge,
    usage::Usage,
};

/// What to audit, the same for the workspace and for its shadow copies.
pub(super) struct Plan {
    pub(super) crates: Vec<String>,
    pub(super) profiles: Vec<Profile>,
    pub(super) cfgs: Cfgs,
    pub(super) interop: Interop,
    pub(super) families: Families,
    pub(super) index: Index,
    /// Never dropped: to free a hundred thousand syntax trees takes as long as to parse some, and the program ends anyway.
    pub(super) files: ManuallyDrop<Files>,
    pub(super) usage: Usage,
    /// What `--from-rustc` brought.
    pub(super) complaints: Vec<Complaint>,
    pub(super) progress: Progress,
}

/// One target of one profile.
#[derive(Debug)]
pub(super) struct Context {
    pub(super) label: String,
    pub(super) target: String,
    pub(super) graph: Graph,
}

/// What an audit of one resolution found.
#[derive(Debug)]
pub(super) struct Audited {
    pub(super) findings: Vec<Finding>,
    pub(super) contexts: Vec<Context>,
    /// What the compiler complained about, and no meeting explains.
    pub(super) unexplained: Vec<Complaint>,
    /// Packages that do not build with the features they have.
    pub(super) refused: BTreeSet<String>,
}

/// Targets of all profiles with equal features: cargo resolves them in one run.
struct Group<'a> {
    features: &'a Features,
    targets: Vec<String>,
}

/// Resolves every profile with `--locked` and audits it.
pub(super) fn audit(cargo: &Cargo, manifest: &Path, plan: &Plan) -> Result<Audited, Error> {
    let groups = groups(&plan.profiles);
    let targets: Vec<(&Profile, &str)> = plan
        .profiles
        .iter()
        .flat_map(|profile| profile.targets.iter().map(move |t| (profile, t.as_str())))
        .collect();
    plan.progress.step("cargo resolves".to_owned());
    let resolutions = in_parallel(&groups, |group| {
        cargo.metadata(manifest, group.features, &group.targets, true)
    });
    let resolutions: Result<Vec<Metadata>, Error> = resolutions.into_iter().collect();
    let resolutions = resolutions.map_err(|error| explain(cargo, manifest, plan, error))?;
    let (mut contexts, mut per_context, mut refused) = (Vec::new(), Vec::new(), BTreeSet::new());
    for (profile, target) in &targets {
        let group = groups.iter().position(|g| *g.features == profile.features);
        let metadata = &resolutions[group.expect("every profile has its group")];
        check_features(metadata, profile)?;
        let cfg = &plan.cfgs[*target];
        let graph = Graph::from_metadata(metadata, target, cfg, profile.dev);
        let label = profile.context(target);
        plan.progress.step(format!("auditing {label}"));
        let sources = Sources::new(&graph, &plan.files, cfg);
        let apis = Apis::new(&sources);
        let judge = Judge {
            graph: &graph,
            interop: &plan.interop,
            apis: Some(&apis),
            usage: &plan.usage,
            releases: &|name| plan.index.on_disk(name),
            asked: &plan.crates,
            has_complaints: !plan.complaints.is_empty(),
        };
        let mut found = finding::audit(&judge, &plan.crates, &label);
        if found.iter().any(is_unconfirmed) {
            let activation = Activation::new(metadata, profile, target, cfg);
            confirm(&mut found, &|meeting| activation.proves(meeting).then_some(true));
        }
        per_context.push(found);
        refused.extend(features::refused(&sources));
        drop(apis);
        drop(sources);
        let target = (*target).to_owned();
        contexts.push(Context { label, target, graph });
    }
    // What is not certain, `cargo tree` decides.
    let open: Vec<usize> = (0..per_context.len())
        .filter(|index| per_context[*index].iter().any(is_unconfirmed))
        .collect();
    let trees = in_parallel(&open, |index| {
        let (profile, target) = targets[*index];
        cargo.tree(manifest, profile, target)
    });
    for (index, tree) in open.into_iter().zip(trees) {
        let tree = tree?;
        confirm(&mut per_context[index], &|meeting| Some(tree.confirms(meeting)));
    }
    let mut findings = finding::merge(per_context.into_iter().flatten().collect());
    let open = rustc::raise(&mut findings, &plan.complaints);
    let unexplained = open.into_iter().cloned().collect();
    Ok(Audited {
        findings,
        contexts,
        unexplained,
        refused,
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

fn is_unconfirmed(finding: &Finding) -> bool {
    finding.meeting().is_some_and(|meeting| meeting.is_confirmed.is_none())
}

/// Takes over what `ask` says of the diamonds that nothing has been said of yet; what is not built is no more than an
/// info.
fn confirm(findings: &mut [Finding], ask: &dyn Fn(&Meeting) -> Option<bool>) {
    for finding in findings.iter_mut().filter(|finding| is_unconfirmed(finding)) {
        if let What::Meeting(meeting) = &mut finding.what {
            meeting.is_confirmed = ask(meeting);
            if meeting.is_confirmed == Some(false) {
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
        let is_declared = members
            .iter()
            .any(|package| of.is_none_or(|of| *package.name == of) && package.features.contains_key(name));
        if !is_declared {
            let mut known: Vec<&str> = members
                .iter()
                .flat_map(|package| package.features.keys().map(String::as_str))
                .collect();
            known.sort_unstable();
            known.dedup();
            return Err(Error::UnknownFeature {
                feature: feature.clone(),
                known: if known.is_empty() {
                    "none".to_owned()
                } else {
                    known.join(", ")
                },
                profile: Some(profile.name.clone()).filter(|name| !name.is_empty()),
            });
        }
    }
    Ok(())
}
