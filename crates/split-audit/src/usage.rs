//! What a crate's own source uses of its dependencies, told by identifiers.

use std::{
    cell::RefCell,
    collections::{HashMap, HashSet},
    path::{Path, PathBuf},
    rc::Rc,
};

use crate::{
    api::Evidence,
    graph::Package,
    source::{
        Files,
        skim::{Kind, Lexer},
    },
};

/// The identifiers of one source file, comments and strings left out.
#[derive(Debug)]
pub(crate) struct Used {
    /// Relative to the package's folder.
    pub(crate) file: String,
    identifiers: HashSet<String>,
}

impl Used {
    pub(crate) fn names(&self, name: &str) -> bool {
        self.identifiers.contains(name)
    }

    /// Whether everything that a use of the item would spell is there.
    pub(crate) fn uses(&self, evidence: &Evidence) -> bool {
        evidence.keys.iter().all(|key| self.names(key.trim_start_matches("r#")))
    }
}

/// The sources of packages as users of others, each read once.
#[derive(Default)]
pub(crate) struct Usage {
    known: RefCell<HashMap<PathBuf, Rc<Vec<Used>>>>,
}

impl Usage {
    /// Every source file of a package: a member's tests, examples and benches too, of others only the library.
    pub(crate) fn of(&self, package: &Package, files: &Files) -> Rc<Vec<Used>> {
        let folder = match (&package.manifest, &package.library) {
            (Some(manifest), _) if package.is_member => manifest.parent(),
            (_, Some(library)) => library.parent(),
            (Some(manifest), None) => manifest.parent(),
            (None, None) => None,
        };
        let Some(folder) = folder else { return Rc::default() };
        if let Some(known) = self.known.borrow().get(folder) {
            return Rc::clone(known);
        }
        let mut paths = Vec::new();
        sources(folder, &mut paths, 0);
        let used = paths.iter().filter_map(|path| {
            let shown = path.strip_prefix(folder).unwrap_or(path);
            Some(Used {
                file: shown.to_string_lossy().replace('\\', "/"),
                identifiers: identifiers(files.text(path)?),
            })
        });
        let used = Rc::new(used.collect::<Vec<Used>>());
        self.known.borrow_mut().insert(folder.to_owned(), Rc::clone(&used));
        used
    }
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>, depth: usize) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            let is_apart =
                name == "target" || name.to_string_lossy().starts_with('.') || path.join("Cargo.toml").exists();
            if !is_apart && depth < 16 {
                sources(&path, found, depth + 1);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn identifiers(text: &str) -> HashSet<String> {
    let mut found: HashSet<String> = HashSet::new();
    let mut lexer = Lexer { text, at: 0 };
    while let Some(token) = lexer.next() {
        let word = text[token.from..lexer.at].trim_start_matches("r#");
        if token.kind == Kind::Word && !found.contains(word) {
            found.insert(word.to_owned());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_strings_use_nothing() {
        let text = "use a::b; // c\n/* d */ fn e() { f(\"g \\\" h\", '\"', i) } /* j";
        let mut found: Vec<String> = identifiers(text).into_iter().collect();
        found.sort();
        assert_eq!(found, ["a", "b", "e", "f", "fn", "i", "use"]);
    }
}
