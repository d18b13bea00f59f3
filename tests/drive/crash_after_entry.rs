//! A crash after any entry. A copy of the folder at that moment continues under a new host: the end is the same, no
//! completed step runs again, no event is lost, and no effect happens twice.

use crate::support;
use crate::support::harness::{BEGINNING, Harness, ManualClock, open};
use engine::Status;
use proptest::prelude::*;
use receipt::Decision;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use store::InstanceKey;
use tempfile::TempDir;
use workflow::Entry;

/// How often each type of event is sent where a wait exists.
pub(crate) const SENT: &[(&str, usize)] = &[("go", 2), ("stop", 1)];

/// The result that must be the same at the end of every run.
#[derive(Debug, PartialEq)]
pub(crate) struct Seen {
    pub(crate) end: Status,
    /// The number of entries of each kind that records an occurrence.
    pub(crate) counts: BTreeMap<&'static str, usize>,
    pub(crate) deployments: usize,
}

const HAPPENED: [&str; 13] = [
    "attempt-failed",
    "attested",
    "decided",
    "event-received",
    "issued",
    "performed",
    "redeemed",
    "rejected",
    "requested",
    "sleep-ended",
    "step-completed",
    "step-failed",
    "wait-matched",
];

pub(crate) fn seen(harness: &Harness, key: &InstanceKey, end: Status) -> Seen {
    let entries = harness.entries(key);
    let counts = HAPPENED.iter().map(|kind| (*kind, support::count(&entries, kind))).collect();
    let deployments = support::deployments(harness.folder.path()).len();
    Seen { end, counts, deployments }
}

/// A folder as it was when an entry had just been written, and what time it was.
struct Image {
    folder: TempDir,
    now: i64,
}

/// Runs a program, and keeps an image of the folder after every entry.
fn run_straight(ops: &Value, decision: Decision) -> (Seen, InstanceKey, Vec<Image>) {
    let (images, clock) = (Arc::<Mutex<Vec<Image>>>::default(), ManualClock::at(BEGINNING));
    let folder = TempDir::new().unwrap();
    let host = open(folder.path(), &clock, |builder| {
        let (images, source, clock) = (Arc::clone(&images), folder.path().to_owned(), clock.clone());
        builder.on_fact(move |_| {
            let image = Image { folder: TempDir::new().unwrap(), now: clock.ms() };
            copy(&source, image.folder.path());
            images.lock().unwrap().push(image);
        })
    });
    let harness = Harness { folder, host, clock };
    let key = harness.program(ops);
    let end = harness.finish(&key, decision, SENT);
    let seen = seen(&harness, &key, end);
    let images = std::mem::take(&mut *images.lock().unwrap());
    assert_eq!(images.len(), harness.entries(&key).len(), "an image for each entry");
    (seen, key, images)
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let (path, name) = entry.map(|entry| (entry.path(), entry.file_name())).unwrap();
        let copied: PathBuf = to.join(&name);
        if path.is_dir() {
            fs::create_dir(&copied).unwrap();
            fs::set_permissions(&copied, fs::metadata(&path).unwrap().permissions()).unwrap();
            copy(&path, &copied);
        } else if !name.to_string_lossy().ends_with("-shm") {
            fs::copy(&path, &copied).unwrap();
        }
    }
}

/// Continues where the image was taken.
fn go_on(image: Image, key: &InstanceKey, decision: Decision) -> Seen {
    let Image { folder, now } = image;
    let clock = ManualClock::at(now);
    let host = open(folder.path(), &clock, |builder| builder);
    let harness = Harness { folder, host, clock };
    let (done, before) = (completed(&harness.entries(key)), harness.printed(key).len());
    let end = harness.finish(key, decision, SENT);
    for line in &harness.printed(key)[before..] {
        let name = match line.split(' ').collect::<Vec<_>>()[..] {
            ["ran", "undo", name, ..] => format!("rollback: {name}"),
            ["ran", name, ..] => name.to_owned(),
            _ => panic!("{line}"),
        };
        assert!(!done.contains(&name), "{name} had completed, and ran again");
    }
    seen(&harness, key, end)
}

/// The names of the steps that have completed and must not run again. Steps inside a step count only once that has
/// completed too, because another attempt of it repeats them. Each name is used once.
pub(crate) fn completed(entries: &[Entry]) -> BTreeSet<String> {
    let (mut names, mut open) = (BTreeMap::new(), 0);
    let (mut inside, mut done) = (Vec::new(), BTreeSet::new());
    for entry in entries {
        match entry {
            Entry::StepStarted { call, name, .. } => {
                names.insert(*call, name.clone());
                open += 1;
            }
            Entry::AttemptStarted { .. } => open += 1,
            Entry::AttemptFailed { .. } | Entry::StepFailed { .. } => open -= 1,
            Entry::StepCompleted { call, .. } => {
                open -= 1;
                inside.push(names[call].clone());
            }
            _ => {}
        }
        match open {
            0 if matches!(entry, Entry::StepCompleted { .. }) => done.extend(inside.drain(..)),
            0 => inside.clear(),
            _ => {}
        }
    }
    done
}

