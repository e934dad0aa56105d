use fastrand::Rng;

use super::*;
use crate::stat::layout::Layout;

/// A sum of twelve: nearly normal, with standard deviation 1.
pub(super) fn normal(random: &mut Rng) -> f64 {
    (0..12).map(|_| random.f64()).sum::<f64>() - 6.0
}

/// A case of calls of 100 µs whose head takes exp(`effect`) times as long in every statistic.
fn case(random: &mut Rng, name: &str, n: usize, effect: f64, noise: f64) -> Case {
    let mut times = |variant: usize| {
        let mut times = Times::of_windows(&[[100e3, 110e3, 115e3, 150e3]]).unwrap();
        let process = noise * normal(random);
        for statistic in Statistic::ALL {
            times[statistic] += process + if variant == HEAD { effect } else { 0.0 };
        }
        times
    };
    let block = |number: usize| Block {
        number: number as u64,
        times: [HEAD, BASE, CONTROL].map(&mut times),
    };
    Case {
        name: name.to_owned(),
        blocks: (1..=n).map(block).collect(),
        layout: Some(Layout::same_program()),
        ..Case::default()
    }
}

fn one(case: Case) -> (Assessment, Option<usize>) {
    let name = case.name.clone();
    let mut assessed = assess(&[case], &Plan::default());
    (assessed.cases.remove(0), assessed.open.get(&name).copied())
}

#[test]
fn a_clear_change_is_told_at_the_first_analysis_and_an_unclear_one_waits() {
    let mut random = Rng::with_seed(12);
    let mut check = |n: usize, effect: f64, noise: f64, expected: Verdict, blocks: usize, open: Option<usize>| {
        let (assessment, found) = one(case(&mut random, "a", n, effect, noise));
        assert_eq!(
            (assessment.verdict, assessment.blocks, found),
            (expected, blocks, open),
            "{assessment:?}"
        );
    };
    check(16, 0.05, 0.005, Verdict::Slower, 16, None);
    check(40, 0.05, 0.005, Verdict::Slower, 16, None);
    check(16, -0.05, 0.005, Verdict::Faster, 16, None);
    check(40, 0.0, 0.001, Verdict::Pass, 16, None);
    check(16, 0.02, 0.02, Verdict::Inconclusive, 16, Some(24));
    check(15, 0.0, 0.001, Verdict::Pass, 15, Some(16));
    check(8, 0.05, 0.005, Verdict::Slower, 8, Some(16));
    check(7, 0.05, 0.005, Verdict::Inconclusive, 7, Some(16));
    check(0, 0.05, 0.005, Verdict::NotMeasured, 0, Some(16));
}

#[test]
fn a_change_that_surely_is_below_the_floor_is_none() {
    let mut random = Rng::with_seed(2);
    let (assessment, _) = one(case(&mut random, "a", 40, 0.005, 0.001));
    assert_eq!(assessment.verdict, Verdict::Pass, "{assessment:?}");
    // The same change, of a case whose floor its interval reaches, is one.
    let (assessment, _) = one(case(&mut random, "a", 40, 0.0099, 0.001));
    assert_eq!(assessment.verdict, Verdict::Slower, "{assessment:?}");
}

#[test]
fn what_layout_may_be_is_no_change() {
    let mut random = Rng::with_seed(3);
    let mut check = |deviation: f64, expected: Verdict| {
        let mut case = case(&mut random, "a", 40, 0.03, 0.002);
        case.layout = Some(Layout {
            deviation,
            freedom: 11.0,
            base_links: 1,
            head_links: 1,
        });
        let (assessment, _) = one(case);
        assert_eq!(assessment.verdict, expected, "{assessment:?}");
        assessment.deciding().unwrap().floor_percent
    };
    assert!(check(0.002, Verdict::Slower) < 2.0);
    assert!(check(0.01, Verdict::Inconclusive) > 5.0);
}

