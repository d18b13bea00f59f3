//! Reviews of decisions that one person took alone, and keys that turn out to be compromised.

use crate::support;
use crate::support::people::*;
use engine::Error;
use engine::trust::{Act, ActError};
use receipt::{Decision, DecisionStatement, PersonId, StatementSigner as _, Timestamp};
use store::InstanceKey;
use workflow::RequestId;

const ALICE: (&str, u8) = ("alice", 1);
const BOB: (&str, u8) = ("bob", 2);
const CAROL: (&str, u8) = ("carol", 3);
const DORA: (&str, u8) = ("dora", 4);

fn minute(number: i64) -> Timestamp {
    Timestamp::from_millis(BEGINNING + number * 60_000)
}

fn revoked(seed: u8, compromised_at: Option<Timestamp>) -> Act {
    let key_id = decider_key(seed).public_key().key_id().to_string();
    Act::KeyRevoked { key_id, compromised_at, reason: "stolen".to_owned() }
}

/// With dora, who may decide alone.
fn fixture() -> ApprovalFixture {
    let fixture = ApprovalFixture::new(None);
    fixture.add(DORA.0, &["break-glass"], DORA.1);
    fixture
}

/// Dora decides alone, and the action is done.
fn decided_alone(fixture: &ApprovalFixture) -> (InstanceKey, RequestId) {
    let (key, request) = fixture.asked();
    issued(fixture.break_glass(&request, DORA));
    assert_eq!(support::result(&fixture.ends(&key))["status"], "deployed");
    (key, request)
}

fn prepare_review(
    fixture: &ApprovalFixture,
    request: &RequestId,
    by: &PersonId,
) -> Result<DecisionStatement, Error> {
    fixture.host.review_statement(request, by, Decision::Approved, "seen")
}

fn review(fixture: &ApprovalFixture, request: &RequestId, (name, seed): (&str, u8)) -> Result<(), Error> {
    let statement = prepare_review(fixture, request, &name.parse().unwrap())?;
    fixture.host.review(request, &receipt::sign_decision(&statement, &decider_key(seed)).unwrap())
}

fn unreviewed(fixture: &ApprovalFixture) -> Vec<RequestId> {
    fixture.host.trust().unwrap().unreviewed().map(|(request, _)| request.clone()).collect()
}

#[test]
fn a_review_with_a_compromised_key_does_not_count() {
    let fixture = fixture();
    let (_, request) = decided_alone(&fixture);
    fixture.clock.move_by_minutes(1);
    review(&fixture, &request, ALICE).unwrap();
    assert_eq!(unreviewed(&fixture), []);
    fixture.record_act(revoked(1, Some(minute(0)))).unwrap();
    assert_eq!(
        unreviewed(&fixture),
        std::slice::from_ref(&request),
        "another person may have written alice's review"
    );
    review(&fixture, &request, BOB).unwrap();
    assert_eq!(unreviewed(&fixture), []);
    // A review stays valid when the key is compromised later or the reviewer leaves.
    fixture.record_act(revoked(2, Some(minute(2)))).unwrap();
    fixture
        .record_act(Act::DeciderRemoved { decider: "bob".parse().unwrap(), reason: "left".to_owned() })
        .unwrap();
    assert_eq!(unreviewed(&fixture), []);
}

#[test]
fn a_key_turns_out_to_be_compromised_for_longer_than_was_reported() {
    let fixture = fixture();
    let (_, first) = decided_alone(&fixture);
    fixture.clock.move_by_minutes(1);
    review(&fixture, &first, ALICE).unwrap();
    fixture.clock.move_by_minutes(2);
    let (_, second) = decided_alone(&fixture);
    review(&fixture, &second, ALICE).unwrap();
    fixture.record_act(revoked(1, None)).unwrap();
    // A time that is still to come, which was mistyped.
    for at in [1_000, 2] {
        fixture.record_act(revoked(1, Some(minute(at)))).unwrap();
    }
    assert_eq!(
        unreviewed(&fixture),
        std::slice::from_ref(&second),
        "what was reviewed before that stays reviewed"
    );
    fixture.record_act(revoked(1, Some(minute(0)))).unwrap();
    let mut both = [first, second];
    both.sort();
    assert_eq!(unreviewed(&fixture), both);
    let key = decider_key(1).public_key().key_id();
    let trust = fixture.host.trust().unwrap();
    assert_eq!(trust.deciders().key(key).unwrap().key.compromised_at, Some(minute(0)));
}

