//! What a report says, against files with what it should.

use super::*;
use crate::{case::CounterChange, fingerprint::tests::example as fingerprint, run::tests::plan, verdict::Timing};

pub(super) fn verdict(backend: &str, verdict: Verdict) -> CaseVerdict {
    let case = CaseId {
        op: "vector_add".to_owned(),
        backend: backend.to_owned(),
        size: 20_000,
        tasks: 1,
    };
    CaseVerdict {
        processes: 6,
        calls: 12_000,
        p10_ns: Some(1_201_234.5),
        p10_spread_ns: Some(10_250.0),
        p50_ns: Some(1_234_567.0),
        ..CaseVerdict::new(case, verdict)
    }
}

/// Everything a report can say, against one baseline.
fn verdicts() -> Vec<CaseVerdict> {
    let judged = |backend: &str, word, percent: f64, quantile: &str| CaseVerdict {
        baseline_p50_ns: Some(51_234.0),
        quantile: Some(quantile.to_owned()),
        change_percent: Some(percent),
        detectable_percent: Some(7.25),
        ..verdict(backend, word)
    };
    let change = |name, old, new| CounterChange { name, old, new };
    let mut verdicts = vec![
        judged("cpu", Verdict::Pass, -0.4, "fastest tenth"),
        CaseVerdict {
            note: Some("no driver <here> | \"there\" & nowhere".to_owned()),
            ..CaseVerdict::new(verdict("gles", Verdict::NotMeasured).case, Verdict::NotMeasured)
        },
        CaseVerdict {
            counters: vec![change("passes", 1, 2), change("dispatches", 1, 2)],
            baseline_p50_ns: Some(51_234.0),
            ..verdict("vulkan", Verdict::CountersChanged)
        },
        judged("metal", Verdict::Slower, 12.34, "median"),
        judged("dx12", Verdict::Faster, -9.87, "fastest tenth"),
    ];
    let mut doubt = judged("vulkan", Verdict::Inconclusive, 8.1, "fastest tenth");
    doubt.case.tasks = 1000;
    doubt.case.size = 256;
    doubt.note = Some("+8.1 % at first, disturbed whenever it was measured again".to_owned());
    doubt.p10_spread_ns = None;
    verdicts.push(doubt);
    verdicts
}

pub(super) fn with_report(check: impl Fn(&Report<'_>)) {
    let (plan, fingerprint, verdicts) = (plan(), fingerprint(), verdicts());
    let places = Places {
        file: "baselines/machine.csv".to_owned(),
        lines: (6..).zip(&verdicts).map(|(line, v)| (v.case.clone(), line)).collect(),
    };
    check(&Report {
        plan: &plan,
        fingerprint: &fingerprint,
        against: Against::Baseline("machine".to_owned()),
        places: vec![places],
        strictness: Strictness {
            timing: Timing::Enforced,
            strict: false,
        },
        verdicts,
        crossovers: crossover::tests::examples(),
        exit: Exit::Regression,
    });
}

/// Compares with a file in `testdata/`, or writes it if `UPDATE_GOLDEN` is set.
fn golden(name: &str, text: &str) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("testdata")
        .join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        crate::files::write(&path, text.as_bytes()).unwrap();
    }
    let expected = crate::files::read(&path).unwrap().replace("\r\n", "\n");
    assert_eq!(text, expected, "{name} differs; UPDATE_GOLDEN=1 writes it anew");
}

#[test]
fn reports_look_as_they_should() {
    with_report(|report| {
        golden("report.txt", &report.text(|_| Style::new()));
        golden("annotations.txt", &report.annotations());
        for (name, content) in report.files() {
            golden(name, &content);
        }
    });
}

#[test]
fn counters_stand_before_times() {
    with_report(|report| {
        for text in [report.text(|_| Style::new()), report.markdown()] {
            let position = |part: &str| text.find(part).unwrap_or_else(|| panic!("{part} is not in\n{text}"));
            assert!(position("dispatches") < position("1.23 ms"), "{text}");
            assert!(
                position("counters: changed in 1 of 5 cases") < position("noticed from"),
                "{text}"
            );
        }
    });
}

#[test]
fn counters_that_are_the_same_are_said_to_be_and_those_of_no_baseline_are_not_spoken_of() {
    with_report(|report| {
        let mut report = report.clone();
        report.verdicts.retain(|v| v.counters.is_empty());
        assert_eq!(report.counters().unwrap(), "counters: unchanged (4 cases)");
        // Counters without a driver have a baseline on every machine; nothing else has one here.
        report.against = Against::NoBaseline;
        report.verdicts.iter_mut().for_each(|v| v.verdict = Verdict::New);
        assert_eq!(report.counters(), None);
        let noop = verdict("noop", Verdict::Pass);
        report.verdicts.push(CaseVerdict::new(noop.case, Verdict::Pass));
        let said = "counters: unchanged (1 cases without a driver)";
        assert_eq!(report.counters().unwrap(), said);
        assert!(!report.text(|_| Style::new()).contains("/noop/"), "it has no times");
    });
}
