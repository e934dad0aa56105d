//! Tells whether two revisions have the same programs and the same data, so that there is nothing to measure.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use memchr::memmem;
use object::{Object as _, ObjectKind, ObjectSection as _, SectionKind};

use super::{Built, error::Error};

/// Endings and names of files that are documentation, or that only tools of the project read.
const DOCUMENTATION_ENDINGS: [&str; 5] = ["md", "markdown", "adoc", "rst", "org"];
const DOCUMENTATION_NAMES: [&str; 8] = [
    "license",
    "licence",
    "copying",
    "notice",
    "authors",
    "changelog",
    "readme",
    "codeowners",
];
const TOOLS: [&str; 9] = [
    ".editorconfig",
    ".gitattributes",
    ".gitignore",
    ".mailmap",
    ".rustfmt.toml",
    "clippy.toml",
    "deny.toml",
    "rustfmt.toml",
    ".pre-commit-config.yaml",
];
/// Folders whose files no bench reads.
const DOCUMENTATION_FOLDERS: [&str; 5] = [".github", ".gitlab", ".vscode", "doc", "docs"];
/// Folders whose files may be what a bench reads, whatever their names.
const DATA_FOLDERS: [&str; 10] = [
    "assets",
    "bench",
    "benches",
    "data",
    "examples",
    "fixtures",
    "resources",
    "test",
    "testdata",
    "tests",
];
/// Files that cargo reads; what they change shows in the programs and their environment.
const OF_CARGO: [&str; 6] = [
    "Cargo.toml",
    "Cargo.lock",
    "rust-toolchain",
    "rust-toolchain.toml",
    ".cargo/config",
    ".cargo/config.toml",
];

/// `None` if both revisions run the same programs on the same data; else what differs first.
///
/// # Errors
/// A file cannot be read.
pub fn difference(base: &Built, head: &Built, changed: &[String]) -> Result<Option<String>, Error> {
    let names = |built: &Built| -> BTreeSet<(String, String)> {
        built
            .programs
            .iter()
            .map(|program| (program.package.clone(), program.target.clone()))
            .collect()
    };
    if names(base) != names(head) {
        return Ok(Some("they have different bench programs".to_owned()));
    }
    let sources: BTreeSet<String> = sources(base)?.union(&sources(head)?).cloned().collect();
    if let Some(file) = changed.iter().find(|file| !is_no_data(file, &sources)) {
        return Ok(Some(format!("{file} differs")));
    }
    let documents: Vec<&String> = changed
        .iter()
        .filter(|file| !is_of_cargo(file) && !sources.contains(*file))
        .collect();
    if let Some(difference) = read_by_a_bench(&documents, base, head)? {
        return Ok(Some(difference));
    }
    // Made from the same files; that they differ is a matter of the paths in their symbols.
    let is_by_path = (base.has_outsiders || head.has_outsiders) && documents.len() == changed.len();
    for program in &base.programs {
        let is_it = |other: &&super::Program| other.package == program.package && other.target == program.target;
        let Some(other) = head.programs.iter().find(is_it) else {
            continue;
        };
        let which = || format!("the program of `{}`", program.target);
        if environment(base, program) != environment(head, other) || program.runner != other.runner {
            return Ok(Some(format!("the environment of {}", which())));
        }
        if !is_by_path && !same_program(base, &program.file, head, &other.file)? {
            return Ok(Some(which()));
        }
    }
    let outputs = "files written by build scripts";
    for (what, ours, theirs) in [
        ("helper programs", &base.helpers, &head.helpers),
        (outputs, &base.out_dirs, &head.out_dirs),
    ] {
        let (ours, theirs) = (below(base, ours)?, below(head, theirs)?);
        if ours.keys().ne(theirs.keys()) {
            return Ok(Some(format!("other {what}")));
        }
        for (ours, theirs) in ours.values().zip(theirs.values()) {
            let is_program = ours
                .extension()
                .is_none_or(|extension| extension == std::env::consts::EXE_EXTENSION);
            let is_skipped = is_by_path && is_program;
            // What a build script wrote may be data to a bench, debug information and all.
            let is_same = if what == outputs { same_file } else { same_program };
            if !is_skipped && !is_same(base, ours, head, theirs)? {
                return Ok(Some(format!("{what}: {}", ours.display())));
            }
        }
    }
    Ok(None)
}

