//! What a measurement is of: an operator on a backend, with so many tasks of so many elements.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Identifies a case across runs, baselines and commits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct CaseId {
    /// The operator's name.
    pub(crate) op: String,
    /// The backend's name.
    pub(crate) backend: String,
    /// Tasks per call; 1 is a single task, more are a batch. Before the size, so that batches are listed last.
    pub(crate) tasks: u64,
    /// Elements per task.
    pub(crate) size: u64,
}

impl CaseId {
    /// The part of the id that says how much work it is: `20000`, or `1000x256` for a batch.
    pub(crate) fn amount(&self) -> String {
        match self.tasks {
            1 => self.size.to_string(),
            tasks => format!("{tasks}x{}", self.size),
        }
    }
}

/// Criterion's full id: `vector_add/vulkan/20000`.
impl fmt::Display for CaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}/{}/{}", self.op, self.backend, self.amount()))
    }
}

/// Reads what is written by `Display`.
impl std::str::FromStr for CaseId {
    type Err = String;

    fn from_str(id: &str) -> Result<Self, String> {
        let unknown = || format!("`{id}` is no case of this project: they are named as vector_add/vulkan/20000 is");
        let [op, backend, amount] = id.split('/').collect::<Vec<_>>()[..] else {
            return Err(unknown());
        };
        let (tasks, size) = amount.split_once('x').unwrap_or(("1", amount));
        let number = |text: &str| text.parse().ok().filter(|&n: &u64| n > 0).ok_or_else(unknown);
        Ok(Self {
            op: op.to_owned(),
            backend: backend.to_owned(),
            tasks: number(tasks)?,
            size: number(size)?,
        })
    }
}

/// Declares the counters once: fields in the order of the columns, and their names.
macro_rules! counters {
    ($($field:ident),* $(,)?) => {
        /// Calls into wgpu that each call of a case makes: exact, compared for equality.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        pub(crate) struct Counters {
            $(pub(crate) $field: u64,)*
        }

        impl Counters {
            /// The columns, in order.
            pub(crate) const NAMES: &[&str] = &[$(stringify!($field)),*];

            /// Name and value of each counter, in the order of the columns.
            pub(crate) fn named(&self) -> impl Iterator<Item = (&'static str, u64)> {
                [$((stringify!($field), self.$field)),*].into_iter()
            }

            /// Reads each counter by its name.
            ///
            /// # Errors
            /// The first that `read` returns.
            pub(crate) fn read<E>(read: impl Fn(&'static str) -> Result<u64, E>) -> Result<Self, E> {
                Ok(Self { $($field: read(stringify!($field))?,)* })
            }
        }
    };
}

counters! {
    submits,
    passes,
    dispatches,
    copies,
    buffers_created,
    bind_groups_created,
    pipelines_created,
    bytes_up,
    bytes_down,
    maps,
    pool_hits,
}

/// A counter that is not what it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct CounterChange {
    pub(crate) name: &'static str,
    pub(crate) old: u64,
    pub(crate) new: u64,
}

impl fmt::Display for CounterChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} → {}", self.name, self.old, self.new)
    }
}

impl Counters {
    /// How `new` differs from these, in the order of the columns.
    pub(crate) fn changes(&self, new: &Self) -> Vec<CounterChange> {
        self.named()
            .zip(new.named())
            .filter(|((_, old), (_, new))| old != new)
            .map(|((name, old), (_, new))| CounterChange { name, old, new })
            .collect()
    }
}

/// Changes in one line: `passes 1 → 2, dispatches 1 → 2`.
pub(crate) fn in_words(changes: &[CounterChange]) -> String {
    let words: Vec<String> = changes.iter().map(ToString::to_string).collect();
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_as_criterions_does() {
        let check = |tasks, size, expected: &str| {
            let id = CaseId {
                op: "vector_add".to_owned(),
                backend: "gles".to_owned(),
                size,
                tasks,
            };
            assert_eq!(id.to_string(), expected);
            assert_eq!(expected.parse(), Ok(id));
        };
        check(1, 20_000, "vector_add/gles/20000");
        check(1000, 256, "vector_add/gles/1000x256");
        for wrong in ["", "a/b", "a/b/c", "a/b/0", "a/b/1x", "a/b/1/2"] {
            assert!(wrong.parse::<CaseId>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_difference_names_only_what_changed() {
        let old = Counters {
            submits: 1,
            dispatches: 1,
            ..Counters::default()
        };
        assert!(old.changes(&old).is_empty());
        let new = Counters {
            dispatches: 2,
            maps: 2,
            ..old
        };
        assert_eq!(in_words(&old.changes(&new)), "dispatches 1 → 2, maps 0 → 2");
    }
}
