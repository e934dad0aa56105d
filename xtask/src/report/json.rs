//! `verdicts.json`; `docs/verdicts.schema.json` documents it.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Against, Report};
use crate::{
    files,
    fingerprint::Fingerprint,
    verdict::{CaseVerdict, Verdict},
};

/// Raised when the meaning of a field changes, or one goes away.
const SCHEMA: u32 = 2;

pub(super) fn render(report: &Report<'_>) -> String {
    #[derive(Serialize)]
    struct Verdicts<'a> {
        schema: u32,
        headline: &'static str,
        exit: u8,
        against: &'a Against,
        fingerprint: String,
        machine: &'a Fingerprint,
        started: &'a str,
        commit: &'a str,
        versions: &'a BTreeMap<String, String>,
        command: &'a str,
        pace: &'a str,
        cases: Vec<Case<'a>>,
    }
    #[derive(Serialize)]
    struct Case<'a> {
        id: String,
        #[serde(flatten)]
        verdict: &'a CaseVerdict,
        fails: bool,
    }
    let fails = |verdict: Verdict| report.strictness.failure(verdict).is_some();
    files::json(&Verdicts {
        schema: SCHEMA,
        headline: report.headline(),
        exit: report.exit as u8,
        against: &report.against,
        fingerprint: report.fingerprint.id(),
        machine: report.fingerprint,
        started: &report.plan.started,
        commit: &report.plan.commit,
        versions: &report.plan.versions,
        command: &report.plan.command,
        pace: &report.plan.pace,
        cases: report
            .verdicts
            .iter()
            .map(|verdict| Case {
                id: verdict.case.to_string(),
                verdict,
                fails: fails(verdict.verdict),
            })
            .collect(),
    })
}
