//! Generated work: what a router measures an operator with, and tests and benches run.

use std::{
    fmt::{self, Debug},
    time::{Duration, Instant},
};

use super::{
    Load, Task,
    source::{Device, run_batch, run_one},
};
use crate::error::Error;

/// Owned inputs of one task.
pub trait Generate: Sized + 'static {
    /// The task that borrows the inputs.
    type Task<'a>: Task;

    /// Inputs of `size` items: elements of the output, or what a whole string has.
    fn generate(size: usize, random: &mut Random) -> Self;

    /// The task over these inputs.
    fn task(&self) -> Self::Task<'_>;

    /// Whether a device's element is as good as the CPU's: the same bytes, unless an operator says
    /// otherwise.
    fn same(device: &<Self::Task<'_> as Task>::Item, cpu: &<Self::Task<'_> as Task>::Item) -> bool {
        bytemuck::bytes_of(device) == bytemuck::bytes_of(cpu)
    }
}

/// What a router calibrates an operator with.
#[derive(Clone, Copy, Debug)]
pub struct Calibration {
    pub(crate) depths: &'static [(usize, Generator)],
    pub(crate) jumps: &'static [usize],
}

/// Generates tasks of `size` items each, the same for the same `seed`: [`generated()`] of a
/// [`Generate`].
pub type Generator = fn(size: usize, tasks: usize, seed: u64) -> Sample;

impl Calibration {
    /// By items of one step.
    #[must_use]
    pub const fn of<G: Generate>() -> Self {
        Self::of_depths(const { &[(1, generated::<G>)] })
    }

    /// By items of several depths, ascending. Between two of them, and above, times are taken to
    /// grow evenly with the depth.
    ///
    /// # Panics
    /// If there is none.
    #[must_use]
    pub const fn of_depths(depths: &'static [(usize, Generator)]) -> Self {
        assert!(!depths.is_empty(), "an operator is calibrated at one depth at least");
        Self { depths, jumps: &[] }
    }

    /// Numbers of items of a task beyond which a call takes a dispatch more, ascending: there its
    /// time jumps.
    #[must_use]
    pub const fn with_jumps(mut self, jumps: &'static [usize]) -> Self {
        self.jumps = jumps;
        self
    }
}

/// Generated tasks of one operator, to be run as a single task or as one batch.
pub struct Sample(Box<dyn AnySample>);

impl Sample {
    /// How much work the tasks are.
    #[must_use]
    pub fn load(&self) -> Load {
        self.0.load()
    }

    /// Runs the tasks, and returns the time from the call to the results being in the host's
    /// memory.
    pub(crate) fn run(&self, device: Device<'_>) -> Result<Duration, Error> {
        self.0.run(device)
    }

    /// Runs the tasks, and compares every element with what the CPU computes.
    pub(crate) fn check(&self, device: Device<'_>, name: &str) -> Result<(), CheckError> {
        self.0.check(device, name)
    }
}

impl Debug for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sample({:?})", self.load())
    }
}

/// Makes a sample of `tasks` tasks of `size` items, the same for the same `seed`.
#[must_use]
pub fn generated<G: Generate>(size: usize, tasks: usize, seed: u64) -> Sample {
    Sample(Box::new(Generated::<G>::new(size, tasks, seed)))
}

/// A [`Sample`] of any operator.
trait AnySample {
    fn load(&self) -> Load;
    fn run(&self, device: Device<'_>) -> Result<Duration, Error>;
    fn check(&self, device: Device<'_>, name: &str) -> Result<(), CheckError>;
}

/// Tasks with their inputs.
pub(crate) struct Generated<G> {
    inputs: Vec<G>,
}

impl<G: Generate> Generated<G> {
    pub(crate) fn new(size: usize, tasks: usize, seed: u64) -> Self {
        let mut random = Random::new(seed);
        Self {
            inputs: (0..tasks).map(|_| G::generate(size, &mut random)).collect(),
        }
    }

    pub(crate) fn tasks(&self) -> Vec<G::Task<'_>> {
        self.inputs.iter().map(G::task).collect()
    }
}

impl<G: Generate> AnySample for Generated<G> {
    fn load(&self) -> Load {
        self.tasks().iter().map(Task::load).sum()
    }

