//! How long a decision counts: people who are removed, keys that end or are compromised, receipts that are revoked, clocks that are set back.

use super::*;

#[test]
fn who_was_removed_before_it_is_spent_does_not_count() {
    let act = |what| match what {
        "decider" => Act::DeciderRemoved { decider: "alice".parse().unwrap(), reason: "left".to_owned() },
        _ => Act::KeyRevoked {
            key_id: decider_key(1).public_key().key_id().to_string(),
            compromised_at: None,
            reason: "lost".to_owned(),
        },
    };
    for what in ["decider", "key"] {
        let fixture = ApprovalFixture::new(None);
        let (key, request) = fixture.asked();
        issued(fixture.approve(&request, ALICE));
        fixture.record_act(act(what)).unwrap();
        assert_eq!(refused_by(&fixture, &key), Check::Approvals, "{what}");
    }
}

#[test]
fn a_revoked_receipt_is_not_spent() {
    let fixture = ApprovalFixture::new(None);
    let (key, request) = fixture.asked();
    let receipt = issued(fixture.approve(&request, ALICE));
    let revocation = fixture.host.revoke(&receipt.id, "operator", Some("wrong branch")).unwrap();
    let keys = engine::issuer::Keyring::public(&fixture.folder.path().join("keys")).unwrap();
    let (revoked, signed) = (
        receipt::verify(&receipt.artifact, &keys).unwrap(),
        receipt::verify(&revocation.artifact, &keys).unwrap(),
    );
    assert!(revoked.is_revoked_by(&signed));
    assert!(
        fixture
            .host
            .revoke(&receipt.id, "operator", None)
            .unwrap_err()
            .to_string()
            .contains("already revoked")
    );
    assert_eq!(refused_by(&fixture, &key), Check::Revocation);
}

/// In either order, there is never both a revocation and a deployment.
#[test]
fn revoking_races_redeeming() {
    for _ in 0..12 {
        let fixture = ApprovalFixture::new(None);
        let (key, request) = fixture.asked();
        let receipt = issued(fixture.approve(&request, ALICE));
        let host = fixture.host.clone();
        let revoking = std::thread::spawn(move || host.revoke(&receipt.id, "operator", None));
        let end = fixture.ends(&key);
        let revoked = revoking.join().unwrap();
        let deployed = matches!(end, Status::Completed(_));
        assert_eq!(deployed, revoked.is_err(), "{revoked:?}");
        assert_eq!(fixture.deployments(), usize::from(deployed));
    }
}

#[test]
fn a_clock_that_is_set_back_revives_nothing() {
    let fixture = ApprovalFixture::new(None);
    let (key, request) = fixture.asked();
    issued(fixture.approve(&request, ALICE));
    fixture.clock.move_by_minutes(16);
    // Anything that is recorded now fixes the time.
    fixture.asked();
    fixture.clock.move_by_minutes(-60);
    assert_eq!(refused_by(&fixture, &key), Check::Expiry);
}

#[test]
fn no_act_is_recorded_at_an_earlier_time_than_the_last() {
    let fixture = ApprovalFixture::new(None);
    fixture.clock.move_by_minutes(10);
    fixture.give("alice", 11);
    fixture.clock.move_by_minutes(-10);
    let fixture = fixture.reopened(None);
    fixture.give("bob", 12);
    let acts = fixture.host.store().acts(0).wait().unwrap();
    assert!(acts.is_sorted_by_key(|act| act.at), "{acts:?}");
}

#[test]
fn a_request_lapses_when_the_policy_says() {
    let fixture = ApprovalFixture::new(Some(&format!("{TWO}expires = \"15m\"\n")));
    let (key, request) = fixture.asked();
    fixture.clock.move_by_minutes(16);
    let by = "alice".parse().unwrap();
    let late = fixture.host.statement(&request, &by, None, Decision::Approved, None);
    assert!(late.unwrap_err().to_string().contains("lapsed"));
    assert_eq!(result(&fixture.ends(&key))["status"], "blocked");
}

