//! Steps, the ways in which they are tried, and sleeps.

use crate::support;
use crate::support::harness::{BEGINNING, Harness, attempt};
use engine::Status;
use receipt::Timestamp;
use serde_json::json;
use std::time::Duration;
use workflow::{Entry, Limits, Pending};

const DAY: i64 = 86_400_000;

#[test]
fn a_step_runs_once_and_is_handed_back() {
    let harness = Harness::new();
    let key =
        harness.program(&json!([{ "once": { "name": "a" } }, { "sleep": 5 }, { "once": { "name": "a" } }]));
    harness.until_due(&key);
    let harness = harness.reopened();
    assert_eq!(harness.result(&key), json!(["a 1", "slept", "a 1"]), "two steps of one name are two");
    assert_eq!(harness.count(&key, "step-completed"), 2);
    assert_eq!(harness.printed(&key), ["ran a 1", "ran a 1"], "one in each drive");
    let key = harness.does("steps");
    assert_eq!(harness.result(&key), json!({ "item": "lamp", "price": 57 }));
}

/// Between two attempts the instance is parked: it waits, and driving it before it is due does nothing.
#[test]
fn a_step_is_tried_again_when_it_is_due_and_not_before() {
    let harness = Harness::new();
    let key = harness.does("retries");
    assert_eq!(attempt(&harness.waits(&key)), Some(2));
    let before = harness.entries(&key);
    harness.clock.pass(Duration::from_millis(59_999));
    assert_eq!(attempt(&harness.waits(&key)), Some(2));
    assert_eq!(harness.entries(&key), before, "a minute is not over");
    assert_eq!(harness.until_due(&key), 60_000);
    assert_eq!(harness.until_due(&key), 180_000, "two minutes after the second");
    assert_eq!(harness.result(&key), json!({ "quote": 42 }));
    assert_eq!(harness.count(&key, "attempt-failed"), 2);
}

#[test]
fn a_step_fails_with_its_last_attempt() {
    let harness = Harness::new();
    let key = harness.program(&json!([{ "try": { "name": "a", "fails": 9, "retries": 2 } }]));
    harness.until_due(&key);
    harness.until_due(&key);
    assert_eq!(harness.result(&key), json!([{ "failed": "step-failed: a failed 3" }]));
    assert_eq!(harness.clock.ms() - BEGINNING, 30, "10 ms and 20 ms");
}

#[test]
fn a_step_says_itself_when_to_try_again_and_when_not_to() {
    let harness = Harness::new();
    let key = harness.does("no-retry");
    assert_eq!(harness.until_due(&key), 3_600_000, "the step's own delay is ten seconds");
    assert_eq!(harness.result(&key), json!({ "charged": "the card was stolen" }));
    let entries = harness.entries(&key);
    let attempts = |entry: &&Entry| matches!(entry, Entry::AttemptFailed { .. } | Entry::StepFailed { .. });
    assert_eq!(entries.iter().filter(attempts).count(), 2, "four are left");
}

/// An attempt that took too long has failed, whatever its result, and counts as an attempt. Here every reading of the
/// clock takes eleven minutes.
#[test]
fn an_attempt_that_takes_too_long_has_failed() {
    let clock = support::harness::ManualClock::at(BEGINNING);
    let slow = clock.clone();
    let harness = Harness::with(|builder| {
        builder.clock(move || Timestamp::from_millis(slow.pass(Duration::from_secs(660))))
    });
    let key = harness.does("retries");
    let (name, message) = loop {
        match harness.drive(&key) {
            Status::Waiting(_) => {}
            end => break support::failure(&end),
        }
    };
    assert_eq!((name.as_str(), message.as_str()), ("timeout", "Execution timed out after 600000ms"));
    assert_eq!(harness.count(&key, "attempt-failed"), 3);
}

/// An attempt that would never end is cut off while it computes, with an open step inside it, and counts as an attempt
/// too. Here every reading of the clock takes a minute.
#[test]
fn an_attempt_that_never_ends_is_cut_off() {
    let clock = support::harness::ManualClock::at(BEGINNING);
    let slow = clock.clone();
    let harness = Harness::with(|builder| {
        builder.clock(move || Timestamp::from_millis(slow.pass(Duration::from_secs(60))))
    });
    let spins = |inside: bool, retries: u32| {
        let spin = json!({ "name": "a", "ms": 600_000, "retries": retries, "inside": inside });
        let key = harness.program(&json!([{ "spin": spin }]));
        let end = std::iter::repeat_with(|| harness.drive(&key)).find(Status::has_ended).unwrap();
        assert_eq!(harness.printed(&key)[0], "ran a 1", "what was printed until then is kept");
        (support::result(&end), harness.count(&key, "attempt-failed"), harness.count(&key, "step-failed"))
    };
    assert_eq!(spins(false, 1), (json!(["a 2"]), 1, 0));
    assert_eq!(spins(true, 1), (json!(["a 2"]), 1, 1), "what is inside ends first");
    let timeout = "timeout: Execution timed out after 600000ms";
    assert_eq!(spins(false, 0), (json!([{ "failed": timeout }]), 0, 1));
}

