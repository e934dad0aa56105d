//! Revisions of this project, or of another one, built as `cargo bench-gate` builds them: each in a tree and a target
//! folder of its own, to be started where and as cargo starts it.

use std::path::Path;

pub(crate) use bench_gate::project::{Builder, Built, WORKTREE};
use bench_gate::project::{Project, Selection, Store};

use crate::{
    ab::report::Side,
    error::Error,
    host::{console, interrupt, workspace},
};

/// Where revisions come from, and which of their programs is meant.
#[derive(Debug)]
pub(crate) struct Revisions {
    project: Project,
    store: Store,
    selection: Selection,
}

impl Revisions {
    /// Those of this project.
    pub(crate) fn own() -> Result<Self, Error> {
        let manifest = workspace::root().join("Cargo.toml");
        Self::of(&manifest, Some("gpu-executor"), Some("executor"))
    }

    /// Those of the project with a manifest.
    pub(crate) fn of(manifest: &Path, package: Option<&str>, bench: Option<&str>) -> Result<Self, Error> {
        let project = Project::find(Some(manifest))?;
        let names = |name: Option<&str>| name.map(str::to_owned).into_iter().collect();
        Ok(Self {
            store: Store::open(project.repository().top())?,
            project,
            selection: Selection {
                packages: names(package),
                benches: names(bench),
                ..Selection::default()
            },
        })
    }

    /// Asks for commits, and for where they are.
    pub(crate) fn project(&self) -> &Project {
        &self.project
    }

    /// Builds them one after the other; what is compiled for the first is not compiled again for the others.
    pub(crate) fn builder(&self) -> Builder<'_> {
        Builder::new(&self.project, &self.store, &self.selection, &interrupt::is_noted)
    }
}

/// Builds the program of a revision. Its tree and its files stay as they are for as long as [`Built`] exists.
pub(crate) fn side(builder: &mut Builder<'_>, revision: &str, commit: &str) -> Result<(Side, Built), Error> {
    console::status("Building", &format!("{revision} ({})", &commit[..commit.len().min(12)]));
    let built = builder.build(commit)?;
    for note in &built.notes {
        console::warning(note);
    }
    let names: Vec<&str> = built.programs.iter().map(|program| program.target.as_str()).collect();
    let program = match &built.programs[..] {
        [program] => program.clone(),
        [] => return Err(Error::Usage(format!("{revision} has no criterion bench"))),
        _ => {
            return Err(Error::Usage(format!(
                "there are several benches; name one with --bench: {}",
                names.join(", ")
            )));
        }
    };
    let side = Side {
        revision: revision.to_owned(),
        commit: commit.to_owned(),
        program: program.file.clone(),
        start: Some(program),
    };
    Ok((side, built))
}
