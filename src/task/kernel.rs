//! An operator's kernel, and what the executor has to know of it.

use super::{Parameters, Shape, Task, inputs::Inputs as _};
use crate::plan::Extent;

/// An operator's kernel in WGSL, with what the executor has to know to run it.
///
/// Bindings of group 0 are the inputs in their order, `var<storage, read>`, then the output,
/// `var<storage, read_write>`. The immediates (`var<immediate>`, at most [`Step::MAX_IMMEDIATES`]
/// words) are the number of elements, the threads in a row of the grid, and [`Task::Parameters`]. A
/// grid of more than 65,535 workgroups is folded into rows: thread `(x, y)` has number `y * row +
/// x`. Threads whose number is not below the number of elements have nothing to do, and
/// `arrayLength` is no help in telling them: buffers are as long as the largest chunk that shares
/// them.
///
/// The kernel is compiled with wgpu's checks: an index out of bounds reads and writes nothing that
/// is not the operator's, and loops end. [`Kernel::trusted`] leaves them out.
#[derive(Clone, Copy, Debug)]
pub struct Kernel {
    pub(crate) name: &'static str,
    source: Source,
    int64: Option<Source>,
    pub(crate) elements_per_thread: usize,
    pub(crate) longest: Option<(usize, Digest)>,
    pub(crate) dispatches: Option<(Dispatches, Room)>,
    pub(crate) cost: Cost,
    trusted_for: Option<Layout>,
}

/// The dispatches over a chunk, by their number; `None` behind the last. Each sees what those
/// before it wrote.
pub type Dispatches = fn(&Extent, usize) -> Option<Step>;

/// Elements that the output's buffer has room for, by a chunk's elements and words: the output, and
/// behind it what lies between dispatches.
pub type Room = fn(elements: usize, words: usize) -> usize;

/// Digests a string on the host: what the kernel would make of it.
pub type Digest = fn(&[u8]) -> [u8; 32];

/// A text in WGSL, and the texts that are read before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Source {
    pub(crate) text: &'static str,
    pub(crate) prelude: &'static [&'static str],
}

/// How inputs and output lie, for which a kernel is trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Layout {
    inputs: Shape,
    whole: Option<usize>,
    output_stride: usize,
}

impl Kernel {
    /// A checked kernel. `name` names the operator in errors, bench ids and stored tables; `wgsl`
    /// has an entry point `main`.
    #[must_use]
    pub const fn new(name: &'static str, wgsl: &'static str) -> Self {
        Self {
            name,
            source: Source {
                text: wgsl,
                prelude: &[],
            },
            int64: None,
            elements_per_thread: 1,
            longest: None,
            dispatches: None,
            cost: Cost { element: 16, word: 16 },
            trusted_for: None,
        }
    }

