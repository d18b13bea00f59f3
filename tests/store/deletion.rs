//! Deleting ended instances, by hand and by age: what is deleted, what is kept, and what no longer counts.

use crate::support;
use crate::support::clock::WakingClock;
use crate::support::people::ApprovalFixture;
use crate::support::recount::recount;
use crate::support::{block_on, finish, new_host, start, start_for};
use engine::limits::Settings;
use engine::{Error, Host, Start, WorkerOptions};
use receipt::{Decision, Timestamp};
use rusqlite::Connection;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use store::{InstanceKey, Selection, StoreError};
use tempfile::TempDir;

fn usage(host: &Host, tenant: &str) -> store::Usage {
    host.store().usage(&tenant.parse().unwrap()).wait().unwrap()
}

fn count(folder: &Path, table: &str) -> i64 {
    let journal = Connection::open(folder.join("journal.sqlite")).unwrap();
    journal.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
}

#[test]
fn everything_but_receipts_goes_and_is_given_back() {
    let (folder, host) = new_host();
    let keys = ["tenant-workflow", "tenant-workflow", "paces"].map(|guest| start(&host, guest, "{}"));
    for key in &keys {
        finish(&host, key, Decision::Approved);
    }
    for (key, components) in keys.iter().zip([2, 1, 0]) {
        host.delete(key, "ops").unwrap();
        assert_eq!(usage(&host, "acme"), recount(folder.path(), "acme"), "{key}");
        assert_eq!(count(folder.path(), "components"), components, "{key}");
        assert!(matches!(host.delete(key, "ops"), Err(Error::Store(StoreError::NoInstance(_)))));
    }
    let receipts: u64 = usage(&host, "acme").stored_bytes;
    assert!(receipts > 0, "what stays is counted");
    for table in ["instances", "entries", "requests", "outputs", "holdings"] {
        assert_eq!(count(folder.path(), table), 0, "{table}");
    }
    for table in ["receipts", "redemptions", "attestations"] {
        assert_eq!(count(folder.path(), table), 2, "{table}");
    }
    assert_eq!(count(folder.path(), "deletions"), 3);
    for id in host.store().receipts(store::ReceiptPage::ALL).wait().unwrap() {
        let receipt_state = host.store().receipt(&id).wait().unwrap().unwrap().state;
        assert!(receipt_state.redeemed.is_some() && receipt_state.attestation.is_some());
    }
}

