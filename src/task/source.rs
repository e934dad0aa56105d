//! Between types and bytes: where a call's inputs come from, and where its output goes.

use std::fmt;

use rayon::prelude::*;

use super::{Cost, Inputs as _, Shape, Task, TaskExt as _, kernel::Spec, strings};
use crate::{
    error::Error,
    host::{Copier, reserve},
    mapped::Mapped,
    plan::{Chunk, Cutter},
};

/// The inputs of tasks of one operator, as an executor without types sees them.
pub(crate) trait Source {
    /// The operator.
    fn spec(&self) -> &Spec;

    /// The number of elements of each task.
    fn lengths(&self) -> &[usize];

    /// Cuts the next chunk off; `None` if nothing is left.
    fn next(&self, cutter: &mut Cutter, copier: Copier) -> Result<Option<Chunk>, Error>;

    /// Writes the chunk's part of input `index` to `to`, which is as long.
    fn write(&self, chunk: Chunk, index: usize, to: Mapped<'_, u8>, copier: Copier);
}

/// Where the output of tasks of one operator goes. Chunks come in order.
pub(crate) trait Sink {
    /// Makes memory ready for the output, while the device computes.
    fn prepare(&mut self, _copier: Copier) {}

    /// Takes the output of a chunk; an error if the mapping is not aligned for the output's type.
    fn take(&mut self, chunk: Chunk, bytes: &[u8], copier: Copier) -> Result<(), String>;
}

/// Borrowed tasks.
#[derive(Debug)]
pub(crate) struct Batch<'a, T> {
    pub(crate) tasks: &'a [T],
    pub(crate) lengths: &'a [usize],
}

impl<T: Task> Source for Batch<'_, T> {
    fn spec(&self) -> &Spec {
        const { &T::SPEC }
    }

    fn lengths(&self) -> &[usize] {
        self.lengths
    }

    fn next(&self, cutter: &mut Cutter, copier: Copier) -> Result<Option<Chunk>, Error> {
        match T::SPEC.inputs {
            Shape::Numbers(_) => Ok(self.next_numbers(cutter)),
            Shape::Strings => strings::next(self, cutter, copier),
        }
    }

    fn write(&self, chunk: Chunk, index: usize, to: Mapped<'_, u8>, copier: Copier) {
        match T::SPEC.inputs {
            Shape::Numbers(strides) => self.write_numbers(chunk, index, strides[index], to, copier),
            Shape::Strings if index == 0 => strings::write_table(self, chunk, to, copier),
            Shape::Strings => strings::write_words(self, chunk, to, copier),
        }
    }
}

impl<T: Task> Batch<'_, T> {
    /// Cuts off as many elements as a dispatch may cost, of tasks with the same parameters.
    fn next_numbers(&self, cutter: &mut Cutter) -> Option<Chunk> {
        if size_of::<T::Parameters>() == 0 {
            return cutter.next(self.lengths);
        }
        let task = self.tasks.get(cutter.task)?;
        let parameters = task.parameter_words();
        let each = T::KERNEL.cost.of(1, 0, T::depth(task.parameters())).max(1);
        let most = usize::try_from(Cost::OF_A_DISPATCH / each).unwrap_or(usize::MAX).max(1);
        let most = most.min(cutter.most.elements);
        let same = self.tasks[cutter.task..].iter().zip(&self.lengths[cutter.task..]);
        let mut together = 0;
        for (task, elements) in same {
            if together >= cutter.first + most || (*elements > 0 && task.parameter_words() != parameters) {
                break;
            }
            together += elements;
        }
        let chunk = cutter.next_of(self.lengths, most.min(together - cutter.first))?;
        Some(Chunk { parameters, ..chunk })
    }

    fn write_numbers(&self, chunk: Chunk, index: usize, stride: usize, mut to: Mapped<'_, u8>, copier: Copier) {
        let Some((helpers, share)) = copier.shares(chunk.elements, stride) else {
            return self.write_here(chunk, index, stride, to);
        };
        helpers.in_place_scope(|scope| {
            let mut parts = chunk.cut(self.lengths, share).peekable();
            while let Some(part) = parts.next() {
                let (mine, rest) = to.split_at(part.elements * stride);
                to = rest;
                if parts.peek().is_some() {
                    scope.spawn(move |_| self.write_here(part, index, stride, mine));
                } else {
                    // This thread takes the last share while the helpers wake up.
                    self.write_here(part, index, stride, mine);
                    break;
                }
            }
        });
    }

    /// Writes a part of input `index` on this thread.
    fn write_here(&self, part: Chunk, index: usize, stride: usize, mut to: Mapped<'_, u8>) {
        for piece in part.pieces(self.lengths) {
            let bytes = T::Inputs::bytes(self.tasks[piece.task].inputs(), index);
            let bytes = &bytes[piece.elements.start * stride..piece.elements.end * stride];
            let (mut mine, rest) = to.split_at(bytes.len());
            mine.copy_from_slice(bytes);
            to = rest;
        }
    }
}

