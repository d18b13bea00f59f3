//! The engine's suites over PostgreSQL: the test program runs itself, with a variable that names the server.

use crate::support::postgres::Server;
use crate::support::storage::STORE;
use std::process::Command;

/// The tests of these suites that do not apply, with the reason.
const NOT_HERE: [(&str, &[&str]); 4] = [
    (
        "reads or changes the SQLite file",
        &[
            "neither_the_issuer_nor_the_deciders_alone_can_mint",
            "a_line_in_the_database_is_only_a_place_to_look_at",
            "a_folder_of_format_7_knows_what_its_receipts_bear_out",
            "a_divergence_is_recorded_and_the_instance_stands_still",
            "beginnings_are_written_before_there_are_many",
            "what_goes_wrong_with_one_is_told_and_the_others_go_on",
            "a_reader_judges_by_no_earlier_time_than_the_last_act",
            "a_receipt_about_another_request_is_not_reviewed_in_its_place",
        ],
    ),
    (
        "copies the folder in the middle of a run; drive::crash_around_effect and drive::sigkill kill processes",
        &["drive::crash_after_entry"],
    ),
    (
        "is about an authority, whose records are in its own folder whatever keeps the hosts' state",
        &["approvals::authority", "an_authority_knows_nothing_that_it_is_not_shown"],
    ),
    (
        "starts the program, which keeps its state in its folder",
        &["a_run_in_a_frozen_demonstration_waits", "policy_check_compares_the_rules_with_what_is_here"],
    ),
];

/// Runs these tests over PostgreSQL. They kill hosts but not the server, so the server runs without synchronising the disk.
fn hold(suites: &[&str]) {
    let Some(server) = Server::start_with(&["fsync=off"]) else { return };
    let skipped = NOT_HERE.iter().flat_map(|(_, tests)| tests.iter()).flat_map(|test| ["--skip", test]);
    let ran = Command::new(std::env::current_exe().unwrap())
        .args(suites)
        .args(skipped)
        .env(STORE, server.url())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success(), "{said}{}", String::from_utf8_lossy(&ran.stderr));
    assert!(!said.contains("running 0 tests"), "{said}");
}

#[test]
#[ignore = "takes minutes"]
fn steps_events_workers_and_crashes() {
    hold(&["drive::"]);
}

#[test]
#[ignore = "takes minutes"]
fn approvals_and_the_gate() {
    hold(&["approvals::"]);
}

#[test]
#[ignore = "takes minutes"]
fn promises() {
    hold(&["promises::at_most_once", "promises::no_receipt_no_action"]);
}

/// Most of the time goes to guests that compute until they are stopped, which does not depend on the store.
#[test]
#[ignore = "takes minutes"]
fn threats() {
    hold(&["promises::threats"]);
}
