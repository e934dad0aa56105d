//! What `cargo xtask ab` is asked for.

use std::{path::PathBuf, time::Duration};

use bench_gate::binding::Binding;
use serde::{Deserialize, Serialize};

use crate::{
    error::Error,
    host::{affinity, revision::Revisions, turns::PATIENCE},
};

#[derive(Debug, Default, clap::Args)]
#[command(after_help = "\
Examples:
  cargo xtask ab                                     the work tree against where its branch left main
  cargo xtask ab HEAD~3 HEAD --backend vulkan        two commits, one backend
  cargo xtask ab v1.0 worktree --manifest-path ../other/Cargo.toml --bench speed
                                                     any project with criterion benches

Exit codes: 0 pass, 1 failed, 2 usage, 3 regression or other counters, 4 none of the cases judged, or one of them not (--strict).")]
pub(crate) struct Flags {
    /// Revision to compare with [default: where the branch left main]
    pub(super) base: Option<String>,
    /// Revision in question, or `worktree` [default: worktree]
    pub(super) head: Option<String>,
    /// Cases whose ids contain one of these
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub(super) case: Vec<String>,
    /// Backends, by their names in ids
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub(super) backend: Vec<String>,
    /// Operators, by their names in ids
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub(super) op: Vec<String>,
    /// Sizes: 20000, or 1000x256 for a batch of 1000 tasks
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub(super) size: Vec<String>,
    /// Programs of base and head that were built elsewhere: given twice, base first; nothing is built here, and git is not asked
    #[arg(long, value_name = "PATH[=REVISION]", conflicts_with_all = ["base", "head", "manifest_path"])]
    pub(super) program: Vec<PathBuf>,
    /// The listing of adapters built elsewhere [default: `adapters` beside the first --program]
    #[arg(long, value_name = "PATH", requires = "program")]
    pub(super) adapters: Option<PathBuf>,
    #[command(flatten)]
    pub(super) source: Source,
    /// Let processes use all cores: closer to what users see, and far noisier
    #[arg(long)]
    pub(super) free: bool,
    /// What is bound to the core drawn for a block [default: process for drivers that compute on the CPU, caller for GPUs]
    #[arg(long, value_name = "WHAT", value_parser = ["caller", "process", "free"])]
    pub(super) binding: Option<String>,
    /// Stop after so many seconds of measuring, and judge by what is there
    #[arg(long, value_name = "SECONDS")]
    pub(super) time_budget: Option<u64>,
    /// A program that takes so many seconds for an answer hangs [default: 120]
    #[arg(long, value_name = "SECONDS")]
    pub(super) patience: Option<u64>,
    /// Seed of the random order [default: another one each time]
    #[arg(long, value_name = "NUMBER")]
    pub(super) seed: Option<u64>,
    /// Other calls into wgpu are meant and do not fail
    #[arg(long)]
    pub(super) allow_counters: bool,
    /// End with 4 if a case is inconclusive, noisy or not measured
    #[arg(long)]
    pub(super) strict: bool,
    /// Go on with an interrupted comparison, of the project and the cases it was begun with
    #[arg(long, value_name = "DIR", conflicts_with_all = ["base", "head", "seed", "out"])]
    pub(super) resume: Option<PathBuf>,
    /// Folder for the result [default: target/ab/TIME]
    #[arg(long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,
}

// Whose benches are compared; a doc comment would become the help of the commands that have these flags.
#[derive(Clone, Debug, Default, clap::Args, Serialize, Deserialize)]
pub(crate) struct Source {
    /// Manifest of another project, whose criterion benches are compared
    #[arg(long, value_name = "PATH")]
    pub(super) manifest_path: Option<PathBuf>,
    /// Package of that project
    #[arg(long, value_name = "NAME", requires = "manifest_path")]
    pub(super) package: Option<String>,
    /// Bench target of that project
    #[arg(long, value_name = "NAME", requires = "manifest_path")]
    pub(super) bench: Option<String>,
}

impl Source {
    /// Whether it is this project.
    pub(crate) fn is_own(&self) -> bool {
        self.manifest_path.is_none()
    }

    /// The revisions of the project.
    pub(crate) fn revisions(&self) -> Result<Revisions, Error> {
        match &self.manifest_path {
            None => Revisions::own(),
            Some(manifest) => Revisions::of(manifest, self.package.as_deref(), self.bench.as_deref()),
        }
    }

    /// The same from any folder.
    pub(super) fn absolute(&self) -> Result<Self, Error> {
        let absolute = |path: &PathBuf| std::path::absolute(path).map_err(Error::io("find", path));
        Ok(Self {
            manifest_path: self.manifest_path.as_ref().map(absolute).transpose()?,
            ..self.clone()
        })
    }
}

impl Flags {
    pub(super) fn patience(&self) -> Duration {
        self.patience.map_or(PATIENCE, Duration::from_secs)
    }

    pub(super) fn is_bound(&self) -> bool {
        !self.free && affinity::is_possible()
    }

    /// What is bound to the core of a block; `None` for what suits each backend.
    pub(super) fn binding(&self) -> Option<Binding> {
        let of_word = |word: &String| match word.as_str() {
            "caller" => Binding::Caller,
            "process" => Binding::Process,
            _ => Binding::Free,
        };
        if self.is_bound() {
            self.binding.as_ref().map(of_word)
        } else {
            Some(Binding::Free)
        }
    }

    /// Whether a case was asked for.
    pub(super) fn wants(&self, case: &str) -> bool {
        let parts: Vec<&str> = case.split('/').collect();
        let is_one = |wanted: &[String], part: Option<&&str>| {
            wanted.is_empty() || part.is_some_and(|p| wanted.iter().any(|w| w == p))
        };
        (self.case.is_empty() || self.case.iter().any(|part| case.contains(part.as_str())))
            && is_one(&self.op, parts.first())
            && is_one(&self.backend, parts.get(1))
            && is_one(&self.size, parts.get(2))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_is_wanted_if_every_flag_wants_it() {
        let list = |items: &[&str]| items.iter().map(|&item| item.to_owned()).collect::<Vec<_>>();
        let check = |case: &[&str], backend: &[&str], size: &[&str], expected: bool| {
            let flags = Flags {
                case: list(case),
                backend: list(backend),
                size: list(size),
                ..Flags::default()
            };
            assert_eq!(flags.wants("vector_add/vulkan/1000x256"), expected, "{flags:?}");
        };
        check(&[], &[], &[], true);
        check(&["vulkan/1000"], &[], &[], true);
        check(&["cpu", "add"], &[], &[], true);
        check(&["cpu"], &[], &[], false);
        check(&[], &["cpu", "vulkan"], &["1000x256"], true);
        check(&[], &["vulkan"], &["1000"], false);
        check(&[], &["cpu"], &[], false);
    }
}