/// The number of elements of each task.
pub(crate) fn lengths<T: Task>(tasks: &[T]) -> Result<Vec<usize>, Error> {
    let number = |(index, task): (usize, &T)| task.elements().map_err(|error| error.of_task(index));
    tasks.iter().enumerate().map(number).collect()
}

/// Has a device take a source's work and hand its output to a sink; `None` where the CPU computes.
pub(crate) type Device<'d> = Option<&'d mut dyn FnMut(&dyn Source, &mut dyn Sink) -> Result<(), Error>>;

/// Runs one task.
pub(crate) fn run_one<T: Task>(task: &T, device: Device<'_>) -> Result<Vec<T::Item>, Error> {
    let lengths = &[task.elements()?];
    let mut output = Appended::new(lengths)?;
    match device {
        None => task.run_on_cpu(&mut output.0),
        Some(device) => {
            let tasks = std::slice::from_ref(task);
            device(&Batch { tasks, lengths }, &mut output)?;
        }
    }
    Ok(output.0)
}

/// Runs tasks, and returns the output of each.
pub(crate) fn run_batch<T: Task>(tasks: &[T], device: Device<'_>) -> Result<Vec<Vec<T::Item>>, Error> {
    let lengths = &lengths(tasks)?;
    let mut each = Each::new(lengths)?;
    match device {
        None if T::IS_HEAVY => {
            let each = tasks.par_iter().zip(&mut each.outputs);
            each.for_each(|(task, output)| task.run_on_cpu(output));
        }
        None => {
            let each = tasks.iter().zip(&mut each.outputs);
            each.for_each(|(task, output)| task.run_on_cpu(output));
        }
        Some(device) => device(&Batch { tasks, lengths }, &mut each)?,
    }
    Ok(each.outputs)
}

/// Appends the outputs of tasks, computed by the CPU, to a vector that has the room.
pub(crate) fn run_on_cpu<T: Task>(tasks: &[T], lengths: &[usize], output: &mut Vec<T::Item>) {
    // Large tasks are shared out by themselves.
    let is_shared = T::IS_HEAVY && tasks.len() > 1 && lengths.iter().sum::<usize>() / tasks.len() < 4096;
    if !is_shared {
        return tasks.iter().for_each(|task| task.run_on_cpu(output));
    }
    let start = output.len();
    output.resize(start + lengths.iter().sum::<usize>(), bytemuck::Zeroable::zeroed());
    let mut rest = &mut output[start..];
    let mut each = Vec::with_capacity(tasks.len());
    for (task, &length) in tasks.iter().zip(lengths) {
        each.push((task, rest.split_off_mut(..length).expect("as long as all outputs")));
    }
    each.into_par_iter()
        .for_each(|(task, output)| T::compute(task.inputs(), task.parameters(), output));
}

/// Appends every task's output to one vector.
pub(crate) struct Appended<I>(pub(crate) Vec<I>);

impl<I> Appended<I> {
    /// With room for tasks of these lengths.
    pub(crate) fn new(lengths: &[usize]) -> Result<Self, Error> {
        Ok(Self(reserve(lengths.iter().sum())?))
    }
}

impl<I> fmt::Debug for Appended<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Appended({} of {})", self.0.len(), self.0.capacity())
    }
}

