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

fn drawn_up(
    fixture: &ApprovalFixture,
    request: &RequestId,
    by: &PersonId,
) -> Result<DecisionStatement, Error> {
    fixture.host.review_statement(request, by, Decision::Approved, "seen")
}

fn review(fixture: &ApprovalFixture, request: &RequestId, (name, seed): (&str, u8)) -> Result<(), Error> {
    let statement = drawn_up(fixture, request, &name.parse().unwrap())?;
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
