//! Reviews of decisions that one person took alone, at an authority.

use super::*;

const DORA: (&str, u8) = ("dora", 4);

/// Dora decides alone, and the action is done.
fn decided_alone(two: &Two) -> (InstanceKey, RequestId) {
    let (key, id) = two.asked();
    let (by, role) = (DORA.0.parse().unwrap(), "break-glass".parse().unwrap());
    let alone = two.host.statement(&id, &by, Some(&role), Decision::Approved, Some("it burns")).unwrap();
    two.host.sign(&id, &receipt::sign_decision(&alone, &decider_key(DORA.1)).unwrap()).unwrap();
    (key, id)
}

fn review(two: &Two, id: &RequestId, (name, seed): (&str, u8)) -> Result<Envelope, Error> {
    let looked = two.host.review_statement(id, &name.parse().unwrap(), Decision::Approved, "looked")?;
    Ok(receipt::sign_decision(&looked, &decider_key(seed)).unwrap())
}

fn compromised(seed: u8, minute: i64) -> Act {
    let key_id = decider_key(seed).public_key().key_id().to_string();
    let compromised_at = Some(Timestamp::from_millis(BEGINNING + minute * 60_000));
    Act::KeyRevoked { key_id, compromised_at, reason: "stolen".to_owned() }
}

#[test]
fn a_key_that_has_ended_reviews_nothing() {
    let two = Two::new(ONE);
    let (_, id) = decided_alone(&two);
    let (bobs, alices) = (review(&two, &id, BOB).unwrap(), review(&two, &id, ALICE).unwrap());
    two.clock.move_by_minutes(11);
    let refused = two.host.review(&id, &bobs).unwrap_err();
    assert!(refused.to_string().contains("the key was valid until"), "{refused}");
    two.host.review(&id, &alices).unwrap();
}

/// The authority has the receipt of its own that the review is about. The host's copy is not asked for.
#[test]
fn a_review_that_has_to_be_repeated_can_be_when_the_instance_is_deleted() {
    let two = Two::new(ONE);
    let (key, id) = decided_alone(&two);
    let end = support::block_on(two.host.drive(&key)).unwrap();
    assert_eq!(support::result(&end)["status"], "deployed");
    two.host.review(&id, &review(&two, &id, BOB).unwrap()).unwrap();
    two.host.delete(&key, "operator").unwrap();
    record_act_at(&two.path("authority"), compromised(BOB.1, 0), two.clock.now());
    let (_, other) = two.asked();
    let refused = two.host.sign(&other, &two.envelope(&other, ALICE)).unwrap_err();
    assert!(refused.to_string().contains("review"), "{refused}");
    assert!(review(&two, &id, DORA).is_ok_and(|own| two.host.review(&id, &own).is_err()), "her own decision");
    two.host.review(&id, &review(&two, &id, ALICE).unwrap()).unwrap();
    two.host.sign(&other, &two.envelope(&other, ALICE)).unwrap();
}
