//! PostgreSQL's own cases: hosts that race, servers that die, lost answers, TLS and passwords.

mod claims;
mod deployments;
mod reading;
mod server;
mod upgrade;
mod usage_stripes;

use super::lossy::Lossy;
use crate::support::bare_store::{AT, key, started};
use crate::support::postgres::{self, Server};
use receipt::{Digest, Timestamp};
use std::collections::BTreeSet;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Waker};
use std::time::{Duration, Instant};
use store::{
    Batch, ClaimStore as _, Commit, Create, HostInfo, HostSigner, InstanceState, JournalPosition,
    JournalStore as _, NewRequest, Precondition, PreviousHolder, Quotas, ReceiptState, Replication,
    ScheduleRow, ScheduleStore as _, Shard, StoreError, Write, WriteStore as _, Writer,
};
use store_postgres::Postgres;
use tempfile::TempDir;
use workflow::{ArtifactFacts, CallMode, Entry, ReceiptId, RecordedCommand};

const TTL: Duration = Duration::from_secs(60);

/// The time limit of waits that normally take a moment.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A host's store, registered.
fn host(url: &str, id: &str) -> Postgres {
    let store = Postgres::open(url).unwrap();
    let signer = HostSigner::Authority(Digest::of(b"keys"));
    let (name, version) = (format!("{id}.example:1"), "0.0.0".to_owned());
    store
        .register(&HostInfo { id: id.parse().unwrap(), name, version, signer, place: String::new() })
        .wait()
        .unwrap();
    store
}

/// The store of a host that holds every claim.
fn holder(url: &str) -> Postgres {
    let store = host(url, "a");
    store.renew(TTL).wait().unwrap();
    store
}

fn create(store: &Postgres, name: &str) {
    let bytes: Arc<[u8]> = Arc::from(&b"component"[..]);
    let component = (Digest::of(&bytes), bytes);
    let made =
        Create { key: key(name), component, at: AT, entries: vec![started(0)], quotas: Quotas::default() };
    store.create(&made).wait().unwrap();
}

fn step(call: u32) -> Entry {
    Entry::StepStarted { call, name: "s".to_owned(), config: None, mode: CallMode::Blocking }
}

fn request(name: &str, quotas: Quotas) -> Batch {
    let (capability, resource) = ("a.b".to_owned(), "r".to_owned());
    let id: workflow::RequestId = format!("apr_{name}").parse().unwrap();
    let requested = Entry::Requested {
        call: 0,
        request: id.clone(),
        asked: RecordedCommand::Approval { capability, resource, action: Digest::of(b"action") },
        artifact: None,
        input_hash: Digest::of(b"input").to_string(),
        expires_at: AT,
        mode: CallMode::Blocking,
    };
    let (capability, resource, body) = ("a.b".to_owned(), "r".to_owned(), "{}".to_owned());
    let new = NewRequest { id, capability, resource, body };
    Batch { entries: vec![requested], request: Some(new), quotas: Some(quotas), ..Batch::default() }
}

fn append(store: &Postgres, name: &str, after: usize, batch: &Batch, writer: Writer) -> Commit {
    let place = JournalPosition { key: key(name), after, at: AT };
    store.write(Write::Append { place, batch, writer })
}

fn steps(calls: impl IntoIterator<Item = u32>) -> Batch {
    Batch { entries: calls.into_iter().map(step).collect(), ..Batch::default() }
}

fn receipt(round: u64, number: usize) -> ReceiptId {
    format!("rcpt_{round}_{number}").parse().unwrap()
}

/// Spends a receipt that its writer has seen unspent, after so many acts.
fn redemption(receipt: &ReceiptId, acts: u64) -> Batch {
    let facts = ArtifactFacts { name: "app.js".to_owned(), sha256: Digest::of(b"artifact"), bytes: 8 };
    let (capability, resource) = ("a.b".to_owned(), "r".to_owned());
    let asked = RecordedCommand::Perform { capability, resource, artifact: facts, receipt: receipt.clone() };
    let idempotency_key = Digest::of(b"key");
    let redeemed = Entry::Redeemed { call: 2, asked, receipt: receipt.clone(), idempotency_key };
    let seen = Precondition { receipt: receipt.clone(), receipt_state: ReceiptState::default(), acts };
    Batch { entries: vec![redeemed], seen: Some(Box::new(seen)), ..Batch::default() }
}

