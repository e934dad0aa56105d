//! What an operator is: a kernel, how its inputs lie, and the same for the CPU.
//!
//! An operator is a type that implements [`Task`], in this crate or any other. Here is `y[i] ← a ·
//! x[i] + y[i]`:
//!
//! ```
//! use gpu_executor::{Backend, Executor, task::{Kernel, Task}};
//!
//! #[derive(Clone, Copy, Debug)]
//! struct Saxpy<'a> {
//!     a: f32,
//!     x: &'a [f32],
//!     y: &'a [f32],
//! }
//!
//! impl Task for Saxpy<'_> {
//!     const KERNEL: Kernel = Kernel::new("saxpy", "
//!         struct Call { elements: u32, row: u32, a: f32 }
//!         var<immediate> call: Call;
//!         @group(0) @binding(0) var<storage, read> x: array<f32>;
//!         @group(0) @binding(1) var<storage, read> y: array<f32>;
//!         @group(0) @binding(2) var<storage, read_write> output: array<f32>;
//!         @compute @workgroup_size(256)
//!         fn main(@builtin(global_invocation_id) thread: vec3<u32>) {
//!             let i = thread.y * call.row + thread.x;
//!             if i < call.elements { output[i] = call.a * x[i] + y[i]; }
//!         }");
//!     type Inputs = (f32, f32);
//!     type Parameters = f32;
//!     type Item = f32;
//!
//!     fn inputs(&self) -> (&[f32], &[f32]) {
//!         (self.x, self.y)
//!     }
//!
//!     fn parameters(&self) -> f32 {
//!         self.a
//!     }
//!
//!     fn compute((x, y): (&[f32], &[f32]), a: f32, output: &mut [f32]) {
//!         for ((to, x), y) in output.iter_mut().zip(x).zip(y) {
//!             *to = a * x + y;
//!         }
//!     }
//! }
//!
//! gpu_executor::task::check_kernel::<Saxpy<'_>>()?;
//! let executor = Executor::new(Backend::Cpu)?;
//! let output = executor.run(&Saxpy { a: 2.0, x: &[1.0, 2.0], y: &[10.0, 20.0] })?;
//! assert_eq!(output, [12.0, 24.0]);
//! # Ok::<(), gpu_executor::Error>(())
//! ```

mod inputs;
mod kernel;
mod load;
mod sample;
mod source;
pub(crate) mod strings;
mod wgsl;

use std::fmt::Debug;

pub use inputs::{Columns, Inputs, Shape, Strings, Whole};
pub use kernel::{Cost, Digest, Dispatches, Kernel, Room, Step};
pub(crate) use kernel::{Spec, word};
pub use load::Load;
pub use sample::{Calibration, CheckError, Generate, Generator, Random, Sample, generated};
#[cfg(any(test, feature = "testkit"))]
pub(crate) use sample::{Generated, compare};
pub(crate) use source::{Appended, Batch, Filled, Sink, Source, lengths, run_batch, run_on_cpu, run_one};
pub(crate) use strings::TABLE_STRIDE;
pub(crate) use wgsl::checked;

use crate::error::Error;
pub use crate::plan::Extent;

/// What strings that share a kernel's bindings have in common, in WGSL: the bindings of
/// [`Strings`], one thread for each, and digests written together. A hash is read behind it
/// ([`Kernel::after`]); its header says what it has to have.
pub const MESSAGES_WGSL: &str = include_str!("../../shaders/messages.wgsl");

/// Words of [`Task::Parameters`].
pub type Parameters = [u32; 6];

/// The inputs of an operator where the host has them.
pub type Slices<'s, T> = <<T as Task>::Inputs as Inputs>::Slices<'s>;

/// One piece of work of an operator: the inputs, and how a CPU and a GPU turn them into the output.
///
/// Element `i` of the output depends on element `i` of the inputs and on the parameters alone,
/// whatever an operator calls an element: a number, a message, a tree. So a batch can be joined
/// into one dispatch and a large task be cut into several.
pub trait Task: Copy + Sync {
    /// The kernel.
    const KERNEL: Kernel;

    /// What a router measures the operator with. Without, it learns from the calls.
    const CALIBRATION: Option<Calibration> = None;

    /// How the inputs lie: `(f32, f32)` for two slices of `f32`, [`Strings`] or [`Whole`].
    type Inputs: Inputs;

    /// What the kernel is given beside its inputs, behind the number of elements and the threads of
    /// a row: `()`, `f32`, `[u32; 2]`; six words at the most. Tasks of a batch that differ in it
    /// are not joined into one dispatch.
    type Parameters: bytemuck::Pod + Send + Sync;

    /// One element of the output; its size is a multiple of 4.
    type Item: bytemuck::Pod + Debug + Send + Sync;

