//! What reading in parts costs, in the instructions that SQLite runs.

use crate::Sqlite;
use crate::file::open;
use crate::journal::parts;
use crate::journal::stops::Stops;
use crate::journal::tenant;
use receipt::{Digest, Timestamp};
use rusqlite::Connection;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use store::{Batch, Create, DataFolder, InstanceKey, JournalPosition, Quotas, WriteStore as _};
use tempfile::TempDir;
use workflow::{Entry, Manner, TenantId};

const AT: Timestamp = Timestamp::from_millis(1_000);

fn key(tenant: &str) -> InstanceKey {
    InstanceKey { tenant: tenant.parse().unwrap(), instance: "one".parse().unwrap() }
}

fn step() -> Entry {
    Entry::StepStarted { call: 0, name: "s".to_owned(), config: None, manner: Manner::AtOnce }
}

/// A journal with so many entries of each of these tenants, one a row, and a counter of instructions.
fn journal(of: &[(&str, usize)]) -> (TempDir, Connection, Arc<AtomicU64>) {
    let folder = TempDir::new().unwrap();
    let data = DataFolder::own(folder.path()).unwrap();
    let store = Sqlite::open(&data).unwrap();
    for (tenant, entries) in of {
        let component = (Digest::of(b"c"), Arc::from(&b"c"[..]));
        let (key, quotas) = (key(tenant), Quotas::default());
        store.create(&Create { key: key.clone(), component, at: AT, entries: vec![step()], quotas });
        for after in 1..*entries {
            let place = JournalPosition { key: key.clone(), after, at: AT };
            store.append(place, &Batch { entries: vec![step()], ..Batch::default() });
        }
    }
    drop(store);
    let path = folder.path().join("journal.sqlite");
    // As it is once the tail has become long: every instance's row names its last entry.
    let settle = "UPDATE instances SET last = (SELECT max(seq) FROM entries WHERE instance = instances.id);
        UPDATE settled SET seq = (SELECT max(seq) FROM entries)";
    Connection::open(&path).unwrap().execute_batch(settle).unwrap();
    let (mut db, count) = (open::read(&path).unwrap(), Arc::<AtomicU64>::default());
    let counter = Arc::clone(&count);
    let counts = move || {
        counter.fetch_add(1, Ordering::Relaxed);
        false
    };
    db.progress_handler(1, Some(counts)).unwrap();
    (folder, db, count)
}

/// The cost of reading a whole journal of so many entries in parts.
fn cost_of_parts(entries: usize) -> u64 {
    let (_folder, db, count) = journal(&[("acme", entries), ("globex", 10)]);
    let (stops, mut read) = (Mutex::<Stops>::default(), 0);
    while read < entries {
        let part = parts::from(&db, &key("acme"), (read as u64, 16), None, &stops).unwrap();
        assert_eq!((part[0].index, part.len()), (read as u64, 16.min(entries - read)));
        read += part.len();
    }
    count.load(Ordering::Relaxed)
}

#[test]
fn a_journal_of_twice_the_length_costs_twice_as_much_to_read_in_parts() {
    let (short, long) = (cost_of_parts(1_000), cost_of_parts(4_000));
    assert!(long < 5 * short, "{short} and {long} instructions");
}

/// The cost of the first part of a tenant's facts, beside another tenant with so many.
fn cost_beside(others: usize) -> u64 {
    let (_folder, db, count) = journal(&[("globex", others), ("acme", 20)]);
    let tenant: TenantId = "acme".parse().unwrap();
    let part = tenant::after(&db, &tenant, 0, 16).unwrap();
    assert_eq!((part.len(), part[0].key.clone()), (16, key("acme")));
    count.load(Ordering::Relaxed)
}

#[test]
fn what_other_tenants_have_makes_a_tenants_part_no_dearer() {
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
fn what_a_tenant_has_behind_a_part_makes_it_no_dearer() {
    let (few, many) = (cost_with(1_000), cost_with(4_000));
    assert!(many < 2 * few, "{few} and {many} instructions");
}