#[test]
fn a_later_time_of_compromise_is_refused_and_changes_nothing() {
    let fixture = fixture();
    fixture.record_act(revoked(1, Some(minute(0)))).unwrap();
    let before = fixture.host.trust().unwrap();
    for at in [0, 1] {
        let refused = fixture.record_act(revoked(1, Some(minute(at)))).unwrap_err();
        assert!(refused.to_string().contains("only an earlier time"), "{refused}");
    }
    let refused = fixture.record_act(revoked(1, None)).unwrap_err();
    assert!(matches!(refused, Error::Act(ActError::KeyRevoked(_))), "{refused}");
    assert_eq!(fixture.host.trust().unwrap().digest(), before.digest());
}

#[test]
fn a_review_that_has_to_be_repeated_can_be_when_the_instance_is_deleted() {
    let fixture = fixture();
    let workflow = fixture.host.load(support::guest("tenant-workflow")).unwrap();
    let start = engine::Start {
        submitter: Some("carol".parse().unwrap()),
        ..engine::Start::new("acme".parse().unwrap(), "agent:builder".parse().unwrap(), "w", "{}")
    };
    let key = fixture.host.start(&workflow, start).unwrap();
    let request = fixture.waits(&key);
    let receipt = issued(fixture.break_glass(&request, DORA));
    fixture.ends(&key);
    fixture.clock.move_by_minutes(1);
    review(&fixture, &request, BOB).unwrap();
    fixture.host.delete(&key, "operator").unwrap();
    fixture.record_act(revoked(2, Some(minute(0)))).unwrap();
    let (_, other) = fixture.asked();
    assert!(fixture.approve(&other, ALICE).is_err(), "dora's decision is not reviewed");
    // By the kept receipt: those who could not review the request cannot now.
    assert!(matches!(review(&fixture, &request, CAROL), Err(Error::SelfApproval(..))), "she submitted it");
    let own = review(&fixture, &request, DORA).unwrap_err().to_string();
    assert!(own.contains("another person"), "{own}");
    let statement = prepare_review(&fixture, &request, &"alice".parse().unwrap()).unwrap();
    assert_eq!(statement.matter.view, receipt::Digest::of(receipt.request_json.as_bytes()));
    let carols = DecisionStatement { decider: "carol".parse().unwrap(), ..statement };
    let carols = receipt::sign_decision(&carols, &decider_key(CAROL.1)).unwrap();
    assert!(fixture.host.review(&request, &carols).is_err(), "she submitted it");
    assert_eq!(unreviewed(&fixture), std::slice::from_ref(&request));
    review(&fixture, &request, ALICE).unwrap();
    assert_eq!(unreviewed(&fixture), []);
    issued(fixture.approve(&other, ALICE));
}

/// A receipt in the database is as good as its signature.
#[test]
fn a_receipt_about_another_request_is_not_reviewed_in_its_place() {
    let fixture = fixture();
    let ((_, another), (key, request)) = (fixture.asked(), decided_alone(&fixture));
    let other = issued(fixture.deny(&another, ALICE));
    review(&fixture, &request, BOB).unwrap();
    fixture.host.delete(&key, "operator").unwrap();
    fixture.record_act(revoked(2, Some(minute(0)))).unwrap();
    let body = serde_json::to_string(&store::StoredReceipt { request: request.clone(), ..other }).unwrap();
    let journal = rusqlite::Connection::open(fixture.folder.path().join("journal.sqlite")).unwrap();
    let changed =
        journal.execute("UPDATE receipts SET body = ?1 WHERE request = ?2", [&body, request.as_str()]);
    assert_eq!(changed.unwrap(), 1);
    assert!(review(&fixture, &request, ALICE).unwrap_err().to_string().contains("is about"));
    assert_eq!(unreviewed(&fixture), [request]);
}
