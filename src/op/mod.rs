//! The operators: one file each, one line each in [`ALL`].

mod vector_add;

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
}

/// Every operator there is.
pub const ALL: &[Operator] = &[Operator {
    name: VectorAdd::OPERATOR,
    workload: generated::<vector_add::Input>,
}];
