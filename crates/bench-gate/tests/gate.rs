//! `cargo bench-gate` from end to end, on benches that say what they take.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::fs;

use support::World;

const AB: [&str; 3] = ["ab", "plain", "head"];

fn ab<'a>(more: &[&'a str]) -> Vec<&'a str> {
    AB.iter().chain(more).copied().collect()
}

#[test]
fn a_change_is_found_and_the_same_program_is_not_measured() {
    let world = World::plain();
    world.write("README.md", "Documentation.\n");
    world.commit("head");
    let out = world.path("out");
    let said = world.run(&ab(&["--out", out.to_str().unwrap()]));
    said.has(
        0,
        &[
            "pass: plain",
            "run the same programs on the same data; nothing was measured",
        ],
    );
    assert!(!out.join("windows.jsonl").exists());
    assert!(
        fs::read_to_string(out.join("summary.md"))
            .unwrap()
            .contains("nothing was measured")
    );
    world.run(&ab(&["--always"])).has(0, &["o/1", "pass: 1 pass"]);
    world.bench("", "criterion::case(\"o/1\", 110.0)");
    let worktree = ["ab", "plain", "--case", "o/"];
    world
        .run(&worktree)
        .has(3, &["worktree against plain", "+10.0 %", "regression: 1 slower"]);
    world
        .run(&["ab", "plain", "--case", "nothing"])
        .has(2, &["no case is named like `nothing`; there are o/1"]);
    world
        .run(&["bisect", "plain", "head", "o/1"])
        .has(0, &["run the same program on the same data"]);
    world.commit("slow");
    world.bench("", "criterion::case(\"o/1\", 111.0)");
    world.commit("slower");
    let culprit = world.git(&["rev-parse", "--short=12", "slow"]);
    world
        .run(&["bisect", "plain", "slower", "o/1"])
        .has(0, &["the first commit with it is", &format!("{} slow", culprit.trim())]);
}

#[test]
fn cases_are_found_whatever_their_names() {
    let world = World::empty();
    world.package("", "p", "");
    let long = "long/".to_owned() + &"x".repeat(120);
    let cases = |ns: f64| {
        format!(
            "criterion::case(\"new\", {ns:.1}), criterion::case(\"vec/new\", {ns:.1}), criterion::case(\"new/new\", {ns:.1}), \
             criterion::case(\"{long}a\", {ns:.1}), criterion::case(\"{long}b\", 50.0), criterion::case(\"twice\", {ns:.1}), \
             criterion::case(\"twice\", 70.0), criterion::case(\"issue #7 (a+b)\", {ns:.1})"
        )
    };
    world.bench("", &cases(100.0));
    world.commit("plain");
    world.bench("", &cases(120.0));
    world.commit("head");
    let said = world.run(&AB);
    said.has(3, &["regression: 6 slower, 2 pass"]);
    for case in ["new", "vec/new", "new/new", "twice", "twice #2", "issue #7 (a+b)"] {
        assert!(
            said.stdout.lines().any(|line| line.trim_start().starts_with(case)),
            "{case}:\n{}",
            said.text
        );
    }
}

#[test]
fn new_removed_and_renamed_cases_are_in_the_summary() {
    let world = World::plain();
    world.bench(
        "",
        "criterion::case(\"kept\", 1.0), criterion::case(\"old\", 100.0), criterion::case(\"gone\", 1.0)",
    );
    world.git(&["tag", "--delete", "plain"]);
    world.commit("plain");
    world.bench(
        "",
        "criterion::case(\"kept\", 1.0), criterion::case(\"young\", 200.0), criterion::case(\"added\", 1.0)",
    );
    world.commit("head");
    let out = world.path("out");
    let args = ab(&["--map-case", "old=young", "--out", out.to_str().unwrap()]);
    world.run(&args).has(
        3,
        &["young was called old", "added", "1 slower, 1 pass, 1 new, 1 removed"],
    );
    let summary = fs::read_to_string(out.join("summary.md")).unwrap();
    for part in [
        "- New: added",
        "- Removed: gone",
        "`young` was called `old`",
        "+100.0 %",
    ] {
        assert!(summary.contains(part), "{part}: {summary}");
    }
    world
        .run(&ab(&["--map-case", "x=young"]))
        .has(2, &["--map-case x=young: the base has no case `x`"]);
    world
        .run(&ab(&["--case", "added"]))
        .has(0, &["nothing to compare: 1 new"]);
    world
        .run(&ab(&["--case", "kept", "--case", "gone", "--strict"]))
        .has(4, &["undecided: 1 pass, 1 removed"]);
}

