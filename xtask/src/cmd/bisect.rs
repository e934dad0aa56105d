//! `cargo xtask bisect`: finds the commit that made a case slower, or changed its calls into wgpu, with the statistics of `ab`.

use std::{collections::BTreeMap, path::Path};

use bench_gate::assess::Assessment;

use crate::{
    ab::report::{Plan, Side},
    cmd::ab,
    error::Error,
    exit::Exit,
    files,
    fingerprint::SCHEMA,
    host::{
        adapters::{self, Listing},
        affinity, build, console, interrupt,
        lock::Lock,
        revision::Project,
        turns::{PATIENCE, Turns},
        workspace,
    },
    verdict::Verdict,
};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cargo xtask bisect v1.0 HEAD vector_add/vulkan/20000

Every comparison is one with GOOD, in fresh processes that take turns; commits that do not build are passed over.
The commit found is compared with the one before it as well.

Exit codes: 0 found, or there is nothing to find; 1 the tool failed, 2 usage, 4 it cannot be told.")]
pub(crate) struct Flags {
    /// Commit before the change
    good: String,
    /// Commit after it
    bad: String,
    /// The case, as reports name it
    case: String,
    #[command(flatten)]
    source: ab::Source,
    /// Seed of the random order [default: another one each time]
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
}

/// What is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    Slower,
    Counters,
}

impl Change {
    /// Whether a comparison with the good commit shows it, as that of `bad` did; `None` if that cannot be told. One that is slower by
    /// less than half of it is another change, and one that passes may well have become slower: only one that cannot have half of it is good.
    fn is_in(self, assessment: &Assessment, bad: &Assessment) -> Option<bool> {
        match (self, assessment.verdict) {
            (_, Verdict::NotMeasured) => None,
            (Self::Counters, _) => Some(assessment.counters.is_some()),
            (Self::Slower, Verdict::Slower | Verdict::Pass | Verdict::Faster | Verdict::Inconclusive) => {
                let half = bad.deciding()?.change_percent / 2.0;
                // The statistic that the change was found in.
                let figures = assessment
                    .figures
                    .iter()
                    .find(|figures| figures.statistic == bad.statistic)?;
                if assessment.verdict == Verdict::Slower && figures.change_percent >= half {
                    return Some(true);
                }
                (figures.high_percent < half).then_some(false)
            }
            (Self::Slower, _) => None,
        }
    }
}

