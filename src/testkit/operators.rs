//! The operators of this crate, over which tests, benches and documentation loop.

use super::{Workload, workload};
use crate::task::{Calibration, Generate, Task};

/// An operator, or a use of one, as tests and benches loop over it.
#[derive(Clone, Copy, Debug)]
pub struct Operator {
    /// The operator's name, or that of a use of it.
    pub name: &'static str,
    /// What one item is.
    pub element: &'static str,
    /// Operations of one item, roughly: sizes are chosen by it.
    pub operations: u64,
    /// Generates `tasks` tasks of `size` items each, the same for the same `seed`.
    pub workload: fn(size: usize, tasks: usize, seed: u64) -> Box<dyn Workload>,
    /// Numbers of items of a task beyond which a call takes a dispatch more, ascending: there its
    /// time jumps.
    pub jumps: &'static [usize],
    /// Its calibration for the router; absent for another use of the same operator.
    pub calibration: Option<Calibration>,
}

impl Operator {
    /// The operator whose tasks `G` generates. An item is an `element` and takes `operations`.
    #[must_use]
    pub const fn of<G: Generate>(element: &'static str, operations: u64) -> Self {
        let calibration = G::Task::CALIBRATION;
        Self {
            name: G::Task::KERNEL.name(),
            element,
            operations,
            workload: workload::<G>,
            jumps: match calibration {
                Some(calibration) => calibration.jumps,
                None => &[],
            },
            calibration,
        }
    }

    /// The same as a use of the operator, by another name.
    #[must_use]
    pub const fn named(self, name: &'static str) -> Self {
        Self {
            name,
            calibration: None,
            ..self
        }
    }
}

/// The operators of this build, and uses of them.
pub const OPERATORS: &[Operator] = &[
    Operator::of::<crate::op::vector_add::Input>("a sum", 1),
    #[cfg(feature = "field")]
    Operator::of::<crate::op::field_mul::Input<1>>("a product", 1000),
    #[cfg(feature = "field")]
    Operator::of::<crate::op::field_mul::Input<100>>("100 products of `field_mul`, one after the other", 100_000)
        .named("field_chain"),
    #[cfg(feature = "hash")]
    Operator::of::<crate::op::sha256::Input<64>>("a message of 64 bytes", 5000),
    #[cfg(feature = "hash")]
    Operator::of::<crate::op::keccak256::Input<64>>("a message of 64 bytes", 7000),
    #[cfg(feature = "hash")]
    Operator::of::<crate::op::merkle_root::Input>("a leaf", 7000),
];
