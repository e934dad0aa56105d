use super::*;
use crate::{ab::recording::tests::window, stat::random::SplitMix64};

/// Noise of about `deviation`, as a natural logarithm.
fn noise(random: &mut SplitMix64, deviation: f64) -> f64 {
    let uniform = |random: &mut SplitMix64| (random.next() >> 11) as f64 / (1_u64 << 53) as f64;
    deviation * ((0..12).map(|_| uniform(random)).sum::<f64>() - 6.0)
}

/// Blocks of one case whose head is `effect` slower.
fn blocks(random: &mut SplitMix64, case: &str, n: u64, effect: f64, deviation: f64) -> Vec<Window> {
    let mut windows = Vec::new();
    for block in 1..=n {
        for arm in Arm::ALL {
            let shift = if arm == Arm::Head { effect } else { 0.0 };
            let ns = 100_000.0 * (shift + noise(random, deviation)).exp();
            windows.push(window(case, block, 1, arm, ns));
        }
    }
    windows
}

fn one(windows: &[Window]) -> (Judged, bool) {
    let judgement = judge(&["a".to_owned()], windows);
    (judgement.cases[0].clone(), !judgement.open.is_empty())
}

#[test]
fn a_clear_change_is_called_at_the_first_look_in_either_direction() {
    let mut random = SplitMix64(1);
    let check = |effect: f64, expected: Verdict, random: &mut SplitMix64| {
        let (judged, open) = one(&blocks(random, "a", 16, effect, 0.01));
        assert_eq!((judged.verdict, open), (expected, false), "{effect}: {judged:?}");
        assert!(
            (judged.change_percent.unwrap() - 100.0 * effect.exp_m1()).abs() < 1.5,
            "{judged:?}"
        );
    };
    check(0.10, Verdict::Slower, &mut random);
    check(-0.10, Verdict::Faster, &mut random);
    check(0.0, Verdict::Pass, &mut random);
    check(0.01, Verdict::Pass, &mut random);
}

#[test]
fn what_is_not_decided_needs_more_blocks_until_the_last_look() {
    let mut random = SplitMix64(2);
    let wide = |n: u64, random: &mut SplitMix64| judge(&["a".to_owned()], &blocks(random, "a", n, 0.0, 0.08)).open;
    let due = |blocks: usize| BTreeMap::from([("a".to_owned(), blocks)]);
    assert_eq!(wide(0, &mut random), due(16));
    assert_eq!(wide(15, &mut random), due(16));
    assert_eq!(wide(16, &mut random), due(24));
    assert_eq!(wide(24, &mut random), due(40));
    assert_eq!(wide(40, &mut random), BTreeMap::new());
    let (judged, _) = one(&blocks(&mut random, "a", 40, 0.0, 0.2));
    assert_eq!(judged.verdict, Verdict::Inconclusive, "{judged:?}");
    assert!(judged.detectable_percent.unwrap() > 10.0, "{judged:?}");
    let (judged, open) = one(&blocks(&mut random, "a", 5, 0.5, 0.01));
    assert_eq!(
        (judged.verdict, open),
        (Verdict::Inconclusive, true),
        "five blocks convict nobody: {judged:?}"
    );
    assert_eq!(one(&[]).0.verdict, Verdict::NotMeasured);
}

#[test]
fn a_base_that_differs_from_itself_convicts_nobody() {
    let mut random = SplitMix64(3);
    let mut off_by = |blocks_measured: u64, factor: f64| {
        let mut windows = blocks(&mut random, "a", blocks_measured, 0.05, 0.005);
        for window in windows.iter_mut().filter(|window| window.arm == Arm::Again) {
            window.p10_ns *= factor;
        }
        windows
    };
    let (judged, open) = one(&off_by(16, 1.04));
    assert_eq!(
        (judged.verdict, open),
        (Verdict::Noisy, true),
        "more blocks may tell: {judged:?}"
    );
    let (judged, _) = one(&off_by(40, 1.04));
    assert_eq!(judged.verdict, Verdict::Noisy, "{judged:?}");
    assert!(judged.note.unwrap().contains("differs from itself by +"));
}

#[test]
fn an_effect_far_beyond_what_the_base_differs_by_is_convicted_all_the_same() {
    let mut random = SplitMix64(8);
    let mut windows = blocks(&mut random, "a", 16, 0.40, 0.002);
    for window in windows.iter_mut().filter(|window| window.arm == Arm::Again) {
        window.p10_ns *= 1.015;
    }
    let (judged, _) = one(&windows);
    assert_eq!(judged.verdict, Verdict::Slower, "{judged:?}");
    assert!(judged.sentinel_percent.unwrap() > 1.0, "{judged:?}");
}

