//! Operators that work on buffers, one after the other, in one submission.

use std::{
    fmt,
    marker::PhantomData,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
};

use super::{
    buffer::{DeviceBuffer, Place, View},
    inputs::{Bound, OnDevice},
};
use crate::{
    error::Error,
    gpu::{Ready, Work},
    pending::Pending,
    task::{Appended, Inputs as _, Task, TaskExt as _, Whole, words},
};

/// Operators that are recorded and then run together: each is given buffers, and writes one. They
/// are one submission, and each sees what those before it wrote.
///
/// A buffer that a chain writes is borrowed until the chain has run, so that nothing else can read
/// it:
///
/// ```compile_fail,E0502
/// # use gpu_executor::{Backend, Executor, VectorAdd};
/// let executor = Executor::new(Backend::Cpu)?;
/// let a = executor.upload(&[1.0_f32, 2.0])?;
/// let mut sum = executor.buffer::<f32>(2)?;
/// let mut chain = executor.chain();
/// chain.add::<VectorAdd<'_>>((a.view(), a.view()), (), &mut sum)?;
/// executor.read(&sum)?; // the chain has not run
/// chain.run()?;
/// # Ok::<(), gpu_executor::Error>(())
/// ```
///
/// Within the chain, what [`add`](Self::add) returns stands for the buffer; two buffers can
/// alternate:
///
/// ```
/// # use gpu_executor::{Backend, Executor, VectorAdd};
/// let executor = Executor::new(Backend::Cpu)?;
/// let ones = executor.upload(&[1.0_f32; 4])?;
/// let (mut a, mut b) = (executor.buffer::<f32>(4)?, executor.buffer::<f32>(4)?);
/// let mut chain = executor.chain();
/// let (mut from, mut to) = (chain.hold(&mut a)?, chain.hold(&mut b)?);
/// for _ in 0..10 {
///     chain.add::<VectorAdd<'_>>((from.view(), ones.view()), (), to)?;
///     (from, to) = (to, from);
/// }
/// chain.run()?;
/// assert_eq!(executor.read(&a)?, [10.0; 4]);
/// # Ok::<(), gpu_executor::Error>(())
/// ```
pub struct Chain<'a> {
    place: Place<'a>,
    number: u64,
    ready: Vec<Ready>,
    /// On [`Backend::Cpu`](crate::Backend::Cpu).
    on_host: Vec<Box<dyn FnOnce() + Send + 'a>>,
}

/// A buffer that a chain writes: the output of one step, and the input of later ones.
pub struct Held<'a, T>(View<'a, T>);

/// Where an operator of a chain writes to: a buffer, or one that the chain [holds](Chain::hold).
pub struct Target<'a, T> {
    buffer: &'a DeviceBuffer<T>,
    chain: Option<u64>,
}

impl<T> Clone for Held<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Held<'_, T> {}

impl<'a, T> Held<'a, T> {
    /// The buffer as an input of a later step of the same chain.
    #[must_use]
    pub fn view(self) -> View<'a, T> {
        self.0
    }
}

impl<T> fmt::Debug for Held<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<T> fmt::Debug for Target<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.buffer.fmt(f)
    }
}

impl<'a, T> From<&'a mut DeviceBuffer<T>> for Target<'a, T> {
    fn from(buffer: &'a mut DeviceBuffer<T>) -> Self {
        Self { buffer, chain: None }
    }
}

impl<'a, T> From<Held<'a, T>> for Target<'a, T> {
    fn from(held: Held<'a, T>) -> Self {
        Self {
            buffer: held.0.buffer,
            chain: held.0.chain,
        }
    }
}

impl<'a> Chain<'a> {
    pub(crate) fn new(place: Place<'a>) -> Self {
        static CHAINS: AtomicU64 = AtomicU64::new(0);
        Self {
            place,
            number: CHAINS.fetch_add(1, Ordering::Relaxed),
            ready: Vec::new(),
            on_host: Vec::new(),
        }
    }

