//! What a router knows of operators: made on first use, read and changed by a person, and kept.

use std::sync::{
    OnceLock,
    atomic::{AtomicU64, Ordering},
};

use super::{
    Hybrid,
    feedback::Feedback,
    operators::Operator,
    table::{DecidedBy, Table, Threshold},
};
use crate::{error::Error, task::Task};

impl Hybrid {
    /// The operator's table: made, or read, on first use. `None` if there is none, or another
    /// thread is making one right now: to wait for it could be for ever, where a pool of threads
    /// has run out of those that it takes to finish.
    pub(super) fn table_of<'o>(&self, operator: &'o Operator) -> Option<&'o Table> {
        let cell = &operator.table;
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
            operator.small.store(operator.small_of(table), Ordering::Relaxed);
        }
        table
    }

    /// The table of an operator, which is calibrated if it is not yet. `None` if there is no GPU,
    /// no time left, another thread is at it, or the operator has no [`Task::CALIBRATION`].
    #[must_use]
    pub fn table<T: Task>(&self) -> Option<&Table> {
        self.table_of(self.operator::<T>())
    }

    /// Sets from how many items on which device an operator uses, until the router is dropped;
    /// [`Hybrid::keep_tables`] stores it. No threshold at all: the measured times decide again.
    ///
    /// # Errors
    /// [`Error::NotRouted`] for a device that the router does not have.
    pub fn set_thresholds<T: Task>(&mut self, thresholds: Vec<Threshold>) -> Result<(), Error> {
        for threshold in &thresholds {
            self.device(threshold.backend)?;
        }
        let directive = self.directive.of(T::KERNEL.name());
        let operator = self
            .operators
            .get_mut::<T>(|number| Operator::new::<T>(number, directive));
        let known = operator.table.take().flatten();
        let mut table = known.or_else(|| self.cache.table(operator.identity)).unwrap_or(Table {
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
        let small = operator.small_of(&table);
        operator.is_cleared = !is_sound;
        operator.small = AtomicU64::new(small);
        if is_sound {
            operator.table = OnceLock::from(Some(table));
        }
        Ok(())
    }

    /// Stores the tables as they are.
    pub fn keep_tables(&self) {
        for operator in self.operators.iter() {
            match operator.table.get() {
                Some(Some(table)) => self.cache.keep(operator.identity, Some(table)),
                _ if operator.is_cleared => self.cache.keep(operator.identity, None),
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