#[test]
fn a_slower_median_is_found_alone_and_beside_a_faster_tenth() {
    let check = |seed: u64, effect: f64, scatter: f64, median: f64| {
        let mut windows = blocks(&mut SplitMix64(seed), "a", 16, effect, scatter);
        for window in windows.iter_mut().filter(|window| window.arm == Arm::Head) {
            window.p50_ns *= median;
        }
        let (judged, _) = one(&windows);
        assert_eq!(
            (judged.verdict, judged.quantile.as_str()),
            (Verdict::Slower, "median"),
            "{judged:?}"
        );
    };
    check(5, 0.0, 0.005, 1.5);
    check(9, -0.05, 0.002, 1.6);
}

/// A comparison that the machine cut short, or a time budget: what the looks have not spent is left for one at the end.
#[test]
fn fewer_blocks_than_the_first_look_needs_are_judged_when_the_measuring_is_over() {
    let mut random = SplitMix64(10);
    let check = |blocks_measured: u64, effect: f64, expected: Verdict, random: &mut SplitMix64| {
        let (judged, open) = one(&blocks(random, "a", blocks_measured, effect, 0.003));
        assert_eq!(
            (judged.verdict, open),
            (expected, true),
            "{blocks_measured}, {effect}: {judged:?}"
        );
    };
    check(15, 0.046, Verdict::Slower, &mut random);
    check(13, 0.046, Verdict::Slower, &mut random);
    check(15, 0.69, Verdict::Slower, &mut random);
    check(10, -0.10, Verdict::Faster, &mut random);
    check(15, 0.0, Verdict::Pass, &mut random);
    check(7, 0.69, Verdict::Inconclusive, &mut random);
}

#[test]
fn a_machine_that_is_never_quiet_is_called_noisy() {
    let mut random = SplitMix64(4);
    let mut windows = blocks(&mut random, "a", 30, 0.10, 0.005);
    for window in windows.iter_mut().filter(|window| window.block > 4) {
        window.samples = 0;
    }
    let (judged, open) = one(&windows);
    assert_eq!((judged.verdict, open), (Verdict::Noisy, true));
    assert!(judged.note.unwrap().contains("4 of 30 blocks"));
}

#[test]
fn the_phase_that_moved_is_named() {
    let mut random = SplitMix64(6);
    let mut windows = blocks(&mut random, "a", 16, 0.10, 0.002);
    for window in &mut windows {
        let device = if window.arm == Arm::Head { 80_000.0 } else { 70_000.0 };
        window.phases_ns = [
            ("device".to_owned(), device * noise(&mut random, 0.002).exp()),
            ("upload".to_owned(), 10_000.0 * noise(&mut random, 0.002).exp()),
        ]
        .into();
    }
    let (judged, _) = one(&windows);
    assert_eq!(judged.phases[0].name, "device", "{judged:?}");
    assert!((judged.phases[0].change_ns - 10_000.0).abs() < 500.0, "{judged:?}");
}

/// 400 suites of 6 unchanged cases with noise of 2 %, and as many of one case that is 5 % slower.
#[test]
fn unchanged_code_is_convicted_in_less_than_one_suite_in_a_hundred_and_five_per_cent_are_found() {
    let mut random = SplitMix64(7);
    let names: Vec<String> = (0..6).map(|i| format!("case {i}")).collect();
    let (mut slower, mut faster, mut found) = (0, 0, 0);
    for suite in 0..400 {
        let mut windows = Vec::new();
        for (index, name) in names.iter().enumerate() {
            let effect = if suite >= 200 && index == 0 {
                0.05_f64.ln_1p()
            } else {
                0.0
            };
            windows.extend(blocks(&mut random, name, 40, effect, 0.02));
        }
        let judgement = judge(&names, &windows);
        let skipped = usize::from(suite >= 200);
        let any = |word| judgement.cases[skipped..].iter().any(|judged| judged.verdict == word);
        slower += usize::from(any(Verdict::Slower));
        faster += usize::from(any(Verdict::Faster));
        found += usize::from(suite >= 200 && judgement.cases[0].verdict == Verdict::Slower);
    }
    assert!(slower <= 4 && faster <= 4, "{slower} slower, {faster} faster of 400");
    assert!(found >= 190, "{found} of 200");
}
