//! What is measured: the work, who does it, and what this project promises.

use crate::fingerprint::AdapterPrint;

/// Whose program does the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Peer {
    Executor,
    Naive,
    CubeCl,
    Cpu,
    CudaPageable,
    CudaPinned,
}

impl Peer {
    pub(crate) const ALL: [Self; 6] = [
        Self::Executor,
        Self::Naive,
        Self::CubeCl,
        Self::Cpu,
        Self::CudaPageable,
        Self::CudaPinned,
    ];

    /// Its name on the command line of its program.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Executor => "executor",
            Self::Naive => "naive",
            Self::CubeCl => "cubecl",
            Self::Cpu => "cpu",
            Self::CudaPageable => "pageable",
            Self::CudaPinned => "pinned",
        }
    }

    /// Whether it is `cuda/vector_add.cu`.
    pub(crate) fn is_cuda(self) -> bool {
        matches!(self, Self::CudaPageable | Self::CudaPinned)
    }
}

/// One way to do the work of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Contestant {
    pub(crate) peer: Peer,
    /// As the program calls it.
    pub(crate) method: &'static str,
    pub(crate) label: &'static str,
}

/// Work that several do; the first of them is this project, and the others are what it is held against.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Event {
    pub(crate) title: &'static str,
    /// As the programs read it.
    pub(crate) size: &'static str,
    pub(crate) contestants: &'static [Contestant],
    pub(crate) targets: &'static [Target],
}

/// The first contestant's time is to be at most `limit` times another's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target {
    pub(crate) on: Machine,
    /// The other's label.
    pub(crate) against: &'static str,
    pub(crate) limit: f64,
}

/// The adapters this project has targets for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Machine {
    Lavapipe,
    Llvmpipe,
    H200,
}

impl Machine {
    pub(crate) fn of(adapter: &AdapterPrint) -> Option<Self> {
        let is_mesa = adapter.name.starts_with("llvmpipe");
        match adapter.backend.as_str() {
            "vulkan" if is_mesa => Some(Self::Lavapipe),
            "gles" if is_mesa => Some(Self::Llvmpipe),
            "vulkan" if adapter.name.contains("H200") => Some(Self::H200),
            _ => None,
        }
    }
}

impl Event {
    pub(crate) fn target(&self, machine: Option<Machine>, label: &str) -> Option<&Target> {
        self.targets
            .iter()
            .find(|target| Some(target.on) == machine && target.against == label)
    }
}

const fn by(peer: Peer, method: &'static str, label: &'static str) -> Contestant {
    Contestant { peer, method, label }
}

const fn at_most(on: Machine, against: &'static str, limit: f64) -> Target {
    Target { on, against, limit }
}

const CUBECL: &str = "cubecl";
const CUBECL_ONE_BY_ONE: &str = "cubecl, one by one";
const NAIVE: &str = "naive wgpu";
const COPIES: &str = "3 copies + CPU add, Vec out";
const COPIES_INTO: &str = "3 copies + CPU add, into a slice";
const CPU: &str = "CPU";
const ONE_BY_ONE: &str = "executor, one by one";
const PAGEABLE: &str = "CUDA, pageable";
const PINNED: &str = "CUDA, pinned";

/// Slices in, a fresh Vec out.
const VEC_OUT: &[Contestant] = &[
    by(Peer::Executor, "run", "executor"),
    by(Peer::Naive, "run", NAIVE),
    by(Peer::CubeCl, "run", CUBECL),
    by(Peer::Cpu, "run", CPU),
    by(Peer::Cpu, "copies", COPIES),
    by(Peer::CudaPageable, "run", PAGEABLE),
    by(Peer::CudaPinned, "run", PINNED),
];

use Machine::{H200, Lavapipe, Llvmpipe};

