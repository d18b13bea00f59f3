//! How long a decision counts: people who are removed, keys that end or are compromised, receipts that are revoked, clocks that are set back.

use super::*;

#[test]
fn t12_who_was_removed_before_it_is_spent_does_not_count() {
    let act = |what| match what {
        "decider" => Act::DeciderRemoved { decider: "alice".parse().unwrap(), reason: "left".to_owned() },
        _ => Act::KeyRevoked {
            key_id: decider_key(1).public_key().key_id().to_string(),
            compromised_at: None,
            reason: "lost".to_owned(),
        },
    };
    for what in ["decider", "key"] {
        let place = Place::new(None);
        let (key, request) = place.asked();
        issued(place.approve(&request, ALICE));
        place.record_act(act(what)).unwrap();
        assert_eq!(refused_by(&place, &key), Check::Approvals, "{what}");
    }
}

#[test]
fn t12_a_revoked_receipt_is_not_spent() {
    let place = Place::new(None);
    let (key, request) = place.asked();
    let receipt = issued(place.approve(&request, ALICE));
    let revocation = place.host.revoke(&receipt.id, "operator", Some("wrong branch")).unwrap();
    let keys = engine::issuer::Keyring::public(&place.folder.path().join("keys")).unwrap();
    let (revoked, signed) = (
        receipt::verify(&receipt.artifact, &keys).unwrap(),
        receipt::verify(&revocation.artifact, &keys).unwrap(),
    );
    assert!(revoked.is_revoked_by(&signed));
    assert!(
        place.host.revoke(&receipt.id, "operator", None).unwrap_err().to_string().contains("revoked already")
    );
    assert_eq!(refused_by(&place, &key), Check::Revocation);
}

/// In either order, there is never both a revocation and a deployment.
#[test]
fn t12_revoking_races_redeeming() {
    for _ in 0..12 {
        let place = Place::new(None);
        let (key, request) = place.asked();
        let receipt = issued(place.approve(&request, ALICE));
        let host = place.host.clone();
        let revoking = std::thread::spawn(move || host.revoke(&receipt.id, "operator", None));
        let end = place.ends(&key);
        let revoked = revoking.join().unwrap();
        let deployed = matches!(end, Status::Completed(_));
        assert_eq!(deployed, revoked.is_err(), "{revoked:?}");
        assert_eq!(place.deployments(), usize::from(deployed));
    }
}

#[test]
fn t13_a_clock_that_is_set_back_revives_nothing() {
    let place = Place::new(None);
    let (key, request) = place.asked();
    issued(place.approve(&request, ALICE));
    place.clock.move_by_minutes(16);
    // Anything that is recorded now fixes the time.
    place.asked();
    place.clock.move_by_minutes(-60);
    assert_eq!(refused_by(&place, &key), Check::Expiry);
}

#[test]
fn a_request_lapses_when_the_policy_says() {
    let place = Place::new(Some(&format!("{TWO}expires = \"15m\"\n")));
    let (key, request) = place.asked();
    place.clock.move_by_minutes(16);
    let by = "alice".parse().unwrap();
    let late = place.host.statement(&request, &by, None, Decision::Approved, None);
    assert!(late.unwrap_err().to_string().contains("lapsed"));
    assert_eq!(result(&place.ends(&key))["status"], "blocked");
}

/// A person whose key ends ten minutes after the beginning.
fn with_an_end(place: &Place, name: &str, seed: u8) {
    let key = decider_key(seed).public_key();
    let (kind, public_key) = (key.scheme().as_str().to_owned(), key.to_base64());
    let valid_until = Some(receipt::Timestamp::from_millis(NOON + 600_000));
    place
        .record_act(Act::KeyAdded {
            decider: name.parse().unwrap(),
            kind,
            public_key,
            valid_until,
            passkey: None,
        })
        .unwrap();
}

