//! `junit.xml`: a suite for every operator on every backend, a test for every case.
//!
//! It holds to `junit-10.xsd` of Jenkins's xUnit plugin, the strictest of the schemas in use: no properties of single
//! tests, no count of skipped tests over all suites. What fails the run is a failure, what cannot be told is skipped:
//! neither is a case nobody looked at.

use std::{borrow::Cow, io};

use quick_xml::{
    Writer,
    events::{BytesDecl, BytesText, Event},
};

use super::{Report, explanation, in_words};
use crate::verdict::{CaseVerdict, Verdict};

/// How a test ended.
enum Outcome {
    Passed,
    Skipped,
    Failed,
}

pub(super) fn render(report: &Report<'_>) -> String {
    let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
    write(report, &mut writer).expect("memory takes everything");
    let mut xml = String::from_utf8(writer.into_inner()).expect("made of strings");
    xml.push('\n');
    xml
}

fn write(report: &Report<'_>, writer: &mut Writer<Vec<u8>>) -> io::Result<()> {
    writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    let all: Vec<&CaseVerdict> = report.verdicts.iter().collect();
    let name = format!("bench: {}", report.headline());
    let attributes = [("name", legal(&name).into_owned())];
    writer
        .create_element("testsuites")
        .with_attributes(strs(&attributes))
        .with_attributes(strs(&tally(report, &all)[..4]))
        .write_inner_content(|writer| {
            for suite in suites(&all) {
                write_suite(report, &suite, writer)?;
            }
            Ok(())
        })?;
    Ok(())
}

fn strs<'a>(attributes: &'a [(&'static str, String)]) -> impl Iterator<Item = (&'a str, &'a str)> {
    attributes.iter().map(|(name, value)| (*name, value.as_str()))
}

/// The cases of each operator on each backend; cases are in order, so that those of a suite stand together.
fn suites<'a>(verdicts: &[&'a CaseVerdict]) -> Vec<Vec<&'a CaseVerdict>> {
    let mut sorted = verdicts.to_vec();
    sorted.sort_by(|a, b| a.case.cmp(&b.case));
    let is_same = |a: &&CaseVerdict, b: &&CaseVerdict| a.case.op == b.case.op && a.case.backend == b.case.backend;
    sorted.chunk_by(is_same).map(<[&CaseVerdict]>::to_vec).collect()
}

/// Counts and total time of tests, which the schema asks for; the last is not one of all suites together.
fn tally(report: &Report<'_>, verdicts: &[&CaseVerdict]) -> [(&'static str, String); 5] {
    let count = |wanted: fn(Outcome) -> bool| verdicts.iter().filter(|v| wanted(outcome(report, v))).count();
    // A sum of nothing would be -0.
    let total_ns = verdicts.iter().filter_map(|v| v.p50_ns).fold(0.0, |sum, ns| sum + ns);
    [
        ("tests", verdicts.len().to_string()),
        (
            "failures",
            count(|outcome| matches!(outcome, Outcome::Failed)).to_string(),
        ),
        ("errors", "0".to_owned()),
        ("time", seconds(total_ns)),
        (
            "skipped",
            count(|outcome| matches!(outcome, Outcome::Skipped)).to_string(),
        ),
    ]
}

fn write_suite(report: &Report<'_>, suite: &[&CaseVerdict], writer: &mut Writer<Vec<u8>>) -> io::Result<()> {
    let case = &suite[0].case;
    let name = format!("{}/{}", case.op, case.backend);
    let head = [
        ("name", legal(&name).into_owned()),
        ("timestamp", legal(&report.plan.started).into_owned()),
    ];
    writer
        .create_element("testsuite")
        .with_attributes(strs(&head))
        .with_attributes(strs(&tally(report, suite)))
        .write_inner_content(|writer| {
            writer.create_element("properties").write_inner_content(|writer| {
                for (name, value) in properties(report, &case.backend) {
                    writer
                        .create_element("property")
                        .with_attribute(("name", legal(&name).as_ref()))
                        .with_attribute(("value", legal(&value).as_ref()))
                        .write_empty()?;
                }
                Ok(())
            })?;
            for verdict in suite {
                write_case(report, verdict, &name, writer)?;
            }
            Ok(())
        })?;
    Ok(())
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

fn write_case(report: &Report<'_>, verdict: &CaseVerdict, suite: &str, writer: &mut Writer<Vec<u8>>) -> io::Result<()> {
    let name = verdict.case.amount();
    let mut test = writer
        .create_element("testcase")
        .with_attribute(("name", legal(&name).as_ref()))
        // Dots are what viewers cut class names at.
        .with_attribute(("classname", legal(&suite.replace('/', ".")).as_ref()));
    if let Some(ns) = verdict.p50_ns {
        test = test.with_attribute(("time", seconds(ns).as_str()));
    }
    let kind = verdict.verdict.word();
    let message = explanation(verdict);
    test.write_inner_content(|writer| {
        let (element, text) = match outcome(report, verdict) {
            Outcome::Failed => ("failure", details(verdict)),
            Outcome::Skipped => ("skipped", String::new()),
            Outcome::Passed => {
                let text = format!("{kind}\n{}", details(verdict));
                let text = legal(text.trim_end()).into_owned();
                writer
                    .create_element("system-out")
                    .write_text_content(BytesText::new(&text))?;
                return Ok(());
            }
        };
        let element = writer
            .create_element(element)
            .with_attribute(("type", kind))
            .with_attribute(("message", legal(&message).as_ref()));
        if text.is_empty() {
            element.write_empty()?;
        } else {
            element.write_text_content(BytesText::new(&legal(&text)))?;
        }
        Ok(())
    })?;
    Ok(())
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

/// A time of one call in seconds, to the picosecond.
fn seconds(ns: f64) -> String {
    format!("{:.12}", ns / 1e9)
}

/// XML has no way at all to write most control characters, nor the last two of the first plane.
fn legal(text: &str) -> Cow<'_, str> {
    let is_illegal = |c: char| matches!(c, '\0'..='\x08' | '\x0B' | '\x0C' | '\x0E'..='\x1F' | '\u{FFFE}' | '\u{FFFF}');
    if text.contains(is_illegal) {
        Cow::Owned(text.replace(is_illegal, "\u{FFFD}"))
    } else {
        Cow::Borrowed(text)
    }
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
