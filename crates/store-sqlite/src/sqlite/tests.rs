//! Reading in parts: the content of the parts, and their cost in the instructions that SQLite runs.

use crate::Sqlite;
use crate::file::open;
use crate::journal;
use crate::journal::range;
use crate::journal::sparse_index::SparseIndex;
use crate::journal::tenant;
use receipt::{Digest, Timestamp};
use rusqlite::Connection;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use store::{Batch, Commit, Create, DataFolder, InstanceKey, JournalPosition, Quotas, WriteStore as _};
use tempfile::TempDir;
use workflow::{CallMode, Entry, TenantId};

const AT: Timestamp = Timestamp::from_millis(1_000);

fn key(tenant: &str) -> InstanceKey {
    key_of(tenant, "one")
}

fn key_of(tenant: &str, instance: &str) -> InstanceKey {
    InstanceKey { tenant: tenant.parse().unwrap(), instance: instance.parse().unwrap() }
}

fn step() -> Entry {
    Entry::StepStarted { call: 0, name: "s".to_owned(), config: None, mode: CallMode::Blocking }
}

fn create(store: &Sqlite, key: InstanceKey) -> Commit {
    let (component, quotas) = ((Digest::of(b"c"), Arc::from(&b"c"[..])), Quotas::default());
    store.create(&Create { key, component, at: AT, entries: vec![step()], quotas })
}

fn append(store: &Sqlite, key: InstanceKey, after: usize, entries: usize) -> Commit {
    let place = JournalPosition { key, after, at: AT };
    store.append(place, &Batch { entries: vec![step(); entries], ..Batch::default() })
}

/// A closed store's database after these writes.
fn database(write: impl FnOnce(&Sqlite) -> Vec<Commit>) -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let data = DataFolder::own(folder.path()).unwrap();
    let store = Sqlite::open(&data).unwrap();
    for commit in write(&store) {
        commit.wait().unwrap();
    }
    drop(store);
    let path = folder.path().join("journal.sqlite");
    (folder, path)
}

/// Moves the begin of the tail. Each instance's row names its last entry before the tail, or if `is_newer` its last
/// of all.
fn settle(path: &Path, upto: &str, is_newer: &str) {
    let settle = format!(
        "UPDATE settled SET seq = (SELECT {upto} FROM entries);
        UPDATE instances SET last = (SELECT max(seq) FROM entries WHERE instance = instances.id
            AND ({is_newer} OR seq <= (SELECT seq FROM settled)))"
    );
    Connection::open(path).unwrap().execute_batch(&settle).unwrap();
}

/// A journal with this number of entries of each of these tenants, one per row, and a counter of instructions.
fn journal(of: &[(&str, usize)]) -> (TempDir, Connection, Arc<AtomicU64>) {
    let (folder, path) = database(|store| {
        let mut commits = Vec::new();
        for (tenant, entries) in of {
            commits.push(create(store, key(tenant)));
            commits.extend((1..*entries).map(|after| append(store, key(tenant), after, 1)));
        }
        commits
    });
    settle(&path, "max(seq)", "true");
    let (mut db, count) = (open::read(&path).unwrap(), Arc::<AtomicU64>::default());
    let counter = Arc::clone(&count);
    let counts = move || {
        counter.fetch_add(1, Ordering::Relaxed);
        false
    };
    db.progress_handler(1, Some(counts)).unwrap();
    (folder, db, count)
}

/// The cost of reading a whole journal with this number of entries in parts.
fn cost_of_parts(entries: usize) -> u64 {
    let (_folder, db, count) = journal(&[("acme", entries), ("globex", 10)]);
    let (sparse_index, mut read) = (Mutex::<SparseIndex>::default(), 0);
    while read < entries {
        let part = range::from(&db, &key("acme"), (read as u64, 16), None, &sparse_index).unwrap();
        assert_eq!((part[0].index, part.len()), (read as u64, 16.min(entries - read)));
        read += part.len();
    }
    count.load(Ordering::Relaxed)
}

#[test]
fn a_journal_of_four_times_the_length_costs_about_four_times_as_much_to_read_in_parts() {
    let (short, long) = (cost_of_parts(1_000), cost_of_parts(4_000));
    assert!(long < 5 * short, "{short} and {long} instructions");
}

/// The cost of the first part of a tenant's facts, in a journal with this many facts of another tenant.
fn cost_beside(others: usize) -> u64 {
    let (_folder, db, count) = journal(&[("globex", others), ("acme", 20)]);
    let tenant: TenantId = "acme".parse().unwrap();
    let part = tenant::after(&db, &tenant, 0, 16).unwrap();
    assert_eq!((part.len(), part[0].key.clone()), (16, key("acme")));
    count.load(Ordering::Relaxed)
}

#[test]
fn a_tenants_part_costs_no_more_beside_a_larger_tenant() {
    let (few, many) = (cost_beside(500), cost_beside(4_000));
    assert!(many < 2 * few, "{few} and {many} instructions");
}

/// The cost of the first part of the facts of a tenant that has nearly all.
fn cost_with(own: usize) -> u64 {
    let (_folder, db, count) = journal(&[("acme", own), ("globex", 20)]);
    assert_eq!(tenant::after(&db, &"acme".parse().unwrap(), 0, 16).unwrap().len(), 16);
    count.load(Ordering::Relaxed)
}

#[test]
fn a_part_costs_no_more_where_the_tenant_has_many_facts_after_it() {
    let (few, many) = (cost_with(1_000), cost_with(4_000));
    assert!(many < 2 * few, "{few} and {many} instructions");
}

/// Rows of three tenants in turns, some of them of two entries: one has most rows, one has few, and one begins late.
fn in_turns(store: &Sqlite) -> Vec<Commit> {
    const ROWS: usize = 3_000;
    let mut lengths = BTreeMap::new();
    let write = |row| {
        let tenant = match row {
            _ if row % 50 == 0 => "few",
            _ if row > ROWS / 8 && row % 2 == 1 => "late",
            _ => "many",
        };
        let key = key_of(tenant, ["one", "two", "three"][row % 3]);
        let (after, entries) = (lengths.get(&key).copied(), 1 + row / 3 % 2);
        *lengths.entry(key.clone()).or_insert(0) += after.map_or(1, |_| entries);
        match after {
            None => create(store, key),
            Some(after) => append(store, key, after, entries),
        }
    };
    (0..ROWS).map(write).collect()
}

#[test]
fn parts_have_a_tenants_facts_in_order_wherever_the_tail_begins() {
    let (_folder, path) = database(in_turns);
    for upto in ["0", "max(seq) / 2", "max(seq)"] {
        settle(&path, upto, "instances.id % 2");
        let db = open::read(&path).unwrap();
        let all = journal::all(&db).unwrap();
        for (tenant, limit) in
            [("many", 100), ("many", 7), ("few", 100), ("few", 7), ("late", 100), ("late", 7), ("none", 7)]
        {
            let (tenant, mut seq): (TenantId, u64) = (tenant.parse().unwrap(), 0);
            loop {
                let part = tenant::after(&db, &tenant, seq, limit).unwrap();
                let own = all.iter().filter(|fact| fact.seq > seq && fact.key.tenant == tenant);
                assert!(part.iter().eq(own.take(limit as usize)), "{tenant} after {seq}, tail from {upto}");
                let Some(last) = part.last() else { break };
                seq = last.seq;
            }
        }
    }
}
