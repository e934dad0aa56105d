//! `cargo split-audit` over small worlds: a registry of empty crates, a workspace, a lock. See
//! `cases.toml`, one entry per trap. No network: the registry is a folder that cargo takes for crates.io.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop there")]

mod world;

use std::collections::BTreeMap;

use serde::Deserialize;
use world::{Run, World, WorldSpec};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cases {
    worlds: BTreeMap<String, WorldSpec>,
    case: Vec<Case>,
}

/// What to run in which world, and what must come of it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    world: String,
    #[serde(default)]
    args: Vec<String>,
    exit: i32,
    /// Every warning and error, as `error parent -> child : X own/theirs`; nothing for cases without a report.
    findings: Option<Vec<String>>,
    /// Number of infos, where it matters.
    infos: Option<u64>,
    /// What the text output or the error must say.
    #[serde(default)]
    says: Vec<String>,
    /// Lines of the lock that must be gone or new after the run, as a diff; an absent list says: unchanged.
    #[serde(default)]
    lock_diff: Vec<String>,
    /// Files to write over those of the world.
    #[serde(default)]
    files: BTreeMap<String, String>,
    /// Files to take away from the world.
    #[serde(default)]
    without: Vec<String>,
    /// Texts to replace in the lock.
    #[serde(default)]
    lock_edits: Vec<[String; 2]>,
    /// Where to run, below the workspace.
    #[serde(default)]
    folder: String,
}

