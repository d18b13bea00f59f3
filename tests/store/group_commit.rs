//! The write path: many writes, one synchronisation; nothing is acknowledged that is not on disk, and no write harms another.

use crate::support;
use crate::support::bare_store::{AT, append, create, create_within, key, open, step};
use receipt::Timestamp;
use rusqlite::Connection;
use std::path::Path;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use store::DataFolder;
use store::{
    ActStore as _, Batch, Commit, FolderError, JournalPosition, JournalStore as _, NewRequest, OverQuota,
    Precondition, Quotas, ReceiptState, RequestStore as _, Stamp, Store, StoreError, UsageStore as _, Write,
    WriteStore as _, Writer, Written,
};
use store_sqlite::Sqlite;
use tempfile::TempDir;
use workflow::{CallMode, Entry};

/// Blocks the writer in one write until it is released: writes that are submitted meanwhile are one group.
struct Held {
    database: Connection,
    commit: Commit,
}

fn hold(folder: &Path, store: &dyn Store, name: &str, after: usize) -> Held {
    let database = Connection::open(folder.join("journal.sqlite")).unwrap();
    database.execute_batch("BEGIN IMMEDIATE").unwrap();
    Held { database, commit: append(store, name, after, step(0)) }
}

impl Held {
    fn let_go(self) -> Written {
        self.database.execute_batch("COMMIT").unwrap();
        self.commit.wait()
    }
}

/// An append by a writer that has seen this of an unspent receipt.
fn append_seeing(store: &dyn Store, name: &str, receipt_state: ReceiptState) -> Commit {
    let seen = Some(Box::new(Precondition { receipt: "rcpt_none".parse().unwrap(), receipt_state, acts: 0 }));
    let batch = Batch { entries: vec![step(0)], seen, ..Batch::default() };
    store.append(JournalPosition { key: key(name), after: 1, at: AT }, &batch)
}

/// The index of a written entry in its journal.
fn index(store: &dyn Store, name: &str, commit: Commit) -> u64 {
    let Stamp { seq, at } = commit.wait().unwrap().unwrap();
    let facts = store.facts(Some(&key(name))).wait().unwrap();
    let written = facts.iter().find(|fact| fact.seq == seq).unwrap();
    assert_eq!(written.at, at);
    written.index
}

fn is_pending(commit: Commit) -> bool {
    pin!(commit).poll(&mut Context::from_waker(Waker::noop())).is_pending()
}

fn bodies(folder: &Path) -> i64 {
    let journal = Connection::open(folder.join("journal.sqlite")).unwrap();
    journal.query_row("SELECT sum(count) FROM entries", [], |row| row.get(0)).unwrap()
}

/// Two hundred writes are submitted while the writer is busy, with every kind of refusal among them.
#[test]
fn in_a_group_each_write_stands_or_falls_alone() {
    let folder = TempDir::new().unwrap();
    let store = open(folder.path());
    for name in ["held", "a", "b", "c"] {
        create(&store, name).wait().unwrap();
    }
    let held = hold(folder.path(), &store, "held", 1);
    let good: Vec<_> =
        (0..200_usize).map(|n| append(&store, "a", 1 + n, step(u32::try_from(n).unwrap()))).collect();
    let stale = append(&store, "b", 7, step(0));
    let exists = create(&store, "a");
    let nowhere = append(&store, "nowhere", 0, step(0));
    let over = create_within(&store, "d", Quotas { instances: 4, ..Quotas::default() });
    let unseen =
        append_seeing(&store, "c", ReceiptState { redeemed: Some((AT, 1)), ..ReceiptState::default() });
    let after = append(&store, "b", 1, step(0));
    assert!(good.iter().all(|_| bodies(folder.path()) == 4), "nothing is on disk while the group waits");
    held.let_go().unwrap();
    for (n, commit) in good.into_iter().enumerate() {
        assert_eq!(index(&store, "a", commit), n as u64 + 1);
    }
    assert!(matches!(stale.wait(), Err(StoreError::Conflict(_))));
    assert!(matches!(exists.wait(), Err(StoreError::Exists(_))));
    assert!(matches!(nowhere.wait(), Err(StoreError::NoInstance(_))));
    assert!(matches!(over.wait(), Err(StoreError::Quota(OverQuota { name: "instances", .. }))));
    assert!(matches!(unseen.wait(), Err(StoreError::ReceiptMoved(_))));
    assert_eq!(index(&store, "b", after), 1);
    assert_eq!(bodies(folder.path()), 4 + 1 + 200 + 1);
    assert_eq!(store.usage(&"acme".parse().unwrap()).wait().unwrap().instances, 4);
}