#[test]
fn t31_a_key_that_has_ended_neither_decides_nor_reviews_whatever_time_it_writes() {
    let place = Place::new(None);
    place.add("dora", &["break-glass"], 4);
    with_an_end(&place, "alice", 11);
    let ((_, burning), (key, waiting)) = (place.asked(), place.asked());
    issued(place.break_glass(&burning, ("dora", 4)));
    let by = "alice".parse().unwrap();
    let review = place.host.review_statement(&burning, &by, Decision::Approved, "it did burn").unwrap();
    let decision = place.host.statement(&waiting, &by, None, Decision::Denied, None).unwrap();
    place.clock.move_by_minutes(11);
    let signed = |statement| receipt::sign_decision(statement, &decider_key(11)).unwrap();
    let refused = place.host.review(&burning, &signed(&review)).unwrap_err().to_string();
    assert!(refused.contains("the key was valid until"), "{refused}");
    assert_eq!(place.host.trust().unwrap().unreviewed().count(), 1);
    assert!(said(place.host.sign(&waiting, &signed(&decision))).contains("the key was valid until"));
    assert!(matches!(place.ends(&key), Status::Waiting(_)));
}

#[test]
fn t31_what_a_key_signed_before_it_ended_counts() {
    let place = Place::new(Some(TWO));
    with_an_end(&place, "alice", 11);
    let (key, request) = place.asked();
    place.approve(&request, ("alice", 11)).unwrap();
    place.clock.move_by_minutes(11);
    issued(place.approve(&request, BOB));
    assert_eq!(result(&place.ends(&key))["status"], "deployed");
}

/// A journal that was altered may say that a statement was admitted when its key had ended. It was not.
#[test]
fn t31_a_record_of_an_admission_that_cannot_have_been_is_none() {
    let place = Place::new(None);
    with_an_end(&place, "alice", 11);
    let (_, request) = place.asked();
    let (asked, trust) = (place.host.request(&request).unwrap(), place.host.trust().unwrap());
    let grounds = engine::issuer::JudgingContext { trust: &trust, policy: place.host.policy() };
    let envelope = place.envelope(&request, ("alice", 11), Decision::Approved);
    let hour = receipt::Timestamp::from_millis(asked.created_at.as_millis() + 3_600_000);
    let counted = |admitted_at| {
        let admitted = engine::issuer::Admitted { envelope: envelope.clone(), at: admitted_at };
        engine::issuer::tally(&asked, &[admitted], grounds, hour).unwrap().0.approved.len()
    };
    assert_eq!((counted(asked.created_at), counted(hour)), (1, 0));
}

/// The signed text has the time of the request: no decision can be earlier, even if a host claims so.
#[test]
fn t31_a_statement_is_no_older_than_its_request_and_the_request_says_so() {
    let place = Place::new(None);
    place.clock.move_by_minutes(1);
    let (_, request) = place.asked();
    let asked = place.host.request(&request).unwrap();
    let document = asked.document().unwrap();
    for (member, at) in [("requestedAt", asked.created_at), ("lapsesAt", asked.expires_at)] {
        assert_eq!(
            document.pointer(["context", member]).and_then(Json::as_str),
            Some(at.to_string().as_str())
        );
    }
    let by = "alice".parse().unwrap();
    let statement = place.host.statement(&request, &by, None, Decision::Approved, None).unwrap();
    let decided_at = receipt::Timestamp::from_millis(asked.created_at.as_millis() - 1);
    let early = DecisionStatement { decided_at, ..statement };
    let early = place.host.sign(&request, &receipt::sign_decision(&early, &decider_key(1)).unwrap());
    let words = said(early);
    assert!(words.contains("time of the decision"), "{words}");
}

#[test]
fn t28_what_a_compromised_key_signed_does_not_count() {
    let place = Place::new(None);
    let (key, request) = place.asked();
    issued(place.approve(&request, ALICE));
    place.clock.move_by_minutes(1);
    let compromised = Act::KeyRevoked {
        key_id: decider_key(1).public_key().key_id().to_string(),
        compromised_at: Some(receipt::Timestamp::from_millis(NOON - 60_000)),
        reason: "stolen yesterday".to_owned(),
    };
    place.record_act(compromised).unwrap();
    assert_eq!(refused_by(&place, &key), Check::Approvals);
}
