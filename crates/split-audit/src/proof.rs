//! The one proof that source text alone can give: a package implements a trait of B, and where the trait's signature names
//! B's version of X, the implementation names the package's own.

use std::collections::HashMap;

use syn::{Item, visit::Visit as _};

use crate::{
    api::{Apis, Evidence, paths::Paths},
    source::Sources,
};

/// Where `parent` implements a trait of a dependency with items of `own_x` in place of those the trait's signature names.
pub(crate) fn implements(apis: &Apis<'_, '_>, parent: usize, own_x: usize, evidence: &[Evidence]) -> Option<String> {
    let mut methods: HashMap<(&str, &str), &Evidence> = HashMap::new();
    for e in evidence {
        if let Some((_, method)) = e.item.strip_prefix("trait ").and_then(|rest| rest.split_once(", ")) {
            methods.insert((&e.owner, method), e);
        }
    }
    if methods.is_empty() {
        return None;
    }
    let sources = apis.sources;
    let package = &sources.graph.packages[parent];
    let mut open: Vec<usize> = sources.root(parent).into_iter().collect();
    if package.is_member {
        open.extend(package.programs.iter().filter_map(|file| sources.root_of(parent, file)));
    }
    let mut at = 0;
    while let Some(module) = open.get(at).copied() {
        at += 1;
        let items = sources.module(module).items.clone();
        for item in items {
            match item {
                Item::Mod(declaration) => open.extend(sources.child(module, declaration)),
                Item::Impl(block) => {
                    if let Some(place) = mixes(sources, module, block, own_x, &methods) {
                        return Some(place);
                    }
                }
                _ => {}
            }
        }
    }
    None
}

fn mixes(
    sources: &Sources<'_>,
    module: usize,
    block: &syn::ItemImpl,
    own_x: usize,
    methods: &HashMap<(&str, &str), &Evidence>,
) -> Option<String> {
    let (path, _) = block.trait_.as_ref()?;
    let path: Vec<String> = path.segments.iter().map(|s| s.ident.to_string()).collect();
    let name = path.last()?;
    for item in &block.items {
        let syn::ImplItem::Fn(f) = item else { continue };
        let method = f.sig.ident.to_string();
        let Some(theirs) = methods.get(&(name.as_str(), method.as_str())) else {
            continue;
        };
        // A trait of the package's own, or of another crate, may have the same name.
        let def = sources.resolve(module, &path)?;
        if def.package == sources.module(module).package || def.item != *name {
            return None;
        }
        let mut paths = Paths::default();
        paths.shadow(&block.generics);
        paths.visit_signature(&f.sig);
        let own = paths.found.iter().find(|(path, _)| {
            let def = sources.resolve(module, path);
            def.is_some_and(|def| def.package == own_x && def.package != theirs.defined_in)
                && same_name(path, &theirs.names)
        });
        if let Some((own, _)) = own {
            let file = &sources.module(module).file;
            return Some(format!("{file}: impl {name}, fn {method} takes {}", own.join("::")));
        }
    }
    None
}

/// The item of X itself must be the same one, told by its name.
fn same_name(path: &[String], names: &str) -> bool {
    let last = names.rsplit("::").next().unwrap_or(names);
    path.last().is_some_and(|own| own == last)
}