/// The second attempt runs the code of the first, with the options that it was started with.
#[test]
fn what_a_step_was_started_with_is_on_record() {
    let harness = Harness::new();
    let key = harness.does("retries");
    harness.waits(&key);
    let config = harness.entries(&key).into_iter().find_map(|entry| match entry {
        Entry::StepStarted { config, .. } => config,
        _ => None,
    });
    let config = config.unwrap();
    assert_eq!((config.retries, config.delay_ms, config.timeout_ms), (3, 60_000, 600_000));
    let key = harness.does("no-retry");
    harness.waits(&key);
    let started = harness.entries(&key).into_iter().find_map(|entry| match entry {
        Entry::StepStarted { config, .. } => config,
        _ => None,
    });
    assert_eq!(started, Some(workflow::StepConfig::default()), "what is left out has the default");
}

#[test]
fn a_sleep_is_a_line_on_disk_until_it_is_over() {
    let harness = Harness::new();
    let key = harness.does("sleep");
    let wait = harness.waits(&key);
    let [Pending::Sleep { name, until, .. }] = &wait.on[..] else { panic!("{wait:?}") };
    assert_eq!((name.as_str(), until.as_millis()), ("cool down", BEGINNING + 30 * DAY));
    let harness = harness.reopened();
    assert!(matches!(harness.host.status(&key), Ok(Status::Waiting(_))), "it does not say that it runs");
    // A clock that is set back, and one that is an instant too early.
    for early in [-DAY, 30 * DAY - 1] {
        harness.clock.set(BEGINNING + early);
        assert_eq!(harness.waits(&key), wait);
    }
    harness.clock.set(BEGINNING + 365 * DAY);
    assert_eq!(harness.result(&key), json!({ "slept": true }));
    assert_eq!(harness.count(&key, "sleep-ended"), 1);
}

#[test]
fn a_sleep_until_the_past_is_an_error() {
    let harness = Harness::new();
    let key = harness.does("sleep-until");
    assert_eq!(harness.until_due(&key), DAY);
    assert_eq!(harness.result(&key), json!({ "past": true }));
    let rejected = harness.entries(&key).into_iter().find_map(|entry| match entry {
        Entry::Rejected { message, .. } => Some(message),
        _ => None,
    });
    let message = rejected.unwrap();
    assert!(message.contains("that is in the past"), "{message}");
}

#[test]
fn a_workflow_is_told_which_limit_it_has_hit() {
    let limits = Limits {
        sleep: Duration::from_secs(1),
        retries: 2,
        started_calls: 2,
        step_name_chars: 5,
        ..Limits::default()
    };
    let harness = Harness::with(|builder| builder.limits(limits));
    let sleeps = json!([{ "sleep": 1 }, { "sleep": 1 }, { "sleep": 1 }]);
    for (op, limit) in [
        (json!({ "sleep": 1_001 }), "sleep-seconds"),
        (json!({ "event": { "name": "go", "ms": 1_001 } }), "sleep-seconds"),
        (json!({ "try": { "name": "a", "fails": 0, "retries": 3 } }), "retries"),
        (json!({ "all": sleeps }), "started-calls"),
        (json!({ "try": { "name": "longer", "fails": 0, "retries": 1 } }), "step-name-chars"),
    ] {
        let (_, message) = support::failure(&harness.drive(&harness.program(&json!([op]))));
        assert!(message.contains(&format!("limit {limit} reached: ")), "{op}: {message}");
        assert!(message.contains(&format!("--limit {limit}=N")), "{op}: {message}");
    }
}

/// A workflow may have a thousand started calls by default, and there are handles for them.
#[test]
fn a_thousand_things_go_on_side_by_side() {
    let harness = Harness::new();
    let naps = |count: u64| (0..count).map(|ms| json!({ "sleep": 1_000 - ms })).collect::<Vec<_>>();
    let key = harness.program(&json!([{ "race": naps(1_000) }]));
    harness.until_due(&key);
    assert_eq!(harness.result(&key), json!([[999, "slept"]]));
    let (_, message) = support::failure(&harness.drive(&harness.program(&json!([{ "race": naps(1_001) }]))));
    assert!(message.contains("limit started-calls reached: at most 1000 "), "{message}");
}

/// A workflow whose path depends on what a body did apart from its result. It stops without an effect, loses no state,
/// and names the place.
#[test]
fn a_workflow_that_takes_another_path_is_stopped() {
    let harness = Harness::new();
    let key = harness.program(&json!([{ "forget": "a" }]));
    harness.until_due(&key);
    let before = harness.entries(&key);
    let status = harness.drive(&key);
    let Status::Diverged { call: 1, message } = &status else { panic!("{status:?}") };
    assert!(
        message
            .contains("the journal records step \"remembered\", now the workflow asked for sleep \"sleep\""),
        "{message}"
    );
    let after = harness.entries(&key);
    assert_eq!(after[..before.len()], before, "nothing is lost");
    let done =
        |entries: &[Entry]| support::count(entries, "step-completed") + support::count(entries, "failed");
    assert_eq!(done(&after), done(&before), "and nothing was done");
}

/// Beginnings of steps wait for the next entry, but only a few of them.
#[test]
fn beginnings_are_written_before_there_are_many() {
    let harness = Harness::new();
    let inside =
        |op, depth: u32| json!({ "inside": { "name": format!("s{depth}"), "fails": 0, "ops": [op] } });
    let program = (0..24).fold(json!({ "once": { "name": "innermost" } }), inside);
    let key = harness.program(&json!([program]));
    assert!(matches!(harness.drive(&key), Status::Completed(_)));
    let database = rusqlite::Connection::open(harness.folder.path().join("journal.sqlite")).unwrap();
    let together: i64 = database.query_row("SELECT max(count) FROM entries", [], |row| row.get(0)).unwrap();
    assert!(together <= 16, "{together} at once");
}
