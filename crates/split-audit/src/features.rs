//! Features that a change of the lock takes away: what cargo resolves need not compile.

use std::collections::BTreeSet;

use syn::Item;

use crate::{cfg, graph::Graph, source::Sources};

/// Features that a package's dependency had on, that the version it is led to also has, and that no dependent turns on there.
pub(crate) fn lost(before: &Graph, after: &Graph) -> BTreeSet<String> {
    let mut lost = BTreeSet::new();
    for (package, edges) in after.packages.iter().zip(&after.edges) {
        let was = before
            .packages
            .iter()
            .position(|p| p.id.name == package.id.name && p.is_member == package.is_member);
        let same = before.packages.iter().position(|p| p.id == package.id);
        let Some(was) = same.or(was) else { continue };
        for new in edges.iter().map(|edge| &after.packages[edge.to]) {
            let old = before.edges[was].iter().map(|edge| &before.packages[edge.to]);
            let mut old = old.filter(|old| old.id.name == new.id.name).peekable();
            if old.clone().any(|old| old.id == new.id) {
                continue;
            }
            let Some(old) = old.next() else { continue };
            let (Some(had), Some(has)) = (&old.features, &new.features) else {
                continue;
            };
            let off = had.iter().filter(|f| new.declared.contains(f) && !has.contains(f));
            let off: Vec<String> = off.map(|feature| format!("`{feature}`")).collect();
            if !off.is_empty() {
                lost.insert(format!(
                    "{} had {} with {}, which no dependent turns on for {}; if it does not compile, add {} with it to a member's dependencies",
                    package.id,
                    old.id,
                    off.join(", "),
                    new.id,
                    new.id.name
                ));
            }
        }
    }
    lost
}

/// Packages that refuse to build with the features they have: `compile_error!` where nothing but features decides, outside of
/// macros, whose conditions are their own.
pub(crate) fn refused(sources: &Sources<'_>) -> BTreeSet<String> {
    let mut refused = BTreeSet::new();
    for (index, package) in sources.graph.packages.iter().enumerate() {
        let Some(library) = package.library.as_deref().filter(|_| !package.is_member) else {
            continue;
        };
        // Most say nothing of the kind, and need not be parsed.
        if !sources
            .files
            .text(library)
            .is_some_and(|text| text.contains("compile_error!"))
        {
            continue;
        }
        for item in sources.files.items(library, false).unwrap_or_default() {
            let Item::Macro(call) = item else { continue };
            let conditions = sources.files.conditions(&call.attrs);
            // A `cfg_attr` is a condition that is not among them.
            let is_whole = !call.attrs.iter().any(|attribute| attribute.path().is_ident("cfg_attr"));
            let is_known = is_whole && !conditions.is_empty() && conditions.iter().all(cfg::is_of_features);
            if call.mac.path.is_ident("compile_error") && is_known && !sources.is_off(index, &call.attrs) {
                let message = syn::parse2::<syn::LitStr>(call.mac.tokens.clone());
                let message = message.map_or_else(|_| call.mac.tokens.to_string(), |text| text.value());
                refused.insert(format!("{} does not build with its features: {message}", package.id));
            }
        }
    }
    refused
}
