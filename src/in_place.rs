//! Tasks whose inputs are written, and whose output is read, where they lie.

use std::{fmt, ops::Deref, sync::Arc};

use wgpu::WriteOnly;

use crate::{
    error::Error,
    gpu::{Gpu, PlacedChunk},
    host::{Copier, reserve},
    mapped::Mapped,
    task::{Columns, Parameters, Shape, Spec, Task, TaskExt as _, words},
};

/// Memory for one task of operator `T` that the device can reach: the host writes the inputs there
/// and reads the output from there, again and again, without a copy of its own.
pub struct InPlace<T: Task<Inputs: Columns>> {
    elements: usize,
    parameters: T::Parameters,
    memory: Memory<T::Item>,
}

/// Where inputs and output lie.
enum Memory<I> {
    /// Without a device.
    Host {
        /// As `u64`, so that whatever an operator computes with is aligned.
        inputs: Vec<Vec<u64>>,
        output: Vec<I>,
    },
    Device(Box<InPlaceBuffer>),
}

/// Buffers of a device.
struct InPlaceBuffer {
    gpu: Arc<Gpu>,
    spec: &'static Spec,
    parameters: Parameters,
    /// Absent after an error.
    placed: Option<PlacedChunk>,
    /// The mapped inputs, while they are written.
    view: Option<wgpu::BufferViewMut>,
    /// The mapped output, while it is read. Here and not in [`Output`], which may be forgotten.
    output: Option<wgpu::BufferView>,
}

impl InPlaceBuffer {
    /// Ends the reading of the output.
    fn close(&mut self) {
        if self.output.take().is_some()
            && let Some(placed) = &self.placed
        {
            self.gpu.close(placed);
        }
    }
}

impl<T: Task<Inputs: Columns>> InPlace<T> {
    pub(crate) fn on_device(gpu: &Arc<Gpu>, elements: usize, parameters: T::Parameters) -> Result<Self, Error> {
        let spec = const { &T::SPEC };
        let given = words(&parameters);
        Ok(Self {
            elements,
            parameters,
            memory: Memory::Device(Box::new(InPlaceBuffer {
                placed: Some(gpu.place(spec, elements, given)?),
                gpu: Arc::clone(gpu),
                spec,
                parameters: given,
                view: None,
                output: None,
            })),
        })
    }

    pub(crate) fn on_host(elements: usize, parameters: T::Parameters) -> Result<Self, Error> {
        let zeroed = |stride: &usize| {
            let words = (elements * stride).div_ceil(8);
            let mut input = reserve(words)?;
            input.resize(words, 0);
            Ok(input)
        };
        Ok(Self {
            elements,
            parameters,
            memory: Memory::Host {
                inputs: strides::<T>().iter().map(zeroed).collect::<Result<_, Error>>()?,
                output: reserve(elements)?,
            },
        })
    }

    /// Number of elements of every input and of the output.
    #[must_use]
    pub fn elements(&self) -> usize {
        self.elements
    }

    /// Has later runs given other parameters.
    ///
    /// ```
    /// # use gpu_executor::{Backend, Bn254FrMul, Executor};
    /// let executor = Executor::new(Backend::Cpu)?;
    /// let mut product = executor.in_place::<Bn254FrMul<'_>>(1, 1)?;
    /// let (mut a, mut b) = product.inputs()?;
    /// a.fill([3, 0, 0, 0]);
    /// b.fill([5, 0, 0, 0]);
    /// let once = product.run()?.to_vec();
    /// product.set_parameters(0);
    /// assert_eq!(*product.run()?, [[3, 0, 0, 0]]);
    /// # assert_ne!(once, [[3, 0, 0, 0]]);
    /// # Ok::<(), gpu_executor::Error>(())
    /// ```
    pub fn set_parameters(&mut self, parameters: T::Parameters) {
        self.parameters = parameters;
        if let Memory::Device(buffer) = &mut self.memory {
            buffer.parameters = words(&parameters);
            if let Some(placed) = &mut buffer.placed {
                placed.set_parameters(buffer.parameters);
            }
        }
    }

