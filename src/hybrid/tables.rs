//! What a router knows of operators: made on first use, read and changed by a person, and kept.

use std::sync::{
    OnceLock,
    atomic::{AtomicU64, Ordering},
};

use super::{
    Hybrid,
    feedback::Feedback,
    route,
    table::{DecidedBy, Table, Threshold},
};
use crate::{
    error::Error,
    op::{self, Task},
};

impl Hybrid {
    /// The operator's table: made, or read, on first use. `None` if there is none, or another thread is making one right now:
    /// to wait for it could be for ever, where a pool of threads has run out of those that it takes to finish.
    pub(super) fn table_of(&self, operator: usize) -> Option<&Table> {
        let cell = &self.tables[operator];
        if let Some(table) = cell.get() {
            return table.as_ref();
        }
        let mut spent = match self.spent.try_lock() {
            Ok(spent) => spent,
            Err(std::sync::TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(std::sync::TryLockError::WouldBlock) => return None,
        };
        let table = cell.get_or_init(|| self.calibrate(operator, &mut spent)).as_ref();
        if let Some(table) = table {
            self.small[operator].store(self.small_of(operator, table), Ordering::Relaxed);
        }
        table
    }

    /// What is decided without a look at the table: nothing where the environment decides.
    fn small_of(&self, operator: usize, table: &Table) -> u64 {
        if self.directive.of(operator).is_none() {
            // Nothing at all is the CPU's in any case.
            table.small().max(1)
        } else {
            0
        }
    }

    /// What is known of an operator; it is calibrated if it is not yet. `None` if there is no GPU, no time left, or another
    /// thread is at it.
    #[must_use]
    pub fn table<T: Task>(&self) -> Option<&Table> {
        self.table_of(const { op::index_of(T::SPEC.operator) })
    }

    /// Sets from how many items on which device an operator uses, until the router is dropped; [`Hybrid::keep_tables`] stores
    /// it. No threshold at all: the measured times decide again.
    ///
    /// # Errors
    /// [`Error::BadRoute`] if no operator has the name; [`Error::NotRouted`] for a device that the router does not have.
    pub fn set_thresholds(&mut self, operator: &str, thresholds: Vec<Threshold>) -> Result<(), Error> {
        let index = route::operator(operator);
        let index = index.ok_or_else(|| Error::BadRoute {
            part: operator.to_owned(),
        })?;
        for threshold in &thresholds {
            self.device(threshold.backend)?;
        }
        let known = self.tables[index].take().flatten();
        let mut table = known.or_else(|| self.cache.table(operator)).unwrap_or(Table {
            decided_by: DecidedBy::Times,
            thresholds: Vec::new(),
            times: Vec::new(),
        });
        if thresholds.is_empty() {
            table = Table::measured(table.times);
        } else {
            table.decided_by = DecidedBy::Thresholds;
            table.thresholds = thresholds;
        }
        self.feedback = Feedback::default();
        // Without times and thresholds there is nothing to decide by: the next task calibrates.
        let is_sound = table.is_sound();
        let small = self.small_of(index, &table);
        self.cleared[index] = !is_sound;
        self.small[index] = AtomicU64::new(small);
        if is_sound {
            self.tables[index] = OnceLock::from(Some(table));
        }
        Ok(())
    }

    /// Stores the tables as they are.
    pub fn keep_tables(&self) {
        for ((operator, table), is_cleared) in op::ALL.iter().zip(&self.tables).zip(self.cleared) {
            match table.get() {
                Some(Some(table)) => self.cache.keep(operator.name, Some(table)),
                _ if is_cleared => self.cache.keep(operator.name, None),
                _ => {}
            }
        }
    }

    /// The file where tables are kept; `None` if nothing is.
    #[must_use]
    pub fn table_file(&self) -> Option<std::path::PathBuf> {
        self.cache.path()
    }
}
