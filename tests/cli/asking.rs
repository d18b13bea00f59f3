//! `--ask` at a terminal.

use crate::support;
use crate::support::cli::*;
use std::io::{BufReader, Read as _, Write as _};
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// The columns of the terminal.
const COLUMNS: usize = 80;

/// The end of a question.
const ASKED: &str = "leaves it waiting: ";

/// Runs the demo guest on a terminal of that many rows and types an answer to each question, and nothing after the last; none where there is no
/// program that makes a terminal.
fn answered(rows: usize, answers: &[&str]) -> Option<Ran> {
    typed(rows, "true", "", answers)
}

/// [`answered`], after a command that reads what is typed first.
fn typed(rows: usize, before: &str, first: &str, answers: &[&str]) -> Option<Ran> {
    if !support::installed(&["script", "stty"]) {
        return None;
    }
    let data = TempDir::new().unwrap();
    let program = env!("CARGO_BIN_EXE_pp-host");
    let line = format!("stty rows {rows} cols {COLUMNS}; {before}; {program} run {GUEST} --ask");
    let mut command = Command::new("script");
    command.current_dir(support::root()).args(["-qec", &line, "/dev/null"]);
    command.env("PP_HOST_DATA", data.path()).env("PAGER", "cat").env("SHELL", "/bin/sh");
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut keyboard = child.stdin.take();
    keyboard.as_mut().unwrap().write_all(first.as_bytes()).unwrap();
    let (mut answers, mut shown) = (answers.iter(), Vec::new());
    for byte in BufReader::new(child.stdout.take().unwrap()).bytes() {
        shown.push(byte.unwrap());
        if shown.ends_with(ASKED.as_bytes()) {
            match answers.next() {
                Some(answer) => keyboard.as_mut().unwrap().write_all(answer.as_bytes()).unwrap(),
                None => keyboard = None,
            }
        }
    }
    let code = child.wait().unwrap().code();
    Some(Ran { code, stdout: String::from_utf8(shown).unwrap(), stderr: String::new() })
}

#[test]
fn y_is_yes_and_n_is_no_and_anything_else_is_neither() {
    for (typed, code, said) in [
        ("y\n", 0, "APPROVED by demo:"),
        ("YES\n", 0, "APPROVED by demo:"),
        ("n\n", 4, "DENIED by demo:"),
        ("perhaps\n", 3, "go on"),
    ] {
        let Some(ran) = answered(24, &[typed]) else { return };
        assert_eq!(ran.code, Some(code), "{typed:?}: {}", ran.stdout);
        assert!(ran.stdout.contains(said), "{typed:?}: {}", ran.stdout);
    }
}

#[test]
fn the_question_stands_below_what_it_is_about_and_the_rest_behind_a_pager() {
    let Some(ran) = answered(24, &["v\n", "y\n"]) else { return };
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
    let Some(ran) = answered(12, &["n\n"]) else { return };
    let (before, _) = ran.stdout.split_once("Approve? ").unwrap();
    let screen = &before[before.find("approval  ").unwrap()..];
    let taken = |line: &str| line.trim_end().chars().count().max(1).div_ceil(COLUMNS);
    let rows: usize = screen.lines().map(taken).sum();
    // The question takes two more.
    assert!(rows + 2 <= 12, "{rows} rows: {screen}");
    assert!(screen.contains("capability") && !screen.contains("evidence"), "{screen}");
    assert!(screen.contains("more lines, which are decided about too: v shows them"), "{screen}");
}

#[test]
fn what_was_typed_before_a_question_does_not_answer_it() {
    // The shell reads the first line; the others are typed too when the program starts.
    let Some(ran) = typed(24, "read first", "go\ny\ny\n", &["n\n"]) else { return };
    assert_eq!(ran.code, Some(4), "{}", ran.stdout);
    assert!(ran.stdout.contains("DENIED by demo:"), "{}", ran.stdout);
    // What is typed with an answer, and in the pager, answers no later question.
    let Some(ran) = answered(24, &["v\ny\n", "n\n"]) else { return };
    assert_eq!(ran.code, Some(4), "{}", ran.stdout);
}