/// A document that a bench program names, as one that parses a `README.md` does: it is data.
fn read_by_a_bench(documents: &[&String], base: &Built, head: &Built) -> Result<Option<String>, Error> {
    if documents.is_empty() {
        return Ok(None);
    }
    for program in base.programs.iter().chain(&head.programs) {
        let content = fs::read(&program.file).map_err(Error::io("read", &program.file))?;
        for file in documents {
            let name = file.rsplit('/').next().unwrap_or(file);
            if memmem::find(&content, name.as_bytes()).is_some() {
                return Ok(Some(format!(
                    "{file} differs, and the program of `{}` names it",
                    program.target
                )));
            }
        }
    }
    Ok(None)
}

fn is_of_cargo(file: &str) -> bool {
    OF_CARGO
        .iter()
        .any(|of_cargo| file == *of_cargo || file.ends_with(&format!("/{of_cargo}")))
}

/// Whether a file that differs cannot be what a bench reads when it runs.
fn is_no_data(file: &str, sources: &BTreeSet<String>) -> bool {
    let (folder, name) = file.rsplit_once('/').unwrap_or(("", file));
    if is_of_cargo(file) {
        return true;
    }
    // What was compiled into the programs is compared with them.
    if name.ends_with(".rs") && sources.contains(file) {
        return true;
    }
    let mut folders = folder.split('/').filter(|folder| !folder.is_empty());
    let mut all = folders.clone();
    if all.any(|folder| DATA_FOLDERS.contains(&folder.to_lowercase().as_str())) {
        return false;
    }
    if folders.any(|folder| DOCUMENTATION_FOLDERS.contains(&folder)) || TOOLS.contains(&name) {
        return true;
    }
    let lower = name.to_lowercase();
    let (stem, ending) = lower.rsplit_once('.').unwrap_or((&lower, ""));
    let named = DOCUMENTATION_NAMES
        .iter()
        .any(|known| stem == *known || stem.starts_with(&format!("{known}-")));
    DOCUMENTATION_ENDINGS.contains(&ending) || named && ["", "txt"].contains(&ending)
}

/// Variables that tell of a package what its documentation tells.
const ABOUT: [&str; 7] = [
    "CARGO_PKG_AUTHORS",
    "CARGO_PKG_DESCRIPTION",
    "CARGO_PKG_HOMEPAGE",
    "CARGO_PKG_LICENSE",
    "CARGO_PKG_LICENSE_FILE",
    "CARGO_PKG_README",
    "CARGO_PKG_REPOSITORY",
];

/// What cargo told a program, with the folders of the revision left out.
fn environment(built: &Built, program: &super::Program) -> BTreeMap<String, String> {
    let place = built.slot.to_string_lossy().into_owned();
    let plain = |text: &str| text.replace(&place, "");
    let told = program
        .environment
        .iter()
        .filter(|(name, _)| !ABOUT.contains(&name.as_str()));
    let variables = told.map(|(name, value)| (name.clone(), plain(value)));
    let folder = plain(&program.folder.to_string_lossy());
    variables.chain([("working folder".to_owned(), folder)]).collect()
}

/// Whether two files hold the same, but for the folder of the revision and the linker's mark.
fn same_file(base: &Built, ours: &Path, head: &Built, theirs: &Path) -> Result<bool, Error> {
    let [ours, theirs] = [normal(base, ours)?, normal(head, theirs)?].map(without_build_id);
    Ok(ours == theirs)
}

/// Whether two programs run the same, wherever they were built.
fn same_program(base: &Built, ours: &Path, head: &Built, theirs: &Path) -> Result<bool, Error> {
    let (ours, theirs) = (normal(base, ours)?, normal(head, theirs)?);
    Ok(match (loaded(&ours), loaded(&theirs)) {
        (Some(ours), Some(theirs)) => ours == theirs,
        _ => ours == theirs,
    })
}