    /// Has the chain hold a buffer that it will write, or read and write.
    ///
    /// # Errors
    /// [`Error::WrongExecutor`].
    pub fn hold<T: bytemuck::Pod + Send + Sync>(&self, buffer: &'a mut DeviceBuffer<T>) -> Result<Held<'a, T>, Error> {
        self.held(&buffer.into())
    }

    fn held<T: bytemuck::Pod + Send + Sync>(&self, target: &Target<'a, T>) -> Result<Held<'a, T>, Error> {
        let view = View {
            buffer: target.buffer,
            chain: target.chain.or(Some(self.number)),
        };
        view.check(self.number, self.place.owner)?;
        Ok(Held(view))
    }

    /// Adds an operator: its inputs, its parameters, and where its output goes, which must be as
    /// long as the output. What is returned stands for the output within the chain.
    ///
    /// # Errors
    /// [`Error::LengthMismatch`], with as many operators before it for the task's number;
    /// [`Error::OutputLength`]; [`Error::WrongExecutor`]; [`Error::WrongChain`] for what another
    /// chain holds; [`Error::Aliased`] if the output is one of the inputs; [`Error::NotResident`]
    /// names the limit of the device that an input goes beyond; [`Error::OutOfMemory`],
    /// [`Error::DeviceLost`], [`Error::Driver`].
    pub fn add<T: Task<Inputs: OnDevice> + 'a>(
        &mut self,
        inputs: <T::Inputs as OnDevice>::Views<'a>,
        parameters: T::Parameters,
        output: impl Into<Target<'a, T::Item>>,
    ) -> Result<Held<'a, T::Item>, Error>
    where
        <T::Inputs as OnDevice>::Views<'a>: Send,
    {
        let held = self.held(&output.into())?;
        let bound = T::Inputs::bound(inputs, self.number, self.place.owner)?;
        let bound = bound.map_err(|[left, right]| Error::LengthMismatch {
            operator: T::KERNEL.name(),
            task: self.len(),
            left,
            right,
        })?;
        let elements = self.place.gpu.map(|_| bound.elements);
        let elements = elements.unwrap_or_else(|| host_elements::<T>(inputs));
        self.add_bound::<T>(bound, elements, parameters, held)?;
        if self.place.gpu.is_none() {
            let to = held.0.buffer;
            self.on_host.push(Box::new(move || {
                T::Inputs::on_host(inputs, |slices| {
                    if let Some(mut output) = to.host_mut() {
                        T::compute(slices, parameters, &mut output);
                    }
                });
            }));
        }
        Ok(held)
    }

    /// Adds tasks of an operator over a whole string each, such as trees, that lie end to end in
    /// one buffer: `lengths` are their numbers of items. All of them are one dispatch, or one for
    /// each level. Empty tasks have no output.
    ///
    /// ```
    /// # use gpu_executor::{Backend, Executor, MerkleRoot};
    /// let executor = Executor::new(Backend::Cpu)?;
    /// let leaves = executor.upload(&[[1; 32], [2; 32], [3; 32]])?;
    /// let mut roots = executor.buffer::<[u8; 32]>(2)?;
    /// let mut chain = executor.chain();
    /// chain.add_batch::<MerkleRoot<'_>, _>(leaves.view(), &[2, 1], (), &mut roots)?;
    /// chain.run()?;
    /// assert_eq!(executor.read(&roots)?[1], [3; 32]);
    /// # Ok::<(), gpu_executor::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`Chain::add`]; [`Error::OutOfRange`] if the tasks are longer than the buffer;
    /// [`Error::NotResident`] if a task but the last does not end at eight bytes.
    pub fn add_batch<T: Task<Inputs = Whole<E>> + 'a, E: bytemuck::Pod + Send + Sync>(
        &mut self,
        input: View<'a, E>,
        lengths: &[usize],
        parameters: T::Parameters,
        output: impl Into<Target<'a, T::Item>>,
    ) -> Result<Held<'a, T::Item>, Error> {
        let held = self.held(&output.into())?;
        input.check(self.number, self.place.owner)?;
        let all = lengths.iter().try_fold(0_usize, |sum, &length| sum.checked_add(length));
        let all = all.filter(|&all| all <= input.buffer.len()).ok_or(Error::OutOfRange {
            start: 0,
            end: all.unwrap_or(usize::MAX),
            len: input.buffer.len(),
        })?;
        let bytes = |items: usize| items * size_of::<E>();
        let mut end = 0;
        for &length in lengths {
            if !bytes(end).is_multiple_of(8) {
                return Err(Error::NotResident {
                    operator: T::KERNEL.name(),
                    reason: format!(
                        "a task begins at byte {} of the buffer, and must at a multiple of 8",
                        bytes(end)
                    ),
                });
            }
            end += length;
        }
        let bound = Bound::ends(input.buffer, lengths.iter().map(|&items| bytes(items)));
        let bound = bound.ok_or_else(|| Error::too_many_words(bytes(all)))?;
        let elements = bound.elements;
        self.add_bound::<T>(bound, elements, parameters, held)?;
        if self.place.gpu.is_none() {
            let lengths = lengths.to_vec();
            self.on_host.push(Box::new(move || {
                let (Some(items), Some(mut output)) = (input.buffer.host(), held.0.buffer.host_mut()) else {
                    return;
                };
                let (mut rest, mut to) = (&items[..], &mut output[..]);
                for length in lengths.into_iter().filter(|&length| length > 0) {
                    let (now, later) = rest.split_at(length);
                    let (one, others) = to.split_at_mut(1);
                    T::compute(now, parameters, one);
                    (rest, to) = (later, others);
                }
            }));
        }
        Ok(held)
    }

    /// Checks a step, and makes it ready on a device.
    fn add_bound<T: Task>(
        &mut self,
        bound: Bound<'_>,
        elements: usize,
        parameters: T::Parameters,
        output: Held<'a, T::Item>,
    ) -> Result<(), Error> {
        let operator = T::KERNEL.name();
        let to = output.0.buffer;
        if to.len() != elements {
            return Err(Error::OutputLength {
                operator,
                expected: elements,
                given: to.len(),
            });
        }
        if bound.buffers.contains(&std::ptr::from_ref(to).cast()) {
            return Err(Error::Aliased { operator });
        }
        let (Some(gpu), Some(raw)) = (self.place.gpu, to.raw()) else {
            return Ok(());
        };
        let ready = gpu.ready(&Work {
            spec: const { &T::SPEC },
            inputs: &bound.memory,
            table: bound.table,
            output: raw,
            elements,
            words: bound.words,
            longest: bound.longest,
            parameters: words(&parameters),
            depth: T::depth(parameters),
        })?;
        self.ready.extend(ready);
        Ok(())
    }

    fn len(&self) -> usize {
        self.ready.len() + self.on_host.len()
    }

    /// Runs what was added, and waits for it.
    ///
    /// # Errors
    /// [`Error::DeviceLost`], [`Error::Timeout`], [`Error::Driver`]; what the buffers contain is
    /// not known then.
    pub fn run(self) -> Result<(), Error> {
        self.submit()?.wait()
    }

    /// Starts the steps and returns at once. The buffers stay borrowed until the returned value is
    /// waited for or dropped. On [`Backend::Cpu`](crate::Backend::Cpu) it is run before the call
    /// returns.
    ///
    /// # Errors
    /// Those of [`Chain::run`], as far as they show at once.
    pub fn submit(mut self) -> Result<Running<'a>, Error> {
        let pending = match self.place.gpu {
            None => {
                self.on_host.drain(..).for_each(|work| work());
                Pending::ready(Ok(Vec::new()))
            }
            Some(_) if self.ready.is_empty() => Pending::ready(Ok(Vec::new())),
            Some(gpu) => {
                let submissions = [gpu.start_ready(&self.ready)?].into();
                Pending::in_flight(Arc::clone(gpu), submissions, Appended(Vec::new()))
            }
        };
        Ok(Running {
            pending,
            buffers: PhantomData,
        })
    }
}

