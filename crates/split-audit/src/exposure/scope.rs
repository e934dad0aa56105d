//! The names that stand in a module: those that lead into the other crate, its own, and the public ones.

use std::collections::{HashMap, HashSet};

use syn::{Ident, Item, UseTree, Visibility};

/// The names a module can use.
#[derive(Default)]
pub(super) struct Scope {
    /// Names that lead into the other crate, with the full path.
    pub(super) foreign: HashMap<String, String>,
    /// Names that are known to lead elsewhere.
    pub(super) local: HashSet<String>,
    pub(super) foreign_globs: Vec<String>,
    /// With a glob of another origin nothing can be said of an unknown name.
    pub(super) has_other_globs: bool,
}

impl Scope {
    pub(super) fn of(items: &[Item], extern_name: &str) -> Self {
        let mut scope = Self::default();
        let uses = || {
            items.iter().filter_map(|item| match item {
                Item::Use(u) => Some(leaves(&u.tree)),
                _ => None,
            })
        };
        // Twice, as a name can come from an alias that stands further down.
        for _ in 0..2 {
            for (path, name) in uses().flatten() {
                let Some(first) = path.first() else { continue };
                let full = if first == extern_name {
                    Some(path.join("::"))
                } else {
                    let prefix = scope.foreign.get(first);
                    prefix.map(|prefix| format!("{prefix}::{}", path[1..].join("::")))
                };
                match (full, name.as_str()) {
                    (Some(full), "*") => {
                        if !scope.foreign_globs.contains(&full) {
                            scope.foreign_globs.push(full);
                        }
                    }
                    (Some(full), _) => {
                        scope.local.remove(&name);
                        scope.foreign.insert(name, full);
                    }
                    (None, "*") => scope.has_other_globs = true,
                    (None, _) => {
                        scope.local.insert(name);
                    }
                }
            }
        }
        for item in items {
            scope.local.extend(declared(item).map(|(ident, _)| ident.to_string()));
        }
        scope
    }
}

/// Every name a `use` brings in, with the path it stands for; `*` for a glob.
pub(super) fn leaves(tree: &UseTree) -> Vec<(Vec<String>, String)> {
    let mut found = Vec::new();
    let mut stack = vec![(Vec::new(), tree)];
    while let Some((mut path, tree)) = stack.pop() {
        match tree {
            UseTree::Path(p) => {
                path.push(p.ident.to_string());
                stack.push((path, &p.tree));
            }
            UseTree::Name(n) if n.ident == "self" => {
                let name = path.last().cloned().unwrap_or_default();
                found.push((path, name));
            }
            UseTree::Name(n) => {
                path.push(n.ident.to_string());
                found.push((path, n.ident.to_string()));
            }
            UseTree::Rename(r) => {
                if r.ident != "self" {
                    path.push(r.ident.to_string());
                }
                found.push((path, r.rename.to_string()));
            }
            UseTree::Glob(_) => found.push((path, "*".to_owned())),
            UseTree::Group(g) => stack.extend(g.items.iter().map(|tree| (path.clone(), tree))),
        }
    }
    found
}

fn declared(item: &Item) -> impl Iterator<Item = (&Ident, &Visibility)> {
    let found = match item {
        Item::Struct(i) => Some((&i.ident, &i.vis)),
        Item::Enum(i) => Some((&i.ident, &i.vis)),
        Item::Union(i) => Some((&i.ident, &i.vis)),
        Item::Trait(i) => Some((&i.ident, &i.vis)),
        Item::Type(i) => Some((&i.ident, &i.vis)),
        Item::Mod(i) => Some((&i.ident, &i.vis)),
        _ => None,
    };
    found.into_iter()
}

pub(super) fn public_names(items: &[Item]) -> HashSet<String> {
    let declared = items.iter().flat_map(declared);
    let declared = declared
        .filter(|(_, visibility)| is_public(visibility))
        .map(|(ident, _)| ident.to_string());
    let imported = items.iter().filter_map(|item| match item {
        Item::Use(u) if is_public(&u.vis) => Some(leaves(&u.tree)),
        _ => None,
    });
    let imported = imported.flatten().map(|(_, name)| name);
    declared.chain(imported).collect()
}

/// Names that occur in paths of public `use`s: private modules among them have public items.
pub(super) fn re_exported(items: &[Item]) -> HashSet<String> {
    let uses = items.iter().filter_map(|item| match item {
        Item::Use(u) if is_public(&u.vis) => Some(leaves(&u.tree)),
        _ => None,
    });
    uses.flatten().flat_map(|(path, _)| path).collect()
}

pub(super) fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}
