//! Which benches are meant, in cargo's terms, and the settings of a project.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::error::Error;

/// What is built and measured, as the flags of `cargo bench` say it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct Selection {
    /// Packages by name; empty for those that `cargo bench` takes in the project's folder.
    pub packages: Vec<String>,
    /// All members of the workspace.
    pub workspace: bool,
    /// Members to leave out.
    pub exclude: Vec<String>,
    /// Bench targets by name; empty for all.
    pub benches: Vec<String>,
    /// Features to turn on.
    pub features: Vec<String>,
    /// Every feature.
    pub all_features: bool,
    /// Not the default feature.
    pub no_default_features: bool,
    /// Another profile than `bench`.
    pub profile: Option<String>,
    /// Toolchain for every revision, instead of the one each asks for.
    pub toolchain: Option<String>,
}

impl Selection {
    /// The flags that say which features are on.
    pub(super) fn feature_flags(&self) -> Vec<String> {
        let mut flags = Vec::new();
        if !self.features.is_empty() {
            flags.extend(["--features".to_owned(), self.features.join(",")]);
        }
        for (is_on, flag) in [
            (self.all_features, "--all-features"),
            (self.no_default_features, "--no-default-features"),
        ] {
            flags.extend(is_on.then(|| flag.to_owned()));
        }
        flags
    }
}

/// `[workspace.metadata.bench-gate]`. Flags of the command line count before it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Settings {
    /// As `--package`.
    pub packages: Vec<String>,
    /// As `--workspace`.
    pub workspace: bool,
    /// As `--exclude`.
    pub exclude: Vec<String>,
    /// As `--bench`.
    pub benches: Vec<String>,
    /// As `--features`.
    pub features: Vec<String>,
    /// As `--all-features`.
    pub all_features: bool,
    /// As `--no-default-features`.
    pub no_default_features: bool,
    /// As `--profile`.
    pub profile: Option<String>,
    /// Files and folders that git ignores and benches read, from the repository's top folder: every revision gets
    /// the work tree's.
    pub carry: Vec<String>,
    /// Seconds a comparison may take.
    pub time_budget: Option<u64>,
}

impl Settings {
    /// Reads the table of a workspace, or of a package without one.
    ///
    /// # Errors
    /// [`Error::Settings`] with the setting at fault.
    pub(super) fn read(manifest: &Path, metadata: &cargo_metadata::Metadata) -> Result<Self, Error> {
        let of_workspace = metadata.workspace_metadata.get("bench-gate");
        let of_package = || metadata.root_package()?.metadata.get("bench-gate");
        let Some(table) = of_workspace.or_else(of_package) else {
            return Ok(Self::default());
        };
        serde_json::from_value(table.clone()).map_err(|error| Error::Settings {
            manifest: manifest.to_owned(),
            message: error.to_string().replace("unknown field", "unknown setting"),
        })
    }

    /// The benches that the settings name.
    #[must_use]
    pub fn selection(&self) -> Selection {
        Selection {
            packages: self.packages.clone(),
            workspace: self.workspace,
            exclude: self.exclude.clone(),
            benches: self.benches.clone(),
            features: self.features.clone(),
            all_features: self.all_features,
            no_default_features: self.no_default_features,
            profile: self.profile.clone(),
            toolchain: None,
        }
    }
}
