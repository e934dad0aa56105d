//! Slots, and devices that take a known time.

use super::*;

const NS: fn(u64) -> Duration = Duration::from_nanos;

fn kind(items: usize) -> Kind {
    Kind::of(0, &Load::flat(items))
}

fn call(kind: Kind, backend: Backend, calibrated: u64) -> Call {
    Call {
        kind,
        backend,
        calibrated: NS(calibrated),
        best: None,
    }
}

#[test]
fn a_slot_reads_back_as_it_was_written() {
    let check = |tag, passed, factor: Option<f64>, last: Option<f64>, lost, trial| {
        let slot = Slot {
            tag,
            passed,
            factor,
            last,
            lost,
            trial,
        };
        let read = Slot::read(slot.word());
        assert_eq!(
            (read.tag, read.passed, read.lost, read.trial),
            (tag, passed, lost, trial)
        );
        for (read, written) in [(read.factor, factor), (read.last, last)] {
            match (read, written) {
                (None, None) => {}
                (Some(read), Some(written)) => assert!((read / written - 1.0).abs() < 5e-4, "{read} {written}"),
                _ => panic!("{read:?} {written:?}"),
            }
        }
    };
    check(1, 0, None, None, 0, 0);
    check(u16::MAX, 7, Some(0.25), None, 15, 3);
    check(3, Slot::MAX_PASSED, Some(63.5), Some(1.0 / 255.0), 1, 1);
    check(9, 1, None, Some(1.0), 0, 2);
    check(9, 1, Some(1.0 / MAX_FACTOR), Some(200.0), 6, 2);
    // Values beyond the scale are at its end.
    let far = Slot {
        last: Some(1e12),
        factor: Some(1e-12),
        ..Slot::new(1)
    };
    let read = Slot::read(far.word());
    assert!(read.last > Some(255.0) && read.factor < Some(1.0 / 255.0), "{read:?}");
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
    Kind::of(u32::MAX, &Load::deep(usize::MAX, usize::MAX));
}

/// The feedback after calls whose times are these factors of the calibrated time.
fn learned(ratios: &[f64]) -> f64 {
    let feedback = Feedback::default();
    for ratio in ratios {
        let call = call(kind(100), Backend::Gles, 100_000);
        feedback.learn(&call, Duration::from_secs_f64(1e-4 * ratio));
    }
    feedback.known(kind(100), Backend::Gles).factor
}

#[test]
fn what_calls_take_is_learned_from_the_faster_of_two_in_a_row() {
    let check = |ratios: &[f64], low: f64, high: f64| {
        let factor = learned(ratios);
        assert!((low * 0.999..=high * 1.001).contains(&factor), "{ratios:?}: {factor}");
    };
    check(&[], 1.0, 1.0);
    check(&[40.0], 1.0, 1.0);
    check(&[40.0, 3.0], 1.7, 1.75);
    check(&[3.0; 8], 2.9, 3.0);
    check(&[0.2; 12], 0.19, 0.21);
    // One that was disturbed does not count, and one that lasts counts as no more than four times
    // as long a call.
    check(&[1.0, 1000.0, 1.0], 1.0, 1.0);
    check(&[1.0, 1.0, 1000.0, 1000.0], 2.0, 2.0);
    // Nor does one that took no time at all count for more.
    check(&[1.0, 0.0], 0.25, 0.25);
    check(&[1.0, 0.5], 0.5, 0.5);
    check(&[1.0, 1.0, 0.25], 0.5, 0.5);
    check(&[1e9; 50], MAX_FACTOR, MAX_FACTOR);
    check(&[0.0; 50], 1.0 / MAX_FACTOR, 1.0 / MAX_FACTOR);
}

#[test]
fn calls_that_were_predicted_long_ago_teach_no_more_than_others() {
    let feedback = Feedback::default();
    // All of them were in flight before the first had ended.
    for _ in 0..20 {
        feedback.learn(&call(kind(100), Backend::Gles, 100), NS(400));
    }
    let factor = feedback.known(kind(100), Backend::Gles).factor;
    assert!((3.9..=4.01).contains(&factor), "{factor}");
}

#[test]
fn the_kinds_of_a_usual_program_do_not_collide() {
    let feedback = Feedback::default();
    let sizes = || [1, 16, 256, 1024, 4096, 10_000, 65_536, 200_000, 1_000_000, 8_000_000];
    let kinds = || (0..5).flat_map(move |operator| sizes().map(move |items| Kind::of(operator, &Load::flat(items))));
    for backend in [Backend::Cpu, Backend::Vulkan, Backend::Gles] {
        for kind in kinds() {
            for _ in 0..2 {
                feedback.learn(&call(kind, backend, 100), NS(300));
            }
        }
    }
    let all = [Backend::Cpu, Backend::Vulkan, Backend::Gles];
    let known = kinds().flat_map(|kind| all.map(|backend| feedback.known(kind, backend).factor > 1.0));
    // Of 150 in 512 places next to none have lost theirs.
    assert!(known.filter(|is_known| *is_known).count() >= 147);
}

