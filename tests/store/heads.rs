//! The heads of journals: a step changes no other row, and readers still find the end.

use crate::support;
use crate::support::bare_store::{AT, append, create, key, open, step};
use proptest::prelude::*;
use rusqlite::Connection;
use std::path::Path;
use store::DataFolder;
use store::{
    Batch, InstanceState, JournalPosition, JournalStore as _, NewRequest, Quotas, RequestStore as _,
    ScheduleRow, StoreError, UsageStore as _, Write, WriteStore as _,
};
use store_sqlite::Sqlite;
use tempfile::TempDir;
use workflow::{Entry, RequestId};

const NAMES: [&str; 3] = ["a", "b", "c"];

fn usage(store: &Sqlite) -> u64 {
    store.usage(&"acme".parse().unwrap()).wait().unwrap().stored_bytes
}

fn length(entry: &Entry) -> u64 {
    serde_json::to_string(entry).unwrap().len() as u64
}

fn database(folder: &Path) -> Connection {
    Connection::open(folder.join("journal.sqlite")).unwrap()
}

/// Pages in the log, which is moved.
fn pages(database: &Connection) -> i64 {
    database.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| row.get(1)).unwrap()
}

#[test]
fn a_step_is_one_page_in_the_log() {
    let folder = TempDir::new().unwrap();
    let store = open(folder.path());
    create(&store, "a").wait().unwrap();
    let other = database(folder.path());
    pages(&other);
    for call in 0..20 {
        append(&store, "a", 1 + call, step(u32::try_from(call).unwrap())).wait().unwrap();
    }
    // A page of steps may have become full.
    let pages = pages(&other);
    assert!((20..=24).contains(&pages), "{pages} pages");
}

/// An operation on one of the instances.
#[derive(Debug, Clone, Copy)]
enum Op {
    /// So many steps, and a schedule row if the flag is set.
    Steps(u8, bool),
    /// Steps that are refused: at another place, or for want of room.
    Misplaced,
    TooMuch,
    /// An entry in the schedule and no step.
    Entered,
    /// The store is opened again.
    Reopened,
}

fn op() -> impl Strategy<Value = (usize, Op)> {
    let op = prop_oneof![
        4 => (1..4_u8, proptest::bool::weighted(0.2)).prop_map(|(steps, entered)| Op::Steps(steps, entered)),
        1 => Just(Op::Misplaced),
        1 => Just(Op::TooMuch),
        1 => Just(Op::Entered),
        1 => Just(Op::Reopened),
    ];
    (0..NAMES.len(), op)
}

fn batch(entries: Vec<Entry>, entered: bool, room: u64) -> Batch {
    let schedule = entered.then_some(ScheduleRow { state: InstanceState::Running, due: Some(AT) });
    let quotas = Some(Quotas { stored_bytes: room, ..Quotas::default() });
    Batch { entries, schedule, quotas, ..Batch::default() }
}

