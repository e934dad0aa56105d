//! How many more elements make a case slower by so many per cent: found out by measuring, as overhead does not grow with the elements
//! and caches are full at some size.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use bench_gate::{
    assess::{BASE, CONTROL, HEAD, Statistic, validation::Kind},
    record,
    stat::quantile::median,
};

use super::{Setup, windows};
use crate::{error::Error, host::console};

/// Cases that are slowed down. The first one of the CPU is a case of more than 10 µs whose data stay in the second-level cache, on one
/// thread: what it takes grows with its elements. The other has two speeds.
const CASES: [&str; 6] = [
    "field_mul/cpu/800",
    "vector_add/cpu/250000",
    "vector_add/gles/20000",
    "vector_add/gles/50000",
    "vector_add/vulkan/20000",
    "vector_add/vulkan/50000",
];
/// Elements that are added first.
const SLOPE: f64 = 1.10;
/// A case whose time grows by less than this share of what is asked for, or by more than its reciprocal, cannot be planted in.
const LEAST_SHARE: f64 = 0.2;

/// A measurement of what more elements cost, before any suite has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trial {
    /// A tenth more.
    Slope,
    /// So many that the slope promises so many per cent; what comes out corrects their number once.
    Percent(i32),
}

impl Trial {
    /// What has to be tried before something of a kind is planted, in this order.
    pub(super) fn before(kind: Kind) -> Vec<Self> {
        match kind {
            Kind::Unchanged | Kind::Rebuilt | Kind::Every(_) => Vec::new(),
            Kind::Injected(percent) => vec![Self::Slope, Self::Percent(percent)],
        }
    }

    pub(super) fn folder(self, dir: &Path) -> PathBuf {
        dir.join("trials").join(match self {
            Self::Slope => "slope".to_owned(),
            Self::Percent(percent) => format!("injected{percent:+}"),
        })
    }
}

/// By how much the elements of each case grow in a trial.
pub(super) fn tried(setup: &Setup, dir: &Path, trial: Trial) -> Result<BTreeMap<String, f64>, Error> {
    match trial {
        Trial::Slope => Ok(there(setup, &CASES).into_iter().map(|case| (case, SLOPE)).collect()),
        Trial::Percent(percent) => {
            let first = tried(setup, dir, Trial::Slope)?;
            corrected(&first, &grown(&Trial::Slope.folder(dir))?, percent)
        }
    }
}

/// By how much the elements of each case grow in a suite.
pub(super) fn planted(setup: &Setup, dir: &Path, percent: i32) -> Result<BTreeMap<String, f64>, Error> {
    let trial = Trial::Percent(percent);
    corrected(&tried(setup, dir, trial)?, &grown(&trial.folder(dir))?, percent)
}

/// What the programs of injected cases are told: so many times the work.
pub(super) fn said(factors: &BTreeMap<String, f64>) -> BTreeMap<String, String> {
    factors
        .iter()
        .map(|(case, factor)| (case.clone(), format!("{factor:.5}")))
        .collect()
}

/// What they are told where one call in so many takes twice as long.
pub(super) fn every(setup: &Setup, calls: u32) -> BTreeMap<String, String> {
    there(setup, &CASES)
        .into_iter()
        .map(|case| (case, format!("every{calls}")))
        .collect()
}

/// The logarithms by which the times of a trial's cases grew.
fn grown(folder: &Path) -> Result<BTreeMap<String, f64>, Error> {
    let windows = windows(folder)?;
    let mut names: Vec<String> = windows.iter().map(|window| window.case.clone()).collect();
    names.sort();
    names.dedup();
    let grown = |case: bench_gate::assess::Case| {
        let three = case.blocks.iter().map(|block| block.three(Statistic::Fast));
        let heads: Vec<f64> = three
            .map(|of| of[HEAD] - f64::midpoint(of[BASE], of[CONTROL]))
            .collect();
        (!heads.is_empty()).then(|| (case.name.clone(), median(&heads)))
    };
    Ok(record::cases(&names, &windows).into_iter().filter_map(grown).collect())
}

