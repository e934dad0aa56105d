//! The operators: one file each, one line each in [`ALL`].

mod field_mul;
mod keccak256;
mod load;
mod merkle_root;
mod messages;
mod sha256;
mod spec;
mod vector_add;

pub use field_mul::{Element, FieldMul};
pub use keccak256::Keccak256;
pub use load::Load;
pub use merkle_root::MerkleRoot;
pub use sha256::Sha256;
pub(crate) use spec::word;
pub use spec::{Cost, Digest, Extent, Shape, Spec, Step};
pub use vector_add::VectorAdd;

use crate::{
    error::Error,
    gpu::TABLE_STRIDE,
    strings,
    workload::{Workload, generated},
};

/// One piece of work of an operator: the inputs, and how a CPU and a GPU turn them into the output.
///
/// Element `i` of the output depends on element `i` of the inputs alone, whatever an operator calls an element: a number, a
/// message, a tree. So a batch can be joined into one dispatch and a large task be cut into several. The trait is sealed:
/// operators are part of this crate.
pub trait Task: sealed::Sealed + Copy + Sync {
    /// The kernel, and how inputs and output lie.
    const SPEC: Spec;

    /// Whether the CPU shares a batch's tasks, and a task's elements, out to rayon's threads.
    const PARALLEL: bool;

    /// One element of the output; its size is a multiple of 4.
    type Item: bytemuck::Pod + Send + Sync;

    /// Number of elements of the output.
    ///
    /// # Errors
    /// [`Error::LengthMismatch`], with task 0, if inputs that must be equally long are not.
    fn elements(&self) -> Result<usize, Error>;

    /// For [`Shape::Numbers`] the bytes of input `index`, of shape `[elements × stride]`; for [`Shape::Strings`] those of
    /// element `index`.
    fn input(&self, index: usize) -> &[u8];

    /// How much work it is, as the router counts it: cheap, as it is asked for before every routed call.
    fn load(&self) -> Load {
        Load::flat(self.elements().unwrap_or(0))
    }

    /// The same by a look at so many of its strings at the most.
    fn weighed(&self, looks: usize) -> Load {
        let _ = looks;
        self.load()
    }

    /// A number that the kernel is given. Tasks of a batch that differ in it are not joined into one dispatch.
    fn parameter(&self) -> Option<u32> {
        None
    }

    /// Words of all its strings; 0 where inputs are numbers.
    fn words(&self) -> usize {
        let elements = self.elements().unwrap_or(0);
        match Self::SPEC.inputs {
            Shape::Numbers(_) => 0,
            Shape::Strings { .. } => (0..elements)
                .map(|element| strings::all_words(self.input(element)))
                .sum(),
        }
    }

    /// Roughly how many 32-bit operations the task takes; 0 if it is wrong.
    fn operations(&self) -> u64 {
        let elements = self.elements().unwrap_or(0);
        Self::SPEC
            .cost
            .of(elements, self.words(), self.parameter().unwrap_or(1))
    }

    /// Bytes of inputs and output that would go to and come from a device; 0 if the task is wrong.
    fn bytes(&self) -> u64 {
        let elements = self.elements().unwrap_or(0);
        let each = match Self::SPEC.inputs {
            Shape::Numbers(strides) => strides.iter().sum(),
            Shape::Strings { .. } => TABLE_STRIDE,
        };
        (elements * (each + Self::SPEC.output_stride) + self.words() * 4) as u64
    }

    /// Appends the output, of shape `[elements]`. Called with right inputs only, and with room for all of it.
    fn run_on_cpu(&self, output: &mut Vec<Self::Item>) {
        let start = output.len();
        let elements = self.elements().unwrap_or(0);
        output.resize(start + elements, bytemuck::Zeroable::zeroed());
        self.run_on_cpu_into(&mut output[start..]);
    }

    /// Writes the output to a slice of shape `[elements]`.
    fn run_on_cpu_into(&self, output: &mut [Self::Item]);
}

/// A task whose inputs are arrays of one length, and nothing else: it can be computed in place.
pub trait Elementwise: Task {
    /// A task of this operator over other inputs.
    type Over<'a>: Elementwise<Item = Self::Item>;

    /// The task over inputs of equal length, given as the bytes of each, aligned for the operator's numbers.
    fn over<'a>(inputs: &[&'a [u8]]) -> Self::Over<'a>;
}

mod sealed {
    /// Only this crate can name it.
    pub trait Sealed {}
}

