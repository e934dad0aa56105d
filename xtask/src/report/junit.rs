//! `junit.xml`: a suite for every operator on every backend, a test for every case.

use super::{Report, explanation, in_words};
use crate::{
    report::xml::{self, Outcome, Suite, Test},
    verdict::{CaseVerdict, Verdict},
};

pub(super) fn render(report: &Report<'_>) -> String {
    let all: Vec<&CaseVerdict> = report.verdicts.iter().collect();
    let suites: Vec<Suite> = suites(&all).iter().map(|cases| suite(report, cases)).collect();
    xml::render(&format!("bench: {}", report.headline()), &report.plan.started, &suites)
}

/// The cases of each operator on each backend; cases are in order, so that those of a suite stand together.
fn suites<'a>(verdicts: &[&'a CaseVerdict]) -> Vec<Vec<&'a CaseVerdict>> {
    let mut sorted = verdicts.to_vec();
    sorted.sort_by(|a, b| a.case.cmp(&b.case));
    let is_same = |a: &&CaseVerdict, b: &&CaseVerdict| a.case.op == b.case.op && a.case.backend == b.case.backend;
    sorted.chunk_by(is_same).map(<[&CaseVerdict]>::to_vec).collect()
}

fn suite(report: &Report<'_>, cases: &[&CaseVerdict]) -> Suite {
    let case = &cases[0].case;
    Suite {
        name: format!("{}/{}", case.op, case.backend),
        properties: properties(report, &case.backend),
        tests: cases.iter().map(|verdict| test(report, verdict)).collect(),
    }
}

fn test(report: &Report<'_>, verdict: &CaseVerdict) -> Test {
    Test {
        name: verdict.case.amount(),
        time_ns: verdict.p50_ns,
        outcome: outcome(report, verdict),
        kind: verdict.verdict.word(),
        message: explanation(verdict),
        details: details(verdict),
    }
}

/// Who measured, on which machine, with what.
fn properties(report: &Report<'_>, backend: &str) -> Vec<(String, String)> {
    let machine = report.fingerprint;
    let mut properties = vec![
        ("fingerprint", machine.id()),
        ("os", machine.os.clone()),
        ("arch", machine.arch.clone()),
        ("cpu", machine.cpu.clone()),
        ("logical_cores", machine.logical_cores.to_string()),
        ("affinity", format!("{:?}", machine.affinity).to_lowercase()),
        ("compiler", machine.compiler.clone()),
        ("commit", report.plan.commit.clone()),
        ("command", report.plan.command.clone()),
        ("pace", report.plan.pace.clone()),
    ];
    for adapter in machine.adapters.iter().filter(|adapter| adapter.backend == backend) {
        properties.extend([
            ("adapter", format!("{} ({})", adapter.name, adapter.kind)),
            ("driver", format!("{} {}", adapter.driver, adapter.driver_version)),
        ]);
    }
    let versions = report.plan.versions.iter();
    let versions = versions.map(|(name, version)| (format!("version.{name}"), version.clone()));
    properties
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .chain(versions)
        .collect()
}

fn outcome(report: &Report<'_>, verdict: &CaseVerdict) -> Outcome {
    match verdict.verdict {
        word if report.strictness.failure(word).is_some() => Outcome::Failed,
        Verdict::Inconclusive | Verdict::Noisy | Verdict::Missing | Verdict::NotMeasured => Outcome::Skipped,
        _ => Outcome::Passed,
    }
}

