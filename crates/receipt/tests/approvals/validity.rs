//! When a decision is made and when it counts: open requests, keys that have ended, revocations.

use super::*;

#[test]
fn revocations_need_no_approvals_and_name_what_they_revoke() {
    let revocation = |scope: Scope, decider: Decider| Draft {
        id: "rcpt_rev_1".to_owned(),
        agent_id: receipt::REVOCATION_AGENT.to_owned(),
        run_id: None,
        request: receipt::revocation_request("rcpt_0001", Some("wrong branch")),
        approvals: vec![],
        summary: Some("wrong branch".to_owned()),
        decision: Decision::Denied,
        decider: Decider { resolution: Some(Resolution::Deny), ..decider },
        scope,
        risk_tier: None,
        projection: Projection::RevocationV1,
        ..draft()
    };
    let issue = |draft: &Draft| verify(&mint(draft, &signer()).unwrap().artifact, &keys()).unwrap();
    let (approval, revoked) = (issue(&draft()), issue(&revocation(Scope::Production, draft().decider)));
    assert_eq!((revoked.revokes(), approval.revokes()), (Some("rcpt_0001"), None));
    assert!(approval.is_revoked_by(&revoked) && !revoked.is_revoked_by(&approval));
    assert_eq!(
        verify_approvals(
            &open(&revocation(Scope::Production, draft().decider)),
            &deciders(),
            Judged::AsIssued
        ),
        Ok(vec![])
    );
    // Its projection names the receipt, and keeps the reason.
    let projection = r#"{"intent":{"name":"authorization_revocation"},"metadata":{"revokedReceiptId":"rcpt_0001"},"projection":"revocation/v1"}"#;
    assert_eq!(revoked.projection().unwrap().canonical(), projection);
    // A revocation without an agent and without a receipt.
    let anonymous = issue(&revocation(Scope::Demo, demo()));
    assert_eq!(anonymous.revokes(), Some("rcpt_0001"));
    assert!(!approval.is_revoked_by(&anonymous));
    // A demo key withdraws nothing in production, whatever scope it signs.
    for key_id in crate::common::DEMO_KEY_IDS {
        let key = receipt::Ed25519Signer::from_seed(key_id, &[9; 32]);
        let mut set = keys();
        set.insert(crate::common::key(&key)).unwrap();
        let claims = with(&json(revoked.payload_json()), "signatureKeyId", Some(key_id.into()));
        let forged = verify(&crate::common::seal(&claims.canonical(), &key), &set).unwrap();
        assert_eq!((forged.revokes(), forged.scope()), (Some("rcpt_0001"), Some(Scope::Production)));
        assert!(!approval.is_revoked_by(&forged), "{key_id}");
    }
    let other = issue(&Draft { id: "rcpt_0002".to_owned(), ..draft() });
    assert!(!other.is_revoked_by(&revoked));
    for metadata in ["{}", r#"{"revokedReceiptId":""}"#, r#"{"revokedReceiptId":1}"#] {
        let request = json(&format!(r#"{{"metadata":{metadata}}}"#));
        let nameless = Draft { request, ..revocation(Scope::Production, draft().decider) };
        assert!(matches!(mint(&nameless, &signer()), Err(MintError::Contradiction(_))), "{metadata}");
    }
}

/// The revocation of the published vectors, where they are.
#[test]
fn the_published_revocation_is_recognised() {
    let vectors = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/receipt-spec/test-vectors");
    let read = |name: &str| std::fs::read_to_string(format!("{vectors}/{name}"));
    let (Ok(artifact), Ok(set)) = (read("v3/revoke-human-deploy-gate.json"), read("keys.json")) else {
        return crate::common::not_run("the published revocation is not here");
    };
    let receipt =
        verify(&Artifact::parse(&artifact).unwrap(), &receipt::KeySet::parse(&set).unwrap()).unwrap();
    assert_eq!(receipt.revokes(), Some("rcpt_dg_vec07v3privaterepo000001"));
}

/// A request with the times at which it was made and lapses, under a digest that people sign.
fn open_between(from: &str, until: &str) -> Json {
    let times = [("requestedAt", from), ("lapsesAt", until)];
    let times = times.map(|(name, at)| (name, Json::from(at)));
    let context = times.into_iter().fold(request().get("context").unwrap().clone(), |context, (name, at)| {
        with(&context, name, Some(at))
    });
    with(&request(), "context", Some(context))
}

#[test]
fn a_decision_is_made_while_its_request_is_open_as_the_request_says() {
    let from = "2026-11-23T08:59:00.000Z";
    let until = "2026-11-23T09:59:30.000Z";
    let asked = open_between(from, until);
    let minted = |statement: DecisionStatement| {
        let draft = Draft { request: asked.clone(), approvals: vec![signed(&statement)], ..draft() };
        mint(&draft, &signer())
    };
    let good = statement(&asked, Decision::Approved);
    let receipt = minted(good.clone()).unwrap();
    let opened = verify(&receipt.artifact, &keys()).unwrap().open(&receipt.opening).unwrap();
    assert_eq!(verify_approvals(&opened, &deciders(), Judged::AsIssued).unwrap().len(), 1);
    let early = DecisionStatement { decided_at: at("2026-11-23T08:58:59.999Z"), ..good.clone() };
    let long = DecisionStatement { expires_at: at("2026-11-23T09:59:30.001Z"), ..good };
    let refused = |statement| match minted(statement).unwrap_err() {
        MintError::Approvals(ApprovalError::Mismatch(mismatch)) => mismatch,
        other => panic!("{other}"),
    };
    assert!(matches!(refused(early), Mismatch::DecidedAt(_)));
    assert!(matches!(refused(long), Mismatch::ExpiresAt(_)));
    let odd = open_between("yesterday", until);
    let draft =
        Draft { approvals: vec![signed(&statement(&odd, Decision::Approved))], request: odd, ..draft() };
    assert!(matches!(mint(&draft, &signer()), Err(MintError::Approvals(ApprovalError::Request(_)))));
}

#[test]
fn opening_a_receipt_shows_that_a_decision_is_older_than_its_request() {
    let asked = open_between("2026-11-23T08:59:31.000Z", "2026-11-23T09:59:30.000Z");
    let backdated = signed(&statement(&asked, Decision::Approved));
    let bound =
        mint(&by_policy(Draft { request: asked, ..draft() }), &signer()).unwrap().opening.request_json;
    let request = with(&json(&bound), "approvals", envelopes(&[&backdated])).canonical();
    let salt = Salt::from_bytes([3; 32]);
    let bytes = [salt.as_bytes().as_slice(), request.as_bytes()].concat();
    let commitment = Digest::of(&bytes).tagged();
    let payload = with(&crate::common::payload(), "requestCommitment", Some(commitment.into()));
    let artifact: Artifact = crate::common::seal(&payload.canonical(), &signer());
    let opened = verify(&artifact, &keys()).unwrap().open(&Opening::new(request, salt)).unwrap();
    let refused = verify_approvals(&opened, &deciders(), Judged::AsIssued).unwrap_err();
    assert!(matches!(refused, ApprovalError::Mismatch(Mismatch::DecidedAt(_))), "{refused}");
}

/// To the millisecond, so that the reason of a refusal is the expiry and not a fault of the decisions.
#[test]
fn a_receipt_and_its_decisions_expire_at_the_same_moment() {
    let expires_at = at("2026-11-23T09:15:00.000Z");
    let approval = signed(&DecisionStatement { expires_at, ..good() });
    let minted = mint(&Draft { approvals: vec![approval], expires_at, ..draft() }, &signer()).unwrap();
    let receipt = verify(&minted.artifact, &keys()).unwrap();
    let opened = receipt.open(&minted.opening).unwrap();
    for (moment, over) in [
        ("2026-11-23T09:14:59.999Z", false),
        ("2026-11-23T09:15:00.000Z", true),
        ("2026-11-23T09:15:00.001Z", true),
    ] {
        let stands = verify_approvals(&opened, &deciders(), Judged::Now(at(moment))).is_ok();
        assert_eq!((receipt.is_expired(at(moment)), stands), (over, !over), "{moment}");
    }
}

#[test]
fn a_key_that_has_ended_takes_part_no_more_whatever_time_it_writes() {
    let ended = at("2026-11-23T08:59:45.000Z");
    let mut set = DeciderSet::new();
    let mut alices = person("alice", &alice());
    alices.keys[0].valid_until = Some(ended);
    set.insert(alices).unwrap();
    let good = good();
    let envelope = sign_decision(&good, &alice()).unwrap();
    let taken_in = |at| set.admit(&envelope, &Expected::about(&good.matter, at));
    assert!(taken_in(at("2026-11-23T08:59:44.999Z")).is_ok());
    assert!(matches!(
        taken_in(ended).unwrap_err(),
        ApprovalError::NotCounted(NotCounted::NoLongerValid(until)) if until == ended
    ));
    // A decision that was admitted before remains valid.
    assert!(set.verify(&envelope, &Expected::about(&good.matter, at("2026-11-23T09:10:00.000Z"))).is_ok());
}
