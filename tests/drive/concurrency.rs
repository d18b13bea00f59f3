//! Things side by side: all, the first, the first that succeeds; with approvals among them.

use crate::support;
use crate::support::harness::{Harness, attempt};
use engine::Status;
use receipt::Decision;
use serde_json::{Value, json};
use std::time::Duration;
use store::InstanceKey;
use workflow::Entry;

#[test]
fn one_goes_on_while_another_waits_to_be_tried_again() {
    let harness = Harness::new();
    let key = harness.does("side-by-side");
    let wait = harness.waits(&key);
    assert_eq!((wait.on.len(), attempt(&wait)), (1, Some(2)), "south has answered");
    assert_eq!(harness.until_due(&key), 10_000);
    assert_eq!(harness.result(&key), json!(["north has it", "south has it"]));
}

#[test]
fn things_of_two_kinds_are_waited_for_together() {
    let harness = Harness::new();
    let key = harness.does("both");
    harness.waits(&key);
    harness.send(&key, "paid", &json!({ "cents": 7 }));
    assert_eq!(harness.result(&key), json!({ "paid": 7, "packed": "in a box" }));
}

/// An instance with several waits lists them, and is due with the first.
#[test]
fn an_instance_waits_for_all_that_it_started() {
    let harness = Harness::new();
    let all = json!([
        { "sleep": 300 },
        { "event": { "name": "go", "ms": 200 } },
        { "try": { "name": "a", "fails": 1, "retries": 1 } },
        { "deploy": "app" },
    ]);
    let key = harness.program(&json!([{ "all": all }]));
    let wait = harness.waits(&key);
    assert_eq!(wait.on.len(), 4);
    assert_eq!(wait.requests().count(), 1);
    let status = harness.finish(&key, Decision::Approved, &[("go", 1)]);
    let result = support::result(&status);
    assert_eq!(result[0][0], "slept");
    assert_eq!(result[0][1], json!({ "event": 0 }));
    assert_eq!(result[0][2], "a 2");
    assert_eq!(result[0][3].as_str().map(str::len), Some(64), "deployed");
}

fn race(harness: &Harness) -> InstanceKey {
    let key = harness.does("race");
    assert_eq!(harness.waits(&key).on.len(), 2);
    key
}

#[test]
fn the_first_wins_a_race() {
    let harness = Harness::new();
    let (paid, late) = (race(&harness), race(&harness));
    harness.send(&paid, "paid", &json!({ "cents": 1 }));
    assert_eq!(harness.result(&paid), json!({ "paid": true }));
    assert_eq!(harness.until_due(&late), 3_600_000);
    assert_eq!(harness.result(&late), json!({ "paid": false }));
}

/// A delivered end stays delivered, even if another one would have come first by now.
#[test]
fn the_winner_of_a_race_stays_the_winner() {
    let harness = Harness::new();
    let racers = json!([{ "sleep": 100 }, { "event": { "name": "go", "ms": 1_000 } }]);
    let key = harness.program(&json!([{ "race": racers }, { "sleep": 50 }, { "once": { "name": "a" } }]));
    harness.until_due(&key);
    harness.waits(&key);
    harness.send(&key, "go", &json!(1));
    harness.clock.pass(Duration::from_secs(10));
    let harness = harness.reopened();
    assert_eq!(harness.result(&key), json!([[0, "slept"], "slept", "a 1"]));
}

/// The order is that of the journal: of two ended waits, the one that ended first, at any later time of the drive.
#[test]
fn of_two_that_are_over_the_first_wins() {
    let harness = Harness::new();
    let racers = json!([{ "sleep": 200 }, { "event": { "name": "go", "ms": 150 } }, { "sleep": 100 }]);
    let key = harness.program(&json!([{ "race": racers }]));
    harness.waits(&key);
    harness.clock.pass(Duration::from_secs(10));
    assert_eq!(harness.result(&key), json!([[2, "slept"]]));
}