#[test]
fn every_case_has_its_verdict() {
    let text = include_str!("cases.toml");
    let cases: Cases = toml::from_str(text).unwrap();
    assert!(cases.case.len() >= 55, "{} cases", cases.case.len());
    let only = std::env::var("AUDIT_CASE").unwrap_or_default();
    let next = std::sync::Mutex::new(cases.case.iter());
    let failures = std::sync::Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let Some(case) = next.lock().unwrap().next() else {
                        return;
                    };
                    if !case.name.contains(&only) {
                        continue;
                    }
                    if let Err(why) = check(case, &cases.worlds) {
                        failures.lock().unwrap().push(format!("## {}\n{why}", case.name));
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().unwrap();
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

fn check(case: &Case, worlds: &BTreeMap<String, WorldSpec>) -> Result<(), String> {
    let spec = worlds.get(&case.world).ok_or("no such world")?;
    let world = World::build(spec);
    for (path, text) in &case.files {
        world.write(path, text);
    }
    for path in &case.without {
        std::fs::remove_file(world.path(path)).unwrap();
    }
    for [from, to] in &case.lock_edits {
        let lock = world.lock().unwrap();
        if !lock.contains(from) {
            return Err(format!("the lock has no {from:?}:\n{lock}"));
        }
        world.write("Cargo.lock", &lock.replacen(from, to, 1));
    }
    let before = world.lock();
    let text = world.run(&case.folder, &case.args);
    let after = world.lock();
    let all = format!("{}{}", text.out, text.err);
    let mut wrong = Vec::new();
    if text.exit != case.exit {
        wrong.push(format!("exit {}, expected {}", text.exit, case.exit));
    }
    for said in &case.says {
        if !all.contains(said) {
            wrong.push(format!("it does not say {said:?}"));
        }
    }
    let diff = diff(before.as_deref(), after.as_deref());
    if diff != case.lock_diff {
        wrong.push(format!("the lock changed: {diff:#?}"));
    }
    if let Some(expected) = &case.findings {
        if let Some(before) = &before {
            world.write("Cargo.lock", before);
        }
        let mut args = case.args.clone();
        args.extend(["--format".to_owned(), "json".to_owned()]);
        let json = world.run(&case.folder, &args);
        let (found, infos) = findings(&json)?;
        if found != *expected {
            wrong.push(format!("findings {found:#?}"));
        }
        if case.infos.is_some_and(|expected| expected != infos) {
            wrong.push(format!("{infos} infos"));
        }
    }
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(format!("{}\n{all}", wrong.join("\n")))
    }
}

fn findings(run: &Run) -> Result<(Vec<String>, u64), String> {
    let json: serde_json::Value =
        serde_json::from_str(&run.out).map_err(|error| format!("{error}\n{}{}", run.out, run.err))?;
    let text = |value: &serde_json::Value| value.as_str().unwrap_or("?").to_owned();
    let rows = json["findings"].as_array().unwrap().iter();
    let mut found: Vec<String> = rows
        .filter(|row| row["level"] != "info")
        .map(|row| {
            let d = &row["diamond"];
            format!(
                "{} {} -> {} : {} {}/{}",
                text(&row["level"]),
                text(&d["parent"]["name"]),
                text(&d["child"]["name"]),
                text(&row["crate"]),
                text(&d["parent_uses"]["version"]),
                text(&d["child_uses"]["version"]),
            )
        })
        .collect();
    found.sort();
    Ok((found, json["infos"].as_u64().unwrap()))
}

fn diff(before: Option<&str>, after: Option<&str>) -> Vec<String> {
    let lines =
        |text: Option<&str>| -> Vec<String> { text.unwrap_or_default().split('\n').map(str::to_owned).collect() };
    let (mut gone, mut new) = (Vec::new(), lines(after));
    for line in lines(before) {
        match new.iter().position(|other| *other == line) {
            Some(index) => {
                new.remove(index);
            }
            None => gone.push(format!("-{}", line.trim())),
        }
    }
    gone.extend(new.iter().map(|line| format!("+{}", line.trim())));
    gone
}

/// The four workspaces with crates of crates.io, resolved from its index: the verdicts their EXPECTED.md give. `--apply`
/// reports what it found first, so that no audit is done twice.
#[test]
fn the_workspaces_the_project_began_with_have_the_expected_verdicts() {
    let windows = ["--target", "x86_64-pc-windows-msvc", "--features", "dx12"];
    let cases: [(&str, &[&str], i32, &[&str]); 5] = [
        ("origin-27-053", &["--target", "x86_64-unknown-linux-gnu"], 0, &[]),
        (
            "origin-27-053",
            &["--apply"],
            0,
            &[
                "error wgpu-hal -> gpu-allocator : windows 0.58.0/0.53.0",
                "warning repro -> wgpu-hal : windows 0.53.0/0.58.0",
            ],
        ),
        (
            "sticky-30-058",
            &["--apply"],
            0,
            &["error wgpu-hal -> gpu-allocator : windows 0.62.2/0.58.0"],
        ),
        (
            "blocked-alloc028",
            &["--apply"],
            4,
            &["warning repro -> wgpu-hal : gpu-allocator 0.28.0/0.27.0"],
        ),
        ("clean-30", &[], 0, &[]),
    ];
    for (name, args, exit, expected) in cases {
        let world = World::copy(name);
        let mut all = vec!["--format", "json"];
        all.extend(args);
        if !args.contains(&"--target") {
            all.extend(windows);
        }
        let all: Vec<String> = all.into_iter().map(str::to_owned).collect();
        let run = world.run("", &all);
        assert_eq!(run.exit, exit, "{name} {args:?}\n{}{}", run.out, run.err);
        assert_eq!(findings(&run).unwrap().0, expected, "{name} {args:?}");
        let json: serde_json::Value = serde_json::from_str(&run.out).unwrap();
        match (name, args.first()) {
            ("origin-27-053", Some(&"--apply")) => {
                assert_eq!(json["after"]["warnings"], 1, "{}", run.out);
            }
            ("sticky-30-058", Some(&"--apply")) => {
                let command = &json["cure"]["cured"][0]["equivalent_command"];
                assert_eq!(command, "`cargo update -p windows@0.58.0 --precise 0.62.2`");
            }
            ("blocked-alloc028", Some(&"--apply")) => {
                let blocked = &json["cure"]["blocked"][0];
                assert_eq!(blocked["first_release"], "wgpu-hal 28.0.0", "{}", run.out);
                let line = "wgpu-hal = { version = \"28.0.0\", default-features = false }";
                assert_eq!(blocked["manifest"][0]["line"], line);
                assert_eq!(blocked["manifest"][0]["place"], "Cargo.toml:10");
            }
            _ => {}
        }
    }
}
