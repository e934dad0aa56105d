//! The operators: one file each, one line each in [`ALL`].

mod load;
mod vector_add;

pub use load::Load;
pub use vector_add::VectorAdd;

use crate::{
    error::Error,
    workload::{Workload, generated},
};

/// One piece of work of an operator: the inputs, and how a CPU and a GPU turn them into the output.
///
/// An operator maps element `i` of every input to element `i` of the output, so that a batch can be joined into one
/// dispatch and a large task be cut into several. The trait is sealed: operators are part of this crate.
pub trait Task: sealed::Sealed + Copy + Sync {
    /// The operator's name in bench ids, reports and baselines; also the key of its cached objects.
    const OPERATOR: &'static str;

    /// The kernel in WGSL. Bindings of group 0: the inputs in order, then the output. Immediates: the number of
    /// elements and the threads per row of the grid, both u32. Workgroups have [`WORKGROUP_SIZE`] threads, each of which
    /// computes [`ELEMENTS_PER_THREAD`](Self::ELEMENTS_PER_THREAD).
    const SHADER: &'static str;

    /// Elements that one thread computes. Bindings hold a multiple of it.
    const ELEMENTS_PER_THREAD: usize;

    /// Bytes per element of each input, each a multiple of 4.
    const INPUT_STRIDES: &'static [usize];

    /// One element of the output; its size is a multiple of 4.
    type Item: bytemuck::Pod + Send + Sync;

    /// A task of this operator over other inputs.
    type Over<'a>: Task<Item = Self::Item>;

    /// The task over inputs of equal length, given as the bytes of each, aligned for the operator's numbers.
    fn over<'a>(inputs: &[&'a [u8]]) -> Self::Over<'a>;

    /// Number of elements of every input and of the output.
    ///
    /// # Errors
    /// [`Error::LengthMismatch`], with task 0, if the inputs differ in length.
    fn elements(&self) -> Result<usize, Error>;

    /// How much work it is; `elements` is what [`elements`](Self::elements) returned.
    fn load(&self, elements: usize) -> Load {
        Load::flat(elements)
    }

    /// The bytes of input `index`, of shape `[elements × INPUT_STRIDES[index]]`.
    fn input(&self, index: usize) -> &[u8];

    /// Appends the output, of shape `[elements]`, computed on this thread. Called with inputs of equal length only, and
    /// with room for all of it.
    fn run_on_cpu(&self, output: &mut Vec<Self::Item>);

    /// Writes the output, computed on this thread, to a slice of shape `[elements]`.
    fn run_on_cpu_into(&self, output: &mut [Self::Item]);
}

mod sealed {
    /// Only this crate can name it.
    pub trait Sealed {}
}

/// Threads per workgroup of every kernel.
pub const WORKGROUP_SIZE: u32 = 256;

/// An operator as tests, benches and documentation loop over it.
#[derive(Clone, Copy, Debug)]
pub struct Operator {
    /// The operator's name.
    pub name: &'static str,
    /// Generates `tasks` tasks of `size` elements each, the same for the same `seed`.
    pub workload: fn(size: usize, tasks: usize, seed: u64) -> Box<dyn Workload>,
    /// Generates one call of `items` items of `depth` steps each, as [`Load`] counts them, to calibrate with.
    pub probe: fn(items: usize, depth: usize, seed: u64) -> Box<dyn Workload>,
    /// The depths to calibrate at, ascending; `[1]` where items have one step. Between two of them, and above, times are
    /// taken to grow evenly with the depth.
    pub depths: &'static [usize],
}

/// Every operator there is.
pub const ALL: &[Operator] = &[Operator {
    name: VectorAdd::OPERATOR,
    workload: generated::<vector_add::Input>,
    probe: |items, _, seed| generated::<vector_add::Input>(items, 1, seed),
    depths: &[1],
}];

/// Where an operator stands in [`ALL`]. Evaluated while compiling, so that one that is missing there does not compile.
pub(crate) const fn index_of(name: &str) -> usize {
    let mut index = 0;
    while index < ALL.len() {
        if is_same(ALL[index].name.as_bytes(), name.as_bytes()) {
            return index;
        }
        index += 1;
    }
    panic!("every operator is in `op::ALL`")
}

/// `==`, which constants cannot use yet.
const fn is_same(left: &[u8], right: &[u8]) -> bool {
    let mut at = 0;
    while at < left.len() && at < right.len() && left[at] == right[at] {
        at += 1;
    }
    at == left.len() && at == right.len()
}