#[test]
fn a_component_stays_as_long_as_an_instance_has_it() {
    let (folder, host) = new_host();
    let mine = start_for(&host, "acme", "paces", "{}");
    let theirs = start_for(&host, "globex", "paces", r#"{"steps":1}"#);
    finish(&host, &mine, Decision::Approved);
    host.delete(&mine, "ops").unwrap();
    assert_eq!(usage(&host, "acme").stored_bytes, 0);
    drop(host);
    let host = Host::builder(folder.path()).open().unwrap();
    finish(&host, &theirs, Decision::Approved);
    assert_eq!(usage(&host, "globex"), recount(folder.path(), "globex"));
}

/// A follower by places sees everything once, and no time runs backwards.
#[test]
fn no_place_is_given_out_twice_and_no_time_runs_backwards() {
    let folder = TempDir::new().unwrap();
    let time = Arc::new(AtomicI64::new(2_000_000_000_000));
    let clock = || {
        let time = Arc::clone(&time);
        move || Timestamp::from_millis(time.load(Ordering::SeqCst))
    };
    let mut last = 0;
    for _ in 0..3 {
        let host = Host::builder(folder.path()).clock(clock()).open().unwrap();
        for again in [false, true] {
            let key = start(&host, "paces", r#"{"steps":2}"#);
            let facts = host.audit(Some(&key)).unwrap();
            assert_eq!(facts[0].seq, last + 1, "after reopening: {}", !again);
            assert!(facts.iter().all(|fact| fact.at == Timestamp::from_millis(2_000_000_000_000)));
            finish(&host, &key, Decision::Approved);
            last = host.audit(Some(&key)).unwrap().pop().unwrap().seq;
            host.delete(&key, "ops").unwrap();
        }
        drop(host);
        // The clock is set back, and no entry is left that has the time.
        time.store(1_000_000_000_000, Ordering::SeqCst);
    }
}

#[test]
fn a_break_glass_decision_stays_until_it_is_reviewed() {
    let fixture = ApprovalFixture::new(None);
    fixture.add("dora", &["break-glass"], 4);
    let (key, request) = fixture.asked();
    fixture.break_glass(&request, ("dora", 4)).unwrap();
    fixture.ends(&key);
    let refused = fixture.host.delete(&key, "ops");
    assert!(matches!(&refused, Err(Error::Unreviewed { request: id, .. }) if *id == request), "{refused:?}");
    let reviewer = "alice".parse().unwrap();
    let statement = fixture.host.review_statement(&request, &reviewer, Decision::Approved, "seen").unwrap();
    let envelope = receipt::sign_decision(&statement, &support::people::decider_key(1)).unwrap();
    fixture.host.review(&request, &envelope).unwrap();
    fixture.host.delete(&key, "ops").unwrap();
}

#[test]
fn a_folder_of_an_older_format_gives_back_what_its_instances_kept() {
    let folder = TempDir::new().unwrap();
    let fixture = support::root().join("tests/fixtures/format-1.sqlite");
    support::put_journal(&fixture, folder.path());
    let host = Host::builder(folder.path()).clock(|| Timestamp::from_millis(0)).open().unwrap();
    for key in host.store().instances().wait().unwrap() {
        if !host.status(&key).unwrap().has_ended() {
            host.terminate(&key, "ops", None).unwrap();
        }
        host.delete(&key, "ops").unwrap();
        let tenant = key.tenant.as_str();
        assert_eq!(usage(&host, tenant), recount(folder.path(), tenant), "{key}");
    }
    assert_eq!(count(folder.path(), "components"), 0);
}

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

fn names(host: &Host) -> Vec<String> {
    let mut all: Vec<_> = host
        .store()
        .list(&Selection::default())
        .wait()
        .unwrap()
        .iter()
        .map(|entered| entered.key.to_string())
        .collect();
    all.sort();
    all
}

/// Ends a workflow of the tenant's.
fn ended(host: &Host, tenant: &str, count: usize) -> Vec<InstanceKey> {
    let workflow = host.load(support::guest("paces")).unwrap();
    let keys = (0..count).map(|_| {
        let start = Start::new(tenant.parse().unwrap(), "agent:a".parse().unwrap(), "paces", "{}");
        let key = host.start(&workflow, start).unwrap();
        finish(host, &key, Decision::Approved);
        key
    });
    keys.collect()
}

/// Works until so many instances are left.
fn work_until_left(host: &Host, left: usize) {
    block_on(async {
        let enough = async {
            while names(host).len() > left {
                tokio::task::yield_now().await;
            }
        };
        host.work(WorkerOptions::default(), enough).await.unwrap();
    });
}

#[test]
fn what_ended_longer_ago_than_its_tenant_keeps_it_goes_and_nothing_else() {
    let (folder, clock) = (TempDir::new().unwrap(), WakingClock::new());
    let text = "[limits]\nretention = \"2h\"\n[tenants.archive.limits]\nretention = \"for good\"\n[tenants.hasty.limits]\nretention = 3600\n";
    let settings = Settings::parse(Path::new("pp-host.toml"), text).unwrap();
    let host = Host::builder(folder.path()).clock(clock.clone()).settings(settings).open().unwrap();
    let waiting = start(&host, "tenant-workflow", "{}");
    block_on(host.drive(&waiting)).unwrap();
    let archived = ended(&host, "archive", 1);
    ended(&host, "acme", 100);
    ended(&host, "hasty", 1);
    clock.pass(2 * MINUTE);
    let hasty = ended(&host, "hasty", 1);
    clock.pass(59 * MINUTE);
    // The shortest retention is an hour: the older of the two is deleted. Other due instances would have been deleted
    // before it.
    work_until_left(&host, 103);
    assert!(names(&host).contains(&hasty[0].to_string()));
    let late = ended(&host, "acme", 1);
    assert_eq!(names(&host).iter().filter(|name| name.starts_with("acme")).count(), 102);
    clock.pass(59 * MINUTE + 30 * SECOND);
    work_until_left(&host, 103);
    assert!(!names(&host).contains(&hasty[0].to_string()));
    clock.pass(30 * SECOND);
    work_until_left(&host, 3);
    let mut left: Vec<_> = [&waiting, &archived[0], &late[0]].map(ToString::to_string).to_vec();
    left.sort();
    assert_eq!(names(&host), left);
    assert_eq!(usage(&host, "acme"), recount(folder.path(), "acme"));
    let by: String = Connection::open(folder.path().join("journal.sqlite"))
        .unwrap()
        .query_row("SELECT DISTINCT deleted_by FROM deletions", [], |row| row.get(0))
        .unwrap();
    assert_eq!(by, "retention");
}

/// A server that runs when the time comes need not restart.
#[test]
fn what_becomes_old_enough_while_a_server_runs_is_deleted_then() {
    let (folder, clock) = (TempDir::new().unwrap(), WakingClock::new());
    let settings = Settings::parse(Path::new("pp-host.toml"), "[limits]\nretention = \"1d\"\n").unwrap();
    let host = Host::builder(folder.path()).clock(clock.clone()).settings(settings).open().unwrap();
    ended(&host, "acme", 3);
    block_on(async {
        let enough = async {
            while !names(&host).is_empty() {
                clock.pass(10 * MINUTE);
                tokio::task::yield_now().await;
            }
        };
        host.work(WorkerOptions::default(), enough).await.unwrap();
    });
}

/// No walk through what does not go.
#[test]
fn what_has_to_go_is_found_by_an_index() {
    let (folder, _host) = new_host();
    let journal = Connection::open(folder.path().join("journal.sqlite")).unwrap();
    for select in [
        "SELECT tenant, instance FROM instances WHERE ended = 1 AND tenant = 'a' AND since <= 5 ORDER BY since LIMIT 5 OFFSET 0",
        "SELECT min(i.tenant) FROM instances i WHERE i.ended = 1 AND i.tenant > 'a'",
        "SELECT min(i.since) FROM instances i WHERE i.ended = 1 AND i.tenant = 'a'",
    ] {
        let plan: String =
            journal.query_row(&format!("EXPLAIN QUERY PLAN {select}"), [], |row| row.get(3)).unwrap();
        assert!(
            plan.contains("USING COVERING INDEX ended") || plan.contains("USING INDEX ended"),
            "{select}: {plan}"
        );
        assert!(!plan.contains("TEMP B-TREE"), "{select}: {plan}");
    }
}
