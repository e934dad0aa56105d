//! What to measure, and how long: the defaults, or what `cargo xtask bench` says in environment variables.

use std::{fmt, path::PathBuf, str::FromStr, time::Duration};

use gpu_executor::{
    Backend,
    testkit::{OPERATORS, Operator},
};

/// Folder to record every call into; unset for criterion's own reports only.
const RECORD_ENV: &str = "GPU_EXECUTOR_BENCH_RECORD";
/// `quick` or `default`.
const PACE_ENV: &str = "GPU_EXECUTOR_BENCH_PACE";
/// Comma list of sizes, `20000` for one task and `1000x256` for a batch.
const SIZES_ENV: &str = "GPU_EXECUTOR_BENCH_SIZES";
/// Comma list of operators, or `all`; unset for [`DEFAULT_OPERATOR`].
const OPS_ENV: &str = "GPU_EXECUTOR_BENCH_OPS";

/// What the other operators cost is their kernels, and takes minutes on a CPU's driver.
const DEFAULT_OPERATOR: &str = "vector_add";

/// Sizes at which one call takes more operations than this are left out: half a second on a core.
const MOST_OPERATIONS: u64 = 1 << 33;

const DEFAULT_SIZES: &str = "1000,20000,50000,100000,250000,500000,1000000,1000x256";

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

/// How long a case is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// About a second a case, for a look while working and for CI.
    Quick,
    /// What baselines are made of.
    Default,
}

impl Pace {
    pub(crate) fn warm_up(self) -> Duration {
        Duration::from_millis(match self {
            Self::Quick => 200,
            Self::Default => 500,
        })
    }

    pub(crate) fn measurement(self) -> Duration {
        Duration::from_millis(match self {
            Self::Quick => 1000,
            Self::Default => 2000,
        })
    }

    /// How long a case's samples may wait in all for nobody else to use the core.
    pub(crate) fn patience(self) -> Duration {
        self.measurement()
    }

    /// Criterion samples, each a batch of calls.
    pub(crate) fn samples(self) -> usize {
        match self {
            Self::Quick => 10,
            Self::Default => 20,
        }
    }
}

/// What this process measures.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) backends: Vec<Backend>,
    cases: Vec<Case>,
    pub(crate) pace: Pace,
    pub(crate) record: Option<PathBuf>,
    operators: Option<Vec<String>>,
}

impl Plan {
    /// Reads the environment.
    pub(crate) fn from_env() -> Result<Self, String> {
        let pace = match std::env::var(PACE_ENV).as_deref() {
            Err(_) | Ok("default") => Pace::Default,
            Ok("quick") => Pace::Quick,
            Ok(other) => return Err(format!("{PACE_ENV}: `{other}` is neither `quick` nor `default`")),
        };
        let sizes = std::env::var(SIZES_ENV).unwrap_or_else(|_| DEFAULT_SIZES.to_owned());
        let operators = std::env::var(OPS_ENV).unwrap_or_else(|_| DEFAULT_OPERATOR.to_owned());
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
            cases: sizes.split(',').map(str::parse).collect::<Result<_, _>>()?,
            pace,
            record: std::env::var_os(RECORD_ENV).map(PathBuf::from),
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
    pub(crate) fn cases_of(&self, operator: &Operator) -> impl Iterator<Item = Case> {
        let operations = operator.operations;
        let is_short = move |case: &Case| (case.size * case.tasks) as u64 * operations <= MOST_OPERATIONS;
        self.cases.iter().copied().filter(is_short)
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