    /// Texts that are read before the kernel's own, for what kernels share. Lines in errors are
    /// counted in each by itself.
    #[must_use]
    pub const fn after(mut self, prelude: &'static [&'static str]) -> Self {
        self.source.prelude = prelude;
        self.changed()
    }

    /// The same kernel for adapters with 64-bit integers, read after `prelude`; unless
    /// [`Options::int64`](crate::Options::int64) is off.
    #[must_use]
    pub const fn with_int64(mut self, wgsl: &'static str, prelude: &'static [&'static str]) -> Self {
        self.int64 = Some(Source { text: wgsl, prelude });
        self.changed()
    }

    /// Each thread computes this number of elements, one after the other, instead of one.
    ///
    /// # Panics
    /// If it is none.
    #[must_use]
    pub const fn elements_per_thread(mut self, elements: usize) -> Self {
        assert!(elements > 0, "a thread computes one element at least");
        self.elements_per_thread = elements;
        self.changed()
    }

    /// What it costs, roughly. Unless it is said, an element counts as 16 operations, and a word of
    /// a string as 16 more.
    #[must_use]
    pub const fn cost(mut self, cost: Cost) -> Self {
        self.cost = cost;
        self
    }

    /// Strings of more bytes are digested by the host, by `digest`, and the kernel is given eight
    /// words to pass on, whose length is [`Kernel::DIGESTED`]: a string is one thread's work, for
    /// which a GPU takes far longer than a core.
    #[must_use]
    pub const fn digests_longer_than(mut self, bytes: usize, digest: Digest) -> Self {
        self.longest = Some((bytes, digest));
        self.changed()
    }

    /// Several dispatches over each chunk in place of one, and the room that what lies between them
    /// takes behind the output.
    #[must_use]
    pub const fn dispatches(mut self, dispatches: Dispatches, room: Room) -> Self {
        self.dispatches = Some((dispatches, room));
        self.changed()
    }

    /// The kernel without wgpu's checks of bounds and loops, for operator `T` and others whose
    /// inputs and output lie as `T`'s. A later call of another of these functions turns the checks
    /// on again, but for [`Kernel::cost`].
    ///
    /// # Safety
    /// Whatever the inputs, parameters and numbers of elements are, the kernel must index no
    /// binding beyond the elements of the chunk, rounded up to whole threads, the table of strings
    /// and the words that it names, and the [`Room`]; it must write workgroup memory before it
    /// reads it, and end.
    #[must_use]
    #[expect(unsafe_code, reason = "what it promises cannot be checked")]
    pub const unsafe fn trusted<T: Task>(mut self) -> Self {
        self.trusted_for = Some(Layout::of::<T>());
        self
    }

    /// Stands for the length of a string whose eight words are its digest.
    pub const DIGESTED: u32 = u32::MAX;

    /// The operator's name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// What was promised of it was promised of what it was.
    const fn changed(mut self) -> Self {
        self.trusted_for = None;
        self
    }

    /// A number of its text.
    const fn id(&self) -> u64 {
        let mut id = self.source.hash(hash(FNV_OFFSET, self.name));
        if let Some(source) = self.int64 {
            id = source.hash(id);
        }
        id = step(id, self.elements_per_thread as u64);
        if let Some((bytes, _)) = self.longest {
            id = step(id, bytes as u64);
        }
        id
    }

    /// The text for an adapter.
    pub(crate) fn source(&self, has_int64: bool) -> Source {
        self.int64.filter(|_| has_int64).unwrap_or(self.source)
    }
}

/// What an operator costs, in 32-bit operations of one thread, roughly: chunks are cut by it, so
/// that no dispatch takes longer than a driver allows, and the CPU shares heavy batches out to
/// several threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// For each element; times [`Task::depth`].
    pub element: u64,
    /// For each word of a string.
    pub word: u64,
}

impl Cost {
    /// What one dispatch may cost. Drivers kill what takes a second or two; a small integrated GPU
    /// does some 10^11 operations a second, and so needs a third of a second for these.
    pub const OF_A_DISPATCH: u64 = 1 << 35;

    /// The cost of a chunk, by its elements and words.
    #[must_use]
    pub fn of(self, elements: usize, words: usize, depth: usize) -> u64 {
        let each = self.element.saturating_mul(depth.max(1) as u64);
        (elements as u64)
            .saturating_mul(each)
            .saturating_add((words as u64).saturating_mul(self.word))
    }
}

/// One dispatch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Workgroups, of at most 65,535 × 65,535; folded into rows.
    pub groups: u32,
    /// What the kernel reads. The executor puts the threads per row of the grid in place 1.
    pub immediates: [u32; Step::MAX_IMMEDIATES],
}

impl Step {
    /// Words of immediates that a kernel may have.
    pub const MAX_IMMEDIATES: usize = 8;

    /// One dispatch over all elements, with their number, the threads per row, and the tasks'
    /// parameters for immediates.
    ///
    /// # Panics
    /// If the number of elements is no u32, which no chunk's is.
    #[must_use]
    pub fn only(extent: &Extent, number: usize) -> Option<Self> {
        let mut immediates = [word(extent.elements), 0, 0, 0, 0, 0, 0, 0];
        immediates[2..].copy_from_slice(&extent.parameters);
        (number == 0).then_some(Self {
            groups: extent.groups,
            immediates,
        })
    }
}

/// A number of a chunk as kernels count.
pub(crate) fn word(n: usize) -> u32 {
    u32::try_from(n).expect("a chunk is counted in u32")
}

/// An operator as the executor knows it, without its types.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spec {
    pub(crate) kernel: Kernel,
    pub(crate) inputs: Shape,
    /// Of one string for the whole task: the bytes of each of its elements.
    pub(crate) whole: Option<usize>,
    /// Bytes of one element of the output, a multiple of 4.
    pub(crate) output_stride: usize,
    pub(crate) parameter_words: usize,
    /// Tells operators apart, those of one name too.
    pub(crate) id: u64,
}

