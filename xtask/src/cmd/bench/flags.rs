//! What `cargo xtask bench` is asked for.

use std::path::PathBuf;

use crate::{
    baseline, noop,
    shard::Shard,
    verdict::{Strictness, Timing},
};

/// What `--full` measures: `vector_add`'s sizes and two more, of every operator.
const FULL_SIZES: &str = "1000,20000,50000,100000,250000,500000,1000000,1000x256,4000000,16000000";
#[derive(Debug, Default, clap::Args)]
#[command(after_help = "\
Examples:
  cargo xtask bench --setup                          install software adapters, measure everything
  cargo xtask bench --quick --backend cpu,vulkan     a look while working
  cargo xtask bench --save-baseline                  record this machine's baseline, in 5 processes
  cargo xtask bench --save-baseline --backend noop   record counters that are the same on every machine, in a second

Exit codes: 0 pass, 1 failed, 2 usage, 3 regression, 4 none of the cases judged, or one of them not (--strict),
5 no baseline (--require-baseline).
`--save-baseline` ends with 4 where the machine is too noisy, and records nothing.")]
pub(crate) struct Flags {
    /// Install what is missing for the software adapters first
    #[arg(long)]
    pub(super) setup: bool,
    /// About a fifth of the time
    #[arg(long, conflicts_with = "full")]
    pub(super) quick: bool,
    /// Sizes of 4,000,000 and 16,000,000 as well
    #[arg(long)]
    pub(super) full: bool,
    /// Backends to measure, of cpu, vulkan, gles, dx12, metal; `noop` alone counts calls into wgpu without a driver, as every run
    /// does, and measures nothing [default: all there are]
    #[arg(long, value_name = "LIST", env = "GPU_EXECUTOR_BACKENDS", value_parser = backends_and_noop)]
    pub(super) backend: Option<Backends>,
    /// Operators to measure, or `all`; sizes that take long on a CPU are left out [default: all]
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub(super) op: Option<Vec<String>>,
    /// Sizes to measure: 20000, or 1000x256 for a batch of 1000 tasks [default: eight of vector_add, three and a batch of others]
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = size)]
    pub(super) size: Option<Vec<String>>,
    /// Measure a part only, for `cargo xtask merge`: 1/4 is the first of four, of about equal time
    #[arg(long, value_name = "I/N", conflicts_with = "save_baseline")]
    pub(super) shard: Option<Shard>,
    /// Fresh processes per backend [default: 1; 5 with --save-baseline]
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u64).range(1..=1000))]
    pub(super) runs: Option<u64>,
    /// Let software adapters use all cores: closer to what users see, and far noisier
    #[arg(long)]
    pub(super) free: bool,
    /// Record the result as this machine's baseline, replacing the cases measured
    #[arg(long, conflicts_with_all = ["no_gate", "strict", "require_baseline"])]
    pub(super) save_baseline: bool,
    /// Record it though the machine is noisy, or of fewer than 5 processes; the baseline says so
    #[arg(long, requires = "save_baseline")]
    pub(super) force: bool,
    /// Do not compare in turns with the baseline's revision: judge by the baseline and fresh processes
    #[arg(long)]
    pub(super) no_ab: bool,
    /// A bench program built elsewhere, and its revision: nothing is built here, and git is not asked
    #[arg(long, value_name = "PATH[=REVISION]")]
    pub(super) program: Option<PathBuf>,
    /// The listing of adapters built elsewhere [default: `adapters` beside --program]
    #[arg(long, value_name = "PATH", requires = "program")]
    pub(super) adapters: Option<PathBuf>,
    /// The bench program of the baseline's revision, built elsewhere
    #[arg(long, value_name = "PATH")]
    pub(super) base_program: Option<PathBuf>,
    /// Measure only
    #[arg(long, conflicts_with_all = ["strict", "require_baseline"])]
    pub(super) no_gate: bool,
    /// End with 4 if a case is inconclusive, noisy or missing
    #[arg(long)]
    pub(super) strict: bool,
    /// End with 5 if this machine has no baseline
    #[arg(long)]
    pub(super) require_baseline: bool,
    /// Folder of the baselines [default: baselines]
    #[arg(long, value_name = "DIR")]
    pub(super) baselines: Option<PathBuf>,
    /// Folder for the result [default: target/bench/TIME]
    #[arg(long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,
    /// Times do not fail the run.
    #[arg(skip)]
    pub(super) advisory: bool,
}

/// Backends by the names of reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Backends(pub(crate) Vec<String>);

/// Reads a comma list of backends, as wgpu spells them.
pub(crate) fn backends(list: &str) -> Result<Backends, String> {
    read(list, "")
}

/// The same; calls may be counted on `noop` as well.
fn backends_and_noop(list: &str) -> Result<Backends, String> {
    read(list, noop::BACKEND)
}

fn read(list: &str, besides: &'static str) -> Result<Backends, String> {
    let mut names = Vec::new();
    for name in list.split(',').map(str::trim) {
        let name = match name.to_ascii_lowercase().as_str() {
            "cpu" => "cpu",
            "vulkan" | "vk" => "vulkan",
            "gles" | "gl" | "opengl" => "gles",
            "dx12" | "d3d12" => "dx12",
            "metal" | "mtl" => "metal",
            other if !other.is_empty() && other == besides => besides,
            _ => {
                let all = ["cpu, vulkan, gles, dx12, metal", besides];
                let all = all.join(if besides.is_empty() { "" } else { ", " });
                return Err(format!("unknown backend `{name}`; there are {all}"));
            }
        };
        if !names.iter().any(|n| n == name) {
            names.push(name.to_owned());
        }
    }
    Ok(Backends(names))
}

