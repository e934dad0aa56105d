//! Tests and benches of operators, of this crate or another: checks against the CPU, and generated
//! work.
//!
//! It is behind the cargo feature `testkit`, for `[dev-dependencies]`. [`check()`] holds an
//! operator to its CPU function on every adapter there is:
//!
//! ```
//! use gpu_executor::{VectorAdd, task::{Generate, Random}, testkit};
//!
//! struct Input(Vec<f32>, Vec<f32>);
//!
//! impl Generate for Input {
//!     type Task<'a> = VectorAdd<'a>;
//!
//!     fn generate(size: usize, random: &mut Random) -> Self {
//!         let mut vector = || (0..size).map(|_| random.f32()).collect();
//!         Self(vector(), vector())
//!     }
//!
//!     fn task(&self) -> VectorAdd<'_> {
//!         VectorAdd { a: &self.0, b: &self.1 }
//!     }
//! }
//!
//! let checked = testkit::check::<Input>()?;
//! println!("as the CPU has it on {}", checked.join(", "));
//! # Ok::<(), gpu_executor::testkit::CheckError>(())
//! ```

mod check;
mod operators;

use std::time::{Duration, Instant};

pub use check::{check, check_in_place};
pub use operators::{OPERATORS, Operator};

pub use crate::task::{CheckError, Random};
use crate::{
    error::Error,
    executor::Executor,
    hybrid::{Hybrid, Route, Routed},
    phases::Phases,
    task::{Generate, Generated, Load, Task, compare},
};

/// Tasks of one operator with their inputs.
pub trait Workload {
    /// Runs the tasks once, as a single task or as one batch.
    ///
    /// Returns the wall time from the call to the results being in host memory; dropping them is
    /// not included.
    ///
    /// # Errors
    /// What [`Executor::run`] returns.
    fn run(&self, executor: &Executor) -> Result<Duration, Error>;

    /// Runs the tasks once, and says where the time went; `None` on the CPU, where nothing is
    /// moved.
    ///
    /// # Errors
    /// What [`Executor::run`] returns.
    fn run_timed(&self, executor: &Executor) -> Result<Option<Phases>, Error>;

    /// Runs the tasks and compares every element with what the CPU computes.
    ///
    /// # Errors
    /// [`CheckError::Failed`] with what [`Executor::run`] returns; [`CheckError::Wrong`] for a
    /// result that differs.
    fn check(&self, executor: &Executor) -> Result<(), CheckError>;

    /// How much work the tasks are.
    fn load(&self) -> Load;

    /// Runs the tasks once as [`Workload::run`] does, on the device that a router picks.
    ///
    /// # Errors
    /// What [`Hybrid::run`] returns.
    fn run_routed(&self, hybrid: &Hybrid) -> Result<(Duration, Route), Error>;

    /// Runs the tasks on the device that a router picks, and compares every element with what the
    /// CPU computes.
    ///
    /// # Errors
    /// As [`Workload::check`].
    fn check_routed(&self, hybrid: &Hybrid) -> Result<Route, CheckError>;
}

/// Makes a workload of `tasks` tasks of `size` items, the same for the same `seed`.
#[must_use]
pub fn workload<G: Generate>(size: usize, tasks: usize, seed: u64) -> Box<dyn Workload> {
    Box::new(Generated::<G>::new(size, tasks, seed))
}

impl<G: Generate> Workload for Generated<G> {
    fn run(&self, executor: &Executor) -> Result<Duration, Error> {
        let tasks = self.tasks();
        if let [task] = tasks.as_slice() {
            let start = Instant::now();
            let result = executor.run(std::hint::black_box(task));
            let wall = start.elapsed();
            std::hint::black_box(result?);
            return Ok(wall);
        }
        let start = Instant::now();
        let results = executor.run_batch(std::hint::black_box(&tasks))?;
        let wall = start.elapsed();
        std::hint::black_box(results);
        Ok(wall)
    }

    fn run_timed(&self, executor: &Executor) -> Result<Option<Phases>, Error> {
        let tasks = self.tasks();
        match tasks.as_slice() {
            [task] => Ok(executor.run_timed(task)?.1),
            tasks => Ok(executor.run_batch_timed(tasks)?.1),
        }
    }

    fn check(&self, executor: &Executor) -> Result<(), CheckError> {
        let tasks = self.tasks();
        let results = match tasks.as_slice() {
            [task] => vec![executor.run(task)?],
            tasks => executor.run_batch(tasks)?,
        };
        compare::<G>(&tasks, &results, &executor.adapter().name)
    }

    fn load(&self) -> Load {
        self.tasks().iter().map(Task::load).sum()
    }

    fn run_routed(&self, hybrid: &Hybrid) -> Result<(Duration, Route), Error> {
        let tasks = self.tasks();
        if let [task] = tasks.as_slice() {
            let start = Instant::now();
            let routed = hybrid.run(std::hint::black_box(task));
            let wall = start.elapsed();
            let Routed { output, route } = routed?;
            std::hint::black_box(output);
            return Ok((wall, route));
        }
        let start = Instant::now();
        let Routed { output, route } = hybrid.run_batch(std::hint::black_box(&tasks))?;
        let wall = start.elapsed();
        std::hint::black_box(output);
        Ok((wall, route))
    }

    fn check_routed(&self, hybrid: &Hybrid) -> Result<Route, CheckError> {
        let tasks = self.tasks();
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
        compare::<G>(&tasks, &results, route.backend.name())?;
        Ok(route)
    }
}