/// A person whose key ends ten minutes after the beginning.
fn with_an_end(fixture: &ApprovalFixture, name: &str, seed: u8) {
    let key = decider_key(seed).public_key();
    let (kind, public_key) = (key.scheme().as_str().to_owned(), key.to_base64());
    let valid_until = Some(receipt::Timestamp::from_millis(BEGINNING + 600_000));
    fixture
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
fn a_key_that_has_ended_neither_decides_nor_reviews_whatever_time_it_writes() {
    let fixture = ApprovalFixture::new(None);
    fixture.add("dora", &["break-glass"], 4);
    with_an_end(&fixture, "alice", 11);
    let ((_, burning), (key, waiting)) = (fixture.asked(), fixture.asked());
    issued(fixture.break_glass(&burning, ("dora", 4)));
    let by = "alice".parse().unwrap();
    let review = fixture.host.review_statement(&burning, &by, Decision::Approved, "it did burn").unwrap();
    let decision = fixture.host.statement(&waiting, &by, None, Decision::Denied, None).unwrap();
    fixture.clock.move_by_minutes(11);
    let signed = |statement| receipt::sign_decision(statement, &decider_key(11)).unwrap();
    let refused = fixture.host.review(&burning, &signed(&review)).unwrap_err().to_string();
    assert!(refused.contains("the key was valid until"), "{refused}");
    assert_eq!(fixture.host.trust().unwrap().unreviewed().count(), 1);
    assert!(said(fixture.host.sign(&waiting, &signed(&decision))).contains("the key was valid until"));
    assert!(matches!(fixture.ends(&key), Status::Waiting(_)));
}

#[test]
fn what_a_key_signed_before_it_ended_counts() {
    let fixture = ApprovalFixture::new(Some(TWO));
    with_an_end(&fixture, "alice", 11);
    let (key, request) = fixture.asked();
    fixture.approve(&request, ("alice", 11)).unwrap();
    fixture.clock.move_by_minutes(11);
    issued(fixture.approve(&request, BOB));
    assert_eq!(result(&fixture.ends(&key))["status"], "deployed");
}

/// A journal that was altered may say that a statement was admitted when its key had ended. It was not.
#[test]
fn a_record_of_an_admission_that_cannot_have_been_is_none() {
    let fixture = ApprovalFixture::new(None);
    with_an_end(&fixture, "alice", 11);
    let (_, request) = fixture.asked();
    let (asked, trust) = (fixture.host.request(&request).unwrap(), fixture.host.trust().unwrap());
    let grounds = engine::issuer::JudgingContext { trust: &trust, policy: fixture.host.policy() };
    let envelope = fixture.envelope(&request, ("alice", 11), Decision::Approved);
    let hour = receipt::Timestamp::from_millis(asked.created_at.as_millis() + 3_600_000);
    let counted = |admitted_at| {
        let admitted = engine::issuer::AdmittedEnvelope { envelope: envelope.clone(), at: admitted_at };
        engine::issuer::tally(&asked, &[admitted], grounds, hour).unwrap().0.approved.len()
    };
    assert_eq!((counted(asked.created_at), counted(hour)), (1, 0));
}

/// The signed text has the time of the request: no decision can be earlier, even if a host claims so.
#[test]
fn a_statement_is_no_older_than_its_request_and_the_request_says_so() {
    let fixture = ApprovalFixture::new(None);
    fixture.clock.move_by_minutes(1);
    let (_, request) = fixture.asked();
    let asked = fixture.host.request(&request).unwrap();
    let document = asked.document().unwrap();
    for (member, at) in [("requestedAt", asked.created_at), ("lapsesAt", asked.expires_at)] {
        assert_eq!(
            document.pointer(["context", member]).and_then(Json::as_str),
            Some(at.to_string().as_str())
        );
    }
    let by = "alice".parse().unwrap();
    let statement = fixture.host.statement(&request, &by, None, Decision::Approved, None).unwrap();
    let decided_at = receipt::Timestamp::from_millis(asked.created_at.as_millis() - 1);
    let early = DecisionStatement { decided_at, ..statement };
    let early = fixture.host.sign(&request, &receipt::sign_decision(&early, &decider_key(1)).unwrap());
    let words = said(early);
    assert!(words.contains("time of the decision"), "{words}");
}

#[test]
fn what_a_compromised_key_signed_does_not_count() {
    let fixture = ApprovalFixture::new(None);
    let (key, request) = fixture.asked();
    issued(fixture.approve(&request, ALICE));
    fixture.clock.move_by_minutes(1);
    let compromised = Act::KeyRevoked {
        key_id: decider_key(1).public_key().key_id().to_string(),
        compromised_at: Some(receipt::Timestamp::from_millis(BEGINNING - 60_000)),
        reason: "stolen yesterday".to_owned(),
    };
    fixture.record_act(compromised).unwrap();
    assert_eq!(refused_by(&fixture, &key), Check::Approvals);
}
