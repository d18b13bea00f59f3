//! The requirements for every store, for each engine. A suite for one engine is one line: `conformance!(sqlite,
//! Folder);`.

pub(super) mod blobs;
mod claims;
mod deployments;
mod journals;
mod receipts;
mod requests;
mod schedule;

use crate::support;
use crate::support::bare_store::{AT, started};
use receipt::{Digest, Timestamp};
use std::sync::Arc;
use std::time::Duration;
use store::DataFolder;
use store::{
    Batch, ClaimStore as _, Commit, Create, HostInfo, HostSigner, InstanceKey, JournalPosition, Quotas,
    ScheduleRow, Store, Usage,
};
use store_postgres::Postgres;
use store_sqlite::Sqlite;
use tempfile::TempDir;
use workflow::{CallMode, Entry, TenantId};

/// An engine with a place for state. Opened again, it has all acknowledged writes. The opened store belongs to the only
/// host: it is [registered](host) and has renewed its claims once.
trait Engine: Sized {
    /// `None` where the engine is not installed, which has been reported.
    fn new() -> Option<Self>;
    fn open(&self) -> Arc<dyn Store>;
}

/// SQLite in a folder.
struct Folder(TempDir);

impl Engine for Folder {
    fn new() -> Option<Self> {
        Some(Self(TempDir::new().unwrap()))
    }

    fn open(&self) -> Arc<dyn Store> {
        let store = Sqlite::open(&DataFolder::own(self.0.path()).unwrap()).unwrap();
        store.register(&host("only")).wait().unwrap();
        store.renew(TTL).wait().unwrap();
        Arc::new(store)
    }
}

/// PostgreSQL, a schema a test.
struct Server(String);

impl Engine for Server {
    fn new() -> Option<Self> {
        Some(Self(support::postgres::shared()?.schema()))
    }

    fn open(&self) -> Arc<dyn Store> {
        let store = Postgres::open(&self.0).unwrap();
        store.register(&host("only")).wait().unwrap();
        store.renew(TTL).wait().unwrap();
        Arc::new(store)
    }
}

macro_rules! conformance {
    ($name:ident, $engine:ident) => {
        mod $name {
            conformance!(@ $engine; journals: is_created_once, is_appended_at_its_place_only, one_of_many_writers_wins,
                is_whole_or_not_there, has_one_time, is_there_again_when_opened, is_written_though_no_caller_waits,
                is_deleted_when_it_has_ended, keeps_the_end_of_what_was_printed, is_read_in_parts,
                are_read_by_tenant_in_parts, deletions_and_acts_are_read_in_parts);
            conformance!(@ $engine; requests: wait_until_they_are_decided, count_against_quotas, are_remembered_by_subject,
                are_read_with_their_journal, wait_again_when_reopened, lose_their_notices_when_reopened_at_once,
                keep_which_notices_were_delivered, may_be_for_a_long_resource);
            conformance!(@ $engine; receipts: are_spent_or_taken_back_and_never_both, are_spent_as_the_writer_saw_them,
                are_precedents_once_spent, are_read_in_pages, are_their_tenants_whatever_their_reasons_say,
                are_found_by_their_requests, acts_have_one_order);
            conformance!(@ $engine; schedule: says_what_is_due, lists_by_state, says_what_has_ended, counts_what_tenants_keep);
            conformance!(@ $engine; claims: are_all_of_the_only_host, say_what_is_due, are_not_needed_from_outside,
                are_released_and_taken_again, a_registered_host_is_on_record);
            conformance!(@ $engine; deployments: are_recorded_once, serve_the_later_redeemed, are_read_in_pages, may_be_of_a_long_resource);
        }
    };
    (@ $engine:ident; $concern:ident: $($test:ident),+) => {
        mod $concern {
            use crate::store::conformance;
            use crate::store::conformance::Engine as _;

            $(#[test]
            fn $test() {
                let Some(engine) = conformance::$engine::new() else { return };
                conformance::$concern::$test(&engine);
            })+
        }
    };
}

conformance!(sqlite, Folder);
conformance!(postgres, Server);

/// The validity of claims.
const TTL: Duration = Duration::from_secs(60);

fn host(id: &str) -> HostInfo {
    HostInfo {
        id: id.parse().unwrap(),
        name: format!("{id}.example:1"),
        version: "0.0.0".to_owned(),
        signer: HostSigner::Own(Digest::of(b"keys")),
        place: String::new(),
    }
}

/// A resource's name that no index of a database has room for, however well it is compressed.
fn long_resource() -> String {
    (0..640_u32).map(|number| Digest::of(&number.to_le_bytes()).to_string()).collect()
}

fn tenant(name: &str) -> TenantId {
    name.parse().unwrap()
}

fn key_of(tenant: &str, instance: &str) -> InstanceKey {
    InstanceKey { tenant: tenant.parse().unwrap(), instance: instance.parse().unwrap() }
}

fn key(instance: &str) -> InstanceKey {
    key_of("acme", instance)
}

fn later(ms: i64) -> Timestamp {
    Timestamp::from_millis(AT.as_millis() + ms)
}

fn create_with(store: &dyn Store, key: InstanceKey, bytes: &'static [u8], quotas: Quotas) -> Commit {
    let component = (Digest::of(bytes), Arc::from(bytes));
    let loaded = Entry::Loaded {
        component: component.0,
        bytes: bytes.len() as u64,
        imports: vec!["a:b/c".to_owned()],
    };
    store.create(&Create { key, component, at: AT, entries: vec![loaded, started(0)], quotas })
}

/// Creates an instance. Its journal has two entries.
fn create(store: &dyn Store, key: &InstanceKey) {
    create_with(store, key.clone(), b"component", Quotas::default()).wait().unwrap();
}

fn step(call: u32) -> Entry {
    Entry::StepStarted { call, name: format!("step {call}"), config: None, mode: CallMode::Blocking }
}

fn place(key: &InstanceKey, after: usize) -> JournalPosition {
    JournalPosition { key: key.clone(), after, at: AT }
}

fn batch(entries: Vec<Entry>) -> Batch {
    Batch { entries, ..Batch::default() }
}

fn row(state: store::InstanceState, due: Option<Timestamp>) -> ScheduleRow {
    ScheduleRow { state, due }
}

fn length(store: &dyn Store, key: &InstanceKey) -> usize {
    store.facts(Some(key)).wait().unwrap().len()
}

fn usage(store: &dyn Store) -> Usage {
    store.usage(&tenant("acme")).wait().unwrap()
}
