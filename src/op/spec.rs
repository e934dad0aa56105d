//! What the executor knows of an operator without knowing its types.

/// An operator's kernel, and how its inputs and output lie on the device.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    /// The operator's name in bench ids, reports and baselines; also the key of its cached objects.
    pub operator: &'static str,

    /// The kernel in WGSL. Bindings of group 0: the inputs in order, then the output.
    pub shader: &'static str,

    /// The same kernel for adapters with 64-bit integers, where there is one.
    pub shader_int64: Option<&'static str>,

    /// Threads per workgroup, 256 at the most.
    pub workgroup_size: u32,

    /// Elements that one thread computes. Bindings hold a multiple of it.
    pub elements_per_thread: usize,

    /// How the inputs lie.
    pub inputs: Shape,

    /// Bytes of one element of the output, a multiple of 4.
    pub output_stride: usize,

    /// Number of immediates the kernel reads, each u32; those of [`Step::immediates`].
    pub immediates: usize,

    /// The kernel's dispatches over a chunk, by their number; `None` behind the last. Each sees what those before it wrote.
    pub step: fn(&Spec, &Extent, usize) -> Option<Step>,

    /// Elements the output's buffer has room for, of chunks of so many elements and words: the output, and behind it what
    /// lies between dispatches.
    pub room: fn(elements: usize, words: usize) -> usize,

    /// What it costs, by which chunks are kept short enough for watchdogs.
    pub cost: Cost,
}

/// Digests a string on the host.
pub type Digest = fn(&[u8]) -> [u8; 32];

/// How the inputs of a chunk lie on the device.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    /// Arrays of numbers, as long as the output: the bytes per element of each, multiples of 4.
    Numbers(&'static [usize]),
    /// A string of bytes for each element of the output. Binding 0 has two u32 for each: the number of its first word in
    /// binding 1, and its length in bytes. Binding 1 has the strings as words, each string filled up to a multiple of eight bytes with zeros.
    Strings {
        /// Longer ones are digested by the host, and the kernel is given eight words to pass on, marked by
        /// [`Shape::DIGESTED`] for a length: a string is one thread's work, and a processor's core does that many times faster.
        longest: usize,
        /// What the kernel would make of a string.
        digest: Digest,
    },
}

impl Shape {
    /// Stands for the length of a string whose eight words are its digest.
    pub const DIGESTED: u32 = u32::MAX;
}

/// What an operator costs, in 32-bit operations of one thread, roughly.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    /// For each element; times [`Task::parameter`](super::Task::parameter) where that is more than 1.
    pub element: u64,
    /// For each word of a string.
    pub word: u64,
}

impl Cost {
    /// What one dispatch may cost. Drivers kill what takes a second or two; a small integrated GPU does some 10^11
    /// operations a second, and so needs a third of a second for these.
    pub const OF_A_DISPATCH: u64 = 1 << 35;

    /// The cost of so many elements and words.
    #[must_use]
    pub fn of(self, elements: usize, words: usize, parameter: u32) -> u64 {
        let each = self.element.saturating_mul(u64::from(parameter.max(1)));
        (elements as u64)
            .saturating_mul(each)
            .saturating_add((words as u64).saturating_mul(self.word))
    }
}

/// What a chunk has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Elements of the output.
    pub elements: usize,
    /// Words of all strings.
    pub words: usize,
    /// Words of the longest string.
    pub longest: usize,
    /// The tasks' parameter.
    pub parameter: u32,
}

/// One dispatch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Workgroups, of at most 65,535 × 65,535; folded into rows.
    pub groups: u32,
    /// What the kernel reads. The executor puts the threads per row of the grid in place 1.
    pub immediates: [u32; Step::MOST_IMMEDIATES],
}

impl Step {
    /// Immediates a kernel may have.
    pub const MOST_IMMEDIATES: usize = 8;

    /// One dispatch over all elements, with their number, the threads per row, and the tasks' parameter for immediates.
    ///
    /// # Panics
    /// If the number of elements is no u32, which no chunk's is.
    #[must_use]
    pub fn only(spec: &Spec, extent: &Extent, number: usize) -> Option<Self> {
        let threads = extent.elements.div_ceil(spec.elements_per_thread);
        let [elements, threads] = [extent.elements, threads].map(word);
        (number == 0).then(|| Self {
            groups: threads.div_ceil(spec.workgroup_size),
            immediates: [elements, 0, extent.parameter, 0, 0, 0, 0, 0],
        })
    }
}

/// A number of a chunk as kernels count.
pub(crate) fn word(n: usize) -> u32 {
    u32::try_from(n).expect("a chunk is counted in u32")
}
