//! The six threats of the original design: which attacks of the suite answer each, and what else has to hold.

use crate::promises::suite::held;
use crate::support;
use crate::support::{Attacked, attack, count, finish, result};
use engine::{Error, Host, Status};
use receipt::{Decision, Timestamp};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use tempfile::TempDir;
use workflow::Entry;

#[test]
fn threat_1_generated_code_approves_itself() {
    held(&[
        "forged-receipt",
        "forged-handle",
        "receipt-in-the-parameters",
        "attempt-as-receipt",
        "self-approval",
    ]);
}

#[test]
fn threat_2_a_capability_without_a_receipt_or_with_one_for_something_else() {
    held(&["other-capability", "other-resource", "import-authority", "own-receipt"]);
}

#[test]
fn threat_3_a_spoofed_resume() {
    held(&[
        "resume-without-decision",
        "invented-request",
        "invented-receipt",
        "decided-twice",
        "decisions-at-once",
        "wrong-key",
    ]);
}

#[test]
fn threat_4_approve_one_artifact_deploy_another() {
    held(&["other-artifact", "other-name", "altered-artifact", "altered-request"]);
}

#[test]
fn threat_5_a_way_out_through_the_network_or_the_file_system() {
    held(&[
        "import-sockets",
        "import-http",
        "network-sockets",
        "network-http",
        "files",
        "environment",
        "wasi-descriptor",
        "outside",
    ]);
}

#[test]
fn threat_6_a_permission_used_later_elsewhere_or_twice() {
    held(&["spent-twice", "replayed", "stale-receipt", "clock-set-back", "cross-tenant", "cross-instance"]);
}

// The control case next to the attacks: an action that has to succeed.

#[test]
fn two_deployments_need_two_decisions() {
    let Attacked { status, entries, .. } = attack("two-approvals");
    assert_eq!(result(&status).as_array().map(Vec::len), Some(2));
    assert_eq!((count(&entries, "decided"), count(&entries, "redeemed")), (2, 2));
}

/// A clock that the test sets.
fn host_with_clock(folder: &TempDir) -> (Host, Arc<AtomicI64>) {
    let time = Arc::new(AtomicI64::new(1_800_000_000_000));
    let clock = Arc::clone(&time);
    let host = crate::support::storage::builder(folder.path())
        .clock(move || Timestamp::from_millis(clock.load(Ordering::Relaxed)))
        .open()
        .unwrap();
    (host, time)
}

#[test]
fn a_request_lapses_after_a_day() {
    let folder = TempDir::new().unwrap();
    let (host, time) = host_with_clock(&folder);
    let key = support::start(&host, "tenant-workflow", "{}");
    let Status::Waiting(wait) = support::block_on(host.drive(&key)).unwrap() else { panic!() };
    let request = wait.request().unwrap().clone();
    time.fetch_add(24 * 60 * 60_000, Ordering::Relaxed);
    let late = host.decide(&request, &support::judgement(Decision::Approved));
    assert!(matches!(late, Err(Error::NotWaiting { .. })), "{late:?}");
    let status = support::block_on(host.drive(&key)).unwrap();
    assert_eq!(result(&status)["cause"], "expired");
    assert!(host.store().receipts(store::ReceiptPage::ALL).wait().unwrap().is_empty());
}

#[test]
fn a_failure_that_is_cut_is_the_same_after_a_pause() {
    let length = result(&attack("long-failure").status)["length"].as_u64().unwrap();
    assert!((4096..5000).contains(&length), "{length}");
}

#[test]
fn a_denied_workflow_acts_on_nothing() {
    let (_folder, host) = support::new_host();
    let key = support::start(&host, "tenant-workflow", "{}");
    let status = finish(&host, &key, Decision::Denied);
    assert_eq!(result(&status)["status"], "blocked");
    let entries = support::entries(&host, &key);
    assert!(entries.iter().any(|entry| matches!(entry, Entry::Issued { decision: Decision::Denied, .. })));
    assert_eq!(count(&entries, "redeemed") + count(&entries, "performed"), 0);
}

/// A guest that could tell a run from its repetition could take another path. Each of these names a step after what it
/// sees.
#[test]
fn chance_and_clocks_are_the_same_whether_a_step_ran_or_was_left_out() {
    assert!(result(&attack("chance").status)["behind"].is_u64());
    let instants = result(&attack("instants").status);
    assert!(instants["slept"].as_u64().unwrap() >= 3600, "{instants}");
}
