//! The bytes of artifacts: each counts once per tenant, is refused where there is no room, and is deleted when it is no
//! longer needed.

use crate::support::harness::Harness;
use crate::support::recount::recount;
use crate::support::script;
use crate::support::{self, block_on};
use engine::{Builder, Error, Host, WorkerOptions};
use receipt::{Decision, Digest};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use store::{InstanceKey, Quotas, StoreError};
use workflow::Entry;

/// An artifact of the durable guest: its bytes are its name.
fn name(letter: char) -> String {
    letter.to_string().repeat(240)
}

fn deploys(harness: &Harness, letter: char) -> InstanceKey {
    harness.program(&json!([{ "deploy": name(letter) }]))
}

fn deployed(harness: &Harness, letter: char) -> InstanceKey {
    let key = deploys(harness, letter);
    harness.finish(&key, Decision::Approved, &[]);
    assert_eq!(harness.count(&key, "performed"), 1);
    key
}

/// The tenant's usage, which equals the files' bytes.
fn kept(harness: &Harness) -> u64 {
    let usage = harness.host.store().usage(&"acme".parse().unwrap()).wait().unwrap();
    assert_eq!(usage, recount(harness.folder.path(), "acme"));
    usage.stored_bytes
}

/// The artifacts on disk.
fn files(harness: &Harness) -> BTreeSet<String> {
    let folder = harness.folder.path().join("deployments/artifacts");
    let Ok(files) = fs::read_dir(folder) else { return BTreeSet::new() };
    files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect()
}

fn digests(contents: &[&str]) -> BTreeSet<String> {
    contents.iter().map(|content| Digest::of(content.as_bytes()).to_string()).collect()
}

fn with_room(stored_bytes: u64) -> impl FnOnce(Builder) -> Builder {
    move |builder| builder.quotas(Quotas { stored_bytes, ..Quotas::default() })
}

fn is_over(error: &Error) -> bool {
    matches!(error, Error::Store(StoreError::Quota(over)) if over.name == "stored-bytes")
}

#[test]
fn an_artifact_counts_once_and_stays_while_it_is_served() {
    let harness = Harness::new();
    let first = deployed(&harness, 'a');
    let with_one = kept(&harness);
    let second = deployed(&harness, 'a');
    let journal_of_one = kept(&harness) - with_one;
    harness.host.delete(&first, "ops").unwrap();
    harness.host.delete(&second, "ops").unwrap();
    assert_eq!(files(&harness), digests(&[&name('a')]), "its resource serves it");
    assert!(kept(&harness) < with_one + journal_of_one);
    kept(&harness);
}

const DEPLOYS: &str = "
    const { text } = event.payload, artifact = { name: 'a.js', text }, resource = 'cloudflare://workers/acme/app';
    const { receipt } = await env.PP.requireApproval({ capability: 'cloudflare.dynamic-worker.deploy', resource, reason: 'x', artifact });
    return await env.CLOUDFLARE.deploy({ resource, artifact, receipt });";

/// Deploys a text to the one resource, replacing the previous one.
fn serve(harness: &Harness, text: &str) -> InstanceKey {
    let key = script::start(&harness.host, &script::workflow(DEPLOYS), &json!({ "text": text }));
    harness.finish(&key, Decision::Approved, &[]);
    assert_eq!(harness.count(&key, "performed"), 1);
    key
}

#[test]
fn what_nothing_serves_goes_with_the_last_instance_that_acted_with_it() {
    let harness = script::harness();
    let (old, again, new) = (serve(&harness, "old"), serve(&harness, "old"), serve(&harness, "new"));
    assert_eq!(files(&harness), digests(&["old", "new"]));
    harness.host.delete(&old, "ops").unwrap();
    assert_eq!(files(&harness), digests(&["old", "new"]), "another instance has acted with it");
    kept(&harness);
    harness.host.delete(&again, "ops").unwrap();
    assert_eq!(files(&harness), digests(&["new"]));
    harness.host.delete(&new, "ops").unwrap();
    assert_eq!(files(&harness), digests(&["new"]), "its resource serves it");
    kept(&harness);
    // Deployed again, it is written again.
    serve(&harness, "old");
    assert_eq!(fs::read(artifact(harness.folder.path(), "old")).unwrap(), b"old");
    kept(&harness);
}

fn artifact(folder: &Path, content: &str) -> std::path::PathBuf {
    folder.join("deployments/artifacts").join(Digest::of(content.as_bytes()).to_string())
}

