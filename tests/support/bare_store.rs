//! A store without a host: instances of one tenant, and steps in them.

use receipt::{Digest, Timestamp};
use std::path::Path;
use std::sync::Arc;
use store::DataFolder;
use store::{Batch, Commit, Create, InstanceKey, JournalPosition, Quotas, Store};
use store_sqlite::Sqlite;
use workflow::{CallMode, Entry};

/// When everything happens.
pub const AT: Timestamp = Timestamp::from_millis(1_700_000_000_000);

pub fn open(folder: &Path) -> Sqlite {
    Sqlite::open(&DataFolder::own(folder).unwrap()).unwrap()
}

pub fn key(name: &str) -> InstanceKey {
    InstanceKey { tenant: "acme".parse().unwrap(), instance: name.parse().unwrap() }
}

pub fn started(seed: u8) -> Entry {
    Entry::Started {
        tenant: "acme".parse().unwrap(),
        actor: "agent:a".parse().unwrap(),
        workflow: "w".to_owned(),
        params: "{}".to_owned(),
        seed: Digest::from_bytes([seed; 32]),
        operator: None,
        submitter: None,
    }
}

pub fn create(store: &dyn Store, name: &str) -> Commit {
    create_within(store, name, Quotas::default())
}

pub fn create_within(store: &dyn Store, name: &str, quotas: Quotas) -> Commit {
    let bytes: Arc<[u8]> = Arc::from(&b"component"[..]);
    let component = (Digest::of(&bytes), bytes);
    store.create(&Create { key: key(name), component, at: AT, entries: vec![started(0)], quotas })
}

pub fn step(call: u32) -> Entry {
    Entry::StepStarted { call, name: "s".to_owned(), config: None, mode: CallMode::Blocking }
}

pub fn append(store: &dyn Store, name: &str, after: usize, entry: Entry) -> Commit {
    let batch = Batch { entries: vec![entry], ..Batch::default() };
    store.append(JournalPosition { key: key(name), after, at: AT }, &batch)
}
