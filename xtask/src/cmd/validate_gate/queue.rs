//! Which suite is measured next, by however many lanes there are.

use std::{
    path::{Path, PathBuf},
    sync::Mutex,
    time::Instant,
};

use bench_gate::assess::validation::Kind;

use super::{TARGETS, is_finished, planting::Trial};

/// What a lane does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Job {
    /// Finds out how the time of planted cases grows with their elements.
    Trial(Trial),
    /// A suite of this kind, with its number from 1.
    Suite(Kind, usize),
}

/// Suites that are missing.
#[derive(Debug)]
pub(super) struct Queue<'a> {
    dir: &'a Path,
    /// Kinds that are asked for; none for all.
    kinds: &'a [Kind],
    deadline: Option<Instant>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// What lanes have taken, finished or not.
    taken: Vec<Job>,
    /// How many suites may still be taken.
    left: usize,
}

impl<'a> Queue<'a> {
    /// At most `suites` of what is missing in a folder, and nothing after the deadline.
    pub(super) fn new(dir: &'a Path, kinds: &'a [Kind], suites: Option<usize>, deadline: Option<Instant>) -> Self {
        Self {
            dir,
            kinds,
            deadline,
            state: Mutex::new(State {
                taken: Vec::new(),
                left: suites.unwrap_or(usize::MAX),
            }),
        }
    }

    /// What to measure next, which nobody else is given.
    pub(super) fn take(&self) -> Option<Job> {
        let mut state = self.state.lock().expect("nobody panics with it");
        if state.left == 0 || self.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            return None;
        }
        let job = next(self.dir, self.kinds, &state.taken)?;
        state.taken.push(job);
        state.left -= usize::from(matches!(job, Job::Suite(..)));
        Some(job)
    }

    /// Nobody is given anything any more.
    pub(super) fn close(&self) {
        self.state.lock().expect("nobody panics with it").left = 0;
    }
}

/// Folder of a suite.
pub(super) fn folder(dir: &Path, kind: Kind, number: usize) -> PathBuf {
    dir.join("suites").join(format!("{}-{number:03}", kind.name()))
}

/// A suite of the kind that lacks most, interrupted ones first; before planted ones, the trials they need.
fn next(dir: &Path, kinds: &[Kind], taken: &[Job]) -> Option<Job> {
    let is_open = |kind, number| !taken.contains(&Job::Suite(kind, number)) && !is_finished(&folder(dir, kind, number));
    let trial = |kind| {
        let mut trials = Trial::before(kind).into_iter();
        trials.find(|trial| !is_finished(&trial.folder(dir))).map(Job::Trial)
    };
    let candidate = |&(kind, target): &(Kind, usize)| {
        let trial = trial(kind);
        // Nobody can plant anything until the lane that tries it has found out.
        if trial.is_some_and(|trial| taken.contains(&trial)) {
            return None;
        }
        let open: Vec<usize> = (1..=target).filter(|&number| is_open(kind, number)).collect();
        let done = (target - open.len()) as f64 / target as f64;
        open.first()
            .map(|&number| (trial.unwrap_or(Job::Suite(kind, number)), done))
    };
    TARGETS
        .iter()
        .filter(|(kind, _)| kinds.is_empty() || kinds.contains(kind))
        .filter_map(candidate)
        .min_by(|(_, a), (_, b)| a.total_cmp(b))
        .map(|(job, _)| job)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::{cmd::validate_gate::planting, files};

    fn finish(dir: &Path, name: &str) {
        files::write(&dir.join(name).join("verdicts.json"), b"{}").unwrap();
    }

    #[test]
    fn the_kind_that_lacks_most_is_next_and_an_interrupted_suite_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        let next = || Queue::new(dir, &[], None, None).take();
        assert_eq!(next(), Some(Job::Suite(Kind::Unchanged, 1)));
        finish(dir, "suites/unchanged-001");
        assert_eq!(next(), Some(Job::Suite(Kind::Rebuilt, 1)));
        finish(dir, "suites/rebuilt-001");
        assert_eq!(next(), Some(Job::Trial(Trial::Slope)));
        finish(dir, "trials/slope");
        assert_eq!(next(), Some(Job::Trial(Trial::Percent(1))));
        finish(dir, "trials/injected+1");
        assert_eq!(next(), Some(Job::Suite(Kind::Injected(1), 1)));
        fs::create_dir_all(dir.join("suites/injected+1-001")).unwrap();
        assert_eq!(next(), Some(Job::Suite(Kind::Injected(1), 1)), "begun is not done");
        planting::tests::all()
            .into_iter()
            .for_each(|trial| finish(&trial.folder(dir), ""));
        for (kind, target) in TARGETS {
            let names = (1..=target).map(|number| folder(dir, kind, number));
            names.for_each(|name| finish(&name, ""));
        }
        assert_eq!(next(), None);
        fs::remove_dir_all(dir.join("suites/unchanged-002")).unwrap();
        assert_eq!(next(), Some(Job::Suite(Kind::Unchanged, 2)), "a gap is filled");
    }

    #[test]
    fn nobody_is_given_what_another_lane_has() {
        let dir = tempfile::tempdir().unwrap();
        let queue = Queue::new(dir.path(), &[], Some(5), None);
        let jobs: Vec<Job> = std::iter::from_fn(|| queue.take()).collect();
        let unchanged = |number| Job::Suite(Kind::Unchanged, number);
        let rebuilt = |number| Job::Suite(Kind::Rebuilt, number);
        // Nothing is planted while the slope is looked for, which is no suite.
        assert_eq!(
            jobs,
            [
                unchanged(1),
                rebuilt(1),
                Job::Trial(Trial::Slope),
                Job::Suite(Kind::Every(12), 1),
                unchanged(2),
                rebuilt(2)
            ]
        );
        let kinds = [Kind::Rebuilt];
        let queue = Queue::new(dir.path(), &kinds, Some(2), None);
        let jobs: Vec<Job> = std::iter::from_fn(|| queue.take()).collect();
        assert_eq!(jobs, [rebuilt(1), rebuilt(2)], "no other kind was asked for");
        planting::tests::all()
            .into_iter()
            .for_each(|trial| finish(&trial.folder(dir.path()), ""));
        let queue = Queue::new(dir.path(), &[], None, None);
        let mut jobs: Vec<String> = std::iter::from_fn(|| queue.take())
            .map(|job| format!("{job:?}"))
            .collect();
        assert_eq!(jobs.len(), TARGETS.iter().map(|(_, target)| target).sum::<usize>());
        jobs.sort();
        jobs.dedup();
        assert_eq!(jobs.len(), 106, "each once");
        let queue = Queue::new(dir.path(), &[], None, Some(Instant::now()));
        assert_eq!(queue.take(), None, "time is up");
        let queue = Queue::new(dir.path(), &[], None, None);
        queue.close();
        assert_eq!(queue.take(), None, "somebody met an error");
    }
}