pub(crate) fn run(flags: &Flags) -> Result<Exit, Error> {
    let _lock = Lock::take(&workspace::runs())?;
    interrupt::note();
    let project = ab::project(&flags.source)?;
    project.tidy()?;
    let good = project.resolve(&flags.good)?;
    let bad = project.resolve(&flags.bad)?;
    let commits = project.commits_between(&good, &bad)?;
    if commits.is_empty() {
        return Err(Error::Usage(format!(
            "no commit lies between {} and {}",
            flags.good, flags.bad
        )));
    }
    let (listing, tuning) = if project.is_own {
        let program = build::listing()?;
        let listing = adapters::list(&program)?;
        let tuning = ab::tuning(&program, &listing, affinity::is_possible())?;
        (Some(listing), tuning)
    } else {
        (None, BTreeMap::new())
    };
    let bench = Bench {
        listing,
        tuning,
        base: project.side(&flags.good)?,
        flags,
        seed: flags.seed.unwrap_or_else(ab::seed),
    };
    console::status("Bisecting", &format!("{} commits, seed {}", commits.len(), bench.seed));
    let assessment = bench.compare(&project, &bench.base, &bad)?;
    let change = if assessment.verdict == Verdict::Slower {
        Change::Slower
    } else if assessment.counters.is_some() {
        Change::Counters
    } else {
        console::result(&format!(
            "{}: {} is neither slower than {} nor does it call wgpu otherwise: {}\n",
            flags.case,
            flags.bad,
            flags.good,
            assessment.verdict.word()
        ));
        return Ok(match assessment.verdict {
            Verdict::Pass | Verdict::Faster => Exit::Pass,
            _ => Exit::Inconclusive,
        });
    };
    let mut culprit = assessment.clone();
    let last = assessment;
    let found = search(&commits, |index| {
        let assessment = match bench.compare(&project, &bench.base, &commits[index]) {
            Ok(assessment) => assessment,
            // A commit that does not build, or lacks the case, says nothing.
            Err(error) if !interrupt::is_noted() => {
                console::warning(&error.to_string());
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let answer = change.is_in(&assessment, &last);
        console::status(
            "Judged",
            &format!("{}: {}", &commits[index][..12], assessment.verdict.word()),
        );
        if answer == Some(true) {
            culprit = assessment;
        }
        Ok(answer)
    })?;
    let suspects = &commits[found.0..=found.1];
    // The first commit's parent is what it was compared with already.
    let mut against = flags.good.clone();
    let mut step = Some(true);
    if let ([suspect], Some(before)) = (suspects, found.0.checked_sub(1).map(|index| &commits[index])) {
        before[..12].clone_into(&mut against);
        culprit = bench.compare(&project, &project.side(before)?, suspect)?;
        step = change.is_in(&culprit, &last);
    }
    let mut text = String::new();
    for commit in suspects {
        text.push_str(&format!("{} {}\n", &commit[..12], project.subject(commit)));
    }
    let what = match (
        change,
        culprit.deciding().map(|figures| figures.change_percent),
        &culprit.counters,
    ) {
        (Change::Slower, Some(percent), _) => format!("{percent:+.1} %"),
        (_, _, counters) => counters.clone().unwrap_or_default(),
    };
    let which = match (suspects.len(), step) {
        (1, Some(true)) => "the first commit with it is",
        (1, Some(false)) => "it came in more than one commit, and half of it is there from this one on",
        (1, None) => "it is there from this commit on, which cannot be told from the one before",
        _ => "it is one of these, which cannot be told apart",
    };
    console::result(&format!("{}: {what} against {against}; {which}\n{text}", flags.case));
    if change == Change::Slower && step == Some(true) {
        if let Some(counters) = &culprit.counters {
            console::result(&format!("calls into wgpu changed: {counters}\n"));
        }
        for phase in &culprit.phases {
            console::result(&format!("{}: {:+.1} %\n", phase.name, phase.change_percent));
        }
    }
    Ok(if suspects.len() == 1 && step == Some(true) {
        Exit::Pass
    } else {
        Exit::Inconclusive
    })
}

/// Comparisons of one case with one commit.
struct Bench<'a> {
    listing: Option<Listing>,
    tuning: BTreeMap<String, String>,
    base: Side,
    flags: &'a Flags,
    seed: u64,
}

impl Bench<'_> {
    fn compare(&self, project: &Project, base: &Side, commit: &str) -> Result<Assessment, Error> {
        let head = project.side(commit)?;
        let case = &self.flags.case;
        let mut environment = BTreeMap::new();
        if self.listing.is_some() {
            let [Some(op), Some(backend), Some(size)] = [0, 1, 2].map(|part| case.split('/').nth(part)) else {
                return Err(Error::Usage(format!(
                    "`{case}` is no case; write `vector_add/vulkan/20000`"
                )));
            };
            environment.insert("GPU_EXECUTOR_BACKENDS".to_owned(), backend.to_owned());
            environment.insert("GPU_EXECUTOR_BENCH_SIZES".to_owned(), size.to_owned());
            environment.insert("GPU_EXECUTOR_BENCH_OPS".to_owned(), op.to_owned());
        }
        let started = jiff::Timestamp::now().strftime("%Y-%m-%dT%H-%M-%SZ").to_string();
        let folder = files::free(&project.store.join(format!("{started}-{}", &commit[..12])));
        let (_, serving) = ab::common([base, &head], std::slice::from_ref(case), &environment, &folder)?;
        let plan = Plan {
            schema: SCHEMA,
            started,
            command: format!("cargo xtask bisect {} {} {case}", self.flags.good, self.flags.bad),
            base: base.clone(),
            head,
            cases: vec![case.clone()],
            seed: self.seed,
            binding: (!affinity::is_possible()).then_some(bench_gate::binding::Binding::Free),
            tuning: self.tuning.clone(),
            serving,
        };
        self.measure(&plan, &environment, &folder)
    }

    fn measure(&self, plan: &Plan, environment: &BTreeMap<String, String>, folder: &Path) -> Result<Assessment, Error> {
        files::write(&folder.join("plan.json"), files::json(plan).as_bytes())?;
        let finished = Turns {
            plan,
            environment: [environment, environment],
            is_software: &|backend| ab::is_software(self.listing.as_ref(), backend),
            accepted: &[],
            folder,
            patience: PATIENCE,
            how_to_go_on: "",
            deadline: None,
        }
        .run()?;
        Ok(finished.assessments.into_iter().next().expect("one case was compared"))
    }
}

