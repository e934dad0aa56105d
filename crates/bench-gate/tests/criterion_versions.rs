//! Real criterion, each version that there are projects with, in one comparison.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::{fs, path::Path};

use support::World;

/// A repository with the folder `criterion-versions`.
fn world() -> World {
    let world = World::empty();
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/criterion-versions");
    let recorder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../bench-recorder");
    for name in ["Cargo.toml", "Cargo.lock", "lib.rs", "slow"] {
        let text = fs::read_to_string(from.join(name)).unwrap();
        world.write(
            name,
            &text.replace("../../../bench-recorder", recorder.to_str().unwrap()),
        );
    }
    // The example of a bench that links `bench-recorder`.
    let sort = fs::read_to_string(recorder.join("benches/sort.rs")).unwrap();
    world.write("benches/sort.rs", &sort);
    for entry in fs::read_dir(from.join("benches")).unwrap() {
        let path = entry.unwrap().path();
        let name = format!("benches/{}", path.file_name().unwrap().to_str().unwrap());
        world.write(&name, &fs::read_to_string(path).unwrap());
    }
    world.write(".gitignore", "target/\n");
    world
}

#[test]
#[ignore = "builds four versions of criterion: cargo test -p bench-gate --test criterion_versions -- --ignored"]
fn every_criterion_from_0_3_on_is_listed_filtered_and_judged() {
    let world = world();
    world.commit("plain");
    world.write("README.md", "Documentation.\n");
    world.commit("documentation");
    world.write("slow", "1250\n");
    world.commit("head");
    // Optimised code would take four times as long to build, and the benches compute nothing.
    let dev = ["--profile", "dev"];
    world
        .run(&[&["ab", "plain", "documentation"][..], &dev].concat())
        .has(0, &["run the same programs on the same data"]);
    let criterion = ["v03", "v04", "v05", "v08", "bytes"]
        .map(|name| ["--bench", name])
        .concat();
    let said = world.run(&[&["ab", "plain", "head"][..], &dev, &criterion].concat());
    said.has(
        3,
        &[
            "it measures `bytes` and not time",
            "regression: 12 slower, 12 pass, 1 not measured",
        ],
    );
    for version in ["v03", "v04", "v05", "v08"] {
        let verdict = |case: &str| {
            let case = format!("{version}/group/{case}");
            let mut lines = said.stdout.lines().map(str::trim_start);
            let line =
                lines.find(|line| line.starts_with(&format!("{case}: ")) || line.starts_with(&format!("{case} ")));
            line.unwrap_or_else(|| panic!("{case}:\n{}", said.text)).to_owned()
        };
        for (case, is_slower) in [
            ("twice", false),
            ("twice #2", true),
            ("(plain) a+b", false),
            ("new", true),
        ] {
            let line = verdict(case);
            let change = line.contains("+25.0 %");
            assert_eq!(change, is_slower, "{line}");
        }
    }
    // A bench that links `bench-recorder` serves its calls: of a case's first call alone, it has the time.
    let out = world.path("out");
    let sort = [
        "--bench",
        "sort",
        "--case",
        "sort/1000",
        "--time-budget",
        "20",
        "--out",
        out.to_str().unwrap(),
    ];
    let said = world.run(&[&["ab", "plain", "head"][..], &dev, &sort].concat());
    assert!(said.text.contains("sort/1000"), "{}", said.text);
    let windows = fs::read_to_string(out.join("windows.jsonl")).unwrap();
    let window: serde_json::Value = serde_json::from_str(windows.lines().next().unwrap()).unwrap();
    assert!(window["cold_ns"]["first"].as_f64().unwrap() > 0.0, "{window}");
}