/// The factors by which times would grow by so many per cent, if they did by `grown` with the factors `tried`.
fn corrected(
    tried: &BTreeMap<String, f64>,
    grown: &BTreeMap<String, f64>,
    percent: i32,
) -> Result<BTreeMap<String, f64>, Error> {
    let wanted = (f64::from(percent) / 100.0).ln_1p();
    let mut factors = BTreeMap::new();
    for (case, tried) in tried {
        let share = grown.get(case).map_or(f64::NAN, |grown| grown / tried.ln());
        if (LEAST_SHARE..=1.0 / LEAST_SHARE).contains(&share) {
            factors.insert(case.clone(), (wanted / share).exp());
        } else {
            console::warning(&format!(
                "{case} is not planted in: with {:+.1} % more elements its time changed by {:+.1} %",
                100.0 * (tried - 1.0),
                100.0 * (share * tried.ln()).exp_m1()
            ));
        }
    }
    if factors.is_empty() {
        return Err(Error::Failed(
            "no case is slower with more elements; nothing can be planted".to_owned(),
        ));
    }
    Ok(factors)
}

/// Those of some cases that this machine has.
pub(super) fn there(setup: &Setup, cases: &[&str]) -> Vec<String> {
    let is_there = |case: &&&str| {
        case.split('/')
            .nth(1)
            .is_some_and(|b| setup.backends.iter().any(|there| there == b))
    };
    cases.iter().filter(is_there).map(|case| (*case).to_owned()).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::cmd::validate_gate::TARGETS;

    /// All trials of a validation.
    pub(in super::super) fn all() -> Vec<Trial> {
        let kinds = TARGETS.iter().map(|(kind, _)| *kind);
        let trials = kinds.flat_map(Trial::before).filter(|trial| *trial != Trial::Slope);
        std::iter::once(Trial::Slope).chain(trials).collect()
    }

    fn map(case: &str, value: f64) -> BTreeMap<String, f64> {
        BTreeMap::from([(case.to_owned(), value)])
    }

    #[test]
    fn a_trial_corrects_the_elements_that_are_added() {
        let check = |tried: f64, grown: f64, percent: i32, expected: f64| {
            let factors = corrected(&map("a", tried), &map("a", grown.ln_1p()), percent).unwrap();
            assert!((factors["a"] - expected).abs() < 5e-5, "{factors:?}");
        };
        // Half of the time grows: √1.1.
        check(1.10, 0.048_809, 5, 1.05 * 1.05);
        check(1.10, 0.10, 5, 1.05);
        // A trial that came out at +1.5 % instead of 3: twice the elements, in logarithms.
        check(1.03, 0.014_889, 3, 1.03 * 1.03);
        check(0.95, -0.05, -5, 0.95);
    }

    #[test]
    fn what_does_not_grow_is_not_planted_in() {
        for grown in [0.0, -0.05, 0.01, 0.9] {
            let error = corrected(&map("a", 1.10), &map("a", grown), 3).unwrap_err();
            assert!(error.to_string().contains("nothing can be planted"), "{error}");
        }
        let both: BTreeMap<String, f64> = [map("a", 1.10), map("b", 1.10)].into_iter().flatten().collect();
        assert_eq!(
            corrected(&both, &map("b", 0.09), 3).unwrap().len(),
            1,
            "a was not measured"
        );
    }

    #[test]
    fn every_percentage_has_a_trial_in_a_folder_of_its_own() {
        let folders: Vec<PathBuf> = all().into_iter().map(|trial| trial.folder(Path::new(""))).collect();
        let names = [
            "slope",
            "injected+1",
            "injected+3",
            "injected+5",
            "injected+10",
            "injected-5",
        ];
        assert_eq!(folders, names.map(|name| Path::new("trials").join(name)));
    }
}
