//! Calibrations of devices whose times are known, by a clock that only they move.

use super::{super::table::Table, *};

/// Devices with known times, and a clock that only they move.
struct Synthetic {
    now: Duration,
    /// Nanoseconds of a call: fixed, for each step, for each task.
    devices: Vec<[f64; 3]>,
    /// The first call of each takes so much longer.
    first: Duration,
    called: Vec<usize>,
    /// The device that fails, and at which call.
    fails: Option<(usize, usize)>,
    load: Load,
    /// A number of items, and the nanoseconds that the second device takes more beyond it.
    jump: (u64, f64),
    /// Whether the operator tells of it.
    known_jumps: Vec<usize>,
    /// The largest factor by which noise makes times longer.
    noise: f64,
    random: u64,
}

impl Synthetic {
    fn new(devices: &[[f64; 3]]) -> Self {
        Self {
            now: Duration::from_millis(77),
            devices: devices.to_vec(),
            first: Duration::ZERO,
            called: vec![0; devices.len()],
            fails: None,
            load: Load::default(),
            jump: (u64::MAX, 0.0),
            known_jumps: Vec::new(),
            noise: 1.0,
            random: 1,
        }
    }

    fn measured(&mut self, depths: &[usize], budget: Duration) -> (Table, bool) {
        let backends = &Backend::ALL[..self.devices.len()];
        let measured = measure(
            self,
            backends,
            depths,
            &self.known_jumps.clone(),
            Duration::from_millis(77) + budget,
        );
        (Table::measured(measured.times), measured.is_complete)
    }
}

impl World for Synthetic {
    fn now(&self) -> Duration {
        self.now
    }

    fn prepare(&mut self, timed: Timed) -> Load {
        self.load = match timed {
            Timed::Items { items, depth } => Load::deep(items, depth),
            Timed::Batch { size, tasks } => (0..tasks).map(|_| Load::flat(size)).sum(),
        };
        self.now += Duration::from_nanos(self.load.items * 2);
        self.load
    }

    fn time(&mut self, device: usize) -> Option<Duration> {
        self.called[device] += 1;
        if self
            .fails
            .is_some_and(|(d, call)| d == device && self.called[device] >= call)
        {
            return None;
        }
        let [fixed, step, task] = self.devices[device];
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let noise = 1.0 + (self.noise - 1.0) * ((self.random >> 33) % 1000) as f64 / 1000.0;
        let jump = if device == 1 && self.load.items > self.jump.0 {
            self.jump.1
        } else {
            0.0
        };
        let ns = (fixed + jump + step * self.load.steps as f64 + task * (self.load.tasks - 1) as f64) * noise;
        let time = Duration::from_secs_f64(ns / 1e9);
        self.now += time;
        if self.called[device] == 1 {
            self.now += self.first;
        }
        Some(time)
    }
}

const BUDGET: Duration = Duration::from_millis(300);

#[test]
fn the_crossover_is_found() {
    let check = |devices: &[[f64; 3]], noise: f64, expected: f64, within: f64| {
        let mut world = Synthetic::new(devices);
        world.noise = noise;
        let (table, is_complete) = world.measured(&[1], BUDGET);
        assert!(is_complete);
        let at = table.thresholds[1].items as f64;
        assert!(
            (at / expected).ln().abs() < within.ln_1p(),
            "{at}, not {expected}: {table:?}"
        );
        assert!(world.now <= Duration::from_millis(77) + BUDGET, "{:?}", world.now);
    };
    check(&[[100.0, 1.0, 0.0], [50_000.0, 0.2, 0.0]], 1.0, 62_375.0, 0.01);
    // A neighbour that makes any call up to three times as long.
    check(&[[100.0, 1.0, 0.0], [50_000.0, 0.2, 0.0]], 3.0, 62_375.0, 0.25);
    // Heavy work on a slow device: few sizes are affordable.
    check(&[[100.0, 2000.0, 0.0], [90_000.0, 500.0, 0.0]], 1.0, 60.0, 0.02);
    // Three devices, of which one never pays.
    check(
        &[[0.0, 1.0, 0.0], [1e6, 3.0, 0.0], [20_000.0, 0.5, 0.0]],
        1.0,
        40_000.0,
        0.01,
    );
}

/// The predicted time of the second device for a number of items, when its times jump by 400 µs
/// behind 1,024.
fn beside_a_jump(items: usize, known: &[usize]) -> f64 {
    let mut world = Synthetic::new(&[[100.0, 100.0, 0.0], [60_000.0, 0.1, 0.0]]);
    world.jump = (1024, 400_000.0);
    world.known_jumps = known.to_vec();
    world.measured(&[1], BUDGET).0.times[1].ns(&Load::flat(items))
}