/// The partial effects of a refused write are undone, and no others.
#[test]
fn a_refused_write_leaves_nothing_behind() {
    let folder = TempDir::new().unwrap();
    let store = open(folder.path());
    create(&store, "a").wait().unwrap();
    let usage = || store.usage(&"acme".parse().unwrap()).wait().unwrap();
    let before = usage();
    let quotas = Some(Quotas { pending_approvals: 0, ..Quotas::default() });
    let (capability, resource) = ("a.b".to_owned(), "c".to_owned());
    let request = NewRequest { id: "apr_1".parse().unwrap(), capability, resource, body: "{}".to_owned() };
    let batch = Batch { entries: vec![step(0)], request: Some(request), quotas, ..Batch::default() };
    let place = JournalPosition { key: key("a"), after: 1, at: AT };
    let held = hold(folder.path(), &store, "a", 1);
    let beside = store.append(JournalPosition { after: 2, ..place.clone() }, &batch);
    held.let_go().unwrap();
    assert!(matches!(beside.wait(), Err(StoreError::Quota(_))));
    assert!(store.request(&"apr_1".parse().unwrap()).wait().unwrap().is_none());
    let held = store.facts(Some(&key("a"))).wait().unwrap().pop().unwrap();
    let grown = serde_json::to_string(&held.entry).unwrap().len() as u64;
    assert_eq!(usage().stored_bytes, before.stored_bytes + grown);
    assert_eq!(usage().pending_approvals, 0);
    assert_eq!(index(&store, "a", append(&store, "a", 2, step(1))), 2);
}

#[test]
fn of_two_writers_at_one_place_in_one_group_one_wins() {
    let folder = TempDir::new().unwrap();
    let store = open(folder.path());
    for name in ["held", "a"] {
        create(&store, name).wait().unwrap();
    }
    let held = hold(folder.path(), &store, "held", 1);
    let both: Vec<_> = (0..64).map(|call| append(&store, "a", 1, step(call))).collect();
    held.let_go().unwrap();
    let answers: Vec<Written> = both.into_iter().map(Commit::wait).collect();
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    let lost = answers.iter().filter(|answer| matches!(answer, Err(StoreError::Conflict(_)))).count();
    assert_eq!(lost, 63);
    assert_eq!(store.facts(Some(&key("a"))).wait().unwrap().len(), 2);
}

/// Some callers write on their own threads and some queue: the first one writes, and one of them wins.
#[test]
fn a_writer_that_waits_on_its_own_thread_writes_like_all_others() {
    let folder = TempDir::new().unwrap();
    let store = open(folder.path());
    create(&store, "a").wait().unwrap();
    let place = JournalPosition { key: key("a"), after: 1, at: AT };
    let batches: Vec<_> =
        (0..64).map(|call| Batch { entries: vec![step(call)], ..Batch::default() }).collect();
    let write = |batch| Write::Append { place: place.clone(), batch, writer: Writer::Driver };
    let answers: Vec<Written> = std::thread::scope(|scope| {
        let (store, write) = (&store, &write);
        let writers: Vec<_> = (0..)
            .zip(&batches)
            .map(|(number, batch)| {
                scope.spawn(move || match number % 2 {
                    0 => store.write_here(write(batch)),
                    _ => store.write(write(batch)).wait(),
                })
            })
            .collect();
        writers.into_iter().map(|writer| writer.join().unwrap()).collect()
    });
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    assert!(answers.iter().all(|answer| matches!(answer, Ok(_) | Err(StoreError::Conflict(_)))));
    assert_eq!(bodies(folder.path()), 2);
    let held = hold(folder.path(), &store, "a", 2);
    let batch = Batch { entries: vec![step(2)], ..Batch::default() };
    std::thread::scope(|scope| {
        let place = JournalPosition { after: 3, ..place.clone() };
        let batch = &batch;
        let late = scope.spawn(|| store.write_here(Write::Append { place, batch, writer: Writer::Driver }));
        held.let_go().unwrap();
        let late = Commit::ready(late.join().unwrap());
        assert_eq!(index(&store, "a", late), 3, "it waits for its turn");
    });
}

