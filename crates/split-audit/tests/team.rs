//! What a team's CI asks for: what the compiler said, known findings, the commit that brought a split.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop there")]

mod world;

use std::{io::Write as _, process::Command};

use world::{World, world_of};

const DX12: &str = "--target x86_64-pc-windows-msvc --features dx12 --no-cure";

fn run(world: &World, more: &str) -> (i32, String) {
    let words = DX12.split(' ').chain(more.split_whitespace());
    let run = world.run("", &words.map(str::to_owned).collect::<Vec<String>>());
    (run.exit, format!("{}{}", run.out, run.err))
}

/// As cargo writes it with `--message-format=json`.
const CHECK: &str = r#"{"reason":"compiler-artifact","package_id":"registry+https://r#x@0.1.0"}
{"reason":"compiler-message","package_id":"path+file:///somewhere/app#0.1.0","message":{"message":"mismatched types","level":"error","code":{"code":"E0308","explanation":null},"spans":[{"file_name":"src/lib.rs","line_start":3,"is_primary":true}],"children":[{"message":"there are multiple different versions of crate `windows` in the dependency graph","level":"note","code":null,"spans":[],"children":[]}]}}
"#;

#[test]
fn what_the_compiler_blames_on_two_versions_is_an_error_from_a_file_and_from_a_pipe() {
    let world = world_of("origin");
    world.write("check.json", CHECK);
    let (exit, said) = run(&world, "--from-rustc check.json");
    assert_eq!(exit, 3, "{said}");
    assert!(
        said.contains("app 0.1.0 does not compile: error[E0308] at src/lib.rs:3"),
        "{said}"
    );
    assert!(said.contains("2 error(s), 0 warning(s)"), "{said}");

    let mut command = Command::new(env!("CARGO_BIN_EXE_cargo-split-audit"));
    command
        .current_dir(world.path(""))
        .arg("split-audit")
        .args(DX12.split(' '));
    command
        .args(["--offline", "--from-rustc", "-"])
        .env("CARGO_HOME", world.path("../home"));
    command.env("CARGO", env!("CARGO"));
    command
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(CHECK.as_bytes()).unwrap();
    let piped = child.wait_with_output().unwrap();
    // What comes behind it is how far a slow run is.
    let piped = String::from_utf8_lossy(&piped.stdout);
    assert!(!piped.is_empty() && said.starts_with(&*piped), "{piped}\n{said}");
}

#[test]
fn a_complaint_that_nothing_explains_is_warned_about_and_is_not_clean() {
    let world = world_of("origin");
    world.write("check.json", &CHECK.replace("crate `windows`", "crate `elsewhere`"));
    let (exit, said) = run(&world, "--from-rustc check.json");
    assert_eq!(exit, 3, "{said}");
    assert!(
        said.contains("two versions of `elsewhere`, but no dependency of it that was read exposes them"),
        "{said}"
    );
    let world = world_of("apart");
    world.write("check.json", &CHECK.replace("crate `windows`", "crate `elsewhere`"));
    let run = world.run("", &["--from-rustc".to_owned(), "check.json".to_owned()]);
    assert_eq!(run.exit, 3, "{}", run.out);
    assert!(!run.out.contains("clean"), "{}", run.out);
}

#[test]
fn known_findings_are_infos_and_new_ones_fail() {
    let world = world_of("origin");
    let (exit, said) = run(&world, "--write-baseline known");
    assert_eq!(exit, 3, "{said}");
    let known = std::fs::read_to_string(world.path("known")).unwrap();
    let lines: Vec<&str> = known.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(lines.len(), 2, "{known}");

    let (exit, said) = run(&world, "--baseline known");
    assert_eq!(exit, 0, "{said}");
    assert!(said.contains("excepted: known in known"), "{said}");
    assert!(said.contains("0 error(s), 0 warning(s), 3 info"), "{said}");

    // Without the error's line, it is new.
    let error = lines.iter().find(|line| line.starts_with("wgpu-hal")).unwrap();
    world.write("known", &known.replace(error, "gone 0.1.0>away 0.1.0:x 0.1.0/x 0.2.0"));
    let (exit, said) = run(&world, "--baseline known");
    assert_eq!(exit, 3, "{said}");
    // The line that is gone is warned about.
    assert!(said.contains("1 error(s), 1 warning(s)"), "{said}");
    assert!(
        said.contains("known: `gone 0.1.0>away 0.1.0:x 0.1.0/x 0.2.0` is gone; remove the line"),
        "{said}"
    );

    let (exit, said) = run(&world, "--baseline absent");
    assert_eq!(exit, 1, "{said}");
    assert!(said.contains("absent"), "{said}");
}

#[test]
fn the_commit_of_the_lock_that_brought_a_split_is_named() {
    let world = world_of("origin");
    let split = world.lock().unwrap();
    let joined = {
        let at = split.find("name = \"gpu-allocator\"").unwrap();
        split[..at].to_owned() + &split[at..].replacen("\"windows 0.53.0\"", "\"windows 0.58.0\"", 1)
    };
    let git = |arguments: &[&str]| {
        let mut command = Command::new("git");
        command.arg("-C").arg(world.path("")).args([
            "-c",
            "user.name=t",
            "-c",
            "user.email=t@t",
            "-c",
            "commit.gpgsign=false",
        ]);
        let output = command.args(arguments).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    let commit = |lock: &str, subject: &str| {
        world.write("Cargo.lock", lock);
        git(&["add", "."]);
        git(&["commit", "--quiet", "--allow-empty", "-m", subject]);
    };
    git(&["init", "--quiet"]);
    commit(&joined, "first");
    git(&["tag", "base"]);
    commit(&joined, "nothing of the lock");
    commit(&split, "update the allocator");
    commit(&split, "and more");
    let (_, said) = run(&world, "--since base");
    let notes: Vec<&str> = said
        .lines()
        .filter(|l| l.contains("brought by") || l.contains("older than"))
        .collect();
    assert_eq!(notes.len(), 2, "{said}");
    assert!(
        notes[0].contains("brought by commit ") && notes[0].ends_with(": update the allocator"),
        "{said}"
    );
    // The member's own split was there from the beginning.
    assert!(notes[1].ends_with("it is older than base"), "{said}");

    let (_, said) = run(&world, "--since HEAD");
    assert!(
        !said.contains("brought by") && said.contains("it is older than HEAD"),
        "{said}"
    );
    world.write("Cargo.lock", &joined);
    commit(&joined, "joined again");
    world.write("Cargo.lock", &split);
    let (_, said) = run(&world, "--since base");
    assert!(said.contains("the lock here brings it, and is not committed"), "{said}");
    let (exit, said) = run(&world, "--since nowhere");
    assert_eq!(exit, 2, "{said}");
    assert!(said.contains("`--since`: fatal: "), "{said}");
}