fn normal(built: &Built, file: &Path) -> Result<Vec<u8>, Error> {
    let mut content = fs::read(file).map_err(Error::io("read", file))?;
    blank(&mut content, built.slot.to_string_lossy().as_bytes());
    Ok(content)
}

/// Overwrites the build id that a linker makes of a program's content, which differs with the folders in it.
fn without_build_id(mut content: Vec<u8>) -> Vec<u8> {
    let program = object::File::parse(&*content).ok();
    let id = program.and_then(|program| program.build_id().ok().flatten().map(<[u8]>::to_vec));
    if let Some(id) = id {
        blank(&mut content, &id);
    }
    content
}

/// The sections of a program that its run can depend on. Debug information is in an order that depends on the paths in it, and
/// the linker's mark on both. `None` for what is no program, or does not say where its sections are.
fn loaded(content: &[u8]) -> Option<Vec<u8>> {
    let program = object::File::parse(content).ok()?;
    if !matches!(program.kind(), ObjectKind::Executable | ObjectKind::Dynamic) {
        return None;
    }
    let mut loaded = Vec::new();
    for section in program.sections() {
        let name = section.name_bytes().ok()?;
        // In ELF, what is not loaded has no address.
        let is_debug = section.address() == 0 || name.starts_with(b".debug");
        let is_left_out = is_debug
            || matches!(
                section.kind(),
                SectionKind::Debug | SectionKind::DebugString | SectionKind::Metadata | SectionKind::Note
            );
        if !is_left_out {
            loaded.extend_from_slice(name);
            loaded.extend_from_slice(&section.address().to_le_bytes());
            loaded.extend_from_slice(section.data().ok()?);
        }
    }
    (!loaded.is_empty()).then_some(loaded)
}

/// Overwrites each occurrence. The folders of revisions have paths of one length.
fn blank(content: &mut [u8], text: &[u8]) {
    let found: Vec<usize> = memmem::find_iter(content, text).collect();
    for at in found {
        content[at..at + text.len()].fill(b'.');
    }
}

/// Files at or below paths, by their place in the revision's folder.
fn below(built: &Built, paths: &[PathBuf]) -> Result<BTreeMap<PathBuf, PathBuf>, Error> {
    let mut found = BTreeMap::new();
    let mut open = paths.to_vec();
    while let Some(path) = open.pop() {
        if path.is_dir() {
            for entry in fs::read_dir(&path).map_err(Error::io("read", &path))? {
                open.push(entry.map_err(Error::io("read", &path))?.path());
            }
        } else {
            let place = path.strip_prefix(&built.slot).unwrap_or(&path).to_owned();
            found.insert(place, path);
        }
    }
    Ok(found)
}

/// Files that the compiler read for packages of the tree, from the repository's top folder, with `/`.
fn sources(built: &Built) -> Result<BTreeSet<String>, Error> {
    let mut sources = BTreeSet::new();
    let mut infos = BTreeSet::new();
    for file in &built.of_tree {
        let Some(folder) = file.parent() else { continue };
        let stem = file.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        let stem = stem.strip_prefix("lib").unwrap_or(stem);
        // What cargo wrote of a helper program lies where it was before it was put in its place.
        for folder in [folder.to_owned(), folder.join("deps")]
            .iter()
            .filter(|folder| folder.is_dir())
        {
            for entry in fs::read_dir(folder).map_err(Error::io("read", folder))? {
                let path = entry.map_err(Error::io("read", folder))?.path();
                let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
                if name.ends_with(".d") && (name.starts_with(stem) || file.ends_with("build-script-build")) {
                    infos.insert(path);
                }
            }
        }
    }
    for info in infos {
        let text = fs::read_to_string(&info).map_err(Error::io("read", &info))?;
        // Rules of make: `target: file file`, and `file:` for each file.
        let files = text
            .lines()
            .filter_map(|line| line.split_once(": ").or(Some((line.strip_suffix(':')?, ""))));
        let files = files.flat_map(|(target, rest)| if rest.is_empty() { words(target) } else { words(rest) });
        for file in files {
            let file = built.workspace.join(file);
            if let Ok(place) = file.strip_prefix(&built.top) {
                sources.insert(place.to_string_lossy().replace('\\', "/"));
            }
        }
    }
    Ok(sources)
}

