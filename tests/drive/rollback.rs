//! Rollback of completed steps, the last first.

use crate::support;
use crate::support::harness::Harness;
use receipt::Decision;
use serde_json::{Value, json};
use store::InstanceKey;
use workflow::Entry;

fn undo(name: &str, sticks: u32) -> Value {
    json!({ "undo": { "name": name, "fails": 0, "sticks": sticks } })
}

/// The names of the steps that ended well, in the order in which they did.
fn completed(harness: &Harness, key: &InstanceKey) -> Vec<String> {
    let entries = harness.entries(key);
    let name = |of: u32| {
        entries.iter().find_map(|entry| match entry {
            Entry::StepStarted { call, name, .. } if *call == of => Some(name.clone()),
            _ => None,
        })
    };
    let ended = entries.iter().filter_map(|entry| match entry {
        Entry::StepCompleted { call, .. } => name(*call),
        _ => None,
    });
    ended.collect()
}

#[test]
fn steps_are_undone_the_last_first_and_the_failure_stays() {
    let harness = Harness::new();
    let key = harness
        .program(&json!([undo("a", 0), undo("b", 0), { "once": { "name": "c" } }, { "fail": "boom" }]));
    assert_eq!(support::failure(&harness.drive(&key)), ("boom".to_owned(), "as it was told to".to_owned()));
    assert_eq!(completed(&harness, &key), ["a", "b", "c", "rollback: b", "rollback: a"]);
    let undone = [r#"ran undo b of Some("b 1") for boom 1"#, r#"ran undo a of Some("a 1") for boom 1"#];
    assert_eq!(harness.printed(&key)[3..], undone);
}

/// Not the order in which they ended, whether the workflow waited for them or not.
#[test]
fn what_was_started_side_by_side_is_undone_in_the_order_of_its_beginning() {
    let harness = Harness::new();
    let slow = json!({ "undo": { "name": "a", "fails": 1, "sticks": 0 } });
    let key = harness.program(&json!([{ "all": [slow, undo("b", 0)] }, { "fail": "boom" }]));
    support::failure(&harness.finish(&key, Decision::Approved, &[]));
    assert_eq!(completed(&harness, &key), ["b", "a", "rollback: b", "rollback: a"]);
    let slow = json!({ "undo": { "name": "a", "fails": 2, "sticks": 0 } });
    let key = harness.program(&json!([{ "race": [slow, undo("b", 0)] }, { "fail": "boom" }]));
    support::failure(&harness.finish(&key, Decision::Approved, &[]));
    let printed = harness.printed(&key);
    assert_eq!(printed[2..], [r#"ran undo b of Some("b 1") for boom 1"#, "ran undo a of None for boom 1"]);
}

/// As on Cloudflare: the step that failed is rolled back too, and has no output.
#[test]
fn the_step_that_failed_is_undone_too() {
    let harness = Harness::new();
    let key = harness.does("rollback");
    let (name, message) = support::failure(&harness.drive(&key));
    assert_eq!((name.as_str(), message.as_str()), ("step-failed", "the hotel is full"));
    assert_eq!(harness.printed(&key), ["cancelled nothing", "cancelled LH 400"]);
}

#[test]
fn what_cannot_be_undone_is_tried_again_and_then_ends_the_rollback() {
    let harness = Harness::new();
    let key = harness.program(&json!([undo("a", 0), undo("b", 1), undo("c", 0), { "fail": "boom" }]));
    let end = harness.finish(&key, Decision::Approved, &[]);
    assert_eq!(support::failure(&end).0, "boom");
    assert_eq!(
        completed(&harness, &key)[3..],
        ["rollback: c", "rollback: b", "rollback: a"],
        "b the second time"
    );

    let key = harness.program(&json!([undo("a", 0), undo("b", 2), undo("c", 0), { "fail": "boom" }]));
    let end = harness.finish(&key, Decision::Approved, &[]);
    assert_eq!(support::failure(&end).0, "boom", "its own failure, not the rollback's");
    assert_eq!(completed(&harness, &key)[3..], ["rollback: c"]);
}

#[test]
fn a_workflow_that_succeeds_undoes_nothing() {
    let harness = Harness::new();
    let key = harness.program(&json!([undo("a", 0)]));
    assert_eq!(harness.result(&key), json!(["a 1"]));
    assert_eq!(completed(&harness, &key), ["a"]);
}

/// Its registration would be left out with the body.
#[test]
fn a_step_inside_a_step_has_no_rollback_of_its_own() {
    let harness = Harness::new();
    let inside = json!({ "inside": { "name": "outer", "fails": 0, "ops": [undo("inner", 0)] } });
    let key = harness.program(&json!([inside]));
    let result = support::result(&harness.finish(&key, Decision::Approved, &[]));
    let said = result[0]["failed"].as_str().unwrap();
    assert!(said.starts_with("rollback-inside-step: "), "{said}");
}
