//! Minting and attesting: every result verifies, and what must not be minted is refused.

use crate::common;
use crate::common::{Liar, Offline, at, demo, draft, json, key, keys, minted, signer, stepped_up, with};
use receipt::{
    Artifact, Attribution, AuthMethod, Decider, DeciderProof, Decision, Draft, Ed25519Signer, KeySet,
    MintError, NotApproved, Projection, Resolution, Salt, Scope, VerifyError, mint, verify,
};

#[test]
fn what_is_minted_verifies_and_opens() {
    let minted = minted();
    let receipt = verify(&minted.artifact, &keys()).unwrap();
    assert_eq!(minted.artifact.disagreements(&receipt), Vec::<&str>::new());
    let opened = receipt.open(&minted.opening).unwrap();
    assert_eq!(opened.binding(), &draft().binding);
    assert_eq!(opened.summary(), draft().summary.as_deref());
    assert_eq!(opened.rule(), None);
    let request = ["receiptBinding", "receiptSummary", "approvals"]
        .iter()
        .fold(opened.request().clone(), |request, key| with(&request, key, None));
    assert_eq!(request, draft().request);
    assert_eq!(
        receipt.request_commitment().unwrap().tagged(),
        json(receipt.payload_json()).get("requestCommitment").unwrap().as_str().unwrap()
    );
}

#[test]
fn the_same_draft_gives_the_same_receipt_and_another_salt_another_commitment() {
    assert_eq!(minted(), minted());
    let other = mint(&Draft { salt: Salt::from_bytes([1; 32]), ..draft() }, &signer()).unwrap();
    let commitment = |artifact: &Artifact| verify(artifact, &keys()).unwrap().request_commitment();
    assert_ne!(commitment(&minted().artifact), commitment(&other.artifact));
}

