//! What the compiler said: its JSON messages that blame two versions of one crate.

use std::collections::BTreeSet;

use serde::Deserialize;

use crate::finding::{Finding, Ground, Level, What};

/// One such message.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Complaint {
    /// The package that does not compile.
    pub(crate) package: String,
    /// The crate of which there are two versions.
    pub(crate) shared: String,
    /// `error[E0308] at src/main.rs:3`.
    pub(crate) place: String,
}

#[derive(Deserialize)]
struct Line {
    reason: String,
    #[serde(default)]
    package_id: String,
    message: Option<Message>,
}

#[derive(Deserialize)]
struct Message {
    message: String,
    level: String,
    code: Option<Code>,
    #[serde(default)]
    spans: Vec<Span>,
    #[serde(default)]
    children: Vec<Message>,
}

#[derive(Deserialize)]
struct Code {
    code: String,
}

#[derive(Deserialize)]
struct Span {
    file_name: String,
    line_start: usize,
    is_primary: bool,
}

/// The complaints in the output of `cargo check --message-format=json`, each crate and package once.
pub(crate) fn parse(output: &str) -> Vec<Complaint> {
    let mut found: Vec<Complaint> = Vec::new();
    let mut known = BTreeSet::new();
    for line in output.lines().filter(|line| line.starts_with('{')) {
        let Ok(line) = serde_json::from_str::<Line>(line) else {
            continue;
        };
        let Some(message) = line
            .message
            .filter(|m| line.reason == "compiler-message" && m.level == "error")
        else {
            continue;
        };
        let package = package(&line.package_id);
        let code = message
            .code
            .as_ref()
            .map_or(String::new(), |code| format!("[{}]", code.code));
        let span = message.spans.iter().find(|span| span.is_primary);
        let place = span.map_or(String::new(), |span| {
            format!(" at {}:{}", span.file_name, span.line_start)
        });
        for note in message.children.iter().chain([&message]) {
            if let Some(shared) = blamed(&note.message)
                && known.insert((package.clone(), shared.to_owned()))
            {
                found.push(Complaint {
                    package: package.clone(),
                    shared: shared.to_owned(),
                    place: format!("error{code}{place}"),
                });
            }
        }
    }
    found
}

/// ``there are multiple different versions of crate `x` in the dependency graph``, and how older compilers said it.
fn blamed(note: &str) -> Option<&str> {
    let marks = [
        "multiple different versions of crate `",
        "perhaps two different versions of crate `",
    ];
    let rest = marks.iter().find_map(|mark| Some(note.split_once(mark)?.1))?;
    rest.split('`').next()
}

/// `path+file:///somewhere/app#0.1.0` or `…#app@0.1.0`; before 2024 `app 0.1.0 (path+file:///…)`.
fn package(id: &str) -> String {
    if let Some((path, rest)) = id.split_once('#') {
        return match rest.split_once('@') {
            Some((name, _)) => name.to_owned(),
            None => path.rsplit('/').next().unwrap_or(path).to_owned(),
        };
    }
    id.split(' ').next().unwrap_or(id).to_owned()
}

/// Raises what the compiler complained about to errors. Returns the complaints that no meeting explains.
pub(crate) fn raise<'c>(findings: &mut [Finding], complaints: &'c [Complaint]) -> Vec<&'c Complaint> {
    let mut open = Vec::new();
    for complaint in complaints {
        let mut is_explained = false;
        for finding in findings.iter_mut() {
            if let What::Meeting(m) = &mut finding.what
                && m.child_uses.name.replace('-', "_") == complaint.shared.replace('-', "_")
                && m.parent.name.replace('-', "_") == complaint.package.replace('-', "_")
            {
                is_explained = true;
                finding.level = Level::Error;
                m.ground = Ground::Compiler {
                    place: complaint.place.clone(),
                };
            }
        }
        if !is_explained {
            open.push(complaint);
        }
    }
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.level));
    open
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crate_and_a_package_are_named_once_and_warnings_are_none() {
        let line = |id: &str, level: &str, note: &str| {
            let child = format!(r#"{{"message":"{note}","level":"note","code":null,"spans":[],"children":[]}}"#);
            format!(
                r#"{{"reason":"compiler-message","package_id":"{id}","message":{{"message":"mismatched types","level":"{level}","code":{{"code":"E0308","explanation":null}},"spans":[{{"file_name":"src/main.rs","line_start":3,"is_primary":true}}],"children":[{child}]}}}}"#
            )
        };
        let note = "there are multiple different versions of crate `rand_core` in the dependency graph";
        let output = [
            "Compiling app".to_owned(),
            line("path+file:///somewhere/app#0.1.0", "error", note),
            line("path+file:///somewhere/app#0.1.0", "error", note),
            line(
                "registry+https://r#tool@1.2.3",
                "error",
                "perhaps two different versions of crate `http` are being used?",
            ),
            line("path+file:///somewhere/app#0.1.0", "warning", note),
            line("path+file:///somewhere/app#0.1.0", "error", "expected due to this"),
            "{ broken".to_owned(),
        ];
        let shown: Vec<String> = parse(&output.join("\n"))
            .into_iter()
            .map(|c| format!("{} {} {}", c.package, c.shared, c.place))
            .collect();
        assert_eq!(
            shown,
            [
                "app rand_core error[E0308] at src/main.rs:3",
                "tool http error[E0308] at src/main.rs:3"
            ]
        );
    }
}
