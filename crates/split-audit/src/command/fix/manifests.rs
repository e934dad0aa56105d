//! Tries lines of manifests on the shadow copy: none is advised that was not.

use std::{collections::HashMap, path::PathBuf};

use super::{
    super::{except, locate, resolve, shadow::Shadow},
    Fix,
    candidate::{is_better_exposed, reason},
    surface,
};
use crate::{
    blocker::{Advice, AdviceLine},
    cure::{Releases, Situation, series},
    error::Error,
    finding::{Finding, Meeting},
    lock::{Lock, PackageId},
    manifest,
};

/// A member, a dependency in its manifest, the version to write.
pub(super) type Edit = (PackageId, String, String);

/// More than one line that helps is a choice, more than two a list to read.
const MAX_ADVICE: usize = 2;

fn shown(advice: &Advice) -> String {
    let lines: Vec<&str> = advice.lines.iter().map(|line| line.line.as_str()).collect();
    format!("`{}`", lines.join("`, `"))
}

/// What a member depends on itself.
fn declared(contexts: &[resolve::Context], member: &PackageId) -> Vec<PackageId> {
    let mut declared: Vec<PackageId> = Vec::new();
    for graph in contexts.iter().map(|context| &context.graph) {
        let at = graph.packages.iter().position(|package| package.id == *member);
        let edges = at.map_or(&[][..], |at| &graph.edges[at]);
        declared.extend(edges.iter().map(|edge| graph.packages[edge.to].id.clone()));
    }
    declared.sort();
    declared.dedup();
    declared
}

