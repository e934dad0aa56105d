//! What calls took, against what was predicted of them.
//!
//! A calibration has the times of one state of the machine. A GPU's clocks follow its load, so that
//! the same short call takes two or three times as long between others; caches, memory and
//! neighbours change what a call takes as well. So calls that two devices compete for are timed,
//! and the predictions for similar calls are corrected.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use crate::{backend::Backend, task::Load};

/// The maximum number of remembered kinds of calls: this number of places of [`WAYS`] each. A newer
/// kind replaces an older one.
const SETS: usize = 1 << SET_BITS;
const SET_BITS: u32 = 7;
const WAYS: usize = 4;

/// Calls of a trial: the first finds threads asleep and caches cold, of the others the fastest
/// counts.
const TRIAL: u8 = 3;

/// A trial ends after its second call if that took this factor of the time on the fastest device.
const HOPELESS: f64 = 2.0;

/// A trial costs at most the time of all calls over this, and less each time that it is lost.
const TRIAL_PARTS: f64 = 50.0;

/// Calls at least before a device is tried for the first time; the second of two devices waits for
/// twice as many.
const FIRST_TRIAL: f64 = 10.0;

/// The first trial costs the time of the calls before it over this, if the device takes as long as
/// calibrated.
const FIRST_TRIAL_PARTS: f64 = 5.0;

/// The least number of calls before it is tried again; doubled for each lost trial, up to
/// [`MAX_LOST`] of these.
const NEXT_TRIAL: f64 = 25.0;
const MAX_LOST: u8 = 9;

/// Devices that calibration has as slower by up to this part of the fastest one's time are tried as
/// well: it may be off by as much.
const WORTH_A_TRY: f64 = 2.0;

/// Calls stay on a device until another is predicted to be faster by this factor: to change costs a
/// call or two on cold caches, and two that are as fast as each other would alternate.
pub(super) const HYSTERESIS: f64 = 1.05;

/// One call counts as this many times as long as predicted at the most, and as this part of it at
/// the least: it may have been disturbed.
const MAX_RATIO: f64 = 4.0;

/// What a device may be found to take of what was predicted, at the most; and one part in as many
/// at the least.
const MAX_FACTOR: f64 = 64.0;

/// Calls that are alike: of one operator, with as many items, of as many steps, in as many tasks,
/// to within a factor of two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kind(u32);

impl Kind {
    pub(super) fn of(operator: u32, load: &Load) -> Self {
        let depth = load.steps / load.items.max(1);
        let octaves = [load.items, depth.max(load.longest), load.tasks].map(|n| n.max(1).ilog2());
        Self(octaves.iter().fold(operator, |kind, octave| kind << 6 | octave))
    }
}

/// A call, as it was predicted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call {
    pub(super) kind: Kind,
    pub(super) backend: Backend,
    /// What it takes by calibration alone.
    pub(super) calibrated: Duration,
    /// If it is one of a trial: what the fastest device is predicted to take.
    pub(super) best: Option<Duration>,
}

/// A device that may do a call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate {
    pub(super) backend: Backend,
    /// How many times as long it takes as the one that is predicted to be the fastest, less one.
    pub(super) excess: f64,
    /// Whether calibration alone has it as faster than that.
    pub(super) is_calibrated: bool,
}

/// The feedback of one kind of calls on one device, in a word that is read and written as a whole.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Slot {
    /// What tells the kind and the device from others of the same place; not 0.
    tag: u16,
    /// Calls that went elsewhere since the device was last used, 14 bits.
    passed: u16,
    /// The time of calls over the calibrated time, once it is known.
    factor: Option<f64>,
    /// The same of the last call, if there was one.
    last: Option<f64>,
    /// Trials that it has lost since it was last the fastest.
    lost: u8,
    /// Calls of the trial that it is in.
    trial: u8,
}

impl Slot {
    const MAX_PASSED: u16 = (1 << 14) - 1;
    /// Stands for no ratio.
    const NONE: u64 = 1 << 13;
    /// Ratios are kept to one part in 1,500, from 1/256 to 256.
    const SCALE: f64 = 1024.0;

