//! Finds how tasks reach an adapter fastest: by trying, once, and keeping what was found.

use std::{
    sync::Mutex,
    time::{Duration, Instant},
};

use super::{engine::Engine, faults::lock};
use crate::{
    adapter::AdapterInfo,
    error::Error,
    host::{self, reserve},
    options::Options,
    store::Store,
    task::{Appended, Batch, Cost, Kernel, Task},
    tuning::{Overrides, Transfer, TransferMode, Tuning},
};

/// Calibrations made by this process, in case they cannot be stored: one is enough for it, whether
/// it came to its end or not.
static MADE: Mutex<Vec<(AdapterInfo, (Tuning, usize))>> = Mutex::new(Vec::new());

/// Knows how an engine is to be tuned.
#[derive(Debug)]
pub(super) struct Tuner {
    info: AdapterInfo,
    flags: String,
    store: Store,
    tuning: Option<Tuning>,
    overrides: Option<String>,
    budget: Duration,
}

impl Tuner {
    pub(super) fn new(info: &AdapterInfo, flags: &str, options: &Options) -> Self {
        Self {
            info: info.clone(),
            flags: flags.to_owned(),
            store: Store::new(options.cache_dir.as_deref()),
            tuning: options.tuning,
            overrides: options.overrides.clone(),
            budget: options.tuning_budget,
        }
    }

    pub(super) fn store(&self) -> &Store {
        &self.store
    }

    fn overrides(&self) -> Result<Overrides, Error> {
        self.overrides.as_deref().map_or(Ok(Overrides::default()), str::parse)
    }

    /// The settings that need no file and no device: those of the options or the environment.
    pub(super) fn given(&self) -> Result<Option<Tuning>, Error> {
        if self.tuning.is_some() {
            return Ok(self.tuning);
        }
        let overrides = self.overrides()?;
        Ok(overrides.is_complete().then(|| {
            let mut tuning = Tuning::plain(Transfer::STAGED);
            overrides.apply(&mut tuning);
            tuning
        }))
    }

    /// As stored for the adapter, else as measured now; what the environment sets goes before that.
    pub(super) fn find(&self, engine: &Engine) -> Result<Tuning, Error> {
        let overrides = self.overrides()?;
        let mut tuning = self.stored_or_measured(engine)?;
        overrides.apply(&mut tuning);
        Ok(tuning)
    }

    fn stored_or_measured(&self, engine: &Engine) -> Result<Tuning, Error> {
        let Self { info, flags, store, .. } = self;
        let made = |(adapter, made): &(AdapterInfo, (Tuning, usize))| (adapter == info).then_some(*made);
        let stored = store.tuning(info, flags);
        // Another process may have gone on with one that was cut short in this.
        let here = lock(&MADE).iter().find_map(made);
        let whole = stored.filter(|(_, steps)| *steps >= STEPS.len());
        let known = whole
            .filter(|_| here.is_none_or(|(_, steps)| steps < STEPS.len()))
            .or(here);
        let (tuning, steps) = match known {
            Some(known) => known,
            None if self.budget.is_zero() => return Ok(engine.simplest()),
            // It is kept for executors of all options, whatever this one's are.
            None => {
                let begin = Instant::now();
                let budget = self.budget;
                log::info!("finding how tasks reach {} fastest, in {budget:?} at most", info.name);
                let made = calibrate(&mut engine.twin(), stored, budget)?;
                log::info!("{} is tuned, after {:.1?}: {}", info.name, begin.elapsed(), made.0);
                lock(&MADE).push((info.clone(), made));
                made
            }
        };
        if stored.is_none_or(|(kept, far)| far <= steps && (kept, far) != (tuning, steps)) {
            store.keep_tuning(info, flags, tuning, steps);
        }
        Ok(tuning)
    }
}

/// Elements of the tasks tried, one of each size that has modes of its own.
const SIZES: [usize; 3] = [256, 1 << 16, 1 << 20];

/// Elements of the tasks whose copies are tried with several threads, as long as these are faster.
const SHARED: [usize; 5] = [1 << 20, 1 << 18, 3 << 16, 1 << 17, 1 << 16];

/// Elements of the task that is tried in chunks: far more than a processor's cache holds.
const LONG: usize = 1 << 22;

/// Sizes of chunks tried; the first is no limit.
const CHUNKS: [u64; 4] = [u64::MAX, 4 << 20, 1 << 20, 256 << 10];