#[test]
fn each_device_and_kind_has_its_own() {
    let feedback = Feedback::default();
    for _ in 0..9 {
        feedback.learn(&call(kind(100), Backend::Cpu, 100), NS(300));
    }
    let known = |items, backend| feedback.known(kind(items), backend);
    assert!(known(100, Backend::Cpu).factor > 2.0 && known(100, Backend::Cpu).is_there);
    let nothing = Known {
        factor: 1.0,
        is_there: false,
    };
    assert_eq!(known(100, Backend::Vulkan), nothing);
    assert_eq!(known(300, Backend::Cpu), nothing);
}

#[test]
fn a_kind_that_takes_another_ones_place_knows_nothing_of_it() {
    let feedback = Feedback::default();
    let kinds = || (0..60).flat_map(|o| (0..60).map(move |items| Kind::of(o, &Load::flat(1 << items))));
    for kind in kinds() {
        for _ in 0..2 {
            feedback.learn(&call(kind, Backend::Vulkan, 100), NS(300));
        }
    }
    // 3,600 of them in 512 places: a tag of four has one chance in 8,000 to be another's.
    let known = kinds()
        .filter(|&kind| feedback.known(kind, Backend::Vulkan).factor > 1.0)
        .count();
    assert!((SETS * WAYS / 2..SETS * WAYS + 8).contains(&known), "{known}");
}

/// Two devices of which calls take a known time, the first of a device behind one of the other some
/// times as long.
struct World {
    feedback: Feedback,
    calibrated: [u64; 2],
    takes: [u64; 2],
    cold: u64,
    at: usize,
    /// Where each call went, and whether that was a trial.
    calls: Vec<(usize, bool)>,
    took: u64,
}

const BOTH: [Backend; 2] = [Backend::Cpu, Backend::Vulkan];

impl World {
    fn new(calibrated: [u64; 2], takes: [u64; 2]) -> Self {
        Self {
            feedback: Feedback::default(),
            calibrated,
            takes,
            cold: 4,
            at: 2,
            calls: Vec::new(),
            took: 0,
        }
    }

    /// As a router does it.
    fn run(&mut self, calls: usize) -> &mut Self {
        for _ in 0..calls {
            let (device, best) = decided(&self.feedback, self.calibrated);
            let is_cold = std::mem::replace(&mut self.at, device) != device;
            let took = self.takes[device] * if is_cold { self.cold } else { 1 };
            let call = Call {
                best: best.map(NS),
                ..call(kind(100), BOTH[device], self.calibrated[device])
            };
            self.feedback.learn(&call, NS(took));
            self.calls.push((device, best.is_some()));
            self.took += took;
        }
        self
    }

    /// The share of the last `count` calls that ran on a device.
    fn part(&self, device: usize, last: usize) -> f64 {
        let calls = &self.calls[self.calls.len() - last..];
        calls.iter().filter(|call| call.0 == device).count() as f64 / last as f64
    }
}

#[test]
fn calls_end_up_on_the_device_that_is_faster_whatever_calibration_has() {
    let check = |calibrated: [u64; 2], takes: [u64; 2]| {
        let mut world = World::new(calibrated, takes);
        world.run(1000);
        let fastest = usize::from(takes[1] < takes[0]);
        let what = format!("calibrated {calibrated:?}, takes {takes:?}");
        assert!(world.part(fastest, 900) > 0.95, "{what}: {}", world.part(fastest, 900));
        // What it cost, the first hundred calls included.
        let regret = world.took as f64 / (1000 * takes[fastest]) as f64 - 1.0;
        assert!(regret < 0.12, "{what}: {regret}");
    };
    check([1000, 2000], [1000, 2000]);
    check([1000, 2000], [1000, 500]);
    check([1000, 2900], [1000, 800]);
    check([1000, 1100], [1000, 1200]);
    check([2000, 1000], [1000, 1200]);
    check([1000, 300], [1000, 1500]);
    check([1000, 300], [1000, 4000]);
    check([1000, 1200], [4000, 1200]);
    check([4000, 5000], [1000, 1150]);
}

#[test]
fn two_devices_that_are_as_fast_as_each_other_do_not_alternate() {
    for takes in [[1000, 1000], [1000, 1030], [1030, 1000]] {
        let mut world = World::new([1000, 1000], takes);
        world.run(2000);
        let changes = world.calls.windows(2).filter(|pair| pair[0].0 != pair[1].0).count();
        assert!(changes < 30, "{takes:?}: {changes}");
        assert!(world.took < 2_140_000, "{takes:?}: {}", world.took);
    }
}

#[test]
fn what_changes_is_found_out() {
    let mut world = World::new([1000, 2000], [1000, 2000]);
    world.run(500);
    assert!(world.part(0, 400) > 0.9);
    // The first device slows down: the calls themselves tell.
    world.takes = [5000, 2000];
    world.run(200);
    assert!(world.part(1, 150) > 0.9, "{}", world.part(1, 150));
    // The second gets faster without being called: a trial finds it.
    let mut world = World::new([1000, 1500], [1000, 1500]);
    world.run(500);
    world.takes = [1000, 400];
    world.run(3000);
    assert!(world.part(1, 500) > 0.9, "{}", world.part(1, 500));
}

