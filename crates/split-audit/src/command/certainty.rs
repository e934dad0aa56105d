//! What `activation` takes as certain must be what `cargo tree` builds: fewer edges cost time, one more is a false error.
//!
//! `AUDIT_WORKSPACES`, a list of folders like `PATH`, has the same said of other workspaces.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use super::cargo::Cargo;
use crate::{
    activation::Activation,
    profile::{Features, Profile},
    tree::{self, Tree},
};

const TARGETS: [&str; 4] = [
    "x86_64-pc-windows-msvc",
    "x86_64-unknown-linux-gnu",
    "aarch64-apple-darwin",
    "wasm32-unknown-unknown",
];

/// All features, no default features, dev-dependencies.
const PROFILES: [(bool, bool, bool); 3] = [(true, false, true), (false, false, false), (false, true, true)];

#[test]
fn every_certain_edge_is_one_that_cargo_tree_prints() {
    let own = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    let fixtures = own.join("crates/split-audit/tests/workspaces");
    let fixtures = std::fs::read_dir(fixtures).unwrap().map(|entry| entry.unwrap().path());
    for workspace in fixtures.chain([own.clone()]) {
        // A test of seconds: where targets and profiles differ most.
        check(&workspace, &TARGETS[..2], PROFILES[0]);
    }
    let more = std::env::var_os("AUDIT_WORKSPACES").unwrap_or_default();
    for workspace in std::env::split_paths(&more).filter(|path| !path.as_os_str().is_empty()) {
        for profile in PROFILES {
            check(&workspace, &TARGETS, profile);
        }
    }
}

fn check(workspace: &Path, targets: &[&str], (all, no_default, dev): (bool, bool, bool)) {
    let cargo = Cargo::new(workspace, false);
    let manifest = workspace.join("Cargo.toml");
    let features = Features {
        all,
        no_default,
        named: Vec::new(),
    };
    let profile = Profile {
        name: String::new(),
        targets: targets.iter().map(|&target| target.to_owned()).collect(),
        features,
        dev,
    };
    let cfgs = cargo.cfgs(std::slice::from_ref(&profile)).unwrap();
    for &target in targets {
        let targets = [target.to_owned()];
        let metadata = cargo.metadata(&manifest, &profile.features, &targets, true).unwrap();
        let certain = Activation::new(&metadata, &profile, target, &cfgs[target]);
        // Build scripts and procedural macros are left out, as their features are their own.
        let edges = if dev {
            "normal,dev,no-proc-macro"
        } else {
            "normal,no-proc-macro"
        };
        let mut command = Command::new(env!("CARGO"));
        command.arg("tree").arg("--manifest-path").arg(&manifest);
        command.args(["--locked", "--workspace", "--target", target, "--edges", edges]);
        command
            .args(["--prefix", "depth", "--format", tree::FORMAT])
            .args(profile.features.flags());
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let printed = Tree::parse(&String::from_utf8(output.stdout).unwrap()).unwrap().edges();
        let certain = certain.edges();
        let wrong: Vec<_> = certain.difference(&printed).collect();
        let context = profile.context(target);
        assert!(wrong.is_empty(), "{} {context}: {wrong:#?}", workspace.display());
        assert!(
            !certain.is_empty() || printed.is_empty(),
            "{} {context}",
            workspace.display()
        );
    }
}