/// The log's file stays as long as it ever was: that is no reason to move it again with every commit.
#[test]
fn a_log_that_was_long_once_is_moved_once() {
    let folder = TempDir::new().unwrap();
    let store = open(folder.path());
    create(&store, "a").wait().unwrap();
    let moved = || -> i64 {
        let journal = Connection::open(folder.path().join("journal.sqlite")).unwrap();
        journal.query_row("SELECT closed FROM log", [], |row| row.get(0)).unwrap()
    };
    let long =
        Entry::StepStarted { call: 0, name: "n".repeat(1 << 20), config: None, mode: CallMode::Blocking };
    let (mut length, before) = (1, moved());
    let mut grow = |entry: &Entry| {
        append(&store, "a", length, entry.clone()).wait().unwrap();
        length += 1;
    };
    while moved() == before {
        grow(&long);
    }
    let after = moved();
    (0..50).for_each(|call| grow(&step(call)));
    assert_eq!(moved(), after);
}

#[test]
fn what_was_handed_over_is_on_disk_when_the_store_is_closed() {
    let folder = TempDir::new().unwrap();
    let store = open(folder.path());
    create(&store, "a").wait().unwrap();
    let commits: Vec<_> = (0..100).map(|n| append(&store, "a", 1 + n, step(n as u32))).collect();
    drop(store);
    assert_eq!(bodies(folder.path()), 101);
    assert!(commits.into_iter().all(|commit| commit.wait().is_ok()));
}

/// The database refuses to begin: every writer gets the error, nothing is stored, and the next write finds the store as it was.
#[test]
fn when_the_transaction_fails_so_does_everything_in_it() {
    let folder = TempDir::new().unwrap();
    let store = open(folder.path());
    create(&store, "held").wait().unwrap();
    let held = hold(folder.path(), &store, "held", 1);
    // A new instance, whose row would be cached, and appends to it.
    let lost = [create(&store, "a"), append(&store, "a", 1, step(0)), append(&store, "a", 2, step(1))];
    let other = Connection::open(folder.path().join("journal.sqlite")).unwrap();
    let trigger = "CREATE TRIGGER full BEFORE INSERT ON usage BEGIN SELECT raise(ROLLBACK, 'no more'); END";
    held.let_go().unwrap();
    assert!(lost.into_iter().all(|commit| commit.wait().is_ok()), "nothing was in the way yet");
    other.execute_batch(trigger).unwrap();
    let held = hold(folder.path(), &store, "held", 2);
    let lost = [create(&store, "b"), append(&store, "b", 1, step(0)), append(&store, "a", 3, step(2))];
    // A step changes only the journal, so it fails only in one group with them.
    let held = usize::from(held.let_go().is_ok());
    let lost = lost.map(Commit::wait);
    assert!(matches!(lost[0], Err(StoreError::Database(_))));
    assert!(lost[1].is_err(), "there is no such instance");
    // The last of them is written, if it came too late for the group.
    let late = usize::from(lost[2].is_ok());
    other.execute_batch("DROP TRIGGER full").unwrap();
    assert_eq!(store.facts(None).wait().unwrap().len(), 5 + held + late);
    create(&store, "c").wait().unwrap();
    assert!(matches!(append(&store, "b", 1, step(0)).wait(), Err(StoreError::NoInstance(_))));
    assert_eq!(index(&store, "a", append(&store, "a", 3 + late, step(2))), 3 + late as u64);
}