/// Checks a size and gives it its one spelling.
fn size(text: &str) -> Result<String, String> {
    let numbers: Option<Vec<u64>> = text
        .split('x')
        .map(|n| n.trim().parse().ok().filter(|&n| n > 0))
        .collect();
    match numbers.as_deref() {
        Some([size] | [1, size]) => Ok(size.to_string()),
        Some([tasks, size]) => Ok(format!("{tasks}x{size}")),
        _ => Err("write 20000, or 1000x256 for a batch of 1000 tasks of 256 elements".to_owned()),
    }
}

impl Flags {
    /// The bench of `cargo xtask ci`.
    pub(crate) fn quick_for_ci() -> Self {
        Self {
            quick: true,
            advisory: true,
            ..Self::default()
        }
    }

    pub(super) fn strictness(&self) -> Strictness {
        Strictness {
            timing: if self.advisory {
                Timing::Advisory
            } else {
                Timing::Enforced
            },
            strict: self.strict,
        }
    }

    pub(super) fn pace(&self) -> &'static str {
        if self.quick { "quick" } else { "default" }
    }

    pub(super) fn runs(&self) -> u64 {
        self.runs.unwrap_or(if self.save_baseline { baseline::RUNS } else { 1 })
    }

    /// The operators to measure; `None` for all.
    pub(super) fn ops(&self) -> Option<Vec<String>> {
        match self.op.as_deref() {
            None => None,
            Some([all]) if all == "all" => None,
            Some(ops) => Some(ops.to_vec()),
        }
    }

    /// The revision that `--program` names.
    pub(super) fn program_revision(&self) -> Option<String> {
        let program = self.program.as_ref()?.to_string_lossy().into_owned();
        Some(
            program
                .rsplit_once('=')
                .map_or("unknown", |(_, revision)| revision)
                .to_owned(),
        )
    }

    /// The backends to be timed; `None` for all there are.
    pub(super) fn timed(&self) -> Option<Vec<String>> {
        let mut backends = self.backend.clone()?.0;
        backends.retain(|name| name != noop::BACKEND);
        Some(backends)
    }

    /// Whether counters without a driver are asked for by name.
    pub(super) fn names_noop(&self) -> bool {
        self.backend
            .as_ref()
            .is_some_and(|backends| backends.0.iter().any(|name| name == noop::BACKEND))
    }

    /// Whether counters without a driver are to be recorded with the rest.
    pub(super) fn wants_noop(&self) -> bool {
        self.backend.is_none() || self.names_noop()
    }

    /// Fresh processes for each suspect.
    pub(super) fn confirming_runs(&self) -> u64 {
        if self.quick { 3 } else { 5 }
    }

    /// The sizes to measure; none for those that the bench program has.
    pub(super) fn sizes(&self) -> Vec<String> {
        let mut sizes = self.size.clone().unwrap_or_default();
        if self.full {
            sizes.extend(FULL_SIZES.split(',').map(str::to_owned));
        }
        let mut seen = Vec::new();
        sizes.retain(|size| {
            !seen.contains(size) && {
                seen.push(size.clone());
                true
            }
        });
        sizes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_one_spelling() {
        let check = |text: &str, expected: Option<&str>| assert_eq!(size(text).ok().as_deref(), expected, "{text}");
        check("20000", Some("20000"));
        check(" 20000 ", Some("20000"));
        check("1x5", Some("5"));
        check("1000x256", Some("1000x256"));
        for wrong in ["", "0", "-1", "1e3", "1x2x3", "x5", "5x", "0x5", "1_000"] {
            check(wrong, None);
        }
    }

    #[test]
    fn backends_are_read_as_wgpu_spells_them() {
        let check = |list: &str, expected: &[&str]| assert_eq!(backends(list).unwrap().0, expected, "{list}");
        check("cpu", &["cpu"]);
        check(" VK, opengl ,cpu,vulkan", &["vulkan", "gles", "cpu"]);
        check("d3d12,mtl", &["dx12", "metal"]);
        for wrong in ["", "vulcan", "cpu,", "cpu;gles"] {
            assert!(
                backends(wrong).unwrap_err().contains("cpu, vulkan, gles, dx12, metal"),
                "{wrong}"
            );
            assert!(
                backends_and_noop(wrong).unwrap_err().ends_with("metal, noop"),
                "{wrong}"
            );
        }
        assert!(backends("noop").is_err(), "it is no adapter");
        assert_eq!(backends_and_noop("noop,CPU").unwrap().0, ["noop", "cpu"]);
    }

    #[test]
    fn full_adds_sizes_and_none_is_measured_twice() {
        let flags = Flags {
            full: true,
            size: Some(vec!["5".into(), "5".into(), "4000000".into()]),
            ..Flags::default()
        };
        let sizes = flags.sizes();
        assert_eq!(
            (sizes.len(), sizes[0].as_str(), sizes[10].as_str()),
            (11, "5", "16000000")
        );
        assert!(Flags::default().sizes().is_empty());
    }
}