    fn new(tag: u16) -> Self {
        Self {
            tag,
            passed: 0,
            factor: None,
            last: None,
            lost: 0,
            trial: 0,
        }
    }

    fn read(word: u64) -> Self {
        let bits = |at: u32, count: u32| word >> at & ((1 << count) - 1);
        let ratio = |at| match bits(at, 14) {
            Self::NONE => None,
            log => Some((f64::from((log as i16) << 2 >> 2) / Self::SCALE).exp2()),
        };
        Self {
            tag: bits(0, 16) as u16,
            passed: bits(16, 14) as u16,
            factor: ratio(30),
            last: ratio(44),
            lost: bits(58, 4) as u8,
            trial: bits(62, 2) as u8,
        }
    }

    fn word(self) -> u64 {
        let ratio = |ratio: Option<f64>| {
            ratio.map_or(Self::NONE, |ratio| {
                let log = (ratio.log2() * Self::SCALE).round().clamp(-8191.0, 8191.0) as i16;
                u64::from(log as u16) & ((1 << 14) - 1)
            })
        };
        u64::from(self.tag)
            | u64::from(self.passed.min(Self::MAX_PASSED)) << 16
            | ratio(self.factor) << 30
            | ratio(self.last) << 44
            | u64::from(self.lost.min(15)) << 58
            | u64::from(self.trial.min(3)) << 62
    }

    /// Records the time of a call over the calibrated time.
    fn learn(&mut self, ratio: f64) {
        let is_first = self.passed > 0;
        self.passed = 0;
        let before = self.last.replace(ratio).filter(|_| !is_first);
        // Of two calls in a row the faster counts: one that was disturbed, or found threads asleep
        // and caches cold, does not.
        let Some(before) = before else { return };
        let old = self.factor.unwrap_or(1.0);
        let change = (ratio.min(before) / old).clamp(1.0 / MAX_RATIO, MAX_RATIO);
        // Half of the way, as ratios go. But nothing makes a call take less than it needs, and a
        // trial is over soon.
        let is_whole = change < 1.0 && (self.factor.is_none() || self.trial > 0);
        let step = if is_whole { change } else { change.sqrt() };
        self.factor = Some((old * step).clamp(1.0 / MAX_FACTOR, MAX_FACTOR));
    }

    /// Whether it is time for a trial of the candidate of this number.
    fn is_due(&self, candidate: &Candidate, number: u32) -> bool {
        if candidate.excess > WORTH_A_TRY && !candidate.is_calibrated {
            return false;
        }
        let cost = candidate.excess * f64::from(TRIAL);
        let wanted = match self.last {
            None => (cost * FIRST_TRIAL_PARTS).max(FIRST_TRIAL) * f64::from(number + 1),
            Some(_) => (cost * TRIAL_PARTS).max(NEXT_TRIAL) * f64::from(1_u32 << self.lost.min(MAX_LOST)),
        };
        f64::from(self.passed) >= wanted.min(f64::from(Self::MAX_PASSED))
    }
}

/// Each bit of the output depends on each of the input.
///
/// Source: A. Appleby, MurmurHash3's finalizer of 64 bits.
fn mixed(mut x: u64) -> u64 {
    x = (x ^ (x >> 33)).wrapping_mul(0xFF51_AFD7_ED55_8CCD);
    x = (x ^ (x >> 33)).wrapping_mul(0xC4CE_B9FE_1A85_EC53);
    x ^ (x >> 33)
}

/// The feedback of a kind of calls on a device.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Known {
    /// Their time over the calibrated time; 1 until something was learned.
    pub(super) factor: f64,
    /// Whether the last of them was done there, and not to try it.
    pub(super) is_there: bool,
}

/// Threads that write the same slot at once lose what one of them learned, and nothing else.
#[derive(Debug)]
pub(super) struct Feedback {
    slots: Box<[AtomicU64]>,
}

impl Default for Feedback {
    fn default() -> Self {
        Self {
            slots: (0..SETS * WAYS).map(|_| AtomicU64::new(0)).collect(),
        }
    }
}