#[test]
fn both_sides_of_a_jump_are_measured() {
    let check = |items: usize, expected: f64| {
        let ns = beside_a_jump(items, &[1024]);
        assert!((ns / expected - 1.0).abs() < 0.01, "{items}: {ns}, not {expected}");
    };
    check(1000, 60_100.0);
    check(1024, 60_102.4);
    check(1025, 460_102.5);
    check(1300, 460_130.0);
    check(1700, 460_170.0);
    assert!(
        beside_a_jump(1100, &[]) < 300_000.0,
        "the line that is wrong is what jumps are told for"
    );
    assert_eq!(beside_a_jump(100, &[1024]), beside_a_jump(100, &[]));
}

#[test]
fn the_sizes_tried_ascend() {
    for jumps in [&[][..], &[1024, 1 << 20], &[1], &[3, 3, 1_000_000]] {
        let ladder = ladder(jumps);
        assert!(ladder.windows(2).all(|pair| pair[0] < pair[1]), "{ladder:?}");
        assert!(
            jumps
                .iter()
                .all(|jump| ladder.contains(jump) && ladder.contains(&(jump + 1)))
        );
        assert!(LADDER.iter().all(|items| ladder.contains(items)));
    }
}

#[test]
fn chains_and_batches_have_their_own_times() {
    let mut world = Synthetic::new(&[[100.0, 10.0, 300.0], [50_000.0, 0.5, 20.0]]);
    let (table, _) = world.measured(&[1, 100], BUDGET);
    let ns = |device: usize, load: Load| table.times[device].ns(&load);
    let check = |ns: f64, expected: f64| assert!((ns / expected - 1.0).abs() < 0.02, "{ns}, not {expected}");
    check(ns(0, Load::deep(5000, 10)), 500_100.0);
    check(ns(1, Load::deep(5000, 10)), 75_000.0);
    check(ns(1, Load::deep(5000, 1000)), 2_550_000.0);
    let batch: Load = (0..100).map(|_| Load::flat(10)).sum();
    check(ns(0, batch), 100.0 + 10_000.0 + 99.0 * 300.0);
    check(ns(1, batch), 50_000.0 + 500.0 + 99.0 * 20.0);
    let rows: Vec<_> = table.thresholds.iter().map(|t| (t.depth, t.backend)).collect();
    let (cpu, gpu) = (Backend::Cpu, Backend::Vulkan);
    assert_eq!(rows, [(1, cpu), (1, gpu), (100, cpu), (100, gpu)]);
}

#[test]
fn time_is_never_exceeded_by_more_than_the_first_calls() {
    for budget_ms in [0, 1, 5, 20, 300] {
        for step in [0.1, 100.0, 1e5, 1e7] {
            let budget = Duration::from_millis(budget_ms);
            let mut world = Synthetic::new(&[[100.0, step, 0.0], [50_000.0, step / 4.0, 0.0]]);
            let (table, is_complete) = world.measured(&[1, 64], budget);
            // Nothing is known before the first three sizes are called, each five times, at the
            // least.
            let unknown = Duration::from_secs_f64(1e-9 * 2.0 * 6.0 * 2.0 * (1.0 + 64.0) * 64.0 * step);
            let end = Duration::from_millis(78) + budget + unknown;
            assert!(world.now < end, "{budget_ms} ms, {step}: {:?} of {end:?}", world.now);
            assert!(budget_ms > 0 || !is_complete, "{table:?}");
        }
    }
}

#[test]
fn what_fails_is_left_out_and_the_rest_is_measured() {
    for call in [1, 2, 40] {
        let mut world = Synthetic::new(&[[100.0, 1.0, 0.0], [50_000.0, 0.2, 0.0], [20_000.0, 0.5, 0.0]]);
        world.fails = Some((1, call));
        let (table, _) = world.measured(&[1], BUDGET);
        let left: Vec<_> = table.times.iter().map(|times| times.backend).collect();
        assert_eq!(left, [Backend::Cpu, Backend::Gles], "call {call}");
        assert_eq!(world.called[1], call);
    }
}

#[test]
fn a_pipeline_that_takes_all_the_time_leaves_nothing_to_keep() {
    let mut world = Synthetic::new(&[[100.0, 1.0, 0.0], [50_000.0, 0.2, 0.0]]);
    world.first = BUDGET;
    let (table, is_complete) = world.measured(&[1], BUDGET);
    assert!(!is_complete, "{table:?}");
}