#[test]
fn the_first_that_succeeds_is_taken() {
    let harness = Harness::new();
    assert_eq!(harness.result(&harness.does("any")), json!({ "fetched": "b" }));
}

#[test]
fn a_workflow_may_end_while_its_started_calls_go_on() {
    let harness = Harness::new();
    let racers = json!([{ "sleep": 0 }, { "sleep": 1_000 }, { "deploy": "app" }, { "event": { "name": "go", "ms": 9 } }]);
    let key = harness.program(&json!([{ "race": racers }]));
    assert_eq!(harness.result(&key), json!([[0, "slept"]]));
    let request = harness.entries(&key).into_iter().find_map(|entry| match entry {
        Entry::Requested { request, .. } => Some(request),
        _ => None,
    });
    let late = harness.host.decide(&request.unwrap(), &support::judgement(Decision::Approved));
    assert!(late.is_err(), "a request of a workflow that has ended is decided");
    assert_eq!(harness.host.store().receipts(store::ReceiptPage::ALL).wait().unwrap().len(), 0);
}

#[test]
fn an_approved_action_is_done_once() {
    let harness = Harness::new();
    let key = harness.does("approval");
    let result = support::result(&harness.finish(&key, Decision::Approved, &[]));
    assert_eq!(result["deployed"].as_str().map(str::len), Some(64));
    assert_eq!(harness.count(&key, "redeemed"), 1);
}

fn asked(harness: &Harness) -> (InstanceKey, workflow::RequestId) {
    let key = harness.does("approval-or-timeout");
    let request = harness.waits(&key).request().unwrap().clone();
    assert_eq!(harness.count(&key, "step-completed"), 1, "it went on while it waited");
    (key, request)
}

fn answer(harness: &Harness, key: &InstanceKey) -> Value {
    harness.result(key)
}

/// A decision, a withdrawal, a lapse: each is delivered as itself.
#[test]
fn a_started_request_ends_in_each_of_its_ways() {
    let harness = Harness::new();
    let (key, request) = asked(&harness);
    harness.host.decide(&request, &support::judgement(Decision::Approved)).unwrap();
    assert_eq!(answer(&harness, &key), json!({ "approved": true }));

    let (key, request) = asked(&harness);
    harness.host.decide(&request, &support::judgement(Decision::Denied)).unwrap();
    assert_eq!(
        answer(&harness, &key),
        json!({ "refused": format!("{request} was denied by demo:operator") })
    );

    let (key, request) = asked(&harness);
    harness.host.withdraw(&request, "user:olga", Some("asked for by mistake")).unwrap();
    let withdrawn = format!("{request} was taken back: asked for by mistake");
    assert_eq!(answer(&harness, &key), json!({ "refused": withdrawn }));

    let (key, _) = asked(&harness);
    harness.until_due(&key);
    assert_eq!(answer(&harness, &key), json!({ "approved": null }));
}

#[test]
fn an_undecided_request_lapses_in_its_own_time() {
    let harness = Harness::new();
    let key = harness.program(&json!([{ "deploy": "app" }]));
    harness.until_due(&key);
    assert_eq!(harness.result(&key), json!(["expired"]));
    let key = harness.program(&json!([{ "deploy": "app" }]));
    let request = harness.waits(&key).request().unwrap().clone();
    harness.host.withdraw(&request, "user:olga", None).unwrap();
    assert_eq!(harness.result(&key), json!(["withdrawn"]));
}

/// A receipt that was revoked before it was spent, and the check that reports it.
#[test]
fn the_gate_says_which_of_its_checks_it_was() {
    let harness = Harness::new();
    let key = harness.does("approval");
    let request = harness.waits(&key).request().unwrap().clone();
    let receipt = harness.host.decide(&request, &support::judgement(Decision::Approved)).unwrap();
    harness.host.revoke(&receipt.id, "user:olga", None).unwrap();
    let status = harness.drive(&key);
    let (_, message) = support::failure(&status);
    assert!(message.starts_with("refused by the revocation check: "), "{message}");
    assert!(matches!(status, Status::Failed(_)));
}