#[test]
fn an_accepted_slowdown_passes_up_to_its_amount() {
    let mut random = Rng::with_seed(4);
    let mut check = |effect: f64, expected: Verdict| {
        let mut case = case(&mut random, "a", 40, effect, 0.002);
        case.accepted = Some(Accepted {
            case: "a".to_owned(),
            percent: 10.0,
            reason: "checks bounds".to_owned(),
            until: "2026-12-31".parse().unwrap(),
        });
        let (assessment, _) = one(case);
        assert_eq!(assessment.verdict, expected, "{assessment:?}");
        assert!(
            assessment
                .sentence(1.0)
                .contains("up to +10.0 % accepted until 2026-12-31 (checks bounds)"),
            "{}",
            assessment.sentence(1.0)
        );
    };
    check(0.08_f64.ln_1p(), Verdict::Pass);
    check(0.10_f64.ln_1p(), Verdict::Pass);
    check(0.12_f64.ln_1p(), Verdict::Slower);
    check(0.20_f64.ln_1p(), Verdict::Slower);
    check(-0.05, Verdict::Faster);
}

#[test]
fn a_base_that_differs_from_itself_as_much_as_the_head_does_is_noise() {
    let mut random = Rng::with_seed(5);
    let mut noisy = case(&mut random, "a", 40, 0.05, 0.002);
    for block in &mut noisy.blocks {
        for statistic in Statistic::ALL {
            block.times[CONTROL][statistic] += 0.06 * if block.number % 2 == 0 { 1.0 } else { 0.9 };
            block.times[HEAD][statistic] += 0.15;
        }
    }
    let (assessment, _) = one(noisy.clone());
    // 20 % is more than what the control shows.
    assert_eq!(assessment.verdict, Verdict::Slower, "{assessment:?}");
    for block in &mut noisy.blocks {
        for statistic in Statistic::ALL {
            block.times[HEAD][statistic] -= 0.10;
        }
    }
    let (assessment, _) = one(noisy);
    assert_eq!(assessment.verdict, Verdict::Noisy, "{assessment:?}");
    assert!(
        assessment
            .note
            .unwrap()
            .contains("the control differs from the base by +5.")
    );
}

#[test]
fn slower_calls_among_fast_ones_are_found_by_the_mean() {
    let mut random = Rng::with_seed(6);
    let mut slow = case(&mut random, "a", 40, 0.0, 0.005);
    for block in &mut slow.blocks {
        block.times[HEAD][Statistic::Mean] += (1.0_f64 / 12.0).ln_1p();
    }
    let (assessment, _) = one(slow);
    assert_eq!(
        (assessment.verdict, assessment.statistic),
        (Verdict::Slower, Statistic::Mean),
        "{assessment:?}"
    );
    assert!(assessment.sentence(1.0).starts_with("a: slower (mean), +8."));
}

#[test]
fn an_undecided_case_says_what_would_settle_it() {
    let mut random = Rng::with_seed(7);
    let (assessment, open) = one(case(&mut random, "a", 40, 0.02, 0.15));
    assert_eq!(
        (assessment.verdict, open),
        (Verdict::Inconclusive, None),
        "{assessment:?}"
    );
    let settle = assessment.settle.unwrap();
    assert!(settle.blocks > 40 && settle.blocks < 2000, "{settle:?}");
    let sentence = assessment.sentence(0.5);
    assert!(sentence.contains("a slowdown above 5 % is not excluded"), "{sentence}");
    assert!(sentence.contains("blocks would tell ("), "{sentence}");
    // As many blocks tell.
    let more = case(&mut random, "a", settle.blocks, 0.02, 0.15);
    let assessed = assess(&[more], &Plan::of(settle.blocks));
    assert!(assessed.cases[0].is_judged(), "{assessed:?}");
}

