//! Outputs of batches, and calls that join tasks of different operators.

use std::{
    any::Any,
    fmt,
    marker::PhantomData,
    ops::Index,
    sync::atomic::{AtomicU64, Ordering},
};

use super::Executor;
use crate::{
    error::Error,
    task::{Appended, Batch, Sink, Source, Task, lengths, run_on_cpu},
};

/// The outputs of a batch, end to end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FlatBatch<I> {
    items: Vec<I>,
    /// Where each task's output begins, and behind them the end of the last.
    offsets: Vec<usize>,
}

impl<I> FlatBatch<I> {
    pub(crate) fn new(items: Vec<I>, lengths: &[usize]) -> Self {
        let mut offsets = Vec::with_capacity(lengths.len() + 1);
        let mut offset = 0;
        offsets.push(0);
        offsets.extend(lengths.iter().map(|n| {
            offset += n;
            offset
        }));
        Self { items, offsets }
    }

    /// Number of tasks.
    #[must_use]
    pub fn len(&self) -> usize {
        self.offsets.len().saturating_sub(1)
    }

    /// Whether there was no task.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All outputs, in the order of the tasks.
    #[must_use]
    pub fn items(&self) -> &[I] {
        &self.items
    }

    /// Where each task's output begins in [`items`](Self::items), and behind them the end of the
    /// last; of shape `[tasks + 1]`.
    #[must_use]
    pub fn offsets(&self) -> &[usize] {
        &self.offsets
    }

    /// All outputs, and where they begin.
    #[must_use]
    pub fn into_parts(self) -> (Vec<I>, Vec<usize>) {
        (self.items, self.offsets)
    }

    /// Each task's output.
    pub fn iter(&self) -> impl Iterator<Item = &[I]> {
        self.offsets.windows(2).map(|ends| &self.items[ends[0]..ends[1]])
    }
}

/// The output of a task.
impl<I> Index<usize> for FlatBatch<I> {
    type Output = [I];

    fn index(&self, task: usize) -> &[I] {
        &self.items[self.offsets[task]..self.offsets[task + 1]]
    }
}

/// Tasks of one operator or several that run together: each operator's are one dispatch with an
/// output of its own, and all are one submission, as far as the adapter's limits allow.
///
/// ```
/// # use gpu_executor::{Backend, Executor, VectorAdd};
/// let executor = Executor::new(Backend::Cpu)?;
/// let mut call = executor.call();
/// let sums = call.add(&[VectorAdd { a: &[1.0], b: &[2.0] }])?;
/// let mut outputs = call.run()?;
/// assert_eq!(outputs.take(&sums)?[0], [3.0]);
/// # Ok::<(), gpu_executor::Error>(())
/// ```
pub struct Call<'a> {
    executor: &'a Executor,
    number: u64,
    entries: Vec<Box<dyn Entry + 'a>>,
}

/// Stands for the outputs of one [`Call::add`].
#[derive(Debug)]
pub struct Ticket<I> {
    /// The number of its call.
    call: u64,
    entry: usize,
    items: PhantomData<I>,
}

/// The outputs of a [`Call`].
#[derive(Debug)]
pub struct Outputs {
    call: u64,
    entries: Vec<Option<Box<dyn Any + Send>>>,
}

impl<'a> Call<'a> {
    pub(crate) fn new(executor: &'a Executor) -> Self {
        static CALLS: AtomicU64 = AtomicU64::new(0);
        Self {
            executor,
            number: CALLS.fetch_add(1, Ordering::Relaxed),
            entries: Vec::new(),
        }
    }

    /// Adds tasks of one operator.
    ///
    /// # Errors
    /// [`Error::LengthMismatch`], [`Error::OutOfMemory`].
    pub fn add<T: Task>(&mut self, tasks: &'a [T]) -> Result<Ticket<T::Item>, Error> {
        let lengths = lengths(tasks)?;
        self.entries.push(Box::new(TypedEntry {
            output: Appended::new(&lengths)?,
            tasks,
            lengths,
        }));
        Ok(Ticket {
            call: self.number,
            entry: self.entries.len() - 1,
            items: PhantomData,
        })
    }

    /// Runs all tasks.
    ///
    /// # Errors
    /// Those of [`Executor::run`].
    pub fn run(mut self) -> Result<Outputs, Error> {
        match self.executor.gpu() {
            None => self.entries.iter_mut().for_each(|entry| entry.run_on_cpu()),
            Some(gpu) => {
                let (sources, mut sinks): (Vec<_>, Vec<_>) = self.entries.iter_mut().map(|entry| entry.split()).unzip();
                let sources: Vec<&dyn Source> = sources.iter().map(AsRef::as_ref).collect();
                gpu.run(&sources, &mut sinks, None)?;
            }
        }
        Ok(Outputs {
            call: self.number,
            entries: self.entries.into_iter().map(|entry| Some(entry.finish())).collect(),
        })
    }
}

impl fmt::Debug for Call<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Call({} operators)", self.entries.len())
    }
}

impl Outputs {
    /// The outputs that the ticket of the same call stands for.
    ///
    /// # Errors
    /// [`Error::WrongTicket`] if the ticket is another call's, or was used before.
    pub fn take<I: bytemuck::Pod + Send>(&mut self, ticket: &Ticket<I>) -> Result<FlatBatch<I>, Error> {
        let entry = self.entries.get_mut(ticket.entry).filter(|_| ticket.call == self.call);
        let flat = entry.and_then(Option::take).and_then(|flat| flat.downcast().ok());
        flat.map(|flat| *flat).ok_or(Error::WrongTicket)
    }
}

/// One operator's tasks and output, whatever their types.
trait Entry {
    fn split(&mut self) -> (Box<dyn Source + '_>, &mut dyn Sink);
    fn run_on_cpu(&mut self);
    fn finish(self: Box<Self>) -> Box<dyn Any + Send>;
}

struct TypedEntry<'a, T: Task> {
    tasks: &'a [T],
    lengths: Vec<usize>,
    output: Appended<T::Item>,
}

impl<T: Task> Entry for TypedEntry<'_, T> {
    fn split(&mut self) -> (Box<dyn Source + '_>, &mut dyn Sink) {
        let inputs = Batch {
            tasks: self.tasks,
            lengths: &self.lengths,
        };
        (Box::new(inputs), &mut self.output)
    }

    fn run_on_cpu(&mut self) {
        run_on_cpu(self.tasks, &self.lengths, &mut self.output.0);
    }

    fn finish(self: Box<Self>) -> Box<dyn Any + Send> {
        Box::new(FlatBatch::new(self.output.0, &self.lengths))
    }
}