/// A step has no savepoint. Where one ends the whole transaction, as a full disk may, no other counts as written.
#[test]
fn a_step_that_ends_the_transaction_ends_it_for_all() {
    let folder = TempDir::new().unwrap();
    let store = open(folder.path());
    for name in ["held", "a", "b"] {
        create(&store, name).wait().unwrap();
    }
    let trigger = "CREATE TRIGGER full BEFORE INSERT ON entries WHEN NEW.idx = 2 BEGIN SELECT raise(ROLLBACK, 'no more'); END";
    let other = Connection::open(folder.path().join("journal.sqlite")).unwrap();
    other.execute_batch(trigger).unwrap();
    let held = hold(folder.path(), &store, "held", 1);
    let lost =
        [append(&store, "a", 1, step(0)), append(&store, "a", 2, step(1)), append(&store, "b", 1, step(0))];
    let held = held.let_go();
    let lost = lost.map(Commit::wait);
    assert!(lost[1].is_err());
    // Those of them that were in one group with it.
    let written = lost.iter().chain([&held]).filter(|written| written.is_ok()).count();
    assert_eq!(store.facts(None).wait().unwrap().len(), 3 + written);
    other.execute_batch("DROP TRIGGER full").unwrap();
    let after = 1 + usize::from(lost[0].is_ok());
    assert_eq!(index(&store, "a", append(&store, "a", after, step(0))), after as u64);
}

#[test]
fn time_never_runs_backwards_within_a_group_either() {
    let folder = TempDir::new().unwrap();
    let store = open(folder.path());
    for name in ["held", "a"] {
        create(&store, name).wait().unwrap();
    }
    let held = hold(folder.path(), &store, "held", 1);
    let at = |after: usize, millis: i64| {
        let place =
            JournalPosition { key: key("a"), after, at: Timestamp::from_millis(AT.as_millis() + millis) };
        store.append(place, &Batch { entries: vec![step(after as u32)], ..Batch::default() })
    };
    let commits = [at(1, 50), at(2, -50), at(3, 20)];
    held.let_go().unwrap();
    let times = commits.map(|commit| commit.wait().unwrap().unwrap().at.as_millis() - AT.as_millis());
    assert_eq!(times, [50, 50, 50]);
    assert_eq!(store.now(AT).wait().unwrap().as_millis(), AT.as_millis() + 50);
    drop(store);
    assert_eq!(open(folder.path()).now(AT).wait().unwrap().as_millis(), AT.as_millis() + 50);
}

#[test]
fn a_folder_that_is_only_read_takes_no_writes() {
    let folder = TempDir::new().unwrap();
    create(&open(folder.path()), "a").wait().unwrap();
    let store = Sqlite::open(&DataFolder::read(folder.path()).unwrap()).unwrap();
    let output = Write::Output { key: key("a"), text: "x".to_owned(), quotas: Quotas::default() };
    assert!(matches!(store.write(output).wait(), Err(StoreError::Folder(FolderError::NotOwned))));
    assert!(matches!(append(&store, "a", 1, step(0)).wait(), Err(StoreError::Folder(FolderError::NotOwned))));
}

/// A verdict about a receipt is written only on the state that it was given on.
#[test]
fn what_was_decided_on_another_state_is_not_written() {
    let folder = TempDir::new().unwrap();
    let store = open(folder.path());
    create(&store, "a").wait().unwrap();
    let redeemed = ReceiptState { redeemed: Some((AT, 9)), ..ReceiptState::default() };
    assert!(matches!(append_seeing(&store, "a", redeemed).wait(), Err(StoreError::ReceiptMoved(_))));
    store.act(0, AT, "{}".to_owned()).unwrap();
    assert!(matches!(append_seeing(&store, "a", ReceiptState::default()).wait(), Err(StoreError::ActsMoved)));
    assert!(matches!(store.act(0, AT, "{}".to_owned()), Err(StoreError::ActsMoved)));
    store.act(1, AT, "{}".to_owned()).unwrap();
    assert_eq!(store.acts(1).wait().unwrap().len(), 1);
    store.revoke("rcpt_none".parse().unwrap(), AT, "{}".to_owned()).unwrap();
    assert!(matches!(
        store.revoke("rcpt_none".parse().unwrap(), AT, "{}".to_owned()),
        Err(StoreError::Revoked(_))
    ));
    assert_eq!(store.facts(Some(&key("a"))).wait().unwrap().len(), 1);
    assert_eq!(index(&store, "a", append(&store, "a", 1, step(0))), 1);
}