/// The journals have these lengths, and all of their bytes count, for every reader: here, elsewhere, and after a crash,
/// because closing a store writes nothing about the heads.
fn check(folder: &Path, store: &Sqlite, lengths: [usize; 3], bytes: u64) {
    let looks = Sqlite::open(&DataFolder::read(folder).unwrap()).unwrap();
    for store in [store, &looks] {
        for (name, length) in NAMES.into_iter().zip(lengths) {
            let facts = store.facts(Some(&key(name))).wait().unwrap();
            assert_eq!(facts.len(), length, "{name}");
            assert_eq!(
                store.facts_from(&key(name), length as u64 - 1, 9).wait().unwrap(),
                facts[length - 1..]
            );
        }
        assert_eq!(usage(store), bytes);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn ends_are_found_after_any_operations(ops in proptest::collection::vec(op(), 1..30)) {
        let folder = TempDir::new().unwrap();
        let mut store = open(folder.path());
        for name in NAMES {
            create(&store, name).wait().unwrap();
        }
        let (mut lengths, mut bytes) = ([1; 3], usage(&store));
        for (which, op) in ops {
            let place = |after| JournalPosition { key: key(NAMES[which]), after, at: AT };
            let after = lengths[which];
            match op {
                Op::Steps(count, entered) => {
                    let entries: Vec<_> = (0..count).map(|n| step(u32::from(n))).collect();
                    lengths[which] += entries.len();
                    bytes += entries.iter().map(length).sum::<u64>();
                    // To the last byte there is room.
                    store.append(place(after), &batch(entries, entered, bytes)).wait().unwrap();
                }
                Op::Misplaced => {
                    let refused = store.append(place(after + 1), &batch(vec![step(0)], true, u64::MAX)).wait();
                    prop_assert!(matches!(refused, Err(StoreError::Conflict(_))));
                }
                Op::TooMuch => {
                    let refused = store.append(place(after), &batch(vec![step(0)], true, bytes)).wait();
                    prop_assert!(matches!(refused, Err(StoreError::Quota(_))));
                }
                Op::Entered => drop(store.append(place(after), &batch(vec![], true, 0)).wait().unwrap()),
                Op::Reopened => {
                    drop(store);
                    store = open(folder.path());
                }
            }
            check(folder.path(), &store, lengths, bytes);
        }
    }
}

/// A tail that has become long is settled, and nothing in it counts twice.
#[test]
fn a_long_tail_is_settled() {
    const AT_ONCE: usize = 64;
    let folder = TempDir::new().unwrap();
    let store = open(folder.path());
    for name in NAMES {
        create(&store, name).wait().unwrap();
    }
    let settled = || -> i64 {
        database(folder.path()).query_row("SELECT seq FROM settled", [], |row| row.get(0)).unwrap()
    };
    let (mut lengths, mut bytes, began) = ([1; 3], usage(&store), settled());
    let mut written = 0;
    while settled() == began {
        assert!(written < 10_000, "nothing is settled");
        let which = written % 3;
        let entries: Vec<_> = (0..AT_ONCE).map(|n| step(u32::try_from(n).unwrap())).collect();
        bytes += entries.iter().map(length).sum::<u64>();
        let place = JournalPosition { key: key(NAMES[which]), after: lengths[which], at: AT };
        store.append(place, &batch(entries, false, u64::MAX)).wait().unwrap();
        lengths[which] += AT_ONCE;
        written += AT_ONCE;
    }
    check(folder.path(), &store, lengths, bytes);
    for (which, name) in NAMES.into_iter().enumerate() {
        let place = JournalPosition { key: key(name), after: lengths[which], at: AT };
        store.append(place, &batch(vec![step(0)], true, u64::MAX)).wait().unwrap();
        lengths[which] += 1;
        bytes += length(&step(0));
    }
    check(folder.path(), &store, lengths, bytes);
    drop(store);
    check(folder.path(), &open(folder.path()), lengths, bytes);
}

/// Steps of an ended instance, which no schedule row covers, are deleted with it, and their bytes no longer count.
#[test]
fn what_is_in_the_tail_is_deleted_with_its_instance() {
    let folder = TempDir::new().unwrap();
    let store = open(folder.path());
    let empty = usage(&store);
    create(&store, "a").wait().unwrap();
    let created = usage(&store) - empty;
    let end = ScheduleRow { state: InstanceState::Complete, due: None };
    let ended = Batch { entries: vec![step(0)], schedule: Some(end), ..Batch::default() };
    let place = |after| JournalPosition { key: key("a"), after, at: AT };
    store.append(place(1), &ended).wait().unwrap();
    append(&store, "a", 2, step(1)).wait().unwrap();
    let kept: u64 = store.facts(Some(&key("a"))).wait().unwrap().iter().map(|fact| length(&fact.entry)).sum();
    let (bytes, by) = (usize::try_from(kept).unwrap(), "t".to_owned());
    store.write(Write::Delete { place: place(3), components: vec![], bytes, by }).wait().unwrap();
    assert!(store.facts(None).wait().unwrap().is_empty());
    let component = created - length(&support::bare_store::started(0));
    assert_eq!(usage(&store), empty + component, "the component was not let go");
}

/// Another process has written meanwhile: this one drops its cache and looks up the state again.
#[test]
fn what_others_write_is_found() {
    let folder = TempDir::new().unwrap();
    let store = open(folder.path());
    create(&store, "a").wait().unwrap();
    append(&store, "a", 1, step(0)).wait().unwrap();
    let statement = "INSERT INTO entries (seq, instance, idx, at, body, prev)
        SELECT max(seq) + 1, instance, max(idx) + 1, max(at), ?1, max(seq) FROM entries";
    database(folder.path()).execute(statement, [serde_json::to_string(&step(1)).unwrap()]).unwrap();
    assert_eq!(store.facts(Some(&key("a"))).wait().unwrap().len(), 3);
    assert!(matches!(append(&store, "a", 2, step(2)).wait(), Err(StoreError::Conflict(_))));
    append(&store, "a", 3, step(2)).wait().unwrap();
    assert_eq!(store.facts(Some(&key("a"))).wait().unwrap().last().unwrap().index, 3);
    assert_eq!(store.facts(Some(&key("a"))).wait().unwrap().len(), 4);
}

/// A read that began before the last commits does not get a hint of them.
#[test]
fn a_request_is_read_with_its_journal_while_others_write() {
    let folder = TempDir::new().unwrap();
    let store = open(folder.path());
    create(&store, "a").wait().unwrap();
    let request: RequestId = "apr_1".parse().unwrap();
    let (capability, resource, body) = ("deploy".to_owned(), "r".to_owned(), r#"{"id":"apr_1"}"#.to_owned());
    let asked = NewRequest { id: request.clone(), capability, resource, body };
    let place = JournalPosition { key: key("a"), after: 1, at: AT };
    let batch = Batch { entries: vec![step(0)], request: Some(asked), ..Batch::default() };
    store.append(place, &batch).wait().unwrap();
    std::thread::scope(|scope| {
        let writing = scope.spawn(|| {
            for length in 2..3_000 {
                append(&store, "a", length, step(0)).wait().unwrap();
            }
        });
        let mut before = 2;
        while !writing.is_finished() {
            let facts = store.request_and_journal(&request).wait().unwrap().unwrap().facts;
            assert!(facts.len() >= before, "{} after {before}", facts.len());
            before = facts.len();
        }
    });
    assert_eq!(store.request_and_journal(&request).wait().unwrap().unwrap().facts.len(), 3_000);
}
