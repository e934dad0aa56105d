//! `cargo xtask bisect` from end to end, in a repository whose bench programs are shell scripts.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

#[path = "support/repository.rs"]
#[allow(dead_code, reason = "what other tests need")]
mod repository;
mod support;

use std::{fs, process::Output};

use repository::{PLAIN, Program, Repository};
use support::check;

/// Bisects, and makes sure that no worktree is left whatever came of it.
fn bisect(repository: &Repository, args: &[&str]) -> Output {
    let output = repository.subcommand("bisect", args).output().unwrap();
    repository.is_tidy();
    output
}

#[test]
fn a_change_that_came_in_steps_is_blamed_on_no_commit() {
    let repository = Repository::new();
    for (tag, ns) in [("first", 101_900), ("second", 103_000), ("third", 104_000)] {
        repository.commit(tag, Program { ns, ..PLAIN });
    }
    check(
        &bisect(&repository, &["plain", "third", "o/cpu/1"]),
        4,
        &[
            &format!(
                "+1.1 % against {}; it came in more than one commit",
                repository.short("first")
            ),
            " second\n",
        ],
    );
}

#[test]
fn bisect_finds_the_commit_and_passes_over_those_that_do_not_build() {
    let repository = Repository::new();
    for n in 1..=5 {
        repository.commit(&format!("good{n}"), PLAIN);
    }
    fs::remove_file(repository.path("repo/bench.sh")).unwrap();
    repository.save("broken");
    repository.commit("good6", PLAIN);
    let slow = Program { ns: 104_000, ..PLAIN };
    repository.commit("culprit", slow);
    let chatty = Program { dispatches: 3, ..slow };
    repository.commit("chatty", chatty);
    repository.commit("later", chatty);
    let bisect = |args: &[&str]| bisect(&repository, args);
    check(
        &bisect(&["plain", "later", "o/cpu/1"]),
        0,
        &[
            // The one before it, which is not `plain`.
            &format!(
                "o/cpu/1: +4.0 % against {}; the first commit with it is",
                repository.short("good6")
            ),
            " culprit\n",
        ],
    );
    check(
        &bisect(&["culprit", "later", "o/cpu/1"]),
        0,
        &["dispatches 1 → 3 against culprit; the first commit", " chatty\n"],
    );
    check(
        &bisect(&["plain", "good5", "o/cpu/1"]),
        0,
        &["good5 is not slower than plain: pass"],
    );
    check(
        &bisect(&["plain", "later", "o/cpu/9"]),
        1,
        &["plain has no case o/cpu/9"],
    );
    check(&bisect(&["plain", "plain", "o/cpu/1"]), 2, &["no commit lies between"]);
    check(&bisect(&["later", "plain", "o/cpu/1"]), 2, &["is not an ancestor of"]);
    let fault = r#"[ $case = o/cpu/1 ] && { say '{"failed":"wrong result"}'; continue; }"#;
    repository.commit("wrong", Program { fault, ..slow });
    check(&bisect(&["later", "wrong", "o/cpu/1"]), 4, &["not measured"]);
}