fn names(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("i{number}")).collect()
}

fn length(store: &Postgres, name: &str) -> usize {
    store.facts(Some(&key(name))).wait().unwrap().len()
}

/// Two thousand receipts are each spent by one host and taken back by another at the same moment, many in one transaction.
#[test]
fn a_receipt_is_spent_by_one_host_or_taken_back_by_another() {
    let Some(server) = postgres::shared() else { return };
    let url = server.schema();
    let (a, b, names) = (holder(&url), host(&url, "b"), names(50));
    names.iter().for_each(|name| create(&a, name));
    let mut lengths = vec![1; names.len()];
    let (mut spent, mut taken_back) = (0, 0);
    // Of every other receipt there is a row already, as after a redemption that was refused.
    let schema = postgres::schema_name(&url);
    server.sql(&format!(
        "INSERT INTO {schema}.receipt_states (receipt) SELECT 'rcpt_' || round || '_' || number * 2
            FROM generate_series(0, 39) AS round, generate_series(0, 24) AS number"
    ));
    for round in 0..40 {
        let (redeemed, revoked) = std::thread::scope(|scope| {
            let redeeming = scope.spawn(|| {
                let spend = |(number, name): (usize, &String)| {
                    append(&a, name, lengths[number], &redemption(&receipt(round, number), 0), Writer::Driver)
                };
                let commits: Vec<Commit> = names.iter().enumerate().map(spend).collect();
                commits.into_iter().map(Commit::wait).collect::<Vec<_>>()
            });
            let revoking = scope.spawn(|| {
                let revoke = |number| {
                    let body = r#"{"id":"rev"}"#.to_owned();
                    b.write(Write::Revoke { receipt: receipt(round, number), at: AT, body })
                };
                let commits: Vec<Commit> = (0..names.len()).rev().map(revoke).collect();
                let mut answers: Vec<_> = commits.into_iter().map(Commit::wait).collect();
                answers.reverse();
                answers
            });
            (redeeming.join().unwrap(), revoking.join().unwrap())
        });
        for (number, answers) in redeemed.into_iter().zip(revoked).enumerate() {
            match answers {
                (Ok(_), Err(StoreError::AlreadyRedeemed(_))) => {
                    (lengths[number], spent) = (lengths[number] + 1, spent + 1)
                }
                (Err(StoreError::ReceiptMoved(_)), Ok(_)) => taken_back += 1,
                both => panic!("{both:?}"),
            }
        }
    }
    assert_eq!(spent + taken_back, 2_000);
    let total: usize = names.iter().map(|name| length(&a, name) - 1).sum();
    assert_eq!(total, spent, "what was answered is what is there");
}