#[test]
fn a_comparison_is_shown_as_a_page() {
    let world = World::plain();
    world
        .run(&["report"])
        .has(2, &["no comparison has ended in", "`cargo bench-gate ab` makes one"]);
    world.run(&["report", "nowhere"]).has(1, &["cannot find nowhere"]);
    world
        .run(&["report", "src"])
        .has(2, &["src: no case of a run or comparison is in this folder"]);
    world.write("README.md", "Documentation.\n");
    world.commit("head");
    let same = world.path("same");
    world.run(&ab(&["--out", same.to_str().unwrap()])).has(0, &[]);
    world.run(&["report", same.to_str().unwrap()]).has(0, &["report.html"]);
    let page = fs::read_to_string(same.join("report.html")).unwrap();
    assert!(page.contains("nothing was measured"), "{page}");
    // The latest comparison, which lies in the target folder, is what is shown unless folders are named.
    world.bench("", "criterion::case(\"o/1\", 200.0)");
    world.run(&["ab", "plain"]).has(3, &["+100.0 %"]);
    let said = world.run(&["report", "--svg"]);
    said.has(0, &["target/bench-gate/", "report.html", "pictures into"]);
    let file = std::path::PathBuf::from(said.stdout.trim());
    let page = fs::read_to_string(&file).unwrap();
    for part in [
        "regression: 1 slower",
        "o/1",
        "+100 %",
        "cargo bench-gate ab plain",
        "worktree",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert!(file.with_file_name("figures").join("changes-dark.svg").is_file());
    // Elsewhere, beside another one.
    let (folder, out) = (
        file.parent().unwrap().to_str().unwrap().to_owned(),
        world.path("page.html"),
    );
    world
        .run(&[
            "report",
            &folder,
            same.to_str().unwrap(),
            "--out",
            out.to_str().unwrap(),
        ])
        .has(0, &["page.html"]);
    assert!(fs::read_to_string(out).unwrap().contains("same"));
}

#[test]
fn the_first_bench_has_nothing_to_be_compared_with() {
    let world = World::empty();
    world.write(
        "Cargo.toml",
        "[package]\nname = \"p\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[[bench]]\nname = \"old\"\n",
    );
    world.write("benches/old.rs", "");
    world.write("src/lib.rs", "");
    world.write(".gitignore", "target/\n");
    world.commit("plain");
    world.package("", "p", "");
    world.remove("benches/old.rs");
    world.bench("", "criterion::case(\"o/1\", 100.0)");
    world.commit("head");
    world.run(&AB).has(
        0,
        &[
            "bench `old` of p is left out: it is a libtest bench",
            "nothing to compare: 1 new",
        ],
    );
}

/// Else it would pass for ever.
#[test]
fn what_is_named_and_cannot_be_measured_is_an_error() {
    let world = World::plain();
    world.package(
        "",
        "p",
        "\n[[bench]]\nname = \"more\"\nharness = false\nrequired-features = [\"extra\"]\n\n[features]\nextra = []\n",
    );
    world.write(
        "benches/more.rs",
        "fn main() { criterion::main(vec![criterion::case(\"o/2\", 3.0)]) }\n",
    );
    world.commit("head");
    let check = |more: &[&str], expected: &[&str]| {
        world.run(&ab(more)).has(2, expected);
        world
            .run(&[&["programs", "plain", "head"], more].concat())
            .has(2, expected);
    };
    check(
        &["--bench", "sped"],
        &["bench `sped` cannot be measured: not in plain nor in head; there are more, speed"],
    );
    check(
        &["--bench", "speed", "--bench", "sped"],
        &["bench `sped` cannot be measured"],
    );
    check(
        &["-p", "q"],
        &["package `q` cannot be measured: not in plain nor in head; there are p"],
    );
    check(
        &["--bench", "more"],
        &["bench `more` cannot be measured", "add `--features extra`"],
    );
    // What only one of them has is new or removed.
    world
        .run(&ab(&["--bench", "more", "--features", "extra", "--case", "o/2"]))
        .has(0, &["o/2: new", "nothing to compare: 1 new"]);
    world
        .run(&["record", "--bench", "sped"])
        .has(2, &["bench `sped` cannot be measured: not in HEAD"]);
    world.write(
        "Cargo.toml",
        "[package]\nname = \"p\"\nversion = \"0.1.0\"\nedition = \"2021\"\n",
    );
    world.remove("benches");
    world.commit("none");
    world.write("README.md", "");
    world.run(&["ab", "none"]).has(
        2,
        &["none and worktree cannot be measured: no criterion bench is chosen"],
    );
    world
        .run(&["bisect", "plain", "worktree", "o/1"])
        .has(2, &["a bisection goes through commits"]);
}

#[test]
fn members_with_the_same_ids_are_never_mixed() {
    let world = World::empty();
    world.write(
        "Cargo.toml",
        "[workspace]\nresolver = \"2\"\nmembers = [\"a\", \"b\", \"c\"]\n",
    );
    for (name, ns) in [("a", 100), ("b", 210)] {
        world.package(name, name, "");
        world.bench(name, &format!("criterion::case(\"o/1\", {ns}.0)"));
    }
    // Not criterion's, though it has no libtest harness.
    world.package("c", "c", "");
    world.write(
        "c/benches/speed.rs",
        "fn main() { println!(\"test x ... bench: 5 ns/iter\"); }\n",
    );
    world.commit("plain");
    world.write("README.md", "Documentation.\n");
    world.commit("head");
    let said = world.run(&ab(&["--always"]));
    said.has(
        0,
        &[
            "a/o/1",
            "b/o/1",
            "pass: 2 pass",
            "bench `speed` of c is left out in plain",
            "is it a criterion program?",
        ],
    );
    said.lacks(&["slower"]);
}

#[test]
fn what_is_no_time_is_refused_by_name() {
    let world = World::plain();
    world.bench("", "criterion::measured_in(\"bytes\", \"o/1\", 100.0)");
    world.git(&["tag", "--delete", "plain"]);
    world.commit("plain");
    world.bench("", "criterion::measured_in(\"bytes\", \"o/1\", 50.0)");
    world.commit("head");
    // Nothing is judged, which is no pass.
    world
        .run(&AB)
        .has(4, &["it measures `bytes` and not time", "undecided: 1 not measured"]);
}

#[test]
fn a_value_without_a_unit_is_no_time_either() {
    let world = World::plain();
    world.bench(
        "",
        "criterion::measured_in(\"\", \"o/1\", 100.0), criterion::case(\"o/2\", 100.0)",
    );
    world.git(&["tag", "--delete", "plain"]);
    world.commit("plain");
    // More is better, for all that is known.
    world.bench(
        "",
        "criterion::measured_in(\"\", \"o/1\", 200.0), criterion::case(\"o/2\", 100.0)",
    );
    world.commit("head");
    world
        .run(&AB)
        .has(
            0,
            &[
                "it measures values without a unit and not time",
                "1 pass, 1 not measured",
            ],
        )
        .lacks(&["slower"]);
    world
        .run(&ab(&["--strict"]))
        .has(4, &["undecided: 1 pass, 1 not measured"]);
}

#[test]
fn a_panic_is_told_whole() {
    let world = World::plain();
    world.bench(
        "",
        "criterion::case(\"o/1\", { if std::env::args().all(|arg| arg != \"--list\") { \
         panic!(\"{}\", (1..=30).map(|n| format!(\"difference {n}\")).collect::<Vec<_>>().join(\"\\n\")) } 1.0 })",
    );
    world.commit("head");
    let out = world.path("out");
    let said = world.run(&ab(&["--out", out.to_str().unwrap()]));
    said.has(
        1,
        &["o/1: not measured", "head cannot run it", "failed: 1 not measured"],
    );
    for n in [1, 2, 15, 30] {
        assert!(said.stdout.contains(&format!("difference {n}\n")), "{n}: {}", said.text);
    }
    let summary = fs::read_to_string(out.join("summary.md")).unwrap();
    let row = summary.lines().find(|line| line.starts_with("| o/1 ")).unwrap();
    assert!(row.ends_with('|') && row.contains("difference 30"), "{summary}");
}

#[test]
fn a_comparison_in_which_nothing_is_judged_does_not_pass() {
    let world = World::plain();
    world.bench("", "criterion::case(\"o/1\", 300.0)");
    world.commit("head");
    world
        .run(&ab(&["--time-budget", "0"]))
        .has(4, &["the time was up", "undecided: 1 not measured"])
        .lacks(&["pass", "too few"]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_program_that_lost_its_threads_is_noticed() {
    if std::thread::available_parallelism().unwrap().get() < 2 {
        eprintln!("left out: there is one core only");
        return;
    }
    let world = World::plain();
    // A thread that lives long enough to be seen, and a time that is that of the cores the program may use.
    let items = "fn work(threads: bool) -> f64 {\n    if threads {\n        std::thread::spawn(|| std::thread::sleep(std::time::Duration::from_millis(100))).join().unwrap();\n    }\n    let cores = std::thread::available_parallelism().unwrap().get();\n    if threads && cores > 1 { 50.0 } else { 100.0 }\n}";
    world.bench_with("", items, "criterion::case(\"o/1\", work(true))");
    world.git(&["tag", "--delete", "plain"]);
    world.commit("plain");
    world.bench_with("", items, "criterion::case(\"o/1\", work(false))");
    world.commit("head");
    world.run(&AB).has(
        3,
        &[
            "`speed` starts threads (2 in the base, ",
            "o/1 (all cores)",
            "+100.0 %",
            "regression: 1 slower, 1 pass",
        ],
    );
}

#[test]
fn a_stored_baseline_clears_or_names_suspects() {
    let world = World::plain();
    world
        .run(&["check"])
        .has(5, &["no baseline of this machine", "cargo bench-gate record"]);
    let folder = world.path("baselines");
    let with = |args: &[&'static str]| -> Vec<String> {
        let more = ["--baselines".to_owned(), folder.display().to_string()];
        args.iter().map(|arg| (*arg).to_owned()).chain(more).collect()
    };
    let run = |args: &[&'static str]| {
        let args = with(args);
        world.run(&args.iter().map(String::as_str).collect::<Vec<_>>())
    };
    run(&["record", "--processes", "3"]).has(0, &["1 cases, 3 processes each"]);
    world.bench("", "criterion::case(\"o/1\", 130.0), criterion::case(\"o/2\", 1.0)");
    run(&["check"]).has(3, &["slower", "in turns with", "+30.0 %", "o/2", "new", "regression: "]);
    world.git(&["checkout", "--quiet", "--", "benches"]);
    run(&["check"]).has(0, &["pass: 1 pass"]);
    let file = fs::read_dir(&folder).unwrap().next().unwrap().unwrap().path();
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.split_once("# end").unwrap().0).unwrap();
    run(&["check"]).has(1, &["the file was cut off"]);
}