impl Drop for Chain<'_> {
    fn drop(&mut self) {
        if let Some(gpu) = self.place.gpu {
            gpu.drop_ready(&mut self.ready);
        }
    }
}

impl fmt::Debug for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Chain({} dispatches)", self.len())
    }
}

/// Number of elements of the output of inputs in the host's memory.
fn host_elements<T: Task<Inputs: OnDevice>>(inputs: <T::Inputs as OnDevice>::Views<'_>) -> usize {
    let mut elements = 0;
    T::Inputs::on_host(inputs, |slices| elements = T::Inputs::elements(slices).unwrap_or(0));
    elements
}

/// A chain in flight: a [`Future`], and [`wait`](Self::wait) blocks for the same. What it works on
/// is borrowed for as long.
#[must_use = "whether it came to its end is lost unless it is waited for"]
pub struct Running<'a> {
    pending: Pending<u32>,
    buffers: PhantomData<&'a ()>,
}

impl Running<'_> {
    /// Blocks until everything is done.
    ///
    /// # Errors
    /// Those of [`Chain::run`]; [`Error::AlreadyTaken`] if the future was polled to its end before.
    pub fn wait(self) -> Result<(), Error> {
        self.pending.wait().map(|_| ())
    }
}

impl Future for Running<'_> {
    type Output = Result<(), Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.pending).poll(context).map_ok(|_| ())
    }
}

impl fmt::Debug for Running<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Running({:?})", self.pending)
    }
}