impl Feedback {
    /// Where the slot of these calls is, and what it has: nothing, if it is another one's.
    fn slot(&self, kind: Kind, backend: Backend) -> (&AtomicU64, Slot) {
        let hash = mixed(u64::from(kind.0) << 3 | backend as u64);
        let set = usize::try_from(hash >> (64 - SET_BITS)).unwrap_or(0) * WAYS;
        let set = &self.slots[set..set + WAYS];
        let tag = ((hash >> 16) & 0xFFFF) as u16 | 1;
        let mut free = None;
        for place in set {
            let slot = Slot::read(place.load(Ordering::Relaxed));
            if slot.tag == tag {
                return (place, slot);
            }
            if slot.tag == 0 && free.is_none() {
                free = Some(place);
            }
        }
        (free.unwrap_or(&set[hash as usize % WAYS]), Slot::new(tag))
    }

    pub(super) fn known(&self, kind: Kind, backend: Backend) -> Known {
        let (_, slot) = self.slot(kind, backend);
        Known {
            factor: slot.factor.unwrap_or(1.0),
            is_there: slot.last.is_some() && slot.passed == 0 && slot.trial == 0,
        }
    }

    /// Takes note of a call. What was predicted may be of a time before other calls were learned
    /// from, so that only what calibration has counts.
    pub(super) fn learn(&self, call: &Call, took: Duration) {
        let (place, mut slot) = self.slot(call.kind, call.backend);
        let calibrated = call.calibrated.as_secs_f64().max(1e-9);
        if call.best.is_none() {
            // It is the fastest.
            (slot.lost, slot.trial) = (0, 0);
        } else if slot.trial == 0 {
            // Its trial ended while it was in flight.
            return;
        } else if slot.passed == 0 {
            slot.trial += 1;
        }
        slot.learn((took.as_secs_f64() / calibrated).max(1e-9));
        if let Some(best) = call.best {
            let is_hopeless = slot.trial > 1 && took > best.mul_f64(HOPELESS);
            if slot.trial >= TRIAL || is_hopeless {
                let is_lost = slot.factor.unwrap_or(1.0) * calibrated >= best.as_secs_f64();
                (slot.lost, slot.passed) = if is_lost { (slot.lost + 1, 1) } else { (0, 0) };
                slot.trial = 0;
            }
        }
        place.store(slot.word(), Ordering::Relaxed);
    }

    /// Takes note of a device that cannot do such calls, or has no memory for them: others are
    /// asked first for long.
    pub(super) fn avoid(&self, kind: Kind, backend: Backend) {
        let (place, mut slot) = self.slot(kind, backend);
        (slot.factor, slot.last) = (Some(MAX_FACTOR), Some(MAX_FACTOR));
        (slot.passed, slot.lost, slot.trial) = (1, MAX_LOST, 0);
        place.store(slot.word(), Ordering::Relaxed);
    }

    /// The device that a call goes to in place of the one at `fastest`: one whose trial is under
    /// way, or due.
    pub(super) fn tried(
        &self,
        kind: Kind,
        fastest: Backend,
        candidates: impl Iterator<Item = Candidate>,
    ) -> Option<Backend> {
        let mut tried = None;
        for (number, candidate) in (0..).zip(candidates) {
            let (place, mut slot) = self.slot(kind, candidate.backend);
            let is_on_trial = slot.trial > 0 && slot.passed == 0;
            if tried.is_none() && (is_on_trial || slot.is_due(&candidate, number)) {
                tried = Some(candidate.backend);
                if !is_on_trial {
                    slot.trial = 1;
                    place.store(slot.word(), Ordering::Relaxed);
                }
                continue;
            }
            slot.passed = (slot.passed + 1).min(Slot::MAX_PASSED);
            place.store(slot.word(), Ordering::Relaxed);
        }
        if tried.is_some() {
            let (place, mut slot) = self.slot(kind, fastest);
            slot.passed = (slot.passed + 1).min(Slot::MAX_PASSED);
            place.store(slot.word(), Ordering::Relaxed);
        }
        tried
    }
}

#[cfg(test)]
mod tests;