/// A commit can be awaited on a thread or by a future; it answers when the disk has it, and reports when the writer is
/// gone.
#[test]
fn a_commit_answers_once() {
    let (promise, commit) = Commit::promised();
    assert!(is_pending(commit));
    drop(promise);
    let (promise, commit) = Commit::promised();
    drop(promise);
    assert!(matches!(commit.wait(), Err(StoreError::Stopped)));
    let (promise, commit) = Commit::promised();
    let waiting = std::thread::spawn(move || commit.wait());
    promise.answer(Ok(None));
    assert!(waiting.join().unwrap().is_ok());
    let mut ready = pin!(Commit::ready(Err(StoreError::Full(store::Medium::Folder))));
    let polled = ready.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(polled, Poll::Ready(Err(StoreError::Full(_)))));
}

/// A reader with only `sqlite3` sees the same as the host.
#[test]
fn the_views_say_what_the_host_reads() {
    let (folder, host) = support::new_host();
    let key = support::start(&host, "tenant-workflow", "{}");
    support::finish(&host, &key, receipt::Decision::Approved);
    let waiting =
        support::start(&host, "paces", r#"{"steps":3,"result":"0123456789abcdef01234567","approve":true}"#);
    support::block_on(host.drive(&waiting)).unwrap();
    let journal = Connection::open(folder.path().join("journal.sqlite")).unwrap();
    let mut select =
        journal.prepare("SELECT seq, at, tenant, instance, idx, body FROM facts ORDER BY seq").unwrap();
    let shown: Vec<(i64, i64, String, String, i64, String)> = select
        .query_map([], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?))
        })
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    let facts = host.audit(None).unwrap();
    assert_eq!(shown.len(), facts.len());
    for (shown, fact) in shown.into_iter().zip(facts) {
        let body = serde_json::to_string(&fact.entry).unwrap();
        let (tenant, instance) = (fact.key.tenant.to_string(), fact.key.instance.to_string());
        let (seq, index) = (fact.seq.cast_signed(), fact.index.cast_signed());
        assert_eq!(shown, (seq, fact.at.as_millis(), tenant, instance, index, body));
    }
    let mut select = journal.prepare("SELECT id, body FROM asked ORDER BY seq").unwrap();
    let asked = select.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))).unwrap();
    let asked: Vec<_> = asked.collect::<Result<_, _>>().unwrap();
    assert_eq!(asked.len(), 2);
    for (id, body) in asked {
        let kept = host.store().request(&id.parse().unwrap()).wait().unwrap().unwrap().body;
        let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!((value(&body), body.len()), (value(&kept), kept.len()));
        let import = value(&body)["imports"][0].as_str().unwrap().to_owned();
        assert!(import.starts_with("permission-protocol:tenant/deploy@"), "{import}");
    }
}

/// A refused instance has no row, and a later instance of the same name is independent of it.
#[test]
fn what_was_refused_can_be_tried_again() {
    let folder = TempDir::new().unwrap();
    let store = open(folder.path());
    let none = Quotas { instances: 0, ..Quotas::default() };
    assert!(matches!(create_within(&store, "a", none).wait(), Err(StoreError::Quota(_))));
    create(&store, "b").wait().unwrap();
    append(&store, "b", 1, step(0)).wait().unwrap();
    create(&store, "a").wait().unwrap();
    assert_eq!(index(&store, "a", append(&store, "a", 1, step(7))), 1);
    assert_eq!(store.facts(Some(&key("b"))).wait().unwrap().len(), 2);
    let seqs: Vec<_> = store.facts(None).wait().unwrap().into_iter().map(|fact| fact.seq).collect();
    assert_eq!(seqs, [1, 2, 3, 4], "no place is left out");
}