impl Fix<'_> {
    /// The lines that help, tried one after the other: cargo resolves them, everything they split is audited, and the items
    /// that the member uses are still there.
    #[expect(
        clippy::too_many_arguments,
        reason = "each is another thing that a line is tried against"
    )]
    pub(super) fn advice(
        &self,
        shadow: &Shadow,
        (lock, findings, contexts): (&Lock, &[Finding], &[resolve::Context]),
        // Those of the workspace itself: after a cure, the others are the copy's.
        places: &[resolve::Context],
        situation: &Situation,
        raise: Option<&Edit>,
        releases: Releases<'_>,
        tried: &mut Vec<(String, String)>,
    ) -> Result<Vec<Advice>, Error> {
        let m = &situation.meeting;
        let mut candidates: Vec<Vec<Edit>> = raise.cloned().into_iter().map(|edit| vec![edit]).collect();
        // A package that lies on a path has a manifest to edit, too.
        let other = m.other.as_ref().map_or(&m.parent, |other| &other.holder);
        for (holder, x) in [(&m.holder, &m.parent_uses), (other, &m.child_uses)] {
            let are_registered = m.parent_uses.is_from_registry() && m.child_uses.is_from_registry();
            if holder.source.is_none() && *holder != m.parent && are_registered {
                candidates.push(vec![(holder.clone(), x.name.clone(), series(&x.version))]);
            }
        }
        if m.parent.source.is_none() {
            let declared = declared(contexts, &m.parent);
            for edits in situation.edits(releases) {
                let edits = self.plan.families.together(edits, &declared, releases);
                let edits: Vec<Edit> = edits
                    .into_iter()
                    .map(|(name, version)| (m.parent.clone(), name, version))
                    .collect();
                if !candidates.contains(&edits) {
                    candidates.push(edits);
                }
            }
        }
        let mut found = Vec::new();
        for edits in candidates.into_iter().take(self.max_tries) {
            let versions: Vec<String> = edits
                .iter()
                .map(|(_, name, version)| format!("{name} = \"{version}\""))
                .collect();
            self.plan
                .progress
                .task(format!("a cure for `{}`: {}", m.child_uses.name, versions.join(", ")));
            let Some((advice, texts)) = self.fit(&edits, places) else {
                continue;
            };
            match self.try_edits(shadow, (lock, findings, contexts), situation, &texts, None)? {
                Ok(()) => found.push(advice),
                Err(why) => tried.push((shown(&advice), why)),
            }
            if found.len() >= MAX_ADVICE {
                break;
            }
        }
        if found.is_empty()
            && let Some((advice, texts)) = self.patch(m, places)
        {
            let then = advice.then.as_deref();
            match self.try_edits(shadow, (lock, findings, contexts), situation, &texts, then)? {
                Ok(()) => found.push(advice),
                Err(why) => tried.push((shown(&advice), why)),
            }
        }
        Ok(found)
    }

    /// The lines in the manifests that the edits are about, and these manifests' new texts; nothing where one of the
    /// dependencies is declared without a version, or nowhere.
    pub(super) fn fit(
        &self,
        edits: &[Edit],
        contexts: &[resolve::Context],
    ) -> Option<(Advice, HashMap<PathBuf, String>)> {
        let mut texts: HashMap<PathBuf, String> = HashMap::new();
        let mut lines = Vec::new();
        for (member, dependency, version) in edits {
            let mut packages = contexts.iter().flat_map(|context| &context.graph.packages);
            let own = packages
                .find(|p| p.id == *member)
                .and_then(|package| package.manifest.clone());
            let line = own.into_iter().chain([self.place.manifest.clone()]).find_map(|path| {
                let text = texts
                    .get(&path)
                    .cloned()
                    .or_else(|| std::fs::read_to_string(&path).ok())?;
                let line = manifest::with_version(&text, dependency, version)?;
                Some((path, line))
            });
            let (path, line) = line?;
            lines.push(AdviceLine {
                member: member.clone(),
                dependency: dependency.clone(),
                line: line.rewritten,
                place: format!("{}:{}", locate::label(&path), line.number),
            });
            texts.insert(path, line.text);
        }
        Some((Advice { lines, then: None }, texts))
    }

    /// Where one version comes from git or a path and the other from the registry: a patch of the workspace's manifest that
    /// gives everybody the former.
    fn patch(&self, m: &Meeting, contexts: &[resolve::Context]) -> Option<(Advice, HashMap<PathBuf, String>)> {
        let (local, registered) = match (m.parent_uses.is_from_registry(), m.child_uses.is_from_registry()) {
            (false, true) => (&m.parent_uses, &m.child_uses),
            (true, false) => (&m.child_uses, &m.parent_uses),
            _ => return None,
        };
        let is_default = registered
            .source
            .as_deref()
            .is_some_and(|s| s.ends_with("/crates.io-index"));
        let mut packages = contexts.iter().flat_map(|context| &context.graph.packages);
        let package = packages.find(|p| p.id == *local).filter(|_| is_default)?;
        let specification = match &local.source {
            Some(source) => manifest::git_source(source)?,
            None => {
                let folder = package.manifest.as_deref()?.parent()?;
                let path = folder.strip_prefix(&self.place.root).ok()?;
                format!("{{ path = \"{}\" }}", path.to_string_lossy().replace('\\', "/"))
            }
        };
        let path = self.place.manifest.clone();
        let text = std::fs::read_to_string(&path).ok()?;
        let patched = manifest::with_patch(&text, &local.name, &specification);
        let label = locate::label(&path);
        let lines = patched.lines.into_iter().map(|(number, line)| AdviceLine {
            member: m.parent.clone(),
            dependency: local.name.clone(),
            line,
            place: format!("{label}:{number}"),
        });
        let advice = Advice {
            lines: lines.collect(),
            // Cargo leaves a locked version alone where the patch is newer.
            then: Some(format!("{}@{}", registered.name, registered.version)),
        };
        Some((advice, HashMap::from([(path, patched.text)])))
    }

    /// The inner error says why the lines do not help.
    fn try_edits(
        &self,
        shadow: &Shadow,
        (lock, findings, contexts): (&Lock, &[Finding], &[resolve::Context]),
        situation: &Situation,
        texts: &HashMap<PathBuf, String>,
        then: Option<&str>,
    ) -> Result<Result<(), String>, Error> {
        for (path, text) in texts {
            shadow.write_manifest(path, text)?;
        }
        let tried = self.audit_edited(shadow, (lock, findings, contexts), situation, then);
        for path in texts.keys() {
            shadow.restore_manifest(path)?;
        }
        shadow.write_lock(&lock.text)?;
        tried
    }

    fn audit_edited(
        &self,
        shadow: &Shadow,
        (lock, findings, contexts): (&Lock, &[Finding], &[resolve::Context]),
        situation: &Situation,
        then: Option<&str>,
    ) -> Result<Result<(), String>, Error> {
        let settled = self.settle(shadow, &lock.text);
        let updated =
            settled.and_then(|()| then.map_or(Ok(()), |package| self.cargo.update(&shadow.manifest, package)));
        if let Err(error) = updated {
            return Ok(Err(format!("cargo refuses: {}", reason(&error))));
        }
        let mut audited = match resolve::audit(self.cargo, &shadow.manifest, self.plan) {
            Ok(audited) => audited,
            Err(error) => return Ok(Err(format!("not accepted with --locked: {}", reason(&error)))),
        };
        except(&mut audited.findings, &self.place.config, false);
        let m = &situation.meeting;
        if let Err(why) = is_better_exposed(findings, &audited.findings, m, self.deny_warn) {
            return Ok(Err(why));
        }
        if let Some(what) = audited.refused.difference(self.refused).next() {
            return Ok(Err(what.clone()));
        }
        // What a member calls must be there in the release it is led to.
        let dependencies = [
            Some(&m.child),
            m.other.as_ref().map(|other| &other.package),
            Some(&m.parent_uses),
        ];
        for dependency in dependencies.into_iter().flatten() {
            let lost = surface::lost(self.plan, (contexts, &audited.contexts), &m.parent, &dependency.name);
            if let Some(path) = lost {
                return Ok(Err(format!(
                    "{} uses `{path}`, which that release does not have",
                    m.parent.name
                )));
            }
        }
        Ok(Ok(()))
    }
}
