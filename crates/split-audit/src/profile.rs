//! What to audit: targets × features, named so that findings can say where they hold.

use crate::error::Error;

/// The targets of an audit where neither flags nor configuration name any.
pub(crate) const DEFAULT_TARGETS: [&str; 3] = [
    "x86_64-pc-windows-msvc",
    "x86_64-unknown-linux-gnu",
    "aarch64-apple-darwin",
];

/// A set of targets audited with one set of features.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Profile {
    pub(crate) name: String,
    pub(crate) targets: Vec<String>,
    pub(crate) features: Features,
    /// Whether dev-dependencies of members count.
    pub(crate) dev: bool,
}

/// As cargo's flags of the same names.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct Features {
    pub(crate) all: bool,
    pub(crate) no_default: bool,
    pub(crate) named: Vec<String>,
}

impl Features {
    /// For cargo's command line.
    pub(crate) fn flags(&self) -> Vec<String> {
        let mut flags = Vec::new();
        if self.all {
            flags.push("--all-features".to_owned());
        }
        if self.no_default {
            flags.push("--no-default-features".to_owned());
        }
        if !self.named.is_empty() {
            flags.extend(["--features".to_owned(), self.named.join(",")]);
        }
        flags
    }
}

impl std::fmt::Display for Features {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut parts = Vec::new();
        if self.all {
            parts.push("all features".to_owned());
        } else if self.no_default {
            parts.push("no default features".to_owned());
        } else if self.named.is_empty() {
            parts.push("default features".to_owned());
        }
        if !self.named.is_empty() {
            parts.push(format!("features {}", self.named.join(",")));
        }
        f.write_str(&parts.join(", "))
    }
}

impl Profile {
    /// What one context of this profile is called in findings.
    pub(crate) fn context(&self, target: &str) -> String {
        let dev = if self.dev { "" } else { ", no dev-dependencies" };
        format!("{target} ({}{dev})", self.features)
    }

    /// Reads `TARGETS:FEATURES`, both comma-separated. Of the features, `*` is all of them and `-default` drops the
    /// default ones.
    ///
    /// # Errors
    /// No target in front of the colon.
    pub(crate) fn parse(text: &str, dev: bool) -> Result<Option<Self>, Error> {
        let Some((targets, features)) = text.split_once(':') else {
            return Ok(None);
        };
        let words = |list: &str| -> Vec<String> {
            let words = list.split([',', ' ']).map(str::trim);
            words.filter(|w| !w.is_empty()).map(str::to_owned).collect()
        };
        let targets = words(targets);
        if targets.is_empty() {
            return Err(Error::Usage {
                flag: "--profile",
                what: format!("`{text}` names no target in front of the colon"),
            });
        }
        let mut parsed = Features::default();
        for feature in words(features) {
            match feature.as_str() {
                "*" => parsed.all = true,
                "-default" => parsed.no_default = true,
                _ => parsed.named.push(feature),
            }
        }
        Ok(Some(Self {
            name: text.to_owned(),
            targets,
            features: parsed,
            dev,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_on_the_command_line_is_targets_and_features() {
        let cases = [
            ("windows", None),
            ("t:", Some((vec!["t"], "default features"))),
            ("t,u:a,b", Some((vec!["t", "u"], "features a,b"))),
            ("t:*", Some((vec!["t"], "all features"))),
            ("t:-default,a", Some((vec!["t"], "no default features, features a"))),
        ];
        for (text, expected) in cases {
            let parsed = Profile::parse(text, true).unwrap();
            let shown = parsed.map(|p| (p.targets, p.features.to_string()));
            let expected = expected.map(|(targets, features)| {
                let targets: Vec<String> = targets.into_iter().map(str::to_owned).collect();
                (targets, features.to_owned())
            });
            assert_eq!(shown, expected, "{text}");
        }
        assert!(Profile::parse(":a", true).is_err());
    }
}
