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
    op::VectorAdd,
    options::Options,
    store::Store,
    tuning::{Overrides, Transfer, Tuning, Way},
    work::{Appended, Inputs},
};

/// Calibrations made by this process, in case they cannot be stored.
static MADE: Mutex<Vec<(AdapterInfo, Tuning)>> = Mutex::new(Vec::new());

/// Tunes a new engine: as the options say, else as stored for the adapter, else as calibrated now; in the latter two the
/// environment has the last word.
pub(super) fn tune(
    engine: &mut Engine,
    info: &AdapterInfo,
    adapter: &wgpu::Adapter,
    options: &Options,
    store: &Store,
) -> Result<(), Error> {
    if let Some(tuning) = options.tuning {
        engine.tune(tuning);
        return Ok(());
    }
    let overrides = Overrides::from_env()?;
    let made = |(adapter, tuning): &(AdapterInfo, Tuning)| (adapter == info).then_some(*tuning);
    let mut tuning = if overrides.is_complete() {
        Tuning::plain(Transfer::STAGED)
    } else if let Some(tuning) = store.tuning(info) {
        tuning
    } else {
        let known = lock(&MADE).iter().find_map(made);
        let tuning = match known {
            Some(tuning) => tuning,
            // It is kept for executors of all options, whatever this one's are.
            None => {
                let options = Options {
                    cache_dir: options.cache_dir.clone(),
                    ..Options::default()
                };
                calibrate(&mut Engine::new(info, adapter, &options, store)?)?
            }
        };
        store.keep_tuning(info, tuning);
        if known.is_none() {
            lock(&MADE).push((info.clone(), tuning));
        }
        tuning
    };
    overrides.apply(&mut tuning);
    engine.tune(tuning);
    Ok(())
}

/// Elements of the tasks tried, one of each size that has ways of its own.
const SIZES: [usize; 3] = [256, 1 << 16, 1 << 20];

/// Elements of the tasks whose copies are tried with several threads, as long as these are faster.
const SHARED: [usize; 5] = [1 << 20, 1 << 18, 3 << 16, 1 << 17, 1 << 16];

/// Elements of the task that is tried in chunks: far more than a processor's cache holds.
const LONG: usize = 1 << 22;

/// Sizes of chunks tried; the first is no limit.
const CHUNKS: [u64; 4] = [u64::MAX, 4 << 20, 1 << 20, 256 << 10];

/// How long a calibration may take: what was not tried by then stays as simple as it was.
const BUDGET: Duration = Duration::from_millis(500);

/// How much faster something must be than what is simpler: what is found should not hang on the machine's mood.
const MARGIN: f64 = 0.9;

/// Tries what there is to choose from, with additions: where the operator does nothing, only transfers count.
fn calibrate(engine: &mut Engine) -> Result<Tuning, Error> {
    let mut trial = Trial {
        until: Instant::now() + BUDGET,
        ones: reserve(LONG)?,
        engine,
    };
    trial.ones.resize(LONG, 1.0);

    let mut best = Tuning::plain(if trial.engine.device.shares_buffers() {
        Transfer::DIRECT
    } else {
        Transfer::STAGED
    });
    let looking = Tuning { spin_us: 1000, ..best };
    let [asleep, awake] = trial.times(SIZES[0], [best, looking])?;
    if awake < asleep.mul_f64(MARGIN) {
        // Long enough for a call like this one; a longer one gains little by it.
        best.spin_us = u64::try_from(asleep.as_micros() * 2).unwrap_or(0).clamp(50, 1000);
    }
    if host::threads() > 1 {
        for size in SHARED {
            let threaded = Tuning {
                threads_from_bytes: (size * size_of::<f32>()) as u64,
                ..best
            };
            let [alone, helped] = trial.times(size, [best, threaded])?;
            if helped >= alone.mul_f64(MARGIN) {
                break;
            }
            best = threaded;
        }
    }
    if trial.engine.device.shares_buffers() {
        for (index, size) in SIZES.into_iter().enumerate() {
            let candidates = Transfer::ALL.map(|transfer| {
                let mut candidate = best;
                *candidate.transfers()[index] = transfer;
                candidate
            });
            best = trial.best(size, candidates)?;
        }
    }
    let candidates = CHUNKS.map(|chunk_bytes| Tuning { chunk_bytes, ..best });
    best = trial.best(LONG, candidates)?;
    if trial.engine.device.shares_buffers() {
        // In chunks the device's copies take no time of the host's, and the host writes its own memory faster.
        let in_chunks = |upload| Tuning {
            large: Transfer { upload, ..best.large },
            chunk_bytes: CHUNKS[1],
            ..best
        };
        best = trial.best(LONG, [best, in_chunks(Way::Staged)])?;
    }
    trial.engine.drop_idle();
    Ok(best)
}

struct Trial<'e> {
    engine: &'e mut Engine,
    until: Instant,
    ones: Vec<f32>,
}

impl Trial<'_> {
    /// The best of some candidates, or the first, which is the simplest, if none is clearly faster.
    fn best<const N: usize>(&mut self, size: usize, candidates: [Tuning; N]) -> Result<Tuning, Error> {
        let times = self.times(size, candidates)?;
        let mut best = (candidates[0], times[0].mul_f64(MARGIN));
        for (candidate, time) in candidates.into_iter().zip(times).skip(1) {
            if time < best.1 {
                best = (candidate, time);
            }
        }
        Ok(best.0)
    }

    /// The median time of each candidate's calls, or the same for all if there is no time for three of each. They take
    /// turns, so that a neighbour on the machine disturbs all.
    fn times<const N: usize>(&mut self, size: usize, candidates: [Tuning; N]) -> Result<[Duration; N], Error> {
        const MOST: Duration = Duration::from_millis(30);
        let mut times = [(); N].map(|()| Vec::new());
        let begin = Instant::now();
        'rounds: while times[0].len() < 5 || (times[0].len() < 300 && begin.elapsed() < MOST) {
            for (candidate, times) in candidates.into_iter().zip(&mut times) {
                self.engine.tune(candidate);
                if times.is_empty() || size < LONG {
                    // The first call makes the buffers, or warms the caches; what is long does not stay in them.
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
            return Ok([Duration::ZERO; N]);
        }
        Ok(times.map(|mut times| {
            times.truncate(rounds);
            times.sort_unstable();
            times[times.len() / 2]
        }))
    }

    fn call(&mut self, size: usize) -> Result<(), Error> {
        let task = [VectorAdd {
            a: &self.ones[..size],
            // Other memory, as most calls have, unless there is no more.
            b: &self.ones[LONG - size..],
        }];
        let inputs = Inputs {
            tasks: &task,
            lengths: &[size],
        };
        // A fresh vector, as most calls have: its page faults are part of what there is to choose by.
        let mut sink = Appended::<f32>::new(&[size])?;
        self.engine.run(&[&inputs], &mut [&mut sink], None)
    }
}
