//! Which of the paths that a member uses are gone from a dependency's other release.

use std::collections::BTreeSet;

use syn::visit::Visit;

use super::super::resolve::{Context, Plan};
use crate::{
    lock::PackageId,
    source::{Sources, leaves},
};

/// The first path into the dependency that the member's source uses, that resolves in the one resolution and not in the
/// other.
pub(super) fn lost(
    plan: &Plan,
    (before, after): (&[Context], &[Context]),
    member: &PackageId,
    dependency: &str,
) -> Option<String> {
    before.iter().zip(after).find_map(|(before, after)| {
        let old = Sources::new(&before.graph, &plan.files, &plan.cfgs[&before.target]);
        let new = Sources::new(&after.graph, &plan.files, &plan.cfgs[&after.target]);
        let at = |sources: &Sources<'_>| {
            sources
                .graph
                .packages
                .iter()
                .position(|p| p.id.name == member.name && p.id.source.is_none())
        };
        let (old_at, new_at) = (at(&old)?, at(&new)?);
        let edges = &before.graph.edges[old_at];
        let edge = edges
            .iter()
            .find(|e| before.graph.packages[e.to].id.name == dependency)?;
        let used = used(&old, old_at, &edge.extern_name);
        used.into_iter()
            .find(|path| old.has(old_at, path) && !new.has(new_at, path))
            .map(|path| path.join("::"))
    })
}

/// Every path of the member's source that begins with a crate's name.
fn used(sources: &Sources<'_>, package: usize, name: &str) -> BTreeSet<Vec<String>> {
    let files = &sources.graph.packages[package];
    let roots = files.library.iter().chain(&files.programs);
    let mut open: Vec<usize> = roots.filter_map(|file| sources.root_of(package, file)).collect();
    let mut calls = Calls {
        name,
        found: BTreeSet::new(),
    };
    let mut at = 0;
    while let Some(module) = open.get(at).copied() {
        at += 1;
        let items = sources.module(module).items.clone();
        for item in items {
            if let syn::Item::Mod(declaration) = item {
                open.extend(sources.child(module, declaration));
            } else {
                calls.visit_item(item);
            }
        }
    }
    calls.found
}

struct Calls<'n> {
    name: &'n str,
    found: BTreeSet<Vec<String>>,
}

impl<'ast> Visit<'ast> for Calls<'_> {
    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments: Vec<String> = path.segments.iter().map(|s| s.ident.to_string()).collect();
        if segments.first().is_some_and(|first| first == self.name) {
            self.found.insert(segments);
        }
        syn::visit::visit_path(self, path);
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        for (path, name) in leaves(&item.tree) {
            if name != "*" && path.first().is_some_and(|first| first == self.name) {
                self.found.insert(path);
            }
        }
    }
}