/// How many times as fast a candidate must be as a simpler one: the result should not depend on
/// noise.
const MARGIN: f64 = 0.9;

/// The settings that are tried, one after the other, each with the best of those before it.
const STEPS: [Step; 7] = [
    |trial, best| trial.look(best),
    |trial, best| trial.share(best),
    |trial, best| trial.modes(0, best),
    |trial, best| trial.modes(1, best),
    |trial, best| trial.modes(2, best),
    |trial, best| trial.best(LONG, CHUNKS.map(|chunk_bytes| Tuning { chunk_bytes, ..best })),
    |trial, best| trial.chunks_staged(best),
];

/// The best there is, or `None` if there was no time to find it.
type Step = fn(&mut Trial<'_>, Tuning) -> Result<Option<Tuning>, Error>;

/// Tries what there is to choose from, with additions: where the operator does nothing, only
/// transfers count. Goes on from where an earlier calibration was cut short, and says how far it
/// came. What was not tried within the budget stays as simple as it was, until the next process
/// goes on with it.
fn calibrate(
    engine: &mut Engine,
    earlier: Option<(Tuning, usize)>,
    budget: Duration,
) -> Result<(Tuning, usize), Error> {
    let simplest = engine.simplest();
    let (mut best, first) = earlier.unwrap_or((simplest, 0));
    let mut trial = Trial {
        until: Instant::now(),
        ones: reserve(LONG)?,
        engine,
    };
    trial.ones.resize(LONG, 1.0);
    // What makes the pipeline takes as long as the driver likes, and is no part of the trial.
    trial.engine.retune(best);
    trial.call(SIZES[0])?;
    trial.until = Instant::now() + budget;
    let mut made = first;
    for step in STEPS.iter().skip(first) {
        match step(&mut trial, best)? {
            Some(better) => best = better,
            // For one alone all the time was not enough: nor would it be the next time.
            None if made == first => {}
            None => break,
        }
        made += 1;
    }
    trial.engine.drop_idle();
    Ok((best, made))
}

/// Additions: where the operator does nothing, only transfers count.
#[derive(Clone, Copy, Debug)]
struct Addition<'a>(&'a [f32], &'a [f32]);

impl Task for Addition<'_> {
    const KERNEL: Kernel = Kernel::new("transfer", include_str!("../../shaders/vector_add.wgsl"))
        .elements_per_thread(4)
        .cost(Cost { element: 1, word: 0 });
    type Inputs = (f32, f32);
    type Parameters = ();
    type Item = f32;

    fn inputs(&self) -> (&[f32], &[f32]) {
        (self.0, self.1)
    }

    fn compute((a, b): (&[f32], &[f32]), (): (), output: &mut [f32]) {
        for ((to, a), b) in output.iter_mut().zip(a).zip(b) {
            *to = a + b;
        }
    }
}

struct Trial<'e> {
    engine: &'e mut Engine,
    until: Instant,
    ones: Vec<f32>,
}

