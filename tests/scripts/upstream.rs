//! The upstream example, byte for byte as it was published: examples/tenant-workflow.ts of permission-protocol/pp-cloudflare-dynamic-authority
//! at commit 60e86f9, under the licence in the same folder.

use crate::support;
use crate::support::harness::{BEGINNING, Harness, ManualClock, open};
use crate::support::script;
use ::sandbox::script::Bundle;
use ::store::InstanceKey;
use engine::Status;
use engine::api::RestartPoint;
use receipt::Decision;
use receipt::Digest;
use serde_json::Value;
use serde_json::json;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use tempfile::TempDir;
use workflow::Check;
use workflow::Entry;

/// Of the file at that commit.
const SHA256: &str = "1da947bb68868c46e074479c03afda89bae12fbf312e89e0ded4a330d529cbe0";

fn example() -> Bundle {
    let text = fs::read_to_string(support::root().join("examples/tenant-workflow.ts")).unwrap();
    assert_eq!(Digest::of(text.as_bytes()).to_string(), SHA256, "the example is as it was published");
    script::bundle(&[("tenant-workflow.ts", &text)])
}

fn params() -> Value {
    json!({ "actor": "agent:builder", "resource": "cloudflare://workers/acme/app", "workflowId": "wf-1" })
}

fn deployments(harness: &Harness) -> usize {
    support::deployments(harness.folder.path()).len()
}

#[test]
fn approved_it_deploys_once() {
    let harness = script::harness();
    let key = script::start(&harness.host, &example(), &params());
    let result = support::result(&harness.finish(&key, Decision::Approved, &[]));
    assert_eq!(result["artifact"], "worker-bundle.js");
    assert_eq!(result["resource"], "cloudflare://workers/acme/app");
    assert_eq!(deployments(&harness), 1);
    for (kind, times) in
        [("requested", 1), ("redeemed", 1), ("performed", 1), ("attested", 1), ("step-completed", 2)]
    {
        assert_eq!(harness.count(&key, kind), times, "{kind}");
    }
}

#[test]
fn what_is_approved_is_the_description_and_the_approver_is_told() {
    let harness = script::harness();
    let key = script::start(&harness.host, &example(), &params());
    let wait = harness.waits(&key);
    let request = harness.host.request(wait.request().unwrap()).unwrap();
    let evidence =
        r#"{"artifact":"worker-bundle.js","diffSummary":"+ generated fetch handler, + outbound API call"}"#;
    assert_eq!(request.artifact.as_ref().unwrap().sha256, Digest::of(evidence.as_bytes()));
    assert_eq!(request.component, example().digest(), "the code is the bundle");
    let told = request.to_string();
    for part in
        ["there are no other bytes", "a script of one module", "main module tenant-workflow.ts", SHA256]
    {
        assert!(told.contains(part), "{part} in\n{told}");
    }
    let engine = ::sandbox::script::current_engine().engine.to_string();
    assert!(told.contains(&engine) && request.document().unwrap().canonical().contains(&engine));
}

#[test]
fn denied_nothing_is_deployed() {
    let harness = script::harness();
    let key = script::start(&harness.host, &example(), &params());
    let (name, message) = support::failure(&harness.finish(&key, Decision::Denied, &[]));
    assert_eq!(name, "ApprovalDeniedError", "{message}");
    assert_eq!(deployments(&harness), 0);
}

#[test]
fn not_decided_in_time_nothing_is_deployed() {
    let harness = script::harness();
    let key = script::start(&harness.host, &example(), &params());
    harness.until_due(&key);
    let (name, message) = support::failure(&harness.drive(&key));
    assert_eq!(name, "ApprovalExpiredError", "{message}");
    assert_eq!(deployments(&harness), 0);
}

/// A folder as it was when an entry had just been written.
struct Image {
    folder: TempDir,
    now: i64,
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (path, copied) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            fs::create_dir(&copied).unwrap();
            fs::set_permissions(&copied, fs::metadata(&path).unwrap().permissions()).unwrap();
            copy(&path, &copied);
        } else if !entry.file_name().to_string_lossy().ends_with("-shm") {
            fs::copy(&path, &copied).unwrap();
        }
    }
}

fn kinds(entries: &[Entry]) -> Vec<(String, usize)> {
    let counted =
        ["requested", "issued", "redeemed", "performed", "attested", "step-completed", "step-failed"];
    counted.iter().map(|kind| ((*kind).to_owned(), support::count(entries, kind))).collect()
}

#[test]
fn broken_off_after_any_entry_each_step_is_done_once() {
    let (images, clock) = (Arc::<Mutex<Vec<Image>>>::default(), ManualClock::at(BEGINNING));
    let folder = TempDir::new().unwrap();
    support::compiled::put_engine(folder.path());
    let host = open(folder.path(), &clock, |builder| {
        let (images, source, clock) = (Arc::clone(&images), folder.path().to_owned(), clock.clone());
        builder.on_fact(move |_| {
            let image = Image { folder: TempDir::new().unwrap(), now: clock.ms() };
            copy(&source, image.folder.path());
            images.lock().unwrap().push(image);
        })
    });
    let harness = Harness { folder, host, clock };
    let key = script::start(&harness.host, &example(), &params());
    let straight = harness.finish(&key, Decision::Approved, &[]);
    let (expected, id) = (kinds(&harness.entries(&key)), deployed(&straight));
    let images = std::mem::take(&mut *images.lock().unwrap());
    assert_eq!(images.len(), harness.entries(&key).len(), "one image for each entry");
    for (number, Image { folder, now }) in images.into_iter().enumerate() {
        let clock = ManualClock::at(now);
        let host = open(folder.path(), &clock, |builder| builder);
        let harness = Harness { folder, host, clock };
        // After a crash between intent and outcome, the outcome is reported as unknown and the action is never repeated.
        let end = harness.finish(&key, Decision::Approved, &[]);
        let entries = harness.entries(&key);
        assert_eq!(kinds(&entries), expected, "broken off after entry {number}: {end:?}");
        assert_eq!(deployed(&end), id, "broken off after entry {number}");
        assert!(deployments(&harness) <= 1, "broken off after entry {number}");
        assert_eq!(code_of(&entries), example().digest());
    }
}

fn deployed(end: &Status) -> String {
    support::result(end)["resource"].as_str().unwrap().to_owned()
}

fn code_of(entries: &[Entry]) -> Digest {
    match entries.first() {
        Some(Entry::Loaded { component, .. }) => *component,
        other => panic!("{other:?}"),
    }
}

/// One other byte of the source is another workflow: the gate refuses its deployment under the first one's receipt.
#[test]
fn another_byte_is_other_code() {
    let text = fs::read_to_string(support::root().join("examples/tenant-workflow.ts")).unwrap();
    let changed = script::bundle(&[("tenant-workflow.ts", &format!("{text}\n"))]);
    assert_ne!(changed.digest(), example().digest());
    let harness = script::harness();
    let key: InstanceKey = script::start(&harness.host, &example(), &params());
    let wait = harness.waits(&key);
    harness.host.decide(wait.request().unwrap(), &support::judgement(Decision::Approved)).unwrap();
    let other = harness.host.load(changed.bytes()).unwrap();
    harness.host.restart(&key, &RestartPoint::Current, Some(&other), "test").unwrap();
    let (name, message) = support::failure(&harness.finish(&key, Decision::Approved, &[]));
    assert_eq!((name.as_str(), deployments(&harness)), ("GateRefusedError", 0), "{message}");
    let refused =
        harness.entries(&key).iter().any(|entry| matches!(entry, Entry::Refused { check: Check::Code, .. }));
    assert!(refused, "for its code");
}