#[test]
fn the_envelope_survives_both_ways_of_writing_it() {
    let artifact = minted().artifact;
    assert_eq!(Artifact::parse(&artifact.to_json()).unwrap(), artifact);
    let serde = serde_json::to_string(&artifact).unwrap();
    assert_eq!(serde_json::from_str::<Artifact>(&serde).unwrap(), artifact);
    assert_eq!(json(&artifact.to_json()).get("artifact"), Some(&json(&serde)));
    assert!(
        serde_json::from_str::<Artifact>(&serde.replacen('{', r#"{"alg":"x","#, 1)).is_err(),
        "duplicates"
    );
}

#[test]
fn an_edited_convenience_copy_is_noticed() {
    let good = minted().artifact;
    let receipt = verify(&good, &keys()).unwrap();
    let mut edited = good.clone();
    edited.status = Some("DENIED".to_owned());
    edited.expires_at = Some("2036-11-23T09:15:00.000Z".to_owned());
    edited.receipt_version = Some(2);
    edited.receipt_id = "other".to_owned();
    edited.canonicalization = Some("jcs_v2".to_owned());
    edited.issued_at = Some("never".to_owned());
    assert_eq!(verify(&edited, &keys()).unwrap(), receipt, "nothing is decided from a copy");
    let all = ["receipt_id", "status", "receipt_version", "canonicalization", "issued_at", "expires_at"];
    assert_eq!(edited.disagreements(&receipt), all);
}

fn refused(change: impl FnOnce(&mut Draft)) -> MintError {
    let mut draft = draft();
    change(&mut draft);
    mint(&draft, &signer()).unwrap_err()
}

#[test]
fn reserved_keys_and_other_shapes_are_refused() {
    assert_eq!(refused(|draft| draft.request = json("[]")), MintError::RequestNotObject);
    for key in ["receiptBinding", "receiptSummary", "approvals"] {
        for value in ["null", "\"x\"", "{}"] {
            let request = json(&format!(r#"{{"{key}":{value}}}"#));
            assert_eq!(refused(|draft| draft.request = request), MintError::RequestReservedKey(key));
        }
    }
    for tag in [Projection::DeployGateV1, Projection::DeployGateV2] {
        assert_eq!(refused(|draft| draft.projection = tag), MintError::ProjectionNotIssued(tag.as_str()));
    }
    assert_eq!(refused(|draft| draft.id.clear()), MintError::EmptyField("id"));
    assert_eq!(refused(|draft| draft.agent_id.clear()), MintError::EmptyField("agent_id"));
    assert_eq!(refused(|draft| draft.decider.display.clear()), MintError::EmptyField("decider.display"));
}

#[test]
fn contradictions_are_refused() {
    let contradiction = |error: MintError| matches!(error, MintError::Contradiction(_));
    assert!(contradiction(refused(|draft| draft.decider.resolution = Some(Resolution::Deny))));
    assert!(contradiction(refused(|draft| draft.decision = Decision::Denied)));
    assert!(contradiction(refused(|draft| {
        draft.decision = Decision::Denied;
        draft.decider.resolution = Some(Resolution::AllowAlways);
    })));
    assert!(contradiction(refused(|draft| draft.projection = Projection::RevocationV1)));
    assert!(contradiction(refused(|draft| draft.expires_at = at("2026-11-23T08:59:59.999Z"))));
    assert!(mint(&Draft { expires_at: draft().created_at, ..draft() }, &signer()).is_ok());
}

#[test]
fn demo_and_production_do_not_mix() {
    let mixed = |change: fn(&mut Decider), scope: Scope| {
        let mut decider = demo();
        change(&mut decider);
        matches!(refused(|draft| (draft.decider, draft.scope) = (decider, scope)), MintError::ScopeMixed(_))
    };
    assert!(mixed(|_| {}, Scope::Production));
    let partly: [fn(&mut Decider); 3] = [
        |decider| decider.id = "user:alice".to_owned(),
        |decider| decider.auth_method = Some(AuthMethod::Session),
        |decider| decider.attribution = Attribution::Credentialed,
    ];
    for change in partly {
        assert!(mixed(change, Scope::Demo));
        assert!(mixed(change, Scope::Production));
    }
    for key_id in common::DEMO_KEY_IDS {
        let demo_key = Ed25519Signer::from_seed(key_id, &[9; 32]);
        let error = mint(&draft(), &demo_key).unwrap_err();
        assert!(matches!(error, MintError::ScopeMixed(_)), "{key_id}: {error}");

        let draft = Draft { decider: demo(), scope: Scope::Demo, approvals: vec![], ..draft() };
        let minted = mint(&draft, &demo_key).unwrap();
        let mut set = KeySet::new("demo");
        set.insert(key(&demo_key)).unwrap();
        let receipt = verify(&minted.artifact, &set).unwrap();
        let wanted = NotApproved::OtherScope { found: Scope::Demo, wanted: Scope::Production };
        assert_eq!(receipt.approved(Scope::Production).unwrap_err(), wanted);
        assert_eq!(receipt.approved(Scope::Demo).unwrap().receipt(), &receipt);
    }
}

#[test]
fn denials_and_revocations_are_signed_like_approvals() {
    let mut denial = Draft { decision: Decision::Denied, ..draft() };
    denial.decider.resolution = Some(Resolution::Deny);
    let minted = mint(&common::approved(denial.clone()), &signer()).unwrap();
    let receipt = verify(&minted.artifact, &keys()).unwrap();
    assert_eq!(receipt.decision(), Decision::Denied);
    assert_eq!(receipt.approved(Scope::Production).unwrap_err(), NotApproved::Denied);

    let request = json(
        r#"{"intent":{"name":"authorization_revocation","summary":"private"},"metadata":{"revokedReceiptId":"rcpt_0001","reason":"private"},"scope":{"env":"production","repo":"acme/private"}}"#,
    );
    let revocation = Draft {
        request,
        approvals: vec![],
        projection: Projection::RevocationV1,
        risk_tier: None,
        policy_version: None,
        ..denial
    };
    let minted = mint(&revocation, &signer()).unwrap();
    let receipt = verify(&minted.artifact, &keys()).unwrap();
    let projection = r#"{"intent":{"name":"authorization_revocation"},"metadata":{"revokedReceiptId":"rcpt_0001"},"projection":"revocation/v1","scope":{"env":"production"}}"#;
    assert_eq!(receipt.projection().unwrap().canonical(), projection);
    assert!(!receipt.payload_json().contains("private"));
}

#[test]
fn step_up_evidence_is_signed_with_the_decision() {
    for proof in [DeciderProof::Webauthn(common::webauthn()), DeciderProof::Reauth(common::reauth())] {
        let draft = stepped_up(proof);
        let decider = draft.decider.clone();
        let minted = mint(&draft, &signer()).unwrap();
        assert_eq!(verify(&minted.artifact, &keys()).unwrap().decider(), Some(&decider));
        // Verifying the minted receipt refuses either half alone.
        let code = |decider: Decider| match mint(&Draft { decider, ..draft.clone() }, &signer()).unwrap_err()
        {
            MintError::SelfCheck(error) => error.code(),
            other => panic!("{other}"),
        };
        assert_eq!(code(Decider { proof: None, ..decider.clone() }), "DECIDER_PROOF_MISMATCH");
        assert_eq!(
            code(Decider { auth_method: Some(AuthMethod::Session), ..decider }),
            "DECIDER_PROOF_MISMATCH"
        );
    }
    let stale = receipt::Reauth { max_age_ms: 1, ..common::reauth() };
    let error = mint(&stepped_up(DeciderProof::Reauth(stale)), &signer()).unwrap_err();
    assert!(matches!(error, MintError::SelfCheck(VerifyError::DeciderProofInvalid(_))));
    let huge = receipt::Reauth { max_age_ms: u64::MAX, ..common::reauth() };
    let error = mint(&stepped_up(DeciderProof::Reauth(huge)), &signer()).unwrap_err();
    assert!(matches!(error, MintError::SelfCheck(VerifyError::DeciderProofInvalid(_))));
}

#[test]
fn an_approval_that_cannot_be_signed_does_not_exist() {
    assert!(matches!(mint(&draft(), &Offline).unwrap_err(), MintError::Sign(_)));
    let self_check = mint(&draft(), &Liar(signer())).unwrap_err();
    assert!(matches!(self_check, MintError::SelfCheck(VerifyError::SignatureInvalid(_))));
    let nameless = Ed25519Signer::from_seed("", &[7; 32]);
    assert!(matches!(mint(&draft(), &nameless).unwrap_err(), MintError::SignerKey(_)));
}

#[test]
fn secrets_are_not_printed() {
    let seed_and_salt = format!("{:?} {:?}", signer(), draft().salt);
    assert_eq!(seed_and_salt, "Ed25519Signer { key_id: \"receipt-test-key\", .. } Salt(..)");
}