/// The first and the last of the commits that can be the one: `is_bad` says of a commit whether it has the change, or that it cannot be
/// told. The last commit is known to have it.
fn search(
    commits: &[String],
    mut is_bad: impl FnMut(usize) -> Result<Option<bool>, Error>,
) -> Result<(usize, usize), Error> {
    // Everything before `first` is good, `last` is bad; between them are those of which nothing is known.
    let (mut first, mut last) = (0, commits.len() - 1);
    let mut silent = vec![false; commits.len()];
    loop {
        let unknown: Vec<usize> = (first..last).filter(|&index| !silent[index]).collect();
        let Some(&middle) = unknown.get(unknown.len() / 2) else {
            return Ok((first, last));
        };
        match is_bad(middle)? {
            Some(true) => last = middle,
            Some(false) => first = middle + 1,
            None => silent[middle] = true,
        }
    }
}

#[cfg(test)]
mod tests {
    use bench_gate::assess::{Figures, Statistic};

    use super::*;

    #[test]
    fn a_case_that_passes_is_good_only_if_it_cannot_have_half_of_the_change() {
        let assessment = |verdict, change_percent, high_percent| Assessment {
            case: "o".to_owned(),
            verdict,
            statistic: Statistic::Fast,
            blocks: 16,
            figures: vec![Figures {
                statistic: Statistic::Fast,
                base_ns: 100.0,
                head_ns: 100.0 + change_percent,
                change_percent,
                low_percent: change_percent - 1.0,
                high_percent,
                p_adjusted: 0.5,
                control_percent: 0.0,
                deviation_percent: 1.0,
                floor_percent: 1.0,
                bound_percent: Some(5.0),
                detectable_percent: 2.0,
            }],
            settle: None,
            accepted: None,
            counters: None,
            phases: Vec::new(),
            note: None,
        };
        let bad = assessment(Verdict::Slower, 6.0, 7.0);
        let bisected = |verdict, change, high, expected| {
            let found = Change::Slower.is_in(&assessment(verdict, change, high), &bad);
            assert_eq!(found, expected, "{verdict:?} {change} {high}");
        };
        let check = |verdict, high, expected| bisected(verdict, 0.0, high, expected);
        check(Verdict::Pass, 2.9, Some(false));
        check(Verdict::Pass, 3.1, None);
        check(Verdict::Faster, -1.0, Some(false));
        check(Verdict::Inconclusive, 1.0, Some(false));
        check(Verdict::Inconclusive, 5.0, None);
        check(Verdict::Noisy, 1.0, None);
        bisected(Verdict::Slower, 3.0, 4.0, Some(true));
        // A smaller step before it is not what is looked for.
        bisected(Verdict::Slower, 2.0, 2.9, Some(false));
        bisected(Verdict::Slower, 2.5, 3.5, None);
    }

    #[test]
    fn the_first_bad_commit_is_found_and_silent_ones_are_passed_over() {
        let commits: Vec<String> = (0..20).map(|n| n.to_string()).collect();
        let check = |culprit: usize, silent: &[usize], expected: (usize, usize)| {
            let mut asked = 0;
            let found = search(&commits, |index| {
                asked += 1;
                Ok((!silent.contains(&index)).then_some(index >= culprit))
            });
            assert_eq!(found.unwrap(), expected, "culprit {culprit}, silent {silent:?}");
            assert!(asked <= 6 + silent.len(), "{asked} comparisons");
        };
        for culprit in 0..20 {
            check(culprit, &[], (culprit, culprit));
        }
        check(10, &[3, 5], (10, 10));
        check(10, &[9], (9, 10));
        check(10, &[8, 9, 10], (8, 11));
        check(0, &[0], (0, 1));
    }
}
