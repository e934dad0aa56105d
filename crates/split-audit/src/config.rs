//! `[workspace.metadata.split-audit]` (or `[package.metadata.split-audit]` of a package without workspace): profiles,
//! crates and exceptions.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::Deserialize;

use crate::{
    error::Error,
    finding::{Finding, Level, What},
    lock::PackageId,
    profile::{Features, Profile},
};

/// What a workspace asks of its audits.
#[derive(Debug, Default)]
pub(crate) struct Config {
    /// Empty for the default ones.
    pub(crate) crates: Vec<String>,
    pub(crate) profiles: Vec<Profile>,
    pub(crate) exceptions: Vec<Exception>,
    /// What to say of a table under its old name.
    pub(crate) hint: Option<String>,
}

/// A diamond that somebody has looked at and found harmless, until a day.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Exception {
    /// `name` or `name@version`.
    parent: String,
    child: String,
    #[serde(rename = "crate")]
    shared: String,
    reason: String,
    /// The last day it holds, a TOML date or a string.
    #[serde(deserialize_with = "date")]
    expires: Date,
}

#[derive(Deserialize)]
struct Manifest {
    workspace: Option<Table>,
    package: Option<Table>,
}

#[derive(Deserialize)]
struct Table {
    metadata: Option<Metadata>,
}

#[derive(Deserialize)]
struct Metadata {
    #[serde(rename = "split-audit")]
    split_audit: Option<RawConfig>,
    /// Its name of before the tool had a crate of its own.
    #[serde(rename = "audit-deps")]
    audit_deps: Option<RawConfig>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RawConfig {
    #[serde(default)]
    crates: Vec<String>,
    #[serde(default)]
    profiles: BTreeMap<String, RawProfile>,
    #[serde(default)]
    exceptions: Vec<Exception>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RawProfile {
    targets: Vec<String>,
    #[serde(default)]
    features: Vec<String>,
    #[serde(default)]
    all_features: bool,
    #[serde(default = "yes")]
    default_features: bool,
    #[serde(default = "yes")]
    dev_dependencies: bool,
}

fn date<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Date, D::Error> {
    let text = match toml::Value::deserialize(deserializer)? {
        toml::Value::String(text) => text,
        other => other.to_string(),
    };
    text.parse().map_err(serde::de::Error::custom)
}

fn yes() -> bool {
    true
}

impl Config {
    /// Reads the configuration out of a root manifest; `label` names it in errors.
    ///
    /// # Errors
    /// Invalid TOML, unknown keys, a profile without targets, an exception without reason.
    pub(crate) fn parse(label: &str, manifest: &str) -> Result<Self, Error> {
        let parsed: Manifest = toml::from_str(manifest).map_err(|error| Error::toml(label, manifest, &error))?;
        let tables = [("workspace", parsed.workspace), ("package", parsed.package)];
        let found = tables.into_iter().find_map(|(name, table)| {
            let metadata = table?.metadata?;
            let old = || Some((metadata.audit_deps?, Some(name)));
            metadata.split_audit.map(|raw| (raw, None)).or_else(old)
        });
        let Some((raw, old_table)) = found else {
            return Ok(Self::default());
        };
        let hint = old_table.map(|name| {
            format!("{label}: rename `[{name}.metadata.audit-deps]` to `[{name}.metadata.split-audit]`; the old name is still read")
        });
        let wrong = |what: String| Error::Config {
            file: label.to_owned(),
            what,
        };
        let mut profiles = Vec::new();
        for (name, raw) in raw.profiles {
            if raw.targets.is_empty() {
                return Err(wrong(format!("the split-audit profile `{name}` has no targets")));
            }
            profiles.push(Profile {
                name,
                targets: raw.targets,
                features: Features {
                    all: raw.all_features,
                    no_default: !raw.default_features,
                    named: raw.features,
                },
                dev: raw.dev_dependencies,
            });
        }
        for exception in &raw.exceptions {
            if exception.reason.trim().is_empty() {
                return Err(wrong(format!(
                    "the split-audit exception for {exception} gives no reason"
                )));
            }
        }
        Ok(Self {
            crates: raw.crates,
            profiles,
            exceptions: raw.exceptions,
            hint,
        })
    }
}

impl std::fmt::Display for Exception {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} -> {} : {}", self.parent, self.child, self.shared)
    }
}

impl Exception {
    fn covers(&self, finding: &Finding) -> bool {
        finding.meeting().is_some_and(|meeting| {
            is_named(&self.parent, &meeting.parent)
                && is_named(&self.child, &meeting.child)
                && self.shared == meeting.child_uses.name
        })
    }
}

fn is_named(pattern: &str, id: &PackageId) -> bool {
    match pattern.split_once('@') {
        None => pattern == id.name,
        Some((name, version)) => name == id.name && version == id.version.to_string(),
    }
}

/// Lowers what the exceptions cover to INFO. Returns what is to be said of exceptions that are no longer right:
/// expired ones always, ones that cover nothing only where `is_whole` says that every profile was audited.
pub(crate) fn except(findings: &mut [Finding], exceptions: &[Exception], today: Date, is_whole: bool) -> Vec<String> {
    let mut warnings = Vec::new();
    for exception in exceptions {
        let is_expired = exception.expires < today;
        let mut covered = 0;
        for finding in findings.iter_mut() {
            if matches!(finding.what, What::Meeting(_)) && exception.covers(finding) {
                covered += 1;
                if !is_expired {
                    finding.level = Level::Info;
                    finding.excepted = Some(format!("{} (until {})", exception.reason, exception.expires));
                }
            }
        }
        if covered == 0 && is_whole {
            warnings.push(format!(
                "the exception for {exception} covers nothing any more; remove it"
            ));
        } else if is_expired {
            warnings.push(format!(
                "the exception for {exception} expired on {} ({}); look again, then renew or remove it",
                exception.expires, exception.reason
            ));
        }
    }
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.level));
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_configuration_names_its_line() {
        let cases = [
            ("[workspace\n", "Cargo.toml:1: "),
            (
                "[workspace.metadata.split-audit]\ncrate = []\n",
                "Cargo.toml:2: unknown field `crate`",
            ),
            (
                "[workspace.metadata.split-audit.profiles.p]\ntargets = []\n",
                "Cargo.toml: the split-audit profile `p` has no targets",
            ),
            (
                "[[workspace.metadata.split-audit.exceptions]]\nparent = 'a'\nchild = 'b'\ncrate = 'c'\nexpires = '2030-01-01'\n",
                "missing field `reason`",
            ),
            (
                "[[package.metadata.split-audit.exceptions]]\nparent = 'a'\nchild = 'b'\ncrate = 'c'\nreason = ' '\nexpires = '2030-01-01'\n",
                "Cargo.toml: the split-audit exception for a -> b : c gives no reason",
            ),
            (
                "[[package.metadata.split-audit.exceptions]]\nparent = 'a'\nchild = 'b'\ncrate = 'c'\nreason = 'r'\nexpires = 'soon'\n",
                "Cargo.toml:6: ",
            ),
        ];
        for (text, expected) in cases {
            let error = Config::parse("Cargo.toml", text).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}\n{error}");
        }
    }
}
