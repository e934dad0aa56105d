//! `--unify`: brings everybody who depends on a crate to one version, as far as that goes, and says who cannot and why.

use semver::Version;

use super::{
    super::{except, resolve::Audited, shadow::Shadow},
    Fix,
    candidate::reason,
    surface,
};
use crate::{
    cure::{self, Step, Unified},
    error::Error,
    finding::{Level, count},
    lock::{Lock, PackageId},
};

/// Releases of a dependent that are tried.
const MAX_RELEASES: usize = 6;

impl Fix<'_> {
    /// Seeks the changes and, where `is_applied`, writes them.
    pub(in super::super) fn unify(
        &self,
        audited: &Audited,
        name: &str,
        version: &Version,
        is_applied: bool,
    ) -> Result<Unified, Error> {
        let shadow = Shadow::new(self.cargo, self.place, audited)?;
        let original = &self.place.lock;
        let mut lock = original.clone();
        let mut unified = Unified::default();
        let mut given_up: Vec<PackageId> = Vec::new();
        let mut led: Vec<(PackageId, PackageId)> = Vec::new();
        while let Some((from, old)) = next(&lock, name, version, &given_up) {
            // Cargo may lead an edge back when another one moves; each is led once, so that this ends.
            if led.contains(&(from.clone(), old.clone())) {
                let why = "a later change leads it back".to_owned();
                unified.cannot.push((format!("{from} stays on {old}"), why));
                given_up.push(from);
                continue;
            }
            led.push((from.clone(), old.clone()));
            self.plan.progress.task(format!("{from} to {name} {version}"));
            match self.lead(&shadow, &lock, audited, (&from, &old), version)? {
                Ok((steps, next)) => {
                    unified.steps.extend(steps.iter().map(Step::to_string));
                    lock = next;
                }
                Err(why) => {
                    unified
                        .help
                        .extend(self.line(&shadow, &lock, audited, (&from, &old), version)?);
                    unified.cannot.push((format!("{from} stays on {old}"), why));
                    given_up.push(from);
                }
            }
        }
        if unified.steps.is_empty() {
            return Ok(unified);
        }
        shadow.write_lock(&lock.text)?;
        let mut after = super::resolve::audit(self.cargo, &shadow.manifest, self.plan)?;
        except(&mut after.findings, &self.place.config, false);
        let loud = |findings| count(findings, &|f| f.level > Level::Info);
        let before = loud(&audited.findings);
        let appears = loud(&after.findings).into_iter();
        let appears = appears.filter(|(names, n)| before.get(names).is_none_or(|before| before < n));
        unified.appears = appears.map(|(names, _)| names).collect();
        unified.appears.sort();
        unified.diff = cure::diff(&original.label, &original.text, &lock.text);
        if is_applied && unified.appears.is_empty() {
            unified.backup = Some(self.write(&lock, &|_| Ok(()))?);
        }
        Ok(unified)
    }

    /// Leads one package's edge to the version, by the edge alone, by the old version's move or by a release of the package.
    fn lead(
        &self,
        shadow: &Shadow,
        lock: &Lock,
        audited: &Audited,
        (from, old): (&PackageId, &PackageId),
        version: &Version,
    ) -> Result<Result<(Vec<Step>, Lock), String>, Error> {
        let new = PackageId {
            version: version.clone(),
            ..old.clone()
        };
        if !old.is_from_registry() {
            return Ok(Err(format!(
                "{old} is not from a registry, and is never replaced by one that is"
            )));
        }
        let required = requirements(audited, from, old);
        let mut candidates = Vec::new();
        if required.iter().all(|req| req.matches(version)) {
            let redirect = |from: &PackageId, old: &PackageId| Step::Redirect {
                from: from.clone(),
                old: old.clone(),
                new: new.clone(),
            };
            if lock.find(&new).is_some() {
                candidates.push(vec![redirect(from, old)]);
            }
            candidates.push(vec![Step::Precise {
                package: old.clone(),
                to: version.clone(),
            }]);
        } else if from.is_from_registry() {
            let bounds = bounds(audited, from);
            let known = self.plan.index.releases(self.cargo, &from.name).unwrap_or_default();
            let here = known.partition_point(|r| r.version < from.version);
            let mut fitting: Vec<(usize, Version)> = known
                .iter()
                .enumerate()
                .filter(|(_, r)| r.is_usable() && bounds.iter().all(|req| req.matches(&r.version)))
                .filter(|(_, r)| r.requirement(&old.name).is_some_and(|req| req.matches(version)))
                .map(|(index, r)| (index.abs_diff(here), r.version.clone()))
                .collect();
            fitting.sort();
            for (_, to) in fitting.into_iter().take(MAX_RELEASES) {
                let moved = PackageId {
                    version: to.clone(),
                    ..from.clone()
                };
                let package = from.clone();
                candidates.push(vec![
                    Step::Precise { package, to },
                    Step::Align {
                        from: moved,
                        new: new.clone(),
                    },
                ]);
            }
        }
        let shown: Vec<String> = required.iter().map(ToString::to_string).collect();
        let mut why = format!("it requires {} {}", old.name, shown.join(" and "));
        if candidates.is_empty() && from.is_from_registry() {
            why += &format!("; no release of it that its dependents admit takes {version}");
        }
        for steps in candidates {
            match self.take_steps(shadow, lock, &steps)? {
                Ok(next) => return Ok(Ok((steps, next))),
                Err(reason) => why = reason,
            }
        }
        Ok(Err(why))
    }

    /// The line of a member's manifest that leads it to the version, tried.
    fn line(
        &self,
        shadow: &Shadow,
        lock: &Lock,
        audited: &Audited,
        (from, old): (&PackageId, &PackageId),
        version: &Version,
    ) -> Result<Option<String>, Error> {
        if from.source.is_some() || !old.is_from_registry() {
            return Ok(None);
        }
        let edit = (from.clone(), old.name.clone(), version.to_string());
        let Some((advice, texts)) = self.fit(&[edit], &audited.contexts) else {
            return Ok(None);
        };
        for (path, text) in &texts {
            shadow.write_manifest(path, text)?;
        }
        let tried = self.settle(shadow, &lock.text);
        let fits = tried.is_ok()
            && super::resolve::audit(self.cargo, &shadow.manifest, self.plan).is_ok_and(|after| {
                surface::lost(self.plan, (&audited.contexts, &after.contexts), from, &old.name).is_none()
            });
        for path in texts.keys() {
            shadow.restore_manifest(path)?;
        }
        shadow.write_lock(&lock.text)?;
        let line = &advice.lines[0];
        Ok(fits.then(|| format!("write at {}, for `{}`: {}", line.place, line.dependency, line.line)))
    }

    /// Does the steps on the copy; the inner error says what came in between.
    fn take_steps(&self, shadow: &Shadow, lock: &Lock, steps: &[Step]) -> Result<Result<Lock, String>, Error> {
        let now = match self.stepped(shadow, lock, steps)? {
            Ok(now) => now,
            Err(why) => return Ok(Err(why)),
        };
        if let Err(why) = cure::check_intended(lock, &now, steps) {
            return Ok(Err(why));
        }
        let profile = &self.plan.profiles[0];
        let locked = self
            .cargo
            .metadata(&shadow.manifest, &profile.features, &profile.targets, true);
        Ok(locked.map(|_| now).map_err(|error| reason(&error)))
    }
}