    /// The task's inputs.
    fn inputs(&self) -> Slices<'_, Self>;

    /// The task's parameters; zero unless an operator says otherwise.
    fn parameters(&self) -> Self::Parameters {
        bytemuck::Zeroable::zeroed()
    }

    /// Writes the output, of shape `[elements]`, by the CPU. Called with inputs of equal length.
    fn compute(inputs: Slices<'_, Self>, parameters: Self::Parameters, output: &mut [Self::Item]);

    /// Appends the output, by the CPU, to a vector that has room for all of it. To be written where
    /// memory that is zeroed first costs too much.
    fn append(inputs: Slices<'_, Self>, parameters: Self::Parameters, output: &mut Vec<Self::Item>) {
        let start = output.len();
        let elements = Self::Inputs::elements(inputs).unwrap_or(0);
        output.resize(start + elements, bytemuck::Zeroable::zeroed());
        Self::compute(inputs, parameters, &mut output[start..]);
    }

    /// Steps of each element: how many times as long as with one it takes, roughly.
    fn depth(_parameters: Self::Parameters) -> usize {
        1
    }

    /// Steps of a string, by its bytes.
    fn steps(bytes: usize) -> usize {
        bytes.div_ceil(64).max(1)
    }

    /// Number of elements of the output.
    ///
    /// # Errors
    /// [`Error::LengthMismatch`], with task 0, if inputs that must be equally long are not.
    fn elements(&self) -> Result<usize, Error> {
        Self::Inputs::elements(self.inputs()).map_err(|[left, right]| Error::LengthMismatch {
            operator: Self::KERNEL.name,
            task: 0,
            left,
            right,
        })
    }

    /// How much work it is, as the router counts it: cheap, as it is asked for before every routed
    /// call.
    #[inline]
    fn load(&self) -> Load {
        self.weighed(Load::MAX_SAMPLES)
    }

    /// The same, from a sample of at most this number of strings.
    #[inline]
    fn weighed(&self, samples: usize) -> Load {
        let depth = Self::depth(self.parameters());
        Self::Inputs::load(self.inputs(), samples, depth, Self::steps)
    }

    /// Appends the output, of shape `[elements]`, computed by the CPU.
    fn run_on_cpu(&self, output: &mut Vec<Self::Item>) {
        Self::append(self.inputs(), self.parameters(), output);
    }
}

/// What there is to know of a task beside what its operator says.
pub(crate) trait TaskExt: Task {
    /// What the executor knows of the operator.
    const SPEC: Spec = Spec::of::<Self>();

    /// Whether the CPU shares a batch's tasks out to rayon's threads: a batch of a megabyte is
    /// added before another thread is awake.
    const IS_HEAVY: bool = Self::KERNEL.cost.element >= 64;

    /// Words of its parameters.
    fn parameter_words(&self) -> Parameters {
        words(&self.parameters())
    }

    /// Words of all its strings; 0 where inputs are numbers.
    fn words(&self) -> usize {
        match Self::SPEC.inputs {
            Shape::Numbers(_) => 0,
            Shape::Strings => (0..self.elements().unwrap_or(0))
                .map(|element| strings::all_words(Self::Inputs::bytes(self.inputs(), element)))
                .sum(),
        }
    }
}

impl<T: Task> TaskExt for T {}

/// Parameters as the words that they are.
pub(crate) fn words<P: bytemuck::Pod>(parameters: &P) -> Parameters {
    let mut words = Parameters::default();
    bytemuck::bytes_of_mut(&mut words)[..size_of::<P>()].copy_from_slice(bytemuck::bytes_of(parameters));
    words
}

/// Roughly how many 32-bit operations a task takes; 0 if it is wrong.
pub fn operations<T: Task>(task: &T) -> u64 {
    let elements = task.elements().unwrap_or(0);
    T::KERNEL.cost.of(elements, task.words(), T::depth(task.parameters()))
}

/// Bytes of inputs and output of a task that would go to and come from a device; 0 if the task is
/// wrong.
pub fn bytes<T: Task>(task: &T) -> u64 {
    let elements = task.elements().unwrap_or(0);
    let each = match T::SPEC.inputs {
        Shape::Numbers(strides) => strides.iter().sum(),
        Shape::Strings => TABLE_STRIDE,
    };
    (elements * (each + T::SPEC.output_stride) + task.words() * 4) as u64
}

/// Checks an operator's kernel without a device: that it is WGSL, and that its bindings and
/// immediates are those of the operator. A device does the same when it is first given a task.
///
/// # Errors
/// [`Error::Kernel`] with the line and column that are wrong.
pub fn check_kernel<T: Task>() -> Result<(), Error> {
    for has_int64 in [false, true] {
        wgsl::checked(&T::SPEC, has_int64)?;
    }
    Ok(())
}
