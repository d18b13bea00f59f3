//! A clock that runs backwards while an action is performed.

use crate::support;
use crate::support::{block_on, entries, judgement, storage};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use engine::capability::{Capability, Deploy, Execution, OnInterruption, PerformError, Performed, Permit};
use engine::issuer::Reversibility;
use engine::{Host, Status};
use receipt::{Decision, Timestamp};
use serde_json::Value;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use store::{Batch, InstanceKey, JournalPosition, Write, Writer};
use tempfile::TempDir;
use workflow::{Artifact, Effect, Entry, ReceiptId};

/// 2026-01-01T12:00:00Z.
const BEGINNING: i64 = 1_767_268_800_000;

const HOUR: i64 = 3_600_000;

/// A deployment that first does something else.
struct First<F>(Deploy, F);

impl<F: Fn() + Send + Sync> First<F> {
    fn new(folder: &Path, first: F) -> Self {
        Self(Deploy::new(folder.join("deployments")), first)
    }
}

impl<F: Fn() + Send + Sync> Capability for First<F> {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn reversibility(&self) -> Reversibility {
        self.0.reversibility()
    }

    fn on_interruption(&self) -> OnInterruption {
        self.0.on_interruption()
    }

    fn perform(
        &self,
        permit: &Permit,
        artifact: &Artifact,
        attempt: Execution,
    ) -> Result<Performed, PerformError> {
        self.1();
        self.0.perform(permit, artifact, attempt)
    }
}

/// Starts the demo and approves what it asks for.
fn approved(host: &Host) -> InstanceKey {
    let key = support::start(host, "tenant-workflow", "{}");
    let Status::Waiting(wait) = block_on(host.drive(&key)).unwrap() else { panic!("no request") };
    drop(host.decide(wait.request().unwrap(), &judgement(Decision::Approved)).unwrap());
    key
}

/// The recorded times of the action, and those of its attestation, as text.
fn times(host: &Host, key: &InstanceKey) -> ([Timestamp; 2], [String; 2]) {
    let entries = entries(host, key);
    let performed = entries.iter().find_map(|entry| match entry {
        Entry::Performed { effect: Effect::Succeeded { started_at, finished_at, .. }, .. } => {
            Some([*started_at, *finished_at])
        }
        _ => None,
    });
    let attested: Vec<&String> = entries
        .iter()
        .filter_map(|entry| match entry {
            Entry::Attested { document, .. } => Some(document),
            _ => None,
        })
        .collect();
    let [document] = attested[..] else { panic!("{} attestations", attested.len()) };
    let document: Value = serde_json::from_str(document).unwrap();
    let signed = document["attestation_artifact"]["payload_bytes_b64"].as_str().unwrap();
    let payload = BASE64_STANDARD.decode(signed).unwrap();
    let payload: Value = serde_json::from_slice(&payload).unwrap();
    let text = |name: &str| payload[name].as_str().unwrap().to_owned();
    (performed.unwrap(), [text("startedAt"), text("finishedAt")])
}

#[test]
fn an_action_does_not_end_before_it_begins() {
    let folder = TempDir::new().unwrap();
    let time = Arc::new(AtomicI64::new(BEGINNING));
    let (read, set_back) = (Arc::clone(&time), Arc::clone(&time));
    let first = First::new(folder.path(), move || {
        set_back.fetch_sub(HOUR, Ordering::SeqCst);
    });
    let host = storage::builder(folder.path())
        // Each look at the clock is a second later than the one before.
        .clock(move || Timestamp::from_millis(read.fetch_add(1_000, Ordering::SeqCst)))
        .capability(first)
        .open()
        .unwrap();
    let key = approved(&host);
    let end = block_on(host.drive(&key)).unwrap();
    assert!(matches!(end, Status::Completed(_)), "{end:?}");
    let ([began, ended], attested) = times(&host, &key);
    assert!(ended >= began, "{began} to {ended}");
    assert_eq!(attested, [began, ended].map(|at| at.to_string()));
}

/// A journal of a program that recorded such an end, and could not attest it.
#[test]
fn an_action_that_ended_before_it_began_is_attested_by_the_next_drive() {
    let folder = TempDir::new().unwrap();
    let breaks_off = First::new(folder.path(), || panic!("the process ends in the middle of the action"));
    let host = storage::builder(folder.path()).capability(breaks_off).open().unwrap();
    let key = approved(&host);
    block_on(host.drive(&key)).unwrap_err();
    let before = entries(&host, &key);
    let Some(Entry::Redeemed { call, receipt, .. }) = before.last() else { panic!("{before:?}") };
    let began = host.now().unwrap();
    let ended = Timestamp::from_millis(began.as_millis() - HOUR);
    let effect = Effect::Succeeded { output: output(receipt), started_at: began, finished_at: ended };
    let performed = Entry::Performed { call: *call, receipt: receipt.clone(), effect };
    let batch = Batch { entries: vec![performed], ..Batch::default() };
    let place = JournalPosition { key: key.clone(), after: before.len(), at: began };
    host.store().write(Write::Append { place, batch: &batch, writer: Writer::Outside }).wait().unwrap();
    drop(host);

    let host = storage::builder(folder.path()).open().unwrap();
    let end = block_on(host.drive(&key)).unwrap();
    assert!(matches!(end, Status::Completed(_)), "{end:?}");
    let (recorded, attested) = times(&host, &key);
    assert_eq!(recorded, [began, ended], "the journal stays as it is");
    assert_eq!(
        attested,
        [began, began].map(|at| at.to_string()),
        "the end is that of an action that took no time"
    );
}

/// What the guest gets.
fn output(receipt: &ReceiptId) -> String {
    format!(
        r#"{{"artifact_sha256":"{0}","id":"dep_1","location":"x","receipt_id":"{receipt}"}}"#,
        "0".repeat(64)
    )
}
