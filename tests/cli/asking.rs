//! `--ask` at a terminal.

use crate::support;
use crate::support::cli::*;
use std::io::Write as _;
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// The columns of the terminal.
const COLUMNS: usize = 80;

/// Runs the demo guest on a terminal of that many rows with these lines typed; none where there is no program that makes a
/// terminal.
fn answered(rows: usize, typed: &str) -> Option<Ran> {
    if !support::installed(&["script", "stty"]) {
        return None;
    }
    let data = TempDir::new().unwrap();
    let program = env!("CARGO_BIN_EXE_pp-host");
    let line = format!("stty rows {rows} cols {COLUMNS}; {program} run {GUEST} --ask");
    let mut command = Command::new("script");
    command.current_dir(support::root()).args(["-qec", &line, "/dev/null"]);
    command.env("PP_HOST_DATA", data.path()).env("PAGER", "cat").env("SHELL", "/bin/sh");
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(typed.as_bytes()).unwrap();
    Some(child.wait_with_output().unwrap().into())
}

#[test]
fn y_is_yes_and_n_is_no_and_anything_else_is_neither() {
    for (typed, code, said) in [
        ("y\n", 0, "APPROVED by demo:"),
        ("YES\n", 0, "APPROVED by demo:"),
        ("n\n", 4, "DENIED by demo:"),
        ("perhaps\n", 3, "go on"),
    ] {
        let Some(ran) = answered(24, typed) else { return };
        assert_eq!(ran.code, Some(code), "{typed:?}: {}", ran.stdout);
        assert!(ran.stdout.contains(said), "{typed:?}: {}", ran.stdout);
    }
}

#[test]
fn the_question_stands_below_what_it_is_about_and_the_rest_behind_a_pager() {
    let Some(ran) = answered(24, "v\ny\n") else { return };
    let [before, paged, _] = ran.stdout.split("Approve? ").collect::<Vec<_>>().try_into().unwrap();
    let screen = before.split_once("waits for a decision").unwrap().1;
    assert!(screen.contains("capability") && screen.contains("lapses"), "{screen}");
    assert!(screen.lines().count() < 24 && !screen.contains("\"actor\""), "{screen}");
    assert!(
        paged.contains("This text is signed") && paged.contains("\"agentId\": \"agent:local\""),
        "{paged}"
    );
}

#[test]
fn what_does_not_fit_above_the_question_is_left_to_the_pager() {
    let Some(ran) = answered(12, "n\n") else { return };
    let (before, _) = ran.stdout.split_once("Approve? ").unwrap();
    let screen = &before[before.find("approval  ").unwrap()..];
    let taken = |line: &str| line.trim_end().chars().count().max(1).div_ceil(COLUMNS);
    let rows: usize = screen.lines().map(taken).sum();
    // The question takes two more.
    assert!(rows + 2 <= 12, "{rows} rows: {screen}");
    assert!(screen.contains("capability") && !screen.contains("evidence"), "{screen}");
    assert!(screen.contains("more lines, which are decided about too: v shows them"), "{screen}");
}
