//! Finds how tasks reach an adapter fastest: by trying, once, and keeping what was found.

use std::{
    sync::Mutex,
    time::{Duration, Instant},
};

use super::{device::lock, engine::Engine};
use crate::{
    adapter::AdapterInfo,
    error::Error,
    host::{self, reserve},
    op::VectorAdd,
    options::Options,
    store::Store,
    tuning::{Overrides, Transfer, Tuning},
    work::{Filled, Inputs},
};

/// Calibrations made by this process, in case they cannot be stored.
static MADE: Mutex<Vec<(AdapterInfo, Tuning)>> = Mutex::new(Vec::new());

/// Tunes a new engine: as the options say, else as stored for the adapter, else as calibrated now; in the latter two the
/// environment has the last word.
pub(super) fn tune(engine: &mut Engine, info: &AdapterInfo, options: &Options, store: &Store) -> Result<(), Error> {
    if let Some(tuning) = options.tuning {
        engine.tune(tuning);
        return Ok(());
    }
    let overrides = Overrides::from_env()?;
    let made = |(adapter, tuning): &(AdapterInfo, Tuning)| (adapter == info).then_some(*tuning);
    let mut tuning = if overrides.is_complete() {
        Tuning::plain(Transfer::STAGED)
    } else if let Some(tuning) = lock(&MADE).iter().find_map(made).or_else(|| store.tuning(info)) {
        tuning
    } else {
        let tuning = calibrate(engine)?;
        store.keep_tuning(info, tuning);
        lock(&MADE).push((info.clone(), tuning));
        tuning
    };
    overrides.apply(&mut tuning);
    engine.tune(tuning);
    Ok(())
}

/// Elements of the tasks tried, one of each size that has ways of its own.
const SIZES: [usize; 3] = [256, 1 << 16, 1 << 20];

/// Elements of the task that is tried in chunks: far more than a processor's cache holds.
const LONG: usize = 1 << 22;

/// Sizes of chunks tried.
const CHUNKS: [u64; 4] = [8 << 20, 4 << 20, 1 << 20, 256 << 10];

/// How much faster something must be than what is simpler: what is found should not hang on the machine's mood.
const MARGIN: f64 = 0.9;

/// Tries what there is to choose from, with additions: where the operator does nothing, only transfers count.
fn calibrate(engine: &mut Engine) -> Result<Tuning, Error> {
    let mut trial = Trial {
        ones: reserve(LONG)?,
        sums: reserve(LONG)?,
        engine,
    };
    trial.ones.resize(LONG, 1.0);
    trial.sums.resize(LONG, 0.0);

    let mut best = Tuning::plain(if trial.engine.device.shares_buffers() {
        Transfer::DIRECT
    } else {
        Transfer::STAGED
    });
    let asleep = trial.time(SIZES[0], best)?;
    let looking = Tuning { spin_us: 1000, ..best };
    if trial.time(SIZES[0], looking)? < asleep.mul_f64(MARGIN) {
        // Long enough for a call like this one; a longer one gains little by it.
        best.spin_us = u64::try_from(asleep.as_micros() * 2).unwrap_or(0).clamp(50, 1000);
    }
    if host::threads() > 1 {
        for size in SIZES.into_iter().rev().take(2) {
            let threads_from_bytes = (size * size_of::<f32>()) as u64;
            let threaded = Tuning {
                threads_from_bytes,
                ..best
            };
            if trial.time(size, threaded)? >= trial.time(size, best)?.mul_f64(MARGIN) {
                break;
            }
            best = threaded;
        }
    }
    if trial.engine.device.shares_buffers() {
        for (index, size) in SIZES.into_iter().enumerate() {
            best = trial.best(size, best, Transfer::ALL, |tuning, transfer| {
                *tuning.transfers()[index] = transfer;
            })?;
        }
    }
    best = trial.best(LONG, best, CHUNKS, |tuning, bytes| tuning.chunk_bytes = bytes)?;
    trial.engine.drop_idle();
    Ok(best)
}

struct Trial<'e> {
    engine: &'e mut Engine,
    ones: Vec<f32>,
    sums: Vec<f32>,
}

impl Trial<'_> {
    /// The best of some settings, or `tuning` itself if none is clearly faster.
    fn best<V>(
        &mut self,
        size: usize,
        tuning: Tuning,
        values: impl IntoIterator<Item = V>,
        set: impl Fn(&mut Tuning, V),
    ) -> Result<Tuning, Error> {
        let mut best = tuning;
        let mut fastest = self.time(size, tuning)?.mul_f64(MARGIN);
        for value in values {
            let mut other = tuning;
            set(&mut other, value);
            let time = if other == tuning {
                continue;
            } else {
                self.time(size, other)?
            };
            if time < fastest {
                (best, fastest) = (other, time);
            }
        }
        Ok(best)
    }

    /// The time of the fastest of some calls.
    fn time(&mut self, size: usize, tuning: Tuning) -> Result<Duration, Error> {
        const MOST: Duration = Duration::from_millis(10);
        self.engine.tune(tuning);
        let task = [VectorAdd {
            a: &self.ones[..size],
            b: &self.ones[..size],
        }];
        let inputs = Inputs {
            tasks: &task,
            lengths: &[size],
        };
        let mut fastest = Duration::MAX;
        let begin = Instant::now();
        let mut calls = 0;
        // The first call makes the buffers.
        while calls < 4 || (calls < 200 && begin.elapsed() < MOST) {
            let mut sink = Filled {
                rest: &mut self.sums[..size],
            };
            let start = Instant::now();
            self.engine.run(&[&inputs], &mut [&mut sink], None)?;
            if calls > 0 {
                fastest = fastest.min(start.elapsed());
            }
            calls += 1;
        }
        Ok(fastest)
    }
}
