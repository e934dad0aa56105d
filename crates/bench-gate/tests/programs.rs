//! The right program with the right data: each revision runs what `cargo bench` would run in it.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::{fs, process::Command};

use support::{Said, World, git};

const BOTH: [&str; 5] = ["programs", "plain", "head", "--run", "--bench"];

#[test]
fn a_file_read_relative_to_the_package_is_the_revisions_own() {
    let world = World::plain();
    // By the working folder, by the folder at compile time, and by cargo's variable at run time.
    world.bench(
        "",
        r#"criterion::case("relative", std::fs::metadata("testdata/x.txt").unwrap().len() as f64),
           criterion::case("compiled", std::fs::metadata(concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/x.txt")).unwrap().len() as f64),
           criterion::case("variable", std::fs::metadata(std::path::Path::new(&std::env::var("CARGO_MANIFEST_DIR").unwrap()).join("testdata/x.txt")).unwrap().len() as f64),
           criterion::case("named", std::env::var("CARGO_PKG_NAME").unwrap().len() as f64)"#,
    );
    world.write("testdata/x.txt", "0123456789");
    world.git(&["tag", "--delete", "plain"]);
    world.commit("plain");
    world.write("testdata/x.txt", "0123456789".repeat(2).as_str());
    world.commit("head");
    // What is edited and not committed belongs to the work tree alone.
    world.write("testdata/x.txt", "0123456789".repeat(3).as_str());
    let said = world.run(&BOTH);
    said.has(0, &["to be measured: testdata/x.txt differs"]);
    assert_eq!(said.values(), [10.0, 10.0, 10.0, 1.0, 20.0, 20.0, 20.0, 1.0]);
    let said = world.run(&["programs", "head", "worktree", "--run", "--bench"]);
    assert_eq!(said.values(), [20.0, 20.0, 20.0, 1.0, 30.0, 30.0, 30.0, 1.0]);
    // From anywhere.
    let manifest = world.repository().join("Cargo.toml");
    let args = [
        "programs",
        "plain",
        "--manifest-path",
        manifest.to_str().unwrap(),
        "--run",
        "--bench",
    ];
    let elsewhere = world.command(&args).current_dir(world.path("")).output().unwrap();
    assert_eq!(Said::of(elsewhere).values()[..3], [10.0, 10.0, 10.0]);
}

#[test]
fn helper_programs_and_files_of_build_scripts_are_the_revisions_own() {
    let world = World::plain();
    world.bench(
        "",
        r#"criterion::case("tool", std::process::Command::new(env!("CARGO_BIN_EXE_tool")).status().unwrap().code().unwrap() as f64),
           criterion::case("written", std::fs::metadata(concat!(env!("OUT_DIR"), "/table")).unwrap().len() as f64)"#,
    );
    let change = |tool: &str, table: &str| {
        world.write(
            "src/bin/tool.rs",
            &format!("fn main() {{ std::process::exit({tool}) }}\n"),
        );
        let script = format!(
            "fn main() {{ std::fs::write(std::env::var(\"OUT_DIR\").unwrap() + \"/table\", {table:?}).unwrap(); }}\n"
        );
        world.write("build.rs", &script);
    };
    world.git(&["tag", "--delete", "plain"]);
    change("11", "123");
    world.commit("plain");
    change("22", "123");
    world.commit("head");
    let said = world.run(&BOTH);
    said.has(0, &["to be measured: helper programs"]);
    assert_eq!(said.values(), [11.0, 3.0, 22.0, 3.0]);
    change("22", "1234");
    world.commit("table");
    let said = world.run(&["programs", "head", "table", "--run", "--bench"]);
    said.has(0, &["to be measured: files written by build scripts"]);
    assert_eq!(said.values(), [22.0, 3.0, 22.0, 4.0]);
}

#[test]
fn configuration_and_toolchain_are_those_of_each_revision() {
    let world = World::plain();
    world.bench("", "criterion::case(\"o/1\", if cfg!(fast) { 50.0 } else { 100.0 })");
    world.git(&["tag", "--delete", "plain"]);
    world.commit("plain");
    world.write(
        ".cargo/config.toml",
        "[build]\nrustflags = [\"--cfg\", \"fast\"]\ntarget-dir = \"elsewhere\"\n[env]\nMINE = \"1\"\n",
    );
    world.commit("head");
    let said = world.run(&BOTH);
    assert_eq!(said.values(), [100.0, 50.0], "{}", said.text);
    said.has(0, &["MINE=1", "to be measured: "]);
    assert!(
        !world.repository().join("elsewhere").exists(),
        "nothing is built in the project"
    );
    // What lies above the repository holds for both, as it does for `cargo bench`.
    fs::create_dir_all(world.path("work/.cargo")).unwrap();
    fs::write(
        world.path("work/.cargo/config.toml"),
        "[build]\nrustflags = [\"--cfg\", \"fast\"]\n",
    )
    .unwrap();
    assert_eq!(world.run(&BOTH).values(), [50.0, 50.0]);
    fs::remove_file(world.path("work/.cargo/config.toml")).unwrap();
    assert_eq!(world.run(&BOTH).values(), [100.0, 50.0]);

    let installed = Command::new("rustup").args(["toolchain", "list"]).output();
    let Ok(installed) = installed else { return };
    let installed = String::from_utf8_lossy(&installed.stdout).into_owned();
    let Some(version) = installed
        .lines()
        .find_map(|line| line.split_once("-x86_64").filter(|(name, _)| name.starts_with("1.")))
    else {
        return;
    };
    world.write(
        "rust-toolchain.toml",
        &format!("[toolchain]\nchannel = \"{}\"\n", version.0),
    );
    world.commit("toolchain");
    let mut command = world.command(&["programs", "head", "toolchain"]);
    // As cargo under rustup starts its subcommands.
    command
        .env("RUSTUP_TOOLCHAIN", "stable")
        .env("CARGO", "/nowhere/cargo")
        .env("CARGO_MANIFEST_DIR", "/nowhere");
    let said = Said::of(command.output().unwrap());
    let expected = format!("RUSTUP_TOOLCHAIN={}", version.0);
    said.has(0, &[&expected, "to be measured: "]).lacks(&["/nowhere"]);
    assert_eq!(said.text.matches(&expected).count(), 1, "{}", said.text);
}

#[test]
fn a_git_hook_keeps_the_users_index() {
    let world = World::plain();
    world.write("a.txt", "one\n");
    world.write("b.txt", "one\n");
    world.commit("files");
    let hook = format!(
        "#!/bin/sh\nBENCH_GATE_CACHE={:?} exec {:?} programs HEAD~1 worktree\n",
        world.path("cache"),
        env!("CARGO_BIN_EXE_cargo-bench-gate")
    );
    world.write("../hook", &hook);
    let place = world.repository().join(".git/hooks/pre-commit");
    fs::create_dir_all(place.parent().unwrap()).unwrap();
    fs::copy(world.path("work/hook"), &place).unwrap();
    #[cfg(unix)]
    fs::set_permissions(&place, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    // Hooks of the user must not run in trees.
    let trap = world.repository().join(".git/hooks/post-checkout");
    fs::write(
        &trap,
        "#!/bin/sh\necho trap > \"$(git rev-parse --git-common-dir)/trap\"\n",
    )
    .unwrap();
    #[cfg(unix)]
    fs::set_permissions(&trap, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    world.write("a.txt", "two\n");
    world.write("b.txt", "two\n");
    // `git commit PATH` gives the hook an index of its own; `-a` locks the user's.
    world.git(&["commit", "--quiet", "--message", "only a", "a.txt"]);
    assert_eq!(world.git(&["show", "--format=", "--name-only", "HEAD"]).trim(), "a.txt");
    assert_eq!(world.git(&["show", "HEAD:a.txt"]), "two\n");
    world.git(&["commit", "--quiet", "-a", "--message", "all"]);
    assert_eq!(world.git(&["show", "--format=", "--name-only", "HEAD"]).trim(), "b.txt");
    assert_eq!(world.git(&["status", "--porcelain"]), "");
    assert!(!world.repository().join(".git/trap").exists(), "a hook ran in a tree");
    world.is_tidy();
}

#[test]
fn every_bench_of_a_workspace_is_found_and_what_is_left_out_is_named() {
    let world = World::empty();
    world.write(
        "Cargo.toml",
        "[workspace]\nresolver = \"2\"\nmembers = [\"a\", \"b\"]\n",
    );
    world.package(
        "a",
        "a",
        "\n[[bench]]\nname = \"more\"\nharness = false\nrequired-features = [\"extra\"]\n\n[features]\nextra = []\n",
    );
    world.package("b", "b", "\n[[bench]]\nname = \"tests\"\n");
    world.bench("a", "criterion::case(\"o/1\", 1.0)");
    world.bench("b", "criterion::case(\"o/1\", 2.0)");
    world.write(
        "a/benches/more.rs",
        "fn main() { criterion::main(vec![criterion::case(\"o/2\", 3.0)]) }\n",
    );
    world.write("b/benches/tests.rs", "");
    world.commit("plain");
    let said = world.run(&["programs", "plain", "--run", "--bench"]);
    said.has(
        0,
        &[
            "speed of a",
            "speed of b",
            "bench `more` of a is left out: it requires features; add `--features extra`",
            "bench `tests` of b is left out: it is a libtest bench",
        ],
    );
    assert_eq!(said.values(), [1.0, 2.0]);
    let said = world.run(&["programs", "plain", "--features", "extra", "--run", "--bench"]);
    assert_eq!(said.values(), [3.0, 1.0, 2.0], "{}", said.text);
    let said = world.run(&["programs", "plain", "-p", "b", "--run", "--bench"]);
    assert_eq!(said.values(), [2.0]);
    // From a member's folder it is about that member.
    let mut command = world.command(&["programs", "plain", "--run", "--bench"]);
    let said = Said::of(command.current_dir(world.repository().join("a/src")).output().unwrap());
    assert_eq!(said.values(), [1.0], "{}", said.text);
    // Settings count where there is no flag.
    world.write(
        "Cargo.toml",
        "[workspace]\nresolver = \"2\"\nmembers = [\"a\", \"b\"]\n[workspace.metadata.bench-gate]\nworkspace = true\nfeatures = [\"extra\"]\n",
    );
    assert_eq!(world.run(&["programs", "--run", "--bench"]).values(), [3.0, 1.0, 2.0]);
    world.write(
        "Cargo.toml",
        &world.read("Cargo.toml").replace("workspace = true", "worspace = true"),
    );
    world.run(&["programs"]).has(
        2,
        &["Cargo.toml: [workspace.metadata.bench-gate]: unknown setting `worspace`"],
    );
}

#[test]
fn a_crate_that_moved_is_found_by_its_name() {
    let world = World::plain();
    fs::create_dir(world.repository().join("crates")).unwrap();
    world.package("crates/p", "p", "");
    world.bench("crates/p", "criterion::case(\"o/1\", 200.0)");
    for name in ["src", "benches"] {
        world.remove(name);
    }
    world.write(
        "Cargo.toml",
        "[workspace]\nresolver = \"2\"\nmembers = [\"crates/*\"]\n",
    );
    world.commit("head");
    // Standing in the new place.
    let mut command = world.command(&BOTH);
    let said = Said::of(
        command
            .current_dir(world.repository().join("crates/p"))
            .output()
            .unwrap(),
    );
    assert_eq!(said.values(), [100.0, 200.0], "{}", said.text);
    // And in the old one, whose manifest is the workspace's by now.
    assert_eq!(world.run(&BOTH).values(), [100.0, 200.0]);
    world.git(&["checkout", "--quiet", "--orphan", "other"]);
    world.git(&["rm", "-rfq", "."]);
    world.write("README.md", "nothing\n");
    world.commit("bare");
    world.git(&["checkout", "--quiet", "main"]);
    world.run(&["programs", "bare", "head"]).has(
        2,
        &[
            "bare cannot be measured: it has no Cargo.toml in its top folder",
            "it has no Cargo.toml at all",
        ],
    );
}

#[test]
fn a_revision_without_a_criterion_bench_is_no_failure() {
    let world = World::empty();
    world.write(
        "Cargo.toml",
        "[package]\nname = \"p\"\nversion = \"0.1.0\"\nedition = \"2021\"\n",
    );
    world.write("src/lib.rs", "");
    world.write(".gitignore", "target/\n");
    world.commit("none");
    world.package("", "p", "");
    world.bench("", "criterion::case(\"o/1\", 100.0)");
    world.commit("first");
    world
        .run(&["programs", "none", "first"])
        .has(0, &["no criterion bench", "they have different bench programs"]);
}

#[test]
fn submodules_and_packages_beside_the_repository_are_there() {
    let world = World::plain();
    let library = world.path("library");
    fs::create_dir_all(&library).unwrap();
    git(&library, &["init", "--quiet", "--initial-branch=main"]);
    let save = |text: &str| {
        fs::write(library.join("text"), text).unwrap();
        git(&library, &["add", "--all"]);
        git(&library, &["commit", "--quiet", "--message", text]);
    };
    save("1");
    world.git(&["submodule", "--quiet", "add", library.to_str().unwrap(), "sub"]);
    let outside = world.path("work/outside");
    fs::create_dir_all(outside.join("src")).unwrap();
    fs::write(
        outside.join("Cargo.toml"),
        "[package]\nname = \"outside\"\nversion = \"0.1.0\"\nedition = \"2021\"\n",
    )
    .unwrap();
    fs::write(outside.join("src/lib.rs"), "pub const VALUE: f64 = 7.0;\n").unwrap();
    world.package("", "p", "\n[dependencies]\noutside = { path = \"../outside\" }\n");
    world.bench("", "criterion::case(\"sub\", include_str!(\"../sub/text\").len() as f64), criterion::case(\"outside\", outside::VALUE)");
    world.git(&["tag", "--delete", "plain"]);
    world.commit("plain");
    save("12");
    git(&world.repository().join("sub"), &["pull", "--quiet"]);
    world.commit("head");
    let said = world.run(&BOTH);
    said.has(
        0,
        &["work/outside lies outside of the repository: every revision uses it as it is now"],
    );
    assert_eq!(said.values(), [1.0, 7.0, 2.0, 7.0], "{}", said.text);
    assert_eq!(
        world.run(&["programs", "worktree", "--run", "--bench"]).values(),
        [2.0, 7.0]
    );
    fs::remove_dir_all(&outside).unwrap();
    world.git(&["checkout", "--quiet", "plain"]);
    let output = world.command(&["programs", "head"]).output().unwrap();
    assert_ne!(output.status.code(), Some(0));
}

#[test]
fn locks_are_lent_and_completed() {
    let world = World::plain();
    // A library whose lock git ignores.
    world.write(".gitignore", "target/\nCargo.lock\n");
    world.git(&["rm", "--quiet", "--cached", "Cargo.lock", "--ignore-unmatch"]);
    world.commit("head");
    world.run(&["programs", "plain", "head"]).has(0, &["same program"]);
    // A lock that knows nothing of a dependency: cargo completes it, as `cargo bench` does.
    world.write(".gitignore", "target/\n");
    world.write(
        "Cargo.lock",
        "version = 4\n\n[[package]]\nname = \"p\"\nversion = \"0.1.0\"\n",
    );
    world.commit("stale");
    world
        .run(&["programs", "stale"])
        .has(0, &["the Cargo.lock of stale does not fit its Cargo.toml"]);
    assert!(
        !world.read("Cargo.lock").contains("criterion"),
        "the user's stays as it is"
    );
}

#[test]
fn documentation_alone_is_the_same_program_and_data_is_not() {
    let world = World::plain();
    world.bench_with(
        "",
        "fn helper() -> f64 {\n    100.0\n}",
        "criterion::case(concat!(\"o/\", env!(\"CARGO_PKG_NAME\")), helper())",
    );
    world.git(&["tag", "--delete", "plain"]);
    world.write("testdata/x.txt", "1\n");
    world.commit("plain");
    let against_plain = |tag: &str, expected: &str| {
        world.commit(tag);
        world.run(&["programs", "plain", tag]).has(0, &[expected]);
    };
    world.write("README.md", "More.\n");
    world.write("docs/page.md", "A page.\n");
    world.write("src/lib.rs", "//! A comment.\n");
    against_plain("docs", "same program: there is nothing to measure");
    // Programs hold the path of their tree where they ask for it; that is no difference.
    world.bench_with(
        "",
        "fn helper() -> f64 {\n    100.0\n}",
        "criterion::case(concat!(\"o/\", env!(\"CARGO_MANIFEST_DIR\")), helper())",
    );
    world.commit("path");
    world.write("README.md", "Even more.\n");
    world.commit("again");
    world.run(&["programs", "path", "again"]).has(0, &["same program"]);
    world.write("testdata/x.txt", "2\n");
    world.commit("data");
    world
        .run(&["programs", "again", "data"])
        .has(0, &["to be measured: testdata/x.txt differs"]);
    world.bench_with(
        "",
        "fn helper() -> f64 {\n    101.0\n}",
        "criterion::case(concat!(\"o/\", env!(\"CARGO_MANIFEST_DIR\")), helper())",
    );
    world
        .run(&["programs", "data", "worktree"])
        .has(0, &["to be measured: the program of `speed`"]);
}

#[test]
fn debug_information_is_no_part_of_a_program() {
    let world = World::plain();
    let manifest = world.read("Cargo.toml");
    world.write("Cargo.toml", &format!("{manifest}\n[profile.bench]\ndebug = true\n"));
    world.commit("debug");
    world.write("README.md", "More.\n");
    world.commit("docs");
    world
        .run(&["programs", "debug", "docs"])
        .has(0, &["same program: there is nothing to measure"]);
}

#[test]
fn a_document_that_a_bench_reads_is_data() {
    let world = World::plain();
    world.write("docs/long.md", "1");
    world.bench(
        "",
        "criterion::case(\"readme\", std::fs::read_to_string(\"readme.md\").unwrap().len() as f64), \
         criterion::case(\"long\", std::fs::read_to_string(std::path::Path::new(\"docs\").join(\"long.md\")).unwrap().len() as f64)",
    );
    world.git(&["tag", "--delete", "plain"]);
    world.write("readme.md", "1");
    world.write("CHANGELOG.md", "1");
    world.commit("plain");
    for (file, tag, expected) in [
        ("CHANGELOG.md", "changes", "same program"),
        (
            "readme.md",
            "readme",
            "to be measured: readme.md differs, and the program of `speed` names it",
        ),
        (
            "docs/long.md",
            "long",
            "to be measured: docs/long.md differs, and the program of `speed` names it",
        ),
    ] {
        let before = world.git(&["rev-parse", "HEAD"]);
        world.write(file, "12");
        world.commit(tag);
        world.run(&["programs", before.trim(), tag]).has(0, &[expected]);
    }
}

/// Benches in a workspace of their own, beside the library they measure: cargo names that by its whole path.
#[test]
fn packages_outside_of_the_workspace_do_not_hide_that_nothing_changed() {
    let world = World::empty();
    world.write(
        "Cargo.toml",
        "[package]\nname = \"library\"\nversion = \"0.1.0\"\nedition = \"2021\"\n",
    );
    world.write(
        "src/lib.rs",
        "#[inline(never)]\npub fn value() -> f64 {\n    100.0\n}\n",
    );
    world.package(
        "speed",
        "speed",
        "\n[dependencies]\nlibrary = { path = \"..\" }\n\n[workspace]\n",
    );
    world.bench("speed", "criterion::case(\"o/1\", library::value())");
    world.commit("plain");
    let run = |args: &[&str]| {
        let mut command = world.command(args);
        Said::of(command.current_dir(world.repository().join("speed")).output().unwrap())
    };
    world.write("README.md", "Documentation.\n");
    world.commit("head");
    run(&["programs", "plain", "head"]).has(0, &["same program: there is nothing to measure"]);
    world.write(
        "src/lib.rs",
        "#[inline(never)]\npub fn value() -> f64 {\n    200.0\n}\n",
    );
    world.commit("slow");
    let said = run(&["programs", "head", "slow", "--run", "--bench"]);
    said.has(0, &["to be measured: the program of `speed`"]);
    assert_eq!(said.values(), [100.0, 200.0]);
}

#[test]
fn dependencies_are_compiled_once_and_kept_revisions_not_at_all() {
    let world = World::plain();
    // Cargo keeps a repository's package as it keeps a registry's.
    let library = world.path("dependency");
    fs::create_dir_all(library.join("src")).unwrap();
    fs::write(
        library.join("Cargo.toml"),
        "[package]\nname = \"dependency\"\nversion = \"0.1.0\"\nedition = \"2021\"\n",
    )
    .unwrap();
    fs::write(library.join("src/lib.rs"), "pub const VALUE: f64 = 7.0;\n").unwrap();
    fs::write(
        library.join("build.rs"),
        "fn main() { std::fs::write(std::env::var(\"OUT_DIR\").unwrap() + \"/made\", \"x\").unwrap(); }\n",
    )
    .unwrap();
    git(&library, &["init", "--quiet", "--initial-branch=main"]);
    git(&library, &["add", "--all"]);
    git(&library, &["commit", "--quiet", "--message", "one"]);
    let url = format!("file://{}", library.display());
    world.package(
        "",
        "p",
        &format!("\n[dependencies]\ndependency = {{ git = {url:?} }}\n"),
    );
    world.bench("", "criterion::case(\"o/1\", dependency::VALUE)");
    world.git(&["tag", "--delete", "plain"]);
    world.commit("plain");
    world.bench("", "criterion::case(\"o/1\", 2.0 * dependency::VALUE)");
    world.commit("head");
    let run = || {
        let mut command = world.command(&BOTH);
        command.env("CARGO_HOME", world.path("cargo-home"));
        if let Some(home) = std::env::var_os("RUSTUP_HOME")
            .map(std::path::PathBuf::from)
            .or_else(|| std::env::home_dir().map(|home| home.join(".rustup")))
        {
            command.env("RUSTUP_HOME", home);
        }
        let said = Said::of(command.output().unwrap());
        assert_eq!(said.values(), [7.0, 14.0], "{}", said.text);
        said
    };
    let first = run();
    assert_eq!(first.text.matches("Compiling dependency").count(), 1, "{}", first.text);
    assert_eq!(first.text.matches("Compiling p ").count(), 2, "{}", first.text);
    run().lacks(&["Compiling"]);
    // A bench that writes into its folder does not change what the next one reads.
    world.is_tidy();
}

#[test]
fn what_git_ignores_is_carried_where_the_settings_say_so() {
    let world = World::plain();
    world.bench(
        "",
        "criterion::case(\"o/1\", std::fs::metadata(\"big/data\").unwrap().len() as f64)",
    );
    world.write(".gitignore", "target/\nbig/\n");
    world.write("big/data", "12345");
    world.package("", "p", "\n[package.metadata.bench-gate]\ncarry = [\"big\"]\n");
    world.commit("head");
    assert_eq!(world.run(&["programs", "head", "--run", "--bench"]).values(), [5.0]);
}

#[test]
fn names_that_mean_nothing_say_what_helps() {
    let world = World::plain();
    world.commit("second");
    world
        .run(&["programs", "nowhere"])
        .has(2, &["`nowhere` names no commit of the repository"])
        .lacks(&["shallow"]);
    let clone = world.path("clone");
    let url = format!("file://{}", world.repository().display());
    git(
        &world.path(""),
        &["clone", "--quiet", "--depth", "1", &url, clone.to_str().unwrap()],
    );
    let shallow = Said::of(
        world
            .command(&["programs", "HEAD~1"])
            .current_dir(&clone)
            .output()
            .unwrap(),
    );
    shallow.has(
        2,
        &["`HEAD~1` names no commit", "git fetch --unshallow", "fetch-depth: 0"],
    );
    let nowhere = Said::of(
        world
            .command(&["programs"])
            .current_dir(world.path(""))
            .output()
            .unwrap(),
    );
    nowhere.has(2, &["there is no Cargo.toml", "--manifest-path"]);
    fs::create_dir_all(world.path("bare/src")).unwrap();
    fs::write(world.path("bare/Cargo.toml"), "[package]\nname = \"bare\"\n").unwrap();
    fs::write(world.path("bare/src/lib.rs"), "").unwrap();
    let bare = Said::of(
        world
            .command(&["programs"])
            .current_dir(world.path("bare"))
            .output()
            .unwrap(),
    );
    bare.has(2, &["is in no git repository"]);
    world.write("src/lib.rs", "fn broken( {}\n");
    let broken = world.run(&["programs", "worktree"]);
    broken.has(1, &["worktree does not build: `cargo bench --bench speed` failed"]);
}

/// Ctrl-C at a terminal, and a polite request to end.
#[cfg(unix)]
#[test]
fn an_interrupted_build_says_so_and_leaves_nothing_running() {
    use std::{
        process::Stdio,
        time::{Duration, Instant},
    };
    let world = World::plain();
    let marker = world.path("building");
    let script = format!(
        "fn main() {{ std::fs::write({marker:?}, std::process::id().to_string()).unwrap(); std::thread::sleep(std::time::Duration::from_secs(600)); }}\n"
    );
    world.write("build.rs", &script);
    world.commit("slow");
    for signal in ["-INT", "-TERM"] {
        let _ = fs::remove_file(&marker);
        let mut command = world.command(&["programs", "slow"]);
        let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let until = |done: &dyn Fn() -> bool, what: &str| {
            let start = Instant::now();
            while !done() {
                assert!(start.elapsed() < Duration::from_secs(300), "{what}");
                std::thread::sleep(Duration::from_millis(20));
            }
        };
        let builder = || fs::read_to_string(&marker).ok().filter(|text| !text.is_empty());
        until(&|| builder().is_some(), "the build does not begin");
        let builder = builder().unwrap();
        let id = child.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
        let said = Said::of(child.wait_with_output().unwrap());
        said.has(1, &["error: interrupted"]).lacks(&["does not build"]);
        world.is_tidy();
        let is_gone = || {
            !Command::new("kill")
                .args(["-0", &builder])
                .stderr(Stdio::null())
                .status()
                .unwrap()
                .success()
        };
        until(&is_gone, "the build goes on");
    }
}