/// All of it, in the order of the table.
pub(crate) const ALL: &[Event] = &[
    Event {
        title: "n = 256, slices in, Vec out",
        size: "256",
        contestants: VEC_OUT,
        targets: &[
            at_most(Lavapipe, NAIVE, 0.45),
            at_most(Llvmpipe, NAIVE, 0.20),
            at_most(H200, PAGEABLE, 2.0),
            at_most(Lavapipe, CUBECL, 1.0),
            at_most(H200, CUBECL, 1.0),
        ],
    },
    Event {
        title: "n = 1,000, slices in, Vec out",
        size: "1000",
        contestants: VEC_OUT,
        targets: &[at_most(Lavapipe, CUBECL, 1.0), at_most(H200, CUBECL, 1.0)],
    },
    Event {
        title: "n = 1,000,000, slices in, Vec out",
        size: "1000000",
        contestants: VEC_OUT,
        targets: &[
            at_most(Lavapipe, NAIVE, 0.6),
            at_most(Llvmpipe, NAIVE, 0.35),
            at_most(H200, PAGEABLE, 0.6),
            at_most(Lavapipe, CUBECL, 1.0),
            at_most(H200, CUBECL, 1.0),
        ],
    },
    Event {
        title: "n = 16,000,000, slices in, Vec out",
        size: "16000000",
        contestants: VEC_OUT,
        targets: &[
            at_most(Lavapipe, COPIES, 1.4),
            at_most(Llvmpipe, COPIES, 2.2),
            at_most(H200, PAGEABLE, 0.35),
            at_most(Lavapipe, CUBECL, 1.0),
            at_most(H200, CUBECL, 1.0),
        ],
    },
    Event {
        title: "n = 16,000,000, slices in, into a slice",
        size: "16000000",
        contestants: &[
            by(Peer::Executor, "into", "executor"),
            by(Peer::Cpu, "copies-into", COPIES_INTO),
            by(Peer::CudaPageable, "run", PAGEABLE),
            by(Peer::CudaPinned, "run", PINNED),
        ],
        targets: &[
            at_most(Lavapipe, COPIES_INTO, 1.4),
            at_most(Llvmpipe, COPIES_INTO, 2.2),
            at_most(H200, PAGEABLE, 0.35),
        ],
    },
    Event {
        title: "n = 16,000,000, in place, filled and read by the host",
        size: "16000000",
        contestants: &[
            by(Peer::Executor, "in-place", "executor"),
            by(Peer::Cpu, "in-place", CPU),
            by(Peer::CudaPinned, "in-place", PINNED),
        ],
        targets: &[at_most(Lavapipe, CPU, 2.5), at_most(H200, PINNED, 1.25)],
    },
    Event {
        title: "1,000 tasks of 256, whole batch",
        size: "1000x256",
        contestants: &[
            by(Peer::Executor, "flat", "executor"),
            by(Peer::Executor, "batch", "executor, a Vec per task"),
            by(Peer::Executor, "one-by-one", ONE_BY_ONE),
            by(Peer::Naive, "one-by-one", "naive wgpu, one by one"),
            by(Peer::CubeCl, "batch", CUBECL),
            by(Peer::CubeCl, "one-by-one", CUBECL_ONE_BY_ONE),
            by(Peer::Cpu, "batch", "CPU, a Vec per task"),
            by(Peer::CudaPageable, "batch", PAGEABLE),
            by(Peer::CudaPageable, "one-by-one", "CUDA, pageable, one by one"),
            by(Peer::CudaPinned, "batch", "CUDA, packed into pinned"),
        ],
        targets: &[
            at_most(Lavapipe, ONE_BY_ONE, 1.0 / 35.0),
            at_most(Llvmpipe, ONE_BY_ONE, 1.0 / 28.0),
            at_most(H200, ONE_BY_ONE, 1.0 / 140.0),
            at_most(Lavapipe, CUBECL, 1.0),
            at_most(Lavapipe, CUBECL_ONE_BY_ONE, 1.0),
            at_most(H200, CUBECL, 1.0),
            at_most(H200, CUBECL_ONE_BY_ONE, 1.0),
        ],
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_is_against_somebody_who_takes_part() {
        for event in ALL {
            assert_eq!(event.contestants[0].peer, Peer::Executor, "{}", event.title);
            for target in event.targets {
                let others = &event.contestants[1..];
                assert!(
                    others.iter().any(|c| c.label == target.against),
                    "{}: {target:?}",
                    event.title
                );
            }
        }
    }

    #[test]
    fn adapters_are_told_by_backend_and_name() {
        let check = |backend: &str, name: &str, expected| {
            let adapter = AdapterPrint {
                backend: backend.to_owned(),
                name: name.to_owned(),
                kind: "hardware".to_owned(),
                driver: String::new(),
                driver_version: String::new(),
            };
            assert_eq!(Machine::of(&adapter), expected, "{backend} {name}");
        };
        check("vulkan", "llvmpipe (LLVM 15.0.6, 256 bits)", Some(Lavapipe));
        check("gles", "llvmpipe (LLVM 15.0.6, 256 bits)", Some(Llvmpipe));
        check("vulkan", "NVIDIA H200", Some(H200));
        check("gles", "NVIDIA H200/PCIe/SSE2", None);
        check("vulkan", "AMD Radeon", None);
    }
}