/// Of two revocations of a receipt in one group, the first counts: it is found by its own id, and not by that of the second.
#[test]
fn a_revocation_is_found_by_its_own_id() {
    let Some(server) = postgres::shared() else { return };
    let url = server.schema();
    let (store, schema) = (holder(&url), postgres::schema_name(&url));
    create(&store, "one");
    server.sql(&format!("INSERT INTO {schema}.receipt_states (receipt) VALUES ('rcpt_1_1')"));
    let mut session = server.session();
    session.run(&format!("BEGIN; LOCK TABLE {schema}.writers IN EXCLUSIVE MODE; SELECT 1;"));
    let first = append(&store, "one", 1, &steps([0]), Writer::Outside);
    let waits = format!(
        "SELECT count(*) FROM pg_locks WHERE relation = '{schema}.writers'::regclass AND NOT granted"
    );
    server.wait_until(&waits, "1");
    // They wait for the group before theirs.
    let [counts, refused] = ["rev_1", "rev_2"].map(|id| {
        let body = format!(r#"{{"id":"{id}"}}"#);
        store.write(Write::Revoke { receipt: receipt(1, 1), at: AT, body })
    });
    session.run("COMMIT; SELECT 1;");
    first.wait().unwrap();
    counts.wait().unwrap();
    assert!(matches!(refused.wait(), Err(StoreError::Revoked(_))));
    let ids = server.sql(&format!("SELECT revocation_id FROM {schema}.receipt_states"));
    assert_eq!(ids, "rev_1");
}

/// No receipt is spent on an outdated state of the operators' acts: the order of commits decides.
#[test]
fn a_redemption_is_before_an_act_or_sees_it() {
    let Some(server) = Server::start_with(&["track_commit_timestamp=on"]) else { return };
    let url = server.url();
    Postgres::migrate(&url).unwrap();
    let (a, b, names) = (holder(&url), host(&url, "b"), names(20));
    names.iter().for_each(|name| create(&a, name));
    let mut lengths = vec![1; names.len()];
    let mut spent = 0;
    for round in 0..100 {
        std::thread::scope(|scope| {
            let acting = scope.spawn(|| b.act(round, AT, format!(r#"{{"round":{round}}}"#)));
            for (number, name) in names.iter().enumerate() {
                let written = append(
                    &a,
                    name,
                    lengths[number],
                    &redemption(&receipt(round, number), round),
                    Writer::Driver,
                )
                .wait();
                match written {
                    Ok(_) => (lengths[number], spent) = (lengths[number] + 1, spent + 1),
                    Err(StoreError::ActsMoved) => {}
                    Err(error) => panic!("{error}"),
                }
            }
            acting.join().unwrap().unwrap();
        });
    }
    let late = "SELECT count(*) FROM receipt_states f JOIN acts a ON a.seq = split_part(f.receipt, '_', 2)::bigint + 1
        WHERE f.redeemed_at IS NOT NULL AND pg_xact_commit_timestamp(f.xmin) > pg_xact_commit_timestamp(a.xmin)";
    assert_eq!(server.sql(late), "0");
    assert_eq!(
        server.sql("SELECT count(*) FROM receipt_states WHERE redeemed_at IS NOT NULL"),
        spent.to_string()
    );
    assert!(spent > 0 && spent < 2_000, "both happened: {spent}");
}

#[test]
fn one_of_two_hosts_writes_at_a_place() {
    let Some(server) = postgres::shared() else { return };
    let url = server.schema();
    let (a, b) = (host(&url, "a"), host(&url, "b"));
    create(&a, "one");
    for round in 0..300 {
        let write = |store| append(store, "one", 1 + round, &steps([0]), Writer::Outside);
        let (first, second) = (write(&a), write(&b));
        match (first.wait(), second.wait()) {
            (Ok(_), Err(StoreError::Conflict(_))) | (Err(StoreError::Conflict(_)), Ok(_)) => {}
            both => panic!("{both:?}"),
        }
    }
    assert_eq!(length(&a, "one"), 301);
}

/// Two hosts write at once, and a reader continues from the last place that it has seen.
#[test]
fn a_reader_that_goes_on_misses_nothing() {
    let Some(server) = postgres::shared() else { return };
    let url = server.schema();
    let (a, b, reader) = (host(&url, "a"), host(&url, "b"), Postgres::open(&url).unwrap());
    for name in names(8) {
        create(&a, &name);
    }
    let done = AtomicBool::new(false);
    let read = std::thread::scope(|scope| {
        let reading = scope.spawn(|| {
            let (mut seqs, mut last) = (Vec::new(), 0);
            loop {
                let was_done = done.load(Ordering::Acquire);
                let facts = reader.facts_after(last, 50).wait().unwrap();
                last = facts.last().map_or(last, |fact| fact.seq);
                seqs.extend(facts.iter().map(|fact| fact.seq));
                if was_done && facts.is_empty() && last == reader.last_seq().wait().unwrap() {
                    return seqs;
                }
            }
        });
        let writing = |store: &Postgres, of: std::ops::Range<usize>| {
            for round in 0..100 {
                let write =
                    |name: String| append(store, &name, 1 + 2 * round, &steps([0, 1]), Writer::Outside);
                let commits: Vec<_> = of.clone().map(|number| write(format!("i{number}"))).collect();
                for commit in commits {
                    commit.wait().unwrap();
                }
            }
        };
        let writers = [(&a, 0..4), (&b, 4..8)].map(|(store, of)| scope.spawn(move || writing(store, of)));
        writers.into_iter().for_each(|writer| writer.join().unwrap());
        done.store(true, Ordering::Release);
        reading.join().unwrap()
    });
    let all: Vec<u64> = a.facts(None).wait().unwrap().iter().map(|fact| fact.seq).collect();
    assert_eq!(all.len(), 8 + 1_600);
    assert_eq!(read, all);
}