    /// The inputs of the operator, a tuple with one of shape `[elements]` for each. They keep what
    /// was written, from one run to the next, and are zero before.
    ///
    /// ```
    /// # use gpu_executor::{Backend, Executor, VectorAdd};
    /// let executor = Executor::new(Backend::Cpu)?;
    /// let mut sum = executor.in_place::<VectorAdd<'_>>(3, ())?;
    /// let (mut a, mut b) = sum.inputs()?;
    /// a.copy_from_slice(&[1.0, 2.0, 3.0]);
    /// b.fill(10.0);
    /// assert_eq!(*sum.run()?, [11.0, 12.0, 13.0]);
    /// # Ok::<(), gpu_executor::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::DeviceLost`] and [`Error::Driver`]; [`Error::OutOfMemory`] if an earlier run
    /// failed, which takes the memory and what was written with it.
    #[expect(clippy::missing_panics_doc, reason = "there is memory for each stride")]
    pub fn inputs(&mut self) -> Result<<T::Inputs as Columns>::Mapped<'_>, Error> {
        match &mut self.memory {
            Memory::Host { inputs, .. } => {
                let mut inputs = inputs.iter_mut().zip(strides::<T>());
                Ok(T::Inputs::mapped(|| {
                    let (words, stride) = inputs.next().expect("one for each stride");
                    let bytes = &mut bytemuck::cast_slice_mut(words)[..self.elements * stride];
                    Mapped::typed(WriteOnly::from_mut(bytes), Copier::ALONE)
                }))
            }
            Memory::Device(buffer) => {
                let placed = match &mut buffer.placed {
                    Some(placed) => placed,
                    lost => lost.insert(buffer.gpu.place(buffer.spec, self.elements, buffer.parameters)?),
                };
                let view = match &mut buffer.view {
                    Some(view) => view,
                    none => none.insert(buffer.gpu.inputs(placed)?),
                };
                let copier = Copier::new(&buffer.gpu.tuning());
                let mut rest = view.slice(..);
                let (mut at, mut index) = (0, 0);
                Ok(T::Inputs::mapped(|| {
                    let range = Gpu::input_range(placed, index);
                    let whole = std::mem::replace(&mut rest, WriteOnly::from_mut(&mut []));
                    let (_, from) = whole.split_at(range.start - at);
                    let (input, behind) = from.split_at(range.len());
                    (at, rest) = (range.end, behind);
                    index += 1;
                    Mapped::typed(input, copier)
                }))
            }
        }
    }

    /// Computes the output of the inputs as they are, of shape `[elements]`.
    ///
    /// # Errors
    /// Those of [`Executor::run`](crate::Executor::run), but for the length.
    pub fn run(&mut self) -> Result<Output<'_, T::Item>, Error> {
        match &mut self.memory {
            Memory::Host { inputs, output } => {
                let bytes = |(words, stride): (_, &usize)| {
                    let words: &Vec<u64> = words;
                    &bytemuck::cast_slice(words)[..self.elements * stride]
                };
                let inputs: Vec<&[u8]> = inputs.iter().zip(strides::<T>()).map(bytes).collect();
                output.clear();
                T::append(T::Inputs::from_bytes(&inputs), self.parameters, output);
                Ok(Output(View::Host(output)))
            }
            Memory::Device(buffer) => {
                buffer.view = None;
                buffer.close();
                let mut placed = match buffer.placed.take() {
                    Some(placed) => placed,
                    None => buffer.gpu.place(buffer.spec, self.elements, buffer.parameters)?,
                };
                match buffer.gpu.compute(&mut placed) {
                    Ok(view) => {
                        buffer.placed = Some(placed);
                        buffer.output = Some(view);
                        Ok(Output(View::Device(buffer)))
                    }
                    // The device may still use its buffers.
                    Err(error) => {
                        buffer.gpu.drop_placed(placed);
                        Err(error)
                    }
                }
            }
        }
    }
}

/// Bytes per element of each input.
fn strides<T: Task<Inputs: Columns>>() -> &'static [usize] {
    match T::SPEC.inputs {
        Shape::Numbers(strides) => strides,
        Shape::Strings => &[],
    }
}

impl Drop for InPlaceBuffer {
    fn drop(&mut self) {
        self.view = None;
        self.close();
        if let Some(placed) = self.placed.take() {
            self.gpu.leave(placed);
        }
    }
}

impl<T: Task<Inputs: Columns>> fmt::Debug for InPlace<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InPlace({} of {})", T::KERNEL.name(), self.elements)
    }
}

/// The output of a run in place, read where it lies.
pub struct Output<'a, I>(View<'a, I>);

enum View<'a, I> {
    Host(&'a [I]),
    /// A buffer whose output is mapped.
    Device(&'a mut InPlaceBuffer),
}

impl<I: bytemuck::Pod> Deref for Output<'_, I> {
    type Target = [I];

    fn deref(&self) -> &[I] {
        match &self.0 {
            View::Host(items) => items,
            View::Device(buffer) => bytemuck::cast_slice(buffer.output.as_ref().expect("mapped until this is dropped")),
        }
    }
}

impl<I: bytemuck::Pod + Send + Sync> Output<'_, I> {
    /// Copies the output to a slice: with several threads where that was measured to be faster.
    ///
    /// # Panics
    /// If the slice has another length.
    pub fn copy_to_slice(&self, to: &mut [I]) {
        assert_eq!(to.len(), self.len(), "the slice is as long as the output");
        let copier = match &self.0 {
            View::Host(_) => Copier::ALONE,
            View::Device(buffer) => Copier::new(&buffer.gpu.tuning()),
        };
        copier.copy(to, self);
    }
}

impl<I> Drop for Output<'_, I> {
    fn drop(&mut self) {
        if let View::Device(buffer) = &mut self.0 {
            buffer.close();
        }
    }
}

impl<I: bytemuck::Pod + fmt::Debug> fmt::Debug for Output<'_, I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.deref().fmt(f)
    }
}