/// The figures a verdict rests on, counters first, a line each.
fn details(verdict: &CaseVerdict) -> String {
    let mut lines = Vec::new();
    if !verdict.counters.is_empty() {
        lines.push(in_words(&verdict.counters));
    }
    let time = |name: &str, ns: Option<f64>| ns.map(|ns| format!("{name} {ns:.1} ns"));
    lines.extend(time("median", verdict.p50_ns));
    lines.extend(time("fastest tenth", verdict.p10_ns));
    lines.extend(time("median of the baseline", verdict.baseline_p50_ns));
    lines.extend(verdict.change_percent.map(|percent| {
        format!(
            "{} changed by {percent:+.1} %, calibrated",
            verdict.quantile.as_deref().unwrap_or("time")
        )
    }));
    lines.extend(
        verdict
            .detectable_percent
            .map(|percent| format!("noticed from {percent:.1} %")),
    );
    if verdict.calls > 0 {
        lines.push(format!("{} calls in {} process(es)", verdict.calls, verdict.processes));
    }
    lines.extend(verdict.note.clone());
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use roxmltree::{Document, Node};

    use super::*;
    use crate::report::tests::{verdict, with_report};

    /// Attributes (`!` must be there) and children that junit-10.xsd of Jenkins's xUnit plugin allows, for the elements
    /// in use here.
    const SCHEMA: [(&str, &str, &str); 8] = [
        ("testsuites", "name time tests failures errors", "testsuite"),
        (
            "testsuite",
            "name! tests! failures! errors! group time skipped timestamp hostname id package file log url",
            "testsuite properties testcase system-out system-err",
        ),
        ("properties", "", "property"),
        ("property", "name! value!", ""),
        (
            "testcase",
            "name! time classname group",
            "skipped error failure system-out system-err",
        ),
        ("failure", "type message", ""),
        ("skipped", "type message", ""),
        ("system-out", "", ""),
    ];

    fn hold_to_schema(node: Node<'_, '_>) {
        let name = node.tag_name().name();
        let (_, attributes, children) = SCHEMA
            .iter()
            .find(|(element, ..)| *element == name)
            .unwrap_or_else(|| panic!("<{name}>"));
        let known: Vec<&str> = attributes.split(' ').map(|a| a.trim_end_matches('!')).collect();
        for attribute in node.attributes() {
            assert!(known.contains(&attribute.name()), "{name} has {}", attribute.name());
        }
        for required in attributes.split(' ').filter_map(|a| a.strip_suffix('!')) {
            assert!(node.has_attribute(required), "{name} lacks {required}");
        }
        if let Some(time) = node.attribute("time") {
            let is_number = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_digit());
            let (whole, decimals) = time.split_once('.').unwrap();
            assert!(is_number(whole) && is_number(decimals), "{time}");
        }
        for child in node.children().filter(Node::is_element) {
            let child_name = child.tag_name().name();
            assert!(
                children.split(' ').any(|c| c == child_name),
                "{name} has <{child_name}>"
            );
            hold_to_schema(child);
        }
    }

    fn with_document(report: &Report<'_>, check: impl Fn(&Document<'_>)) {
        let xml = render(report);
        let document = Document::parse(&xml).unwrap_or_else(|error| panic!("{error}\n{xml}"));
        assert_eq!(document.root_element().tag_name().name(), "testsuites");
        hold_to_schema(document.root_element());
        check(&document);
    }

    fn children<'a>(node: Node<'a, 'a>, name: &'static str) -> Vec<Node<'a, 'a>> {
        node.children().filter(|child| child.has_tag_name(name)).collect()
    }

    #[test]
    fn counts_are_those_of_the_tests_within() {
        with_report(|report| {
            with_document(report, |document| {
                let root = document.root_element();
                let suites: Vec<_> = root.children().filter(|n| n.has_tag_name("testsuite")).collect();
                let names: Vec<_> = suites.iter().map(|s| s.attribute("name").unwrap()).collect();
                assert_eq!(
                    names,
                    ["cpu", "dx12", "gles", "metal", "vulkan"].map(|b| format!("vector_add/{b}"))
                );
                let sum = |attribute: &str| -> usize {
                    suites
                        .iter()
                        .map(|s| s.attribute(attribute).unwrap().parse::<usize>().unwrap())
                        .sum()
                };
                let within = |element: &str| root.descendants().filter(|n| n.has_tag_name(element)).count();
                assert_eq!(
                    (sum("tests"), sum("failures"), sum("skipped"), sum("errors")),
                    (6, 2, 2, 0)
                );
                assert_eq!((within("testcase"), within("failure"), within("skipped")), (6, 2, 2));
                assert_eq!(
                    (root.attribute("tests"), root.attribute("failures")),
                    (Some("6"), Some("2"))
                );
            });
        });
    }

    #[test]
    fn what_fails_is_what_fails_the_run() {
        let check = |word: Verdict, strict: bool, timing, expected: &str| {
            with_report(|report| {
                let mut report = report.clone();
                report.strictness = crate::verdict::Strictness { timing, strict };
                report.verdicts = vec![verdict("cpu", word)];
                with_document(&report, |document| {
                    let test = document.descendants().find(|n| n.has_tag_name("testcase")).unwrap();
                    let names: Vec<_> = test
                        .children()
                        .filter(Node::is_element)
                        .map(|n| n.tag_name().name())
                        .collect();
                    assert_eq!(names, [expected], "{word:?}, strict: {strict}");
                });
            });
        };
        use crate::verdict::Timing::{Advisory, Enforced};
        check(Verdict::CountersChanged, false, Advisory, "failure");
        check(Verdict::Slower, false, Enforced, "failure");
        check(Verdict::Slower, false, Advisory, "system-out");
        check(Verdict::Noisy, false, Enforced, "skipped");
        check(Verdict::Noisy, true, Enforced, "failure");
        check(Verdict::Missing, false, Enforced, "skipped");
        check(Verdict::Missing, true, Enforced, "failure");
        check(Verdict::NotMeasured, true, Enforced, "skipped");
        check(Verdict::New, true, Enforced, "system-out");
        check(Verdict::Faster, true, Enforced, "system-out");
    }

    #[test]
    fn any_text_comes_back_as_it_was_or_with_a_mark_where_xml_has_no_character() {
        let check = |text: &str, expected: &str| {
            with_report(|report| {
                let mut report = report.clone();
                let mut plan = report.plan.clone();
                plan.command = text.to_owned();
                report.plan = &plan;
                let mut noted = verdict("cpu", Verdict::Noisy);
                noted.note = Some(text.to_owned());
                let mut strict = report.clone();
                strict.strictness.strict = true;
                strict.verdicts = vec![noted];
                with_document(&strict, |document| {
                    let failure = document.descendants().find(|n| n.has_tag_name("failure")).unwrap();
                    assert_eq!(failure.attribute("message"), Some(expected));
                    assert!(failure.text().unwrap().ends_with(expected), "{:?}", failure.text());
                    let root = document.root_element();
                    let suite = children(root, "testsuite")[0];
                    let properties = children(suite, "properties")[0];
                    let command = children(properties, "property")
                        .into_iter()
                        .find(|p| p.attribute("name") == Some("command"));
                    assert_eq!(command.unwrap().attribute("value"), Some(expected));
                });
            });
        };
        check(
            "a < b && c > \"d\" 'e' ]]> <!-- é µ → 𝄞",
            "a < b && c > \"d\" 'e' ]]> <!-- é µ → 𝄞",
        );
        check("two\r\nlines\tand a tab", "two\r\nlines\tand a tab");
        check(
            "bell \x07, escape \x1B[31m, null \0, \u{FFFF}",
            "bell \u{FFFD}, escape \u{FFFD}[31m, null \u{FFFD}, \u{FFFD}",
        );
    }
}
