//! Annotations of GitHub Actions, one workflow command for each case that needs a look; counters first.

use std::fmt::Write as _;

use super::{Against, Report, explanation};
use crate::verdict::{CaseVerdict, Verdict};

/// GitHub shows this many of each level for a step, and drops the rest without a word.
const MOST_OF_A_LEVEL: usize = 10;

const LEVELS: [&str; 3] = ["error", "warning", "notice"];

/// One annotation.
#[derive(Clone, Debug)]
pub(crate) struct Annotation {
    /// `error`, `warning` or `notice`.
    pub(crate) level: &'static str,
    pub(crate) verdict: Verdict,
    /// File and line, as properties that end with a comma; empty for none.
    pub(crate) place: String,
    pub(crate) case: String,
    pub(crate) message: String,
}

/// As many as GitHub shows, by severity, so that what is cut is what matters least; `source` is what the rest is named after.
pub(crate) fn commands(annotations: &[Annotation], source: &str) -> String {
    let mut out = String::new();
    for level in LEVELS {
        let mut of_level: Vec<&Annotation> = annotations.iter().filter(|a| a.level == level).collect();
        of_level.sort_by_key(|annotation| annotation.verdict);
        let shown = if of_level.len() > MOST_OF_A_LEVEL {
            MOST_OF_A_LEVEL - 1
        } else {
            of_level.len()
        };
        for Annotation {
            verdict,
            place,
            case,
            message,
            ..
        } in &of_level[..shown]
        {
            command(&mut out, level, place, &format!("{}: {case}", verdict.word()), message);
        }
        if shown < of_level.len() {
            let message = format!(
                "{} cases more; the job's summary has all of them",
                of_level.len() - shown
            );
            command(&mut out, level, "", source, &message);
        }
    }
    out
}

pub(super) fn render(report: &Report<'_>) -> String {
    let annotation = |verdict: &CaseVerdict| {
        Some(Annotation {
            level: level_of(report, verdict)?,
            verdict: verdict.verdict,
            place: place(report, verdict),
            case: verdict.case.to_string(),
            message: explanation(verdict),
        })
    };
    let annotations: Vec<Annotation> = report.verdicts.iter().filter_map(annotation).collect();
    let mut out = commands(&annotations, "bench");
    if report.against == Against::NoBaseline {
        command(&mut out, "warning", "", "no baseline", &report.conclusion());
    }
    out
}

fn level_of(report: &Report<'_>, verdict: &CaseVerdict) -> Option<&'static str> {
    match verdict.verdict {
        word if report.strictness.failure(word).is_some() => Some("error"),
        Verdict::CountersChanged | Verdict::Slower | Verdict::Inconclusive | Verdict::Noisy | Verdict::Missing => {
            Some("warning")
        }
        Verdict::Faster => Some("notice"),
        Verdict::New | Verdict::Pass | Verdict::NotMeasured => None,
    }
}

/// The line of the baseline that the case was held against.
fn place(report: &Report<'_>, verdict: &CaseVerdict) -> String {
    let here = report.places.iter().filter(|places| !places.file.is_empty());
    let mut found = here.filter_map(|places| Some((&places.file, places.lines.get(&verdict.case)?)));
    let place = |(file, line): (&String, &u64)| format!("file={},line={line},", property(file));
    found.next().map(place).unwrap_or_default()
}

fn command(out: &mut String, level: &str, place: &str, title: &str, message: &str) {
    writeln!(out, "::{level} {place}title={}::{}", property(title), data(message)).expect("a string takes everything");
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{
        Places,
        tests::{verdict, with_report},
    };

    /// Level, properties and message as the runner reads them.
    fn parse(line: &str) -> (String, Vec<(String, String)>, String) {
        let (head, message) = line.strip_prefix("::").unwrap().split_once("::").unwrap();
        let (level, properties) = head.split_once(' ').unwrap();
        let plain = |text: &str| {
            text.replace("%3A", ":")
                .replace("%2C", ",")
                .replace("%0A", "\n")
                .replace("%0D", "\r")
                .replace("%25", "%")
        };
        let pairs = properties.split(',').map(|pair| pair.split_once('=').unwrap());
        let pairs = pairs.map(|(name, value)| (name.to_owned(), plain(value))).collect();
        (level.to_owned(), pairs, plain(message))
    }

    #[test]
    fn whatever_stands_in_a_message_it_stays_one_command() {
        with_report(|report| {
            let mut report = report.clone();
            let mut noisy = verdict("cpu", Verdict::Noisy);
            let note = "100 % off,\r\n::error title=a,b::c";
            noisy.note = Some(note.to_owned());
            noisy.case.op = "a:b,c%d".to_owned();
            report.places = vec![Places {
                file: "base,lines/100%.csv".to_owned(),
                lines: [(noisy.case.clone(), 7)].into(),
            }];
            report.verdicts = vec![noisy];
            let text = render(&report);
            assert_eq!(text.lines().count(), 1, "{text}");
            let (level, properties, message) = parse(text.trim_end());
            assert_eq!((level.as_str(), message.as_str()), ("warning", note));
            let expected = [
                ("file", "base,lines/100%.csv"),
                ("line", "7"),
                ("title", "noisy: a:b,c%d/cpu/20000"),
            ];
            assert_eq!(
                properties,
                expected.map(|(name, value)| (name.to_owned(), value.to_owned()))
            );
        });
    }

    #[test]
    fn no_level_has_more_than_github_shows_and_the_worst_come_first() {
        with_report(|report| {
            let mut report = report.clone();
            report.verdicts = (1..=30)
                .map(|size| {
                    let word = if size == 30 {
                        Verdict::CountersChanged
                    } else {
                        Verdict::Slower
                    };
                    let mut verdict = verdict("cpu", word);
                    verdict.case.size = size;
                    verdict
                })
                .collect();
            let text = render(&report);
            let lines: Vec<&str> = text.lines().collect();
            assert_eq!(lines.len(), MOST_OF_A_LEVEL, "{text}");
            assert!(
                lines[0].contains("title=counters changed%3A vector_add/cpu/30"),
                "{text}"
            );
            assert!(
                lines[9].ends_with("21 cases more; the job's summary has all of them"),
                "{text}"
            );
        });
    }

    #[test]
    fn a_case_in_order_is_not_spoken_of_and_a_missing_baseline_is() {
        with_report(|report| {
            let mut report = report.clone();
            report.verdicts = vec![verdict("cpu", Verdict::New), verdict("gles", Verdict::NotMeasured)];
            assert_eq!(render(&report), "");
            report.against = Against::NoBaseline;
            report.exit = crate::exit::Exit::Pass;
            assert!(render(&report).starts_with("::warning title=no baseline::no baseline for this machine ("));
        });
    }
}