/// The instance is created in one piece; from then on it may break off anywhere.
fn check(ops: &Value, decision: Decision) {
    let (straight, key, images) = run_straight(ops, decision);
    assert!(straight.counts["redeemed"] <= straight.counts["issued"], "{straight:?}");
    assert!(straight.deployments <= straight.counts["redeemed"], "{straight:?}");
    for (number, image) in images.into_iter().enumerate() {
        let again = go_on(image, &key, decision);
        assert_eq!(again, straight, "broken off after entry {number} of {ops}");
    }
}

/// A program of everything that there is.
pub(crate) fn everything() -> Value {
    let attempt = |name: &str, fails: u32| json!({ "try": { "name": name, "fails": fails, "retries": 2 } });
    let go = json!({ "event": { "name": "go", "ms": 5_000 } });
    json!([
        { "once": { "name": "build" } },
        attempt("test", 2),
        { "sleep": 1_000 },
        go,
        { "undo": { "name": "reserve", "fails": 1, "sticks": 1 } },
        { "race": [{ "event": { "name": "stop", "ms": 9_000 } }, { "sleep": 100 }, attempt("scan", 1)] },
        { "all": [attempt("north", 1), { "sleep": 20 }, { "deploy": "beside" }, go] },
        { "inside": { "name": "outer", "fails": 1, "ops": [{ "sleep": 5 }, attempt("inner", 1)] } },
        { "deploy": "app" },
    ])
}

#[test]
fn broken_off_after_any_entry_the_end_is_the_same() {
    check(&everything(), Decision::Approved);
}

#[test]
fn a_rollback_that_is_broken_off_goes_on() {
    let mut ops = everything();
    ops.as_array_mut()
        .unwrap()
        .extend([json!({ "undo": { "name": "book", "fails": 2, "sticks": 0 } }), json!({ "fail": "boom" })]);
    check(&ops, Decision::Denied);
    check(
        &json!([{ "undo": { "name": "a", "fails": 0, "sticks": 1 } }, { "undo": { "name": "b", "fails": 1, "sticks": 2 } }, { "fail": "boom" }]),
        Decision::Approved,
    );
}

/// Programs, with a name of its own for each step.
fn programs() -> impl Strategy<Value = Value> {
    let ms = || prop_oneof![Just(0_u64), 1..100_u64];
    let event = (prop_oneof![Just("go"), Just("stop"), Just("never")], 1..100_u64)
        .prop_map(|(name, ms)| json!({ "event": { "name": name, "ms": ms } }));
    let attempt = (0..4_u32, 0..4_u32)
        .prop_map(|(fails, retries)| json!({ "try": { "name": "", "fails": fails, "retries": retries } }));
    let undo = (0..3_u32, 0..3_u32)
        .prop_map(|(fails, sticks)| json!({ "undo": { "name": "", "fails": fails, "sticks": sticks } }));
    let beside = || {
        prop_oneof![
            ms().prop_map(|ms| json!({ "sleep": ms })),
            event.clone(),
            attempt.clone(),
            Just(json!({ "deploy": "" })),
        ]
    };
    let racer = prop_oneof![5 => beside(), 1 => undo.clone()];
    let several = || prop::collection::vec(beside(), 1..4);
    let racers = prop::collection::vec(racer, 1..4);
    let plain = prop_oneof![
        3 => beside(),
        1 => Just(json!({ "once": { "name": "" } })),
        1 => several().prop_map(|ops| json!({ "all": ops })),
        2 => several().prop_map(|ops| json!({ "race": ops })),
    ];
    let together = prop_oneof![
        racers.clone().prop_map(|ops| json!({ "all": ops })),
        racers.prop_map(|ops| json!({ "race": ops })),
    ];
    let outer = prop_oneof![
        5 => plain.clone(),
        1 => undo,
        1 => together,
        1 => (0..2_u32, prop::collection::vec(plain, 0..3))
            .prop_map(|(fails, ops)| json!({ "inside": { "name": "", "fails": fails, "ops": ops } })),
    ];
    let end = prop_oneof![3 => Just(None), 1 => Just(Some(json!({ "fail": "boom" })))];
    (prop::collection::vec(outer, 1..6), end).prop_map(|(mut ops, end)| {
        ops.extend(end);
        let mut ops = Value::from(ops);
        name_steps(&mut ops, &mut 0);
        ops
    })
}

/// Gives a number to everything that has an empty name.
fn name_steps(value: &mut Value, next: &mut u32) {
    match value {
        Value::String(name) if name.is_empty() => {
            *name = format!("s{next}");
            *next += 1;
        }
        Value::Array(values) => values.iter_mut().for_each(|value| name_steps(value, next)),
        Value::Object(fields) => fields.values_mut().for_each(|value| name_steps(value, next)),
        _ => {}
    }
}

fn decision() -> impl Strategy<Value = Decision> {
    prop_oneof![3 => Just(Decision::Approved), 1 => Just(Decision::Denied)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, max_shrink_iters: 40, ..ProptestConfig::default() })]

    #[test]
    fn any_program_ends_the_same_wherever_it_is_broken_off(ops in programs(), decision in decision()) {
        check(&ops, decision);
    }
}