impl Trial<'_> {
    /// Whether the host looks for the end of a call, or sleeps.
    fn look(&mut self, best: Tuning) -> Result<Option<Tuning>, Error> {
        let looking = Tuning { spin_us: 1000, ..best };
        let Some([asleep, awake]) = self.times(SIZES[0], [best, looking])? else {
            return Ok(None);
        };
        // Long enough for a call like this one; a longer one gains little by it.
        let spin_us = u64::try_from(asleep.as_micros() * 2).unwrap_or(0).clamp(50, 1000);
        let is_better = awake < asleep.mul_f64(MARGIN);
        Ok(Some(if is_better { Tuning { spin_us, ..best } } else { best }))
    }

    /// From which size on several threads copy.
    fn share(&mut self, mut best: Tuning) -> Result<Option<Tuning>, Error> {
        if host::threads() > 1 {
            for size in SHARED {
                let threaded = Tuning {
                    threads_from_bytes: (size * size_of::<f32>()) as u64,
                    ..best
                };
                let Some([alone, helped]) = self.times(size, [best, threaded])? else {
                    return Ok(None);
                };
                if helped >= alone.mul_f64(MARGIN) {
                    break;
                }
                best = threaded;
            }
        }
        Ok(Some(best))
    }

    /// The modes of tasks of the size of this number.
    fn modes(&mut self, index: usize, best: Tuning) -> Result<Option<Tuning>, Error> {
        if !self.engine.device.shares_buffers() {
            return Ok(Some(best));
        }
        let candidates = Transfer::ALL.map(|transfer| {
            let mut candidate = best;
            *candidate.transfers()[index] = transfer;
            candidate
        });
        self.best(SIZES[index], candidates)
    }

    /// In chunks the device's copies take no time of the host's, and the host writes its own memory
    /// faster.
    fn chunks_staged(&mut self, best: Tuning) -> Result<Option<Tuning>, Error> {
        if !self.engine.device.shares_buffers() {
            return Ok(Some(best));
        }
        let in_chunks = Tuning {
            large: Transfer {
                upload: TransferMode::Staged,
                ..best.large
            },
            chunk_bytes: CHUNKS[1],
            ..best
        };
        self.best(LONG, [best, in_chunks])
    }

    /// The best of some candidates, or the first, which is the simplest, if none is clearly faster.
    fn best<const N: usize>(&mut self, size: usize, candidates: [Tuning; N]) -> Result<Option<Tuning>, Error> {
        let Some(times) = self.times(size, candidates)? else {
            return Ok(None);
        };
        let mut best = (candidates[0], times[0].mul_f64(MARGIN));
        for (candidate, time) in candidates.into_iter().zip(times).skip(1) {
            if time < best.1 {
                best = (candidate, time);
            }
        }
        Ok(Some(best.0))
    }

    /// The median time of each candidate's calls; `None` if there is no time for three of each.
    /// They alternate, so that a neighbour on the machine disturbs all.
    fn times<const N: usize>(&mut self, size: usize, candidates: [Tuning; N]) -> Result<Option<[Duration; N]>, Error> {
        const MOST: Duration = Duration::from_millis(30);
        let mut times = [(); N].map(|()| Vec::new());
        let begin = Instant::now();
        'rounds: while times[0].len() < 5 || (times[0].len() < 300 && begin.elapsed() < MOST) {
            for (candidate, times) in candidates.into_iter().zip(&mut times) {
                self.engine.retune(candidate);
                if times.is_empty() || size < LONG {
                    // The first call makes the buffers, or warms the caches; long inputs do not
                    // stay in them.
                    self.call(size)?;
                }
                if Instant::now() > self.until {
                    break 'rounds;
                }
                let start = Instant::now();
                self.call(size)?;
                times.push(start.elapsed());
            }
        }
        let rounds = times[N - 1].len();
        if rounds < 3 {
            return Ok(None);
        }
        Ok(Some(times.map(|mut times| {
            times.truncate(rounds);
            times.sort_unstable();
            times[times.len() / 2]
        })))
    }

    fn call(&mut self, size: usize) -> Result<(), Error> {
        // Other memory for each, as most calls have, unless there is no more.
        let task = [Addition(&self.ones[..size], &self.ones[LONG - size..])];
        let inputs = Batch {
            tasks: &task,
            lengths: &[size],
        };
        // A fresh vector, as most calls have: its page faults are part of what there is to choose
        // by.
        let mut sink = Appended::<f32>::new(&[size])?;
        self.engine.run(&[&inputs], &mut [&mut sink], None)
    }
}

#[cfg(test)]
mod tests {
    use super::{super::faults::Inside, *};
    use crate::{adapter::Adapter, executor::Executor};

    #[test]
    fn a_calibration_that_was_cut_short_is_gone_on_with() {
        let options = Options::default().tuning(Tuning::plain(Transfer::STAGED));
        let mut executor = Executor::on(&Adapter::noop().unwrap(), options).unwrap();
        let engine = executor.gpu_mut().unwrap().engine_mut();
        let _inside = Inside::enter();
        let whole = calibrate(engine, None, Duration::from_secs(60)).unwrap();
        assert_eq!(whole.1, STEPS.len());
        // Without time a step is left out, as it would not fit the next time either; but only one.
        let mut found = (
            Tuning {
                spin_us: 77,
                ..Tuning::plain(Transfer::DIRECT)
            },
            0,
        );
        for steps in 1..=3 {
            found = calibrate(engine, Some(found), Duration::ZERO).unwrap();
            assert_eq!((found.0.spin_us, found.1), (77, steps));
        }
        // What was found is kept, and the rest is tried.
        let (tuning, steps) = calibrate(engine, Some(found), Duration::from_secs(60)).unwrap();
        assert_eq!((tuning.spin_us, steps), (77, STEPS.len()));
        assert_eq!(calibrate(engine, Some(whole), Duration::ZERO).unwrap(), whole);
    }
}