/// The next edge to another version of the crate.
fn next(lock: &Lock, name: &str, version: &Version, given_up: &[PackageId]) -> Option<(PackageId, PackageId)> {
    lock.packages
        .iter()
        .filter(|p| !given_up.contains(&p.id))
        .find_map(|package| {
            let mut targets = package.dependencies.iter().map(|edge| &lock.packages[edge.to].id);
            let other = targets.find(|id| id.name == name && id.version != *version)?;
            Some((package.id.clone(), other.clone()))
        })
}

/// What one package requires of another, in any context.
fn requirements(audited: &Audited, from: &PackageId, to: &PackageId) -> Vec<semver::VersionReq> {
    edges_between(audited, |id| id == from, to)
}

/// What everybody requires of a package.
fn bounds(audited: &Audited, package: &PackageId) -> Vec<semver::VersionReq> {
    edges_between(audited, |_| true, package)
}

fn edges_between(audited: &Audited, is_from: impl Fn(&PackageId) -> bool, to: &PackageId) -> Vec<semver::VersionReq> {
    let mut found = Vec::new();
    for graph in audited.contexts.iter().map(|context| &context.graph) {
        for (_, edges) in graph.packages.iter().zip(&graph.edges).filter(|(p, _)| is_from(&p.id)) {
            let leading = edges.iter().filter(|e| graph.packages[e.to].id == *to);
            for requirement in leading.flat_map(|e| &e.requirements) {
                if !found.contains(requirement) {
                    found.push(requirement.clone());
                }
            }
        }
    }
    found
}