impl Spec {
    pub(crate) const fn of<T: Task>() -> Self {
        const {
            assert!(
                size_of::<T::Item>().is_multiple_of(4),
                "elements of the output are whole words"
            );
            assert!(size_of::<T::Item>() > 0, "elements of the output have a size");
            assert!(
                align_of::<T::Item>() <= 8,
                "elements of the output are aligned to eight bytes at most"
            );
            assert!(
                size_of::<T::Parameters>().is_multiple_of(4),
                "parameters are whole words"
            );
            assert!(
                size_of::<T::Parameters>() <= size_of::<Parameters>(),
                "parameters have six words at most"
            );
        }
        let kernel = T::KERNEL;
        let mut id = step(kernel.id(), size_of::<T::Item>() as u64);
        id = match T::Inputs::SHAPE {
            Shape::Strings => step(id, 0),
            Shape::Numbers(strides) => {
                let mut index = 0;
                while index < strides.len() {
                    id = step(id, strides[index] as u64);
                    index += 1;
                }
                id
            }
        };
        Self {
            kernel,
            inputs: T::Inputs::SHAPE,
            whole: T::Inputs::WHOLE,
            output_stride: size_of::<T::Item>(),
            parameter_words: size_of::<T::Parameters>() / 4,
            id,
        }
    }

    pub(crate) const fn operator(&self) -> &'static str {
        self.kernel.name
    }

    /// Whether it is compiled without checks.
    pub(crate) fn is_trusted(&self) -> bool {
        self.kernel.trusted_for.is_some_and(|layout| {
            layout
                == Layout {
                    inputs: self.inputs,
                    whole: self.whole,
                    output_stride: self.output_stride,
                }
        })
    }

    /// Whether both can use one pipeline. Functions at two addresses may be the same, which costs a
    /// pipeline more; at one address they are.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        let functions = |spec: &Self| {
            let (dispatches, room) = spec.kernel.dispatches.unzip();
            let digest = spec.kernel.longest.map(|(_, digest)| digest as usize);
            (dispatches.map(|f| f as usize), room.map(|f| f as usize), digest)
        };
        self.id == other.id
            && self.operator() == other.operator()
            && self.is_trusted() == other.is_trusted()
            && self.kernel.cost == other.kernel.cost
            && functions(self) == functions(other)
    }

    /// Elements the output's buffer has room for.
    pub(crate) fn room(&self, elements: usize, words: usize) -> usize {
        let room = self.kernel.dispatches.map_or(0, |(_, room)| room(elements, words));
        room.max(elements)
    }

    /// Strings of more bytes are digested by the host.
    pub(crate) fn longest(&self) -> usize {
        self.kernel.longest.map_or(usize::MAX, |(bytes, _)| bytes)
    }

    /// The dispatch of this number.
    pub(crate) fn step(&self, extent: &Extent, number: usize) -> Option<Step> {
        let dispatches = self
            .kernel
            .dispatches
            .map_or(Step::only as Dispatches, |(dispatches, _)| dispatches);
        dispatches(extent, number)
    }
}

impl Layout {
    const fn of<T: Task>() -> Self {
        Self {
            inputs: T::Inputs::SHAPE,
            whole: T::Inputs::WHOLE,
            output_stride: size_of::<T::Item>(),
        }
    }
}

impl Source {
    const fn hash(&self, mut id: u64) -> u64 {
        let mut index = 0;
        while index < self.prelude.len() {
            id = hash(id, self.prelude[index]);
            index += 1;
        }
        hash(id, self.text)
    }
}

const FNV_OFFSET: u64 = 0xCBF2_9CE4_8422_2325;

/// FNV-1a, continued: the same in every version of the compiler.
///
/// Source: G. Fowler, L. C. Noll, K.-P. Vo and D. Eastlake, "The FNV Non-Cryptographic Hash
/// Algorithm".
const fn hash(mut id: u64, text: &str) -> u64 {
    let bytes = text.as_bytes();
    let mut index = 0;
    while index < bytes.len() {
        id = step(id, bytes[index] as u64);
        index += 1;
    }
    // So that the border between two texts counts.
    step(id, 0x100)
}

const fn step(id: u64, value: u64) -> u64 {
    (id ^ value).wrapping_mul(0x0100_0000_01B3)
}
