//! The engine's suites over PostgreSQL: the test program runs itself, with a variable that names the server.

use crate::support::postgres::shared;
use crate::support::storage::STORE;
use std::process::Command;

/// The suites.
const SUITES: [&str; 3] = ["drive::", "approvals::", "promises::"];

/// Those of their tests that have nothing to do with the engine that keeps the state, or belong to SQLite, and why.
const NOT_HERE: [(&str, &[&str]); 2] = [
    ("starts the program, which keeps its state in its folder", &["promises::kills", "promises::drill"]),
    ("looks into the SQLite file", &[]),
];

#[test]
#[ignore = "takes minutes"]
fn the_suites_of_the_engine_hold_over_postgresql() {
    let Some(server) = shared() else { return };
    let skipped = NOT_HERE.iter().flat_map(|(_, tests)| tests.iter()).flat_map(|test| ["--skip", test]);
    let ran = Command::new(std::env::current_exe().unwrap())
        .args(SUITES)
        .args(skipped)
        .env(STORE, server.url())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success(), "{said}{}", String::from_utf8_lossy(&ran.stderr));
    assert!(!said.contains("running 0 tests"), "{said}");
}