    fn run(&self, device: Device<'_>) -> Result<Duration, Error> {
        let tasks = self.tasks();
        let begin = Instant::now();
        let wall = if let [task] = tasks.as_slice() {
            let output = run_one(std::hint::black_box(task), device);
            let wall = begin.elapsed();
            std::hint::black_box(output?);
            wall
        } else {
            let outputs = run_batch(std::hint::black_box(&tasks), device);
            let wall = begin.elapsed();
            std::hint::black_box(outputs?);
            wall
        };
        Ok(wall)
    }

    fn check(&self, device: Device<'_>, name: &str) -> Result<(), CheckError> {
        let tasks = self.tasks();
        let outputs = match tasks.as_slice() {
            [task] => vec![run_one(task, device)?],
            tasks => run_batch(tasks, device)?,
        };
        compare::<G>(&tasks, &outputs, name)
    }
}

/// Compares outputs with what the CPU computes; `name` is the device's.
pub(crate) fn compare<'a, G: Generate>(
    tasks: &[G::Task<'a>],
    outputs: &[impl AsRef<[<G::Task<'a> as Task>::Item]>],
    name: &str,
) -> Result<(), CheckError> {
    let wrong = |task, element, device: &dyn Debug, cpu: &dyn Debug| CheckError::Wrong {
        operator: G::Task::KERNEL.name,
        adapter: name.to_owned(),
        task,
        element,
        device: format!("{device:?}"),
        cpu: format!("{cpu:?}"),
    };
    if outputs.len() != tasks.len() {
        return Err(wrong(outputs.len().min(tasks.len()), 0, &outputs.len(), &tasks.len()));
    }
    for (index, (task, device)) in tasks.iter().zip(outputs).enumerate() {
        let device = device.as_ref();
        let mut cpu = Vec::new();
        task.run_on_cpu(&mut cpu);
        if device.len() != cpu.len() {
            return Err(wrong(index, device.len().min(cpu.len()), &device.len(), &cpu.len()));
        }
        if let Some(at) = (0..cpu.len()).find(|&i| !G::same(&device[i], &cpu[i])) {
            return Err(wrong(index, at, &device[at], &cpu[at]));
        }
    }
    Ok(())
}

/// Why an operator's result is not known to be right.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckError {
    /// There is no result.
    #[error(transparent)]
    Failed(#[from] Error),
    /// The result is not the CPU's.
    #[error("{operator}: wrong result from {adapter}: task {task}, element {element} is {device}, the CPU has {cpu}")]
    Wrong {
        /// The operator's name.
        operator: &'static str,
        /// The adapter's name.
        adapter: String,
        /// The task's place in the batch.
        task: usize,
        /// The first element that differs, or the shorter length if the lengths differ.
        element: usize,
        /// The device's value, or its length.
        device: String,
        /// The CPU's value, or its length.
        cpu: String,
    },
}

/// A small generator of reproducible inputs.
///
/// Source: G. L. Steele, D. Lea and C. H. Flood, "Fast splittable pseudorandom number generators",
/// OOPSLA 2014 (SplitMix64).
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The same numbers for the same seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Uniform below `n`, or nearly so.
    pub fn below(&mut self, n: usize) -> usize {
        let scaled = u128::from(self.u64()) * n as u128;
        usize::try_from(scaled >> 64).unwrap_or(0)
    }

    /// Uniform over all 64-bit numbers.
    pub fn u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Uniform in [-1, 1), in steps of 2⁻²³, so that sums are never subnormal.
    pub fn f32(&mut self) -> f32 {
        let steps = self.u64() >> 40;
        #[expect(clippy::cast_precision_loss, reason = "24 bits fit an f32 exactly")]
        let unit = steps as f32 / 8_388_608.0;
        unit - 1.0
    }
}