#[test]
fn an_artifact_that_does_not_fit_is_not_acted_with_and_is_when_there_is_room() {
    let harness = Harness::new();
    let key = deploys(&harness, 'a');
    let request = harness.waits(&key).request().unwrap().clone();
    harness.host.decide(&request, &support::judgement(Decision::Approved)).unwrap();
    let used = kept(&harness);
    let harness = harness.reopened_with(with_room(used + 239));
    assert!(is_over(&block_on(harness.host.drive(&key)).unwrap_err()));
    assert_eq!((harness.count(&key, "redeemed"), files(&harness).len()), (0, 0), "nothing has begun");
    assert_eq!(kept(&harness), used);
    let harness = harness.reopened();
    harness.finish(&key, Decision::Approved, &[]);
    assert_eq!((harness.count(&key, "performed"), harness.count(&key, "redeemed")), (1, 1));
    kept(&harness);
    // A stored artifact takes no further room, so that an earlier version can always be deployed again.
    let again = deploys(&harness, 'a');
    let request = harness.waits(&again).request().unwrap().clone();
    harness.host.decide(&request, &support::judgement(Decision::Approved)).unwrap();
    let used = kept(&harness);
    harness.finish(&again, Decision::Approved, &[]);
    assert_eq!((harness.count(&again, "performed"), files(&harness).len()), (1, 1));
    let journal: usize = harness
        .entries(&again)
        .iter()
        .skip_while(|entry| !matches!(entry, Entry::Issued { .. }))
        .skip(1)
        .map(|entry| serde_json::to_string(entry).unwrap().len())
        .sum();
    assert_eq!(kept(&harness) - used, journal as u64, "nothing but its journal");
}

#[test]
fn artifacts_at_once_do_not_exceed_what_may_be_kept() {
    const ROOM: u64 = 3_500;
    let harness = Harness::new();
    let keys: Vec<_> = ('a'..='l')
        .map(|letter| {
            let key = deploys(&harness, letter);
            let request = harness.waits(&key).request().unwrap().clone();
            harness.host.decide(&request, &support::judgement(Decision::Approved)).unwrap();
            key
        })
        .collect();
    let most = kept(&harness) + ROOM;
    let harness = harness.reopened_with(with_room(most));
    std::thread::scope(|scope| {
        for key in &keys {
            let host: &Host = &harness.host;
            scope.spawn(move || drop(block_on(host.drive(key))));
        }
    });
    let redeemed: usize = keys.iter().map(|key| harness.count(key, "redeemed")).sum();
    assert!((1..=3).contains(&redeemed), "{redeemed}");
    assert_eq!(files(&harness).len(), redeemed);
    kept(&harness);
}

/// A crash between an artifact and its record, a half-written file, a record that a restored backup does not have.
#[test]
fn what_no_record_names_goes_while_the_host_works() {
    let harness = Harness::new();
    let key = deployed(&harness, 'a');
    let folder = harness.folder.path().join("deployments/artifacts");
    let orphans = ["orphan", "half"].map(|content| artifact(harness.folder.path(), content));
    fs::write(&orphans[0], "orphan").unwrap();
    fs::write(orphans[1].with_extension("new"), "ha").unwrap();
    fs::write(folder.join("notes.txt"), "of an operator").unwrap();
    block_on(async {
        let swept = async {
            while orphans[0].exists() || orphans[1].with_extension("new").exists() {
                tokio::task::yield_now().await;
            }
        };
        harness.host.work(WorkerOptions::default(), swept).await.unwrap();
    });
    assert!(folder.join("notes.txt").exists());
    assert_eq!(fs::read(artifact(harness.folder.path(), &name('a'))).unwrap(), name('a').as_bytes());
    harness.host.delete(&key, "ops").unwrap();
}

/// An artifact that a file still names is served, although the row has changed.
#[test]
fn what_a_published_file_names_stays() {
    let harness = Harness::new();
    let key = deployed(&harness, 'a');
    let Harness { folder, host, .. } = harness;
    drop(host);
    let published = fs::read_dir(folder.path().join("deployments/current/acme")).unwrap().next().unwrap();
    let (path, kept) = (published.unwrap().path(), artifact(folder.path(), "served elsewhere"));
    let mut named: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    named["artifact_sha256"] = json!(Digest::of(b"served elsewhere").to_string());
    let other = path.with_file_name("other.json");
    fs::write(&other, named.to_string()).unwrap();
    fs::write(&kept, "served elsewhere").unwrap();
    let orphan = artifact(folder.path(), "orphan");
    fs::write(&orphan, "orphan").unwrap();
    let host = Host::builder(folder.path()).open().unwrap();
    block_on(async {
        let swept = async {
            while orphan.exists() {
                tokio::task::yield_now().await;
            }
        };
        host.work(WorkerOptions::default(), swept).await.unwrap();
    });
    assert!(host.status(&key).unwrap().has_ended());
    drop(host);
    assert!(kept.exists() || !other.exists(), "a file names what is gone");
}

#[test]
fn output_beyond_what_may_be_kept_is_not_kept() {
    let harness = Harness::new();
    let key = support::start(&harness.host, "hostile", r#"{"attack":"print"}"#);
    let used = kept(&harness);
    let harness = harness.reopened_with(with_room(used));
    assert!(is_over(&block_on(harness.host.drive(&key)).unwrap_err()), "its result does not fit either");
    assert_eq!(harness.host.store().output(&key).wait().unwrap(), "");
    assert_eq!(kept(&harness), used);
    let harness = harness.reopened();
    harness.drive(&key);
    assert_ne!(harness.host.store().output(&key).wait().unwrap(), "");
    kept(&harness);
}
