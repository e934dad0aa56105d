//! What calls took, against what was predicted of them.
//!
//! A calibration has the times of one state of the machine. A GPU's clocks follow its load, so that the same short call takes two
//! or three times as long between others; caches, memory and neighbours change what a call takes as well. So calls that
//! two devices compete for are timed, and what is predicted of the next ones like them is put right.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use crate::{backend::Backend, op::Load};

/// Kinds of calls that are remembered, at most: so many places of [`WAYS`] each. A newer one takes the place of an older one.
const SETS: usize = 1 << SET_BITS;
const SET_BITS: u32 = 7;
const WAYS: usize = 4;

/// Trying again a device that calibration has as faster costs one part in so many of what calls take, at the most.
const PATIENCE: f64 = 50.0;

/// Calls at least before a device is tried again, or for the first time.
const LEAST_PASSED: u16 = 10;

/// Devices that calibration has as slower by up to this part of the fastest one's time are tried as well: it may be off by as much.
const WORTH_A_TRY: f64 = 2.0;

/// One call counts as this many times as long as predicted at the most, and as this part of it at the least: it may have been
/// disturbed.
const MOST_RATIO: f64 = 4.0;

/// What a device may be found to take of what was predicted, at the most; and one part in as many at the least.
const MOST_FACTOR: f64 = 64.0;

/// Calls that are alike: of one operator, with as many items, of as many steps, in as many tasks, to within a factor of two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kind(u32);

impl Kind {
    pub(super) fn of(operator: usize, load: &Load) -> Self {
        let depth = load.steps / load.items.max(1);
        let octaves = [load.items, depth.max(load.longest), load.tasks].map(|n| n.max(1).ilog2());
        let operator = u32::try_from(operator).unwrap_or(u32::MAX);
        Self(octaves.iter().fold(operator, |kind, octave| kind << 6 | octave))
    }
}

/// What is known of one kind of calls on one device, in a word that is read and written as a whole.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Slot {
    /// What tells the kind and the device from others of the same place; not 0.
    tag: u16,
    /// Calls that went elsewhere since the device was last used.
    passed: u16,
    /// What calls take, as so many times what calibration has of them; [`Slot::NEVER`] and [`Slot::ONCE`] before that is known.
    factor: f32,
}

impl Slot {
    /// No call was made.
    const NEVER: f32 = 0.0;
    /// One call was made, which made buffers.
    const ONCE: f32 = -1.0;

    /// The factor, once it is known.
    fn known(self) -> Option<f64> {
        (self.factor > 0.0).then_some(f64::from(self.factor))
    }

    fn read(word: u64) -> Self {
        let [a, b, c, d, e, f, g, h] = word.to_le_bytes();
        Self {
            tag: u16::from_le_bytes([a, b]),
            passed: u16::from_le_bytes([c, d]),
            factor: f32::from_le_bytes([e, f, g, h]),
        }
    }

