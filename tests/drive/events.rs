//! Events: kept until a wait asks, delivered in order, each once, and waits that time out.

use crate::support;
use crate::support::harness::{BEGINNING, Harness};
use engine::Status;
use serde_json::{Value, json};
use std::time::Duration;
use workflow::Pending;

fn event(name: &str, ms: u64) -> Value {
    json!({ "event": { "name": name, "ms": ms } })
}

#[test]
fn an_event_that_came_first_is_there() {
    let harness = Harness::new();
    let key = harness.does("event");
    harness.send(&key, "paid", &json!({ "cents": 1_900 }));
    let harness = harness.reopened();
    assert_eq!(harness.result(&key), json!({ "paid": 1_900 }));
}

#[test]
fn a_workflow_goes_on_with_the_event_that_it_waits_for() {
    let harness = Harness::new();
    let key = harness.does("event");
    let wait = harness.waits(&key);
    let [Pending::Event { name, event_type, until, .. }] = &wait.on[..] else { panic!("{wait:?}") };
    assert_eq!((name.as_str(), event_type.as_str()), ("the payment", "paid"));
    assert_eq!(until.as_millis() - BEGINNING, 3_600_000);
    harness.send(&key, "refunded", &json!({ "cents": 1 }));
    assert_eq!(harness.waits(&key), wait, "an event of another type");
    harness.send(&key, "paid", &json!({ "cents": 2 }));
    assert_eq!(harness.result(&key), json!({ "paid": 2 }));
}

#[test]
fn a_wait_is_given_up_in_time() {
    let harness = Harness::new();
    let key = harness.does("event");
    assert_eq!(harness.until_due(&key), 3_600_000);
    assert_eq!(harness.result(&key), json!({ "paid": null }));
}

/// Many parsers of JSON read these numbers as their neighbours.
#[test]
fn a_guest_gets_a_number_exactly() {
    let harness = Harness::new();
    let key = harness.program(&json!([event("number", 100)]));
    let numbers = json!([51.248178375505404, 0.1, 5e-324, 1.7976931348623157e308, 9_007_199_254_740_993_i64]);
    harness.send(&key, "number", &numbers);
    assert_eq!(harness.result(&key), json!([{ "event": numbers }]));
}

/// The default timeout is a day.
#[test]
fn what_an_event_carries_is_what_is_expected_or_an_error() {
    let harness = Harness::new();
    let key = harness.does("event");
    harness.send(&key, "paid", &json!({ "cents": "a lot" }));
    let (name, message) = support::failure(&harness.drive(&key));
    assert_eq!(name, "invalid-payload");
    assert!(message.contains("invalid type: string"), "{message}");
}

/// The trap that others fell into.
#[test]
fn a_wait_that_timed_out_takes_no_event_from_the_next() {
    let harness = Harness::new();
    let key = harness.program(&json!([event("go", 100), { "sleep": 50 }, event("go", 100)]));
    harness.until_due(&key);
    harness.waits(&key);
    harness.send(&key, "go", &json!("late"));
    harness.until_due(&key);
    let expected = json!(["timed out", "slept", { "event": "late" }]);
    assert_eq!(harness.result(&key), expected);
}

/// At the exact moment of its timeout, a wait has timed out.
#[test]
fn an_event_that_comes_as_the_wait_ends_is_for_the_next() {
    let harness = Harness::new();
    let key = harness.program(&json!([event("go", 100), event("go", 100)]));
    harness.until_due(&key);
    harness.send(&key, "go", &json!(1));
    assert_eq!(harness.result(&key), json!(["timed out", { "event": 1 }]));
}

#[test]
fn events_of_a_type_come_in_their_order_each_to_one_wait() {
    let harness = Harness::new();
    let waits = json!([event("b", 9), event("a", 9), event("b", 9), event("a", 9), event("b", 9)]);
    let key = harness.program(&waits);
    for (name, number) in [("a", 1), ("b", 1), ("b", 2), ("a", 2)] {
        harness.send(&key, name, &json!(format!("{name}{number}")));
    }
    harness.waits(&key);
    harness.send(&key, "b", &json!("b3"));
    let events = ["b1", "a1", "b2", "a2", "b3"].map(|sent| json!({ "event": sent }));
    assert_eq!(harness.result(&key), json!(events));
    assert_eq!(harness.count(&key, "wait-matched"), 5);
}

/// Started waits too: the wait that was started first gets the first event, whichever is asked about.
#[test]
fn two_waits_for_one_type_share_the_events() {
    let harness = Harness::new();
    let key = harness.program(&json!([{ "all": [event("go", 100), event("go", 200)] }]));
    harness.waits(&key);
    harness.send(&key, "go", &json!("first"));
    harness.waits(&key);
    harness.send(&key, "go", &json!("second"));
    assert_eq!(harness.result(&key), json!([[{ "event": "first" }, { "event": "second" }]]));
}

/// An event that a race did not wait for is still there.
#[test]
fn an_event_that_lost_a_race_is_kept() {
    let harness = Harness::new();
    let race = json!({ "race": [event("go", 1_000), { "sleep": 100 }] });
    let key = harness.program(&json!([race, { "sleep": 1 }, event("go", 10)]));
    harness.until_due(&key);
    harness.waits(&key);
    harness.send(&key, "go", &json!(1));
    harness.clock.pass(Duration::from_millis(1));
    assert_eq!(harness.result(&key), json!([[1, "slept"], "slept", { "event": 1 }]));
}

#[test]
fn an_ended_instance_stays_as_it_is() {
    let harness = Harness::new();
    let key = harness.program(&json!([{ "once": { "name": "a" } }]));
    let end = harness.drive(&key);
    let entries = harness.entries(&key);
    assert!(matches!(end, Status::Completed(_)));
    assert_eq!(harness.drive(&key), end);
    assert_eq!(harness.entries(&key), entries);
}