#[test]
fn a_trial_is_a_few_calls_in_a_row() {
    let trials = |world: &World| -> Vec<usize> {
        let groups = world.calls.chunk_by(|a, b| a == b);
        groups.filter(|group| group[0].1).map(<[_]>::len).collect()
    };
    let mut world = World::new([1000, 1500], [1000, 1200]);
    world.run(35);
    assert_eq!(trials(&world), [3], "and not again so soon");
    assert_eq!(world.calls[10..13], [(1, true); 3]);
    // Three calls that take twice as long again are a fifth of thirty.
    let mut world = World::new([1000, 3000], [1000, 1200]);
    world.run(35);
    assert_eq!(world.calls[30..33], [(1, true); 3]);
    assert!(world.calls[..30].iter().all(|call| *call == (0, false)));
    // One that loses clearly is given up after two.
    let mut world = World::new([1000, 1500], [1000, 3000]);
    world.run(60);
    assert_eq!(trials(&world), [2]);
    // And is tried ever less often.
    let mut world = World::new([1000, 1500], [1000, 1200]);
    world.run(20_000);
    let begins: Vec<usize> = (1..world.calls.len())
        .filter(|&at| world.calls[at].1 && !world.calls[at - 1].1)
        .collect();
    let gaps: Vec<usize> = begins.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(
        gaps.windows(2).take(5).all(|pair| pair[1] > pair[0] * 3 / 2),
        "{gaps:?}"
    );
    assert!(begins.len() < 12, "{gaps:?}");
    // One that is not worth a try is not tried at all.
    let mut world = World::new([1000, 3100], [1000, 100]);
    world.run(1000);
    assert!(trials(&world).is_empty());
}

#[test]
fn a_device_that_cannot_is_avoided_for_long() {
    let mut world = World::new([1000, 100], [1000, 100]);
    world.feedback.avoid(kind(100), Backend::Vulkan);
    world.run(5000);
    assert_eq!(world.part(1, 5000), 0.0);
    world.run(15_000);
    assert!(world.part(1, 15_000) > 0.0, "but not for ever");
}

/// Which of two devices a router has do a call; and if that is a trial, what the fastest is
/// predicted to take.
fn decided(feedback: &Feedback, calibrated: [u64; 2]) -> (usize, Option<u64>) {
    let known = BOTH.map(|backend| feedback.known(kind(100), backend));
    let ns = [0, 1].map(|device| calibrated[device] as f64 * known[device].factor);
    let mut fastest = usize::from(ns[1] < ns[0]);
    if known[1 - fastest].is_there && ns[1 - fastest] <= HYSTERESIS * ns[fastest] {
        fastest = 1 - fastest;
    }
    let other = Candidate {
        backend: BOTH[1 - fastest],
        excess: ns[1 - fastest] / ns[fastest] - 1.0,
        is_calibrated: (calibrated[1 - fastest] as f64) < ns[fastest],
    };
    let tried = feedback.tried(kind(100), BOTH[fastest], std::iter::once(other));
    match tried {
        Some(_) => (1 - fastest, Some(ns[fastest] as u64)),
        None => (fastest, None),
    }
}

/// The share of calls that go to the slower device, and of the last 1,000, where a number of
/// threads have calls in flight.
fn part_of_threads(threads: usize, calibrated: [u64; 2], takes: [u64; 2], calls: usize) -> (f64, usize) {
    let feedback = Feedback::default();
    let mut random = crate::task::Random::new(1);
    // (end, device, took, best)
    let mut flying: Vec<(u64, usize, u64, Option<u64>)> = Vec::new();
    let (mut now, mut slow, mut late) = (0, 0, 0);
    for number in 0..calls {
        if flying.len() == threads {
            let at = (0..threads).min_by_key(|&i| flying[i].0).unwrap();
            let (end, device, took, best) = flying.remove(at);
            now = end;
            let call = Call {
                best: best.map(NS),
                ..call(kind(100), BOTH[device], calibrated[device])
            };
            feedback.learn(&call, NS(took));
        }
        let (device, best) = decided(&feedback, calibrated);
        let took = takes[device] * (1000 + random.below(100) as u64) / 1000;
        flying.push((now + took, device, took, best));
        let is_slow = takes[device] > takes[1 - device];
        slow += usize::from(is_slow);
        if number >= calls - 1000 {
            late += usize::from(is_slow);
        }
    }
    (slow as f64 / calls as f64, late)
}

#[test]
fn trials_end_with_any_number_of_threads() {
    for slow in [15_000, 18_000, 30_000, 100_000] {
        for threads in [1, 2, 3, 4, 8, 16] {
            let (part, late) = part_of_threads(threads, [10_000, 15_000], [10_000, slow], 20_000);
            assert!(
                part < 0.02 && late < 50,
                "{threads} threads, {slow} ns: {part} of all calls, {late} of the last 1000"
            );
        }
    }
}