/// Strings that are looked at to tell how much work there is, at the most, but for one of each task: while a call is weighed, the
/// processor's other threads go to sleep, and each look may be one at memory that is in no cache.
pub(crate) const MOST_LOOKED_AT: usize = 128;

/// Threads per workgroup that every adapter must allow.
pub const MOST_WORKGROUP_SIZE: u32 = 256;

/// An operator as tests, benches and documentation loop over it.
#[derive(Clone, Copy, Debug)]
pub struct Operator {
    /// The operator's name, or that of a use of it.
    pub name: &'static str,
    /// What an element of a task is.
    pub element: &'static str,
    /// 32-bit operations per element, roughly.
    pub operations: u64,
    /// Generates `tasks` tasks of `size` elements each, the same for the same `seed`.
    pub workload: fn(size: usize, tasks: usize, seed: u64) -> Box<dyn Workload>,
    /// Numbers of items of a task beyond which a call takes a dispatch more, ascending: there its time jumps.
    pub jumps: &'static [usize],
    /// What the router calibrates it with; absent for what is only another use of an operator.
    pub probe: Option<Probe>,
}

/// What the router calibrates an operator with.
#[derive(Clone, Copy, Debug)]
pub struct Probe {
    /// Generates one task of `items` items of `depth` steps each, as [`Load`] counts them.
    pub generate: fn(items: usize, depth: usize) -> Box<dyn Workload>,
    /// The depths to calibrate at, ascending; `[1]` where items have one step. Between two of them, and above, times are
    /// taken to grow evenly with the depth.
    pub depths: &'static [usize],
}

/// Every operator there is.
pub const ALL: &[Operator] = &[
    Operator {
        name: VectorAdd::SPEC.operator,
        element: "a sum",
        operations: 1,
        workload: generated::<vector_add::Input>,
        jumps: &[],
        probe: Some(Probe {
            generate: |items, _| generated::<vector_add::Input>(items, 1, 1),
            depths: &[1],
        }),
    },
    Operator {
        name: FieldMul::SPEC.operator,
        element: "a product",
        operations: 1000,
        workload: generated::<field_mul::Input<1>>,
        jumps: &[],
        probe: Some(field_mul::PROBE),
    },
    Operator {
        name: "field_chain",
        element: "100 products of `field_mul`, one after the other",
        operations: 100_000,
        workload: generated::<field_mul::Input<100>>,
        jumps: &[],
        // A use of `field_mul`.
        probe: None,
    },
    Operator {
        name: "sha256",
        element: "a message of 64 bytes",
        operations: 5000,
        workload: generated::<sha256::Input<64>>,
        jumps: &[],
        probe: Some(sha256::PROBE),
    },
    Operator {
        name: "keccak256",
        element: "a message of 64 bytes",
        operations: 7000,
        workload: generated::<keccak256::Input<64>>,
        jumps: &[],
        probe: Some(keccak256::PROBE),
    },
    Operator {
        name: MerkleRoot::SPEC.operator,
        element: "a leaf",
        operations: 7000,
        workload: generated::<merkle_root::Input>,
        jumps: merkle_root::JUMPS,
        probe: Some(Probe {
            generate: |items, _| generated::<merkle_root::Input>(items, 1, 1),
            depths: &[1],
        }),
    },
];

/// All operators, as the executor sees them.
pub(crate) const SPECS: [Spec; 5] = [
    VectorAdd::SPEC,
    FieldMul::SPEC,
    Sha256::<&[u8]>::SPEC,
    Keccak256::<&[u8]>::SPEC,
    MerkleRoot::SPEC,
];

/// The sources of all kernels.
pub(crate) fn kernels() -> impl Iterator<Item = &'static str> {
    SPECS
        .into_iter()
        .flat_map(|spec| [Some(spec.shader), spec.shader_int64])
        .flatten()
}

/// Where an operator that is routed stands in [`ALL`]. Evaluated while compiling, so that one that is missing there does not
/// compile.
pub(crate) const fn index_of(name: &str) -> usize {
    let mut index = 0;
    while index < ALL.len() {
        if ALL[index].probe.is_some() && is_same(ALL[index].name.as_bytes(), name.as_bytes()) {
            return index;
        }
        index += 1;
    }
    panic!("every operator is in `op::ALL`, with a probe")
}

/// `==`, which constants cannot use yet.
const fn is_same(left: &[u8], right: &[u8]) -> bool {
    let mut at = 0;
    while at < left.len() && at < right.len() && left[at] == right[at] {
        at += 1;
    }
    at == left.len() && at == right.len()
}