/// Words between spaces; one that belongs to a word is escaped.
fn words(text: &str) -> Vec<String> {
    let joined = text.replace("\\ ", "\u{0}");
    joined
        .split(' ')
        .filter(|word| !word.is_empty())
        .map(|word| word.replace('\u{0}', " "))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_no_bench_can_read_is_no_data() {
        let sources = BTreeSet::from(["src/lib.rs".to_owned()]);
        let check = |file: &str, expected: bool| assert_eq!(is_no_data(file, &sources), expected, "{file}");
        for file in [
            "README.md",
            "crates/a/README.md",
            "CHANGELOG",
            "LICENSE-MIT",
            "LICENSE.txt",
            "docs/picture.svg",
            ".github/workflows/ci.yml",
            ".gitignore",
            "Cargo.toml",
            "crates/a/Cargo.toml",
            "Cargo.lock",
            ".cargo/config.toml",
            "rust-toolchain.toml",
            "src/lib.rs",
        ] {
            check(file, true);
        }
        for file in [
            "testdata/x.txt",
            "benches/text.md",
            "tests/README.md",
            "data.json",
            "src/table.bin",
            "notes.txt",
            "src/other.rs",
            "benches/data/main.rs",
            "docs/testdata/x",
            "words",
            "config.toml",
            "build.rs",
        ] {
            check(file, false);
        }
    }

    #[test]
    fn files_of_a_rule_may_have_spaces() {
        assert_eq!(words("a.rs my\\ file.rs  c"), ["a.rs", "my file.rs", "c"]);
    }

    #[test]
    fn the_folder_of_a_revision_does_not_count() {
        let file = |folder: &str, rest: &str| {
            let mut content = format!("{folder}/src/lib.rs …{rest}").into_bytes();
            blank(&mut content, folder.as_bytes());
            content
        };
        assert_eq!(file("/cache/aaaa", "x"), file("/cache/bbbb", "x"));
        assert_ne!(file("/cache/aaaa", "x"), file("/cache/bbbb", "y"));
        assert_eq!(loaded(&file("/cache/aaaa", "x")), None);
    }

    #[test]
    fn of_a_program_code_and_data_count() {
        let program = fs::read(std::env::current_exe().unwrap()).unwrap();
        let whole = loaded(&program).unwrap();
        let sections = object::File::parse(&*program).unwrap();
        let flipped = |at: u64| {
            let mut changed = program.clone();
            changed[usize::try_from(at).unwrap()] ^= 1;
            changed
        };
        let debug = sections.sections().find(|section| section.name() == Ok(".debug_info"));
        if let Some((at, _)) = debug.and_then(|section| section.file_range()) {
            assert_eq!(loaded(&flipped(at)).unwrap(), whole);
        }
        if let Some(section) = sections.section_by_name(".note.gnu.build-id") {
            let (at, size) = section.file_range().unwrap();
            let other = flipped(at + size - 1);
            assert_eq!(without_build_id(other), without_build_id(program.clone()));
        }
        if program.starts_with(b"\x7fELF") {
            // What is not linked has no addresses yet: all of it counts.
            let mut unlinked = program.clone();
            unlinked[16..18].copy_from_slice(&1_u16.to_le_bytes());
            assert_eq!(loaded(&unlinked), None);
        }
        for kind in [SectionKind::Text, SectionKind::ReadOnlyData, SectionKind::Data] {
            let mut of_kind = sections.sections().filter(|section| section.kind() == kind);
            let (at, _) = of_kind.find_map(|section| section.file_range()).unwrap();
            assert_ne!(loaded(&flipped(at)).unwrap(), whole, "{kind:?}");
        }
    }
}