impl<I: bytemuck::Pod + Send + Sync> Sink for Appended<I> {
    fn prepare(&mut self, copier: Copier) {
        copier.fault_in(self.0.spare_capacity_mut());
    }

    fn take(&mut self, _chunk: Chunk, bytes: &[u8], copier: Copier) -> Result<(), String> {
        copier.append(&mut self.0, items(bytes)?);
        Ok(())
    }
}

/// Fills a slice of the caller's.
pub(crate) struct Filled<'o, I> {
    /// The rest of the memory, which is not written yet.
    pub(crate) rest: &'o mut [I],
}

impl<I: bytemuck::Pod + Send + Sync> Sink for Filled<'_, I> {
    fn take(&mut self, _chunk: Chunk, bytes: &[u8], copier: Copier) -> Result<(), String> {
        let items = items(bytes)?;
        let (now, later) = std::mem::take(&mut self.rest).split_at_mut(items.len());
        copier.copy(now, items);
        self.rest = later;
        Ok(())
    }
}

/// A vector for each task.
pub(crate) struct Each<'a, I> {
    pub(crate) outputs: Vec<Vec<I>>,
    lengths: &'a [usize],
}

impl<'a, I> Each<'a, I> {
    pub(crate) fn new(lengths: &'a [usize]) -> Result<Self, Error> {
        Ok(Self {
            outputs: lengths.iter().map(|&n| reserve(n)).collect::<Result<_, _>>()?,
            lengths,
        })
    }
}

impl<I: bytemuck::Pod + Send + Sync> Sink for Each<'_, I> {
    fn take(&mut self, chunk: Chunk, bytes: &[u8], copier: Copier) -> Result<(), String> {
        let mut rest = items(bytes)?;
        for piece in chunk.pieces(self.lengths) {
            let (now, later) = rest.split_at(piece.elements.len());
            copier.append(&mut self.outputs[piece.task], now);
            rest = later;
        }
        Ok(())
    }
}

fn items<I: bytemuck::Pod>(bytes: &[u8]) -> Result<&[I], String> {
    bytemuck::try_cast_slice(bytes).map_err(|error| format!("the mapping cannot be read as the output's type: {error}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{plan::Most, task::Kernel};

    /// `a` and its parameter, which is never run.
    #[derive(Clone, Copy, Debug)]
    struct Tagged<'a>(&'a [u32], u32);

    impl Task for Tagged<'_> {
        const KERNEL: Kernel = Kernel::new("tagged", "");
        type Inputs = (u32,);
        type Parameters = u32;
        type Item = u32;

        fn inputs(&self) -> (&[u32],) {
            (self.0,)
        }

        fn parameters(&self) -> u32 {
            self.1
        }

        fn compute((a,): (&[u32],), tag: u32, output: &mut [u32]) {
            for (to, a) in output.iter_mut().zip(a) {
                *to = a ^ tag;
            }
        }
    }

    proptest! {
        #[test]
        fn chunks_of_numbers_have_elements_of_one_parameter(
            batch in prop::collection::vec((0_usize..4, 0_u32..3), 0..12),
            most in 1_usize..6,
        ) {
            let tasks: Vec<_> = batch.iter().map(|&(n, tag)| Tagged(&[1; 4][..n], tag)).collect();
            let lengths = &lengths(&tasks).unwrap();
            let inputs = Batch { tasks: &tasks, lengths };
            let mut cutter = Cutter::new(lengths, Most::elements(most));
            let mut seen = Vec::new();
            while let Some(chunk) = inputs.next(&mut cutter, Copier::ALONE).unwrap() {
                prop_assert!((1..=most).contains(&chunk.elements));
                for piece in chunk.pieces(lengths) {
                    prop_assert_eq!(chunk.parameters, [batch[piece.task].1, 0, 0, 0, 0, 0]);
                    seen.extend(piece.elements.map(|element| (piece.task, element)));
                }
            }
            let all: Vec<_> = lengths.iter().enumerate().flat_map(|(t, &n)| (0..n).map(move |e| (t, e))).collect();
            prop_assert_eq!(seen, all);
        }
    }
}