    fn word(self) -> u64 {
        let ([a, b], [c, d], [e, f, g, h]) = (
            self.tag.to_le_bytes(),
            self.passed.to_le_bytes(),
            self.factor.to_le_bytes(),
        );
        u64::from_le_bytes([a, b, c, d, e, f, g, h])
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
    /// Where the slot of these calls is, what it has if it is theirs, and their tag.
    fn slot(&self, kind: Kind, backend: Backend) -> (&AtomicU64, Option<Slot>, u16) {
        let hash = mixed(u64::from(kind.0) << 3 | backend as u64);
        let set = usize::try_from(hash >> (64 - SET_BITS)).unwrap_or(0) * WAYS;
        let set = &self.slots[set..set + WAYS];
        let tag = ((hash >> 16) & 0xFFFF) as u16 | 1;
        let mut free = None;
        for place in set {
            let slot = Slot::read(place.load(Ordering::Relaxed));
            if slot.tag == tag {
                return (place, Some(slot), tag);
            }
            if slot.tag == 0 && free.is_none() {
                free = Some(place);
            }
        }
        (free.unwrap_or(&set[hash as usize % WAYS]), None, tag)
    }

    /// What calls take on a device, as so many times what calibration has of them; 1 until something was learned.
    pub(super) fn factor(&self, kind: Kind, backend: Backend) -> f64 {
        let (_, slot, _) = self.slot(kind, backend);
        slot.and_then(Slot::known).unwrap_or(1.0)
    }

    /// Takes note of a call, of which calibration alone has `calibrated`: what was predicted may be of a time before other calls were
    /// learned from. The first of a kind teaches nothing: it makes buffers.
    pub(super) fn learn(&self, kind: Kind, backend: Backend, calibrated: Duration, took: Duration) {
        let (place, slot, tag) = self.slot(kind, backend);
        let factor = match slot {
            None => Slot::ONCE,
            Some(slot) if slot.factor.to_bits() == Slot::NEVER.to_bits() => Slot::ONCE,
            Some(slot) => {
                let old = slot.known().unwrap_or(1.0);
                let ratio = took.as_secs_f64() / calibrated.as_secs_f64().max(1e-9) / old;
                let ratio = ratio.clamp(1.0 / MOST_RATIO, MOST_RATIO);
                // Half of the way, as ratios go; but no disturbance makes a call take less, and the second call may be the last for long.
                let step = match slot.known() {
                    None if ratio < 1.0 => ratio,
                    _ => ratio.sqrt(),
                };
                (old * step).clamp(1.0 / MOST_FACTOR, MOST_FACTOR) as f32
            }
        };
        let slot = Slot { tag, passed: 0, factor };
        place.store(slot.word(), Ordering::Relaxed);
    }

    /// Whether a device that calls of this kind pass by is to be tried: it takes `excess` times as long as the one they go to,
    /// less one, by what is known: not if that is much, unless calibration has it as faster (`is_calibrated`).
    pub(super) fn is_due(&self, kind: Kind, backend: Backend, excess: f64, is_calibrated: bool) -> bool {
        let (place, slot, tag) = self.slot(kind, backend);
        let mut slot = slot.unwrap_or(Slot {
            tag,
            passed: 0,
            factor: Slot::NEVER,
        });
        if !is_calibrated && excess > WORTH_A_TRY {
            return false;
        }
        slot.passed = slot.passed.saturating_add(1);
        place.store(slot.word(), Ordering::Relaxed);
        let least = f64::from(LEAST_PASSED);
        let wanted = match slot.known() {
            Some(_) => (excess * PATIENCE).max(least),
            None if slot.factor < 0.0 => 0.0,
            None => least,
        };
        slot.passed == u16::MAX || f64::from(slot.passed) >= wanted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NS: fn(u64) -> Duration = Duration::from_nanos;

    #[test]
    fn a_slot_reads_back_as_it_was_written() {
        for (tag, passed, factor) in [(1, 0, 1.0), (u16::MAX, 7, 0.25), (3, u16::MAX, 63.5)] {
            let slot = Slot { tag, passed, factor };
            assert_eq!(Slot::read(slot.word()), slot);
        }
    }

    #[test]
    fn calls_are_alike_to_within_a_factor_of_two() {
        let kind = |items, depth| Kind::of(2, &Load::deep(items, depth));
        assert_eq!(kind(1024, 5), kind(2047, 7));
        assert_ne!(kind(1023, 5), kind(1024, 5));
        assert_ne!(kind(1024, 1), kind(1024, 2));
        assert_ne!(Kind::of(1, &Load::flat(9)), Kind::of(2, &Load::flat(9)));
        let two: Load = [Load::flat(8), Load::flat(8)].into_iter().sum();
        assert_ne!(Kind::of(1, &two), Kind::of(1, &Load::flat(16)));
        // Nothing is too much or too little.
        Kind::of(0, &Load::default());
        Kind::of(usize::MAX, &Load::deep(usize::MAX, usize::MAX));
    }

    /// What is known after calls that take so many times what calibration has.
    fn learned(ratios: &[f64]) -> f64 {
        let (feedback, kind) = (Feedback::default(), Kind::of(0, &Load::flat(100)));
        for ratio in ratios {
            let calibrated = Duration::from_secs_f64(1e-4);
            feedback.learn(kind, Backend::Gles, calibrated, Duration::from_secs_f64(1e-4 * ratio));
        }
        feedback.factor(kind, Backend::Gles)
    }

    #[test]
    fn what_calls_take_is_learned_from_the_second_on() {
        let check = |ratios: &[f64], low: f64, high: f64| {
            let factor = learned(ratios);
            assert!((low..=high).contains(&factor), "{ratios:?}: {factor}");
        };
        check(&[], 1.0, 1.0);
        check(&[40.0], 1.0, 1.0);
        check(&[40.0, 3.0], 1.7, 1.75);
        check(&[3.0; 8], 2.9, 3.0);
        check(&[0.2; 12], 0.19, 0.21);
        // One that was disturbed does not count as more than four times as long, and is forgotten again.
        check(&[1.0, 1000.0], 2.0, 2.0);
        check(&[1.0, 1000.0, 1.0, 1.0, 1.0], 1.0, 1.1);
        // Nor does one that took no time at all.
        check(&[1.0, 0.0], 0.25, 0.25);
        check(&[1.0, 0.5], 0.5, 0.5);
        check(&[1.0, 1.0, 0.25], 0.5, 0.5);
        check(&[1e9; 50], MOST_FACTOR, MOST_FACTOR);
        check(&[0.0; 50], 1.0 / MOST_FACTOR, 1.0 / MOST_FACTOR);
    }

    #[test]
    fn calls_that_were_predicted_long_ago_teach_no_more_than_others() {
        let (feedback, kind) = (Feedback::default(), Kind::of(0, &Load::flat(100)));
        // All of them were on their way before the first had ended.
        for _ in 0..20 {
            feedback.learn(kind, Backend::Gles, NS(100), NS(400));
        }
        let factor = feedback.factor(kind, Backend::Gles);
        assert!((3.9..=4.0).contains(&factor), "{factor}");
    }

    #[test]
    fn the_kinds_of_a_usual_program_do_not_collide() {
        let feedback = Feedback::default();
        let sizes = || [1, 16, 256, 1024, 4096, 10_000, 65_536, 200_000, 1_000_000, 8_000_000];
        let kinds =
            || (0..5).flat_map(move |operator| sizes().map(move |items| Kind::of(operator, &Load::flat(items))));
        for backend in [Backend::Cpu, Backend::Vulkan, Backend::Gles] {
            for kind in kinds() {
                for _ in 0..2 {
                    feedback.learn(kind, backend, NS(100), NS(300));
                }
            }
        }
        let all = [Backend::Cpu, Backend::Vulkan, Backend::Gles];
        let known = kinds().flat_map(|kind| all.map(|backend| feedback.factor(kind, backend) > 1.0));
        // Of 150 in 512 places next to none have lost theirs.
        assert!(known.filter(|is_known| *is_known).count() >= 147);
    }

    #[test]
    fn each_device_and_kind_has_its_own() {
        let feedback = Feedback::default();
        let kind = |items| Kind::of(0, &Load::flat(items));
        for _ in 0..9 {
            feedback.learn(kind(100), Backend::Cpu, NS(100), NS(300));
        }
        assert!(feedback.factor(kind(100), Backend::Cpu) > 2.0);
        assert_eq!(feedback.factor(kind(100), Backend::Vulkan), 1.0);
        assert_eq!(feedback.factor(kind(300), Backend::Cpu), 1.0);
    }

    /// Calls that pass a device by until it is due.
    fn passed(feedback: &Feedback, excess: f64, is_calibrated: bool) -> Option<usize> {
        let kind = Kind::of(0, &Load::flat(100));
        (1..=70_000).find(|_| feedback.is_due(kind, Backend::Gles, excess, is_calibrated))
    }

    #[test]
    fn a_device_is_tried_again_so_rarely_that_it_costs_little() {
        let check = |excess: f64, expected: usize| {
            let (feedback, kind) = (Feedback::default(), Kind::of(0, &Load::flat(100)));
            assert_eq!(passed(&feedback, excess, true), Some(10), "nothing is known of it");
            feedback.learn(kind, Backend::Gles, NS(100), NS(100));
            assert_eq!(
                passed(&feedback, excess, true),
                Some(1),
                "the first call teaches nothing"
            );
            for _ in 0..3 {
                feedback.learn(kind, Backend::Gles, NS(100), NS(100));
                assert_eq!(passed(&feedback, excess, true), Some(expected), "{excess}");
            }
        };
        check(0.0, 10);
        check(0.1, 10);
        check(2.0, 100);
        check(f64::INFINITY, usize::from(u16::MAX));
    }

    #[test]
    fn a_device_that_calibration_has_as_slower_is_tried_if_it_is_not_much_slower() {
        let (feedback, kind) = (Feedback::default(), Kind::of(0, &Load::flat(100)));
        assert_eq!(passed(&feedback, 2.1, false), None, "too slow");
        assert_eq!(passed(&feedback, 1.9, false), Some(10));
        feedback.learn(kind, Backend::Gles, NS(100), NS(900));
        assert_eq!(passed(&feedback, 1.9, false), Some(1), "the first call teaches nothing");
        feedback.learn(kind, Backend::Gles, NS(100), NS(30));
        assert!((feedback.factor(kind, Backend::Gles) - 0.3).abs() < 1e-6);
        assert_eq!(passed(&feedback, 0.1, false), Some(10));
        assert_eq!(passed(&feedback, 2.1, false), None, "too slow");
    }

    #[test]
    fn a_kind_that_takes_another_ones_place_knows_nothing_of_it() {
        let feedback = Feedback::default();
        let kinds = || (0..60).flat_map(|o| (0..60).map(move |items| Kind::of(o, &Load::flat(1 << items))));
        for kind in kinds() {
            for _ in 0..2 {
                feedback.learn(kind, Backend::Vulkan, NS(100), NS(300));
            }
        }
        // 3,600 of them in 512 places: a tag of four has one chance in 8,000 to be another's.
        let known = kinds()
            .filter(|&kind| feedback.factor(kind, Backend::Vulkan) > 1.0)
            .count();
        assert!((SETS * WAYS / 2..SETS * WAYS + 8).contains(&known), "{known}");
    }
}
