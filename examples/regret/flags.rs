//! The flags: operators, sizes, and times of a measurement.

use std::time::Duration;

use super::{alternation::Mode, uses};

const HELP: &str = "\
regret [--seconds S] [--alone-ms MS] [--rounds N] [--modes LIST] [--call-ms MS] [--sizes N,N,…] [--batches N,N,…] [OPERATOR…]
  --seconds S     how long a case is measured in alternation at most, in seconds (0.5)
  --alone-ms MS   how long each loop is (60)
  --rounds N      loops of each variant (5)
  --modes LIST    alternation, loops, or both (alternation,loops)
  --call-ms MS    cases with a longer call on any device are left out (400)
  --sizes LIST    sizes of single tasks
  --batches LIST  batches, such as 1000x256";

pub(crate) struct Flags {
    /// How long a case is measured.
    pub(crate) case: Duration,
    /// How long each loop is.
    pub(crate) alone: Duration,
    /// Loops of each variant.
    pub(crate) rounds: usize,
    pub(crate) modes: Vec<Mode>,
    /// The longest call of a case.
    pub(crate) call: Duration,
    cases: Vec<(usize, usize)>,
    operators: Vec<String>,
}

fn mode(name: &str) -> Result<Mode, String> {
    match name {
        "alternation" => Ok(Mode::Alternation),
        "loops" => Ok(Mode::Loops),
        other => Err(format!("--modes: `{other}` is neither alternation nor loops")),
    }
}

impl Flags {
    pub(crate) fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut flags = Self {
            case: Duration::from_millis(500),
            alone: Duration::from_millis(60),
            rounds: 5,
            modes: vec![Mode::Alternation, Mode::Loops],
            call: Duration::from_millis(400),
            cases: Vec::new(),
            operators: Vec::new(),
        };
        // Between those that a calibration tries, so that what lies between them is held to
        // account.
        let mut sizes = "3,30,300,2000,8000,30000,100000,300000,700000,2000000,8000000".to_owned();
        let mut batches = "16x16,256x32,1000x256,16x20000".to_owned();
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{argument}: a value is missing"));
            let number = |text: String| {
                let number = text.parse::<f64>().ok().filter(|n| n.is_finite() && *n > 0.0);
                number.ok_or(format!("{argument}: `{text}` is not a number above 0"))
            };
            match argument.as_str() {
                "--seconds" => flags.case = Duration::from_secs_f64(number(value()?)?),
                "--alone-ms" => flags.alone = Duration::from_secs_f64(number(value()?)? / 1e3),
                "--rounds" => flags.rounds = (number(value()?)? as usize).max(1),
                "--modes" => flags.modes = value()?.split(',').map(mode).collect::<Result<_, _>>()?,
                "--call-ms" => flags.call = Duration::from_secs_f64(number(value()?)? / 1e3),
                "--sizes" => sizes = value()?,
                "--batches" => batches = value()?,
                "--help" | "-h" => return Err(HELP.to_owned()),
                name if uses::all().any(|of| of.operator.name == name) => flags.operators.push(argument),
                other => return Err(format!("{other}: neither a flag nor an operator\n{HELP}")),
            }
        }
        for case in sizes
            .split(',')
            .chain(batches.split(','))
            .filter(|case| !case.is_empty())
        {
            let (tasks, size) = case.split_once('x').unwrap_or(("1", case));
            let number = |text: &str| {
                text.parse()
                    .map_err(|_| format!("`{case}` is no size: `20000`, or `1000x256`"))
            };
            flags.cases.push((number(size)?, number(tasks)?));
        }
        Ok(flags)
    }

    pub(crate) fn wants(&self, operator: &str) -> bool {
        self.operators.is_empty() || self.operators.iter().any(|name| name == operator)
    }

    /// Sizes and numbers of tasks.
    pub(crate) fn cases(&self) -> impl Iterator<Item = (usize, usize)> {
        self.cases.iter().copied()
    }

    /// Sizes of single tasks.
    pub(crate) fn sizes(&self) -> impl Iterator<Item = usize> {
        self.cases().filter(|case| case.1 == 1).map(|case| case.0)
    }
}
