//! Looking back: paged lists, and statistics of requests.

use crate::support::cli::*;
use std::collections::BTreeSet;
use std::path::Path;

/// The command that a list names where there are more.
fn next(ran: &Ran) -> Option<Vec<String>> {
    let (_, command) = ran.stderr.lines().find_map(|line| line.split_once("there are more: pp-host "))?;
    Some(command.split(' ').map(ToOwned::to_owned).collect())
}

/// All lines, page by page, each from the place that the previous page names.
fn paged(data: &Path, first: &[&str]) -> Vec<String> {
    let (mut all, mut words) = (Vec::new(), first.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
    loop {
        let ran = run(data, &words.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(ran.code, Some(0), "{words:?}: {}", ran.stderr);
        all.extend(ran.stdout.lines().map(ToOwned::to_owned));
        match next(&ran) {
            Some(next) => words = next,
            None => return all,
        }
    }
}

#[test]
fn pages_are_the_whole_list() {
    let folder = folder();
    let data = folder.path();
    assert_eq!(run(data, &["run", GUEST, "--wait"]).code, Some(3));
    let cases: [&[&str]; 4] =
        [&["instances", "list", "--json"], &["approvals", "log", "--json"], &["audit", "--json"], &["audit"]];
    for words in cases {
        let whole: Vec<_> = run(data, words).stdout.lines().map(ToOwned::to_owned).collect();
        assert!(whole.len() >= 3, "{words:?}");
        assert_eq!(paged(data, &[words, &["--limit", "1"]].concat()), whole, "{words:?}");
        assert_eq!(run(data, &[words, &["--since", "1h"]].concat()).stdout.lines().count(), whole.len());
        assert_eq!(run(data, &[words, &["--since", "2999-01-01"]].concat()).stdout, "", "{words:?}");
    }
    assert_eq!(run(data, &["instances", "list", "--after", "wf_nothing"]).code, Some(1));
    assert_eq!(run(data, &["approvals", "log", "--after", "apr_nothing"]).code, Some(1));
    assert_eq!(run(data, &["audit", "--since", "yesterday"]).code, Some(2));
}

#[test]
fn what_requests_came_to_is_in_the_log() {
    let folder = folder();
    let data = folder.path();
    for _ in 0..2 {
        assert_eq!(run(data, &["run", GUEST, "--wait"]).code, Some(3));
    }
    let waiting = lines(&run(data, &["approvals", "--json"]).stdout);
    let request = waiting[0]["request"].as_str().unwrap();
    assert_eq!(run(data, &["withdraw", request, "--reason", "too early"]).code, Some(0));
    let logged = lines(&run(data, &["approvals", "log", "--json"]).stdout);
    let outcomes: BTreeSet<_> =
        logged.iter().map(|row| row["end"]["outcome"].as_str().unwrap_or("waiting").to_owned()).collect();
    let expected = ["approved", "denied", "waiting", "withdrawn"];
    assert_eq!(outcomes.into_iter().collect::<Vec<_>>(), expected);
    let of = |outcome: &str| run(data, &["approvals", "log", "--outcome", outcome]).stdout;
    assert!(of("approved").contains("by demo:automatic at 20"), "{}", of("approved"));
    assert!(of("approved").contains(&receipt_id(data, "APPROVED")), "{}", of("approved"));
    assert!(of("denied").contains(&receipt_id(data, "DENIED")), "{}", of("denied"));
    assert!(of("withdrawn").contains("\"too early\""), "{}", of("withdrawn"));
    assert_eq!(of("lapsed"), "");
    // And a late request gets an error.
    let late = run(data, &["withdraw", request]);
    assert!(late.stderr.contains("does not wait for a decision: withdrawn by"), "{}", late.stderr);
    let shown = run(data, &["approvals", "show", request]).stdout;
    assert!(shown.contains("ended          withdrawn by"), "{shown}");
}

#[test]
fn a_request_that_has_lapsed_is_shown_so_at_once() {
    let folder = tempfile::TempDir::new().unwrap();
    let data = folder.path();
    let policy = "[[rule]]\nid = \"soon\"\nthen = \"ask\"\nexpires = \"3s\"\n";
    write(data, "policy.toml", policy);
    let parked = run(data, &["run", GUEST, "--wait"]);
    assert_eq!(parked.code, Some(3), "{}", parked.stderr);
    // The instance is not driven: the lapse follows from the time alone.
    while run(data, &["approvals", "log", "--outcome", "lapsed"]).stdout.is_empty() {}
    let listed = run(data, &["approvals"]).stdout;
    assert!(listed.ends_with(": it can no longer be decided\n"), "{listed}");
    let logged = lines(&run(data, &["approvals", "log", "--json"]).stdout);
    let request = logged[0]["request"].as_str().unwrap();
    let late = run(data, &["withdraw", request]);
    assert!(late.code == Some(1) && late.stderr.contains("lapsed"), "{}", late.stderr);
}

#[test]
fn a_deleted_instance_leaves_how_it_ended() {
    let folder = folder();
    let data = folder.path();
    let denied = lines(&run(data, &["instances", "list", "--json"]).stdout);
    for row in &denied {
        let name = row["instance"].as_str().unwrap();
        assert_eq!(run(data, &["instances", "delete", name]).code, Some(0));
        let told = run(data, &["audit"]).stdout;
        let line = told.lines().find(|line| line.contains(name)).unwrap();
        let (state, since) = (row["status"].as_str().unwrap(), row["since"].as_str().unwrap());
        assert!(line.ends_with(&format!("facts, {state} since {since}")), "{line}");
    }
    let json = lines(&run(data, &["audit", "--json"]).stdout);
    assert!(json.iter().all(|row| row["state"].is_string() && row["ended_at"].is_string()), "{json:?}");
}

#[test]
fn every_name_that_is_printed_is_taken() {
    let folder = folder();
    let data = folder.path();
    assert_eq!(run(data, &["submit", GUEST, "--id", "n", "--tenant", "acme"]).stdout.trim(), "acme/n");
    assert_eq!(run(data, &["instances", "show", "acme/n"]).code, Some(0));
    assert_eq!(run(data, &["instances", "show", "n"]).code, Some(1), "of another tenant");
    assert_eq!(run(data, &["instances", "show", "n", "--tenant", "acme"]).code, Some(0));
    assert_eq!(run(data, &["instances", "show", "acme/n", "--tenant", "acme"]).code, Some(0));
    let two = run(data, &["instances", "show", "acme/n", "--tenant", "other"]);
    assert!(two.code == Some(1) && two.stderr.contains("names tenant"), "{}", two.stderr);
    assert_eq!(run(data, &["drive", "acme/n", "--approve"]).code, Some(0));
    assert_eq!(run(data, &["watch", "acme/n"]).code, Some(0));
    assert_eq!(run(data, &["audit", "acme/n"]).stdout, run(data, &["audit", "n", "--tenant", "acme"]).stdout);
}