#[test]
fn counters_are_compared_with_all_that_the_base_counted() {
    let counters = |all: &[&[(&str, u64)]]| -> std::collections::BTreeSet<Counters> {
        let one = |counters: &&[(&str, u64)]| counters.iter().map(|(name, n)| ((*name).to_owned(), *n)).collect();
        all.iter().map(one).collect()
    };
    let check = |base: &[&[(&str, u64)]], head: &[&[(&str, u64)]], expected: Option<&str>, note: bool| {
        let (assessment, _) = one(Case {
            name: "a".to_owned(),
            counters: [counters(base), counters(head)],
            ..case(&mut Rng::with_seed(8), "a", 16, 0.0, 0.001)
        });
        assert_eq!(assessment.counters.as_deref(), expected);
        assert_eq!(assessment.note.is_some(), note, "{assessment:?}");
    };
    check(
        &[&[("dispatches", 1)]],
        &[&[("dispatches", 1), ("copies", 3)]],
        None,
        false,
    );
    check(
        &[&[("dispatches", 1)]],
        &[&[("dispatches", 2)]],
        Some("dispatches 1 → 2"),
        false,
    );
    check(
        &[&[("dispatches", 1)], &[("dispatches", 2)]],
        &[&[("dispatches", 2)]],
        None,
        true,
    );
    check(
        &[&[("dispatches", 1)], &[("dispatches", 2)]],
        &[&[("dispatches", 3)]],
        Some("dispatches 1 → 3"),
        true,
    );
    check(&[], &[&[("dispatches", 1)]], None, false);
}

#[test]
fn the_phase_that_changed_is_named() {
    let mut random = Rng::with_seed(9);
    let mut slow = case(&mut random, "a", 16, 0.1, 0.002);
    let mut phase = |ns: f64, factor: f64| -> Vec<Three> {
        let time = |place: usize, random: &mut Rng| {
            ns.ln() + 0.002 * normal(random) + if place == HEAD { factor } else { 0.0 }
        };
        (0..16)
            .map(|_| [0, 1, 2].map(|place| time(place, &mut random)))
            .collect()
    };
    slow.phases.insert("device".to_owned(), phase(70_000.0, 0.13));
    slow.phases.insert("queue".to_owned(), phase(80_000.0, 0.10));
    slow.phases.insert("upload".to_owned(), phase(10_000.0, 0.0));
    slow.phases
        .insert("readback".to_owned(), phase(10_000.0, 0.5)[..7].to_vec());
    let (assessment, _) = one(slow);
    let names: Vec<&str> = assessment.phases.iter().map(|phase| phase.name.as_str()).collect();
    assert_eq!(names, ["device", "queue"], "{assessment:?}");
    assert!(
        (assessment.phases[0].change_ns - 9_700.0).abs() < 500.0,
        "{assessment:?}"
    );
}

/// 50 suites of 6 unchanged cases with noise of 2 %, and as many in which one case is 5 % slower.
#[test]
fn unchanged_cases_are_called_slower_in_less_than_one_suite_in_a_hundred_and_five_per_cent_are_found() {
    let mut random = Rng::with_seed(10);
    let (mut slower, mut faster, mut found) = (0, 0, 0);
    for suite in 0..100 {
        let cases: Vec<Case> = (0..6)
            .map(|index| {
                let effect = if suite >= 50 && index == 0 {
                    0.05_f64.ln_1p()
                } else {
                    0.0
                };
                case(&mut random, &format!("case {index}"), 40, effect, 0.02)
            })
            .collect();
        let assessed = assess(&cases, &Plan::default());
        let skipped = usize::from(suite >= 50);
        let any = |word| {
            assessed.cases[skipped..]
                .iter()
                .any(|assessment| assessment.verdict == word)
        };
        slower += usize::from(any(Verdict::Slower));
        faster += usize::from(any(Verdict::Faster));
        found += usize::from(suite >= 50 && assessed.cases[0].verdict == Verdict::Slower);
    }
    // At a rate of 1 %, four or more of 100 come once in 50 times.
    assert!(slower < 4 && faster < 4, "{slower} slower, {faster} faster of 100");
    assert!(found >= 47, "{found} of 50");
}
