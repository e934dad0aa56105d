//! Generated work, for tests and benches that loop over every operator.

use std::time::{Duration, Instant};

use crate::{
    error::Error,
    executor::Executor,
    hybrid::{Hybrid, Route, Routed},
    op::{Load, Task},
    phases::Phases,
};

/// Tasks of one operator with their inputs.
pub trait Workload {
    /// Runs the tasks once, as a single task or as one batch.
    ///
    /// Returns the wall time from the call to the results being in host memory; dropping them is not included.
    ///
    /// # Errors
    /// What [`Executor::run`] returns.
    fn run(&self, executor: &Executor) -> Result<Duration, Error>;

    /// Runs the tasks once, and says where the time went; `None` on the CPU, where nothing is moved.
    ///
    /// # Errors
    /// What [`Executor::run`] returns.
    fn run_timed(&self, executor: &Executor) -> Result<Option<Phases>, Error>;

    /// Runs the tasks and compares every element with what the CPU computes.
    ///
    /// # Errors
    /// [`CheckError::Failed`] with what [`Executor::run`] returns; [`CheckError::Wrong`] for a result that differs.
    fn check(&self, executor: &Executor) -> Result<(), CheckError>;

    /// How much work the tasks are.
    fn load(&self) -> Load;

    /// Runs the tasks once as [`Workload::run`] does, on the device that a router picks.
    ///
    /// # Errors
    /// What [`Hybrid::run`] returns.
    fn run_routed(&self, hybrid: &Hybrid) -> Result<(Duration, Route), Error>;

    /// Runs the tasks on the device that a router picks, and compares every element with what the CPU computes.
    ///
    /// # Errors
    /// As [`Workload::check`].
    fn check_routed(&self, hybrid: &Hybrid) -> Result<Route, CheckError>;
}

/// Why a workload's result is not known to be right.
#[derive(Debug, thiserror::Error)]
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

/// Owned inputs of one task; what an operator's file implements to take part in tests and benches.
pub trait Generate: 'static {
    /// The task that borrows the inputs.
    type Task<'a>: Task<Item: std::fmt::Debug>;

    /// Inputs of `size` elements.
    fn generate(size: usize, random: &mut Random) -> Self;

    /// The task over these inputs.
    fn task(&self) -> Self::Task<'_>;

    /// Whether a device's element is as good as the CPU's.
    fn same(device: &<Self::Task<'_> as Task>::Item, cpu: &<Self::Task<'_> as Task>::Item) -> bool;
}

/// Makes a workload of `tasks` tasks of `size` elements, the same for the same `seed`.
#[must_use]
pub fn generated<G: Generate>(size: usize, tasks: usize, seed: u64) -> Box<dyn Workload> {
    let mut random = Random(seed);
    Box::new(Generated {
        inputs: (0..tasks).map(|_| G::generate(size, &mut random)).collect::<Vec<_>>(),
    })
}

struct Generated<G> {
    inputs: Vec<G>,
}

impl<G: Generate> Workload for Generated<G> {
    fn run(&self, executor: &Executor) -> Result<Duration, Error> {
        if let [input] = self.inputs.as_slice() {
            let task = input.task();
            let start = Instant::now();
            let result = executor.run(std::hint::black_box(&task));
            let wall = start.elapsed();
            std::hint::black_box(result?);
            return Ok(wall);
        }
        let tasks: Vec<_> = self.inputs.iter().map(G::task).collect();
        let start = Instant::now();
        let results = executor.run_batch(std::hint::black_box(&tasks))?;
        let wall = start.elapsed();
        std::hint::black_box(results);
        Ok(wall)
    }

    fn run_timed(&self, executor: &Executor) -> Result<Option<Phases>, Error> {
        let tasks: Vec<_> = self.inputs.iter().map(G::task).collect();
        match tasks.as_slice() {
            [task] => Ok(executor.run_timed(task)?.1),
            tasks => Ok(executor.run_batch_timed(tasks)?.1),
        }
    }

    fn check(&self, executor: &Executor) -> Result<(), CheckError> {
        let tasks: Vec<_> = self.inputs.iter().map(G::task).collect();
        let results = match tasks.as_slice() {
            [task] => vec![executor.run(task)?],
            tasks => executor.run_batch(tasks)?,
        };
        self.compare(&tasks, &results, &executor.adapter().name)
    }

    fn load(&self) -> Load {
        self.inputs.iter().map(|input| input.task().load()).sum()
    }

    fn run_routed(&self, hybrid: &Hybrid) -> Result<(Duration, Route), Error> {
        if let [input] = self.inputs.as_slice() {
            let task = input.task();
            let start = Instant::now();
            let routed = hybrid.run(std::hint::black_box(&task));
            let wall = start.elapsed();
            let Routed { output, route } = routed?;
            std::hint::black_box(output);
            return Ok((wall, route));
        }
        let tasks: Vec<_> = self.inputs.iter().map(G::task).collect();
        let start = Instant::now();
        let Routed { output, route } = hybrid.run_batch(std::hint::black_box(&tasks))?;
        let wall = start.elapsed();
        std::hint::black_box(output);
        Ok((wall, route))
    }

    fn check_routed(&self, hybrid: &Hybrid) -> Result<Route, CheckError> {
        let tasks: Vec<_> = self.inputs.iter().map(G::task).collect();
        let (results, route) = match tasks.as_slice() {
            [task] => {
                let Routed { output, route } = hybrid.run(task)?;
                (vec![output], route)
            }
            tasks => {
                let Routed { output, route } = hybrid.run_batch(tasks)?;
                (output, route)
            }
        };
        self.compare(&tasks, &results, route.backend.name())?;
        Ok(route)
    }
}

impl<G: Generate> Generated<G> {
    /// Compares results with what the CPU computes.
    fn compare<'a>(
        &self,
        tasks: &[G::Task<'a>],
        results: &[Vec<<G::Task<'a> as Task>::Item>],
        adapter: &str,
    ) -> Result<(), CheckError> {
        let wrong = |task, element, device: &dyn std::fmt::Debug, cpu: &dyn std::fmt::Debug| CheckError::Wrong {
            operator: G::Task::SPEC.operator,
            adapter: adapter.to_owned(),
            task,
            element,
            device: format!("{device:?}"),
            cpu: format!("{cpu:?}"),
        };
        if results.len() != tasks.len() {
            return Err(wrong(results.len().min(tasks.len()), 0, &results.len(), &tasks.len()));
        }
        for (index, (task, device)) in tasks.iter().zip(results).enumerate() {
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
}

/// A small generator of reproducible inputs.
///
/// Source: G. L. Steele, D. Lea and C. H. Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014 (SplitMix64).
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
