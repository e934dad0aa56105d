//! Flags that several commands have.

use std::path::PathBuf;

use crate::project::{Error, Project, Selection};

/// Which project is meant.
#[derive(Clone, Debug, Default, clap::Args)]
pub(super) struct Place {
    /// Cargo.toml of the project [default: the one of the current folder]
    #[arg(long, value_name = "PATH")]
    manifest_path: Option<PathBuf>,
}

impl Place {
    pub(super) fn project(&self) -> Result<Project, Error> {
        Project::find(self.manifest_path.as_deref())
    }
}

/// Which benches are meant, as `cargo bench` has it.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Benches")]
pub(super) struct Benches {
    /// Package with benches [default: those of the current folder]
    #[arg(long, short, value_name = "NAME")]
    package: Vec<String>,
    /// All packages of the workspace
    #[arg(long)]
    workspace: bool,
    /// Packages to leave out
    #[arg(long, value_name = "NAME", requires = "workspace")]
    exclude: Vec<String>,
    /// Bench target [default: all]
    #[arg(long, value_name = "NAME")]
    bench: Vec<String>,
    /// Features to turn on
    #[arg(long, short = 'F', value_name = "FEATURES", value_delimiter = ',')]
    features: Vec<String>,
    /// Turn on all features
    #[arg(long)]
    all_features: bool,
    /// Turn off the `default` feature
    #[arg(long)]
    no_default_features: bool,
    /// Profile to build with [default: bench]
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// Toolchain for every revision [default: the one each asks for]
    #[arg(long, value_name = "NAME")]
    toolchain: Option<String>,
}

impl Benches {
    /// The benches, with the project's settings where there is no flag.
    pub(super) fn selection(&self, project: &Project) -> Selection {
        let settings = project.settings().selection();
        let or = |flags: &[String], settings: Vec<String>| if flags.is_empty() { settings } else { flags.to_vec() };
        let names_packages = !self.package.is_empty() || self.workspace;
        Selection {
            packages: if names_packages {
                self.package.clone()
            } else {
                settings.packages
            },
            workspace: self.workspace || !names_packages && settings.workspace,
            exclude: or(
                &self.exclude,
                if names_packages { Vec::new() } else { settings.exclude },
            ),
            benches: or(&self.bench, settings.benches),
            features: or(&self.features, settings.features),
            all_features: self.all_features || settings.all_features,
            no_default_features: self.no_default_features || settings.no_default_features,
            profile: self.profile.clone().or(settings.profile),
            toolchain: self.toolchain.clone(),
        }
    }
}
