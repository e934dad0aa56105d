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
    cure::{Releases, Situation},
    error::Error,
    finding::Finding,
    lock::{Lock, PackageId},
    manifest,
};

/// A member, a dependency in its manifest, the version to write.
type Edit = (PackageId, String, String);

/// More than one line that helps is a choice, more than two a list to read.
const MAX_ADVICE: usize = 2;

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
        if m.is_parent_member {
            for edits in situation.edits(releases) {
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
        for edits in candidates {
            let Some((advice, texts)) = self.fit(&edits, places) else {
                continue;
            };
            match self.try_edits(shadow, (lock, findings, contexts), situation, &texts)? {
                Ok(()) => found.push(advice),
                Err(why) => {
                    let shown: Vec<&str> = advice.lines.iter().map(|line| line.line.as_str()).collect();
                    tried.push((format!("`{}`", shown.join("`, `")), why));
                }
            }
            if found.len() >= MAX_ADVICE {
                break;
            }
        }
        Ok(found)
    }

    /// The lines in the manifests that the edits are about, and these manifests' new texts; nothing where one of the
    /// dependencies is declared without a version, or nowhere.
    fn fit(&self, edits: &[Edit], contexts: &[resolve::Context]) -> Option<(Advice, HashMap<PathBuf, String>)> {
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
        Some((Advice { lines }, texts))
    }

    /// The inner error says why the lines do not help.
    fn try_edits(
        &self,
        shadow: &Shadow,
        (lock, findings, contexts): (&Lock, &[Finding], &[resolve::Context]),
        situation: &Situation,
        texts: &HashMap<PathBuf, String>,
    ) -> Result<Result<(), String>, Error> {
        for (path, text) in texts {
            shadow.write_manifest(path, text)?;
        }
        let tried = self.audit_edited(shadow, (lock, findings, contexts), situation);
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
    ) -> Result<Result<(), String>, Error> {
        if let Err(error) = self.settle(shadow, &lock.text) {
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
