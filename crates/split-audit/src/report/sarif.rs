//! SARIF 2.1.0, the form code scanning reads.

use serde_json::{Value, json};

use super::{Report, help, notes, rule, title};
use crate::finding::{Finding, Level, What};

const SCHEMA: &str = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

const RULES: [(&str, &str); 5] = [
    (
        "split-interop",
        "Two crates that pass each other's types depend on two versions of the crate the types come from",
    ),
    (
        "split-facade",
        "A crate depends on a facade and, at another version, on the crate behind it",
    ),
    (
        "split",
        "A crate and its dependency depend on two versions of one crate",
    ),
    ("duplicate", "A crate is there in several versions that do not meet"),
    ("configuration", "An exception is expired or covers nothing"),
];

pub(super) fn render(report: &Report<'_>) -> String {
    let rules: Vec<Value> = RULES
        .iter()
        .map(|(id, text)| json!({ "id": id, "shortDescription": { "text": text } }))
        .collect();
    let mut results: Vec<Value> = report.findings.iter().map(|f| result(report, f)).collect();
    let level = if report.deny_warn { "error" } else { "warning" };
    results.extend(
        report
            .warnings
            .iter()
            .map(|warning| json!({ "ruleId": "configuration", "level": level, "message": { "text": warning } })),
    );
    let document = json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "split-audit",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            }},
            "results": results,
            "properties": {
                "overApproximate": report.is_lock_only,
                "contexts": report.contexts,
            },
        }],
    });
    let mut text = serde_json::to_string_pretty(&document).expect("a JSON value always serialises");
    text.push('\n');
    text
}

fn result(report: &Report<'_>, finding: &Finding) -> Value {
    let place = report.place(finding);
    let level = match report.level(finding) {
        Level::Error => "error",
        Level::Warn => "warning",
        Level::Info => "note",
    };
    let mut message = vec![title(finding)];
    message.extend(notes(finding, report.is_lock_only));
    message.extend(help(finding, report.command));
    let identity = match &finding.what {
        // Without the line, so that a finding stays the same one when the lock moves around it.
        What::Meeting(m) => super::identity(m),
        What::Duplicate { name, .. } => name.clone(),
    };
    let mut result = json!({
        "ruleId": rule(finding),
        "level": level,
        "message": { "text": message.join("\n") },
        "partialFingerprints": { "splitAudit/v1": identity },
        "locations": [{
            "physicalLocation": {
                "artifactLocation": { "uri": uri(&report.lock.label) },
                "region": { "startLine": place.line },
            },
        }],
    });
    if let Some(reason) = &finding.excepted {
        result["suppressions"] = json!([{ "kind": "external", "status": "accepted", "justification": reason }]);
    }
    result
}

/// A relative path as a URI reference.
fn uri(label: &str) -> String {
    let mut uri = String::new();
    for byte in label.replace('\\', "/").bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' | b'~' => {
                uri.push(char::from(byte));
            }
            _ => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri
}
