//! The forms of a report against their schemas and goldens, and what `--apply` does when something comes between.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop there")]

mod world;

use boon::{Compiler, SchemaIndex, Schemas};
use world::world_of;

fn args(words: &str) -> Vec<String> {
    words.split_whitespace().map(str::to_owned).collect()
}

fn schema(text: &str) -> (Schemas, SchemaIndex) {
    let mut schemas = Schemas::new();
    let mut compiler = Compiler::new();
    let schema = serde_json::from_str(text).unwrap();
    compiler.add_resource("schema.json", schema).unwrap();
    let index = compiler.compile("schema.json", &mut schemas).unwrap();
    (schemas, index)
}

/// Every kind of report: findings of all levels, an exception, a cure, a blocker, the lock alone.
const REPORTS: [(&str, &str); 7] = [
    ("origin", "--target x86_64-pc-windows-msvc --all-features"),
    (
        "origin",
        "--target x86_64-pc-windows-msvc --all-features --deny warn --fix",
    ),
    (
        "origin",
        "--target x86_64-pc-windows-msvc --all-features --deny warn --apply",
    ),
    ("origin", "--lock-only"),
    ("excepted", ""),
    ("apart", ""),
    ("upgraded", "--fix"),
];

#[test]
fn json_follows_its_documented_schema() {
    check_against(include_str!("../../../docs/split-audit.schema.json"), "json");
}

/// The schema is OASIS's, as the crate serde-sarif 0.8.0 (MIT) carries it.
#[test]
fn sarif_follows_the_schema_of_oasis() {
    check_against(include_str!("sarif-schema-2.1.0.json"), "sarif");
}

fn check_against(text: &str, format: &str) {
    let (schemas, index) = schema(text);
    for (name, flags) in REPORTS {
        let world = world_of(name);
        let run = world.run("", &args(&format!("{flags} --format {format}")));
        let report: serde_json::Value =
            serde_json::from_str(&run.out).unwrap_or_else(|error| panic!("{name} {flags}: {error}\n{}", run.err));
        if let Err(error) = schemas.validate(&report, index) {
            panic!("{name} {flags}: {error:#}\n{report:#}");
        }
        // A schema that admits anything would pass all of the above.
        let mut broken = report;
        broken.as_object_mut().unwrap().insert("surplus".to_owned(), 1.into());
        assert!(schemas.validate(&broken, index).is_err());
    }
}

/// `AUDIT_BLESS=1 cargo test -p split-audit --test formats` writes the goldens anew.
#[test]
fn text_and_annotations_are_as_in_the_goldens() {
    for format in ["text", "github", "sarif"] {
        let world = world_of("origin");
        let flags = "--target x86_64-pc-windows-msvc --all-features --fix --format";
        let run = world.run("", &args(&format!("{flags} {format}")));
        let golden = format!("{}/tests/golden/origin.{format}", env!("CARGO_MANIFEST_DIR"));
        if std::env::var_os("AUDIT_BLESS").is_some() {
            std::fs::write(&golden, &run.out).unwrap();
        }
        let expected = std::fs::read_to_string(&golden)
            .unwrap_or_default()
            .replace("\r\n", "\n");
        assert_eq!(run.out, expected, "{golden}");
    }
}

#[test]
fn an_applied_cure_is_clean_the_second_time_and_leaves_a_backup_of_the_first() {
    let world = world_of("dev");
    let before = world.lock().unwrap();
    assert_eq!(world.run("", &args("--apply")).exit, 0);
    let backup = std::fs::read_to_string(world.path("Cargo.lock.split-audit-1.bak")).unwrap();
    assert_eq!(backup, before);
    let cured = world.lock().unwrap();
    assert_eq!(cured.lines().count(), before.lines().count());
    let again = world.run("", &args("--apply"));
    assert_eq!(again.exit, 0, "{}", again.out);
    assert_eq!(world.lock().unwrap(), cured);
    assert!(!world.path("Cargo.lock.split-audit-2.bak").exists());
}

#[test]
fn a_lock_with_windows_line_ends_keeps_them() {
    let world = world_of("dev");
    let before = world.lock().unwrap().replace('\n', "\r\n");
    world.write("Cargo.lock", &before);
    let run = world.run("", &args("--apply"));
    assert_eq!(run.exit, 0, "{}{}", run.out, run.err);
    let expected = before.replacen(
        "\"windows 0.53.0\",\r\n]\r\n\r\n[[package]]\r\nname = \"old\"",
        "\"windows 0.58.0\",\r\n]\r\n\r\n[[package]]\r\nname = \"old\"",
        1,
    );
    assert_eq!(world.lock().unwrap(), expected);
}

/// A cargo that does something on the side, to come between the tool and its workspace.
#[cfg(unix)]
fn cargo_that(world: &world::World, script: &str) -> String {
    use std::os::unix::fs::PermissionsExt as _;
    let path = world.path("../cargo.sh");
    let text = format!("#!/bin/sh\n{script}\nexec \"{}\" \"$@\"\n", env!("CARGO"));
    world.write("../cargo.sh", &text);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path.to_str().unwrap().to_owned()
}

#[cfg(unix)]
#[test]
fn a_lock_that_somebody_else_changes_meanwhile_is_left_to_them() {
    let world = world_of("dev");
    // The first unlocked resolution is that of the shadow copy, long after the lock was read.
    let script =
        "case \"$*\" in *--locked*|*locate-project*) ;; *metadata*filter*) echo '# mine' >> Cargo.lock ;; esac";
    let cargo = cargo_that(&world, script);
    let before = world.lock().unwrap();
    let run = world.run_with("", &args("--apply"), &[("CARGO", &cargo)]);
    assert_eq!(run.exit, 1, "{}{}", run.out, run.err);
    assert!(
        run.err
            .contains("Cargo.lock: changed while the cure was being proven, nothing was written"),
        "{}",
        run.err
    );
    assert_eq!(world.lock().unwrap(), format!("{before}# mine\n"));
    assert!(!world.path("Cargo.lock.split-audit-1.bak").exists());
}

#[cfg(unix)]
#[test]
fn a_cure_that_fails_in_place_is_taken_back() {
    let world = world_of("dev");
    // With a backup there, the tool has written the lock; from then on this cargo fails.
    let cargo = cargo_that(
        &world,
        "[ -e Cargo.lock.split-audit-1.bak ] && { echo 'error: no more' >&2; exit 101; }",
    );
    let before = world.lock().unwrap();
    let run = world.run_with("", &args("--apply"), &[("CARGO", &cargo)]);
    assert_eq!(run.exit, 1, "{}{}", run.out, run.err);
    assert!(run.err.contains("the original was restored"), "{}", run.err);
    assert_eq!(world.lock().unwrap(), before);
    assert!(!world.path("Cargo.lock.split-audit-1.bak").exists());
}

#[cfg(unix)]
#[test]
fn a_lock_behind_a_link_stays_behind_it() {
    let world = world_of("dev");
    std::fs::rename(world.path("Cargo.lock"), world.path("real.lock")).unwrap();
    std::os::unix::fs::symlink("real.lock", world.path("Cargo.lock")).unwrap();
    let run = world.run("", &args("--apply"));
    assert_eq!(run.exit, 0, "{}{}", run.out, run.err);
    assert!(
        std::fs::symlink_metadata(world.path("Cargo.lock"))
            .unwrap()
            .is_symlink()
    );
    assert_eq!(world.run("", &[]).exit, 0);
}
