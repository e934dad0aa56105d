//! What to measure, and how long: the defaults, or what `cargo xtask bench` says in environment
//! variables.

use std::{fmt, str::FromStr};

use gpu_executor::{
    Backend,
    testkit::{OPERATORS, Operator},
};

/// Comma list of sizes, `20000` for one task and `1000x256` for a batch.
const SIZES_ENV: &str = "GPU_EXECUTOR_BENCH_SIZES";
/// Comma list of operators, or `all`, which it is if it is unset.
const OPS_ENV: &str = "GPU_EXECUTOR_BENCH_OPS";

/// Sizes at which one call takes more operations than this are left out: half a second on a core.
const MAX_OPERATIONS: u64 = 1 << 33;

/// What `vector_add` is measured with, whose cost is the way to the device and back,
const DEFAULT_SIZES: &str = "1000,20000,50000,100000,250000,500000,1000000,1000x256";
/// and all others, whose cost is their kernels.
const OTHER_SIZES: &str = "256,4096,20000,100x256";

/// Tasks of equal size that are run by one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Case {
    /// Elements per task.
    pub(crate) size: usize,
    /// 1 for a single task, more for a batch.
    pub(crate) tasks: usize,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.tasks {
            1 => write!(f, "{}", self.size),
            tasks => write!(f, "{tasks}x{}", self.size),
        }
    }
}

impl FromStr for Case {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no size: write `20000`, or `1000x256` for a batch of 1000 tasks");
        let number = |part: &str| part.trim().parse::<usize>().ok().filter(|&n| n > 0).ok_or_else(wrong);
        match text.split_once('x') {
            None => Ok(Self {
                size: number(text)?,
                tasks: 1,
            }),
            Some((tasks, size)) => Ok(Self {
                size: number(size)?,
                tasks: number(tasks)?,
            }),
        }
    }
}

/// Reads a comma list of sizes.
fn cases(list: &str) -> Result<Vec<Case>, String> {
    list.split(',').map(str::parse).collect()
}

/// What this process measures.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) backends: Vec<Backend>,
    /// Sizes asked for, of every operator.
    cases: Option<Vec<Case>>,
    operators: Option<Vec<String>>,
}

impl Plan {
    /// Reads the environment.
    pub(crate) fn from_env() -> Result<Self, String> {
        let sizes = std::env::var(SIZES_ENV).ok();
        let operators = std::env::var(OPS_ENV).unwrap_or_else(|_| "all".to_owned());
        let operators: Option<Vec<String>> =
            (operators.trim() != "all").then(|| operators.split(',').map(|name| name.trim().to_owned()).collect());
        for name in operators.iter().flatten() {
            if !OPERATORS.iter().any(|o| o.name == name) {
                let names: Vec<_> = OPERATORS.iter().map(|o| o.name).collect();
                return Err(format!(
                    "{OPS_ENV}: no operator is named `{name}`; there are: {}",
                    names.join(", ")
                ));
            }
        }
        Ok(Self {
            backends: Backend::selected().map_err(|error| error.to_string())?,
            cases: sizes.as_deref().map(cases).transpose()?,
            operators,
        })
    }

    /// Whether an operator is to be measured.
    pub(crate) fn wants(&self, operator: &str) -> bool {
        self.operators
            .as_ref()
            .is_none_or(|names| names.iter().any(|name| name == operator))
    }

    /// The cases of an operator.
    pub(crate) fn cases_of(&self, operator: &Operator) -> impl Iterator<Item = Case> + use<> {
        let default = if operator.name == "vector_add" {
            DEFAULT_SIZES
        } else {
            OTHER_SIZES
        };
        let all = self
            .cases
            .clone()
            .unwrap_or_else(|| cases(default).expect("the constants are sizes"));
        let operations = operator.operations;
        let is_short = move |case: &Case| (case.size * case.tasks) as u64 * operations <= MAX_OPERATIONS;
        all.into_iter().filter(is_short)
    }

    /// The ids of all cases, whether or not there is an adapter for them.
    pub(crate) fn ids(&self) -> Vec<String> {
        let mut ids = Vec::new();
        for backend in &self.backends {
            for operator in OPERATORS.iter().filter(|o| self.wants(o.name)) {
                let id = |case| format!("{}/{backend}/{case}", operator.name);
                ids.extend(self.cases_of(operator).map(id));
            }
        }
        ids
    }

    /// The case of an id.
    pub(crate) fn find(&self, id: &str) -> Result<(Operator, Backend, Case), String> {
        let unknown = || format!("no case is named `{id}`");
        let [operator, backend, size] = id.split('/').collect::<Vec<_>>()[..] else {
            return Err(unknown());
        };
        let operator = OPERATORS.iter().find(|o| o.name == operator).ok_or_else(unknown)?;
        let backend = self.backends.iter().find(|b| b.name() == backend).ok_or_else(unknown)?;
        Ok((*operator, *backend, size.parse()?))
    }
}
