//! Tests and suites of them as JUnit's XML.
//!
//! It holds to `junit-10.xsd` of Jenkins's xUnit plugin, the strictest of the schemas in use: no properties of single
//! tests, no count of skipped tests over all suites. What fails the run is a failure, what cannot be told is skipped:
//! neither is a case nobody looked at.

use std::{borrow::Cow, io};

use quick_xml::{
    Writer,
    events::{BytesDecl, BytesText, Event},
};

/// How a test ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Passed,
    Skipped,
    Failed,
}

/// What is told of one case.
#[derive(Clone, Debug)]
pub(crate) struct Test {
    pub(crate) name: String,
    /// Of one call, where it was measured.
    pub(crate) time_ns: Option<f64>,
    pub(crate) outcome: Outcome,
    /// The verdict's word.
    pub(crate) kind: &'static str,
    /// Why, in one sentence.
    pub(crate) message: String,
    /// The figures, a line each.
    pub(crate) details: String,
}

/// Cases that stand together.
#[derive(Clone, Debug)]
pub(crate) struct Suite {
    /// Parts with slashes between them.
    pub(crate) name: String,
    /// Who measured, on which machine, with what.
    pub(crate) properties: Vec<(String, String)>,
    pub(crate) tests: Vec<Test>,
}

/// The document; `started` is when it was measured, in UTC.
pub(crate) fn render(name: &str, started: &str, suites: &[Suite]) -> String {
    let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
    write(name, started, suites, &mut writer).expect("memory takes everything");
    let mut xml = String::from_utf8(writer.into_inner()).expect("made of strings");
    xml.push('\n');
    xml
}

fn write(name: &str, started: &str, suites: &[Suite], writer: &mut Writer<Vec<u8>>) -> io::Result<()> {
    writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    let all: Vec<&Test> = suites.iter().flat_map(|suite| &suite.tests).collect();
    let attributes = [("name", legal(name).into_owned())];
    writer
        .create_element("testsuites")
        .with_attributes(strs(&attributes))
        .with_attributes(strs(&tally(&all)[..4]))
        .write_inner_content(|writer| {
            for suite in suites {
                write_suite(suite, started, writer)?;
            }
            Ok(())
        })?;
    Ok(())
}

fn strs<'a>(attributes: &'a [(&'static str, String)]) -> impl Iterator<Item = (&'a str, &'a str)> {
    attributes.iter().map(|(name, value)| (*name, value.as_str()))
}

/// Counts and total time of tests, which the schema asks for; the last is not one of all suites together.
fn tally(tests: &[&Test]) -> [(&'static str, String); 5] {
    let count = |wanted| tests.iter().filter(|test| test.outcome == wanted).count().to_string();
    // A sum of nothing would be -0.
    let total_ns = tests
        .iter()
        .filter_map(|test| test.time_ns)
        .fold(0.0, |sum, ns| sum + ns);
    [
        ("tests", tests.len().to_string()),
        ("failures", count(Outcome::Failed)),
        ("errors", "0".to_owned()),
        ("time", seconds(total_ns)),
        ("skipped", count(Outcome::Skipped)),
    ]
}

fn write_suite(suite: &Suite, started: &str, writer: &mut Writer<Vec<u8>>) -> io::Result<()> {
    let head = [
        ("name", legal(&suite.name).into_owned()),
        ("timestamp", legal(started).into_owned()),
    ];
    writer
        .create_element("testsuite")
        .with_attributes(strs(&head))
        .with_attributes(strs(&tally(&suite.tests.iter().collect::<Vec<_>>())))
        .write_inner_content(|writer| {
            writer.create_element("properties").write_inner_content(|writer| {
                for (name, value) in &suite.properties {
                    writer
                        .create_element("property")
                        .with_attribute(("name", legal(name).as_ref()))
                        .with_attribute(("value", legal(value).as_ref()))
                        .write_empty()?;
                }
                Ok(())
            })?;
            for test in &suite.tests {
                write_test(test, &suite.name, writer)?;
            }
            Ok(())
        })?;
    Ok(())
}

fn write_test(test: &Test, suite: &str, writer: &mut Writer<Vec<u8>>) -> io::Result<()> {
    let mut element = writer
        .create_element("testcase")
        .with_attribute(("name", legal(&test.name).as_ref()))
        // Dots are what viewers cut class names at.
        .with_attribute(("classname", legal(&suite.replace('/', ".")).as_ref()));
    if let Some(ns) = test.time_ns {
        element = element.with_attribute(("time", seconds(ns).as_str()));
    }
    element.write_inner_content(|writer| {
        let (element, text) = match test.outcome {
            Outcome::Failed => ("failure", test.details.as_str()),
            Outcome::Skipped => ("skipped", ""),
            Outcome::Passed => {
                let text = format!("{}\n{}", test.kind, test.details);
                let text = legal(text.trim_end()).into_owned();
                writer
                    .create_element("system-out")
                    .write_text_content(BytesText::new(&text))?;
                return Ok(());
            }
        };
        let element = writer
            .create_element(element)
            .with_attribute(("type", test.kind))
            .with_attribute(("message", legal(&test.message).as_ref()));
        if text.is_empty() {
            element.write_empty()?;
        } else {
            element.write_text_content(BytesText::new(&legal(text)))?;
        }
        Ok(())
    })?;
    Ok(())
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
